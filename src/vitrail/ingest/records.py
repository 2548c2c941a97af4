"""From the text rows of a file to OMOP records: a row is loaded whole or quarantined whole, with its reason.

So rows in = rows loaded + rows quarantined for every file, and a row that was put right can be loaded again without
doubling anything. The first fault of a row, in the order of its records and their columns, is its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import SQL_TYPE, present
from vitrail.ingest.quarantine import (
    UNKNOWN_PERSON,
    Rows,
    any_faulty,
    collect,
    count_good,
    counted,
    mark,
    quarantine_repeated,
    quarantine_unknown_persons,
)
from vitrail.ingest.reading import Staged
from vitrail.omop.sql import Node, any_of, column, run, sql, table
from vitrail.omop.tables import Column, Table

ROWS = "cleaned"
"""The name of a file's rows, their text trimmed and null where missing, where records speak of their columns."""

ROW = "row"
"""The number of a row in its file, from 1, in the typed table."""

NO_RECORD = "the row gives no record"
DUPLICATE = "the key of an earlier row"
KEYLESS = ("concept_ancestor", "concept_relationship")
MERGED = "merged into another person"
OTHER_DEATH = "death: another record of the person's death is kept"
NO_YEAR = "year_of_birth is not from 1800 to 2199"
MOVED = "moved"
"""The note of a record whose person was merged into another."""

__all__ = ["UNKNOWN_PERSON", "Account", "Faulty", "Field", "Lookup", "Record", "extract_view", "load_rows"]


@dataclass(frozen=True)
class Field:
    """A column of a record: its value, and what is wrong where ``text`` is there and has no value.

    A value that is made here has no text, and cannot be wrong.
    """

    column: Column
    value: Node
    text: Node | None = None
    complaint: str = ""


@dataclass(frozen=True)
class Lookup:
    """A table in which each row of a file is looked up: ``on`` holds for one of its rows at most."""

    table: exp.Table
    on: Node


@dataclass(frozen=True)
class Record:
    """What each row of a file gives to one OMOP table, where ``applies``.

    ``checks`` are conditions under which the row is faulty whether or not the record applies, with what is wrong.
    ``notes`` are conditions to remember of each row, by name.
    """

    table: Table
    fields: tuple[Field, ...]
    applies: Node | None = None
    checks: tuple[tuple[Node, str], ...] = ()
    notes: Mapping[str, Node] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that the record fills."""
        return tuple(field.column.name for field in self.fields)


@dataclass(frozen=True)
class Faulty:
    """Rows quarantined for one reason; ``first_row`` where the file has it, counting the rows that were read from 1."""

    reason: str
    rows: int
    first_row: int | None = None


@dataclass(frozen=True)
class Account:
    """What became of a file's rows: ``rows_in`` = ``loaded`` + all ``quarantined``; SourceError otherwise."""

    source: str
    rows_in: int
    loaded: int
    quarantined: tuple[Faulty, ...]

    def __post_init__(self) -> None:
        if self.rows_in != self.loaded + sum(each.rows for each in self.quarantined):
            raise SourceError(f"{self.source}: rows were lost on the way.", "Report this as a defect of Vitrail.")


def load_rows(
    db: duckdb.DuckDBPyConnection,
    staged: Staged,
    records: Sequence[Record],
    missing: Sequence[str] = (),
    lookups: Sequence[Lookup] = (),
) -> Account:
    """Make ``typed.<name>``: the row's number, each record's columns, and ``fault``; then judge keys and persons.

    ``missing`` are the marks that stand for nothing, beside the empty text. ``given.merge`` must be filled before.
    """
    judged = judged_rows(db, cleaned(staged, missing), records, lookups)
    run(db, "CREATE TABLE :t AS :q", t=table(staged.name, "typed"), q=judged)
    run(db, "DROP TABLE :t", t=staged.table)
    account = settled(db, staged.name, records, staged.malformed, staged.rows_in)
    mark(db, Rows(staged.name))
    return account


def settled(
    db: duckdb.DuckDBPyConnection,
    name: str,
    records: Sequence[Record],
    malformed: Mapping[str, int],
    rows_in: int,
    numbered: bool = True,
) -> Account:
    """The account of ``typed.<name>``, after its faulty rows are collected in ``faulty.<name>``.

    ``numbered`` says that rows have a place in a file which somebody could look up.
    """
    rows = Rows(name)
    collect(db, rows)
    for number, record in enumerate(records):
        _quarantine_repeated(db, rows, number, record)
    if not any(record.table.name == "person" for record in records):
        for number, record in enumerate(records):
            if record.table.column("person_id") is not None:
                quarantine_unknown_persons(db, rows, column(f"r{number}_person_id", "t"), _applies(number, "t"))
    lines = [Faulty(reason, count) for reason, count in sorted(malformed.items())]
    faulty = [Faulty(reason, count, first if numbered else None) for reason, count, first in counted(db, rows)]
    return Account(name, rows_in, count_good(db, rows), (*lines, *faulty))


