"""Attacks on the rounds of a fit, each with its positive control: the same attack where the data are public."""

import time
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.releases import head, released
from vitrail.analyses.predict.design import Design, IndexDates
from vitrail.analyses.predict.run import answer
from vitrail.disclosure import model_update
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.disclosure.result import RawCount, RawModelUpdate
from vitrail.errors import Refusal
from vitrail.study.analyses.predict import FitAsk, Predict, PredictAsk
from vitrail.study.covariates import Covariate
from vitrail.study.release import ModelUpdate, Release

Floats = NDArray[np.float64]

SPECIFICATION = Predict(
    kind="predict", target="t", outcome="o", horizon=(1, 365), covariates=(Covariate(name="age", age=True),)
)


def update(
    X: Floats, y: NDArray[np.bool_], coefficients: Sequence[float], person: NDArray[np.int64] | None = None
) -> RawModelUpdate:
    """What the analysis computes of a design; columns of zeros and ones are binary."""
    n, p = X.shape
    binary = np.array([False, *(set(np.unique(column)) <= {0.0, 1.0} for column in X.T[1:])])
    columns = ("intercept", *(f"x{each}" for each in range(1, p)))
    dates = IndexDates(np.asfortranarray(X), y, np.arange(n) if person is None else person)
    built = Design(columns, binary, dates, np.zeros(n, dtype=bool), RawCount(0, 0), RawCount(0, 0))
    asked = PredictAsk(fits=(FitAsk(fit="fit", sites=("somewhere",), coefficients=tuple(coefficients)),))
    (raw,) = answer(SPECIFICATION, asked, built, "somewhere").estimates
    assert isinstance(raw, RawModelUpdate)
    return raw


def only(release: Release) -> tuple[Floats, Floats]:
    """Gradient and information matrix of a Release's one update."""
    (estimate,) = release.estimates
    assert isinstance(estimate, ModelUpdate)
    p = len(estimate.gradient)
    information = np.zeros((p, p))
    information[np.triu_indices(p)] = estimate.information
    return np.array(estimate.gradient), information + np.triu(information, 1).T


def refused(raw: RawModelUpdate, *whys: str, code: str = "disclosure", earlier: Sequence[Release] = ()) -> None:
    with pytest.raises(Refusal) as refusal:
        released(raw, earlier=earlier, number=len(earlier))
    assert refusal.value.code == code
    for why in whys:
        assert why in refusal.value.what


def people(counts: Sequence[tuple[int, tuple[float, ...]]]) -> tuple[Floats, NDArray[np.bool_]]:
    """So many people with each row of covariates and outcome (last)."""
    rows = np.array([row for count, row in counts for _ in range(count)], dtype=float)
    return np.column_stack([np.ones(len(rows)), rows[:, :-1]]), rows[:, -1] > 0


def safe_binaries(columns: int, each: int = 40) -> tuple[Floats, NDArray[np.bool_]]:
    return people([(each, row) for row in product((0.0, 1.0), repeat=columns + 1)])


def test_a_safe_update_is_released_exactly() -> None:
    X, y = safe_binaries(2)
    gradient, information = only(released(update(X, y, [0.0] * 3)))
    np.testing.assert_allclose(gradient, X.T @ (y - 0.5), atol=1e-12)
    np.testing.assert_allclose(information, X.T @ X / 4, atol=1e-12)


# At coefficients of zero, X'WX and X'(y - p) are contingency tables.


