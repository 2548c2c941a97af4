"""Attacks on what is told of a model's performance, each with its positive control."""

from itertools import pairwise

import numpy as np
import pytest

from tests.releases import UNROUNDED, people, released
from vitrail.analyses.predict.design import IndexDates
from vitrail.analyses.predict.validation import validate
from vitrail.disclosure import links, risk_bins, thresholds
from vitrail.disclosure.attacks import Knowledge, Name, knowledge
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.disclosure.result import Raw, RawCount, RawDiscrimination, RawRiskBins, RawThresholds
from vitrail.errors import Refusal
from vitrail.study.release import SUPPRESSED, Discrimination, Release, RiskBins, Thresholds

POLICIES = pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
NEGATIVES_RISK = tuple(np.linspace(0.01, 0.99, 600))


def validation(group: str, y: list[bool], risk: list[float], at: tuple[float, ...] = ()) -> tuple[Raw, ...]:
    """What the analysis computes of one row for each person."""
    linear = np.log(np.array(risk) / (1 - np.array(risk)))
    X = np.asfortranarray(np.column_stack([np.ones(len(y)), linear]))
    dates = IndexDates(X, np.array(y), np.arange(len(y)))
    return validate("fit", group, [0.0, 1.0], dates, at)


def finds(known: Knowledge, name: Name) -> bool:
    reached = known.ranges([name])[name]
    return reached.within(1, 10) or reached.low == reached.high


# One person of a class: the AUROC is that person's rank.


def test_an_auroc_with_one_negative_is_that_persons_rank() -> None:
    """As at the Swiss hospital of the UCI heart disease data, which has one negative."""
    risk = [0.1 + 0.02 * each for each in range(40)]
    raw = validation("all persons", [each != 29 for each in range(40)], risk)
    discrimination = released(*raw, policy=PUBLIC_DATA).estimates[0]
    assert isinstance(discrimination, Discrimination)
    assert (1 - discrimination.auroc) * 39 == pytest.approx(29)  # type: ignore[operator]


@pytest.mark.parametrize("few", [1, 12])
@pytest.mark.parametrize("outcome", [True, False])
def test_nothing_is_told_of_a_class_of_few(few: int, outcome: bool) -> None:
    risk = [0.01 + 0.0015 * each for each in range(600)]
    raw = validation("all persons", [(each < few) == outcome for each in range(600)], risk, (0.2, 0.5))
    discrimination, calibration, bins, table = released(*raw).estimates
    for name in ("positives", "negatives", "auroc", "low", "high"):
        assert getattr(discrimination, name) == SUPPRESSED
    for name in ("events", "observed_expected", "intercept", "intercept_se", "slope", "slope_se"):
        assert getattr(calibration, name) == SUPPRESSED
    assert calibration.rows == 600
    assert bins.bins == ()
    for row in table.rows:
        assert set(row.model_dump().values()) == {row.threshold, SUPPRESSED}


# Two rows of a threshold table differ by few people.


def close_rows(policy: Policy) -> Release:
    """Six people with the outcome have a risk between 0.50 and 0.52."""
    positives = [*np.linspace(0.02, 0.49, 150), *[0.51] * 6, *np.linspace(0.53, 0.97, 150)]
    y = [True] * len(positives) + [False] * len(NEGATIVES_RISK)
    return released(*validation("all persons", y, [*positives, *NEGATIVES_RISK], (0.2, 0.5, 0.52, 0.8)), policy=policy)


LOW, HIGH = (("above", "positives", "fit", "all persons", at) for at in (0.5, 0.52))
BETWEEN: Name = ("rest", *LOW, "less", *HIGH)


def test_two_rows_give_away_who_is_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "_kept", lambda cuts, *_: {cut.at: cut for cut in cuts})
    monkeypatch.setattr(risk_bins, "_merged", lambda *_: [])
    assert knowledge([close_rows(UNROUNDED)], 1).ranges([BETWEEN])[BETWEEN].within(6, 6)


@POLICIES
def test_rows_that_differ_by_few_are_suppressed(policy: Policy) -> None:
    release = close_rows(policy)
    known = knowledge([release], policy.rounding)
    assert not finds(known, BETWEEN)
    table = release.estimates[3]
    assert isinstance(table, Thresholds)
    assert [row.true_positives == SUPPRESSED for row in table.rows] == [False, False, True, False]


@POLICIES
def test_a_row_with_few_on_one_side_is_suppressed(policy: Policy) -> None:
    """Of people with the outcome, five are above the higher threshold and five below the lower one."""
    positives = [*[0.05] * 5, *np.linspace(0.3, 0.7, 200), *[0.95] * 5]
    y = [True] * len(positives) + [False] * len(NEGATIVES_RISK)
    raw = validation("all persons", y, [*positives, *NEGATIVES_RISK], (0.1, 0.5, 0.9))
    table = released(*raw, policy=policy).estimates[3]
    exact = released(*raw, policy=PUBLIC_DATA).estimates[3]
    assert isinstance(table, Thresholds)
    assert isinstance(exact, Thresholds)
    assert (exact.rows[0].false_negatives, exact.rows[2].true_positives) == (5, 5)
    assert [row.true_positives == SUPPRESSED for row in table.rows] == [True, False, True]
    assert [row.false_negatives == SUPPRESSED for row in table.rows] == [True, False, True]


