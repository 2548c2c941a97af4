"""From an extract to the deidentified tables of a snapshot: one Parquet file for each OMOP table.

Rows are sorted by person and date under the new person ids, so nothing of the source's order is left; records are
numbered in that order.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.deid import own, places, rare
from vitrail.deid.columns import ACTIONS, action
from vitrail.deid.notes import clean_notes
from vitrail.deid.persons import OPTED_OUT, PERSONS
from vitrail.deid.profile import Profile
from vitrail.deid.sharing import Asked, everything, learn, renew
from vitrail.deid.text.clean import Cleaner
from vitrail.errors import SnapshotError
from vitrail.omop.snapshot import File, Removed, Ruled, counted_values, described
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, VOCABULARY, Column, Table

AS_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
"""How the files of a snapshot are written: one size of row group, so that the bytes hang on the rows alone."""

REFERRED = ("location", "care_site", "provider", "visit_occurrence", "visit_detail")
"""Tables whose records others refer to, each after those that it refers to itself."""

SERVING = ("provider", "care_site")
"""Tables of clinicians and places: records of people refer to one only where k people have one in such records."""

MADE = ("note", "location")
"""Tables whose rules change the rows themselves, beside what k people share."""

NUMBER = "CAST(rowid + 1 AS INTEGER)"
"""The number of a record, in the order of its table."""

SPANS = ("observation_period", "payer_plan_period", "condition_era", "drug_era", "dose_era")
"""Tables of spans of time, of which the part within the edges is kept; of other tables what begins there."""

OUT = "the person opted out"
NOT_OBSERVED = "nothing of the person's observation lies within the edges that are kept"
TRIMMED = "outside the edges that are kept"


@dataclass(frozen=True)
class Deidentified:
    """What was written: the files, what was removed from each table and why, and what each column's rule changed."""

    files: tuple[File, ...]
    removed: tuple[Removed, ...]
    ruled: tuple[Ruled, ...]


