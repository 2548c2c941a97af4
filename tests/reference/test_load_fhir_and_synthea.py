"""Public FHIR and Synthea data load, with and without a vocabulary: rows in = rows loaded + rows quarantined."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from vitrail.deid.columns import wanted
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import Format, ingest

SOURCES: list[tuple[Format, str]] = [
    ("fhir", "fhir/bulk-10-patients"), ("fhir", "fhir/bundles-11-patients"), ("synthea", "csv/synthea"),
]  # fmt: skip
KINDS = ("visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement",
         "observation", "device_exposure", "note", "death", "payer_plan_period")  # fmt: skip
DOMAINS = {"condition_occurrence": "Condition", "drug_exposure": "Drug", "procedure_occurrence": "Procedure",
           "measurement": "Measurement", "observation": "Observation", "device_exposure": "Device"}  # fmt: skip


def load(source: Path, format: Format, vocabulary: Path | None = None) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"threads": 1})
    return ingest(db, source, format, None, vocabulary, wanted(), lambda _: None), db


def rows(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {name: db.execute(f"SELECT count(*) FROM extract.{name}").fetchall()[0][0] for name in ("person", *KINDS)}


def in_files(source: Path, format: Format) -> int:
    """How many resources or rows there are, counted without Vitrail."""
    if format == "synthea":
        return sum(len(list(csv.DictReader(path.open(newline="")))) for path in source.glob("*.csv"))
    lines = sum(len(path.read_text().splitlines()) for path in source.glob("*.ndjson"))
    return lines + sum(len(json.loads(path.read_text())["entry"]) for path in source.glob("*.json"))


def vocabulary_of(unmapped: list[tuple[Any, ...]], directory: Path) -> Path:
    """A vocabulary made here, with a concept for each code that had none: real codes stay where they are."""
    directory.mkdir()
    names = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
             "concept_code", "valid_start_date", "valid_end_date")  # fmt: skip
    made: dict[tuple[str, str], tuple[str, ...]] = {}
    for number, (table, vocabulary, code, *_) in enumerate(unmapped):
        domain = "Unit" if vocabulary == "UCUM" else DOMAINS[table]
        concept = (str(2_100_000_000 + number), f"made {number}", domain, vocabulary, "Made", "S", code)
        made.setdefault((vocabulary, code), (*concept, "19700101", "20991231"))
    text = "".join("\t".join(row) + "\n" for row in (names, *made.values()))
    (directory / "CONCEPT.csv").write_text(text)
    return directory


@pytest.mark.parametrize(("format", "name"), SOURCES, ids=[name for _, name in SOURCES])
def test_it_loads_with_every_row_accounted_for(test_data: Path, tmp_path: Path, format: Format, name: str) -> None:
    source = test_data / name
    extract, db = load(source, format)
    others = extract.rows_in.get("other files", 0)
    assert sum(extract.rows_in.values()) - others == in_files(source, format)
    assert sum(extract.rows_loaded.values()) + sum(each.rows for each in extract.quarantined) == sum(
        extract.rows_in.values()
    )
    unmapped = db.execute("SELECT * FROM extract.unmapped").fetchall()
    without = rows(db)
    mapped, again = load(source, format, vocabulary_of(unmapped, tmp_path / "vocabulary"))
    assert again.execute("SELECT * FROM extract.unmapped").fetchall() == []
    assert sum(rows(again).values()) == sum(without.values())
    assert mapped.rows_loaded == extract.rows_loaded | {"concept": len({each[1:3] for each in unmapped})}


def test_counts_by_resource_type(test_data: Path) -> None:
    """What a naive reading of the bundles counts, type by type."""
    source = test_data / "fhir" / "bundles-11-patients"
    held = [entry["resource"] for path in source.glob("*.json") for entry in json.loads(path.read_text())["entry"]]
    types = Counter(each["resourceType"] for each in held)
    components = sum(len(each.get("component", [None])) for each in held if each["resourceType"] == "Observation")
    extract, db = load(source, "fhir")
    assert {
        name.removesuffix(" in bundles"): count for name, count in extract.rows_in.items() if " in " in name
    } == types
    found = rows(db)
    assert found["visit_occurrence"] == types["Encounter"]
    assert found["condition_occurrence"] == types["Condition"]
    assert found["drug_exposure"] == types["MedicationRequest"] + types["Immunization"]
    assert found["measurement"] + found["observation"] == components + types["AllergyIntolerance"]
    texts = [each for each in held if each["resourceType"] == "DocumentReference" or "presentedForm" in each]
    assert found["note"] == len(texts)


def test_what_identifies_persons_is_known_for_the_notes(test_data: Path) -> None:
    extract, db = load(test_data / "fhir" / "bulk-10-patients", "fhir")
    kinds = dict(
        db.execute("SELECT kind, count(DISTINCT person_id) FROM extract.known_identifier GROUP BY kind").fetchall()
    )
    assert kinds == dict.fromkeys(("name", "date", "id", "phone", "address"), extract.rows_loaded["Patient.000"])
