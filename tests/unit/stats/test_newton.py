"""Newton's method, followed from what was asked and answered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.stats import logistic, newton
from vitrail.stats.newton import Point


def _quartic(b: np.ndarray) -> Point:
    """The log-likelihood -sqrt(1 + b²), on which full Newton steps from |b| > 1 run away."""
    root = np.sqrt(1 + b[0] ** 2)
    return Point(b, float(-root), np.array([-b[0] / root]), np.array([[root**-3]]))


def test_steps_are_halved_where_the_log_likelihood_falls():
    state = newton.maximise(_quartic, np.array([3.0]), 1e-10, 60)
    assert state.verdict == "converged"
    assert abs(state.best.coefficients[0]) < 1e-9


def test_the_log_likelihood_never_falls_from_best_to_best():
    points, seen = [_quartic(np.array([3.0]))], []
    for _ in range(12):
        state = newton.follow(points, 1e-10)
        seen.append(state.best.log_likelihood)
        points.append(_quartic(state.proposal))
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def test_a_point_that_fell_is_left_and_half_the_step_is_asked():
    start = _quartic(np.array([3.0]))
    first = newton.follow([start], 1e-10)
    second = newton.follow([start, _quartic(first.proposal)], 1e-10)
    assert second.best is start
    assert second.proposal == pytest.approx((first.proposal + start.coefficients) / 2)


@pytest.mark.parametrize("column", [[0, 0, 0, 0], [2, 2, 2, 2], [0, 1, 0, 1]])
def test_columns_that_say_the_same_are_singular(column):
    X = np.column_stack([np.ones(4), [0, 1, 0, 1], column]).astype(float)
    state = newton.maximise(lambda b: logistic.evaluate(X, np.array([1, 0, 0, 1], bool), b), np.zeros(3), 1e-8, 25)
    assert state.verdict == "singular"
    assert newton.invert(state.best.information) is None


@pytest.mark.parametrize("separated", [1.0, 0.3])
def test_separation_is_said_and_never_called_convergence(separated):
    """A binary covariate with which nobody has the outcome, in all rows or in a part of them."""
    rng = np.random.default_rng(0)
    level = rng.random(300) < separated / 2
    y = ~level & (rng.random(300) < (1.0 if separated == 1 else 0.5))
    X = np.column_stack([np.ones(300), level])
    state = newton.maximise(lambda b: logistic.evaluate(X, y, b), np.zeros(2), 0.01, 60)
    assert state.verdict == "diverging"


def test_no_outcome_at_all_diverges():
    state = newton.maximise(lambda b: logistic.evaluate(np.ones((50, 1)), np.zeros(50, bool), b), np.zeros(1), 1e-8, 60)
    assert state.verdict == "diverging"


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.lists(st.sampled_from([1e-6, 1e-3, 1.0, 50.0, 1e5]), min_size=3, max_size=3))
def test_units_of_measurement_do_not_matter(seed, units):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(200), rng.normal(size=(200, 3))])
    y = rng.random(200) < 1 / (1 + np.exp(-X @ rng.normal(size=4)))
    scale = np.array([1, *units])
    plain = newton.maximise(lambda b: logistic.evaluate(X, y, b), np.zeros(4), 1e-10, 60)
    scaled = newton.maximise(lambda b: logistic.evaluate(X * scale, y, b), np.zeros(4), 1e-10, 60)
    assert plain.verdict == "converged"
    found = scaled.best.coefficients * scale
    np.testing.assert_allclose(found, plain.best.coefficients, atol=1e-5 if max(units) > 1 else 1e-8)


def test_inverse_is_the_inverse():
    rng = np.random.default_rng(1)
    A, units = rng.normal(size=(9, 4)), np.array([1, 1e3, 1e-4, 10])
    inverse = newton.invert((A * units).T @ (A * units))
    np.testing.assert_allclose(inverse * np.outer(units, units) @ (A.T @ A), np.eye(4), atol=1e-12)


def test_information_that_is_not_a_number_has_no_inverse():
    assert newton.invert(np.array([[np.nan]])) is None
    assert newton.invert(np.array([[-1.0]])) is None
