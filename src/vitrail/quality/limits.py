"""The limits that checks judge by: facts of the control files of OHDSI's Data Quality Dashboard for OMOP 5.4.

``thresholds.csv`` names the fields of each check with the percentage of violations that it tolerates, and what it
compares with (``value``); ``plausible_values.csv`` does so for single concepts. The facts are those of
``OMOP_CDMv5.4_{Table,Field,Concept}_Level.csv`` (https://github.com/OHDSI/DataQualityDashboard at commit 2f81ca9,
Apache-2.0), for the tables that a snapshot holds.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Limit:
    """How much a check of a field, or of a table where ``field`` is empty, tolerates: ``share`` of the rows.

    ``value`` is a number, a day, another field, a domain or a class, as the check has it.
    """

    check: str
    table: str
    field: str
    share: float
    value: str


@dataclass(frozen=True)
class Plausible:
    """What is plausible for one concept of a table: ``value`` is a gender concept, units, or an end of a range.

    ``unit`` is the unit that a range is in; None for the others. ``share`` of the records may be implausible.
    """

    check: str
    table: str
    concept: int
    unit: int | None
    share: float
    value: str


@cache
def limits(check: str) -> tuple[Limit, ...]:
    """The limits of one check."""
    return tuple(each for each in _limits() if each.check == check)


@cache
def _limits() -> tuple[Limit, ...]:
    return tuple(
        Limit(row["check"], row["table"], field, float(row["percent"]) / 100, row["value"])
        for row in _rows("thresholds.csv")
        for field in row["fields"].split() or [""]
    )


@cache
def plausible() -> tuple[Plausible, ...]:
    """The limits of every concept that has one."""
    return tuple(
        Plausible(row["check"], row["table"], int(row["concept"]), int(row["unit"]) if row["unit"] else None,
                  float(row["percent"]) / 100, row["value"])
        for row in _rows("plausible_values.csv")
    )  # fmt: skip


def _rows(name: str) -> Iterator[dict[str, str]]:
    with resources.files("vitrail.quality").joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
