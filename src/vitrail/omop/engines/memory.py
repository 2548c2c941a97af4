"""The in-memory engine: deliberately naive, it defines what cohorts and covariates mean and judges the others.

Read it beside the meaning in words: ``vitrail.study.cohort`` and ``vitrail.study.covariates``. What those leave open
is settled here, the same for every engine:

* A record without a person or a start date is no event. A number that is not finite is a missing number.
* An event ends on its recorded end, or on the day it starts where none is recorded. Ends order events, no more.
* A death's id is its person's id, and its concept is the cause of death.
* Concept id 0 ("no matching concept") is in no concept set. ``any`` takes every record, 0 and missing too.
* A concept is its own descendant, whether or not ``concept_ancestor`` says so.
* Where observation periods of one person overlap, an event belongs to the one that contains its start and itself
  starts earliest; of those that start alike, to the one that ends last.
* An event outside every observation period has no events around it: its ``where`` rules count 0.
* A rule counts the index event too where that fits ``of`` and day 0 is in the window.
* ``last`` looks at events with a number only.
* Of two ``person`` rows of one person, the earlier year of birth counts, and each sex that one of them has.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vitrail.omop.cohorts import ENTERED, KEPT, LIMITED, OBSERVED
from vitrail.omop.covariates import SEX_CONCEPT
from vitrail.omop.engines import CohortRows, Step
from vitrail.omop.events import bare
from vitrail.omop.tables import EVENT_TABLE, TABLES
from vitrail.study.cohort import ANY, DOMAINS, Cohort, EntryEvent, Event, Observed, Rule, Window
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

Records = Sequence[Mapping[str, object]]
"""The rows of one OMOP table, by column; a column may be missing."""


@dataclass(frozen=True)
class Occurrence:
    """One event of one person. Days are ordinals: day 1 is 0001-01-01."""

    person: int
    start: int
    end: int
    domain: str
    id: int
    concept: int | None = None
    number: float | None = None
    value_concept: int | None = None

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Which of one person's events comes first."""
        return self.start, self.end, DOMAINS.index(self.domain), self.id


@dataclass(frozen=True)
class Period:
    """An observation period; both ends are days of it."""

    start: int
    end: int

    def contains(self, day: int) -> bool:
        """Whether ``day`` is a day of the period."""
        return self.start <= day <= self.end


@dataclass(frozen=True)
class Row:
    """One row of a cohort."""

    person: int
    start: int
    end: int
    observed_until: int


