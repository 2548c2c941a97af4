"""The federated model against the known truth of the synthetic health systems.

Each seed makes a referral centre and a community system, which fit together, and a regional system that never takes
part. The truth is the generator's own. Results are released exactly (the ``public-data`` policy): what is
judged here is the method, not what the gate rounds.
"""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from tests.federation import federated
from vitrail.analyses.predict.design import IndexDates, design
from vitrail.disclosure.policy import PUBLIC_DATA
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.stats.calibration import calibration
from vitrail.stats.discrimination import auroc
from vitrail.study.analyses.predict import Fit, Predict, PredictEvidence
from vitrail.study.reader import read_study
from vitrail.study.study import Study
from vitrail.synthetic.generate import generate
from vitrail.synthetic.systems import SYSTEMS
from vitrail.synthetic.truth import CKD

PERSONS = {"referral": 2_000, "community": 6_000, "regional": 4_000}
NAME = "who will fall ill"
STUDY = Path(__file__).parents[2] / "studies" / "early-ckd" / "study.yaml"


@dataclass(frozen=True)
class Seed:
    """What one seed showed: for each coefficient its error in standard errors, and the scores of each model."""

    z: dict[str, float]
    scores: dict[str, dict[str, float]]


def flagship() -> Study:
    """The flagship study with everybody used for fitting, and its prediction alone."""
    study = read_study(STUDY)
    prediction = study.analyses[NAME].model_copy(update={"test_share": 0.0})
    return study.model_copy(update={"analyses": {NAME: prediction}})


def one_seed(root: Path, seed: int) -> Seed:
    study, engines = flagship(), {}
    for name, persons in PERSONS.items():
        place = root / f"{name}-{seed}"
        generate(place, SYSTEMS[name], persons=persons, seed=seed)
        engines[name] = DuckDBEngine(study, {file.stem: file for file in place.glob("*.parquet")}, threads=1)
    regional = engines.pop("regional")
    found = federated(study, engines, PUBLIC_DATA).findings[NAME]
    specification = study.analyses[NAME]
    assert isinstance(found, PredictEvidence)
    assert isinstance(specification, Predict)
    people = design(specification, regional, study.id).dates
    fits = {fit.name: fit for fit in found.fits}
    for engine in (regional, *engines.values()):
        engine.close()
    return Seed(_z(fits["all sites"]), {name: _scores(fit, people) for name, fit in fits.items()})


def _z(fit: Fit) -> dict[str, float]:
    truth = {"intercept": CKD.intercept, **{name: term.log_odds_ratio for name, term in CKD.terms.items()}}
    return {each.covariate: (each.estimate - truth[each.covariate]) / each.se for each in fit.coefficients}


def _scores(fit: Fit, people: IndexDates) -> dict[str, float]:
    """AUROC, distance of predicted from true risk, and miscalibration, at a site that never took part."""
    truth = np.array([CKD.intercept, *(CKD.terms[each.covariate].log_odds_ratio for each in fit.coefficients[1:])])
    linear = people.X @ np.array([each.estimate for each in fit.coefficients])
    fitted = calibration(people.y, linear, people.person)
    return {
        "auroc": auroc(people.y, linear, people.person).auroc,
        "distance from true risk": float(np.abs(expit(linear) - expit(people.X @ truth)).mean()),
        "|intercept|": abs(fitted.intercept),
        "|slope - 1|": abs(fitted.slope - 1),
    }


def run(root: Path, seeds: range) -> list[Seed]:
    with ProcessPoolExecutor(max_workers=2) as pool:
        return list(pool.map(one_seed, repeat(root), seeds))


def covered(seeds: list[Seed]) -> dict[str, float]:
    """Share of 95 % confidence intervals that hold the truth, by coefficient and over all."""
    shares = {name: float(np.mean([abs(seed.z[name]) <= 1.959964 for seed in seeds])) for name in seeds[0].z}
    return {**shares, "all": float(np.mean(list(shares.values())))}


def differences(seeds: list[Seed]) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Mean difference of each score, federated less single-site, with its 95 % CI over the seeds."""
    result: dict[str, dict[str, tuple[float, float, float]]] = {}
    for alone in ("without community", "without referral"):
        for score in seeds[0].scores[alone]:
            values = np.array([seed.scores["all sites"][score] - seed.scores[alone][score] for seed in seeds])
            half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
            result.setdefault(alone, {})[score] = (values.mean(), values.mean() - half, values.mean() + half)
    return result


def test_estimates_lie_around_the_truth(tmp_path: Path) -> None:
    """Four seeds: 32 estimates, each within 4 standard errors of the truth (by chance: once in 500 such runs)."""
    seeds = run(tmp_path, range(4))
    assert max(abs(z) for seed in seeds for z in seed.z.values()) < 4
    assert all(seed.scores["all sites"]["distance from true risk"] < 0.02 for seed in seeds)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_intervals_cover_and_the_federated_model_travels_best(tmp_path: Path) -> None:
    """300 seeds: 93 to 97 % of intervals hold the truth; better than either site's own model where none was trained."""
    seeds = run(tmp_path, range(int(os.environ.get("VITRAIL_SEEDS", "300"))))
    shares, better = covered(seeds), differences(seeds)
    print(json.dumps({"seeds": len(seeds), "coverage": shares, "differences": better}, indent=2))
    assert 0.93 <= shares["all"] <= 0.97
    for against in better.values():
        assert against["auroc"][1] > 0
        assert all(against[score][2] < 0 for score in ("distance from true risk", "|intercept|", "|slope - 1|"))
