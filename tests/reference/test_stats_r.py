"""Discrimination and calibration against R (pROC 1.18.0, glm, rms 6.5.0) on 2,000 predictions.

R printed 13 digits, so 1e-11 is asked of closed forms. Its glm stops at a relative change of deviance of 1e-8, which
leaves coefficients good to about 1e-7: 1e-6 is asked. Its standard errors use the weights of the last step but one
and so lag behind: here 1.3e-6, and the lag itself is reproduced.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from vitrail.stats import logistic, newton
from vitrail.stats.calibration import calibration
from vitrail.stats.discrimination import auroc


@pytest.fixture(scope="module")
def expected(test_data: Path) -> Any:
    return json.loads((test_data / "oracle/r/prediction.json").read_text())


@pytest.fixture(scope="module")
def predictions(test_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with (test_data / "oracle/r/pred.csv").open() as file:
        rows = list(csv.DictReader(file))
    y = np.array([row["y"] == "1" for row in rows])
    return y, np.array([float(row["p"]) for row in rows]), np.array([row["group"] for row in rows])


def test_auroc_and_its_interval_are_those_of_proc(predictions, expected):
    y, p, _ = predictions
    found = auroc(y, p, np.arange(len(y)))
    assert [found.low, found.auroc, found.high] == pytest.approx(expected["auc_ci_delong"], abs=1e-11)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_auroc_of_each_group_is_that_of_proc(predictions, expected, place):
    y, p, group = predictions
    of = expected["by_group"][place]
    mask = group == of["group"]
    found = auroc(y[mask], p[mask], np.arange(mask.sum()))
    assert [found.low, found.auroc, found.high] == pytest.approx(of["ci"], abs=1e-11)


def test_calibration_is_that_of_glm(predictions, expected):
    y, p, _ = predictions
    X = np.column_stack([np.ones(len(y)), logit(p)])
    found = calibration(y, logit(p), np.arange(len(y)))
    assert found.observed_expected == pytest.approx(expected["oe"], abs=1e-11)
    assert found.intercept == pytest.approx(expected["citl"], abs=1e-6)
    assert found.intercept_se == pytest.approx(expected["citl_se"], abs=1e-6)
    assert found.slope == pytest.approx(expected["slope"], abs=1e-6)
    assert found.slope_se == pytest.approx(expected["slope_se"], abs=2e-6)
    weak = newton.maximise(lambda b: logistic.evaluate(X, y, b), np.zeros(2), 1e-10, 100).best.coefficients
    assert weak.tolist() == pytest.approx([expected["weak_intercept"], found.slope], abs=1e-6)


def test_the_slopes_standard_error_differs_from_glm_by_the_step_that_glm_lags(predictions, expected):
    y, p, _ = predictions
    found = calibration(y, logit(p), np.arange(len(y)))
    lagging, limit = _glm_errors(y, logit(p), steps=4), _glm_errors(y, logit(p), steps=12)
    assert lagging[1] == pytest.approx(expected["slope_se"], abs=1e-11)
    assert limit[1] == pytest.approx(found.slope_se, abs=1e-11)


def _glm_errors(y: np.ndarray, linear: np.ndarray, steps: int) -> np.ndarray:
    """Standard errors of a logistic glm as R's glm.fit gives them after so many weighted least squares steps."""
    X, mean = np.column_stack([np.ones(len(y)), linear]), (y + 0.5) / 2
    eta = logit(mean)
    for _ in range(steps):
        weight = mean * (1 - mean)
        information = X.T @ (X * weight[:, None])
        eta = X @ np.linalg.solve(information, X.T @ (weight * eta + y - mean))
        mean = expit(eta)
    return np.sqrt(np.diag(np.linalg.inv(information)))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_calibration_of_each_group_is_that_of_glm(predictions, expected, place):
    y, p, group = predictions
    of = expected["by_group"][place]
    mask = group == of["group"]
    found = calibration(y[mask], logit(p[mask]), np.arange(mask.sum()))
    assert found.observed_expected == pytest.approx(of["oe"], abs=1e-11)
    assert found.slope == pytest.approx(of["slope"], abs=1e-6)
