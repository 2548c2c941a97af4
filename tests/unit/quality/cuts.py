"""Small snapshots for the tests of quality: a hundred good records of every table, and how they are checked."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from vitrail.deid.columns import wanted
from vitrail.ingest.fields import SQL_TYPE
from vitrail.omop.snapshot import Check, Quarantined, described
from vitrail.omop.tables import TABLES, Column
from vitrail.quality.report import checked

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Found = Mapping[tuple[str, str, str | None, int | None, int | None], Check]

TODAY = date(2026, 1, 1)
DEAD = 100
"""The person who died, on the last day of 2019."""

ILL, DRUG, TYPE, VISIT, GLUCOSE, MG_DL = 7, 11, 32817, 9202, 37393449, 8840
WOMENS_ILL, WOMENS_ILL_TOO, CHILD, WOMENS_WORK, TESTED, ITS_UNIT, OLD = 192367, 197810, 77, 2004263, 3020891, 9289, 8
"""``CHILD`` is below ``WOMENS_ILL_TOO``; ``OLD`` is no longer valid."""

COLUMNS = wanted()

CONCEPTS = {
    ILL: ("Condition", ""), DRUG: ("Drug", "Ingredient"), TYPE: ("Type Concept", ""), VISIT: ("Visit", ""),
    GLUCOSE: ("Observation", ""), MG_DL: ("Unit", ""), ITS_UNIT: ("Unit", ""), WOMENS_ILL: ("Condition", ""),
    WOMENS_ILL_TOO: ("Condition", ""), CHILD: ("Condition", ""), WOMENS_WORK: ("Procedure", ""),
    TESTED: ("Measurement", ""), 8507: ("Gender", ""), 8532: ("Gender", ""), 8527: ("Race", ""),
    38003564: ("Ethnicity", ""), 32893: ("Condition Status", ""), 4132161: ("Route", ""), 45754907: ("Device", ""),
    4001225: ("Specimen", ""), 32533: ("Episode", ""), 4172703: ("Meas Value Operator", ""), 1: ("Metadata", ""),
    42046186: ("Geography", ""), OLD: ("Specimen", ""),
}  # fmt: skip
"""Each concept with its domain and class."""

BY_DOMAIN = {domain: concept for concept, (domain, _) in reversed(CONCEPTS.items())}

MAIN = {"procedure_occurrence": WOMENS_WORK, "observation": GLUCOSE, "measurement": TESTED, "specimen": 4001225,
        "payer_plan_period": 1}  # fmt: skip


EVERYBODY = ("person", "observation_period", "visit_occurrence")


def good(*only: str) -> Rows:
    """A hundred persons with a record each in every table, and three conditions; everything in order.

    Where tables are named, ``only`` they have records, beside those that others refer to.
    """
    tables = {*only, *EVERYBODY} if only else TABLES.keys()
    rows = {name: [_row(name, number) for number in range(1, 101)] for name in tables}
    rows["condition_occurrence"] = [
        {**row, "condition_occurrence_id": row["person_id"] + 100 * number, "condition_concept_id": concept}
        for number, concept in enumerate((ILL, WOMENS_ILL, CHILD)) for row in rows.get("condition_occurrence", ())
    ]  # fmt: skip
    rows["death"] = [{**_row("death", DEAD), "person_id": DEAD, "death_date": "2019-12-31"}]
    rows["observation_period"][DEAD - 1]["observation_period_end_date"] = "2019-12-31"
    rows["concept"] = [
        {"concept_id": each, "concept_name": "a concept", "domain_id": domain, "vocabulary_id": "own",
         "concept_class_id": of, "standard_concept": None if each == OLD else "S", "concept_code": "c",
         "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31"}
        for each, (domain, of) in CONCEPTS.items()
    ]  # fmt: skip
    pairs = [(each, each) for each in CONCEPTS] + [(WOMENS_ILL_TOO, CHILD)]
    rows["concept_ancestor"] = [
        {"ancestor_concept_id": a, "descendant_concept_id": d, "min_levels_of_separation": int(a != d),
         "max_levels_of_separation": int(a != d)} for a, d in pairs
    ]  # fmt: skip
    rows["concept_relationship"] = []
    return rows


def _row(name: str, number: int) -> Row:
    """The record of that number: of the person of that number, in a visit of that number, in the middle of 2015."""
    return {each.name: _value(name, each, number) for each in COLUMNS[name]}


def _value(name: str, of: Column, number: int) -> Any:
    fixed = {"gender_concept_id": 8532, "year_of_birth": 1950, "condition_concept_id": ILL,
             "unit_concept_id": ITS_UNIT if name == "measurement" else MG_DL, "value_as_number": 100,
             "observation_period_start_date": "2010-01-01", "observation_period_end_date": "2020-12-31",
             "operator_concept_id": BY_DOMAIN["Meas Value Operator"],
             "country_concept_id": BY_DOMAIN["Geography"]}  # fmt: skip
    if of.name in fixed:
        return fixed[of.name]
    if of.references == "concept":
        return MAIN[name] if of.name == TABLES[name].concept and name in MAIN else BY_DOMAIN.get(str(of.domain), ILL)
    if of.type == "id":
        return number
    if of.type == "date":
        return "2015-06-15"
    return 1 if of.type in ("int", "float") else f"text {number}"


def checks(directory: Path, rows: Rows, source: Rows | None = None, **changes: Any) -> Found:
    """The checks of a snapshot with these rows; ``source`` is what the extract has, where that is something else.

    ``change`` may do something to the database, before its tables are written as files.
    """
    change: Callable[[duckdb.DuckDBPyConnection], object] = changes.pop("change", lambda db: None)
    given = {"calendar": "true", "rows_in": {}, "quarantined": (), "today": TODAY, **changes}
    with duckdb.connect() as db:
        for schema, held in (("cut", rows), ("extract", source or rows)):
            db.execute(f"CREATE SCHEMA {schema}")
            for name in TABLES:
                _table(db, schema, name, held.get(name, []))
        change(db)
        left = db.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'cut'").fetchall()
        names = [name for name in TABLES if (name,) in left]
        for name in names:
            parquet.write_table(db.table(f"cut.{name}").arrow().read_all(), directory / f"{name}.parquet")
        files = [described(name, directory / f"{name}.parquet") for name in names]
        found = checked(db, directory, files, COLUMNS, **given)
    return {(each.name, each.table, each.field, each.concept, each.unit): each for each in found}


def _table(db: duckdb.DuckDBPyConnection, schema: str, name: str, rows: list[Row]) -> None:
    columns = COLUMNS[name]
    values = {
        each.name: [None if row.get(each.name) is None else str(row[each.name]) for row in rows] for each in columns
    }
    db.register("given", pa.table({name: pa.array(texts, pa.string()) for name, texts in values.items()}))
    typed = ", ".join(f"CAST({each.name} AS {SQL_TYPE[each.type]}) AS {each.name}" for each in columns)
    db.execute(f"CREATE TABLE {schema}.{name} AS SELECT {typed} FROM given")
    db.unregister("given")


def day(text: str, days: int) -> str:
    """So many days after a day."""
    return (date.fromisoformat(text) + timedelta(days=days)).isoformat()


def lost(source: str, reason: str, rows: int) -> Quarantined:
    """Rows of a source that were quarantined."""
    return Quarantined(source=source, reason=reason, rows=rows)
