"""Every check of two real OMOP data sets, and of damaged copies of them, is what pandas counts row by row."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from tests.reference.naive_quality import TYPES, counted, frame
from vitrail.deid.columns import wanted
from vitrail.ingest.fields import SQL_TYPE
from vitrail.omop.snapshot import Check, described
from vitrail.omop.tables import TABLES, VOCABULARY, Column
from vitrail.quality.report import checked

TODAY = date(2026, 1, 1)
COLUMNS = wanted()
NOT_OF_RECORDS = {"cdmTable", "cdmField", "cdmDatatype"}
PLANTED = {
    "measurement": "measurement_concept_id = 3020891, unit_concept_id = (rowid % 3) * 9289",
    "observation": "observation_concept_id = 37393449, unit_concept_id = 8840, value_as_number = rowid",
    "condition_occurrence": "condition_concept_id = 192367",
    "procedure_occurrence": "procedure_concept_id = 2004263",
}
"""Concepts that the checks of single concepts know, put into every third record of a damaged copy."""


def read(db: duckdb.DuckDBPyConnection, source: Path) -> None:
    """The tables of a source as they are, with nothing quarantined and nothing put right."""
    db.execute("CREATE SCHEMA extract; CREATE SCHEMA cut")
    files = {path.stem.lower(): path for path in source.iterdir() if path.suffix.lower() in (".csv", ".parquet")}
    for name in TABLES:
        held: set[str] = set()
        if name in files:
            db.execute(f"CREATE VIEW raw AS SELECT * FROM '{files[name]}'")
            held = {row[0].lower() for row in db.execute("DESCRIBE raw").fetchall()}
        values = ", ".join(_value(each, held) for each in COLUMNS[name])
        rows = "FROM raw" if name in files else "WHERE false"
        db.execute(f"CREATE TABLE extract.{name} AS SELECT {values} {rows}")
        db.execute("DROP VIEW IF EXISTS raw")


def _value(of: Column, held: set[str]) -> str:
    kind, text = SQL_TYPE[of.type], f"CAST({of.name} AS VARCHAR)"
    if of.name not in held:
        return f"CAST(NULL AS {kind}) AS {of.name}"
    if of.type == "date":  # Athena writes 19700101
        return f"coalesce(TRY_CAST({text} AS DATE), CAST(try_strptime({text}, '%Y%m%d') AS DATE)) AS {of.name}"
    number = f"TRY_CAST({text} AS DOUBLE)" if of.type in ("id", "int") else text
    return f"TRY_CAST({number} AS {kind}) AS {of.name}"


UNTOUCHED = {("person", "person_id"), ("visit_occurrence", "visit_occurrence_id")}
"""Others are looked up by them; that they are doubled is found in the other tables."""


def damage(db: duckdb.DuckDBPyConnection) -> None:
    """Something wrong in every field of some records: missing, zero, doubled, unknown, early, late."""
    for name in (each for each in TABLES if each not in VOCABULARY):
        if name in PLANTED:
            db.execute(f"UPDATE extract.{name} SET {PLANTED[name]} WHERE rowid % 3 = 0")
        for at, each in enumerate(COLUMNS[name]):
            if (name, each.name) not in UNTOUCHED:
                db.execute(f"UPDATE extract.{name} SET {each.name} = {_wrong(each)} WHERE (rowid + {at} * 5) % 43 = 1")
    db.execute("INSERT INTO extract.observation_period SELECT * FROM extract.observation_period WHERE rowid % 9 = 0")


def _wrong(of: Column) -> str:
    if of.name == "year_of_birth":
        return "1800 + (rowid * 37) % 300"
    if of.type == "date":
        return f"CAST({of.name} + CAST(((rowid * 7919) % 80000) - 40000 AS INTEGER) AS DATE)"
    if of.type == "float":
        return f"-{of.name}"
    return "NULL" if of.type == "str" else f"CASE rowid % 3 WHEN 0 THEN 0 WHEN 1 THEN {of.name} + 40 END"


def cut(db: duckdb.DuckDBPyConnection) -> None:
    """As a load does it: what refers to a record that is not there refers to none."""
    for name in TABLES:
        values = ", ".join(_referring(each) for each in COLUMNS[name])
        db.execute(f"CREATE TABLE cut.{name} AS SELECT {values} FROM extract.{name} AS t")


def _referring(of: Column) -> str:
    other = TABLES.get(str(of.references))
    if other is None or other.name in ("person", "concept"):
        return of.name
    return f"CASE WHEN {of.name} IN (SELECT {other.key} FROM extract.{other.name}) THEN {of.name} END AS {of.name}"


SETS = [
    pytest.param((name, harm), id=name + " damaged" * harm, marks=() if harm else pytest.mark.slow)
    for name in ("gibleed_cdm53", "synthea27nj_cdm54")
    for harm in (False, True)
]


@pytest.fixture(scope="module", params=SETS)
def found(
    request: pytest.FixtureRequest, test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """The checks of a data set, with its tables as frames."""
    name, harm = request.param
    directory = tmp_path_factory.mktemp("cut")
    with duckdb.connect() as db:
        read(db, test_data / "omop" / name)
        if harm:
            damage(db)
        cut(db)
        for table in TABLES:
            parquet.write_table(db.table(f"cut.{table}").arrow().read_all(), directory / f"{table}.parquet")
        files = [described(table, directory / f"{table}.parquet") for table in TABLES]
        checks = checked(db, directory, files, COLUMNS, "true", {}, (), TODAY)
        frames = {schema: {table: frame(db.table(f"{schema}.{table}").arrow().read_all()) for table in TABLES}
                  for schema in ("cut", "extract")}  # fmt: skip
    return {"checks": checks, "name": name, "harm": harm, **frames}


def test_every_check_counts_as_pandas_does(found: Mapping[str, Any]) -> None:
    wrong: list[tuple[Check, tuple[int, int]]] = []
    for check in found["checks"]:
        if check.name not in NOT_OF_RECORDS and not _of_no_concept(check):
            rows, violations = counted(found["cut"], found["extract"], check, TODAY)
            if (check.rows, check.violations) != (rows, violations if rows else 0):
                wrong.append((check, (rows, violations)))
    assert wrong == []


def _of_no_concept(check: Check) -> bool:
    """Whether it says that no record has a concept that the check knows."""
    ranged = check.name in ("plausibleValueLow", "plausibleValueHigh") and check.field == "observation_concept_id"
    known = check.name in ("plausibleGender", "plausibleGenderUseDescendants", "plausibleUnitConceptIds")
    return check.outcome == "not applicable" and check.concept is None and (ranged or known)


QUIET = {
    "gibleed_cdm53": {"plausibleDuringLife", "plausibleBeforeDeath", "isStandardValidConcept", "fkDomain", "fkClass"},
    "synthea27nj_cdm54": {"fkClass"},
}
"""Types of check that find nothing even in a damaged copy: nobody has died, or the vocabulary has just what is used."""


def test_equal_counts_say_something(found: Mapping[str, Any]) -> None:
    """In a damaged copy nearly every type of check finds something."""
    violated = {check.name for check in found["checks"] if check.violations}
    quiet = {"plausibleGenderUseDescendants", "sourceValueCompleteness", *QUIET[found["name"]]}
    assert not found["harm"] or TYPES.keys() - violated <= quiet
