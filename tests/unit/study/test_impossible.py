"""Logic that nobody can satisfy is told; and where it is told that nobody can enter, nobody does."""

from datetime import date
from typing import Any

import pytest

from vitrail.omop.engines.memory import MemoryBatch
from vitrail.study.definition import Definition
from vitrail.study.definition_file import CohortFile
from vitrail.study.impossible import impossible
from vitrail.study.reader import parse_study

Json = dict[str, Any]

SETS = {"gout": {"concepts": [{"concept": 1}]}}
TABLES: dict[str, list[Json]] = {
    "person": [{"person_id": 1, "gender_concept_id": 8507, "year_of_birth": 1950}],
    "observation_period": [
        {
            "observation_period_id": 1, "person_id": 1, "observation_period_start_date": date(2009, 1, 1),
            "observation_period_end_date": date(2012, 1, 1),
        }
    ],
    "condition_occurrence": [
        {
            "condition_occurrence_id": number, "person_id": 1, "condition_concept_id": 1, "visit_occurrence_id": 1,
            "condition_start_date": day, "condition_end_date": day, "stop_reason": "cured",
        }
        for number, day in enumerate((date(2010, 1, 1), date(2010, 1, 20)))
    ],
}  # fmt: skip
GOUT = {"condition": "gout"}


def definition(cohort: Json, sets: Json = SETS) -> Definition:
    file = CohortFile.model_validate({"concept_sets": sets, "cohort": {"entry": [GOUT], **cohort}}, strict=False)
    return Definition("1", file.cohort, file.concept_sets)


def entry(**limits: Any) -> Json:
    return {"entry": [{**GOUT, **limits}]}


def rules(*several: Json) -> Json:
    return {"rules": [{"name": f"rule {place}", **each} for place, each in enumerate(several)]}


def rule(**more: Any) -> Json:
    return {"of": GOUT, "days": [0, 30], **more}


NOBODY: list[tuple[Json, str, str, Json]] = [
    (entry(age={"at_least": 65, "below": 65}), "cohort.entry[1].age", "no value fits", entry(age={"below": 65})),
    (entry(age={"below": 0}), "cohort.entry[1].age", "never negative", entry(age={"at_least": 0})),
    (
        entry(age={"at_least": 20, "at_most": 70, "outside": [10, 80]}),
        "cohort.entry[1].age",
        "no value fits",
        entry(age={"at_least": 20, "at_most": 70, "outside": [10, 50]}),
    ),
    (
        entry(starts={"after": "2010-01-01", "before": "2009-01-01"}),
        "cohort.entry[1].starts",
        "no value fits",
        entry(starts={"since": "2010-01-01"}),
    ),
    (
        entry(starts={"since": "2010-01-02"}, ends={"until": "2010-01-01"}),
        "cohort.entry[1].ends",
        "end before it starts",
        entry(starts={"since": "2010-01-02"}, ends={"until": "2010-02-01"}),
    ),
    (
        entry(gender={"any_of": [8507], "none_of": [8507, 8532]}),
        "cohort.entry[1].gender",
        "excluded as well",
        entry(gender={"any_of": [8507], "none_of": [8532]}),
    ),
    (
        entry(stop_reason={"starts_with": "cur", "not_containing": "u"}),
        "cohort.entry[1].stop_reason",
        "text that is",
        entry(stop_reason={"starts_with": "cur", "not_containing": "x"}),
    ),
    (
        entry(moved={"start_from": "end", "start_days": 5, "end_days": 0}),
        "cohort.entry[1].moved",
        "end before it starts",
        entry(moved={"start_from": "end", "start_days": -5, "end_days": 0}),
    ),
    (rules(rule(of={"death": "any"}, same_visit=True)), "cohort.rules[1]", "no visit", rules(rule(same_visit=True))),
    (
        rules({"of": GOUT, "windows": [{"days": [30, 1]}]}),
        "cohort.rules[1]",
        "no day lies",
        rules({"of": GOUT, "windows": [{"days": [1, 30]}]}),
    ),
    (
        rules(rule(windows=[{"days": [None, -1], "event": "end"}])),
        "cohort.rules[1]",
        "no day lies",
        rules(rule(windows=[{"days": [None, 90], "event": "end"}])),
    ),
    (
        rules({"group": {"need": "at_least", "count": 2, "rules": [rule()]}}),
        "cohort.rules[1].group",
        "than there are",
        rules({"group": {"need": "at_least", "count": 1, "rules": [rule()]}}),
    ),
    (
        rules(rule(days=[1, 30]), rule(days=[0, None], at_most=0)),
        "cohort.rules[1]",
        "another rule forbids",
        rules(rule(days=[1, 30]), rule(days=[31, None], at_most=0)),
    ),
    (
        rules(rule(days=[-365, 0], at_most=0)),
        "cohort.rules[1]",
        "the entry event itself",
        rules(rule(days=[-365, -1], at_most=0)),
    ),
    (
        entry(age={"below": 18}) | rules({"person": {"age": {"at_least": 18}}}),
        "cohort.entry",
        "ages at entry",
        entry(age={"below": 100}) | rules({"person": {"age": {"at_least": 18}}}),
    ),
    (
        entry(gender={"any_of": [8507]}) | rules({"person": {"gender": {"any_of": [8532]}}}),
        "cohort.entry",
        "genders",
        entry(gender={"any_of": [8507]}) | rules({"person": {"gender": {"any_of": [8532, 8507]}}}),
    ),
    (
        {"exit": {"days_after_start": -1}},
        "cohort.exit.days_after_start",
        "leave before",
        {"exit": {"days_after_start": 0}},
    ),
    (
        {"clip": {"start": "2011-01-01", "end": "2010-01-01"}},
        "cohort.clip",
        "ends before it starts",
        {"clip": {"start": "2010-01-01", "end": "2011-01-01"}},
    ),
    (
        entry(starts={"since": "2010-01-01"}) | {"clip": {"end": "2009-12-31"}},
        "cohort.clip",
        "people enter after",
        entry(starts={"since": "2010-01-01"}) | {"clip": {"end": "2010-12-31"}},
    ),
]
"""What nobody can satisfy, where and what is told, and the same put right."""


