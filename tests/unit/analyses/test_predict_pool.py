"""Predict in front of the glass: rounds, restarts, verdicts; sites are arrays of rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from vitrail.analyses.predict import pool
from vitrail.errors import WireError
from vitrail.stats import logistic, newton
from vitrail.study.analyses.predict import ALL_SITES, Predict, PredictAsk
from vitrail.study.release import CountTable, Discrimination, ModelUpdate, Release
from vitrail.study.study import Question, Round

STUDY = "sha256:" + "0" * 64
Rows = tuple[np.ndarray, np.ndarray]


def specification(columns: int, **changes: object) -> Predict:
    covariates = [{"name": f"x{n}", "has": {"condition": "any"}, "days": [None, 0]} for n in range(1, columns)]
    given = {"kind": "predict", "target": "t", "outcome": "o", "horizon": [1, 365], "covariates": covariates}
    return Predict.model_validate({**given, **changes}, strict=False)


def rows(seed: int, n: int, columns: int = 4, steep: float = 1) -> Rows:
    """Rows of a logistic model; the steeper, the more Newton steps it takes."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, columns - 1))])
    return X, rng.random(n) < expit(steep * X @ np.linspace(-1, 1, columns))


def released(site: str, ask: PredictAsk, number: int, data: Rows) -> Release:
    """What a site answers: exact updates, and for each validation a discrimination of known numbers."""
    X, y = data
    estimates: list[object] = []
    if site in ask.index_dates:
        cells = ({"label": "used for fitting", "count": len(y)},)
        estimates.append(CountTable.model_validate(
            {"name": "index dates", "of": "t", "unit": "index dates", "cells": cells, "total": len(y)}
        ))  # fmt: skip
    for fit in ask.fits:
        if site in fit.sites:
            point = logistic.evaluate(X, y, np.array(fit.coefficients))
            upper = tuple(point.information[np.triu_indices(X.shape[1])].tolist())
            estimates.append(ModelUpdate(
                fit=fit.fit, rows=len(y), events=int(y.sum()), log_likelihood=point.log_likelihood,
                gradient=tuple(point.gradient.tolist()), information=upper,
            ))  # fmt: skip
    estimates += [
        Discrimination(fit=v.fit, group=v.group, positives=1, negatives=1, auroc=0.5, low=0.4, high=0.6)
        for v in ask.validations
        if site in v.sites
    ]
    return Release(
        study=STUDY, analysis="a", round=number, site=site, snapshot=STUDY, policy=STUDY, question=STUDY,
        estimates=tuple(estimates),
    )  # fmt: skip


def play(given: Predict, sites: Mapping[str, Rows], refusing: Mapping[str, int] | None = None) -> list[Round]:
    """All rounds; a site in ``refusing`` refuses from that round on."""
    rounds: list[Round] = []
    refusing = refusing or {}
    while len(rounds) < given.max_rounds:
        gone = {site for each in rounds for site, release in each.releases.items() if release.refused}
        ask = pool.ask(given, [site for site in sites if site not in gone], rounds)
        if ask is None:
            break
        rounds.append(answered(ask, len(rounds), sites, refusing))
    return rounds


def answered(ask: PredictAsk, number: int, sites: Mapping[str, Rows], refusing: Mapping[str, int]) -> Round:
    asked = sorted({site for part in (*ask.fits, *ask.validations) for site in part.sites})
    question = Question(study=STUDY, analysis="a", round=number, sites=tuple(asked), follows=(), ask=ask)
    releases = {}
    for site in asked:
        release = released(site, ask, number, sites[site])
        if number >= refusing.get(site, 10**6):
            release = release.model_copy(update={"refused": "disclosure", "estimates": ()})
        releases[site] = release
    return Round(question, releases)


def pooled(data: Sequence[Rows]) -> newton.State:
    X, y = np.concatenate([X for X, _ in data]), np.concatenate([y for _, y in data])
    return newton.maximise(lambda b: logistic.evaluate(X, y, b), np.zeros(X.shape[1]), 1e-10, 60)


def estimates(evidence: object, name: str = ALL_SITES) -> list[float]:
    fit = next(fit for fit in evidence.fits if fit.name == name)
    assert fit.converged
    return [coefficient.estimate for coefficient in fit.coefficients]


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 299), max_size=5))
def test_any_partition_of_the_rows_gives_the_fit_of_all_rows(seed, cuts):
    X, y = rows(seed, 300)
    parts = np.split(np.arange(300), sorted(set(cuts)))
    order = np.random.default_rng(seed).permutation(300)
    sites = {f"s{n}": (X[order[part]], y[order[part]]) for n, part in enumerate(parts)}
    given = specification(4, test_share=0.0)
    evidence = pool.combine(given, play(given, sites))
    truth = pooled([(X, y)])
    np.testing.assert_allclose(estimates(evidence), truth.best.coefficients, rtol=0, atol=1e-8)
    errors = [coefficient.se for coefficient in evidence.fits[0].coefficients]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(newton.invert(truth.best.information))), rtol=0, atol=1e-8)