class MemoryEngine:
    """An engine over plain Python rows. ``tables`` maps an OMOP table's name to its rows; a missing table is empty."""

    def __init__(self, study: Study, tables: Mapping[str, Records]) -> None:
        self._study, self._tables = study, tables
        self._built = cache(self._build)
        self._occurrences = cache(self._find)
        self._recorded = cache(self._read_records)
        self._of_person = cache(self._group)
        self._periods = cache(self._read_periods)
        self._set = cache(lambda name: resolved(study.concept_sets[name], tables.get("concept_ancestor", ())))

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        rows = self._built(name)[0]
        return CohortRows(
            np.array([row.person for row in rows], dtype=np.int64),
            dates(row.start for row in rows),
            dates(row.end for row in rows),
            dates(row.observed_until for row in rows),
        )

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        return self._built(name)[1]

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing."""
        indexes = [
            (int(person), start.item().toordinal()) for person, start in zip(rows.person, rows.start, strict=True)
        ]
        values = [[self._covariate(each, *index) for each in covariates] for index in indexes]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(covariates))

    # Cohorts, in the order of vitrail.study.cohort

    def _build(self, name: str) -> tuple[list[Row], tuple[Step, ...]]:
        cohort = self._study.cohorts[name]
        events = [event for entry in cohort.entry for event in self._entries(entry)]
        steps = [step(ENTERED, events)]
        events = [event for event in events if self._observed(event, cohort.observed)]
        steps.append(step(OBSERVED, events))
        if cohort.keep != "every":
            events = first_of_each(events, KEEP[cohort.keep])
            steps.append(step(KEPT[cohort.keep], events))
        for rule in cohort.rules:
            events = [event for event in events if self._holds(rule, event)]
            steps.append(step(rule.name, events))
        if cohort.limit == "first":
            events = first_of_each(events, KEEP["first"])
            steps.append(step(LIMITED, events))
        return collapsed([self._exit(cohort, event) for event in events]), tuple(steps)

    def _entries(self, entry: EntryEvent) -> list[Occurrence]:
        found = [event for events in self._occurrences(bare(entry)).values() for event in events]
        return [event for event in found if all(self._holds(rule, event) for rule in entry.where)]

    def _observed(self, event: Occurrence, need: Observed) -> bool:
        period = self._period(event)
        return period is not None and (
            event.start - need.before >= period.start and event.start + need.after <= period.end
        )

    def _period(self, event: Occurrence) -> Period | None:
        """The observation period that an event belongs to."""
        containing = [period for period in self._periods(event.person) if period.contains(event.start)]
        return min(containing, key=lambda period: (period.start, -period.end), default=None)

    def _holds(self, rule: Rule, index: Occurrence) -> bool:
        period = self._period(index)
        around = [
            event
            for event in self._occurrences(bare(rule.of)).get(index.person, [])
            if period is not None and period.contains(event.start) and within(rule.days, event.start - index.start)
        ]
        return rule.least <= len(around) and (rule.at_most is None or len(around) <= rule.at_most)

    def _exit(self, cohort: Cohort, event: Occurrence) -> Row:
        period, days = self._period(event), cohort.exit.days_after_start
        if period is None:
            raise ValueError("an event outside every observation period entered a cohort")
        end = period.end if days is None else min(period.end, event.start + days)
        return Row(event.person, event.start, end, period.end)

    # Covariates

    def _covariate(self, covariate: Covariate, person: int, day: int) -> float:
        if covariate.age:
            born = [year for row in self._person(person) if (year := integer(row, "year_of_birth")) is not None]
            return date.fromordinal(day).year - min(born) if born else math.nan
        if covariate.sex:
            wanted = SEX_CONCEPT[covariate.sex]
            return float(any(integer(row, "gender_concept_id") == wanted for row in self._person(person)))
        return self._history(covariate, person, day)

    def _history(self, covariate: Covariate, person: int, day: int) -> float:
        """``has`` or ``last`` of a person at a day."""
        window, event = covariate.days, covariate.event
        if window is None or event is None:
            raise ValueError("a covariate is none of age, sex, has, last")
        found = self._occurrences(bare(event)).get(person, [])
        found = [each for each in found if within(window, each.start - day)]
        if covariate.has:
            return float(bool(found))
        numbered = [(each.start, each.id, each.number) for each in found if each.number is not None]
        return max(numbered)[2] if numbered else math.nan

    # Tables

    def _find(self, event: Event) -> dict[int, list[Occurrence]]:
        """All occurrences of an event, by person."""
        occurrences = self._of_cohort(event.of) if event.cohort else self._of_table(event)
        by_person: dict[int, list[Occurrence]] = {}
        for occurrence in occurrences:
            by_person.setdefault(occurrence.person, []).append(occurrence)
        return by_person

    def _of_cohort(self, name: str) -> list[Occurrence]:
        rows = self._built(name)[0]
        return [Occurrence(row.person, row.start, row.end, "cohort", number) for number, row in enumerate(rows)]

    def _of_table(self, event: Event) -> list[Occurrence]:
        return [each for each in self._recorded(event.domain) if self._fits(event, each)]

    def _read_records(self, domain: str) -> list[Occurrence]:
        read = (occurrence(domain, record) for record in self._tables.get(EVENT_TABLE[domain], ()))
        return [each for each in read if each is not None]

    def _fits(self, event: Event, each: Occurrence) -> bool:
        return (
            (event.of == ANY or each.concept in self._set(event.of))
            and (event.value is None or event.value.fits(each.number))
            and (event.value_concepts is None or each.value_concept in self._set(event.value_concepts))
        )

    def _group(self, table: str) -> dict[int | None, list[Mapping[str, object]]]:
        """A table's rows by person."""
        by_person: dict[int | None, list[Mapping[str, object]]] = {}
        for row in self._tables.get(table, ()):
            by_person.setdefault(integer(row, "person_id"), []).append(row)
        return by_person

    def _person(self, person: int) -> Records:
        return self._of_person("person").get(person, [])

    def _read_periods(self, person: int) -> list[Period]:
        found = [
            (ordinal(row, "observation_period_start_date"), ordinal(row, "observation_period_end_date"))
            for row in self._of_person("observation_period").get(person, [])
        ]
        return [Period(start, end) for start, end in found if start is not None and end is not None]


