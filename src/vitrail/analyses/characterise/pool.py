"""Characterise, in front of the glass: one question, and what all Releases say together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from vitrail.stats import differences
from vitrail.stats.rates import poisson_interval
from vitrail.study.analyses.characterise import (
    Characterise,
    CharacteriseAsk,
    CharacteriseEvidence,
    PooledRate,
    SiteDifference,
)
from vitrail.study.release import SUPPRESSED, Attrition, Cell, Count, CountTable, Moments, Rate, Release
from vitrail.study.study import Round

Family = TypeVar("Family", Attrition, CountTable, Moments, Rate)


def ask(specification: Characterise, sites: Sequence[str], rounds: Sequence[Round]) -> CharacteriseAsk | None:
    """The one question, then None."""
    del specification, sites
    return None if rounds else CharacteriseAsk()


def combine(specification: Characterise, rounds: Sequence[Round]) -> CharacteriseEvidence:
    """Each site's answer as released, and all of them together."""
    releases = {site: release for each in rounds for site, release in sorted(each.releases.items())}
    answers = {site: release for site, release in releases.items() if release.refused is None}
    counts, moments, rates = _by_site(answers, CountTable), _by_site(answers, Moments), _by_site(answers, Rate)
    return CharacteriseEvidence(
        sites=tuple(answers),
        attrition=_by_site(answers, Attrition),
        counts=counts,
        moments=moments,
        rates=rates,
        pooled_counts=tuple(_pooled_tables(counts)),
        pooled_rates=tuple(_pooled_rates(specification, rates)),
        differences=tuple(_differences(counts, moments)),
        refused={site: str(release.refused) for site, release in releases.items() if release.refused is not None},
    )


def _by_site(answers: Mapping[str, Release], family: type[Family]) -> dict[str, tuple[Family, ...]]:
    return {
        site: tuple(each for each in release.estimates if isinstance(each, family)) for site, release in answers.items()
    }


def _sum(counts: Sequence[Count | None]) -> Count:
    """The sum of what was printed; suppressed where a site did not print, or did not answer at all."""
    printed = [count for count in counts if isinstance(count, int)]
    return sum(printed) if len(printed) == len(counts) else SUPPRESSED


def _pooled_tables(counts: Mapping[str, tuple[CountTable, ...]]) -> Iterator[CountTable]:
    """The sites' tables of the same name and cohort as one, in the order in which they first come."""
    tables = {site: {(table.of, table.name): table for table in of} for site, of in counts.items()}
    for of, name in dict.fromkeys(key for each in tables.values() for key in each):
        yield _pooled_table([each.get((of, name)) for each in tables.values()])


def _pooled_table(tables: Sequence[CountTable | None]) -> CountTable:
    present = [table for table in tables if table is not None]
    cells = [{} if table is None else {cell.label: cell.count for cell in table.cells} for table in tables]
    labels = dict.fromkeys(label for each in cells for label in each)
    return CountTable(
        name=present[0].name,
        of=present[0].of,
        unit=present[0].unit,
        cells=tuple(Cell(label=label, count=_sum([each.get(label) for each in cells])) for label in labels),
        total=_sum([None if table is None else table.total for table in tables]),
    )


def _pooled_rates(specification: Characterise, rates: Mapping[str, tuple[Rate, ...]]) -> Iterator[PooledRate]:
    """Events over person-years of the sites that printed both, where there is any time at risk.

    The interval takes the printed, rounded events as the events: rounding is not in it.
    """
    for incidence in specification.incidence:
        printed = {
            site: (rate.events, rate.person_years)
            for site, of in rates.items()
            for rate in of
            if rate.name == incidence.name and isinstance(rate.events, int) and isinstance(rate.person_years, float)
        }
        years = sum(years for _, years in printed.values())
        if years > 0:
            yield _pooled_rate(incidence.name, tuple(printed), sum(events for events, _ in printed.values()), years)


def _pooled_rate(name: str, sites: tuple[str, ...], events: int, years: float) -> PooledRate:
    low, high = poisson_interval(events)
    rate, low, high = (1000 * count / years for count in (events, low, high))
    return PooledRate(name=name, sites=sites, events=events, person_years=years, rate=rate, low=low, high=high)


Row = tuple[str, str]  # a cohort and a row of its Table 1
Values = dict[Row, tuple[float, float] | float | None]  # mean and SD, a proportion, or None where suppressed


def _differences(
    counts: Mapping[str, tuple[CountTable, ...]], moments: Mapping[str, tuple[Moments, ...]]
) -> Iterator[SiteDifference]:
    """For every two sites and every row that both have, how far apart they are."""
    values = {site: {**_proportions(counts[site]), **_means(moments[site])} for site in counts}
    for first, second in combinations(values, 2):
        for cohort, row in values[first]:
            if (cohort, row) in values[second]:
                difference = _difference(values[first][cohort, row], values[second][cohort, row])
                yield SiteDifference(cohort=cohort, row=row, first=first, second=second, value=difference)


def _difference(first: tuple[float, float] | float | None, second: tuple[float, float] | float | None) -> float | None:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return differences.of_means(*first, *second)
    if isinstance(first, float) and isinstance(second, float):
        return differences.of_proportions(first, second)
    return None


def _proportions(tables: Sequence[CountTable]) -> Values:
    """The share of each cell; of a yes/no table only the yes, under the table's own name."""
    values: Values = {}
    for table in tables:
        binary = [cell.label for cell in table.cells] == ["yes", "no"]
        for cell in table.cells[:1] if binary else table.cells:
            row = table.name if binary else f"{table.name}: {cell.label}"
            values[table.of, row] = _proportion(cell.count, table.total)
    return values


def _proportion(count: Count, total: Count) -> float | None:
    if not isinstance(count, int) or not isinstance(total, int) or total == 0:
        return None
    return count / total


def _means(moments: Sequence[Moments]) -> Values:
    return {
        (each.of, each.name): (each.mean, each.sd)
        if isinstance(each.mean, float) and isinstance(each.sd, float)
        else None
        for each in moments
    }