def test_the_first_question_is_at_zero_and_asks_for_the_index_dates():
    ask = pool.ask(specification(3, develop_at=["a", "b"]), ["c", "b", "a"], [])
    assert [(fit.fit, fit.sites, fit.coefficients) for fit in ask.fits] == [(ALL_SITES, ("a", "b"), (0.0, 0.0, 0.0))]
    assert ask.index_dates == ("a", "b")


def test_each_fit_stops_on_its_own_and_then_all_are_validated_once():
    sites = {"a": rows(1, 400), "b": rows(2, 300), "c": rows(3, 200), "d": rows(4, 100)}
    given = specification(4, leave_one_site_out=True, develop_at=["a", "b", "c"])
    rounds = play(given, sites)
    asks = [each.question.ask for each in rounds]
    assert all(bool(ask.fits) != bool(ask.validations) for ask in asks)
    assert [bool(ask.validations) for ask in asks] == [False] * (len(asks) - 1) + [True]
    assert {fit.fit for fit in asks[0].fits} == {ALL_SITES, "without a", "without b", "without c"}
    validated = {(part.fit, part.sites, part.group) for part in asks[-1].validations}
    assert validated == {
        (ALL_SITES, ("a", "b", "c"), "test persons"),
        (ALL_SITES, ("d",), "all persons"),
        ("without a", ("a",), "all persons"),
        ("without b", ("b",), "all persons"),
        ("without c", ("c",), "all persons"),
    }
    assert [ask.index_dates for ask in asks] == [("a", "b", "c")] + [()] * (len(asks) - 2) + [("d",)]
    assert pool.ask(given, list(sites), rounds) is None
    evidence = pool.combine(given, rounds)
    assert set(evidence.index_dates) == {"a", "b", "c", "d"}
    assert {(each.fit, each.site) for each in evidence.validations} >= {(ALL_SITES, "d"), ("without b", "b")}
    assert all(each.discrimination is not None and each.bins is None for each in evidence.validations)
    truth = pooled([sites["a"], sites["c"]]).best.coefficients
    np.testing.assert_allclose(estimates(evidence, "without b"), truth, rtol=0, atol=1e-8)
    validating = {part.fit: part.coefficients for part in asks[-1].validations}
    assert list(validating["without b"]) == estimates(evidence, "without b")


@pytest.mark.parametrize("number", [0, 1, 3, 5])
def test_when_a_site_refuses_its_fits_start_again_without_it(number):
    sites = {"a": rows(1, 400), "b": rows(2, 300), "c": rows(3, 200)}
    given = specification(4, leave_one_site_out=True)
    rounds = play(given, sites, {"b": number})
    evidence = pool.combine(given, rounds)
    if "b" not in evidence.refused:
        pytest.fail("the site was not asked in that round")
    assert evidence.refused == {"b": "disclosure"}
    restarted = [fit for fit in rounds[number + 1].question.ask.fits if fit.fit == ALL_SITES]
    assert [(fit.sites, set(fit.coefficients)) for fit in restarted] == [(("a", "c"), {0.0})]
    assert {fit.name: fit.sites for fit in evidence.fits} == {
        ALL_SITES: ("a", "c"),
        "without a": ("c",),
        "without c": ("a",),
    }
    truth = pooled([sites["a"], sites["c"]]).best.coefficients
    np.testing.assert_allclose(estimates(evidence), truth, rtol=0, atol=1e-8)
    assert {each.site for each in evidence.validations} == {"a", "c"}


def test_a_fit_that_has_converged_starts_again_too_when_one_of_its_sites_refuses():
    sites = {"a": rows(1, 400), "b": rows(2, 300), "c": rows(3, 2000, steep=6)}
    given = specification(4, leave_one_site_out=True)
    before = {fit.name: fit.rounds for fit in pool.combine(given, play(given, sites)).fits}
    assert before["without c"] < before[ALL_SITES]
    evidence = pool.combine(given, play(given, sites, {"b": before[ALL_SITES] - 1}))
    assert {fit.name for fit in evidence.fits} == {ALL_SITES, "without a", "without c"}
    assert all(fit.converged and "b" not in fit.sites for fit in evidence.fits)
    assert next(fit for fit in evidence.fits if fit.name == "without c").rounds > before["without c"]


