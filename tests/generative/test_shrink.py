"""A difference between engines is found, and shown small: here between the naive engine and itself with a mistake."""

import pytest

from tests.engines import assert_same_answer, memory_batch
from tests.generative.shrink import shrunk, written
from tests.generative.strategies import Case, case
from vitrail.omop.engines import memory_cohorts
from vitrail.study.definition import Definition


def disagrees(case: Case, patch: pytest.MonkeyPatch) -> bool:
    """Whether it matters in a case that rows join when a day is between them."""
    definitions = [Definition(name, each, case.study.concept_sets) for name, each in case.study.cohorts.items()]
    with memory_batch(case.tables) as engine:
        right = engine.run(definitions)
        with patch.context() as mistaken:
            joins = memory_cohorts.joins
            mistaken.setattr(
                memory_cohorts,
                "joins",
                lambda cohort, last, row: joins(cohort, last, row) and row.start < last.end + (cohort.era_pad or 0),
            )
            wrong = engine.run(definitions)
    try:
        for id, answer in right.items():
            assert_same_answer(wrong[id], answer)
    except AssertionError:
        return True
    return False


def test_a_mistake_is_found_and_shown_small(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = next(tried for seed in range(8) if disagrees(tried := case(seed), monkeypatch))
    small = shrunk(drawn, lambda tried: disagrees(tried, monkeypatch))
    assert disagrees(small, monkeypatch)
    [cohort] = small.study.cohorts.values()
    assert len(cohort.events()) <= 2
    assert sum(len(rows) for rows in small.tables.values()) <= 4
    assert len(written(small)) < 3_000
