"""Characterise: who was included, what they are like, how often outcomes occur, how sites differ."""

from typing import Annotated, Literal

from pydantic import Field

from vitrail.study.covariates import Covariate
from vitrail.study.release import Attrition, CountTable, Moments, Rate
from vitrail.study.word import Name, SiteName, Word


class Incidence(Word):
    """First ``outcome`` cohort starts during ``population`` cohort rows, per person-year at risk.

    A population row is at risk from the day after its start until the outcome's first start in it, or its end.
    A row whose person had an outcome start on or before the row's start is not at risk.
    """

    name: Name
    population: Name
    outcome: Name


class Characterise(Word):
    """Attrition, Table 1, incidence, and the differences between sites. One round."""

    kind: Literal["characterise"]
    cohorts: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    table: Annotated[tuple[Covariate, ...], Field(max_length=200)] = ()
    incidence: Annotated[tuple[Incidence, ...], Field(max_length=50)] = ()
    max_rounds: Literal[1] = 1


class CharacteriseAsk(Word):
    """The one question of a characterisation: everything the specification names."""

    kind: Literal["characterise"] = "characterise"


class SiteDifference(Word):
    """The standardised difference of one Table 1 row between two sites.

    Austin PC, Stat Med 2009;28:3083-107: difference of means or proportions over the root of the mean of the
    two variances. ``None`` where either side is suppressed.
    """

    cohort: Name
    row: str
    first: SiteName
    second: SiteName
    value: float | None


class PooledRate(Word):
    """An incidence rate over all sites that printed theirs, per 1,000 person-years, with an exact 95 % CI."""

    name: str
    sites: tuple[SiteName, ...]
    events: int
    person_years: float
    rate: float
    low: float
    high: float


class CharacteriseEvidence(Word):
    """Per site: attrition, Table 1, incidence; over sites: summed counts, pooled rates, differences."""

    kind: Literal["characterise"] = "characterise"
    sites: tuple[SiteName, ...]
    attrition: dict[SiteName, tuple[Attrition, ...]]
    counts: dict[SiteName, tuple[CountTable, ...]]
    moments: dict[SiteName, tuple[Moments, ...]]
    rates: dict[SiteName, tuple[Rate, ...]]
    pooled_counts: tuple[CountTable, ...]
    pooled_rates: tuple[PooledRate, ...]
    differences: tuple[SiteDifference, ...]