def noted(db: duckdb.DuckDBPyConnection, name: str, record: int, note: str) -> int:
    """How many loaded rows a note holds for."""
    return count_good(db, Rows(name), column(f"r{record}_{note}", "t"))


def judged_rows(
    db: duckdb.DuckDBPyConnection, rows: exp.Subquery, records: Sequence[Record], lookups: Sequence[Lookup] = ()
) -> Node:
    """The rows, a subquery called :data:`ROWS`, with their values in OMOP's types, and the first fault of each.

    Persons who were merged into another stand as that other.
    """
    merges = run(db, "SELECT count(*) FROM given.merge")[0][0]
    moved = [_moved(number, record) if merges else (record, ()) for number, record in enumerate(records)]
    return _judged(rows, [record for record, _ in moved], [*lookups, *(each for _, looked in moved for each in looked)])


def _moved(number: int, record: Record) -> tuple[Record, tuple[Lookup, ...]]:
    """A record whose person is the survivor where there is one, and the lookup that tells."""
    person = next((each for each in record.fields if each.column.name == "person_id"), None)
    if person is None:
        return record, ()
    name = f"merge {number}"
    merges = table("renamed_merge", "given")
    merges.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    same = exp.EQ(this=column("merged person", name), expression=exp.paren(person.value.copy()))
    survivor = column("surviving person", name)
    value = sql("coalesce(:s, :p)", s=survivor, p=person.value)
    fields = tuple(replace(each, value=value) if each is person else each for each in record.fields)
    notes = {**record.notes, MOVED: sql(":s IS NOT NULL", s=survivor.copy())}
    return replace(record, fields=fields, notes=notes), (Lookup(merges, same),)


def _judged(rows: exp.Subquery, records: Sequence[Record], lookups: Sequence[Lookup]) -> Node:
    conditions = [(condition, told) for record in records for condition, told in record.checks]
    checks = [exp.alias_(condition, f"check_{i}") for i, (condition, _) in enumerate(conditions)]
    faults: list[tuple[Node, str]] = [(column(f"check_{i}"), told) for i, (_, told) in enumerate(conditions)]
    hidden, values = [each.alias for each in checks], [exp.alias_(sql("cleaned.rowid + 1"), ROW), *checks]
    for number, record in enumerate(records):
        values += _values(number, record)
        hidden += [_name(number, each, "there") for each in record.fields if each.text is not None]
        faults += _faults(number, record)
    if all(record.applies is not None for record in records):
        none = exp.not_(exp.paren(any_of([_applies(number) for number in range(len(records))])))
        faults.append((none, NO_RECORD))
    kept = exp.Star(except_=[exp.to_identifier(name, quoted=True) for name in hidden])
    valued = exp.select(*values).from_(rows)
    for each in lookups:
        valued = valued.join(each.table, on=each.on, join_type="left")
    return exp.select(kept, exp.alias_(_first(faults), "fault")).from_(valued.subquery("valued"))


def cleaned(staged: Staged, missing: Sequence[str] = ()) -> exp.Subquery:
    """The rows of a file, their text trimmed, null where there is nothing."""
    texts = [exp.alias_(present(column(each), missing), each, quoted=True) for each in staged.columns]
    return exp.select("rowid", *texts).from_(staged.table).subquery(ROWS)


def _name(record: int, of: Field, suffix: str = "") -> str:
    return f"r{record}_{of.column.name}" + (f"_{suffix}" if suffix else "")


def _applies(record: int, of: str | None = None) -> Node:
    return column(f"r{record}", of)


def _values(number: int, record: Record) -> list[Node]:
    applies = sql("coalesce(:a, false)", a=record.applies) if record.applies is not None else exp.true()
    selected: list[Node] = [exp.alias_(applies, f"r{number}")]
    for each in record.fields:
        value = sql(f"CAST(:v AS {SQL_TYPE[each.column.type]})", v=each.value)
        selected.append(exp.alias_(value, _name(number, each), quoted=True))
        if each.text is not None:
            there = sql("(:text) IS NOT NULL", text=each.text)
            selected.append(exp.alias_(there, _name(number, each, "there"), quoted=True))
    return [*selected, *(exp.alias_(note, f"r{number}_{name}") for name, note in record.notes.items())]


