"""The gate's own rules: what a Release says of itself, and what a Result never does."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from pydantic import TypeAdapter

from tests.releases import DIGEST, head, people, released, table
from vitrail.disclosure import gate, result
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA
from vitrail.disclosure.result import Raw, RawAttrition, RawCount, RawMoments, RawRate, RawRiskBins, RawTable, Result
from vitrail.errors import Refusal
from vitrail.study import release as words
from vitrail.study.release import SUPPRESSED


def test_a_result_crosses_no_process() -> None:
    for each in (Result(()), table("sex", 500, 500)):
        for cross in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError):
                cross(each)  # type: ignore[operator]


def test_there_is_one_rule_for_each_family_and_each_makes_its_own() -> None:
    raws = {each for each in vars(result).values() if isinstance(each, type) and issubclass(each, Raw)}
    assert raws - {Raw, RawCount, Result} == set(gate.RULES)
    families = {each.__name__.removeprefix("Raw") for each in gate.RULES}
    released_families = {"Table": "CountTable"}
    assert all(hasattr(words, released_families.get(each, each)) for each in families)


def test_a_release_says_what_it_answers_and_under_which_policy() -> None:
    made = gate.release(head(number=3), Result((table("sex", 500, 500),)), DEFAULT, ())
    assert (made.study, made.analysis, made.round, made.site) == (DIGEST, "by hand", 3, "somewhere")
    assert (made.policy, made.refused) == (DEFAULT.id, None)


def test_a_result_is_not_released_under_another_policy_than_it_says() -> None:
    with pytest.raises(Refusal) as refusal:
        gate.release(head(DEFAULT), Result(()), PUBLIC_DATA, ())
    assert refusal.value.code == "policy"


def test_a_refusal_is_a_code_and_nothing_else() -> None:
    made = gate.refused(head(), "disclosure")
    assert (made.refused, made.estimates) == ("disclosure", ())


@pytest.mark.parametrize("count", [RawCount(5, 3), RawCount(-1, 3), RawCount(0, 3), RawCount(-3, -3)])
def test_counts_that_cannot_be_are_refused(count: RawCount) -> None:
    with pytest.raises(Refusal, match="do not fit"):
        released(RawTable("x", "cohort", "persons", (("a", people(100)), ("b", count))))


@pytest.mark.parametrize("steps", [(), (("a", 100), ("b", 200)), (("a", 100), ("b", -1))])
def test_an_attrition_that_does_not_decrease_is_refused(steps: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(Refusal, match="do not decrease"):
        released(RawAttrition("cohort", steps))


def test_bins_that_do_not_fit_their_edges_are_refused() -> None:
    raw = RawRiskBins("fit", "all persons", (0.0, 0.5), (people(50), people(50)), (people(50),), (1.0,))
    with pytest.raises(Refusal, match="do not fit"):
        released(raw)


def steps(*persons: int) -> RawAttrition:
    return RawAttrition("cohort", tuple((str(place), each) for place, each in enumerate(persons)))


@pytest.mark.parametrize(
    ("persons", "printed"),
    [
        ((1000, 600, 300), [1000, 600, 300]),
        ((1000, 1000, 300), [1000, 1000, 300]),
        ((1000, 995, 990, 985, 300), [1000, 985, 300]),
        ((1000, 312, 300), [1000, 300]),
        ((1000, 500, 7), [1000, 500, SUPPRESSED]),
        ((1000, 500, 0), [1000, 500, 0]),
        ((60, 30, 0), [60, 30, SUPPRESSED]),
        ((12,), [SUPPRESSED]),
        ((0, 0), [SUPPRESSED]),
    ],
)
def test_attrition(persons: tuple[int, ...], printed: list[object]) -> None:
    (estimate,) = released(steps(*persons)).estimates
    assert [cell.count for cell in estimate.steps] == printed
    named = [*(label for each in estimate.merged for label in each), *(cell.label for cell in estimate.steps)]
    assert sorted(named) == [str(place) for place in range(len(persons))]
    assert estimate.steps[-1].label == str(len(persons) - 1)
    (exact,) = released(steps(*persons), policy=PUBLIC_DATA).estimates
    assert [cell.count for cell in exact.steps] == list(persons)


def test_a_mean_is_rounded_where_its_standard_deviation_is() -> None:
    def rounded(mean: float, sd: float) -> tuple[object, object]:
        (estimate,) = released(
            RawMoments("x", "cohort", people(500), people(500), mean, sd, 0.01, 400, 90, 1)
        ).estimates
        return estimate.mean, estimate.sd

    assert rounded(139.8765, 3.0456) == (139.88, 3.05)
    assert rounded(0.0012, 210.4) == (0.0, 210.0)
    assert rounded(123456.7, 20.13) == (123456.7, 20.1)
    assert rounded(math.nan, math.nan) == (SUPPRESSED, SUPPRESSED)


def test_a_rate_follows_from_what_is_printed() -> None:
    (_, rate) = released(steps(1000), RawRate("ckd", 803, 98, 365_250, "cohort")).estimates
    assert (rate.persons, rate.events, rate.person_years, rate.rate) == (805, 100, 1000.0, 100.0)


def test_a_release_has_canonical_bytes() -> None:
    made = released(table("sex", 5, 995), table("kind", 500, 500))
    assert TypeAdapter(words.Release).validate_json(made.model_dump_json(exclude_none=True)).id == made.id
    assert np.all([isinstance(cell.count, int | str) for each in made.estimates for cell in each.cells])
