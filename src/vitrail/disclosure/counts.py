"""Count tables: suppress, round, then total what is printed."""

from vitrail.disclosure.bundle import Bundle, total
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.result import RawTable
from vitrail.study.analyses.predict import FITTED, INDEX_DATES, LOCKED, VALIDATED
from vitrail.study.release import Cell, CountTable

PRINTED_ELSEWHERE = frozenset({LOCKED, FITTED, VALIDATED})
"""Cells of a prediction's table of index dates that its fits and validations print as well."""


def cohort(of: str, total: int) -> Key:
    """The key of a cohort's total. A cohort has several where it counts persons and index dates."""
    return ("cohort", of, total)


def total_of(raw: RawTable) -> int:
    """How many members the table has."""
    return sum(count.count for _, count in raw.cells)


def _keys(place: int, raw: RawTable) -> list[Key]:
    return [("table", place, cell) for cell in range(len(raw.cells))]


def partitions(place: int, raw: RawTable) -> list[Partition]:
    """The cells add up to the cohort; persons are in one cell each, the index dates of a person may be in several."""
    persons = [count.persons for _, count in raw.cells]
    disjoint = raw.unit == "persons"
    people = sum(persons) if disjoint else max(persons, default=0)
    keys = _keys(place, raw)
    return [
        Partition(
            whole=Part(cohort(raw.of, total_of(raw)), people, total_of(raw)),
            parts=tuple(Part(key, count.persons, count.count) for key, (_, count) in zip(keys, raw.cells, strict=True)),
            disjoint=disjoint,
            fixed=_fixed(keys, raw),
        )
    ]


def _fixed(keys: list[Key], raw: RawTable) -> frozenset[Key]:
    if raw.name != INDEX_DATES:
        return frozenset()
    return frozenset(key for key, (label, _) in zip(keys, raw.cells, strict=True) if label in PRINTED_ELSEWHERE)


def released(place: int, raw: RawTable, bundle: Bundle) -> CountTable:
    """The table as it is printed."""
    keys = _keys(place, raw)
    cells = tuple(
        Cell(label=label, count=bundle.count(key, count.count))
        for key, (label, count) in zip(keys, raw.cells, strict=True)
    )
    return CountTable(name=raw.name, of=raw.of, unit=raw.unit, cells=cells, total=total([cell.count for cell in cells]))
