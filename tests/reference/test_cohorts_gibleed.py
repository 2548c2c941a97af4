"""Cohorts and covariates on real-shaped data: OHDSI's Eunomia GiBleed (CDM 5.3, 2,694 persons).

The two engines are compared with SQL written by hand for each question. Celecoxib (1,800) and diclofenac (830) are also
the new users that CohortMethod's published run counts after asking for 183 days of prior observation
(``oracle/cohortmethod_gibleed``). All are counts of rows, so they must be equal.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.engines import assert_same_rows
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.engines.memory import MemoryEngine
from vitrail.omop.events import TABLES_READ, columns_read
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

CONCEPTS = {
    "celecoxib": 1118084, "diclofenac": 1124300, "gi bleed": 192671,
    "osteoarthritis": 80180, "aspirin": 1112807, "bronchitis": 260139,
}  # fmt: skip
CELECOXIB, DICLOFENAC = {"drug": "celecoxib"}, {"drug": "diclofenac"}
BLEED, OSTEOARTHRITIS = {"condition": "gi bleed"}, {"condition": "osteoarthritis"}
STUDY = Study.model_validate(
    {
        "vitrail": "study/1", "title": "GiBleed", "purpose": "characterisation",
        "question": "Who takes celecoxib, and who bleeds?", "protocol": "First exposures.", "authors": ["Vitrail"],
        "concept_sets": {name: {"concepts": [{"concept": concept}]} for name, concept in CONCEPTS.items()},
        "cohorts": {
            "celecoxib": {"entry": [CELECOXIB], "keep": "first"},
            "diclofenac": {"entry": [DICLOFENAC], "keep": "first"},
            "bleed": {"entry": [BLEED], "keep": "first"},
            "new users": {
                "entry": [CELECOXIB | {"where": [{"name": "ill", "of": OSTEOARTHRITIS, "days": [-30, 0]}]}],
                "observed": {"before": 365},
                "keep": "first",
                "rules": [
                    {"name": "no aspirin before", "of": {"drug": "aspirin"}, "days": [None, 0], "at_most": 0},
                    {"name": "bronchitis twice", "of": {"condition": "bronchitis"}, "days": [-9000, -1], "at_least": 2},
                    {"name": "no bleed before", "of": {"cohort": "bleed"}, "days": [None, 0], "at_most": 0},
                ],
                "exit": {"days_after_start": 365},
            },
            "years": {"entry": [{"condition": "any"}], "keep": "first_of_each_year", "exit": {"days_after_start": 0}},
        },
        "analyses": {"who": {"kind": "characterise", "cohorts": ["celecoxib"]}},
    },
    strict=False,
)  # fmt: skip
COVARIATES = [
    Covariate.model_validate(written, strict=False)
    for written in (
        {"name": "age", "age": True},
        {"name": "female", "sex": "female"},
        {"name": "osteoarthritis", "has": OSTEOARTHRITIS, "days": (-365, 0)},
        {"name": "bleeds", "has": BLEED, "days": (1, 365)},
        {"name": "any measurement", "last": {"measurement": "any"}, "days": (None, 0)},
    )
]

STARTS = """
    WITH first AS (
        SELECT person_id, min({start}) AS start
        FROM {table} JOIN observation_period USING (person_id)
        WHERE {concept} IN (
                SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id = {of} UNION SELECT {of})
            AND {start} BETWEEN observation_period_start_date AND observation_period_end_date
        GROUP BY person_id
    )
    SELECT person_id, start FROM first ORDER BY person_id
