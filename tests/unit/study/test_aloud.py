"""What a steward reads, sentence by sentence."""

from typing import Any

import pytest

from vitrail.study.aloud import cohort_aloud, concept_set_aloud, covariate_aloud, event_aloud, window_aloud
from vitrail.study.analyses.characterise import Characterise
from vitrail.study.analyses.predict import Predict
from vitrail.study.cohort import Cohort, Event
from vitrail.study.concepts import ConceptSet
from vitrail.study.covariates import Covariate


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((None, None), "at any time"),
        ((None, 0), "at any time up to that day"),
        ((None, -30), "at any time up to 30 days before"),
        ((1, None), "from 1 day after on"),
        ((0, 0), "on that day"),
        ((-365, -1), "from 365 days before to 1 day before"),
        ((-7, 7), "from 7 days before to 7 days after"),
        ((0, 3650), "from that day to 3,650 days after"),
    ],
)
def test_windows(days: tuple[int | None, int | None], said: str) -> None:
    assert window_aloud(days) == said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"visit": "any"}, "visit (any)"),
        ({"condition": "gout"}, "condition in “gout”"),
        ({"cohort": "cases"}, "start in cohort “cases”"),
        ({"measurement": "eGFR", "value": {"below": 60}}, "measurement in “eGFR” below 60"),
        (
            {"measurement": "x", "value": {"at_least": 1.5, "at_most": 2}},
            "measurement in “x” at least 1.5 and at most 2",
        ),
        ({"observation": "x", "value_concepts": "yes"}, "observation in “x” with a result in “yes”"),
    ],
)
def test_events(event: dict[str, Any], said: str) -> None:
    assert event_aloud(Event(**event)) == said


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "at least 1 condition"),
        ({"at_least": 2}, "at least 2 condition"),
        ({"at_most": 0}, "no condition"),
        ({"at_most": 3}, "at most 3 condition"),
        ({"at_least": 1, "at_most": 3}, "1 to 3 condition"),
    ],
)
def test_rules(limits: dict[str, int], said: str) -> None:
    rule = {"name": "r", "of": {"condition": "any"}, "days": (0, 0), **limits}
    words = cohort_aloud("c", Cohort.model_validate({"entry": ({"visit": "any"},), "rules": (rule,)}))
    assert f"They need {said} (any) on that day, called “r”." in words


def test_a_whole_cohort() -> None:
    at_visit = {"name": "w", "of": {"visit": "any"}, "days": (0, 0)}
    cohort = Cohort.model_validate(
        {
            "entry": (
                {"drug": "gliptins", "where": (at_visit,)},
                {"death": "any"},
            ),
            "observed": {"before": 365, "after": 1},
            "keep": "first",
            "limit": "first",
            "exit": {"days_after_start": 30},
        }
    )
    assert cohort_aloud("users", cohort) == (
        "Cohort “users”: people enter at their first drug in “gliptins” (there being at least 1 visit (any) on that "
        "day, called “w”) or death (any), observed for 365 days before and 1 day after. Only the first time counts. "
        "They stay until 30 days later, or observation ends."
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {},
            "1 to 365 days later, from “age” (age in years). Fit at all sites together in at most 25 rounds, until no "
            "step is larger than 1e-08; test on 25% of the people, set aside before.",
        ),
        (
            {"horizon": (0, 0), "test_share": 0.0},
            "will start “o” that day, from “age” (age in years). Fit at all sites together in at most",
        ),
        ({"test_share": 0.0, "leave_one_site_out": True}, "1e-08; test at each site with a model made without it."),
        (
            {"develop_at": ("a", "b")},
            "Fit at a, b in at most 25 rounds, until no step is larger than 1e-08; test on 25% of the people",
        ),
        ({"thresholds": (0.05, 0.5)}, "set aside before. Judge it at risks of 5%, 50%."),
    ],
)
def test_predictions(asked: dict[str, Any], said: str) -> None:
    base = {"kind": "predict", "target": "t", "outcome": "o", "horizon": (1, 365)}
    assert said in Predict.model_validate(base | {"covariates": ({"name": "age", "age": True},)} | asked).aloud()


def test_characterisations() -> None:
    rate = {"name": "r", "population": "a", "outcome": "b"}
    asked = Characterise.model_validate({"kind": "characterise", "cohorts": ("a", "b"), "incidence": (rate,)})
    assert asked.aloud() == "describe “a”, “b”. Count how often “b” begins in “a”, called “r”."


@pytest.mark.parametrize(
    ("covariate", "said"),
    [
        ({"age": True, "centre": 60.0, "per": 10.0}, "age in years, centred at 60, per 10"),
        ({"sex": "female"}, "whether the recorded sex is female"),
        (
            {"has": {"condition": "HIV"}, "days": (-365, 0)},
            "whether there is at least 1 condition in “HIV” from 365 days before to the index date",
        ),
        (
            {"last": {"measurement": "eGFR"}, "days": (None, -1), "if_missing": 90.5},
            "the number of the latest measurement in “eGFR” at any time up to 1 day before, 90.5 where missing",
        ),
    ],
)
def test_a_covariate_is_what_it_means_whatever_it_is_called(covariate: dict[str, Any], said: str) -> None:
    assert covariate_aloud(Covariate.model_validate({"name": "age"} | covariate)) == f"“age” ({said})"


def test_a_concept_set_is_its_codes() -> None:
    items = ({"concept": 1}, {"concept": 2}, {"concept": 3, "descendants": False}, {"concept": 4, "exclude": True})
    assert concept_set_aloud("gout", ConceptSet.model_validate({"concepts": items})) == (
        "Concept set “gout”: 1, 2 (with descendants); 3 (alone); but not 4 (with descendants)."
    )
