"""Two formats of the same patients give the same OMOP rows, order and keys aside."""

from pathlib import Path

import duckdb
import pytest

from tests.clinical_sources import fhir, population, write_bundles, write_ndjson, write_synthea, write_vocabulary
from vitrail.deid.columns import wanted
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import Format, ingest
from vitrail.omop.tables import CLINICAL, PLACES, TABLES

COLUMNS = wanted()
OWN_WORDS = ("visit_source_value",)
"""What a source calls a visit is in its own words: `AMB` here, `ambulatory` there."""


def load(source: Path, format: Format, vocabulary: Path | None) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"threads": 1})
    return ingest(db, source, format, None, vocabulary, COLUMNS, lambda _: None), db


def rows(db: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    keys = (*OWN_WORDS, *([] if name in ("person", "death") else [TABLES[name].key]))
    names = [each.name for each in COLUMNS[name] if each.name not in keys]
    return sorted(map(repr, db.execute(f"SELECT {', '.join(names)} FROM extract.{name}").fetchall()))


@pytest.mark.parametrize(("seed", "with_vocabulary"), [(1, True), (2, False)])
def test_synthea_ndjson_and_bundles_give_the_same_rows(tmp_path: Path, seed: int, with_vocabulary: bool) -> None:
    made = population(seed, persons=40)
    vocabulary = write_vocabulary(tmp_path / "vocabulary") if with_vocabulary else None
    loads = {
        "synthea": load(write_synthea(made, tmp_path / "csv"), "synthea", vocabulary),
        "ndjson": load(write_ndjson(fhir(made), tmp_path / "ndjson"), "fhir", vocabulary),
        "bundles": load(write_bundles(made, tmp_path / "bundles"), "fhir", vocabulary),
    }
    for extract, _ in loads.values():
        assert extract.rows_in == extract.rows_loaded
    expected = loads.pop("synthea")[1]
    for _, db in loads.values():
        for name in (*CLINICAL, *PLACES):
            assert rows(db, name) == rows(expected, name), name
        unmapped = "SELECT * FROM extract.unmapped ORDER BY ALL"
        assert db.execute(unmapped).fetchall() == expected.execute(unmapped).fetchall()
    assert len(rows(expected, "person")) == len(made.patients)
    filled = {name for name in CLINICAL if rows(expected, name)}
    assert filled >= {"visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence",
                      "device_exposure", "measurement", "observation", "death", "observation_period"}  # fmt: skip
