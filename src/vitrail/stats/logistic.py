"""Logistic regression: log-likelihood, gradient and information of one block of rows.

With p = 1 / (1 + exp(-Xb)): log-likelihood Σ y log p + (1 - y) log(1 - p), gradient X'(y - p), information X'WX with
W = diag(p(1 - p)). Source: McCullagh & Nelder, Generalized Linear Models, 2nd ed. 1989, section 4.4.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from vitrail.stats.newton import Floats, Point

ROWS = 4096
"""Rows are summed in blocks of this many, in order, so that the same rows give the same bits on one machine."""


def evaluate(X: Floats, y: NDArray[np.bool_], coefficients: Floats, offset: Floats | None = None) -> Point:
    """The point of the logistic log-likelihood of X (n, p) and y (n,) at ``coefficients`` (p,).

    ``offset`` (n,) is added to the linear predictor.
    """
    log_likelihood, gradient = 0.0, np.zeros(X.shape[1])
    information = np.zeros((X.shape[1], X.shape[1]))
    for first in range(0, len(y), ROWS):
        rows = slice(first, first + ROWS)
        block, linear = X[rows], X[rows] @ coefficients
        linear = linear if offset is None else linear + offset[rows]
        log_likelihood += float(np.sum(log_expit(np.where(y[rows], linear, -linear))))
        gradient += block.T @ residuals(y[rows], linear)
        information += (block.T * weights(linear)) @ block
    return Point(coefficients, log_likelihood, gradient, (information + information.T) / 2)


def residuals(y: NDArray[np.bool_], linear: Floats) -> Floats:
    """y - p, without loss of digits where p is near 1."""
    result: Floats = np.where(y, expit(-linear), -expit(linear))
    return result


def weights(linear: Floats) -> Floats:
    """p(1 - p), without loss of digits where p is near 1."""
    result: Floats = expit(linear) * expit(-linear)
    return result