def _faults(number: int, record: Record) -> list[tuple[Node, str]]:
    """Each condition under which a row cannot give the record, with what is then wrong."""
    faults: list[tuple[Node, str]] = []
    for each in record.fields:
        value = column(_name(number, each))
        if each.text is not None:
            there = column(_name(number, each, "there"))
            faults.append((sql(":t AND (:v) IS NULL", t=there, v=value), each.complaint))
        if each.column.required:
            faults.append((sql("(:v) IS NULL", v=value), f"{each.column.name} is missing"))
    names = {each.column.name: _name(number, each) for each in record.fields}
    if "year_of_birth" in names and record.table.name == "person":
        faults.append((sql("NOT :y BETWEEN 1800 AND 2199", y=column(names["year_of_birth"])), NO_YEAR))
    start, end = record.table.start, record.table.end
    if start in names and end in names:
        # https://ohdsi.github.io/DataQualityDashboard/articles/checks/plausibleStartBeforeEnd.html
        before = sql(":e < :s", e=column(names[end]), s=column(names[start]))
        faults.append((before, f"{end} is before {start}"))
    return [(exp.and_(_applies(number), condition), told) for condition, told in faults]


def _first(faults: list[tuple[Node, str]]) -> Node:
    case = exp.Case()
    for condition, told in faults:
        case = case.when(condition, exp.Literal.string(told), copy=False)
    return sql("CAST(:c AS VARCHAR)", c=case if faults else exp.null())


def _quarantine_repeated(db: duckdb.DuckDBPyConnection, rows: Rows, number: int, record: Record) -> None:
    """One row of each key is kept; keys that were made here are not judged.

    A person's own row goes before that of a person who was merged into them. Of several deaths the latest is kept
    (https://ohdsi.github.io/Themis/multiple_death_dates.html); else the first row of the file.
    """
    of = record.table
    key = next((each for each in record.fields if each.column.name == of.key), None)
    if key is None or key.text is None or of.name in KEYLESS:
        return
    death = of.name == "death"
    told: Node = exp.Literal.string(OTHER_DEATH if death else f"{of.name}: {DUPLICATE}")
    order: list[Node] = [exp.Ordered(this=column(f"r{number}_death_date", "t"), desc=True)] if death else []
    if of.name == "person" and _has_moved(db, rows, number):
        moved = column(f"r{number}_{MOVED}", "t")
        told = sql("CASE WHEN :m THEN :merged ELSE :other END", m=moved, merged=MERGED, other=told)
        order = [moved.copy()]
    quarantine_repeated(db, rows, column(f"r{number}_{of.key}", "t"), _applies(number, "t"), order, told)


def _has_moved(db: duckdb.DuckDBPyConnection, rows: Rows, number: int) -> bool:
    return any(name == f"r{number}_{MOVED}" for name, *_ in run(db, "DESCRIBE :t", t=rows.typed))


def extract_view(
    db: duckdb.DuckDBPyConnection,
    of: Table,
    columns: Sequence[Column],
    given: Sequence[tuple[str, int, Record]],
    schema: str = "extract",
) -> None:
    """Make the view ``<schema>.<table>`` over the loaded rows of all ``(file, number of the record, record)``."""
    parts = [_part(db, file, number, record, columns) for file, number, record in given]
    empty = exp.select(*(exp.alias_(_null(each), each.name) for each in columns)).where(exp.false())
    query: exp.Query = empty if not parts else parts[0]
    for part in parts[1:]:
        query = exp.union(query, part, distinct=False)
    run(db, "CREATE VIEW :v AS :q", v=table(of.name, schema), q=query)


def _part(
    db: duckdb.DuckDBPyConnection, file: str, number: int, record: Record, columns: Sequence[Column]
) -> exp.Select:
    filled = record.columns
    selected = [column(f"r{number}_{each.name}") if each.name in filled else _null(each) for each in columns]
    query = exp.select(*(exp.alias_(value, each.name) for value, each in zip(selected, columns, strict=True)))
    query = query.from_(exp.alias_(table(file, "typed"), "t", table=True)).where(_applies(number))
    if any_faulty(db, Rows(file)):
        faulty = exp.alias_(table(file, "faulty"), "f", table=True)
        query = query.join(faulty, on=sql("f.row = t.row"), join_type="anti")
    return query


def _null(of: Column) -> Node:
    return sql(f"CAST(NULL AS {SQL_TYPE[of.type]})")
