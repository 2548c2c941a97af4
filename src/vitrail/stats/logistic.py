"""Logistic regression: log-likelihood, gradient and information of one block of rows.

With p = 1 / (1 + exp(-Xb)): log-likelihood Σ y log p + (1 - y) log(1 - p), gradient X'(y - p), information X'WX with
W = diag(p(1 - p)). Source: McCullagh & Nelder, Generalized Linear Models, 2nd ed. 1989, section 4.4.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from vitrail.stats.newton import Floats, Point


def _blocks(X: Floats) -> Iterator[slice]:
    """Rows to sum together, in order, so few that the linear algebra library computes each block in one thread.

    So the same rows give the same bits whatever the number of threads, and none is waited for on a busy machine.
    OpenBLAS splits a product of a matrix and a vector from 9,216 elements on, and one of two matrices from 2¹⁸
    multiplications on (its interface/gemv.c and interface/gemm.c).
    """
    n, p = X.shape
    rows = max(1, min(8192 // p, 2**18 // p**2))
    return (slice(first, first + rows) for first in range(0, n, rows))


def evaluate(X: Floats, y: NDArray[np.bool_], coefficients: Floats, offset: Floats | None = None) -> Point:
    """The point of the logistic log-likelihood of X (n, p) and y (n,) at ``coefficients`` (p,).

    ``offset`` (n,) is added to the linear predictor.
    """
    eta = linear(X, coefficients) if offset is None else linear(X, coefficients) + offset
    residual, weight = residuals(y, eta), weights(eta)
    gradient, information = np.zeros(X.shape[1]), np.zeros((X.shape[1], X.shape[1]))
    for rows in _blocks(X):
        gradient += X[rows].T @ residual[rows]
        information += (X[rows].T * weight[rows]) @ X[rows]
    log_likelihood = float(np.sum(log_expit(np.where(y, eta, -eta))))
    return Point(coefficients, log_likelihood, gradient, (information + information.T) / 2)


def linear(X: Floats, coefficients: Floats) -> Floats:
    """The linear predictor Xb, (n,)."""
    eta = np.empty(len(X))
    for rows in _blocks(X):
        eta[rows] = X[rows] @ coefficients
    return eta


def residuals(y: NDArray[np.bool_], linear: Floats) -> Floats:
    """y - p, without loss of digits where p is near 1."""
    result: Floats = np.where(y, expit(-linear), -expit(linear))
    return result


def weights(linear: Floats) -> Floats:
    """p(1 - p), without loss of digits where p is near 1."""
    result: Floats = expit(linear) * expit(-linear)
    return result
