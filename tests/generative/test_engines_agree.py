"""All engines give the same answer to generated questions on generated data, whatever the order of rows and threads.

A failure is shown small: what could be left out of the question and of the data is left out. The last test proves that
the questions were worth asking: every feature that the words have, read off the words, was in a cohort for which there
were observed entry events to judge, or in a covariate that differed between index rows.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from tests.engines import (
    Tables,
    assert_same_answer,
    assert_same_rows,
    duckdb,
    duckdb_batch,
    memory,
    memory_batch,
    postgres_batch,
    shuffled,
)
from tests.generative.features import said, sayable
from tests.generative.records import DAYS, PERSONS
from tests.generative.shrink import shrunk, written
from tests.generative.strategies import DEPTH, Case, case
from vitrail.omop.engines import CohortRows
from vitrail.study.definition import Definition

CASES, MANY = 8, 60
"""How many cases, each of 60 cohorts on the same few records."""
every_day = [(person, day) for person in (*PERSONS, 9) for day in DAYS]
EVERY_DAY = CohortRows(
    np.array([person for person, _ in every_day], dtype=np.int64),
    *[np.array([day for _, day in every_day], dtype="datetime64[D]")] * 3,
)
"""An index row for each person, known or not, on each day on which anything happens."""


def disagreement(case: Case, seed: int) -> str | None:
    """What engines say differently of a case: DuckDB gets the rows shuffled, one thread or two, one range or more."""
    rows = shuffled(case.tables, seed)
    try:
        same_answers(case, rows, seed)
        if seed % 4 == 1 and case.covariates:
            same_covariates(case, rows)
    except AssertionError as difference:
        return str(difference)
    return None


def same_answers(case: Case, rows: Tables, seed: int) -> None:
    """Everything that engines say of the definitions, whatever their order; PostgreSQL is asked one case in four."""
    definitions = [Definition(name, each, case.study.concept_sets) for name, each in case.study.cohorts.items()]
    with memory_batch(case.tables) as truth:
        expected = truth.run(definitions)
    ranges = 3 if seed % 4 == 0 else 1
    asked = [duckdb_batch(rows, threads=1 + seed % 2, ranges=ranges)]
    asked += [postgres_batch(rows, ranges=2)] if seed % 4 == 2 else []
    for each in asked:
        with each as engine:
            answers = engine.run(definitions[::-1])
        assert answers.keys() == expected.keys()
        for id, answer in answers.items():
            assert_same_answer(answer, expected[id])


def same_covariates(case: Case, rows: Tables) -> None:
    """A cohort as an analysis asks for it, and the covariates of a study, also of nobody."""
    name, asked = next(iter(case.study.cohorts)), case.covariates
    with memory(case.study, case.tables) as truth, duckdb(case.study, rows) as engine:
        assert_same_rows(engine.cohort(name), truth.cohort(name))
        assert engine.attrition(name) == truth.attrition(name)
        np.testing.assert_array_equal(engine.covariates(EVERY_DAY, asked), truth.covariates(EVERY_DAY, asked))
        none = EVERY_DAY.where(np.zeros(len(EVERY_DAY), dtype=bool))
        assert engine.covariates(none, asked).shape == truth.covariates(none, asked).shape == (0, len(asked))


def check(seed: int) -> None:
    """Engines agree on the case of a seed; where not, the case is shown small."""
    drawn = case(seed)
    if disagreement(drawn, seed) is not None:
        small = shrunk(drawn, lambda tried: disagreement(tried, seed) is not None)
        pytest.fail(f"seed {seed}: {disagreement(small, seed)}\n{written(small)}")


@pytest.mark.parametrize("seed", range(CASES))
def test_engines_agree(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CASES, CASES + MANY))
def test_engines_agree_on_many(seed: int) -> None:
    check(seed)


def features_of(case: Case) -> Iterator[str]:
    """The features of the cohorts that had somebody to judge, and of the covariates that said something."""
    with memory(case.study, case.tables) as engine:
        for name, cohort in case.study.cohorts.items():
            left = [step.persons for step in engine.attrition(name)]
            if left[1] > 0:
                yield from said(cohort)
                yield from (f"persons {'lost' if now < before else 'kept'}" for before, now in pairwise(left) if now)
        for concept_set in case.study.concept_sets.values():
            yield from said(concept_set)
        for covariate, column in zip(case.covariates, engine.covariates(EVERY_DAY, case.covariates).T, strict=True):
            if len(np.unique(column)) > 1:
                yield from (f"covariate {kind}" for kind in ("age", "sex", "has", "last") if getattr(covariate, kind))
                yield from (f"value {'missing' if missing else 'known'}" for missing in np.isnan(column))


def test_every_feature_was_exercised() -> None:
    """Of the words as they are: a field or an attribute that nobody draws is named here."""
    seen = Counter(feature for seed in range(CASES) for feature in features_of(case(seed)))
    expected = sayable(DEPTH) | {f"covariate {kind}" for kind in ("age", "sex", "has", "last")}
    expected |= {"persons lost", "persons kept", "value missing", "value known"}
    assert expected - set(seen) == set()
    assert set(seen) - expected == set(), "a feature has no name in the list of what must be tried"
