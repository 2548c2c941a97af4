"""The in-memory engine's cohorts: the steps of ``vitrail.study.cohort``, one after the other, in plain loops.

What the words leave open is settled here, the same for every engine:

* An event that fits two of the entry events is one event.
* Of the ends that an entry event may have (the observation period's, that of ``exit``, those of ``censor``), those that
  lie before its start do not count; where none is left, there is no row. (So in circe-be.)
* ``exposed_to``: exposures whose start is at most ``gap + offset`` days after the latest end of those before are one
  era, wherever the person was observed; an entry event in no era has no end by it. (So in circe-be.)
* A row begins with the first of its entry events, and is observed until where that one is; ``clip`` changes neither.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from vitrail.omop.attrition import ALSO, ENDED, ENTERED, KEPT, LIMITED, OBSERVED, QUALIFIED, loses_at_the_end
from vitrail.omop.engines import Step
from vitrail.omop.engines.memory_events import ByPerson, Events, Index
from vitrail.omop.engines.memory_records import Occurrence, Period
from vitrail.study.cohort import Cohort, Exposure, Observed, Span


@dataclass(frozen=True)
class Row:
    """One row of a cohort: its entry event's person, its days, and the period and the event that it began in."""

    start: int
    end: int
    period: Period
    origin: Occurrence


@dataclass(frozen=True)
class Built:
    """A cohort's rows, sorted, and what became of the events; ``vitrail.omop.engines.Answer`` explains it."""

    rows: list[Row]
    attrition: tuple[Step, ...]
    events_by_mask: Counter[int]
    persons_by_mask: Counter[int]
    clipped: int


def build(cohort: Cohort, events: Events) -> Built:
    """A cohort's rows."""
    steps: list[Step] = []
    judged = qualified(cohort, events, steps)
    masks = [mask(cohort, events, index) for index in judged]
    left = limited(cohort, list(zip(judged, masks, strict=True)), steps)
    ends = [(index, end) for index in left if (end := end_of(cohort, events, index)) is not None]
    rows = collapsed(cohort, [Row(index.event.start, end, index.period, index.event) for index, end in ends])
    clipped = [kept for row in rows if (kept := clip(cohort.clip, row)) is not None]
    if loses_at_the_end(cohort):
        steps.append(Step(ENDED, len(persons(clipped))))
    best = [min(theirs, key=how_good)[1] for theirs in of_each_person(judged, masks)]
    return Built(clipped, tuple(steps), Counter(masks), Counter(best), len(persons(rows)) - len(persons(clipped)))


def qualified(cohort: Cohort, events: Events, steps: list[Step]) -> list[Index]:
    """The events that the rules judge: entry, observed, keep, also, qualified."""
    entered = {each: None for entry in cohort.entry for theirs in events.of(entry).values() for each in theirs}
    steps.append(step(ENTERED, entered))
    indexes = [index for each in entered if (index := events.index(each)) is not None]
    indexes = [index for index in indexes if observed(index, cohort.observed)]
    steps.append(step(OBSERVED, (index.event for index in indexes)))
    if cohort.keep != "every":
        indexes = one_of_each(indexes, cohort.keep)
        steps.append(step(KEPT[cohort.keep], (index.event for index in indexes)))
    if cohort.also is not None:
        indexes = [index for index in indexes if events.group_holds(cohort.also, index)]
        steps.append(step(ALSO, (index.event for index in indexes)))
    if cohort.qualified is not None:
        indexes = one_of_each(indexes, cohort.qualified)
        steps.append(step(QUALIFIED[cohort.qualified], (index.event for index in indexes)))
    return indexes


def limited(cohort: Cohort, judged: list[tuple[Index, int]], steps: list[Step]) -> list[Index]:
    """The events for which every rule holds, limited."""
    for place, rule in enumerate(cohort.rules):
        judged = [(index, mask) for index, mask in judged if mask & 1 << place]
        steps.append(step(str(rule.name), (index.event for index, _ in judged)))
    left = [index for index, _ in judged]
    if cohort.limit != "every":
        left = one_of_each(left, cohort.limit)
        steps.append(step(LIMITED[cohort.limit], (index.event for index in left)))
    return left


