"""What OMOP tables say of a person that could stand in a note: ``extract.known_identifier``.

The columns are read for this alone; they reach no snapshot.
"""

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import Column

HIDDEN = {
    "person": ("person_source_value", "month_of_birth", "day_of_birth", "birth_datetime"),
    "location": ("address_1", "address_2", "city", "county", "zip", "location_source_value"),
}
"""The columns that are read beside those wanted."""

LEAST_ID = 100_000
"""A person id from here on is taken for a number that somebody may write into a note; smaller ones are counters."""


def hidden_columns(name: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of :data:`HIDDEN` that are not wanted anyway, as text, so that none of them can be wrong."""
    wanted = {each.name for each in columns}
    return tuple(Column(each, "str", False) for each in HIDDEN.get(name, ()) if each not in wanted)


def list_identifiers(db: duckdb.DuckDBPyConnection) -> None:
    """Fill ``extract.known_identifier`` from persons, deaths, places and merges.

    Persons who are quarantined count too: a note may hold the old number of somebody who was merged.
    """
    person, held = table("person", "typed"), _columns(db, "person")
    _insert(db, "id", person, sql("r0_person_id"), _text("person_source_value", held))
    _insert(db, "id", person, sql("r0_person_id"), _long(sql("r0_person_id")))
    _insert(db, "id", table("merge", "given"), sql("survivor"), _long(sql("old")))
    _insert(db, "date", person, sql("r0_person_id"), sql("left(:t, 10)", t=_text("birth_datetime", held)))
    _insert(db, "date", person, sql("r0_person_id"), _birthday(held))
    _insert(db, "date", table("death", "extract"), sql("person_id"), sql("strftime(death_date, '%Y-%m-%d')"))
    held = _columns(db, "location")
    living = sql("SELECT p.person_id, l.* FROM extract.person AS p JOIN typed.location AS l"
                 " ON l.r0_location_id = p.location_id")  # fmt: skip
    for name in HIDDEN["location"] if held else ():
        _insert(db, "address", exp.Subquery(this=living.copy()), sql("person_id"), _text(name, held))


def _columns(db: duckdb.DuckDBPyConnection, name: str) -> set[str]:
    """The columns of a table of records; none where the source has no such table."""
    found = "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'typed' AND table_name = :n"
    return {str(row[0]) for row in run(db, found, n=name)}


def _text(name: str, held: set[str]) -> Node:
    return column(f"r0_{name}") if f"r0_{name}" in held else sql("CAST(NULL AS VARCHAR)")


def _long(number: Node) -> Node:
    return sql("CASE WHEN :n >= :least THEN CAST(:n AS VARCHAR) END", n=number, least=LEAST_ID)


def _birthday(held: set[str]) -> Node:
    month, day = (sql("TRY_CAST(:t AS INTEGER)", t=_text(f"{part}_of_birth", held)) for part in ("month", "day"))
    return sql(
        "CASE WHEN :m BETWEEN 1 AND 12 AND :d BETWEEN 1 AND 31 THEN format('{:04d}-{:02d}-{:02d}', r0_year_of_birth,"
        " :m, :d) END",
        m=month,
        d=day,
    )


def _insert(db: duckdb.DuckDBPyConnection, kind: str, rows: Node, person: Node, text: Node) -> None:
    """Add the texts of a kind, each once for each person who is loaded."""
    run(
        db,
        "INSERT INTO extract.known_identifier SELECT DISTINCT f.person_id, :kind, f.text FROM :found AS f"
        " SEMI JOIN extract.person AS p ON p.person_id = f.person_id WHERE f.text IS NOT NULL",
        kind=kind,
        found=exp.select(exp.alias_(person, "person_id"), exp.alias_(text, "text"))
        .from_(exp.alias_(rows, "r", table=True))
        .subquery(),
    )
