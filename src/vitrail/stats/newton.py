"""Newton's method with step-halving on a sum of log-likelihoods that others compute.

What was asked and what came back is the whole state: :func:`follow` reads the points seen so far, in order, and says
where to look next. So it can be stopped anywhere and followed again from the same points.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, chapter 3 (Newton's method, backtracking).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Verdict = Literal["moving", "converged", "singular", "diverging"]

SMALLEST_EIGENVALUE = 1e-7
"""Below it, with the diagonal scaled to 1, the information is called singular.

Its reciprocal times the precision of a float bounds how far two processors' solutions may differ.
"""

SLACK = 1e-12
"""A log-likelihood may fall by this much, relatively, and still count as not fallen: sums of floats are inexact."""


@dataclass(frozen=True)
class Point:
    """A log-likelihood at p coefficients, with its gradient (p,) and information (p, p), the negative Hessian."""

    coefficients: Floats
    log_likelihood: float
    gradient: Floats
    information: Floats


@dataclass(frozen=True)
class State:
    """Where a search stands: the best point, the Newton step from it, and how much of that step comes next.

    * ``converged``: no coefficient would move by more than the tolerance.
    * ``singular``: the information at ``best`` cannot be inverted, so there is no step (``step`` is zeros).
    * ``diverging``: the log-likelihood has stopped rising but the coefficients have not stopped moving: it has no
      maximum, as where the outcome is separated by the covariates, or one so far out that it looks the same.
    """

    best: Point
    step: Floats
    scale: float
    verdict: Verdict

    @property
    def proposal(self) -> Floats:
        """The coefficients to look at next."""
        return self.best.coefficients + self.scale * self.step


def total(points: Sequence[Point]) -> Point:
    """The sum of log-likelihoods that were computed apart at the same coefficients, added in the order given."""
    return Point(
        points[0].coefficients,
        math.fsum(point.log_likelihood for point in points),
        np.add.reduce([point.gradient for point in points]),
        np.add.reduce([point.information for point in points]),
    )


def follow(points: Sequence[Point], tolerance: float) -> State:
    """The state after ``points``: the first is the start, each other one was proposed by the state before it.

    A point where the log-likelihood fell is left, and half the step to it is tried.
    """
    state = _at(points[0], None, tolerance)
    for point in points[1:]:
        fell = point.log_likelihood < state.best.log_likelihood - SLACK * abs(state.best.log_likelihood)
        state = State(state.best, state.step, state.scale / 2, "moving") if fell else _at(point, state, tolerance)
    return state


def maximise(evaluate: Callable[[Floats], Point], start: Floats, tolerance: float, rounds: int) -> State:
    """Follow ``evaluate`` from ``start`` until there is a verdict, or for at most ``rounds`` evaluations."""
    points = [evaluate(start)]
    state = follow(points, tolerance)
    while state.verdict == "moving" and len(points) < rounds:
        points.append(evaluate(state.proposal))
        state = follow(points, tolerance)
    return state


def _at(point: Point, before: State | None, tolerance: float) -> State:
    step = solve(point.information, point.gradient)
    if step is None:
        return State(point, np.zeros_like(point.gradient), 0.0, "singular")
    if np.max(np.abs(step)) <= tolerance:
        return State(point, step, 1.0, "converged")
    return State(point, step, 1.0, "diverging" if before is not None and _diverges(point, step, before) else "moving")


def _diverges(point: Point, step: Floats, before: State) -> bool:
    """Whether the log-likelihood is flat to first order while the same step comes again.

    Half the Newton decrement g'I⁻¹g is the rise still expected. Near a maximum it and the steps vanish together,
    quadratically; along a direction of separation it falls by a factor e a step while the steps stay as they are.
    """
    flat = float(point.gradient @ step) <= 1e-4
    return flat and bool(np.max(np.abs(step - before.step)) <= 0.01 * np.max(np.abs(step)))


def solve(information: Floats, gradient: Floats) -> Floats | None:
    """The Newton step I⁻¹g, or None where the information is singular (:data:`SMALLEST_EIGENVALUE`)."""
    inverse = invert(information)
    return None if inverse is None else inverse @ gradient


def invert(information: Floats) -> Floats | None:
    """The inverse, a covariance matrix, or None where the information is singular.

    It is scaled to a unit diagonal first, so that units of measurement do not matter.
    """
    diagonal = np.diag(information)
    if not np.all(np.isfinite(information)) or np.any(diagonal <= 0):
        return None
    root = 1 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(information * np.outer(root, root))
    if values[0] < SMALLEST_EIGENVALUE:
        return None
    inverse: Floats = (vectors / values) @ vectors.T * np.outer(root, root)
    return inverse
