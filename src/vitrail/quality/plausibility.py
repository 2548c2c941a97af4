"""Plausibility: can it have happened, and when it is said to have happened?"""

from collections.abc import Iterator
from datetime import date, timedelta

from sqlglot import exp

from vitrail.omop.snapshot import Check
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import CLINICAL, TABLES
from vitrail.quality.check import judged
from vitrail.quality.cut import LIFE, NOTHING, Cut, Measure
from vitrail.quality.limits import Limit, limits

LATE = 60
"""Days after death in which something may still be recorded (DQD plausibleBeforeDeath)."""
AROUND = 7
"""Days around a visit in which its records may lie (DQD withinVisitDates)."""
OBSERVED = 0.01
"""The share of events outside observation that is tolerated, as DQD tolerates 1 % in the checks that resemble it."""


def measures(of: Cut, name: str) -> Iterator[Measure]:
    """Values against their limits, and days against birth, death, each other and the visit."""
    for check, found in _TYPES.items():
        for limit in limits(check):
            if limit.table == name and of.has(name, limit.field):
                measure = found(of, limit)
                if measure is not None:
                    yield measure


def _ranged(of: Cut, limit: Limit) -> Measure:
    """plausibleValueLow and plausibleValueHigh. What is compared with the calendar needs the true one."""
    on_calendar = limit.field == "year_of_birth" or of.types[limit.table][limit.field] in ("DATE", "TIMESTAMP")
    field = column(limit.field, "t")
    beyond = exp.LT if limit.check == "plausibleValueLow" else exp.GT
    violations = sql("count_if(:b)", b=beyond(this=field, expression=_limit(limit.value, of.today)))
    rows = NOTHING if on_calendar and of.calendar != "true" else sql("count(:f)", f=field)
    return Measure(limit.check, limit.field, rows, violations, limit.share)


def _limit(value: str, today: date) -> Node:
    if value == "next year":
        return exp.Literal.number(today.year + 1)
    if value == "tomorrow":
        value = (today + timedelta(days=1)).isoformat()
    return sql("CAST(:d AS DATE)", d=value) if value.count("-") == 2 else exp.Literal.number(value)


def _after(of: Cut, limit: Limit) -> Measure | None:
    """plausibleTemporalAfter: not before another day of the record, or the first of June of the year of birth."""
    field = column(limit.field, "t")
    if limit.value == "birth":
        return _dated(limit, _judged_by_birth(field), sql(":f < l.midyear", f=field))
    if not of.has(limit.table, limit.value):
        return None
    parts = {"f": field, "o": column(limit.value, "t")}
    return _dated(limit, sql("count_if(:f IS NOT NULL AND :o IS NOT NULL)", **parts), sql(":f < :o", **parts))


def _born(_: Cut, limit: Limit) -> Measure:
    """plausibleAfterBirth: not before the year of birth."""
    field = column(limit.field, "t")
    return _dated(limit, _judged_by_birth(field), sql(":f < l.born", f=field))


def _judged_by_birth(field: Node) -> Node:
    """Records of persons whose birth is known."""
    return sql("count_if(:f IS NOT NULL AND l.born IS NOT NULL)", f=field)


def _died(_: Cut, limit: Limit) -> Measure:
    """plausibleBeforeDeath, and plausibleDuringLife, its elder: of those who died."""
    parts = {"f": column(limit.field, "t"), "late": LATE}
    return _dated(
        limit, sql("count_if(:f IS NOT NULL AND l.died IS NOT NULL)", **parts), sql(":f > l.died + :late", **parts)
    )


def _ends(of: Cut, limit: Limit) -> Measure | None:
    """plausibleStartBeforeEnd. Of observation periods, which are the time at risk, it is hard."""
    if not of.has(limit.table, limit.value):
        return None
    parts = {"f": column(limit.field, "t"), "e": column(limit.value, "t")}
    rows = sql("count_if(:f IS NOT NULL AND :e IS NOT NULL)", **parts)
    return _dated(limit, rows, sql(":f > :e", **parts), hard=limit.table == "observation_period")


