"""Characterise: who was included, what they are like, how often outcomes occur, how sites differ."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.aloud import covariate_aloud
from vitrail.study.covariates import Covariate
from vitrail.study.release import Attrition, CountTable, Moments, Rate
from vitrail.study.word import Name, Part, SiteName, Word

AGE_GROUP = "age group"
SEX = "sex"
"""Two tables that every cohort gets: ten-year age groups at the start, and recorded sex."""


class Incidence(Word):
    """First ``outcome`` cohort starts during ``population`` cohort rows, per person-year at risk.

    A population row is at risk from the day after its start until the outcome's first start in it, or its end.
    A row whose person had an outcome start on or before the row's start is not at risk.
    """

    name: Name
    population: Name
    outcome: Name


class Characterise(Word):
    """Attrition, Table 1, incidence, and the differences between sites. One round.

    Table 1 is of persons: where a person has several rows in a cohort it speaks of the first one. Every cohort gets
    :data:`AGE_GROUP` and :data:`SEX`; then ``table`` adds a yes/no table for each ``has`` and mean, SD and missing for
    each ``age`` and ``last``, as recorded: ``centre``, ``per`` and ``if_missing`` are for models. A ``sex`` in
    ``table`` adds nothing.
    """

    kind: Literal["characterise"]
    cohorts: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    table: Annotated[tuple[Covariate, ...], Field(max_length=200)] = ()
    incidence: Annotated[tuple[Incidence, ...], Field(max_length=50)] = ()
    max_rounds: Literal[1] = 1

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        rows = [AGE_GROUP, SEX, *(covariate.name for covariate in self.table if covariate.sex is None)]
        if len(set(rows)) != len(rows):
            raise ValueError(f"two rows of the table have one name; give each its own, but not {AGE_GROUP} or {SEX}")
        rates = [incidence.name for incidence in self.incidence]
        if len(set(rates)) != len(rates) or len(set(self.cohorts)) != len(self.cohorts):
            raise ValueError("a cohort or an incidence is named twice; name each once")
        return self

    def aloud(self) -> str:
        """What is asked, all of it."""
        about = f" by {'; '.join(map(covariate_aloud, self.table))}" if self.table else ""
        asked = f"describe {', '.join(f'“{name}”' for name in self.cohorts)}{about}."
        rates = [f"“{each.outcome}” begins in “{each.population}”, called “{each.name}”" for each in self.incidence]
        return f"{asked} Count how often {'; '.join(rates)}." if rates else asked

    def cohort_names(self) -> Iterator[tuple[Part, str]]:
        """Every cohort that the analysis names, and the way to it."""
        yield from ((("cohorts", i), name) for i, name in enumerate(self.cohorts))
        for i, incidence in enumerate(self.incidence):
            yield ("incidence", i, "population"), incidence.population
            yield ("incidence", i, "outcome"), incidence.outcome

    def features(self) -> Iterator[tuple[Part, Covariate]]:
        """Every covariate that the analysis uses, and the way to it."""
        yield from ((("table", i), covariate) for i, covariate in enumerate(self.table))


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
    value: float | None = None


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
    """Per site: attrition, Table 1, incidence; over sites: summed counts, pooled rates, differences.

    ``sites`` are those that answered; ``refused`` are the others, by code. A pooled count is the sum of what the sites
    printed, and suppressed where one of them did not print it.
    """

    kind: Literal["characterise"] = "characterise"
    sites: tuple[SiteName, ...]
    attrition: dict[SiteName, tuple[Attrition, ...]]
    counts: dict[SiteName, tuple[CountTable, ...]]
    moments: dict[SiteName, tuple[Moments, ...]]
    rates: dict[SiteName, tuple[Rate, ...]]
    pooled_counts: tuple[CountTable, ...]
    pooled_rates: tuple[PooledRate, ...]
    differences: tuple[SiteDifference, ...]
    refused: dict[SiteName, str] = {}
