"""Cohorts: who enters when, by which rules, until when.

A cohort says what OHDSI's cohort definitions (Circe, as ATLAS exports them) say, and more: :mod:`vitrail.study.circe`
reads and writes those. The meaning, in order, is that of the in-memory engine (``vitrail.omop.engines.memory``), which
judges the others:

1. *Entry events*: the union of ``entry``. An event counts where it fits its concept set, its limits and its ``where``
   rules (each judged with the event itself as index), starts inside an observation period (both ends included), and
   that period reaches at least ``observed.before`` days before and ``observed.after`` days after the event's start.
2. *keep*: ``first`` and ``last`` keep each person's first or last entry event, ``first_of_each_year`` the first of
   each calendar year, ``every`` all. Of several on the first or last day, it is the one with the smallest id, then
   domain (in the order of :data:`DOMAINS`), then end. (circe-be's order, where it has one.)
3. *also*: a group of rules that must hold; of the events for which it does, ``qualified`` keeps each person's first or
   last.
4. *rules*: every rule must hold.
5. *limit*: ``first`` and ``last`` keep each person's first or last remaining event.
6. *Exit*: the earliest of the end of the observation period, the end that ``exit`` gives, and the start of the first
   ``censor`` event from the entry's start on. Ends before that start do not count; where none is left, there is no row.
7. Rows of one person that overlap or lie at most ``era_pad`` days apart become one.
8. *clip*: rows are cut to a span of dates; those outside are dropped.

A rule around an index counts events that start inside the index's observation period, unless ``unobserved``.
"""

from collections.abc import Iterator
from datetime import date
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from vitrail.study.attributes import ANYWHERE, ATTRIBUTES, COUNTED, DOMAINS, Distinct, Domain
from vitrail.study.concepts import Coded
from vitrail.study.word import Name, Part, PartError, Word

Days = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Lasting = Annotated[int, Field(ge=0, le=1_000_000)]
"""A number of days. Definitions write 99999 for "for ever"."""

Window = tuple[Days | None, Days | None]
"""Days from the index to an event's start, both ends included; ``null`` is unbounded."""

Count = Annotated[int, Field(ge=0, le=10_000)]
Side = Literal["start", "end"]


def _day(value: object) -> object:
    """A day as YAML and JSON write it."""
    return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else value


Day = Annotated[date, BeforeValidator(_day), Field(description="a day as YYYY-MM-DD")]

ANY = "any"
"""In place of a concept set's name: events with any concept."""