@dataclass
class Writer:
    """Writes one table after the other.

    ``order`` is a key that tells in which order stands what has no person; ``cleaner`` cleans notes; ``held`` counts
    those that were held back, by reason.
    """

    db: duckdb.DuckDBPyConnection
    columns: Mapping[str, Sequence[Column]]
    profile: Profile
    order: bytes
    cleaner: Cleaner
    into: Path
    held: Mapping[str, int] = field(default_factory=dict)

    def write(self, of: Table, count: int) -> tuple[File, list[Removed], list[Ruled]]:
        """Write a table of ``count`` rows; raises SnapshotError where a record was lost on the way."""
        rows = table(of.name, "moved")
        made = of.name in MADE
        moved = self._moved(of, table(of.name, "extract"))
        run(self.db, f"CREATE {'TABLE' if made else 'VIEW'} :t AS :q", t=rows, q=moved)
        changed = self._rows_ruled(of, rows) if made else {}
        filled = self._filled(of, count)
        lookups = self._lookups(of, rows, filled, count)
        if of.name == "location" and self.profile.rare:
            places.leave_one_of_each(self.db, rows, self._keyed(of, rows, lookups))
        marked = [name for name, each in lookups.items() if _is_counted(each, filled[name] == count)]
        ordered = self._sort(of, rows, lookups, marked)
        changed |= self._changed(ordered, lookups, marked)
        if of.name in REFERRED:
            self._number(of, ordered)
        file = self._copy(of, ordered, lookups)
        run(self.db, "DROP TABLE :s", s=ordered)
        ruled = self._ruled(of, changed)
        return file, self._removed(of, count, file.rows), [*ruled, *_dropped(of)]

    def _moved(self, of: Table, given: Node) -> exp.Select:
        """The rows that stay of those ``given`` by the extract, with new person ids and moved days; keys and references
        are still the source's."""
        query = exp.select(*(exp.alias_(self._column(of, each), each.name) for each in self.columns[of.name]))
        query = query.from_(exp.alias_(given.copy(), "t", table=True))
        if of.name in VOCABULARY and self.profile.rare:
            return query.where(own.held(of.name))
        if not _of_persons(of):
            return query
        query = query.join(exp.alias_(PERSONS.copy(), "p", table=True), on=sql("p.source = t.person_id"))
        if self.profile.days == "keep" or of.start is None:
            return query
        start = column(of.start, "t")
        if of.name in SPANS:
            return query.where(sql(":start <= p.last AND :end >= p.first", start=start, end=column(str(of.end), "t")))
        return query.where(sql(":start BETWEEN p.first AND p.last", start=start))

    def _column(self, of: Table, each: Column) -> Node:
        rule, given = action(of.name, each.name), column(each.name, "t")
        if rule == "person":
            return column("person", "p")
        if rule == "zip":
            return places.three_digits(given)
        if rule == "state":
            return places.known_state(given)
        if self.profile.days == "keep" or rule not in ("date", "birth"):
            return given
        if rule == "birth":
            return sql("CAST(p.birth AS INTEGER)")
        return sql("CASE WHEN :d IS NOT NULL THEN greatest(least(:d, p.last), p.first) + p.shift END", d=given)

    def _rows_ruled(self, of: Table, rows: Node) -> dict[str, int]:
        """Clean notes, and leave out small places; how many values that changes, or concerns."""
        if of.name == "note":
            changed, self.held = clean_notes(self.db, rows, self.cleaner)
            return {"note_text": changed}
        states = int(run(self.db, "SELECT count(state) FROM :t", t=rows)[0][0])
        return {"state": states, "zip": places.leave_out_small_places(self.db, rows)}

    def _filled(self, of: Table, count: int) -> dict[str, int]:
        """How many values each column of the extract has: one in every row where OMOP requires it."""
        columns = self.columns[of.name]
        counts = exp.select(*(sql("count(:c)", c=column(each.name)) for each in columns if not each.required))
        found = iter(run(self.db, counts.select("count(*)").from_(table(of.name, "extract")))[0])
        return {each.name: count if each.required else int(next(found)) for each in columns}

    def _lookups(self, of: Table, rows: Node, filled: Mapping[str, int], count: int) -> dict[str, rare.Lookup]:
        """What becomes of each column, but of the key. One without a value has none under any rule."""
        names = [each.name for each in self.columns[of.name] if action(of.name, each.name) != "key"]
        found = {name: rare.as_it_is(name) for name in names}
        if count:
            found |= {each.name: _referred(each) for each in self.columns[of.name] if _refers(of, each)}
            found |= self._empty(of, rows, filled)
            found |= self._shared(of, rows, filled, count)
        return found

    def _empty(self, of: Table, rows: Node, filled: Mapping[str, int]) -> dict[str, rare.Lookup]:
        """The columns without a value, which nothing is asked of, nor sorted with the others."""
        types = {name: kind for name, kind, *_ in run(self.db, "DESCRIBE :q", q=everything(rows))}
        types |= {each.name: "INTEGER" for each in self.columns[of.name] if _refers(of, each)}
        empty = [each.name for each in self.columns[of.name] if not filled[each.name]]
        return {name: rare.Lookup(exp.cast(exp.null(), types[name], dialect="duckdb")) for name in empty}

    def _shared(self, of: Table, rows: Node, filled: Mapping[str, int], count: int) -> dict[str, rare.Lookup]:
        """The columns in which only that stays which k people share."""
        columns = [each for each in self.columns[of.name] if filled[each.name]]
        kept = {each.name: _instead(each) for each in columns if action(of.name, each.name) == "keep"}
        if of.name in VOCABULARY:
            return {}
        renew(self.db)
        if not _of_persons(of):
            return {name: rare.keep_known(self.db, rows, name, instead) for name, instead in kept.items()
                    if self.profile.rare}  # fmt: skip
        asked = {each.name: each for each in self._asked(of, columns)}
        made = of.name in MADE
        given, moved = (rows, everything) if made else (table(of.name, "extract"), partial(self._moved, of))
        whole = learn(self.db, given, moved, list(asked.values()), count, self.profile.rare) if asked else True
        return {name: self._lookup(of, each, kept, whole) for name, each in asked.items()}

    def _asked(self, of: Table, columns: Sequence[Column]) -> Iterator[Asked]:
        for each in columns:
            rule = action(of.name, each.name)
            if rule == "string":
                yield Asked(each.name, "text")
            elif (rule in ("concept", "keep") or each.references in SERVING) and self.profile.rare:
                yield Asked(each.name, "value")
            elif rule == "number" and self.profile.rare:
                unit = column("unit_concept_id") if of.column("unit_concept_id") else sql("CAST(NULL AS INTEGER)")
                yield Asked(each.name, "number", (column(str(of.concept)), unit))

    def _lookup(self, of: Table, each: Asked, kept: Mapping[str, Node], whole: bool) -> rare.Lookup:
        if each.kind == "number":
            return rare.draw_in(self.db, each)
        if each.kind == "text":
            return rare.keep_common(self.db, each.name, whole)
        if each.name in kept:
            return rare.keep_shared(self.db, each.name, kept[each.name], whole)
        referring = of.column(each.name)
        if referring is not None and referring.references in SERVING:
            return self._serving(referring, whole)
        return rare.generalise(self.db, each.name, whole)

    def _serving(self, of: Column, whole: bool) -> rare.Lookup:
        """Who treated, or where, if k people were treated by them: few would know each other by it."""
        few = rare.keep_shared(self.db, of.name, exp.null(), whole).join
        return _referred(of, None if few is None else few[0])

    def _changed(self, rows: Node, lookups: Mapping[str, rare.Lookup], marked: Sequence[str]) -> dict[str, int]:
        """How many values each rule that asks what is shared changes; ``rows`` are those of :meth:`_sort`.

        What has no mark is changed in every row.
        """
        marks = [sql("count(*) FILTER (WHERE :c)", c=column(_mark(name))) for name in marked]
        every, *counts = run(self.db, exp.select(sql("count(*)"), *marks).from_(rows.copy()))[0]
        changed = {name: every if each.changed is None else each.changed for name, each in lookups.items()}
        return {name: int(each) for name, each in (changed | dict(zip(marked, counts, strict=True))).items()}

    def _keyed(self, of: Table, rows: Node, lookups: Mapping[str, rare.Lookup]) -> exp.Subquery:
        """The rows as they become, with the source's key."""
        query = exp.select(exp.alias_(column(of.key, "t"), of.key), *_values(lookups))
        return rare.joined(query, rows, lookups).subquery("k")

    def _sort(self, of: Table, rows: Node, lookups: Mapping[str, rare.Lookup], marked: Sequence[str]) -> Node:
        """A table of the rows as they become, in their order, which DuckDB keeps: ``rowid`` tells it.

        A window over the rows would tell it, too, but on one thread. Beside the values stand the source's key, where
        others refer to it, and a mark where a value was changed that is to be counted. What is the same in all rows is
        not sorted with them.
        """
        before = [exp.alias_(column(name, "t"), _given(name), quoted=True) for name in marked]
        values = exp.select(*_values(lookups), *before, exp.alias_(column(of.key, "t"), "source"))
        query = exp.select(*(column(name) for name, each in lookups.items() if not each.constant))
        for name in marked:
            differs = sql(":c IS DISTINCT FROM :v", c=column(_given(name)), v=column(name))
            query = query.select(exp.alias_(differs, _mark(name), quoted=True))
        if of.name in REFERRED:
            query = query.select("source")
        query = query.from_(rare.joined(values, rows, lookups).subquery("v")).order_by(*self._order(of))
        run(self.db, "CREATE TABLE :s AS :q", s=table(of.name, "sorted"), q=query)
        return table(of.name, "sorted")

    def _number(self, of: Table, rows: Node) -> None:
        """The new numbers of records that others refer to."""
        numbers = table(of.name, "crosswalk")
        run(self.db, "CREATE TABLE :c AS SELECT source, :n AS number FROM :s", c=numbers, n=sql(NUMBER), s=rows)
        if of.name == "location" and self.profile.rare:
            rest = "SELECT a.source, c.number FROM :a AS a JOIN :c AS c ON c.source = a.stays WHERE a.source <> a.stays"
            run(self.db, f"INSERT INTO :c {rest}", a=places.ALIKE, c=numbers)

    def _copy(self, of: Table, rows: Node, lookups: Mapping[str, rare.Lookup]) -> File:
        """The sorted rows, numbered anew where they have a key of their own."""
        path = self.into / f"{of.name}.parquet"
        key = [exp.alias_(sql(NUMBER), of.key)] if action(of.name, of.key) == "key" else []
        values = [exp.alias_(each.value, name) if each.constant else column(name) for name, each in lookups.items()]
        select = exp.select(*key, *values).from_(rows.copy())
        run(self.db, f"COPY :q TO :path {AS_PARQUET}", q=select.subquery(), path=str(path))
        return described(of.name, path)

    def _order(self, of: Table) -> list[Node]:
        """By person, date and the source's key; what has no person in no order."""
        if _of_persons(of):
            return [column(name) for name in ("person_id", of.start, "source") if name is not None]
        if action(of.name, of.key) == "key":
            return [sql("sha256(concat(:order, source))", order=self.order.hex())]
        return [column(each.name) for each in self.columns[of.name]]

    def _removed(self, of: Table, count: int, kept: int) -> list[Removed]:
        """What became of the extract's rows that were not kept."""
        lost = count - kept
        if lost == 0:
            return []
        if of.name in VOCABULARY and self.profile.rare:
            return [Removed(table=of.name, reason=own.FEW_HAVE, rows=lost)]
        if of.name == "location" and self.profile.rare and lost == places.count_alike(self.db):
            return [Removed(table=of.name, reason=places.SAME, rows=lost)]
        held = self.held if of.name == "note" else {}
        out, gone = self._of_nobody(table(of.name, "extract")) if _of_persons(of) else (0, 0)
        trimmed = lost - out - gone - sum(held.values())
        if trimmed < 0 or (self.profile.days == "keep" and gone + trimmed) or not _of_persons(of):
            raise SnapshotError(f"{of.name}: records were lost on the way.", "Report this as a defect of Vitrail.")
        found = ((OUT, out), (NOT_OBSERVED, gone), (TRIMMED, trimmed), *held.items())
        return [Removed(table=of.name, reason=reason, rows=rows) for reason, rows in found if rows]

    def _of_nobody(self, source: Node) -> tuple[int, int]:
        """The rows of persons who opted out, and those of others who are not in the snapshot."""
        everybody = "SELECT count(*) FROM extract.person WHERE person_id NOT IN (SELECT source FROM :p)"
        if not run(self.db, everybody, p=PERSONS)[0][0]:
            return 0, 0
        query = "SELECT count(*) FROM :t WHERE person_id IN (SELECT source FROM :o)"
        out = int(run(self.db, query, t=source, o=OPTED_OUT)[0][0])
        query = "SELECT count(*) FROM :t WHERE person_id NOT IN (SELECT source FROM :p)"
        return out, int(run(self.db, query, t=source, p=PERSONS)[0][0]) - out

    def _ruled(self, of: Table, changed: Mapping[str, int]) -> list[Ruled]:
        """How many values the rule of each column changed, or, where it changes all, how many there are."""
        filled = counted_values(self.into / f"{of.name}.parquet")
        ruled = []
        for each in self.columns[of.name]:
            rule = action(of.name, each.name)
            unmoved = self.profile.days == "keep" and rule in ("date", "birth")
            all_of_them = rule in ("person", "key", "ref", "date", "birth", "state") and not unmoved
            values = filled[each.name] if all_of_them else 0
            if rule not in ("person", "key", "ref", "date", "birth"):
                values = changed.get(each.name, values)
            ruled.append(Ruled(table=of.name, column=each.name, rule=rule, changed=values))
        return ruled


