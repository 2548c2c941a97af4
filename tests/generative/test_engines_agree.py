"""All engines give the same answer to generated questions on generated data, whatever the order of rows and threads.

The last test proves that the questions were worth asking: every feature of the words was in a cohort for which there
were observed entry events to judge, or in a covariate that differed between index rows.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.engines import assert_same_rows, duckdb, memory, shuffled
from tests.generative.strategies import COHORTS, DAYS, PERSONS, Case, cases
from vitrail.omop.engines import CohortRows, Engine
from vitrail.study.cohort import ANY, DOMAINS, Cohort, Event, Rule, Window
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

CASES, MANY = 300, 2_000
calm = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
every_day = [(person, day) for person in (*PERSONS, 4) for day in DAYS]
EVERY_DAY = CohortRows(
    np.array([person for person, _ in every_day], dtype=np.int64),
    *[np.array([day for _, day in every_day], dtype="datetime64[D]")] * 3,
)
"""An index row for each person, known or not, on each day on which anything happens."""

seen: Counter[str] = Counter()
"""How often each feature was asked about where there was something to find."""


def agree(case: Case, seed: int, threads: int) -> None:
    """The truth of the rows as drawn is what DuckDB finds in the same rows, shuffled, on one thread or two."""
    rows = shuffled(case.tables, seed)
    with memory(case.study, case.tables) as truth, duckdb(case.study, rows, threads) as engine:
        same(truth, engine, case.covariates)
        note(case.study, truth, case.covariates)


def same(truth: Engine, engine: Engine, asked: list[Covariate]) -> None:
    """Cohorts are asked for in reverse, so that each is computed when a later one needs it, and then again."""
    for name in reversed(COHORTS):
        assert_same_rows(engine.cohort(name), truth.cohort(name))
        assert engine.attrition(name) == truth.attrition(name)
    np.testing.assert_array_equal(engine.covariates(EVERY_DAY, asked), truth.covariates(EVERY_DAY, asked))
    none = EVERY_DAY.where(np.zeros(len(EVERY_DAY), dtype=bool))
    assert engine.covariates(none, asked).shape == truth.covariates(none, asked).shape == (0, len(asked))


def note(study: Study, engine: Engine, asked: list[Covariate]) -> None:
    """Remember the features of the cohorts that had somebody to judge."""
    for name, cohort in study.cohorts.items():
        left = [step.persons for step in engine.attrition(name)]
        if left[1] > 0:
            seen.update(features(cohort))
            seen.update(f"persons {'lost' if now < before else 'kept'}" for before, now in pairwise(left) if now)
            sets = {event.of for event in cohort.events()} & set(study.concept_sets)
            items = [item for each in sets for item in study.concept_sets[each].concepts]
            seen.update(f"concept {'excluded' if item.exclude else 'included'}" for item in items)
            seen.update(f"descendants {item.descendants}" for item in items)
    values = engine.covariates(EVERY_DAY, asked)
    for covariate, column in zip(asked, values.T, strict=True):
        if len(np.unique(column)) > 1:
            seen.update(covariate_features(covariate))
            seen.update(f"value {'missing' if missing else 'known'}" for missing in np.isnan(column))


def features(cohort: Cohort) -> Iterator[str]:
    for entry in cohort.entry:
        yield from event_features("entry", entry)
        yield f"{min(len(entry.where), 2)} where"
        for rule in entry.where:
            yield from rule_features("where", rule)
    for rule in cohort.rules:
        yield from rule_features("rule", rule)
    yield f"{min(len(cohort.entry), 2)} entries"
    yield f"{min(len(cohort.rules), 2)} rules"
    yield f"keep {cohort.keep}"
    yield f"limit {cohort.limit}"
    yield f"exit {'end of observation' if cohort.exit.days_after_start is None else 'days after start'}"
    yield f"observed before {cohort.observed.before > 0}"
    yield f"observed after {cohort.observed.after > 0}"


def rule_features(place: str, rule: Rule) -> Iterator[str]:
    yield from event_features(place, rule.of)
    yield from window_features(place, rule.days)
    forms = {
        (False, False): "at least one",
        (True, False): "at least",
        (False, True): "at most",
        (True, True): "between",
    }
    yield f"{place} {forms[rule.at_least is not None, rule.at_most is not None]}"
    if rule.at_most == 0:
        yield f"{place} none"
    if rule.least > 1:
        yield f"{place} several"


def window_features(place: str, window: Window) -> Iterator[str]:
    low, high = window
    yield f"{place} window {'open' if low is None else 'bound'} to {'open' if high is None else 'bound'}"


def event_features(place: str, event: Event) -> Iterator[str]:
    yield f"{place} {event.domain}"
    yield f"{place} {'any' if event.of == ANY else 'set'}"
    if event.value is not None:
        yield from (f"{place} value {name}" for name in event.value.model_dump(exclude_none=True))
    if event.value_concepts is not None:
        yield f"{place} value concepts"


def covariate_features(covariate: Covariate) -> Iterator[str]:
    kind = next(kind for kind in ("age", "sex", "has", "last") if getattr(covariate, kind) is not None)
    yield f"covariate {kind}"
    if covariate.sex is not None:
        yield f"covariate {covariate.sex}"
    if covariate.event is not None and covariate.days is not None:
        yield from event_features(kind, covariate.event)
        yield from window_features(kind, covariate.days)


def expected_features() -> set[str]:
    """Every form that the words allow, said once more, by hand."""
    limits = ("at_least", "above", "at_most", "below")
    windows = [f"window {low} to {high}" for low in ("open", "bound") for high in ("open", "bound")]
    values = [*(f"value {limit}" for limit in limits), "value concepts", "any", "set"]
    everywhere = {f"{place} {each}" for place in ("entry", "where", "rule", "has") for each in (*DOMAINS, *values)}
    counts = ("at least one", "at least", "at most", "between", "none", "several")
    return (
        everywhere
        | {f"last {each}" for each in ("measurement", "observation", *values)}
        | {f"{place} {each}" for place in ("where", "rule", "has", "last") for each in windows}
        | {f"{place} {each}" for place in ("where", "rule") for each in counts}
        | {f"covariate {each}" for each in ("age", "sex", "has", "last", "female", "male")}
        | {"keep first", "keep every", "keep first_of_each_year", "limit first", "limit every"}
        | {"exit end of observation", "exit days after start"}
        | {f"observed {side} {given}" for side in ("before", "after") for given in (True, False)}
        | {"concept included", "concept excluded", "descendants True", "descendants False"}
        | {"persons lost", "persons kept", "value missing", "value known"}
        | {"1 entries", "2 entries", "0 rules", "1 rules", "2 rules", "0 where", "1 where", "2 where"}
    )


asked = given(case=cases(), seed=st.integers(0, 999), threads=st.sampled_from((1, 2)))


@pytest.mark.timeout(1200)
@settings(calm, max_examples=CASES, derandomize=True)
@asked
def test_engines_agree(case: Case, seed: int, threads: int) -> None:
    agree(case, seed, threads)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(calm, max_examples=MANY)
@asked
def test_engines_agree_on_many(case: Case, seed: int, threads: int) -> None:
    agree(case, seed, threads)


def test_every_feature_was_exercised() -> None:
    """Runs after the tests above, in the same process."""
    if not seen:
        test_engines_agree()
    assert expected_features() - set(seen) == set()
    assert set(seen) - expected_features() == set(), "a feature has no name in the list of what must be tried"
