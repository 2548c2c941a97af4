"""Cohorts: who enters when, by which rules, until when.

The meaning, in order, is that of the in-memory engine (``vitrail.omop.engines.memory``), which judges the others:

1. *Entry events*: the union of ``entry``. An event counts where it fits its concept set, its value limits and
   its ``where`` rules (each judged with the event itself as index), starts inside an observation period (both ends
   included), and that period reaches at least ``observed.before`` days before and ``observed.after`` days
   after the event's start.
2. *keep*: ``first`` keeps each person's first entry event, ``first_of_each_year`` the first of each calendar
   year, ``every`` all. Order: start, end, domain (in the order of :data:`DOMAINS`), event id.
3. *rules*: every rule must hold. A rule counts the events of ``of`` that start in the ``days`` window around
   the entry event's start, inside the same observation period.
4. *limit*: ``first`` keeps each person's first remaining event.
5. *Exit*: the end of the observation period, or ``exit.days_after_start`` days after the start, whichever is
   earlier.
6. Rows of one person that overlap (next start ≤ running end) become one.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.word import Name, Part, Word

Domain = Literal["condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death", "cohort"]
DOMAINS: tuple[Domain, ...] = (
    "condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death", "cohort",
)  # fmt: skip
"""The domains of an event; also the order in which ties are broken."""

Days = Annotated[int, Field(ge=-36_525, le=36_525)]
Window = tuple[Days | None, Days | None]
"""Days from the index to an event's start, both ends included; ``null`` is unbounded."""

ANY = "any"
"""In place of a concept set's name: events with any concept."""


class Limits(Word):
    """Limits of a number. All that are given must hold; a missing number never fits."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.at_least is self.above is self.at_most is self.below is None:
            raise ValueError("no limit is given; give at least one of at_least, above, at_most, below")
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
            )
        )


class Event(Word):
    """Records of one domain: exactly one of the domain fields names a concept set, or ``any``.

    ``cohort`` names another cohort of the study instead; its events are that cohort's rows. ``value`` limits
    ``value_as_number`` and ``value_concepts`` names a concept set for ``value_as_concept_id``; both are for
    measurements and observations.
    """

    condition: Name | None = None
    drug: Name | None = None
    procedure: Name | None = None
    measurement: Name | None = None
    observation: Name | None = None
    device: Name | None = None
    visit: Name | None = None
    death: Name | None = None
    cohort: Name | None = None
    value: Limits | None = None
    value_concepts: Name | None = None

    @model_validator(mode="after")
    def _one_domain(self) -> Self:
        given = [domain for domain in DOMAINS if getattr(self, domain) is not None]
        if len(given) != 1:
            raise ValueError(f"not exactly one domain is given; give one of {', '.join(DOMAINS)}")
        valued = self.value is not None or self.value_concepts is not None
        if valued and given[0] not in ("measurement", "observation"):
            raise ValueError("value and value_concepts are for measurement and observation; leave them out here")
        return self

    @property
    def domain(self) -> Domain:
        """The one domain that is given."""
        return next(domain for domain in DOMAINS if getattr(self, domain) is not None)

    @property
    def of(self) -> str:
        """The name of the concept set or cohort, or ``any``."""
        return str(getattr(self, self.domain))


class Rule(Word):
    """How many events of a kind must lie around an index: between ``at_least`` and ``at_most``.

    At least one in the window where neither is given. ``at_most: 0`` excludes.
    """

    name: Name
    of: Event
    days: Window
    at_least: Annotated[int, Field(ge=0, le=10_000)] | None = None
    at_most: Annotated[int, Field(ge=0, le=10_000)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.days
        if low is not None and high is not None and low > high:
            raise ValueError("the window ends before it starts; write the earlier day first")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most; write the smaller number as at_least")
        return self

    @property
    def least(self) -> int:
        """The fewest events that satisfy the rule."""
        if self.at_least is not None:
            return self.at_least
        return 0 if self.at_most is not None else 1


class EntryEvent(Event):
    """An event that lets a person in, where its ``where`` rules hold with the event itself as index."""

    where: tuple[Rule, ...] = ()


class Observed(Word):
    """Days of observation that an entry event needs around its start."""

    before: Annotated[int, Field(ge=0, le=36_525)] = 0
    after: Annotated[int, Field(ge=0, le=36_525)] = 0


class Exit(Word):
    """The end of the observation period, or so many days after the start if that is earlier."""

    days_after_start: Annotated[int, Field(ge=0, le=36_525)] | None = None


class Cohort(Word):
    """Who enters when, by which rules, until when; the module says how it is read."""

    entry: Annotated[tuple[EntryEvent, ...], Field(min_length=1, max_length=100)]
    observed: Observed = Observed()
    keep: Literal["first", "every", "first_of_each_year"] = "every"
    rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    limit: Literal["first", "every"] = "every"
    exit: Exit = Exit()

    def parts(self) -> Iterator[tuple[Part, Event]]:
        """Every event that the cohort speaks of, and the way to it."""
        for i, entry in enumerate(self.entry):
            yield ("entry", i), entry
            for j, rule in enumerate(entry.where):
                yield ("entry", i, "where", j, "of"), rule.of
        for i, rule in enumerate(self.rules):
            yield ("rules", i, "of"), rule.of

    def events(self) -> tuple[Event, ...]:
        """Every event that the cohort speaks of."""
        return tuple(event for _, event in self.parts())