def _visited(of: Cut, limit: Limit) -> Measure | None:
    """withinVisitDates: not a week before the visit's start or after its end."""
    if not of.has("visit_occurrence", "visit_occurrence_id", "visit_start_date", "visit_end_date"):
        return None
    if limit.table == "visit_occurrence" or not of.has(limit.table, "visit_occurrence_id"):
        return None
    parts = {"f": column(limit.field, "t"), "days": AROUND}
    rows = sql("count_if(:f IS NOT NULL AND v.visit_occurrence_id IS NOT NULL)", **parts)
    outside = sql(":f < v.visit_start_date - :days OR :f > v.visit_end_date + :days", **parts)
    return _dated(limit, rows, outside)


def _dated(limit: Limit, rows: Node, violated: Node, hard: bool = False) -> Measure:
    return Measure(limit.check, limit.field, rows, sql("count_if(:v)", v=violated), limit.share, hard)


_TYPES = {
    "plausibleValueLow": _ranged,
    "plausibleValueHigh": _ranged,
    "plausibleTemporalAfter": _after,
    "plausibleDuringLife": _died,
    "plausibleAfterBirth": _born,
    "plausibleBeforeDeath": _died,
    "plausibleStartBeforeEnd": _ends,
    "withinVisitDates": _visited,
}


def overlaps(of: Cut) -> Iterator[Check]:
    """measureObservationPeriodOverlap: persons with periods that overlap or follow each other without a day between.

    It is hard: the days in both would be counted twice.
    """
    for limit in limits("measureObservationPeriodOverlap"):
        if of.has(limit.table, *(each.name for each in TABLES[limit.table].columns[:4])):
            rows, violations = run(of.db, _OVERLAPS)[0]
            yield judged(limit.check, limit.table, int(rows), int(violations), limit.share, hard=True)


_OVERLAPS = """
SELECT count(DISTINCT person_id), count(DISTINCT CASE WHEN start <= before + 1 THEN person_id END)
FROM (
  SELECT person_id, observation_period_start_date AS start,
    max(observation_period_end_date) OVER (PARTITION BY person_id ORDER BY observation_period_start_date,
      observation_period_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM snapshot.observation_period
) AS periods
"""

EVENTS = tuple(
    name for name in CLINICAL if TABLES[name].start and name not in ("observation_period", "payer_plan_period")
)


def observed(of: Cut, name: str) -> Iterator[Measure]:
    """withinObservationPeriod: cohorts do not use what happened outside of every observation period of the person."""
    start = TABLES[name].start
    if name in EVENTS and start is not None and of.has(name, start, "person_id"):
        field = column(start, "t")
        outside = sql("count_if(:f IS NOT NULL AND (l.first IS NULL OR :f < l.first OR :f > l.last))", f=field)
        gaps = _in_gaps(of, name, field)
        violations = sql(":o + :gaps", o=outside, gaps=gaps) if gaps else outside
        yield Measure("withinObservationPeriod", start, sql("count(:f)", f=field), violations, OBSERVED)


def _in_gaps(of: Cut, name: str, field: Node) -> int:
    """Events between two observation periods of a person. Few persons have two, so these alone are looked at."""
    if not of.filled(name) or not run(of.db, "SELECT count(*) FROM :l WHERE periods > 1", l=LIFE.copy())[0][0]:
        return 0
    query = (
        "SELECT count(*) FROM :t AS t JOIN (SELECT * FROM :l WHERE periods > 1) AS l ON l.person_id = t.person_id"
        " WHERE :f BETWEEN l.first AND l.last AND NOT EXISTS (SELECT 1 FROM snapshot.observation_period AS o"
        " WHERE o.person_id = t.person_id AND :f BETWEEN o.observation_period_start_date"
        " AND o.observation_period_end_date)"
    )
    return int(run(of.db, query, t=table(name, "snapshot"), l=LIFE.copy(), f=field)[0][0])
