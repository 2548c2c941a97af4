"""A study that needs no true dates is answered alike however far each person's days were moved.

It is what `vitrail.study.calendar` takes for granted of every word, tried on generated studies and data.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from tests.engines import memory
from tests.generative.records import PERSONS
from tests.generative.strategies import COHORTS, case
from tests.generative.test_engines_agree import EVERY_DAY
from vitrail.omop.engines import CohortRows
from vitrail.study.calendar import needs
from vitrail.study.study import Study

DAYS = Mapping[int, int]
WEEKS: DAYS = {1: -7 * 26, 2: 7, 3: 7 * 26, 4: -7}
"""How far the days of each person are moved: whole weeks, within half a year."""
EPOCHS: DAYS = {1: -4_000, 2: -4_111, 3: 9_001, 4: 1}
"""Days that are counted from an epoch of the person's own."""


def moved(tables: Mapping[str, list[dict[str, Any]]], by: DAYS) -> dict[str, list[dict[str, Any]]]:
    """The same rows, each person's dates moved."""
    return {name: [_moved(row, by.get(row.get("person_id") or 0, 0)) for row in rows] for name, rows in tables.items()}


def _moved(row: dict[str, Any], days: int) -> dict[str, Any]:
    return {key: value + timedelta(days) if isinstance(value, date) else value for key, value in row.items()}


def moved_rows(rows: CohortRows, by: DAYS) -> CohortRows:
    days = np.array([by.get(person, 0) for person in rows.person.tolist()], dtype="timedelta64[D]")
    return CohortRows(rows.person, rows.start + days, rows.end + days, rows.observed_until + days)


DATED = ("starts", "ends", "period", "clip")
AGED = ("age", "age_at_end")
"""Moved days may make an age one year more or less, which the calendar's page says, and a limit may lie between."""


def without_dates(said: Any) -> Any:
    """The study, as JSON data, without what needs true dates, and without limits of age."""
    if isinstance(said, list):
        return [without_dates(each) for each in said]
    if not isinstance(said, dict):
        return said
    kept = {key: without_dates(each) for key, each in said.items() if key not in (*DATED, *AGED)}
    if kept.get("keep") == "first_of_each_year":
        kept["keep"] = "every"
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_moved_days_give_moved_rows(seed: int) -> None:
    made = case(seed)
    study = Study.model_validate(without_dates(made.study.canonical()), strict=False)
    assert needs(study) == ()
    for by in (WEEKS, EPOCHS):
        with memory(study, made.tables) as truth, memory(study, moved(made.tables, by)) as other:
            for name in COHORTS:
                expected, found = moved_rows(truth.cohort(name), by), other.cohort(name)
                for column in ("person", "start", "end", "observed_until"):
                    np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
                assert other.attrition(name) == truth.attrition(name)
            asked = [each for each in made.covariates if each.event is None and (by is WEEKS or not each.age)]
            found = other.covariates(moved_rows(EVERY_DAY, by), asked) - truth.covariates(EVERY_DAY, asked)
            slack = [1.0 if each.age else 0.0 for each in asked]  # the year of birth stays within half a year
            assert np.all(np.nan_to_num(np.abs(found)) <= slack)


def visits(*days: str) -> list[dict[str, Any]]:
    return [
        {"visit_occurrence_id": place, "person_id": person, "visit_concept_id": 9202,
         "visit_start_date": date.fromisoformat(day), "visit_end_date": date.fromisoformat(day)}
        for place, (person, day) in enumerate((person, day) for person in PERSONS for day in days)
    ]  # fmt: skip


def test_the_years_of_moved_days_are_wrong() -> None:
    """The control: were such a study not refused, it would be answered wrongly. Four people were seen each spring and
    autumn of one year; moved, two of them were seen in two years."""
    tables = {
        "person": [{"person_id": each, "gender_concept_id": 8507, "year_of_birth": 1950} for each in PERSONS],
        "visit_occurrence": visits("2015-04-01", "2015-10-01"),
        "observation_period": [
            {"observation_period_id": each, "person_id": each, "observation_period_start_date": date(2010, 1, 1),
             "observation_period_end_date": date(2019, 12, 31)}
            for each in PERSONS
        ],
    }  # fmt: skip
    yearly = {"entry": [{"visit": "any"}], "keep": "first_of_each_year", "exit": {"days_after_start": 0}}
    study = Study.model_validate({
        "vitrail": "study/1", "title": "Years", "purpose": "characterisation", "question": "How many person-years?",
        "protocol": "A control.", "authors": ["The tests"], "concept_sets": {}, "cohorts": {"seen": yearly},
        "analyses": {"who": {"kind": "characterise", "cohorts": ["seen"]}},
    }, strict=False)  # fmt: skip
    assert needs(study) != ()
    with memory(study, tables) as truth, memory(study, moved(tables, WEEKS)) as other:
        assert (len(truth.cohort("seen")), len(other.cohort("seen"))) == (4, 6)
