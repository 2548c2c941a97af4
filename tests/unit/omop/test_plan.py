"""A plan holds each equal part once, and knows parts by what they say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.errors import StudyError
from vitrail.omop import plan as plans
from vitrail.omop.digests import of_cohorts
from vitrail.omop.plan import Gathered, Plan, plan_of
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.definition import Definition

ASTHMA: dict[str, Any] = {"concepts": [{"concept": 11}, {"concept": 12, "descendants": False}]}
STEROID: dict[str, Any] = {"concepts": [{"concept": 31}]}
BEFORE: dict[str, Any] = {"of": {"drug": "steroid"}, "days": [-30, -1]}


def definition(id: str, cohort: dict[str, Any], **sets: dict[str, Any]) -> Definition:
    held = sets or {"asthma": ASTHMA, "steroid": STEROID}
    words = {name: ConceptSet.model_validate(each, strict=False) for name, each in held.items()}
    return Definition(id, Cohort.model_validate(cohort, strict=False), words)


def test_equal_parts_of_two_definitions_are_one_whatever_the_concept_sets_are_called() -> None:
    one = definition("1", {"entry": [{"condition": "asthma"}], "also": {"rules": [BEFORE]}})
    other = definition(
        "2",
        {"entry": [{"condition": "a"}], "rules": [{"name": "none", "of": {"drug": "b"}, "days": [-30, -1]}]},
        b=STEROID,
        a={"concepts": ASTHMA["concepts"][::-1]},
    )
    plan = plan_of([one, other])
    assert len(plan.sets) == len(plan.events) == 2
    assert len(plan.node) == 1, "a group of one rule is that rule"
    assert plan.cohorts["1"].also == plan.cohorts["2"].rules[0] == 0


def test_an_event_is_known_one_level_after_the_events_around_it() -> None:
    inner = {"drug": "steroid", "where": [{"of": {"condition": "asthma"}, "days": [0, 0]}]}
    outer = {"condition": "asthma", "where": [{"of": inner, "days": [-30, 0]}]}
    plan = plan_of([definition("1", {"entry": [outer]}), definition("2", {"entry": [{"cohort": "1"}]})])
    assert sorted(plan.levels) == [0, 0, 1, 2, 3]
    assert [each.level for each in plan.cohorts.values()] == [2, 3]


def group(need: str, rules: int, **count: int) -> Gathered:
    """A group of tests of which every second holds usually."""
    different = [BEFORE | ({"at_most": place} if place % 2 else {"at_least": place + 1}) for place in range(rules)]
    asked = {"entry": [{"condition": "asthma"}], "also": {"need": need, "rules": different, **count}}
    plan = plan_of([definition("1", asked)])
    found = plan.node[plan.cohorts["1"].also or 0]
    assert isinstance(found, Gathered)
    return found


@pytest.mark.parametrize(
    ("need", "count", "bounds", "usual"),
    [
        ("all", {}, (4, 4), False), ("any", {}, (1, 4), True), ("at_least", {"count": 2}, (2, 4), True),
        ("at_least", {"count": 3}, (3, 4), False), ("at_most", {"count": 1}, (0, 1), False),
        ("at_most", {"count": 2}, (0, 2), True),
    ],
)  # fmt: skip
def test_a_group_wants_a_number_of_its_rules(
    need: str, count: dict[str, int], bounds: tuple[int, int], usual: bool
) -> None:
    found = group(need, 4, **count)
    assert (found.low, found.high, found.usual) == (*bounds, usual)


def test_an_empty_group_holds() -> None:
    assert group("any", 0).usual


@given(
    st.lists(st.tuples(st.sampled_from(["ss", "es"]), st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=2)
)
def test_windows_of_the_same_anchors_are_one(windows: list[tuple[str, int, int]]) -> None:
    around = [{"days": [low, high], "index": "end" if way == "es" else "start"} for way, low, high in windows]
    rule = {"name": "r", "of": {"drug": "steroid"}, "windows": around}
    [test] = plan_of([definition("1", {"entry": [{"condition": "asthma"}], "rules": [rule]})]).node
    assert isinstance(test, plans.Test)
    for way, low, high in test.windows:
        mine = [each for each in windows if each[0] == way]
        assert (low, high) == (max(each[1] for each in mine), min(each[2] for each in mine))


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(StudyError):
        plan_of([definition("1", {"entry": [{"condition": "nothing"}]})])
    with pytest.raises(StudyError):
        plan_of([definition("1", {"entry": [{"cohort": "nobody"}]})])


# Content hashes


def digest(cohort: dict[str, Any], **sets: dict[str, Any]) -> str:
    return of_cohorts(plan_of([definition("1", cohort, **sets)]))["1"]


WHOLE: dict[str, Any] = {
    "entry": [{"condition": "asthma"}, {"drug": "steroid", "gender": {"any_of": [8507]}}],
    "also": {"rules": [BEFORE, {"person": {"age": {"at_least": 18}}}]},
    "exit": {"exposed_to": {"drug": "steroid"}},
}


def test_a_cohort_keeps_its_hash_when_concept_sets_are_called_otherwise_and_others_stand_beside_it() -> None:
    written = json.dumps(WHOLE).replace("asthma", "a").replace("steroid", "b")
    renamed = definition("2", json.loads(written), b=STEROID, a=ASTHMA)
    plan = plan_of([definition("0", {"entry": [{"visit": "any"}]}), renamed])
    assert of_cohorts(plan)["2"] == digest(WHOLE)


@pytest.mark.parametrize(
    "change",
    [
        {"entry": [{"condition": "asthma"}]}, {"also": {"rules": [BEFORE]}}, {"exit": {}}, {"era_pad": 3},
        {"also": {"rules": [BEFORE | {"at_least": 2}, {"person": {"age": {"at_least": 18}}}]}},
        {"exit": {"exposed_to": {"drug": "asthma"}}}, {"exit": {"exposed_to": {"drug": "steroid", "gap": 31}}},
        {"keep": "first"}, {"censor": [{"death": "any"}]},
    ],
)  # fmt: skip
def test_a_cohort_that_says_something_else_has_another_hash(change: dict[str, Any]) -> None:
    assert digest(WHOLE | change) != digest(WHOLE)


def test_a_concept_set_that_says_something_else_changes_the_hash() -> None:
    more = {"concepts": [*STEROID["concepts"], {"concept": 32, "exclude": True}]}
    assert digest(WHOLE, asthma=ASTHMA, steroid=more) != digest(WHOLE)


def test_a_cohort_changes_with_the_cohort_that_it_refers_to() -> None:
    of = [{"entry": [{"condition": "asthma"}], "era_pad": pad} for pad in (0, 1)]
    refers = definition("2", {"entry": [{"cohort": "1"}]})
    first, second = (of_cohorts(plan_of([definition("1", each), refers]))["2"] for each in of)
    assert first != second


def test_a_plan_that_keeps_values_keeps_them_of_measurements_alone() -> None:
    words = definition("1", {"entry": [{"measurement": "asthma"}, {"condition": "asthma"}]})
    plan = Plan(valued=True)
    plan.add(words)
    kept = [dict(each.cells).get("number") for each in plan.events if hasattr(each, "cells")]
    assert kept == ["value", None]