def deidentify(writer: Writer, tell: Callable[[str], None]) -> Deidentified:
    """Write every table of ``extract``. ``crosswalk.person`` says who is in it, and how their days are moved.

    Two loads of one extract write the same bytes. Raises SnapshotError where a record was lost on the way.
    """
    run(writer.db, "CREATE SCHEMA moved")
    run(writer.db, "CREATE SCHEMA sorted")
    files, removed, ruled = [], list[Removed](), list[Ruled]()
    names = (*REFERRED, *(each for each in TABLES if each not in REFERRED))
    rows = {name: int(run(writer.db, "SELECT count(*) FROM :t", t=table(name, "extract"))[0][0]) for name in names}
    done, began = 0, time.monotonic()
    for name in names:
        if name == VOCABULARY[0]:  # the last tables: what concepts the others have is known by then
            own.list_held(writer.db, writer.into, writer.columns)
        if rows[name]:
            tell(f"deidentifying {name}: {_progress(rows[name], done, sum(rows.values()), time.monotonic() - began)}")
        done += rows[name]
        file, gone, rules = writer.write(TABLES[name], rows[name])
        files.append(file)
        removed += gone
        ruled += rules
    files.sort(key=lambda file: list(TABLES).index(file.table))
    return Deidentified(tuple(files), tuple(removed), tuple(ruled))


