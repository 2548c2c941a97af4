"""From an extract to the deidentified tables of a snapshot: one Parquet file for each OMOP table.

Rows are sorted by person and date under the new person ids, so nothing of the source's order is left; records are
numbered in that order.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.deid import places, rare
from vitrail.deid.columns import ACTIONS, action
from vitrail.deid.notes import HELD, clean_notes
from vitrail.deid.persons import OPTED_OUT, PERSONS
from vitrail.deid.profile import Profile
from vitrail.deid.text.clean import Cleaner
from vitrail.errors import SnapshotError
from vitrail.omop.snapshot import File, Removed, Ruled, described
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, VOCABULARY, Column, Table

AS_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
"""How the files of a snapshot are written: one size of row group, so that the bytes hang on the rows alone."""

REFERRED = ("location", "care_site", "provider", "visit_occurrence", "visit_detail")
"""Tables whose records others refer to, each after those that it refers to itself."""

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
    those that were held back.
    """

    db: duckdb.DuckDBPyConnection
    columns: Mapping[str, Sequence[Column]]
    profile: Profile
    order: bytes
    cleaner: Cleaner
    into: Path
    held: int = 0

    def write(self, of: Table) -> tuple[File, list[Removed], list[Ruled]]:
        """Write a table; raises SnapshotError where a record was lost on the way."""
        rows = table(of.name, "sorted")
        run(self.db, "CREATE TABLE :t AS :q", t=rows, q=self._sorted(of))
        # Values first: how many people share one is a question of the concept that was recorded.
        ordered = sorted(self.columns[of.name], key=lambda each: action(of.name, each.name) != "number")
        ruled = [self._ruled(of, each, rows) for each in ordered]
        if of.name in REFERRED:
            numbers = "CREATE TABLE :c AS SELECT :key AS source, rowid + 1 AS number FROM :t"
            run(self.db, numbers, c=table(of.name, "crosswalk"), key=column(of.key), t=rows)
        file = self._copy(of, rows)
        removed = self._removed(of, file.rows)
        run(self.db, "DROP TABLE :t", t=rows)
        return file, removed, [*ruled, *_dropped(of)]

    def _copy(self, of: Table, rows: Node) -> File:
        """The rows in their order (DuckDB keeps that of a table), numbered anew where they have a key of their own."""
        path = self.into / f"{of.name}.parquet"
        numbered = "SELECT * REPLACE (rowid + 1 AS :key) FROM :t"
        select = numbered if action(of.name, of.key) == "key" else "SELECT * FROM :t"
        run(self.db, f"COPY ({select}) TO :path {AS_PARQUET}", t=rows, key=exp.to_identifier(of.key), path=str(path))
        return described(of.name, path)

    def _removed(self, of: Table, kept: int) -> list[Removed]:
        """What became of the extract's rows that were not kept."""
        source = table(of.name, "extract")
        lost = run(self.db, "SELECT count(*) FROM :t", t=source)[0][0] - kept
        if lost == 0:
            return []
        held = self.held if of.name == "note" else 0
        out, gone = self._of_nobody(source) if _of_persons(of) else (0, 0)
        trimmed = lost - out - gone - held
        if trimmed < 0 or (self.profile.days == "keep" and gone + trimmed) or not _of_persons(of):
            raise SnapshotError(f"{of.name}: records were lost on the way.", "Report this as a defect of Vitrail.")
        found = ((OUT, out), (NOT_OBSERVED, gone), (TRIMMED, trimmed), (HELD, held))
        return [Removed(table=of.name, reason=reason, rows=rows) for reason, rows in found if rows]

    def _of_nobody(self, source: Node) -> tuple[int, int]:
        """The rows of persons who opted out, and those of others who are not in the snapshot."""
        query = "SELECT count(*) FROM :t WHERE person_id IN (SELECT source FROM :o)"
        out = int(run(self.db, query, t=source, o=OPTED_OUT)[0][0])
        query = "SELECT count(*) FROM :t WHERE person_id NOT IN (SELECT source FROM :p)"
        return out, int(run(self.db, query, t=source, p=PERSONS)[0][0]) - out

    def _sorted(self, of: Table) -> exp.Select:
        """The moved columns of a table, by person, date and the source's key; those without persons in no order."""
        columns = self.columns[of.name]
        query = exp.select(*(exp.alias_(self._moved(of, each), each.name) for each in columns))
        query = query.from_(exp.alias_(table(of.name, "extract"), "t", table=True))
        if _of_persons(of):
            query = query.join(exp.alias_(PERSONS.copy(), "p", table=True), on=sql("p.source = t.person_id"))
        for each in columns:
            if action(of.name, each.name) == "ref":
                other = exp.alias_(table(str(each.references), "crosswalk"), _alias(each), table=True)
                same = exp.EQ(this=column("source", _alias(each)), expression=column(each.name, "t"))
                query = query.join(other, on=same, join_type="left")
        return self._within_edges(of, query).order_by(*self._order(of))

    def _order(self, of: Table) -> list[Node]:
        if _of_persons(of):
            return [column("person", "p"), *(column(name, "t") for name in (of.start, of.key) if name is not None)]
        if action(of.name, of.key) == "key":
            return [sql("sha256(concat(:order, :key))", order=self.order.hex(), key=column(of.key, "t"))]
        return [column(each.name, "t") for each in self.columns[of.name]]

    def _within_edges(self, of: Table, query: exp.Select) -> exp.Select:
        if self.profile.days == "keep" or of.start is None or not _of_persons(of):
            return query
        start = column(of.start, "t")
        if of.name in SPANS:
            return query.where(sql(":start <= p.last AND :end >= p.first", start=start, end=column(str(of.end), "t")))
        return query.where(sql(":start BETWEEN p.first AND p.last", start=start))

    def _moved(self, of: Table, each: Column) -> Node:
        """A column with new ids and moved days."""
        rule, given = action(of.name, each.name), column(each.name, "t")
        if rule == "person":
            return column("person", "p")
        if rule == "ref":
            return column("number", _alias(each))
        if rule == "zip":
            return places.three_digits(given)
        if rule == "state":
            return places.known_state(given)
        if self.profile.days == "keep" or rule not in ("date", "birth"):
            return given
        if rule == "birth":
            return sql("CAST(p.birth AS INTEGER)")
        return sql("CASE WHEN :d IS NOT NULL THEN greatest(least(:d, p.last), p.first) + p.shift END", d=given)

    def _ruled(self, of: Table, each: Column, rows: Node) -> Ruled:
        """Apply the rule of a column that needs all rows; how many values it changed, or concerns."""
        rule, name = action(of.name, each.name), column(each.name)
        count = "SELECT count(:c) FROM :t"
        if rule == "string":
            changed = rare.keep_common(self.db, rows, name)
        elif rule == "note":
            changed, self.held = clean_notes(self.db, rows, self.cleaner)
        elif rule == "zip":
            changed = places.leave_out_small_places(self.db, rows)
        elif rule == "concept" and self.profile.rare:
            changed = rare.generalise(self.db, rows, name)
        elif rule == "number" and self.profile.rare:
            unit = column("unit_concept_id") if of.column("unit_concept_id") else sql("CAST(NULL AS INTEGER)")
            changed = rare.draw_in(self.db, rows, name, column(str(of.concept)), unit)
        elif rule == "keep" and self.profile.rare and of.name not in VOCABULARY:
            instead = sql("0") if each.references == "concept" else exp.null()
            share = rare.keep_shared if _of_persons(of) else rare.keep_known
            changed = share(self.db, rows, name, instead)
        elif rule in ("concept", "number", "keep") or (self.profile.days == "keep" and rule in ("date", "birth")):
            changed = 0
        else:
            changed = int(run(self.db, count, c=name, t=rows)[0][0])
        return Ruled(table=of.name, column=each.name, rule=rule, changed=changed)


def deidentify(writer: Writer, tell: Callable[[str], None]) -> Deidentified:
    """Write every table of ``extract``. ``crosswalk.person`` says who is in it, and how their days are moved.

    Two loads of one extract write the same bytes. Raises SnapshotError where a record was lost on the way.
    """
    run(writer.db, "CREATE SCHEMA sorted")
    files, removed, ruled = [], list[Removed](), list[Ruled]()
    names = (*REFERRED, *(each for each in TABLES if each not in REFERRED))
    rows = {name: int(run(writer.db, "SELECT count(*) FROM :t", t=table(name, "extract"))[0][0]) for name in names}
    done, began = 0, time.monotonic()
    for name in names:
        if rows[name]:
            tell(f"deidentifying {name}: {_progress(rows[name], done, sum(rows.values()), time.monotonic() - began)}")
        done += rows[name]
        file, gone, rules = writer.write(TABLES[name])
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


def _dropped(of: Table) -> list[Ruled]:
    rules = ACTIONS[of.name].items()
    return [Ruled(table=of.name, column=name, rule=rule, changed=0) for name, rule in rules if rule == "drop"]


def _alias(of: Column) -> str:
    return f"of_{of.name}"
