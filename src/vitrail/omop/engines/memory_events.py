"""The in-memory engine's events and rules: which events fit an :class:`Event`, and whether a rule holds at an index.

Read it beside ``vitrail.study.cohort``. What that leaves open is settled here, the same for every engine:

* ``any`` takes every record, also one whose concept is 0 or missing. ``source`` looks at the source concept.
* The order of judging one event: concept set and ``source``; ``first`` of what these leave, by recorded start and id;
  ``moved``; all other limits, at the moved dates; then the dates of ``period``; last ``where``.
* An event that ``moved`` would take out of the years 1 to 9999 is left out.
* An event outside every observation period fails where it has ``where`` rules; it is never an index.
* A rule counts the index event too where that fits ``of`` and the window.
* An open side of a window reaches to the edge of the index's observation period, unless ``unobserved``.
* ``distinct`` counts values; a missing value is none. The index's visit is that of its record; a missing one is no
  event's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from vitrail.errors import StudyError
from vitrail.omop.attributes import ABNORMAL, COLUMNS, TABLE, earlier, not_held
from vitrail.omop.engines.memory_records import Occurrence, Period, Site, integer, number, text
from vitrail.study.attributes import ATTRIBUTES
from vitrail.study.cohort import ANY, Around, DayLimits, Event, Group, Limits, Moved, PersonLimits, Rule, Span, Wording
from vitrail.study.concepts import Coded
from vitrail.study.definition import Definition

ByPerson = dict[int, list[Occurrence]]
CohortEvents = Callable[[str], list[Occurrence]]
"""The rows of another cohort as events."""

_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal()
_OF_RECORD = ("start", "end", "concept", "visit", "duration")
"""What ``distinct`` may count that every event has."""


@dataclass(frozen=True)
class Index:
    """An event that rules look around from, and its observation period."""

    event: Occurrence
    period: Period


class Events:
    """The events that one definition speaks of, found when first asked for."""

    def __init__(self, site: Site, definition: Definition, of_cohort: CohortEvents) -> None:
        self._site, self._definition, self._of_cohort = site, definition, of_cohort
        self._set = cache(self._members)
        self._found: dict[int, tuple[Event, ByPerson]] = {}

    def of(self, event: Event) -> ByPerson:
        """All events of a kind, by person."""
        if id(event) not in self._found:  # which word it is, not what it says: to hash a deep word takes long
            self._found[id(event)] = (event, self._find(event))
        return self._found[id(event)][1]

    def index(self, event: Occurrence) -> Index | None:
        """The event as an index; None where no observation period contains it."""
        period = self._site.period(event.person, event.start)
        return None if period is None else Index(event, period)

    # Which events fit

    def _find(self, event: Event) -> ByPerson:
        for attribute, column in earlier(event.domain).items():
            if getattr(event, attribute) is not None and self._site.lacks(TABLE[event.domain], column):
                raise not_held(event.domain, column)
        found = self._of_concepts(event)
        if event.first:
            found = first_of_each_person(found)
        if event.moved:
            found = [moved for each in found if (moved := moved_by(event.moved, each)) is not None]
        recorded = limits_of_records(event)
        found = [each for each in found if self._recorded(recorded, each) and self._fits(event, each)]
        if event.period:
            found = [during(event.period, each) for each in found]
        return by_person(each for each in found if not event.where or self._surrounded(event.where, each))

    def _of_concepts(self, event: Event) -> list[Occurrence]:
        """The events of the concepts that are asked for."""
        if event.domain == "cohort":
            return self._of_cohort(event.of)
        found = self._site.occurrences(event.domain)
        if event.of != ANY:
            members = self._set(event.of)
            found = [each for each in found if each.concept in members]
        if event.source is not None:
            members, column = self._set(event.source), COLUMNS[event.domain]["source"]
            found = [each for each in found if integer(each.record, column) in members]
        return found

    def _fits(self, event: Event, each: Occurrence) -> bool:
        """Whether an event keeps the limits that do not rest on its record alone."""
        site = self._site
        return (
            day_fits(event.starts, each.start)
            and day_fits(event.ends, each.end)
            and self._age_fits(event.age, each.person, each.start)
            and self._age_fits(event.age_at_end, each.person, each.end)
            and (event.length is None or event.length.fits(each.end - each.start))
            and (event.period is None or contained(event.period, each))
            and self._coded(event.gender, lambda: site.of_person(each.person, "gender_concept_id"))
            and self._coded(event.visit_type, lambda: site.visits(each))
            and self._coded(event.specialty, lambda: site.specialties(each))
            and self._coded(event.place_of_service, lambda: site.places(each))
            and (not event.abnormal or abnormal(each))
            and (event.range_low_ratio is None or event.range_low_ratio.fits(ratio(each, "range_low")))
            and (event.range_high_ratio is None or event.range_high_ratio.fits(ratio(each, "range_high")))
        )

    def _recorded(self, limits: Sequence[tuple[str, object]], each: Occurrence) -> bool:
        """Whether what the record itself holds keeps its limits."""
        return all(self._one_recorded(column, limit, each) for column, limit in limits)

    def _one_recorded(self, column: str, limit: object, each: Occurrence) -> bool:
        if isinstance(limit, Limits):
            return limit.fits(number(each.record, column))
        if isinstance(limit, Wording):
            return limit.fits(text(each.record, column))
        concept = integer(each.record, column)
        if isinstance(limit, Coded):
            return self._coded(limit, lambda: set() if concept is None else {concept})
        return concept in self._set(str(limit))

    def _age_fits(self, limits: Limits | None, person: int, day: int) -> bool:
        """Whether a person's age at a day keeps the limits, where there are any."""
        born = None if limits is None else self._site.born(person)
        return limits is None or limits.fits(None if born is None else calendar(day).year - born)

    def _coded(self, limit: Coded | None, concepts: Callable[[], set[int]]) -> bool:
        """Whether one of the concepts keeps the limits of a concept, where there are any."""
        if limit is not None and limit.recorded is False:
            return not concepts()
        return limit is None or any(
            (limit.any_of is None or concept in limit.any_of)
            and (limit.none_of is None or concept not in limit.none_of)
            and (limit.within is None or concept in self._set(limit.within))
            and (limit.outside is None or concept not in self._set(limit.outside))
            for concept in concepts()
        )

    def _members(self, name: str) -> frozenset[int]:
        if name not in self._definition.concept_sets:
            raise StudyError("A cohort names a concept set that is not defined.", "Define it, or name another.")
        return self._site.members(self._definition.concept_sets[name])

    def exposures(self, drug: str) -> ByPerson:
        """The drug exposures whose concept, or source concept, is of a concept set."""
        return by_person(
            each
            for each in self._site.occurrences("drug")
            if each.concept in self._set(drug) or integer(each.record, COLUMNS["drug"]["source"]) in self._set(drug)
        )

    # Which rules hold

    def _surrounded(self, rules: tuple[Rule, ...], event: Occurrence) -> bool:
        index = self.index(event)
        return index is not None and all(self.holds(rule, index) for rule in rules)

    def holds(self, rule: Rule, index: Index) -> bool:
        """Whether a rule holds at an index."""
        if rule.group is not None:
            return self.group_holds(rule.group, index)
        if rule.person is not None:
            return self._person_fits(rule.person, index.event)
        if rule.of is None:
            raise ValueError("a rule is none of of, person, group")
        windows = (*((Around(days=rule.days),) if rule.days else ()), *(rule.windows or ()))
        around = self.of(rule.of).get(index.event.person, [])
        near = [each for each in around if counts(rule, index, each, windows)]
        return rule.least <= counted(rule, near) and (rule.at_most is None or counted(rule, near) <= rule.at_most)

    def group_holds(self, group: Group, index: Index) -> bool:
        """Whether a group of rules holds at an index."""
        held = sum(self.holds(rule, index) for rule in group.rules)
        if not group.rules or group.need == "all":
            return held == len(group.rules)
        if group.need == "any":
            return held > 0
        if group.count is None:
            raise ValueError("a group that counts has no count")
        return held >= group.count if group.need == "at_least" else held <= group.count

    def _person_fits(self, limits: PersonLimits, event: Occurrence) -> bool:
        site, person = self._site, event.person
        return (
            self._age_fits(limits.age, person, event.start)
            and self._coded(limits.gender, lambda: site.of_person(person, "gender_concept_id"))
            and self._coded(limits.race, lambda: site.of_person(person, "race_concept_id"))
            and self._coded(limits.ethnicity, lambda: site.of_person(person, "ethnicity_concept_id"))
            and day_fits(limits.starts, event.start)
            and day_fits(limits.ends, event.end)
        )