def _progress(rows: int, done: int, of: int, seconds: float) -> str:
    """How many rows come now, how fast those before went, and how long the rest would take at that pace."""
    if not done or not seconds:
        return f"{rows:,} rows"
    pace = done / seconds
    return f"{rows:,} rows, {100 * done // of} % done, {pace:,.0f} rows/s, about {(of - done) / pace:.0f} s left"


def _of_persons(of: Table) -> bool:
    return "person" in ACTIONS[of.name].values()


def _refers(of: Table, each: Column) -> bool:
    return action(of.name, each.name) == "ref"


def _referred(of: Column, but: Node | None = None) -> rare.Lookup:
    """The number of the record that a column refers to; null where that is not in the snapshot, or ``but``."""
    name = f"of {of.name}"
    numbers: Node = table(str(of.references), "crosswalk")
    if but is not None:
        others = sql("SELECT source, number FROM :n WHERE source NOT IN (SELECT value FROM :b)", n=numbers, b=but)
        numbers = exp.Subquery(this=others)
    other = exp.alias_(numbers, exp.to_identifier(name, quoted=True), table=True)
    same = exp.EQ(this=column("source", name), expression=column(of.name, "t"))
    return rare.Lookup(column("number", name), (other, same))


def _values(lookups: Mapping[str, rare.Lookup]) -> list[Node]:
    return [exp.alias_(each.value, name, quoted=True) for name, each in lookups.items()]


def _is_counted(of: rare.Lookup, everywhere: bool) -> bool:
    """Whether the values that a rule changes are still to be told from others: not where there is one in every row, and
    all become the same."""
    return of.changed is None and not (of.constant and everywhere)


def _given(of: str) -> str:
    return f"{of} given"


def _mark(of: str) -> str:
    return f"{of} changed"


def _instead(of: Column) -> Node:
    """What stands where a value that few people share stood."""
    return sql("0") if of.references == "concept" else exp.null()


def _dropped(of: Table) -> list[Ruled]:
    rules = ACTIONS[of.name].items()
    return [Ruled(table=of.name, column=name, rule=rule, changed=0) for name, rule in rules if rule == "drop"]