@pytest.mark.parametrize(("said", "where", "what", "right"), NOBODY)
def test_what_nobody_can_satisfy_is_told(said: Json, where: str, what: str, right: Json) -> None:
    told = [str(each) for each in impossible(definition(said))]
    assert any(each.startswith(f"{where}: ") and what in each for each in told), told
    assert impossible(definition(right)) == ()
    engine = MemoryBatch(TABLES)
    assert len(engine.run([definition(said)])["1"].rows) == 0
    assert len(engine.run([definition(right)])["1"].rows) > 0


def test_a_group_that_leaves_nobody_out_is_told() -> None:
    said = rules({"group": {"need": "at_most", "count": 1, "rules": [rule()]}})
    assert "leaves nobody out" in str(impossible(definition(said))[0])


@pytest.mark.parametrize(("items", "empty"), [
    ([{"concept": 1}, {"concept": 1, "exclude": True}], True),
    ([{"concept": 1, "descendants": False}, {"concept": 1, "exclude": True}], True),
    ([{"concept": 1}, {"concept": 1, "exclude": True, "descendants": False}], False),
    ([{"concept": 1, "mapped": True}, {"concept": 1, "exclude": True}], False),
    ([{"concept": 1, "exclude": True}], True),
])  # fmt: skip
def test_concept_sets_that_exclude_all_that_they_include(items: list[Json], empty: bool) -> None:
    told = impossible(definition({}, {"gout": {"concepts": items}}))
    assert [each.part for each in told] == ([("concept_sets", 0)] if empty else [])


def test_concept_sets_that_nothing_names() -> None:
    sets = {**SETS, "other": {"concepts": [{"concept": 2}]}}
    (told,) = impossible(definition({}, sets))
    assert str(told) == "concept_sets[2]: nothing names this concept set. Leave it out, or name it."
    for named in (entry(source="other"), entry(type={"within": "other"}), {"exit": {"exposed_to": {"drug": "other"}}},
                  rules({"person": {"gender": {"outside": "other"}}})):  # fmt: skip
        assert impossible(definition(named, sets)) == ()


STUDY = """
vitrail: study/1
title: T
purpose: characterisation
question: Q
protocol: P
authors: [A]
concept_sets:
  gout: {concepts: [{concept: 1}]}
  mine: {concepts: [{concept: 1}]}
cohorts:
  men: {entry: [{condition: gout}]}
  none: {entry: [{condition: gout, age: {below: 0}}]}
analyses:
  who: {kind: characterise, cohorts: [men], table: [{name: m, has: {measurement: MINE}, days: [0, 1]}]}
"""


def test_a_study_tells_of_all_its_cohorts() -> None:
    assert [str(each) for each in parse_study(STUDY.replace("MINE", "mine").encode()).warnings()] == [
        "cohorts[2].entry[1].age: a number that is never negative should be below 0. Look at the limits."
    ]
    told = parse_study(STUDY.replace("MINE", "gout").encode()).warnings()
    assert [each.part for each in told][1:] == [("concept_sets", 1)]
