"""The in-memory engine: deliberately naive, it defines what cohorts and covariates mean and judges the others.

Read it beside the meaning in words: ``vitrail.study.cohort`` and ``vitrail.study.covariates``. What those leave open is
settled where it arises: for records and concept sets in :mod:`vitrail.omop.engines.memory_records`, for events and
rules in :mod:`vitrail.omop.engines.memory_events`, for the steps of a cohort in
:mod:`vitrail.omop.engines.memory_cohorts`; and for covariates here:

* ``last`` looks at events with a number only.
* ``sex`` is any sex that one of the person's rows has.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from vitrail.errors import StudyError
from vitrail.omop.attributes import SEX_CONCEPT
from vitrail.omop.engines import Answer, CohortRows, Origins, Step
from vitrail.omop.engines.memory_cohorts import Built, build
from vitrail.omop.engines.memory_events import Events
from vitrail.omop.engines.memory_records import Occurrence, Records, Site, number
from vitrail.study.attributes import DOMAINS
from vitrail.study.cohort import Window
from vitrail.study.covariates import Covariate
from vitrail.study.definition import Definition, in_order
from vitrail.study.study import Study


class MemoryBatch:
    """An engine for many definitions. ``tables`` maps an OMOP table's name to its rows; a missing table is empty."""

    def __init__(self, tables: Mapping[str, Records]) -> None:
        self._site = Site(tables)

    def run(self, definitions: Sequence[Definition]) -> Mapping[str, Answer]:
        """The answer to each definition, by its id. StudyError where one names what is not there."""
        cohorts = _Cohorts(self._site, definitions)
        return {each.id: answer(cohorts.built(each.id)) for each in definitions}


class MemoryEngine:
    """An engine for one study. ``tables`` maps an OMOP table's name to its rows; a missing table is empty."""

    def __init__(self, study: Study, tables: Mapping[str, Records]) -> None:
        self._site = Site(tables)
        definitions = [Definition(name, cohort, study.concept_sets) for name, cohort in study.cohorts.items()]
        self._cohorts = _Cohorts(self._site, definitions)
        self._events = Events(self._site, definitions[0], self._cohorts.events)

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        return rows_of(self._cohorts.built(name))

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        return self._cohorts.built(name).attrition

    def answer(self, name: str) -> Answer:
        """All that is known of one of the study's cohorts."""
        return answer(self._cohorts.built(name))

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing."""
        indexes = [
            (int(person), start.item().toordinal()) for person, start in zip(rows.person, rows.start, strict=True)
        ]
        values = [[self._covariate(each, *index) for each in covariates] for index in indexes]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(covariates))

    def _covariate(self, covariate: Covariate, person: int, day: int) -> float:
        if covariate.age:
            born = self._site.born(person)
            return math.nan if born is None else date.fromordinal(day).year - born
        if covariate.sex:
            return float(SEX_CONCEPT[covariate.sex] in self._site.of_person(person, "gender_concept_id"))
        return self._history(covariate, person, day)

    def _history(self, covariate: Covariate, person: int, day: int) -> float:
        """``has`` or ``last`` of a person at a day."""
        window, event = covariate.days, covariate.event
        if window is None or event is None:
            raise ValueError("a covariate is none of age, sex, has, last")
        found = [each for each in self._events.of(event).get(person, []) if within(window, each.start - day)]
        if covariate.has:
            return float(bool(found))
        numbers = [(each.start, each.id, number(each.record, "value_as_number")) for each in found]
        known = [(start, id, value) for start, id, value in numbers if value is not None]
        return max(known)[2] if known else math.nan


class _Cohorts:
    """Definitions that may refer to each other, each built when first asked for."""

    def __init__(self, site: Site, definitions: Sequence[Definition]) -> None:
        self._definitions = {each.id: each for each in in_order(definitions)}
        self._site = site
        self._built: dict[str, Built] = {}

    def built(self, id: str) -> Built:
        """A definition's cohort."""
        if id not in self._definitions:
            raise StudyError("No cohort of that name is defined.", "Ask for one that is.")
        if id not in self._built:
            definition = self._definitions[id]
            self._built[id] = build(definition.cohort, Events(self._site, definition, self.events))
        return self._built[id]

    def events(self, id: str) -> list[Occurrence]:
        """A cohort's rows as events."""
        rows = enumerate(self.built(id).rows)
        return [Occurrence(row.origin.person, row.start, row.end, "cohort", place) for place, row in rows]


def answer(built: Built) -> Answer:
    """What the engine says of a definition."""
    events = [row.origin for row in built.rows]
    origins = Origins(
        np.array([DOMAINS.index(each.domain) for each in events], dtype=np.int64),
        np.array([each.id for each in events], dtype=np.int64),
        np.array([each.concept or 0 for each in events], dtype=np.int64),
    )
    by_mask = dict(built.events_by_mask), dict(built.persons_by_mask)
    return Answer(rows_of(built), built.attrition, origins, *by_mask, built.clipped)


def rows_of(built: Built) -> CohortRows:
    """A cohort's rows as arrays."""
    return CohortRows(
        np.array([row.origin.person for row in built.rows], dtype=np.int64),
        dates(row.start for row in built.rows),
        dates(row.end for row in built.rows),
        dates(row.period.end for row in built.rows),
    )


def within(window: Window, days: int) -> bool:
    """Whether so many days after the index are in a window."""
    low, high = window
    return (low is None or low <= days) and (high is None or days <= high)


def dates(ordinals: Iterable[int]) -> NDArray[np.datetime64]:
    """Days as datetime64[D]."""
    return np.array([date.fromordinal(day) for day in ordinals], dtype="datetime64[D]")