# A row of the table and an edge of a bin differ by few people.


def close_edge(policy: Policy) -> tuple[Release, RawRiskBins]:
    """Four people with the outcome have a risk between an edge of the fine grid and a threshold just above."""
    edges = (0.0, 0.25, 0.5, 0.75, 1.0)
    positives, negatives = (100, 104, 96, 100), (100, 100, 100, 100)
    raw = RawRiskBins(
        "fit",
        "all persons",
        edges,
        tuple(map(people, positives)),
        tuple(map(people, negatives)),
        (25.0, 70, 120, 175),
        1,
    )
    row = (0.51, people(192), people(160), people(208), people(240))
    everyone = RawDiscrimination("fit", "all persons", people(400), people(400), 0.6, 0.5, 0.7)
    return released(everyone, raw, RawThresholds("fit", "all persons", (row,), 1), policy=policy), raw


PIECE: Name = ("piece", "positives", "fit", "all persons", 0.5)


def test_an_edge_and_a_row_give_away_who_is_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_bins, "_merged", lambda raw, _: list(raw.edges))
    release, _ = close_edge(UNROUNDED)
    assert knowledge([release], 1).ranges([PIECE])[PIECE].within(4, 4)


@POLICIES
def test_an_edge_too_near_a_row_is_merged_away(policy: Policy) -> None:
    release, raw = close_edge(policy)
    bins = release.estimates[1]
    assert isinstance(bins, RiskBins)
    assert 0.5 not in {each.low for each in bins.bins}
    assert len(bins.bins) >= 2
    assert {bins.bins[0].low, bins.bins[-1].high} == {raw.edges[0], raw.edges[-1]}
    assert all(low.high == high.low for low, high in pairwise(bins.bins))


# All persons less the locked test persons are those of the fit.


def both_groups(policy: Policy) -> tuple[Release, Knowledge]:
    test = RawDiscrimination("fit", "test persons", people(95), people(300), 0.7, 0.6, 0.8)
    everyone = RawDiscrimination("without", "all persons", people(100), people(400), 0.7, 0.6, 0.8)
    release = released(test, everyone, policy=policy)
    return release, knowledge([release], policy.rounding)


FITTED: Name = ("rest", "positives", "all persons", "less", "positives", "test persons")


def test_two_groups_give_away_their_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_tested", lambda _: [])
    assert finds(both_groups(DEFAULT)[1], FITTED)


@POLICIES
def test_two_groups_give_nothing_away(policy: Policy) -> None:
    release, known = both_groups(policy)
    assert not finds(known, FITTED)
    test, everyone = release.estimates
    assert isinstance(test, Discrimination)
    assert isinstance(everyone, Discrimination)
    assert test.positives == 95
    assert (everyone.positives, everyone.auroc) == (SUPPRESSED, SUPPRESSED)


FITTED_ROWS: Name = ("rest", "rows", "all persons", "less", "rows", "test persons")


def few_fitted(policy: Policy) -> Knowledge:
    """Seven people take part in the fit, four of them with the outcome."""
    risk = np.linspace(0.1, 0.9, 600)
    y = [each % 2 > 0 for each in range(600)]
    test = validation("test persons", y[7:], list(risk[7:]))
    everyone = validation("all persons", y, list(risk))
    return knowledge([released(*test, *everyone, policy=policy)], policy.rounding)


def test_all_rows_give_away_the_few_that_are_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_tested", lambda _: [])
    assert finds(few_fitted(UNROUNDED), FITTED_ROWS)


@POLICIES
def test_all_rows_give_nothing_away(policy: Policy) -> None:
    assert not finds(few_fitted(policy), FITTED_ROWS)


# Estimates that do not say of whom they are.


def test_estimates_of_one_group_that_disagree_are_refused() -> None:
    discrimination = RawDiscrimination("fit", "all persons", people(100), people(400), 0.7, 0.6, 0.8)
    other = RawDiscrimination("other", "all persons", people(97), people(400), 0.7, 0.6, 0.8)
    table = RawThresholds("fit", "test persons", ((0.5, people(50), people(50), people(50), people(350)),))
    for pair in ((discrimination, other), (discrimination, table)):
        with pytest.raises(Refusal, match="do not agree"):
            released(*pair)


@pytest.mark.parametrize(("most", "bins"), [(0, 1), (18, 1), (5, 1), (1, 2)])
def test_neighbouring_bins_of_the_same_few_people_do_not_add_up_to_many(most: int, bins: int) -> None:
    """Five people with three rows in each of six bins may be five people, and are fifteen in three bins at most."""
    rows = 5 if most == 1 else 15
    few, many = (RawCount(5, rows),) * 6, (people(50),) * 6
    everyone = RawDiscrimination("fit", "all persons", RawCount(18, 6 * rows), people(300), 0.6, 0.5, 0.7)
    edges = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
    raw = RawRiskBins("fit", "all persons", edges, few, many, (1.0,) * 6, 15, most)
    assert len(released(everyone, raw).estimates[1].bins) == bins
