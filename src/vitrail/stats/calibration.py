"""How predicted risks fit what happened: O:E, calibration in the large, calibration slope.

Source: Cox DR. Biometrika 1958;45:562-565; the names as in Van Calster B et al. J Clin Epidemiol 2016;74:167-176.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from vitrail.stats import logistic, newton
from vitrail.stats.newton import Floats
from vitrail.stats.persons import starts, sums

TOLERANCE, ROUNDS = 1e-10, 100


@dataclass(frozen=True)
class Calibration:
    """O:E; intercept with the slope fixed at 1; slope; standard errors.

    A number that does not exist (one class empty, all risks alike, the outcome separated) is not a number.
    """

    observed_expected: float
    intercept: float
    intercept_se: float
    slope: float
    slope_se: float


def calibration(y: NDArray[np.bool_], linear: Floats, persons: NDArray[np.int64]) -> Calibration:
    """The calibration of the log odds ``linear`` (n,) for ``y`` (n,).

    Standard errors are those of maximum likelihood where every person has one row; else clustered by person
    (Liang K-Y, Zeger SL. Biometrika 1986;73:13-22, working independence). Rows of a person are neighbours.
    """
    one, first = np.ones((len(y), 1)), starts(persons)
    large, large_se = _recalibrated(one, y, linear, first)
    weak, weak_se = _recalibrated(np.column_stack([one, linear]), y, np.zeros(len(y)), first)
    expected = float(np.sum(expit(linear)))
    ratio = float(np.sum(y)) / expected if expected > 0 else np.nan
    return Calibration(ratio, large[0], large_se[0], weak[1], weak_se[1])


def _recalibrated(
    X: Floats, y: NDArray[np.bool_], offset: Floats, first: NDArray[np.intp]
) -> tuple[list[float], list[float]]:
    """Maximum-likelihood coefficients and their standard errors, or not-a-numbers."""
    start = np.zeros(X.shape[1])
    state = newton.maximise(lambda b: logistic.evaluate(X, y, b, offset), start, TOLERANCE, ROUNDS)
    covariance = newton.invert(state.best.information)
    if state.verdict != "converged" or covariance is None:
        return [np.nan] * X.shape[1], [np.nan] * X.shape[1]
    scores = sums(X * logistic.residuals(y, logistic.linear(X, state.best.coefficients) + offset)[:, None], first)
    if len(scores) < len(y):
        covariance = covariance @ np.einsum("ki,kj->ij", scores, scores) @ covariance
    return state.best.coefficients.tolist(), np.sqrt(np.diag(covariance)).tolist()