def limits_of_records(event: Event) -> list[tuple[str, object]]:
    """The limits of what a record itself holds, each with its column."""
    columns = COLUMNS.get(event.domain, {})
    asked = [(columns.get(name), getattr(event, name)) for name in ATTRIBUTES[event.domain] if name != "source"]
    return [(column, limit) for column, limit in asked if column is not None and limit is not None]


def counts(rule: Rule, index: Index, each: Occurrence, windows: Sequence[Around]) -> bool:
    """Whether an event counts for a rule at an index."""
    return (
        (rule.unobserved is not None or index.period.contains(each.start))
        and all(in_window(rule, window, index, each) for window in windows)
        and (rule.same_visit is None or (each.visit is not None and each.visit == index.event.visit))
    )


def in_window(rule: Rule, window: Around, index: Index, each: Occurrence) -> bool:
    """Whether an event's start or end lies in a window around an index."""
    centre = index.event.start if window.index == "start" else index.event.end
    day = each.start if window.event == "start" else each.end
    low, high = window.days
    if rule.unobserved:
        return (low is None or centre + low <= day) and (high is None or day <= centre + high)
    first, last = index.period.start, index.period.end
    return (first if low is None else centre + low) <= day <= (last if high is None else centre + high)


def counted(rule: Rule, events: list[Occurrence]) -> int:
    """How many events there are, or how many different values they have."""
    if rule.distinct is None:
        return len(events)
    return len({value for each in events if (value := value_of(rule.distinct, each)) is not None})


