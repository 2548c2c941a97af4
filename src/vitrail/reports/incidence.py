"""How often an outcome begins: each site's rate and that of all together."""

from collections.abc import Mapping

from vitrail.reports import plots
from vitrail.reports.blocks import Column, Figure, Pane, Row, Table
from vitrail.reports.wording import CI, NONE, decimal, significant, span, whole
from vitrail.stats.rates import poisson_interval
from vitrail.study.analyses.characterise import CharacteriseEvidence, PooledRate
from vitrail.study.release import SUPPRESSED, Number, Rate


def names(finding: CharacteriseEvidence) -> list[str]:
    """The incidences that any site released, in order."""
    return list(dict.fromkeys(rate.name for site in finding.sites for rate in finding.rates.get(site, ())))


def _rates(name: str, finding: CharacteriseEvidence) -> dict[str, Rate]:
    return {site: rate for site in finding.sites for rate in finding.rates.get(site, ()) if rate.name == name}


def _pooled(name: str, finding: CharacteriseEvidence) -> PooledRate | None:
    return next((each for each in finding.pooled_rates if each.name == name), None)


def interval(rate: Rate) -> tuple[float, float] | None:
    """The exact interval of a rate per 1,000 person-years, from its printed parts; None where one is suppressed."""
    if isinstance(rate.events, str) or isinstance(rate.person_years, str) or rate.person_years <= 0:
        return None
    low, high = poisson_interval(rate.events)
    return 1000 * low / rate.person_years, 1000 * high / rate.person_years


def table(name: str, finding: CharacteriseEvidence, panes: Mapping[str, Pane]) -> Table:
    """People, events, person-years and rate at each site, and over all that printed theirs."""
    heads = ("Site", "people at risk", "first events", "person-years", f"per 1,000 person-years ({CI})")
    rows = [Row(site, _cells(rate), pane=panes[site]) for site, rate in _rates(name, finding).items()]
    pooled = _pooled(name, finding)
    if pooled is not None:
        cells = (whole(pooled.events), decimal(pooled.person_years, 0), _told(pooled.rate, (pooled.low, pooled.high)))
        rows.append(Row("all sites", (NONE, *cells), f"{len(pooled.sites)} of {len(finding.sites)} sites"))
    return Table(f"Incidence: {name}", tuple(map(Column, heads)), tuple(rows))


def _cells(rate: Rate) -> tuple[str, ...]:
    return whole(rate.persons), whole(rate.events), decimal(rate.person_years, 0), _told(rate.rate, interval(rate))


def _told(rate: Number, limits: tuple[float, float] | None) -> str:
    if isinstance(rate, str):
        return rate
    return significant(rate) if limits is None else f"{significant(rate)} ({span(*map(significant, limits))})"


def figure(name: str, finding: CharacteriseEvidence, panes: Mapping[str, Pane]) -> Figure:
    """A forest plot of the rates: a line for each site and one for all."""
    rates, pooled = _rates(name, finding), _pooled(name, finding)
    marks = [_mark(site, rate, panes[site]) for site, rate in rates.items()]
    told = [f"{site} {_told(rate.rate, interval(rate))}" for site, rate in rates.items()]
    if pooled is not None:
        marks.append(plots.Mark("all sites", plots.POOLED, pooled.rate, pooled.low, pooled.high))
        told.append(f"all sites {_told(pooled.rate, (pooled.low, pooled.high))}")
    text = f"Forest plot of events per 1,000 person-years with {CI}: {'; '.join(told)}."
    return Figure(plots.forest(marks, reference=None), f"Incidence: {name}", text)


def _mark(site: str, rate: Rate, pane: Pane) -> plots.Mark:
    limits = interval(rate)
    if isinstance(rate.rate, str) or limits is None:
        return plots.Mark(site, pane.number, None, word=SUPPRESSED)
    return plots.Mark(site, pane.number, rate.rate, *limits)