def observed(index: Index, need: Observed) -> bool:
    """Whether an event has the observation time that it needs."""
    start = index.event.start
    return start - need.before >= index.period.start and start + need.after <= index.period.end


def mask(cohort: Cohort, events: Events, index: Index) -> int:
    """The rules that hold at an index, as bits."""
    return sum(1 << place for place, rule in enumerate(cohort.rules) if events.holds(rule, index))


def one_of_each(indexes: list[Index], which: str) -> list[Index]:
    """The event of each person's first or last day, or the first of each person and calendar year."""
    groups: dict[object, Index] = {}
    sign = -1 if which == "last" else 1
    for index in sorted(indexes, key=lambda index: (sign * index.event.start, index.event.tie)):
        year = date.fromordinal(index.event.start).year if which == "first_of_each_year" else None
        groups.setdefault((index.event.person, year), index)
    return list(groups.values())


def of_each_person(judged: list[Index], masks: list[int]) -> list[list[tuple[Index, int]]]:
    """Events and their masks, person by person."""
    found: dict[int, list[tuple[Index, int]]] = {}
    for index, held in zip(judged, masks, strict=True):
        found.setdefault(index.event.person, []).append((index, held))
    return list(found.values())


def how_good(judged: tuple[Index, int]) -> tuple[object, ...]:
    """The least is a person's best event: most rules, the earliest rule, the first event."""
    index, held = judged
    return -held.bit_count(), held & -held, index.event.order


# Until when


def end_of(cohort: Cohort, events: Events, index: Index) -> int | None:
    """When an entry event's row ends; None where it would end before it starts."""
    event, period, leave = index.event, index.period, cohort.exit
    ends = [period.end]
    if leave.days_after_start is not None:
        ends = [min(period.end, event.start + leave.days_after_start)]
    elif leave.days_after_end is not None:
        ends = [min(period.end, event.end + leave.days_after_end)]
    elif leave.exposed_to is not None:
        ends += exposed_until(leave.exposed_to, events.exposures(leave.exposed_to.drug), event)
    for censor in cohort.censor or ():
        ends += [each.start for each in events.of(censor).get(event.person, []) if each.start <= period.end]
    return min((end for end in ends if end >= event.start), default=None)


def exposed_until(exposure: Exposure, exposures: ByPerson, event: Occurrence) -> list[int]:
    """The end of the era of exposure in which an event starts, if there is one."""
    days = sorted((each.start, supplied(exposure, each)) for each in exposures.get(event.person, []))
    eras: list[tuple[int, int]] = []
    for start, end in days:
        if eras and start <= eras[-1][1] + exposure.gap:
            eras[-1] = (eras[-1][0], max(eras[-1][1], end))
        else:
            eras.append((start, end))
    return [end for start, end in eras if start <= event.start <= end]


def supplied(exposure: Exposure, each: Occurrence) -> int:
    """Until when an exposure counts."""
    return exposure.offset + (each.end if exposure.days_supply is None else each.start + exposure.days_supply)


def collapsed(cohort: Cohort, rows: Iterable[Row]) -> list[Row]:
    """Rows sorted by person and start, those that overlap or are close made one."""
    result: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.origin.person, row.origin.order)):
        last = result[-1] if result else None
        if last is not None and joins(cohort, last, row):
            result[-1] = replace(last, end=max(last.end, row.end))
        else:
            result.append(row)
    return result


def joins(cohort: Cohort, last: Row, row: Row) -> bool:
    """Whether a row continues the one before."""
    return (
        last.origin.person == row.origin.person
        and row.start <= last.end + (cohort.era_pad or 0)
        and (not cohort.eras_within_observation or last.period == row.period)
    )


def clip(span: Span | None, row: Row) -> Row | None:
    """The part of a row that lies in a span of dates."""
    if span is None:
        return row
    start = row.start if span.start is None else max(row.start, span.start.toordinal())
    end = row.end if span.end is None else min(row.end, span.end.toordinal())
    return replace(row, start=start, end=end) if start <= end else None


def persons(rows: Iterable[Row]) -> set[int]:
    """The persons of rows."""
    return {row.origin.person for row in rows}


def step(label: str, events: Iterable[Occurrence]) -> Step:
    """A step of attrition: the persons of the events that are left."""
    return Step(label, len({event.person for event in events}))