"""
DRUG = {"table": "drug_exposure", "start": "drug_exposure_start_date", "concept": "drug_concept_id"}
CONDITION = {"table": "condition_occurrence", "start": "condition_start_date", "concept": "condition_concept_id"}

NEW_USERS = """
    WITH period AS (
        SELECT person_id, observation_period_start_date AS since, max(observation_period_end_date) AS until
        FROM observation_period GROUP BY ALL
    ), bleed AS (
        SELECT person_id, min(condition_start_date) AS start FROM condition_occurrence JOIN period USING (person_id)
        WHERE condition_concept_id = 192671 AND condition_start_date BETWEEN since AND until GROUP BY ALL
    ), first AS (
        SELECT person_id, since, until, drug_exposure_start_date AS start
        FROM drug_exposure AS d JOIN period USING (person_id)
        WHERE drug_concept_id IN (
                SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id = 1118084)
            AND drug_exposure_start_date BETWEEN since + 365 AND until
            AND EXISTS (
                SELECT 1 FROM condition_occurrence AS c JOIN concept_ancestor AS a
                    ON a.descendant_concept_id = c.condition_concept_id AND a.ancestor_concept_id = 80180
                WHERE c.person_id = d.person_id AND c.condition_start_date BETWEEN since AND until
                    AND c.condition_start_date BETWEEN drug_exposure_start_date - 30 AND drug_exposure_start_date)
        QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY drug_exposure_start_date, since) = 1
    )
    SELECT person_id, start, least(until, start + 365) FROM first AS f
    WHERE NOT EXISTS (
            SELECT 1 FROM drug_exposure AS d JOIN concept_ancestor AS a
                ON a.descendant_concept_id = d.drug_concept_id AND a.ancestor_concept_id = 1112807
            WHERE d.person_id = f.person_id AND d.drug_exposure_start_date BETWEEN f.since AND f.start)
        AND (
            SELECT count(*) FROM condition_occurrence AS c
            WHERE c.person_id = f.person_id AND condition_concept_id = 260139
                AND condition_start_date BETWEEN greatest(f.since, f.start - 9000) AND f.start - 1) >= 2
        AND NOT EXISTS (
            SELECT 1 FROM bleed AS b WHERE b.person_id = f.person_id AND b.start BETWEEN f.since AND f.start)
    ORDER BY person_id
"""


@pytest.fixture(scope="module")
def files(test_data: Path) -> dict[str, Path]:
    return {path.stem: path for path in (test_data / "omop" / "gibleed_cdm53").glob("*.parquet")}


@pytest.fixture(scope="module")
def engine(files: dict[str, Path]) -> Iterator[DuckDBEngine]:
    with DuckDBEngine(STUDY, files) as opened:
        yield opened


@pytest.fixture(scope="module")
def truth(files: dict[str, Path]) -> MemoryEngine:
    tables = {}
    for name in set(TABLES_READ) & set(files):
        columns = [column.name for column in columns_read(name)]
        present = [column for column in columns if column in pq.read_schema(files[name]).names]
        tables[name] = pq.read_table(files[name], columns=present).to_pylist()
    return MemoryEngine(STUDY, tables)


def by_hand(files: dict[str, Path], query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:") as database:
        for name, path in files.items():
            database.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
        return database.execute(query).fetchall()


@pytest.mark.parametrize(
    ("cohort", "expected", "where"),
    [("celecoxib", 1_800, DRUG), ("diclofenac", 830, DRUG), ("bleed", 479, CONDITION)],
)
def test_first_exposures_are_those_of_sql_by_hand_in_the_numbers_expected(
    engine: DuckDBEngine, files: dict[str, Path], cohort: str, expected: int, where: dict[str, str]
) -> None:
    rows = engine.cohort(cohort)
    of = CONCEPTS["gi bleed" if cohort == "bleed" else cohort]
    assert list(zip(rows.person.tolist(), rows.start.tolist(), strict=True)) == by_hand(
        files, STARTS.format(**where, of=of)
    )
    assert len(rows) == expected


def test_new_users_are_those_of_sql_by_hand(engine: DuckDBEngine, files: dict[str, Path]) -> None:
    rows = engine.cohort("new users")
    expected = by_hand(files, NEW_USERS)
    assert list(zip(rows.person.tolist(), rows.start.tolist(), rows.end.tolist(), strict=True)) == expected
    assert 0 < len(rows) < len(engine.cohort("celecoxib"))


@pytest.mark.parametrize("cohort", STUDY.cohorts)
def test_engines_agree_on_cohorts(engine: DuckDBEngine, truth: MemoryEngine, cohort: str) -> None:
    assert_same_rows(engine.cohort(cohort), truth.cohort(cohort))
    assert engine.attrition(cohort) == truth.attrition(cohort)


@pytest.mark.parametrize("cohort", ["celecoxib", "new users", "years"])
def test_engines_agree_on_covariates(engine: DuckDBEngine, truth: MemoryEngine, cohort: str) -> None:
    rows = engine.cohort(cohort)
    rows = rows.where(np.arange(len(rows)) % (1 + len(rows) // 2_000) == 0)  # the naive engine takes its time
    found = engine.covariates(rows, COVARIATES)
    np.testing.assert_array_equal(found, truth.covariates(rows, COVARIATES))
    assert found[:, 1].min() == 0
    assert found[:, 1].max() == 1
