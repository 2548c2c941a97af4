"""Synthea's CSV files of several versions; what is missing, what is left out, what is damaged."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import ingest

PATIENTS = (
    "Id,BIRTHDATE,DEATHDATE,SSN,FIRST,LAST,RACE,ETHNICITY,GENDER,ADDRESS,STATE,ZIP",
    [("p", "1950-01-02", "", "999-1", "Ada", "Quill", "native", "hispanic", "F", "9 Elm", "Maine", "01234")],
)
ENCOUNTERS = ("Id,START,STOP,PATIENT,ENCOUNTERCLASS", [("v", "2020-01-01T08:00:00Z", "", "p", "urgentcare")])
Table = tuple[str, Iterable[Sequence[object]]]


def load(directory: Path, **tables: Table) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    for name, (header, rows) in ({"patients": PATIENTS, "encounters": ENCOUNTERS} | tables).items():
        with (directory / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header.split(","), *rows])
    db = duckdb.connect(config={"threads": 1})
    return ingest(db, directory, "synthea", None, None, wanted(), lambda _: None), db


def one(db: duckdb.DuckDBPyConnection, query: str) -> Any:
    (row,) = db.execute(query).fetchall()
    return row[0] if len(row) == 1 else row


def faults(extract: Extract, source: str) -> dict[str, int]:
    return {each.reason: each.rows for each in extract.quarantined if each.source == source}


def test_a_version_with_fewer_columns(tmp_path: Path) -> None:
    """Before 2020: no category of observations, a year for a plan, one day for a procedure, no providers."""
    _, db = load(
        tmp_path,
        observations=(
            "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,VALUE,UNITS",
            [
                ("2019-01-02", "p", "v", "8302-2", "made", "170.5", "cm"),
                ("2019-01-03", "p", "v", "x", "made", "Often", ""),
            ],
        ),
        payer_transitions=("PATIENT,START_YEAR,END_YEAR,PAYER,OWNERSHIP", [("p", "2018", "2019", "y", "Self")]),
        procedures=("DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION", [("2019-02-03", "p", "v", "x", "made")]),
    )
    assert one(db, "SELECT measurement_date, value_as_number, unit_source_value FROM extract.measurement") == (
        date(2019, 1, 2),
        170.5,
        "cm",
    )
    assert one(db, "SELECT observation_date, value_as_string FROM extract.observation") == (date(2019, 1, 3), "Often")
    plan = "SELECT payer_plan_period_start_date, payer_plan_period_end_date FROM extract.payer_plan_period"
    assert one(db, plan) == (date(2018, 1, 1), date(2019, 12, 31))
    assert one(db, "SELECT procedure_date FROM extract.procedure_occurrence") == date(2019, 2, 3)


def test_persons_places_and_visits(tmp_path: Path) -> None:
    extract, db = load(tmp_path)
    query = "SELECT gender_concept_id, year_of_birth, race_concept_id, ethnicity_concept_id FROM extract.person"
    assert one(db, query) == (8532, 1950, 8657, 38003563)
    assert one(db, "SELECT state, zip FROM extract.location") == ("ME", "01234")
    assert one(db, "SELECT visit_concept_id, visit_end_date FROM extract.visit_occurrence") == (9203, date(2020, 1, 1))
    assert extract.origin.format == "synthea"


def test_each_row_is_loaded_or_quarantined_with_its_reason(tmp_path: Path) -> None:
    extract, _ = load(
        tmp_path,
        patients=(
            PATIENTS[0],
            [*PATIENTS[1], ("p", "1960-01-01", *[""] * 6, "M", "", "", ""), ("q", "SECRET", *[""] * 10)],
        ),
        conditions=(
            "START,STOP,PATIENT,ENCOUNTER,CODE",
            [
                ("2020-01-01", "", "p", "v", "1"),
                ("2020-01-01", "2019-01-01", "p", "v", "1"),
                ("SECRET", "", "p", "v", "1"),
                ("2020-01-01", "", "nobody", "v", "1"),
                ("2020-01-01", "", "p", "v", ""),
                ("", "", "p", "v", "1"),
                ("1700-01-01", "", "p", "v", "1"),
            ],
        ),
    )
    no_date = "is not a date (YYYY-MM-DD, from 1800 to 2199)"
    assert faults(extract, "patients") == {"the key of an earlier row": 1, f"birth {no_date}": 1}
    assert faults(extract, "conditions") == {
        "end is before start": 1,
        f"start {no_date}": 2,
        "start is missing": 1,
        "the person is not among those loaded": 1,
        "a code is missing": 1,
    }
    assert extract.rows_loaded["conditions"] == 1
    assert "SECRET" not in repr(extract)


def test_files_that_give_nothing_are_counted(tmp_path: Path) -> None:
    (tmp_path / "SECRET.csv").write_text("SECRET\n1\n")
    (tmp_path / "notes.txt").write_text("SECRET")
    extract, _ = load(tmp_path, claims=("Id,SECRET", [("1", "2"), ("3", "4")]))
    assert faults(extract, "claims") == {"no snapshot holds rows of this file": 2}
    assert faults(extract, "other files") == {"the file is none of Synthea's": 2}
    assert extract.ignored["claims"] == ("2 columns",)
    assert "SECRET" not in repr(extract)


def test_malformed_lines_are_counted(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / "conditions.csv"
    path.write_text("START,STOP,PATIENT,ENCOUNTER,CODE\n2020-01-01,,p,v,1\n2020-01-01,SECRET\n")
    db = duckdb.connect(config={"threads": 1})
    extract = ingest(db, tmp_path, "synthea", None, None, wanted(), lambda _: None)
    assert faults(extract, "conditions") == {"the line has too few fields": 1}
    assert extract.rows_in["conditions"] == 2


def test_what_could_stand_in_a_note(tmp_path: Path) -> None:
    """The names of relatives who hold a plan are the person's identifiers too."""
    transitions = (
        "PATIENT,MEMBERID,START_DATE,END_DATE,PAYER,OWNERSHIP,OWNERNAME",
        [("p", "M1", "2018-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "y", "Guardian", "Relation")],
    )
    _, db = load(tmp_path, payer_transitions=transitions)
    found = db.execute("SELECT kind, list(text ORDER BY text) FROM extract.known_identifier GROUP BY kind").fetchall()
    assert dict(found) == {
        "name": ["Ada", "Quill", "Relation"],
        "date": ["1950-01-02"],
        "id": ["999-1", "M1", "p"],
        "address": ["01234", "9 Elm"],
    }


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"encounters": ("Id,SECRET", [("v", "1")])}, "encounters.csv lacks PATIENT, START, ENCOUNTERCLASS"),
        ({"patients": ("SECRET,b", [("1", "2")])}, "patients.csv lacks ID, BIRTHDATE, GENDER"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, tables: dict[str, Table], told: str) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        load(tmp_path, **tables)
    assert "SECRET" not in str(caught.value)


def test_no_patients_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no patients\.csv"):
        ingest(duckdb.connect(), tmp_path, "synthea", None, None, wanted(), lambda _: None)


def test_a_file_that_leads_out_of_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    load(source)
    (tmp_path / "conditions.csv").write_text("START\n")
    (source / "conditions.csv").symlink_to(tmp_path / "conditions.csv")
    with pytest.raises(SourceError, match="conditions leads out of the source"):
        ingest(duckdb.connect(), source, "synthea", None, None, wanted(), lambda _: None)
