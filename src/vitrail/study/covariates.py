"""Covariates: what is known of a person at an index date."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.cohort import Event, Window
from vitrail.study.word import Name, Word


class Covariate(Word):
    """One feature of a person at an index date; exactly one of ``age``, ``sex``, ``has``, ``last`` is given.

    * ``age``: years, year of the index less year of birth.
    * ``sex``: 1 where the person's recorded sex is the one named, else 0.
    * ``has``: 1 where at least one such event starts in ``days`` around the index, else 0.
    * ``last``: the ``value_as_number`` of the latest such event in ``days`` (of one day's, the one with the largest
      id), missing where there is none with a number.

    Events count inside any observation period. ``age`` and ``last`` enter a model as ``(value - centre) / per``. A
    missing value is replaced by ``if_missing`` where that is given; else the row is left out and counted.
    """

    name: Name
    age: Literal[True] | None = None
    sex: Literal["female", "male"] | None = None
    has: Event | None = None
    last: Event | None = None
    days: Window | None = None
    centre: float = 0.0
    per: Annotated[float, Field(gt=0)] = 1.0
    if_missing: float | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in ("age", "sex", "has", "last") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("not exactly one kind of covariate is given; give one of age, sex, has, last")
        if (given[0] in ("has", "last")) != (self.days is not None):
            raise ValueError("days belongs to has and last; give it with these always, with others never")
        if given[0] != "last" and self.if_missing is not None:
            raise ValueError("if_missing belongs to last; leave it out here")
        if given[0] in ("sex", "has") and (self.centre != 0 or self.per != 1):
            raise ValueError("centre and per belong to age and last; leave them out here")
        if self.last is not None and self.last.domain not in ("measurement", "observation"):
            raise ValueError("last needs a number; name a measurement or observation, or use has")
        if self.days is not None and None not in self.days and self.days[0] > self.days[1]:  # type: ignore[operator]
            raise ValueError("the window ends before it starts; write the earlier day first")
        return self

    @property
    def binary(self) -> bool:
        """Whether the covariate is 0 or 1."""
        return self.sex is not None or self.has is not None

    @property
    def event(self) -> Event | None:
        """The event that ``has`` or ``last`` speaks of."""
        return self.has or self.last
