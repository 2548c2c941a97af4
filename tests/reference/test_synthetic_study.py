"""The flagship study finds just what the generator knows: onsets, index dates, covariates and outcomes, day by day."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from vitrail.omop.engines import CohortRows, Engine
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.engines.memory import MemoryEngine
from vitrail.study.analyses.predict import Predict
from vitrail.study.reader import read_study
from vitrail.study.study import Study
from vitrail.synthetic.generate import generate, windows
from vitrail.synthetic.systems import SYSTEMS
from vitrail.synthetic.truth import Truth

SEED = 3
TABLES_READ = ("person", "observation_period", "visit_occurrence", "condition_occurrence", "drug_exposure",
               "measurement", "concept_ancestor")  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What an engine answers from one system's files, and what is true of them."""

    engine: Engine
    study: Study
    truth: Truth
    persons: pd.DataFrame
    windows: pd.DataFrame

    @property
    def predict(self) -> Predict:
        analysis = self.study.analyses["who will fall ill"]
        assert isinstance(analysis, Predict)
        return analysis


@pytest.fixture(scope="module")
def study(root: Path) -> Study:
    return read_study(root / "studies" / "early-ckd" / "study.yaml")


@pytest.fixture(
    scope="module", params=[(*each, size) for size, each in
                            ((150, ("memory", "referral")), (150, ("memory", "community")),
                             *((4_000, ("duckdb", name)) for name in SYSTEMS))],
    ids=lambda each: "-".join(map(str, each)),
)  # fmt: skip
def found(request: pytest.FixtureRequest, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    engine, name, persons = request.param
    directory = tmp_path_factory.mktemp(name)
    dates = directory / "truth_persons.parquet"
    truth = generate(directory / "omop", SYSTEMS[name], persons=persons, seed=SEED, truth_persons=dates)
    rows = windows(SYSTEMS[name], persons=persons, seed=SEED).to_pandas()
    files = {path.stem: path for path in (directory / "omop").glob("*.parquet")}
    if engine == "memory":
        tables = {each: pq.read_table(files[each]).to_pylist() for each in TABLES_READ}
        yield Found(MemoryEngine(study, tables), study, truth, pd.read_parquet(dates), rows)
    else:
        with DuckDBEngine(study, files) as duckdb:
            yield Found(duckdb, study, truth, pd.read_parquet(dates), rows)


def _days(dates: pd.Series) -> np.ndarray:
    return dates.to_numpy().astype("datetime64[D]")


@pytest.mark.parametrize(("cohort", "onset"), [("diabetes", "diabetes_onset"), ("chronic kidney disease", "ckd_onset")])
def test_phenotypes_find_each_true_onset_and_no_other(found: Found, cohort: str, onset: str) -> None:
    true = found.persons.dropna(subset=[onset]).sort_values("person_id")
    rows = found.engine.cohort(cohort)
    assert len(rows) > 5
    np.testing.assert_array_equal(rows.person, true["person_id"])
    np.testing.assert_array_equal(rows.start, _days(true[onset]))
    np.testing.assert_array_equal(rows.end, _days(true["observed_until"]))


def _outcomes(found: Found, rows: CohortRows) -> tuple[np.ndarray, np.ndarray]:
    """Whether each row has the outcome in the horizon, and whether it is complete."""
    outcome = found.engine.cohort(found.predict.outcome)
    start: Mapping[int, np.datetime64] = dict(zip(outcome.person, outcome.start, strict=True))
    waits = np.array([(start.get(who, np.datetime64("2300-01-01")) - day).astype(int)
                      for who, day in zip(rows.person, rows.start, strict=True)])  # fmt: skip
    first, last = found.predict.horizon
    event = (waits >= first) & (waits <= last)
    return event, event | ((rows.observed_until - rows.start).astype(int) >= last)


def test_index_dates_covariates_and_outcomes_are_the_true_windows(found: Found) -> None:
    rows = found.engine.cohort(found.predict.target)
    event, complete = _outcomes(found, rows)
    kept, true = rows.where(complete), found.windows
    assert len(kept) > 100
    np.testing.assert_array_equal(kept.person, true["person_id"])
    np.testing.assert_array_equal(kept.start, _days(true["index_date"]))
    np.testing.assert_array_equal(event[complete], true["event"])
    values = found.engine.covariates(kept, found.predict.covariates)
    columns = [covariate.name.lower() for covariate in found.predict.covariates]
    np.testing.assert_array_equal(values, true[columns].astype(float))


def test_the_case_mix_is_what_the_study_counts(found: Found) -> None:
    mix = found.truth.case_mix
    assert (mix.windows, mix.events) == (len(found.windows), found.windows["event"].sum())
    assert mix.windows_persons == found.windows["person_id"].nunique()
    assert mix.with_diabetes == len(found.engine.cohort("diabetes"))
    assert mix.with_ckd == len(found.engine.cohort("chronic kidney disease"))
    assert mix.mean["eGFR"] == pytest.approx(found.windows["egfr"].mean(), rel=1e-12)
    table = pd.crosstab(found.windows["nefrovian"], found.windows["event"]).to_numpy().astype(float)
    crude = table[1, 1] * table[0, 0] / (table[1, 0] * table[0, 1])
    assert mix.nefrovian_crude_odds_ratio == pytest.approx(crude, rel=1e-12)


def test_the_truth_speaks_in_the_studys_own_parametrisation(found: Found) -> None:
    said = json.loads(found.truth.model_dump_json())["ckd"]["terms"]
    asked = {each.name: (each.centre, each.per) for each in found.predict.covariates}
    assert {name: (term["centre"], term["per"]) for name, term in said.items()} == asked
    assert found.truth.horizon == found.predict.horizon