def one_with_both() -> tuple[Floats, NDArray[np.bool_]]:
    """One person has both conditions."""
    outcomes = ((200, (0, 0)), (100, (1, 0)), (200, (0, 1)))
    halves = [(count // 2, (*row, outcome)) for count, row in outcomes for outcome in (0, 1)]
    return people([*halves, (1, (1, 1, 1))])


def test_the_first_round_counts_the_people_with_both_of_two_conditions() -> None:
    X, y = one_with_both()
    raw = update(X, y, [0.0] * 3)
    assert 4 * only(released(raw, policy=PUBLIC_DATA))[1][1, 2] == pytest.approx(1)
    refused(raw, "x1, x2: fewer than 11 people with some levels together")


def test_the_first_round_counts_the_events_among_the_people_with_a_condition() -> None:
    X, y = people([(200, (0, 0)), (200, (0, 1)), (60, (1, 0)), (2, (1, 1))])
    raw = update(X, y, [0.0] * 2)
    gradient, information = only(released(raw, policy=PUBLIC_DATA))
    assert gradient[1] + 2 * information[0, 1] == pytest.approx(2)
    refused(raw, "x1: fewer than 11 people at a level, or at one by outcome")


@pytest.mark.parametrize(("with_condition", "safe"), [(60, False), (120, True)])
def test_that_nobody_with_a_condition_had_the_outcome_is_told_of_many_only(with_condition: int, safe: bool) -> None:
    X, y = people([(200, (0, 0)), (200, (0, 1)), (with_condition, (1, 0))])
    raw = update(X, y, [0.0] * 2)
    if safe:
        assert only(released(raw))[0].shape == (2,)
    else:
        refused(raw, "x1: fewer than 11 people at a level")


def one_hot(reference: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Three columns of a group with four levels, and a number."""
    rng = np.random.default_rng(1)
    level = np.repeat(np.arange(4), [reference, 150, 150, 150])
    X = np.column_stack([np.ones(len(level)), *(level == each for each in (1, 2, 3)), rng.normal(size=len(level))])
    return X, np.arange(len(level)) % 2 > 0


def test_what_is_left_of_the_first_round_counts_the_people_at_the_reference_level() -> None:
    raw = update(*one_hot(4), [0.0] * 5)
    information = 4 * only(released(raw, policy=PUBLIC_DATA))[1]
    assert information[0, 0] - information[0, 1:4].sum() == pytest.approx(4)
    refused(raw, "x1, x2, x3: fewer than 11 people with some levels together")


def test_a_one_hot_group_passes_where_every_level_is_of_enough() -> None:
    """That nobody is at two levels of one is a matter of course."""
    assert only(released(update(*one_hot(50), [0.0] * 5)))[0].shape == (5,)


# Groups of columns that exclude each other can be exponentially many.


def rare(columns: int) -> tuple[Floats, NDArray[np.bool_]]:
    """One column that nearly everybody has, and many that one person each has."""
    member = np.zeros((1000, 1 + columns), dtype=bool)
    member[columns + 3 :, 0] = True
    member[np.arange(columns), 1 + np.arange(columns)] = True
    return numbered(member)


def numbered(member: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """So that not all columns are binary, a number beside them."""
    n = len(member)
    X = np.column_stack([np.ones(n), member, np.random.default_rng(6).normal(size=n)])
    return X, np.arange(n) % 2 > 0


def twins(blocks: int, rest: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Two columns for the people of each block, who have both, and some people in no block."""
    block = np.append(np.repeat(np.arange(blocks), 48), np.full(rest, -1))
    return numbered(np.repeat(block[:, None] == np.arange(blocks), 2, axis=1))


def rings(blocks: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Five columns for the people of each block, each shared with the next, the last with the first."""
    part = np.repeat(np.arange(5 * blocks), 24)
    first = part[:, None] == np.arange(5 * blocks)
    second = part[:, None] == np.arange(5 * blocks) // 5 * 5 + (np.arange(5 * blocks) + 1) % 5
    return numbered(first | second)


def test_columns_that_few_people_have_are_refused_at_once() -> None:
    raw = update(*rare(30), [0.0] * 33)
    start = time.perf_counter()
    refused(raw, "fewer than 11 people at a level")
    assert time.perf_counter() - start < 1


def test_twins_of_a_one_hot_group_are_judged_at_once() -> None:
    safe, thin = update(*twins(15, 50), [0.0] * 32), update(*twins(15, 4), [0.0] * 32)
    start = time.perf_counter()
    assert len(released(safe).estimates) == 1
    refused(thin, "fewer than 11 people with some levels together")
    assert time.perf_counter() - start < 1


def test_groups_that_are_too_many_to_judge_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = update(*rings(12), [0.0] * 62)
    start = time.perf_counter()
    refused(raw, "too many groups of its binary columns exclude each other")
    assert time.perf_counter() - start < 1
    monkeypatch.setattr(model_update, "_thin_groups", lambda raw, _: np.zeros(len(raw.columns), dtype=bool))
    assert len(released(raw).estimates) == 1


# Rounds are linear equations in the joint patterns (Huth et al. solve such systems through a sequence of sums).

PATTERNS = np.array(list(product((0.0, 1.0), repeat=3)))


def patterns(rarest: int) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Every pair of levels is of 60 people or more, one joint pattern of ``rarest`` with, and so many without."""
    counts = np.array([60, 60, 60, 60, 60, 60, 60, rarest])
    X, y = people(
        [(int(count), (*row, outcome)) for row, count in zip(PATTERNS, counts, strict=True) for outcome in (0, 1)]
    )
    return X, y, 2 * counts


def solved(releases: Sequence[Release], coefficients: Sequence[Sequence[float]]) -> Floats:
    """The people with each joint pattern, by least squares over all entries of all information matrices."""
    designs = np.column_stack([np.ones(8), PATTERNS])
    equations, values = [], []
    for release, point in zip(releases, coefficients, strict=True):
        risk = 1 / (1 + np.exp(-designs @ np.array(point)))
        products = designs[:, :, None] * designs[:, None, :] * (risk * (1 - risk))[:, None, None]
        equations.append(products.reshape(8, -1).T)
        values.append(only(release)[1].ravel())
    return np.linalg.lstsq(np.vstack(equations), np.concatenate(values), rcond=None)[0]


ROUNDS = ([0.0] * 4, [-0.4, 0.3, -0.5, 0.7])


def test_two_rounds_solve_for_a_joint_pattern_of_two_people_though_all_pairs_are_large() -> None:
    X, y, counts = patterns(1)
    raws = [update(X, y, point) for point in ROUNDS]
    found = solved([released(raw, policy=PUBLIC_DATA) for raw in raws], ROUNDS)
    np.testing.assert_allclose(found, counts, atol=1e-6)
    for raw in raws:
        refused(raw, "fewer than 11 people share some joint pattern")
    X, y, _ = patterns(11)
    assert len(released(update(X, y, ROUNDS[0])).estimates) == 1


# Extreme coefficients leave the weight to one person.


def isolating(X: Floats, target: int) -> list[float]:
    """Coefficients at which the risk of ``target`` is a half and that of everybody else is next to 0 or 1."""
    return [-1e3 * X[target, 1], 1e3, 0.0]


def someone() -> tuple[Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    first = rng.permutation(400) / 10.0  # the target's value lies a tenth from the next
    return np.column_stack([np.ones(400), first, rng.normal(size=400)]), rng.random(400) < 0.5


def test_extreme_coefficients_read_one_persons_row() -> None:
    X, y = someone()
    raw = update(X, y, isolating(X, 17))
    information = only(released(raw, policy=PUBLIC_DATA))[1]
    np.testing.assert_allclose(information[0] / information[0, 0], X[17], atol=1e-6)
    refused(raw, "the rows weigh as fewer than 60", "one person is more than 25% of a sum")


@pytest.mark.parametrize("scale", [1e1, 1e2, 1e3, 1e4, 1e6])
def test_no_extreme_coefficients_pass(scale: float) -> None:
    X, y = someone()
    assert released(update(X, y, [0.0] * 3)).refused is None
    refused(update(X, y, [-scale * 20, scale, 0.0]))


def test_an_outlier_is_read_from_a_sum_that_he_dominates() -> None:
    X, y = someone()
    X[5, 2] = 1e5
    raw = update(X, y, [0.0] * 3)
    information = only(released(raw, policy=PUBLIC_DATA))[1]
    assert np.sqrt(4 * information[2, 2]) == pytest.approx(1e5, rel=1e-5)
    refused(raw, "one person is more than 25% of a sum")


# Few people, many columns; many rows of few people; many rounds.


def test_as_many_columns_as_people_give_away_every_row() -> None:
    """With X known but for one column, a square X solves y from X'(y - p)."""
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(8), rng.normal(size=(8, 7))])
    y = np.array([1, 0, 1, 1, 0, 0, 1, 0]) > 0
    raw = update(X, y, [0.0] * 8)
    gradient, _ = only(released(raw, policy=PUBLIC_DATA))
    np.testing.assert_allclose(np.linalg.solve(X.T, gradient) + 0.5, y, atol=1e-9)
    refused(raw, "8 columns need 160 people", "fewer than 10 residual degrees of freedom")


def test_many_rows_of_few_people_are_few_people() -> None:
    X, y = safe_binaries(2)
    refused(update(X, y, [0.0] * 3, np.sort(np.arange(len(y)) % 50)), "3 columns need 60 people")


def test_the_people_for_each_column_are_twenty() -> None:
    rng = np.random.default_rng(4)
    X = np.column_stack([np.ones(400), rng.normal(size=(400, 20))])
    y = rng.random(400) < 0.5
    refused(update(X, y, [0.0] * 21), "21 columns need 420 people")
    assert len(released(update(X[:, :20], y, [0.0] * 20)).estimates) == 1


def rounds(number: int, policy: Policy = DEFAULT) -> list[Release]:
    X, y = safe_binaries(2)
    raw = update(X, y, [0.0] * 3)
    first = released(raw, policy=policy)
    return [first.model_copy(update={"round": each}) for each in range(number)]


def test_a_site_counts_its_rounds() -> None:
    X, y = safe_binaries(2)
    raw = update(X, y, [0.0] * 3)
    assert released(raw, earlier=rounds(29), number=29).round == 29
    refused(raw, "answered 30 times", code="too_many_rounds", earlier=rounds(30))


def test_rounds_of_others_and_the_same_round_again_do_not_count() -> None:
    X, y = safe_binaries(2)
    raw = update(X, y, [0.0] * 3)
    others = [each.model_copy(update={"site": "elsewhere"}) for each in rounds(30)]
    again = [each.model_copy(update={"round": 5}) for each in rounds(30)]
    assert released(raw, earlier=[*others, *again], number=5).round == 5


def test_a_site_counts_the_numbers_that_left() -> None:
    X, y = safe_binaries(2)
    raw = update(X, y, [0.0] * 3)
    policy = DEFAULT.model_copy(update={"max_numbers": 35})  # a round of three columns has 3 + 6 + 1
    assert released(raw, policy=policy, earlier=rounds(2), number=2).policy == head(policy).policy
    with pytest.raises(Refusal) as refusal:
        released(raw, policy=policy, earlier=rounds(3), number=3)
    assert refusal.value.code == "too_many_rounds"


def test_the_steward_is_told_what_would_pass() -> None:
    X, y = one_with_both()
    with pytest.raises(Refusal) as refusal:
        released(update(X, y, [0.0] * 3))
    assert refusal.value.do == "Leave out or merge x1, x2, or let this site only validate."
    released(update(X[:, [0, 2]], y, [0.0] * 2))


@pytest.mark.parametrize("policy", [DEFAULT, PUBLIC_DATA])
def test_a_number_that_is_none_is_refused(policy: Policy) -> None:
    X, y = safe_binaries(2)
    raw = update(X, y, [0.0] * 3)
    raw.gradient[1] = np.nan
    with pytest.raises(Refusal) as refusal:
        released(raw, policy=policy)
    assert refusal.value.code == "cannot_compute"