class Limits(Word):
    """Limits of a number. All that are given must hold; a missing number never fits.

    ``outside`` wants a number below the first or above the second.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    outside: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("no limit is given; give at least one of at_least, above, at_most, below, outside")
        return self

    def fits(self, value: float | None) -> bool:
        """Whether ``value`` is within all limits; a missing one, and one that is not finite, is not."""
        return (
            value is not None
            and isfinite(value)
            and not (
                (self.at_least is not None and value < self.at_least)
                or (self.above is not None and value <= self.above)
                or (self.at_most is not None and value > self.at_most)
                or (self.below is not None and value >= self.below)
                or (self.outside is not None and self.outside[0] <= value <= self.outside[1])
            )
        )


class DayLimits(Word):
    """Limits of a date, as :class:`Limits` are of a number."""

    since: Day | None = None
    after: Day | None = None
    until: Day | None = None
    before: Day | None = None
    outside: tuple[Day, Day] | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("no limit is given; give at least one of since, after, until, before, outside")
        return self

    def fits(self, day: date | None) -> bool:
        """Whether ``day`` is within all limits; a missing one is not."""
        return day is not None and not (
            (self.since is not None and day < self.since)
            or (self.after is not None and day <= self.after)
            or (self.until is not None and day > self.until)
            or (self.before is not None and day >= self.before)
            or (self.outside is not None and self.outside[0] <= day <= self.outside[1])
        )


class Wording(Word):
    """Limits of a text, upper and lower case apart. All that are given must hold; a missing text never fits."""

    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    not_starting_with: str | None = None
    not_ending_with: str | None = None
    not_containing: str | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("no limit is given; give starts_with, ends_with, contains or a negation of them")
        return self

    def fits(self, text: str | None) -> bool:
        """Whether ``text`` fits all limits."""
        return (
            text is not None
            and (self.starts_with is None or text.startswith(self.starts_with))
            and (self.ends_with is None or text.endswith(self.ends_with))
            and (self.contains is None or self.contains in text)
            and (self.not_starting_with is None or not text.startswith(self.not_starting_with))
            and (self.not_ending_with is None or not text.endswith(self.not_ending_with))
            and (self.not_containing is None or self.not_containing not in text)
        )


class Moved(Word):
    """Other dates for an event: its start and end, reckoned in days from its own start or end.

    An event that would end before it starts is left out.
    """

    start_from: Side = "start"
    start_days: Days = 0
    end_from: Side = "end"
    end_days: Days = 0


class Span(Word):
    """A span of dates, both ends included; one that is not given is open."""

    start: Day | None = None
    end: Day | None = None

    @model_validator(mode="after")
    def _some_end(self) -> Self:
        if self.start is None and self.end is None:
            raise ValueError("no date is given; give at least one of start, end")
        return self


class Event(Word):
    """Records of one domain: exactly one of the domain fields names a concept set, or ``any``.

    ``cohort`` names another cohort of the study instead; its events are that cohort's rows. Everything else limits
    the events; :data:`vitrail.study.attributes.ATTRIBUTES` says what each domain has. ``first`` is each person's first
    event in the concept sets, judged before all other limits. ``source`` is a concept set for the source concept;
    ``age`` is in years at the start, year less year of birth; ``length`` is in days, start to end; ``period`` wants
    an observation or payer plan period that contains it, and takes its dates instead.
    """

    condition: Name | None = None
    drug: Name | None = None
    procedure: Name | None = None
    measurement: Name | None = None
    observation: Name | None = None
    device: Name | None = None
    visit: Name | None = None
    death: Name | None = None
    condition_era: Name | None = None
    drug_era: Name | None = None
    dose_era: Name | None = None
    visit_detail: Name | None = None
    specimen: Name | None = None
    observation_period: Name | None = None
    payer_plan_period: Name | None = None
    cohort: Name | None = None

    first: Literal[True] | None = None
    source: Name | None = None
    starts: DayLimits | None = None
    ends: DayLimits | None = None
    age: Limits | None = None
    age_at_end: Limits | None = None
    gender: Coded | None = None
    type: Coded | None = None
    visit_type: Coded | None = None
    specialty: Coded | None = None
    place_of_service: Coded | None = None
    status: Coded | None = None
    route: Coded | None = None
    modifier: Coded | None = None
    operator: Coded | None = None
    qualifier: Coded | None = None
    unit: Coded | None = None
    anatomic_site: Coded | None = None
    disease_status: Coded | None = None
    payer: Coded | None = None
    plan: Coded | None = None
    sponsor: Coded | None = None
    stop_reason_concept: Coded | None = None
    payer_source: Coded | None = None
    plan_source: Coded | None = None
    sponsor_source: Coded | None = None
    stop_reason_source: Coded | None = None
    value: Limits | None = None
    value_concepts: Name | Coded | None = None
    value_text: Wording | None = None
    range_low: Limits | None = None
    range_high: Limits | None = None
    range_low_ratio: Limits | None = None
    range_high_ratio: Limits | None = None
    abnormal: Literal[True] | None = None
    refills: Limits | None = None
    quantity: Limits | None = None
    days_supply: Limits | None = None
    dose: Limits | None = None
    length: Limits | None = None
    occurrences: Limits | None = None
    gap_days: Limits | None = None
    stop_reason: Wording | None = None
    lot_number: Wording | None = None
    unique_device_id: Wording | None = None
    source_id: Wording | None = None
    period: Span | None = None
    moved: Moved | None = None
    where: "Annotated[tuple[Rule, ...], Field(max_length=100)] | None" = None

    @model_validator(mode="after")
    def _one_domain(self) -> Self:
        given = [domain for domain in DOMAINS if getattr(self, domain) is not None]
        if len(given) != 1:
            raise ValueError(f"not exactly one domain is given; give one of {', '.join(DOMAINS)}")
        admitted = {*ATTRIBUTES[given[0]], *ANYWHERE}
        for name in type(self).model_fields:
            if getattr(self, name) and name not in DOMAINS and name not in admitted:
                raise PartError((((name,), "events of this domain have no such attribute; leave it out here"),))
        return self

    @property
    def domain(self) -> Domain:
        """The one domain that is given."""
        return next(domain for domain in DOMAINS if getattr(self, domain) is not None)

    @property
    def of(self) -> str:
        """The name of the concept set or cohort, or ``any``."""
        return str(getattr(self, self.domain))


class PersonLimits(Word):
    """What must hold of the person at an index: age in years at its start, and when it starts and ends."""

    age: Limits | None = None
    gender: Coded | None = None
    race: Coded | None = None
    ethnicity: Coded | None = None
    starts: DayLimits | None = None
    ends: DayLimits | None = None


class Around(Word):
    """A window of days from the index's ``index`` (start or end) to an event's ``event`` (start or end).

    Unlike ``days`` of a rule, it may end before it starts, and then holds nothing: so says many a definition of Circe.
    """

    days: Window
    index: Side = "start"
    event: Side = "start"


class Group(Word):
    """Rules of which ``all``, ``any``, or ``at_least`` or ``at_most`` ``count`` must hold; with none it holds."""

    need: Literal["all", "any", "at_least", "at_most"] = "all"
    count: Count | None = None
    rules: "Annotated[tuple[Rule, ...], Field(max_length=500)]" = ()

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if (self.count is not None) != (self.need in ("at_least", "at_most")):
            raise ValueError("count belongs to at_least and at_most; give it with these always, with others never")
        return self


class Rule(Word):
    """What must hold around an index: a number of events ``of`` a kind, limits of the ``person``, or a ``group``.

    Of events there must be between ``at_least`` and ``at_most``; at least one where neither is given; ``at_most: 0``
    excludes. An event counts where its start lies in ``days`` around the index's start, and all ``windows`` hold.
    ``distinct`` counts different values instead of events. ``same_visit`` wants the index's visit. Events outside the
    index's observation period do not count, unless ``unobserved``.
    """

    name: Name | None = None
    of: Event | None = None
    days: Window | None = None
    windows: Annotated[tuple[Around, ...], Field(min_length=1, max_length=2)] | None = None
    at_least: Count | None = None
    at_most: Count | None = None
    distinct: Distinct | None = None
    same_visit: Literal[True] | None = None
    unobserved: Literal[True] | None = None
    person: PersonLimits | None = None
    group: Group | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in ("of", "person", "group") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("not exactly one kind of rule is given; give one of of, person, group")
        counting = ("days", "windows", "at_least", "at_most", "distinct", "same_visit", "unobserved")
        if given != ["of"] and any(getattr(self, name) is not None for name in counting):
            raise ValueError("days and counts belong to of; leave them out here")
        if given == ["of"] and self.days is None and self.windows is None:
            raise ValueError("no window is given; give days, windows, or both")
        if self.of is not None and self.distinct is not None and self.distinct not in COUNTED[self.of.domain]:
            raise ValueError("events of this domain have no such values; count others, or leave distinct out")
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.days is not None:
            _forwards(self.days)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most; write the smaller number as at_least")
        return self

    @property
    def least(self) -> int:
        """The fewest events that satisfy the rule."""
        if self.at_least is not None:
            return self.at_least
        return 0 if self.at_most is not None else 1


def _forwards(days: Window) -> None:
    low, high = days
    if low is not None and high is not None and low > high:
        raise ValueError("the window ends before it starts; write the earlier day first")


class EntryEvent(Event):
    """An event that lets a person in, where its ``where`` rules hold with the event itself as index."""

    where: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()


class Observed(Word):
    """Days of observation that an entry event needs around its start."""

    before: Lasting = 0
    after: Lasting = 0


class Exposure(Word):
    """The era of exposure to a drug in which the entry event starts: exposures at most ``gap`` days apart are one.

    It ends ``offset`` days after the last exposure; each lasts ``days_supply`` where that is given.
    """

    drug: Name
    gap: Lasting = 30
    offset: Lasting = 0
    days_supply: Lasting | None = None


class Exit(Word):
    """The end of the observation period, or one of these ends if that is earlier."""

    days_after_start: Days | None = None
    days_after_end: Days | None = None
    exposed_to: Exposure | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if [self.days_after_start, self.days_after_end, self.exposed_to].count(None) < 2:
            raise ValueError("more than one end is given; give one of days_after_start, days_after_end, exposed_to")
        return self


class Cohort(Word):
    """Who enters when, by which rules, until when; the module says how it is read."""

    entry: Annotated[tuple[EntryEvent, ...], Field(min_length=1, max_length=100)]
    observed: Observed = Observed()
    keep: Literal["first", "last", "every", "first_of_each_year"] = "every"
    also: Group | None = None
    qualified: Literal["first", "last"] | None = None
    rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    limit: Literal["first", "last", "every"] = "every"
    exit: Exit = Exit()
    censor: Annotated[tuple[Event, ...], Field(min_length=1, max_length=100)] | None = None
    era_pad: Lasting | None = None
    eras_within_observation: Literal[True] | None = None
    clip: Span | None = None

    @model_validator(mode="after")
    def _rules_named(self) -> Self:
        if any(rule.name is None for rule in self.rules):
            raise ValueError("a rule of the cohort has no name; give it one, for attrition shows it")
        if self.qualified is not None and self.also is None:
            raise ValueError("qualified belongs to also; leave it out here")
        return self

    def parts(self) -> Iterator[tuple[Part, Event]]:
        """Every event that the cohort speaks of, and the way to it."""
        for i, entry in enumerate(self.entry):
            yield from _parts(("entry", i), entry)
        yield from _of_rules(("also", "rules"), self.also.rules if self.also else ())
        yield from _of_rules(("rules",), self.rules)
        for i, event in enumerate(self.censor or ()):
            yield from _parts(("censor", i), event)

    def events(self) -> tuple[Event, ...]:
        """Every event that the cohort speaks of."""
        return tuple(event for _, event in self.parts())


def _parts(way: Part, event: Event) -> Iterator[tuple[Part, Event]]:
    yield way, event
    yield from _of_rules((*way, "where"), event.where or ())


def _of_rules(way: Part, rules: tuple[Rule, ...]) -> Iterator[tuple[Part, Event]]:
    for i, rule in enumerate(rules):
        if rule.of is not None:
            yield from _parts((*way, i, "of"), rule.of)
        if rule.group is not None:
            yield from _of_rules((*way, i, "group", "rules"), rule.group.rules)


for _word in (Event, Group, Rule, EntryEvent, Cohort):
    _word.model_rebuild()