def value_of(distinct: str, each: Occurrence) -> float | None:
    """The value that ``distinct`` counts."""
    if distinct == "duration":
        return each.end - each.start
    if distinct in _OF_RECORD:
        found: int | None = getattr(each, distinct)
        return found
    return number(each.record, COLUMNS[each.domain][distinct])


def by_person(events: Iterable[Occurrence]) -> ByPerson:
    """Events by person."""
    found: ByPerson = {}
    for each in events:
        found.setdefault(each.person, []).append(each)
    return found


def first_of_each_person(events: list[Occurrence]) -> list[Occurrence]:
    """Each person's first event, by start and id."""
    return [min(theirs, key=lambda each: (each.start, each.id)) for theirs in by_person(events).values()]


def moved_by(moved: Moved, each: Occurrence) -> Occurrence | None:
    """The event with other dates; None where it would end before it starts, or leave the calendar."""
    start = (each.start if moved.start_from == "start" else each.end) + moved.start_days
    end = (each.start if moved.end_from == "start" else each.end) + moved.end_days
    return replace(each, start=start, end=end) if _FIRST_DAY <= start <= end <= _LAST_DAY else None


def contained(span: Span, each: Occurrence) -> bool:
    """Whether both dates of a span, where given, lie in an event."""
    return all(each.start <= day.toordinal() <= each.end for day in (span.start, span.end) if day is not None)


def during(span: Span, each: Occurrence) -> Occurrence:
    """The event with the dates of a span, where these are given."""
    start = each.start if span.start is None else span.start.toordinal()
    return replace(each, start=start, end=each.end if span.end is None else span.end.toordinal())


def calendar(day: int) -> date:
    """A day as a date; one beyond the calendar is its first or last day."""
    return date.fromordinal(max(_FIRST_DAY, min(day, _LAST_DAY)))


def day_fits(limits: DayLimits | None, day: int) -> bool:
    """Whether a day keeps the limits, where there are any."""
    return limits is None or limits.fits(calendar(day))


def ratio(each: Occurrence, column: str) -> float | None:
    """A measurement's value by the low or high end of its range."""
    value, end = number(each.record, "value_as_number"), number(each.record, column)
    return None if value is None or not end else value / end


def abnormal(each: Occurrence) -> bool:
    """Whether a measurement's value lies outside its range, or is said to be abnormal."""
    value, low, high = (number(each.record, name) for name in ("value_as_number", "range_low", "range_high"))
    below = value is not None and low is not None and value < low
    above = value is not None and high is not None and value > high
    return below or above or integer(each.record, "value_as_concept_id") in ABNORMAL
