"""From the text rows of a file to OMOP records: a row is loaded whole or quarantined whole, with its reason.

So rows in = rows loaded + rows quarantined for every file, and a row that was put right can be loaded again without
doubling anything. The first fault of a row, in the order of its records and their columns, is its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import SQL_TYPE, present
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
UNKNOWN_PERSON = "the person is not among those loaded"


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
    """

    table: Table
    fields: tuple[Field, ...]
    applies: Node | None = None
    checks: tuple[tuple[Node, str], ...] = ()

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

    ``missing`` are the marks that stand for nothing, beside the empty text.
    """
    typed = table(staged.name, "typed")
    run(db, "CREATE TABLE :t AS :q", t=typed, q=_judged(staged, records, missing, lookups))
    run(db, "DROP TABLE :t", t=staged.table)
    for number, record in enumerate(records):
        _quarantine_duplicates(db, typed, number, record)
    for number, record in enumerate(records):
        _quarantine_unknown_persons(db, typed, number, record, records)
    return _account(db, staged, typed)


def _judged(staged: Staged, records: Sequence[Record], missing: Sequence[str], lookups: Sequence[Lookup]) -> Node:
    """The rows with their values in OMOP's types, and the first fault of each."""
    conditions = [(condition, told) for record in records for condition, told in record.checks]
    checks = [exp.alias_(condition, f"check_{i}") for i, (condition, _) in enumerate(conditions)]
    faults: list[tuple[Node, str]] = [(column(f"check_{i}"), told) for i, (_, told) in enumerate(conditions)]
    hidden, values = [each.alias for each in checks], [exp.alias_(sql("cleaned.rowid + 1"), ROW), *checks]
    for number, record in enumerate(records):
        values += _values(number, record)
        hidden += [_name(number, field, "there") for field in record.fields if field.text is not None]
        faults += _faults(number, record)
    if all(record.applies is not None for record in records):
        none = exp.not_(exp.paren(any_of([_applies(number) for number in range(len(records))])))
        faults.append((none, NO_RECORD))
    kept = exp.Star(except_=[exp.to_identifier(name, quoted=True) for name in hidden])
    valued = exp.select(*values).from_(_cleaned(staged, missing))
    for each in lookups:
        valued = valued.join(each.table, on=each.on, join_type="left")
    return exp.select(kept, exp.alias_(_first(faults), "fault")).from_(valued.subquery("valued"))


def _cleaned(staged: Staged, missing: Sequence[str]) -> exp.Subquery:
    texts = [exp.alias_(present(column(each), missing), each, quoted=True) for each in staged.columns]
    return exp.select("rowid", *texts).from_(staged.table).subquery(ROWS)


def _name(record: int, field: Field, suffix: str = "") -> str:
    return f"r{record}_{field.column.name}" + (f"_{suffix}" if suffix else "")


def _applies(record: int) -> Node:
    return column(f"r{record}")


def _values(number: int, record: Record) -> list[Node]:
    applies = sql("coalesce(:a, false)", a=record.applies) if record.applies is not None else exp.true()
    selected: list[Node] = [exp.alias_(applies, f"r{number}")]
    for field in record.fields:
        value = sql(f"CAST(:v AS {SQL_TYPE[field.column.type]})", v=field.value)
        selected.append(exp.alias_(value, _name(number, field), quoted=True))
        if field.text is not None:
            there = sql("(:text) IS NOT NULL", text=field.text)
            selected.append(exp.alias_(there, _name(number, field, "there"), quoted=True))
    return selected


def _faults(number: int, record: Record) -> list[tuple[Node, str]]:
    """Each condition under which a row cannot give the record, with what is then wrong."""
    faults: list[tuple[Node, str]] = []
    for field in record.fields:
        value = column(_name(number, field))
        if field.text is not None:
            there = column(_name(number, field, "there"))
            faults.append((sql(":t AND (:v) IS NULL", t=there, v=value), field.complaint))
        if field.column.required:
            faults.append((sql("(:v) IS NULL", v=value), f"{field.column.name} is missing"))
    names = {field.column.name: _name(number, field) for field in record.fields}
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


def _quarantine_duplicates(db: duckdb.DuckDBPyConnection, typed: Node, number: int, record: Record) -> None:
    """Of several rows with one key the first is kept: which of them is right cannot be known.

    Keys that were made here are not judged.
    """
    key = next((field for field in record.fields if field.column.name == record.table.key), None)
    if key is None or key.text is None or record.table.name in KEYLESS:
        return
    run(
        db,
        "UPDATE :t AS t SET fault = :told FROM (SELECT :key AS key, min(row) AS first FROM :t WHERE fault IS NULL"
        " AND :applies GROUP BY :key HAVING count(*) > 1) AS d WHERE t.fault IS NULL AND t.row > d.first"
        " AND :applies AND :key = d.key",
        t=typed,
        told=f"{record.table.name}: {DUPLICATE}",
        key=column(f"r{number}_{record.table.key}"),
        applies=_applies(number),
    )


def _quarantine_unknown_persons(
    db: duckdb.DuckDBPyConnection, typed: Node, number: int, record: Record, records: Sequence[Record]
) -> None:
    if record.table.column("person_id") is None or any(each.table.name == "person" for each in records):
        return
    run(
        db,
        "UPDATE :t SET fault = :told WHERE fault IS NULL AND :applies"
        " AND :person NOT IN (SELECT person_id FROM extract.person)",
        t=typed,
        told=UNKNOWN_PERSON,
        person=column(f"r{number}_person_id"),
        applies=_applies(number),
    )


def _account(db: duckdb.DuckDBPyConnection, staged: Staged, typed: Node) -> Account:
    found = run(
        db, "SELECT fault, count(*), min(row) FROM :t WHERE fault IS NOT NULL GROUP BY fault ORDER BY fault", t=typed
    )
    loaded = run(db, "SELECT count(*) FROM :t WHERE fault IS NULL", t=typed)[0][0]
    malformed = [Faulty(reason, rows) for reason, rows in sorted(staged.malformed.items())]
    faulty = [Faulty(str(fault), int(rows), int(first)) for fault, rows, first in found]
    return Account(staged.name, staged.rows_in, int(loaded), (*malformed, *faulty))


def extract_view(
    db: duckdb.DuckDBPyConnection,
    of: Table,
    columns: Sequence[Column],
    given: Sequence[tuple[str, int, Record]],
    schema: str = "extract",
) -> None:
    """Make the view ``<schema>.<table>`` over the loaded rows of all ``(file, number of the record, record)``."""
    parts = [_part(file, number, record, columns) for file, number, record in given]
    empty = exp.select(*(exp.alias_(_null(each), each.name) for each in columns)).where(exp.false())
    query: exp.Query = empty if not parts else parts[0]
    for part in parts[1:]:
        query = exp.union(query, part, distinct=False)
    run(db, "CREATE VIEW :v AS :q", v=table(of.name, schema), q=query)


def _part(file: str, number: int, record: Record, columns: Sequence[Column]) -> exp.Select:
    filled = record.columns
    selected = [column(f"r{number}_{each.name}") if each.name in filled else _null(each) for each in columns]
    query = exp.select(*(exp.alias_(value, each.name) for value, each in zip(selected, columns, strict=True)))
    return query.from_(table(file, "typed")).where(sql("fault IS NULL"), _applies(number))


def _null(of: Column) -> Node:
    return sql(f"CAST(NULL AS {SQL_TYPE[of.type]})")
