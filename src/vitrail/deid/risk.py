"""How far people stand out in a snapshot, in figures: classes of people who look alike, and bounds for notes.

What an acquaintance or a register could know of a person are the quasi-identifiers: sex, year of birth, race,
ethnicity and the first three digits of the ZIP code.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import duckdb
from scipy.special import betaincinv  # scipy.stats takes seconds to import

from vitrail.deid.columns import K
from vitrail.errors import SourceError
from vitrail.omop.sql import run, sql


@dataclass(frozen=True)
class Classes:
    """The classes of people with the same quasi-identifiers.

    ``alone`` people are in a class of one, ``few`` in one smaller than k. ``highest`` and ``mean`` are the chances that
    somebody who knows that a person is in the snapshot picks the right record (prosecutor risk: 1 over the class's
    size, at its highest and over all people; El Emam and Dankar, J Am Med Inform Assoc 2008;15:627-37).
    """

    people: int
    classes: int
    alone: int
    few: int
    highest: float
    mean: float


@dataclass(frozen=True)
class Map:
    """The same against the population of the places (k-map): how many of the population look like a person.

    ``least`` is the smallest such number, ``few`` the people for whom it is below k, ``mean`` the mean of 1 over it;
    people of whose like the population file says nothing count as ``unknown``.
    """

    least: int
    few: int
    mean: float
    unknown: int


def open_people(db: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """Make ``risk.person``: each person of a snapshot's directory with the quasi-identifiers."""
    run(db, "CREATE SCHEMA risk")
    run(
        db,
        "CREATE TABLE risk.person AS SELECT p.person_id, gender_concept_id, year_of_birth, race_concept_id,"
        " ethnicity_concept_id, l.zip FROM read_parquet(:person) AS p"
        " LEFT JOIN read_parquet(:location) AS l USING (location_id)",
        person=str(snapshot / "person.parquet"),
        location=str(snapshot / "location.parquet"),
    )


def classes(db: duckdb.DuckDBPyConnection) -> Classes:
    """The classes of ``risk.person``."""
    query = sql(
        "SELECT coalesce(sum(n), 0), count(*), coalesce(sum(n) FILTER (WHERE n = 1), 0), coalesce(sum(n)"
        " FILTER (WHERE n < :k), 0), coalesce(max(1.0 / n), 0.0) FROM (SELECT count(*) AS n FROM risk.person"
        " GROUP BY gender_concept_id, year_of_birth, race_concept_id, ethnicity_concept_id, zip) AS c",
        k=K,
    )
    people, count, alone, few, highest = run(db, query)[0]
    return Classes(int(people), int(count), int(alone), int(few), float(highest), count / people if people else 0.0)


def k_map(db: duckdb.DuckDBPyConnection, population: Path) -> Map:
    """How many of a population look like each person of ``risk.person``.

    ``population`` is a CSV file with ``gender_concept_id``, ``year_of_birth``, ``zip`` (three digits) and ``people``,
    of a census. Raises SourceError where it cannot be read.
    """
    query = sql(
        "SELECT coalesce(min(n), 0), count(*) FILTER (WHERE n < :k), coalesce(avg(1.0 / n), 0.0),"
        " count(*) FILTER (WHERE n IS NULL) FROM (SELECT c.people AS n FROM risk.person AS p LEFT JOIN (SELECT"
        " gender_concept_id, year_of_birth, zip, sum(people) AS people FROM read_csv(:path, header = true,"
        " columns = {'gender_concept_id': 'INTEGER', 'year_of_birth': 'INTEGER', 'zip': 'VARCHAR',"
        " 'people': 'BIGINT'}) GROUP BY ALL HAVING sum(people) > 0) AS c USING (gender_concept_id, year_of_birth, zip))"
        " AS m",
        k=K,
        path=str(population),
    )
    try:
        least, few, mean, unknown = run(db, query)[0]
    except duckdb.Error as error:
        what = f"{population} cannot be read as a population."
        raise SourceError(what, "Give columns gender_concept_id, year_of_birth, zip and people.") from error
    return Map(int(least), int(few), float(mean), int(unknown))


def upper_bound(leaks: int, reviewed: int, sensitivity: float = 1.0, level: float = 0.95) -> float:
    """The share of notes with a leak that is not passed with confidence ``level``, after a review of a random sample.

    Clopper and Pearson (Biometrika 1934;26:404-13), one-sided, divided by the reviewers' ``sensitivity``: reviewers
    who see nine leaks in ten would have found 0.9 of them. With no leak in 300 notes it is about 1 % *of notes*.
    """
    if reviewed <= 0 or not 0 < sensitivity <= 1 or not 0 <= leaks <= reviewed:
        return 1.0
    bound = 1.0 if leaks == reviewed else float(betaincinv(leaks + 1, reviewed - leaks, level))
    return min(1.0, bound / sensitivity)


def kappa(one: list[bool], other: list[bool]) -> float:
    """Cohen's kappa of two reviewers (Educ Psychol Meas 1960;20:37-46); NaN where both always say the same word."""
    n = len(one)
    if n == 0 or n != len(other):
        return math.nan
    agree = sum(a == b for a, b in zip(one, other, strict=True)) / n
    p, q = sum(one) / n, sum(other) / n
    by_chance = p * q + (1 - p) * (1 - q)
    return math.nan if by_chance == 1 else (agree - by_chance) / (1 - by_chance)


def found_by_either(one: list[bool], other: list[bool]) -> tuple[int, float]:
    """How many leaks two reviewers found together, and their estimated joint sensitivity.

    Lincoln and Petersen's estimate (Chapman 1951) of how many there are, from how many both found; 1.0 where neither
    found any, which says nothing about sensitivity: then seed notes with known leaks.
    """
    a, b = sum(one), sum(other)
    both = sum(x and y for x, y in zip(one, other, strict=True))
    found = a + b - both
    if found == 0:
        return 0, 1.0
    estimated = (a + 1) * (b + 1) / (both + 1) - 1
    return found, min(1.0, found / estimated)
