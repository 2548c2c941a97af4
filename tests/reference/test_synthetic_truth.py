"""The truth is true: statsmodels finds the coefficients that the generator declares, and standard errors hold."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from vitrail.synthetic.generate import Outcome, generate, windows
from vitrail.synthetic.systems import COMMUNITY, REFERRAL, SYSTEMS, System
from vitrail.synthetic.truth import ALBUMIN, CKD, HEART_FAILURE, Risk

RISKS: dict[Outcome, Risk] = {"ckd": CKD, "heart_failure": HEART_FAILURE}


def _design(risk: Risk, rows: pd.DataFrame) -> np.ndarray:
    columns = [
        (rows[name.lower().replace(" ", "_")].astype(float) - term.centre) / term.per
        for name, term in risk.terms.items()
    ]
    return np.column_stack([np.ones(len(rows)), *columns])


def _coefficients(risk: Risk) -> np.ndarray:
    return np.array([risk.intercept, *(term.log_odds_ratio for term in risk.terms.values())])


def _rows(outcome: Outcome, persons: int, seed: int, *systems: System) -> pd.DataFrame:
    return pd.concat(windows(each, persons=persons, seed=seed, outcome=outcome).to_pandas() for each in systems)


def _z(outcome: Outcome, persons: int, seed: int, *systems: System) -> np.ndarray:
    """How many standard errors each estimate lies from the truth."""
    rows, risk = _rows(outcome, persons, seed, *systems), RISKS[outcome]
    fit = sm.Logit(rows["event"].astype(float).to_numpy(), _design(risk, rows)).fit(disp=0)
    return (fit.params - _coefficients(risk)) / fit.bse


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("outcome", RISKS)
def test_the_risk_is_the_declared_function_of_what_is_recorded(outcome: Outcome, system: System) -> None:
    rows = _rows(outcome, 1_000, 1, system)
    predictor = _design(RISKS[outcome], rows) @ _coefficients(RISKS[outcome])
    # Two orders of summing eight doubles.
    np.testing.assert_allclose(rows["risk"], 1 / (1 + np.exp(-predictor)), rtol=1e-12)


@pytest.mark.parametrize("outcome", RISKS)
def test_events_happen_with_their_risk(outcome: Outcome) -> None:
    """In ten groups by risk, as many events as the risks add up to (Hosmer-Lemeshow with known risks: chi2 with 10)."""
    rows = _rows(outcome, 10_000, 4, REFERRAL, COMMUNITY)
    groups = rows.groupby(pd.qcut(rows["risk"], 10), observed=True)
    variance = groups["risk"].apply(lambda risk: (risk * (1 - risk)).sum())
    statistic = ((groups["event"].sum() - groups["risk"].sum()) ** 2 / variance).sum()
    assert stats.chi2.sf(statistic, 10) > 1e-3


def test_statsmodels_recovers_the_truth_over_seeds() -> None:
    """Sums of squared z-scores are chi2 with as many degrees as there are estimates, if truth and errors are right."""
    z = np.array([_z("ckd", 2_000, seed, REFERRAL, COMMUNITY) for seed in range(20)])
    assert 1e-3 < stats.chi2.sf((z**2).sum(), z.size) < 1 - 1e-3
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(len(z))


def test_heart_failure_is_recovered_in_both_subgroups() -> None:
    z = _z("heart_failure", 20_000, 2, REFERRAL, COMMUNITY)
    assert stats.chi2.sf((z**2).sum(), z.size) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("outcome", RISKS)
def test_confidence_intervals_cover_the_truth(outcome: Outcome) -> None:
    """300 seeds of 5,000 persons in each system; the limits are 4 standard errors of 300 draws."""
    z = np.array([_z(outcome, 5_000, seed, REFERRAL, COMMUNITY) for seed in range(300)])
    covered = np.abs(z) < stats.norm.ppf(0.975)
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(300)
    assert 0.93 < covered.mean() < 0.97
    assert np.abs(covered.mean(axis=0) - 0.95).max() < 4 * np.sqrt(0.95 * 0.05 / 300)


def test_nefrovian_protects_though_it_seems_to_harm() -> None:
    rows = _rows("ckd", 10_000, 1, REFERRAL, COMMUNITY)
    event = rows["event"].astype(float).to_numpy()
    crude = sm.Logit(event, sm.add_constant(rows["nefrovian"].astype(float).to_numpy())).fit(disp=0)
    adjusted = sm.Logit(event, _design(CKD, rows)).fit(disp=0)
    place = 1 + list(CKD.terms).index("nefrovian")
    assert crude.params[1] - 2 * crude.bse[1] > 0
    assert adjusted.params[place] + 2 * adjusted.bse[place] < 0


def test_albumin_is_an_early_signal_of_the_declared_strength(tmp_path: Path) -> None:
    """Beside the true covariates, among those of whom it is recorded, log2 albumin has its declared log odds ratio."""
    generate(tmp_path / "omop", REFERRAL, persons=12_000, seed=6)
    rows = windows(REFERRAL, persons=12_000, seed=6)
    with duckdb.connect() as database:
        database.register("rows", rows)
        measured = database.sql(f"""
            SELECT rows.*, log2(value_as_number) AS albumin
            FROM rows JOIN '{tmp_path}/omop/measurement.parquet' AS m
            ON m.person_id = rows.person_id AND measurement_date = index_date AND measurement_concept_id = 2000002003
            ORDER BY rows.person_id, t
        """).df()
    design = np.column_stack([_design(CKD, measured), measured["albumin"]])
    fit = sm.Logit(measured["event"].astype(float).to_numpy(), design).fit(disp=0)
    assert abs(fit.params[-1] - ALBUMIN.log_odds_ratio) < 4 * fit.bse[-1]
    assert fit.params[-1] > 5 * fit.bse[-1]
    truth = _coefficients(CKD)[1:]
    assert stats.chi2.sf((((fit.params[1:-1] - truth) / fit.bse[1:-1]) ** 2).sum(), truth.size) > 1e-3
