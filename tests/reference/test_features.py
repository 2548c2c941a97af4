"""Features against an implementation that takes the long way, and against FeatureExtraction's published figures."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.engines import BATCHES, shuffled
from tests.feature_records import records
from tests.naive_features import Cell, Naive, Row
from vitrail.errors import StudyError
from vitrail.omop.engines import CohortRows
from vitrail.omop.engines.duckdb import DuckDBBatch
from vitrail.omop.engines.study import DatabaseBatch
from vitrail.omop.feature_table import FeatureTable, value_concept_id
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.covariates import Covariate
from vitrail.study.features import Features, analyses

NUMBERS = (
    "MeasurementValueLongTerm",
    "VisitCountLongTerm",
    "VisitConceptCountLongTerm",
    "DistinctMeasurementCountLongTerm",
)


def as_rows(rows: Sequence[Row]) -> CohortRows:
    start = np.array([index for _, index in rows], dtype="datetime64[D]")
    return CohortRows(np.array([person for person, _ in rows], dtype=np.int64), start, start + 30, start + 30)


@contextmanager
def asking(tables: Any, engine: str = "duckdb") -> Iterator[Any]:
    """A function that computes features from tables."""
    with BATCHES[engine](tables) as batch:
        assert isinstance(batch, DatabaseBatch)
        yield lambda features, rows, own=None, sets=None: batch.features(features, sets or {}, as_rows(rows), own)


def cells(table: FeatureTable) -> set[Cell]:
    """The cells of a table without windows; none may be there twice."""
    found = list(zip(*(table.column(name).tolist() for name in ("row", "covariate_id", "value")), strict=True))
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(("seed", "engine"), [(0, "duckdb"), (1, "duckdb"), (2, "duckdb"), (3, "postgres")])
def test_the_default_analyses_of_generated_records_are_those_of_the_long_way(seed: int, engine: str) -> None:
    tables, rows = records(seed)
    with asking(shuffled(tables, seed), engine) as ask:
        found = ask(Features(), rows)
        assert cells(found) == Naive(tables).cells(rows)
        assert cells(ask(Features(analyses=NUMBERS), rows)) == Naive(tables).others(rows)
    seen = {key % 1000 for _, key, _ in cells(found)}
    assert seen == {each.id for each in analyses(False).values() if each.default}, (
        "every default analysis finds something"
    )


def test_gibleed_is_that_of_the_long_way(test_data: Path) -> None:
    folder = test_data / "omop" / "gibleed_cdm53"
    persons = sorted(pq.read_table(folder / "person.parquet", columns=["person_id"])["person_id"].to_pylist())[:250]
    periods = pq.read_table(folder / "observation_period.parquet", filters=[("person_id", "in", persons)]).to_pylist()
    chance = random.Random(1)
    rows = []
    for each in sorted(periods, key=lambda period: period["person_id"]):
        opens, closes = (each[f"observation_period_{end}_date"] for end in ("start", "end"))
        rows.append((each["person_id"], opens + (closes - opens) * chance.random()))
    names = (
        "person", "condition_era", "drug_era", "procedure_occurrence", "measurement", "observation", "concept",
        "concept_ancestor", "concept_relationship", "visit_occurrence",
    )  # fmt: skip
    tables: dict[str, Any] = {}
    for name in names:
        mine = None if name.startswith("concept") else [("person_id", "in", persons)]
        tables[name] = pq.read_table(folder / f"{name}.parquet", filters=mine).to_pylist()
    with DuckDBBatch({path.stem: path for path in folder.glob("*.parquet")}) as engine:
        found = engine.features(Features(), {}, as_rows(rows))
        others = engine.features(Features(analyses=NUMBERS), {}, as_rows(rows))
    naive = Naive(tables)
    assert cells(found) == naive.cells(rows)
    assert cells(others) == naive.others(rows)
    assert len(cells(found)) > 2_000


def test_the_ids_of_values_are_those_that_featureextraction_publishes() -> None:
    """tests/testthat/test-PostcoordConcepts.R of FeatureExtraction 3.14.0."""
    concept, value = np.array([3000963, 3000963]), np.array([4083207, 4084765])
    assert value_concept_id(concept, value, 716).tolist() == [583329995308716, 583329563103716]
    meeting = value_concept_id(np.array([3048564, 40483078]), np.array([4069590, 4069590]), 716)
    assert meeting[0] == meeting[1]


def test_of_two_values_that_meet_in_one_id_the_smaller_concept_is_kept_and_told() -> None:
    day = records(0, 1)[1][0][1]
    common = {"measurement_date": day, "value_as_concept_id": 4069590}
    tables = {
        "person": [],
        "measurement": [
            {"measurement_id": 1, "person_id": 1, "measurement_concept_id": 40483078, **common},
            {"measurement_id": 2, "person_id": 2, "measurement_concept_id": 3048564, **common},
        ],
    }
    with asking(tables) as ask:
        found = ask(Features(analyses=("MeasurementValueAsConceptShortTerm",)), [(1, day), (2, day)])
    assert found.column("row").tolist() == [1]
    assert found.covariates.select(["concept_id", "value_as_concept_id", "collisions"]).to_pylist() == [
        {"concept_id": 3048564, "value_as_concept_id": 4069590, "collisions": 1}
    ]


def test_windows_of_ones_own_say_what_fixed_windows_of_those_days_say() -> None:
    tables, rows = records(4)
    windows = ((-365, 0), (-30, 0), (1, 40))
    with asking(tables) as ask:
        fixed, own = ask(Features(), rows), ask(Features(windows=windows), rows)
    for time, group, drug in ((1, 210, 410), (2, 212, 412)):
        for mine, theirs in ((204, group), (404, drug)):
            here = (own.column("covariate_id") % 1000 == mine) & (own.column("time_id") == time)
            there = fixed.column("covariate_id") % 1000 == theirs
            assert np.array_equal(own.column("covariate_id")[here] // 1000, fixed.column("covariate_id")[there] // 1000)
            assert np.array_equal(own.column("row")[here], fixed.column("row")[there])
    assert set(own.column("time_id")) == {0, 1, 2, 3}, "0: what has no window"


def test_concepts_can_be_left_out_or_alone_let_in() -> None:
    tables, rows = records(5)
    sets = {"some": ConceptSet(concepts=(ConceptItem(concept=1_100_001), ConceptItem(concept=8532)))}
    with asking(tables) as ask:
        every = ask(Features(), rows)
        without = ask(Features(without="some"), rows, sets=sets)
        only = ask(Features(only="some", analyses=("DemographicsGender", "DrugGroupEraLongTerm")), rows, sets=sets)
        with pytest.raises(StudyError, match="concept set"):
            ask(Features(only="another"), rows, sets=sets)
    spoken = {each["concept_id"] for each in every.covariates.to_pylist()}
    assert {8532, 1_100_001} <= spoken | {1_100_001}
    assert not {8532, 1_100_001} & {each["concept_id"] for each in without.covariates.to_pylist()}
    assert {each["concept_id"] for each in only.covariates.to_pylist()} <= {8532, 1_100_001}


def test_the_matrix_is_sparse_and_its_columns_are_told() -> None:
    tables, rows = records(6)
    own = (Covariate(name="old", sex="female"), Covariate(name="age", age=True))
    values = np.stack([np.arange(len(rows)) % 2, np.where(np.arange(len(rows)) == 3, np.nan, 7.0)], axis=1)
    with asking(tables) as ask:
        found = ask(Features(own=own), rows, own=values)
    matrix, ids, times = found.matrix()
    assert matrix.shape == (len(rows), len(ids))
    assert len(set(zip(ids, times, strict=True))) == len(ids)
    assert matrix.nnz == int((found.column("value") != 0).sum())
    assert set(ids) == set(found.covariates["covariate_id"].to_pylist())
    assert matrix[:, list(ids).index(1999)].sum() == len(rows) // 2
    assert matrix[:, list(ids).index(2998)].sum() == 7 * (len(rows) - 1)


def test_nothing_makes_an_empty_table() -> None:
    with asking({"person": []}) as ask:
        found = ask(Features(), [])
    assert found.cells.num_rows == found.covariates.num_rows == 0
    assert found.matrix()[0].shape == (0, 0)
    assert found.analyses.num_rows == 29
