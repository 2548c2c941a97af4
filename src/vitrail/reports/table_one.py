"""Table 1: what the people are like, each site beside the others, and how far apart the sites are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vitrail.reports.blocks import Column, Pane, Row, Table
from vitrail.reports.wording import NONE, decimal, percent, quoted, share_of, whole
from vitrail.study.analyses.characterise import Characterise, CharacteriseEvidence
from vitrail.study.release import SUPPRESSED, Cell, Count, CountTable, Moments

YES_NO = ["yes", "no"]
"""The cells of a characteristic that one row tells whole: the second is what the first leaves."""


@dataclass(frozen=True)
class _People:
    """One cohort in a finding."""

    cohort: str
    finding: CharacteriseEvidence

    def counts(self, site: str) -> tuple[CountTable, ...]:
        return tuple(each for each in self.finding.counts.get(site, ()) if each.of == self.cohort)

    def moments(self, site: str) -> tuple[Moments, ...]:
        return tuple(each for each in self.finding.moments.get(site, ()) if each.of == self.cohort)

    def pooled(self) -> tuple[CountTable, ...]:
        return tuple(each for each in self.finding.pooled_counts if each.of == self.cohort)


def tables_one(
    specification: Characterise, finding: CharacteriseEvidence, panes: Mapping[str, Pane]
) -> tuple[Table, ...]:
    """A Table 1 for each cohort that a site described."""
    cohorts = dict.fromkeys(each.of for site in finding.sites for each in _described(finding, site))
    return tuple(_table_one(_People(cohort, finding), specification, panes) for cohort in cohorts)


def _described(finding: CharacteriseEvidence, site: str) -> Iterator[CountTable | Moments]:
    yield from finding.counts.get(site, ())
    yield from finding.moments.get(site, ())


def _table_one(people: _People, specification: Characterise, panes: Mapping[str, Pane]) -> Table:
    sites = people.finding.sites
    columns = (
        Column("Characteristic"),
        *(Column(site, panes[site]) for site in sites),
        Column("all sites"),
        Column("standardised difference", note="" if len(sites) < 3 else "largest between any two sites"),
    )
    rows = tuple(row for name in _names(people, specification) for row in _rows(name, people))
    return Table(f"{quoted(people.cohort)} at each site", columns, rows)


def _names(people: _People, specification: Characterise) -> list[str]:
    """The names of the rows: those that every table has, then those of the study in its order."""
    sites = people.finding.sites
    counted = [each.name for site in sites for each in people.counts(site)]
    reported = dict.fromkeys([*counted, *(each.name for site in sites for each in people.moments(site))])
    planned = [each.name for each in specification.table if each.name in reported]
    return [name for name in reported if name not in planned] + planned


def _rows(name: str, people: _People) -> Iterator[Row]:
    sites = people.finding.sites
    moments = {site: each for site in sites for each in people.moments(site) if each.name == name}
    counts = {site: each for site in sites for each in people.counts(site) if each.name == name}
    if moments:
        yield from _moment_rows(name, moments, people)
    if counts:
        yield from _count_rows(name, counts, people)


def _moment_rows(name: str, moments: Mapping[str, Moments], people: _People) -> Iterator[Row]:
    cells = [_mean(moments.get(site)) for site in people.finding.sites]
    yield _row(name, name, [*cells, NONE], people, "mean (standard deviation)")
    if any(each.missing != 0 for each in moments.values()):
        missing = tuple(_missing(moments.get(site)) for site in people.finding.sites)
        yield Row(f"{name}: missing", (*missing, NONE, NONE))


def _mean(moments: Moments | None) -> str:
    if moments is None:
        return NONE
    if isinstance(moments.mean, str) or isinstance(moments.sd, str):
        return decimal(moments.mean, 1)
    return f"{decimal(moments.mean, 1)} ({decimal(moments.sd, 1)})"


def _missing(moments: Moments | None) -> str:
    if moments is None:
        return NONE
    if isinstance(moments.missing, str) or isinstance(moments.count, str):
        return whole(moments.missing)
    return _counted(moments.missing, moments.missing + moments.count)


def _count_rows(name: str, counts: Mapping[str, CountTable], people: _People) -> Iterator[Row]:
    labels = list(dict.fromkeys(cell.label for each in counts.values() for cell in each.cells))
    if labels == YES_NO:
        yield _row(name, name, _count_cells(name, "yes", counts, people), people)
        return
    yield Row(name, group=True)
    for label in labels:
        cells = _count_cells(name, label, counts, people)
        if any(cell != NONE and not cell.startswith("0") for cell in cells):
            yield replace(_row(label, f"{name}: {label}", cells, people), inside=True)


def _count_cells(name: str, label: str, counts: Mapping[str, CountTable], people: _People) -> list[str]:
    cells = [_count_cell(counts.get(site), people.counts(site), label) for site in people.finding.sites]
    pooled = next((each for each in people.pooled() if each.name == name), None)
    return [*cells, _count_cell(pooled, people.pooled(), label)]


def _count_cell(table: CountTable | None, others: Sequence[CountTable], label: str) -> str:
    """A cell and its share of the cohort, whose size another table may print where this one's total is suppressed."""
    cell = None if table is None else _cell(table, label)
    if table is None or cell is None:
        return NONE
    totals = (each.total for each in (table, *others) if each.unit == table.unit)
    return _counted(cell.count, next((total for total in totals if isinstance(total, int)), SUPPRESSED))


def _cell(table: CountTable, label: str) -> Cell | None:
    return next((each for each in table.cells if each.label == label), None)


def _counted(part: Count, of: Count) -> str:
    share = share_of(part, of)
    return whole(part) if share is None else f"{whole(part)} ({percent(share)})"


def _row(head: str, key: str, cells: Sequence[str], people: _People, note: str = "") -> Row:
    """A row with its standardised difference: the largest between any two sites."""
    known = [
        each.value
        for each in people.finding.differences
        if (each.cohort, each.row) == (people.cohort, key) and each.value is not None
    ]
    if not known:
        return Row(head, (*cells, SUPPRESSED if SUPPRESSED in cells else NONE), note)
    largest = max(known, key=abs)
    return Row(head, (*cells, decimal(largest)), note, difference=largest)
