"""Discrimination and calibration where they hardly exist, and what they do not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.stats.calibration import calibration
from vitrail.stats.discrimination import auroc


@pytest.mark.parametrize("y", [[], [1, 1], [0, 0, 0]])
def test_one_class_has_no_auroc(y):
    found = auroc(np.array(y, bool), np.arange(len(y), dtype=float), np.arange(len(y)))
    assert np.isnan([found.auroc, found.low, found.high]).all()


def test_an_auroc_on_one_persons_negatives_has_no_interval():
    found = auroc(np.array([1, 1, 0, 0], bool), np.array([1.0, 2, 0.5, 1.5]), np.array([1, 2, 3, 3]))
    assert found.auroc == 0.75
    assert np.isnan([found.low, found.high]).all()


def test_perfect_separation_claims_no_certainty():
    found = auroc(np.array([0, 0, 1, 1], bool), np.arange(4.0), np.arange(4))
    assert found.auroc == 1
    assert np.isnan([found.low, found.high]).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4), st.integers(0, 6)), min_size=1, max_size=40))
def test_auroc_turns_with_the_scores_and_ignores_order(rows):
    y, scores, person = (np.array(column) for column in zip(*rows, strict=True))
    found = auroc(y, scores.astype(float), person)
    turned = auroc(y, -scores.astype(float), person)
    order = np.argsort(person, kind="stable")[::-1]
    shuffled = auroc(y[order], np.exp(scores[order]), person[order])
    assert found.auroc == pytest.approx(1 - turned.auroc, nan_ok=True, abs=1e-12)
    assert found.variance == pytest.approx(turned.variance, nan_ok=True, abs=1e-12)
    assert found.variance == pytest.approx(shuffled.variance, nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("y", [[], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]])
def test_a_calibration_slope_that_does_not_exist_is_not_a_number(y):
    linear = np.arange(len(y), dtype=float)
    found = calibration(np.array(y, bool), linear, np.arange(len(y)))
    assert np.isnan([found.slope, found.slope_se]).all()


def test_risks_all_alike_have_no_slope_but_an_intercept():
    found = calibration(np.array([1, 0, 0, 0], bool), np.zeros(4), np.arange(4))
    assert np.isnan(found.slope)
    assert found.intercept == pytest.approx(np.log(1 / 3), abs=1e-9)
    assert found.observed_expected == 0.5


def test_the_rows_of_a_person_repeated_add_no_certainty():
    rng = np.random.default_rng(0)
    linear = rng.normal(size=400)
    y = rng.random(400) < 1 / (1 + np.exp(-linear))
    once = calibration(y, linear, np.arange(400))
    twice = calibration(np.repeat(y, 2), np.repeat(linear, 2), np.repeat(np.arange(400), 2))
    assert twice.slope == pytest.approx(once.slope, abs=1e-8)
    assert twice.slope_se == pytest.approx(once.slope_se, rel=0.1)
