"""Real data through the mapping files of the example studies, against the raw files read by Python's csv module."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.commands import bare_site
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.snapshot import Snapshot
from vitrail.site.load import load
from vitrail.study.analyses.characterise import Characterise
from vitrail.study.analyses.predict import Predict
from vitrail.study.reader import read_study

HOSPITALS = {"cleveland": 303, "hungarian": 261, "switzerland": 46, "va": 130}
"""The rows of each hospital that are complete on FLamby's ten variables; together 740."""


def loaded(directory: Path, source: Path, studies: Path, mapping: str = "mapping.yaml") -> Snapshot:
    return load(bare_site(directory), source, format="csv", profile="already-deidentified",
                mapping=studies / mapping, vocabulary=studies / "vocabulary")  # fmt: skip


def query(snapshot: Snapshot, table: str, sql: str) -> list[tuple[object, ...]]:
    return duckdb.execute(sql.replace("TABLE", f"'{snapshot.files[table]}'")).fetchall()


def complete(path: Path) -> np.ndarray:
    """The rows of a hospital without a question mark among the ten variables, as the model sees them."""
    rows = [row for row in csv.reader(path.open()) if "?" not in row[:10]]
    raw = np.array([[float(value) for value in row[:10]] for row in rows])
    sick = np.array([float(row[13]) > 0 for row in rows])
    age, male, pain, pressure, chol, sugar, ecg, rate, effort, depression = raw.T
    columns = [age, male == 1, pain == 2, pain == 3, pain == 4, pressure, chol, sugar == 1, ecg == 1, ecg == 2, rate,
               effort == 1, depression, sick]  # fmt: skip
    return np.column_stack(columns).astype(float)


def ordered(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_a_heart_hospital_is_the_raw_file(tmp_path: Path, test_data: Path, root: Path, hospital: str) -> None:
    """Every value of every complete row, by way of mapping, deidentification, cohort and covariates."""
    source = test_data / f"real/uci_heart/processed.{hospital}.data"
    snapshot = loaded(tmp_path / "site", source, root / "studies/uci-heart")
    lines = len(source.read_text().splitlines())
    assert snapshot.manifest.rows_in["patients"] == snapshot.manifest.rows_loaded["patients"] == lines
    assert snapshot.manifest.origin.public
    study = read_study(root / "studies/uci-heart/study.yaml")
    analysis = study.analyses["heart disease at the examination"]
    assert isinstance(analysis, Predict)
    with DuckDBEngine(study, snapshot.files) as engine:
        people = engine.cohort(analysis.target)
        matrix = engine.covariates(people, analysis.covariates)
        sick = np.isin(people.person, engine.cohort(analysis.outcome).person)
    expected = complete(source)
    assert len(people) == HOSPITALS[hospital] == len(expected)
    assert np.array_equal(ordered(np.column_stack([matrix, sick])), ordered(expected))


NAFLD = {"people": "nafld1.csv", "labs": "nafld2.csv", "events": "nafld3.csv"}


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, test_data: Path, root: Path) -> Mapping[str, Snapshot]:
    source, studies = test_data / "real/mayo_nafld", root / "studies/mayo-nafld"
    return {half: loaded(tmp_path_factory.mktemp(half) / "site", source, studies, f"{half}.yaml")
            for half in ("odd", "even")}  # fmt: skip


@pytest.fixture(scope="module")
def raw(test_data: Path) -> Mapping[str, Sequence[Mapping[str, str]]]:
    return {name: list(csv.DictReader((test_data / "real/mayo_nafld" / file).open())) for name, file in NAFLD.items()}


def test_every_row_of_the_cohort_is_in_one_half(
    halves: Mapping[str, Snapshot], raw: Mapping[str, Sequence[Mapping[str, str]]]
) -> None:
    for half, snapshot in halves.items():
        for name, rows in raw.items():
            own = sum(int(row["id"]) % 2 == (half == "odd") for row in rows)
            assert (snapshot.manifest.rows_in[name], snapshot.manifest.rows_loaded[name]) == (len(rows), own)
            left = [(each.reason, each.rows) for each in snapshot.manifest.quarantined if each.source == name]
            assert left == [("left out by `only`", len(rows) - own)]


def test_the_records_are_those_of_the_raw_files(
    halves: Mapping[str, Snapshot], raw: Mapping[str, Sequence[Mapping[str, str]]]
) -> None:
    labs: Counter[object] = Counter()
    deaths, events = 0, 0
    for snapshot in halves.values():
        found = query(snapshot, "measurement", "SELECT measurement_concept_id, measurement_date - DATE '2000-01-01',"
                      " value_as_number FROM TABLE WHERE measurement_concept_id > 2000001020")  # fmt: skip
        labs.update(found)
        deaths += len(query(snapshot, "death", "SELECT * FROM TABLE"))
        events += len(query(snapshot, "condition_occurrence", "SELECT * FROM TABLE"))
    concepts = {"chol": 2000001021, "hdl": 2000001022, "sbp": 2000001023, "dbp": 2000001024, "fib4": 2000001025}
    expected = Counter(
        (concepts[row["test"]], int(row["days"]), float(row["value"])) for row in raw["labs"] if row["test"] != "smoke"
    )
    assert labs == expected
    assert deaths == sum(row["status"] == "1" for row in raw["people"])
    assert events == len(raw["events"])


def test_the_cohort_can_be_characterised(
    halves: Mapping[str, Snapshot], raw: Mapping[str, Sequence[Mapping[str, str]]], root: Path
) -> None:
    """People with NAFLD whose record of it is inside their observation; it is after the last follow-up for 13."""
    study = read_study(root / "studies/mayo-nafld/study.yaml")
    assert isinstance(study.analyses["people and outcomes"], Characterise)
    until = {row["id"]: int(row["futime"]) for row in raw["people"]}
    expected = {row["id"] for row in raw["events"] if row["event"] == "nafld" and int(row["days"]) <= until[row["id"]]}
    found = 0
    for snapshot in halves.values():
        with DuckDBEngine(study, snapshot.files) as engine:
            found += len(engine.cohort("people with NAFLD"))
    assert found == len(expected) == 3864 - 13
