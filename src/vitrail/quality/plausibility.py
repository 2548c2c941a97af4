"""Plausibility: can it have happened when it is said to have happened?"""

from collections.abc import Iterator

from vitrail.omop.sql import column, table
from vitrail.omop.tables import CLINICAL, TABLES, Table
from vitrail.quality.check import Inspection

TOLERATED = 0.01
"""DQD tolerates 1 % for these types of check."""


def inspections() -> Iterator[Inspection]:
    """Dates against birth, death, the end of the extract and observation periods; ends against starts."""
    for name in CLINICAL:
        of = TABLES[name]
        if of.start is None:
            continue
        yield _after_birth(of)
        if name != "observation_period":
            yield _before_extract_ends(of)
            yield _observed(of)
        if name not in ("observation_period", "death"):
            yield _before_death(of)
        if of.end is not None:
            yield _ends_after_start(of)
    yield _periods_apart()


def _after_birth(of: Table) -> Inspection:
    """DQD plausibleAfterBirth, by the year."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE year(:start) < p.year_of_birth)"
        " FROM :t AS t JOIN snapshot.person AS p USING (person_id)"
    )
    return _inspection("not before birth", of, query)


def _before_death(of: Table) -> Inspection:
    """DQD plausibleBeforeDeath; it allows 60 days for what is recorded late."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE :start > d.death_date + 60)"
        " FROM :t AS t JOIN snapshot.death AS d USING (person_id)"
    )
    return _inspection("not long after death", of, query)


def _before_extract_ends(of: Table) -> Inspection:
    """Not in the future of the extract, which ends with the last day of any observation period."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE :start >"
        " (SELECT max(observation_period_end_date) FROM snapshot.observation_period)) FROM :t AS t"
    )
    return _inspection("not after the extract ends", of, query)


def _observed(of: Table) -> Inspection:
    """Events outside every observation period of the person are not used by cohorts."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM snapshot.observation_period AS o"
        " WHERE o.person_id = t.person_id AND :start BETWEEN o.observation_period_start_date"
        " AND o.observation_period_end_date)) FROM :t AS t"
    )
    return _inspection("inside an observation period", of, query)


def _ends_after_start(of: Table) -> Inspection:
    """DQD plausibleStartBeforeEnd; ingest quarantines such rows, so none may be left."""
    query = "SELECT count(:end), count(*) FILTER (WHERE :end < :start) FROM :t AS t"
    return _inspection("end is not before start", of, query, hard=True, tolerated=0.0)


def _periods_apart() -> Inspection:
    """DQD measureObservationPeriodOverlap."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE start <= before) FROM (SELECT observation_period_start_date AS start,"
        " max(observation_period_end_date) OVER (PARTITION BY person_id ORDER BY observation_period_start_date,"
        " observation_period_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before"
        " FROM snapshot.observation_period) AS o"
    )
    return Inspection("plausibility: observation periods do not overlap", "observation_period", query)


def _inspection(name: str, of: Table, query: str, hard: bool = False, tolerated: float = TOLERATED) -> Inspection:
    parts = {"start": column(str(of.start), "t"), "t": table(of.name, "snapshot")}
    if of.end is not None:
        parts["end"] = column(of.end, "t")
    return Inspection(f"plausibility: {name}", of.name, query, tolerated, hard, tuple(parts.items()))