def first_of_each(events: list[Occurrence], group: Callable[[Occurrence], object]) -> list[Occurrence]:
    """The first event of each group, in the order of events."""
    kept: dict[object, Occurrence] = {}
    for event in sorted(events, key=lambda event: event.order):
        kept.setdefault(group(event), event)
    return list(kept.values())


KEEP: Mapping[str, Callable[[Occurrence], object]] = {
    "first": lambda event: event.person,
    "first_of_each_year": lambda event: (event.person, date.fromordinal(event.start).year),
}
"""The groups of which ``keep`` and ``limit`` take the first event."""


def step(label: str, events: Iterable[Occurrence]) -> Step:
    """A step of attrition: the persons of the events that are left."""
    return Step(label, len({event.person for event in events}))


def collapsed(rows: Iterable[Row]) -> list[Row]:
    """Rows sorted by person and start, overlapping ones made one; it is observed until where its first part is."""
    result: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.person, row.start)):
        last = result[-1] if result else None
        if last is not None and last.person == row.person and row.start <= last.end:
            result[-1] = Row(last.person, last.start, max(last.end, row.end), last.observed_until)
        else:
            result.append(row)
    return result


def within(window: Window, days: int) -> bool:
    """Whether so many days after the index are in a window."""
    low, high = window
    return (low is None or low <= days) and (high is None or days <= high)


def resolved(concept_set: ConceptSet, ancestors: Records) -> frozenset[int]:
    """The concepts of a concept set."""

    def named(item: ConceptItem) -> set[int]:
        below = {
            concept
            for row in ancestors
            if integer(row, "ancestor_concept_id") == item.concept
            and (concept := integer(row, "descendant_concept_id")) is not None
        }
        return {item.concept, *(below if item.descendants else ())}

    included = {concept for item in concept_set.concepts if not item.exclude for concept in named(item)}
    excluded = {concept for item in concept_set.concepts if item.exclude for concept in named(item)}
    return frozenset(included - excluded - {0})


def occurrence(domain: str, record: Mapping[str, object]) -> Occurrence | None:
    """The event that a record of a domain's table tells, or None where it lacks person or start."""
    table = TABLES[EVENT_TABLE[domain]]
    person, start = integer(record, "person_id"), ordinal(record, str(table.start))
    if person is None or start is None:
        return None
    end = ordinal(record, table.end) if table.end else None
    return Occurrence(
        person, start, start if end is None else end, domain,
        id=integer(record, table.key) or 0,
        concept=integer(record, str(table.concept)),
        number=number(record, "value_as_number"),
        value_concept=integer(record, "value_as_concept_id"),
    )  # fmt: skip


def integer(record: Mapping[str, object], column: str) -> int | None:
    """The whole number in a column."""
    value = record.get(column)
    return None if value is None else int(value)  # type: ignore[call-overload]


def number(record: Mapping[str, object], column: str) -> float | None:
    """The finite number in a column."""
    value = record.get(column)
    return None if value is None or not math.isfinite(value) else float(value)  # type: ignore[arg-type]


def ordinal(record: Mapping[str, object], column: str) -> int | None:
    """The day in a column that holds a date."""
    value = record.get(column)
    return value.toordinal() if isinstance(value, date) else None


def dates(ordinals: Iterable[int]) -> NDArray[np.datetime64]:
    """Days as datetime64[D]."""
    return np.array([date.fromordinal(day) for day in ordinals], dtype="datetime64[D]")