def test_a_refusal_to_validate_changes_no_fit():
    sites = {"a": rows(1, 400), "b": rows(2, 300)}
    given = specification(4)
    length = len(play(given, sites))
    evidence = pool.combine(given, play(given, sites, {"b": length - 1}))
    assert evidence.fits[0].sites == ("a", "b")
    assert [each.site for each in evidence.validations] == ["a"]
    assert evidence.refused == {"b": "disclosure"}


def test_no_site_left_leaves_no_fit():
    given = specification(4)
    rounds = play(given, {"a": rows(1, 50), "b": rows(2, 50)}, {"a": 0, "b": 0})
    assert len(rounds) == 1
    evidence = pool.combine(given, rounds)
    assert evidence.fits == ()
    assert set(evidence.refused) == {"a", "b"}


def test_nobody_to_develop_means_no_question():
    given = specification(4, develop_at=["z"])
    assert pool.ask(given, ["a", "b"], []) is None
    assert pool.combine(given, []).fits == ()


def test_a_fit_that_runs_out_of_rounds_is_said_and_not_validated():
    given = specification(4, max_rounds=4)
    rounds = play(given, {"a": rows(1, 400)})
    assert len(rounds) == 3
    assert all(each.question.ask.fits for each in rounds)
    [fit] = pool.combine(given, rounds).fits
    assert (fit.converged, fit.stopped, fit.coefficients, fit.rounds) == (False, "rounds", (), 3)
    assert fit.log_likelihood > -400 * np.log(2)


def test_the_last_question_is_kept_for_the_fits_that_have_converged():
    given = specification(4, leave_one_site_out=True)
    sites = {"a": rows(1, 400), "b": rows(2, 2000, steep=6)}
    counts = {fit.name: fit.rounds for fit in pool.combine(given, play(given, sites)).fits}
    assert counts["without b"] < counts["without a"]
    short = given.model_copy(update={"max_rounds": counts["without a"]})
    rounds = play(short, sites)
    assert len(rounds) == counts["without a"]
    evidence = pool.combine(short, rounds)
    stopped = {fit.name: fit.stopped for fit in evidence.fits}
    assert (stopped["without b"], stopped["without a"]) == ("converged", "rounds")
    assert {each.fit for each in evidence.validations} == {n for n, why in stopped.items() if why == "converged"}


def test_covariates_that_say_the_same_are_said_to_be_singular():
    X, y = rows(1, 300, 3)
    given = specification(4)
    rounds = play(given, {"a": (np.column_stack([X, X[:, 1]]), y), "b": (np.column_stack([X, X[:, 1]]), y)})
    [fit] = pool.combine(given, rounds).fits
    assert (len(rounds), fit.converged, fit.stopped, fit.coefficients) == (1, False, "singular", ())


def test_separation_is_said_and_takes_few_rounds():
    X, y = rows(1, 300, 3)
    level = np.arange(300) % 10 == 0
    given = specification(4)
    rounds = play(given, {"a": (np.column_stack([X, level]), y & ~level)})
    [fit] = pool.combine(given, rounds).fits
    assert (fit.converged, fit.stopped, fit.coefficients) == (False, "diverging", ())
    assert len(rounds) < 20


def test_counts_are_as_the_sites_printed_them():
    given = specification(4)
    evidence = pool.combine(given, play(given, {"b": rows(2, 300), "a": rows(1, 400)}))
    [fit] = evidence.fits
    assert fit.rows == {"a": 400, "b": 300}
    assert fit.events == {"a": int(rows(1, 400)[1].sum()), "b": int(rows(2, 300)[1].sum())}


@pytest.mark.parametrize("change", ["gone", "short"])
def test_a_release_without_what_was_asked_is_an_error_that_says_so(change):
    given = specification(4)
    ask = pool.ask(given, ["a"], [])
    each = answered(ask, 0, {"a": rows(1, 100)}, {})
    table, update = each.releases["a"].estimates
    kept = (table,) if change == "gone" else (table, update.model_copy(update={"gradient": update.gradient[:2]}))
    release = each.releases["a"].model_copy(update={"estimates": kept})
    with pytest.raises(WireError, match="does not hold the model update"):
        pool.ask(given, ["a"], [Round(each.question, {"a": release})])


def test_the_question_does_not_depend_on_the_order_of_sites():
    sites = {"a": rows(1, 400), "b": rows(2, 300), "c": rows(3, 200)}
    given = specification(4, leave_one_site_out=True)
    turned = dict(reversed(sites.items()))
    assert [each.question for each in play(given, sites)] == [each.question for each in play(given, turned)]
    assert pool.combine(given, play(given, sites)) == pool.combine(given, play(given, turned))
