"""Four real hospitals (UCI Heart Disease), each a site of its own.

The federated model is held against the pooled fit by statsmodels on the same 740 people, read straight from the
hospitals' files: coefficients and standard errors within 1e-8, which is what Newton's method at a step of 1e-8 and
the conditioning of the raw units (condition number of X about 4,000) leave of double precision.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from tests.alliances import vitrail
from tests.networks import evidence_of
from vitrail.study.analyses.predict import Fit, PredictEvidence

HOSPITALS = {"cleveland": 303, "hungarian": 261, "switzerland": 46, "va": 130}
STUDY = Path(__file__).parents[2] / "studies" / "uci-heart"
NAME = "heart disease at the examination"


@pytest.fixture
def heart(test_data: Path) -> Path:
    return test_data / "real" / "uci_heart"


def run(root: Path, heart: Path, policy: str) -> PredictEvidence:
    """The committed study over the four hospitals, each site guarded by the named policy."""
    means = ("--mapping", STUDY / "mapping.yaml", "--vocabulary", STUDY / "vocabulary")
    sources = {name: (heart / f"processed.{name}.data", *means) for name in HOSPITALS}
    finding = evidence_of(root, STUDY / "study.yaml", policy, sources).findings[NAME]
    assert isinstance(finding, PredictEvidence)
    return finding


def complete_rows(heart: Path, hospital: str) -> NDArray[np.float64]:
    """A hospital's people who have FLamby's ten variables: the study's columns in its order, then the outcome."""
    rows = []
    for line in (heart / f"processed.{hospital}.data").read_text().splitlines():
        found = [float("nan") if word in ("?", "-9", "-9.0") else float(word) for word in line.split(",")]
        age, male, pain, pressure, cholesterol, sugar, ecg, rate, angina, depression = found[:10]
        if not np.isnan(found[:10]).any():
            pains, ecgs = [pain == kind for kind in (2, 3, 4)], [ecg == kind for kind in (1, 2)]
            rows.append(
                [1, age, male, *pains, pressure, cholesterol, sugar, *ecgs, rate, angina, depression, found[13] > 0]
            )
    return np.array(rows, dtype=np.float64)


def pooled(rows: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients and standard errors of the pooled fit."""
    together = np.vstack(rows)
    fitted = sm.Logit(together[:, -1], together[:, :-1]).fit(method="newton", maxiter=100, tol=1e-14, disp=0)
    return fitted.params, fitted.bse


def same(fit: Fit, rows: list[NDArray[np.float64]]) -> float:
    """The largest difference of a coefficient or standard error from the pooled fit's."""
    parameters, errors = pooled(rows)
    found = np.array([(each.estimate, each.se) for each in fit.coefficients])
    return float(max(np.abs(found[:, 0] - parameters).max(), np.abs(found[:, 1] - errors).max()))


def test_the_federated_model_is_the_pooled_one(tmp_path: Path, heart: Path) -> None:
    found = run(tmp_path, heart, "public-data")
    rows = {name: complete_rows(heart, name) for name in HOSPITALS}
    assert {name: len(each) for name, each in rows.items()} == HOSPITALS
    fits = {fit.name: fit for fit in found.fits}
    assert same(fits["all sites"], list(rows.values())) < 1e-8
    for left in HOSPITALS:
        assert same(fits[f"without {left}"], [each for name, each in rows.items() if name != left]) < 1e-8
    assert found.refused == {}
    assert {each.site: each.fit for each in found.validations} == {name: f"without {name}" for name in HOSPITALS}
    for each in found.validations:
        assert each.discrimination is not None
        print(each.site, each.discrimination.auroc, each.discrimination.low, each.discrimination.high, each.calibration)
        low, area, high = each.discrimination.low, each.discrimination.auroc, each.discrimination.high
        if each.site == "switzerland":  # one person without heart disease: an area, but no interval
            assert (low, high) == ("suppressed", "suppressed")
        else:
            assert 0 <= low <= area <= high <= 1  # type: ignore[operator]


def test_the_default_policy_refuses_the_small_hospitals(tmp_path: Path, heart: Path) -> None:
    found = run(tmp_path, heart, "default")
    assert {"va", "switzerland"} <= set(found.refused)
    assert set(found.refused.values()) == {"disclosure"}
    for name in ("va", "switzerland"):
        (shown,) = json.loads(vitrail("site", "review", tmp_path / name, "--json"))
        print(name, json.dumps(shown["refusals"], indent=2))
        assert shown["refusals"]
        assert {refusal["code"] for refusal in shown["refusals"]} == {"disclosure"}
        assert all(len(refusal["what"]) > 40 for refusal in shown["refusals"])
