"""Observation periods as OHDSI wants them: made from events where a source has none, and never two that touch.

``events/1``: from the day of the person's first event to that of the last, for a source that knows no enrolment
(https://ohdsi.github.io/Themis/no_exact_last_op_day.html). An event is a row of :data:`EVENTS`, on the day when it
began; a visit also counts on the day when it ended. What is dated before the year of birth counts for nothing, for one
wrong date would make an observation period of a century. Who has no event has no observation period.

Overlapping and adjacent periods are merged into one
(https://ohdsi.github.io/DataQualityDashboard/articles/checks/measureObservationPeriodOverlap.html).
"""

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, Column

PERIOD = "observation_period"
ALGORITHM = 32880
"""The type concept of what an algorithm made: `Standard algorithm`."""

EVENTS = (
    "visit_occurrence",
    "visit_detail",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
    "note",
    "specimen",
)
"""The tables whose rows say that somebody was under observation."""

_EXTRACT = table(PERIOD, "extract")


def derive_periods(db: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> int:
    """Make ``extract.observation_period`` anew from the person's events, by the rule ``events/1``; their number."""
    replace_table(
        db,
        PERIOD,
        columns,
        "SELECT row_number() OVER (ORDER BY person_id) AS observation_period_id, person_id, first AS"
        " observation_period_start_date, last AS observation_period_end_date, :kind AS period_type_concept_id FROM"
        " (SELECT person_id, min(day) AS first, max(greatest(day, coalesce(until, day))) AS last FROM :events AS e"
        " JOIN extract.person AS p USING (person_id) WHERE year(day) >= p.year_of_birth GROUP BY person_id) AS spans",
        kind=ALGORITHM,
        events=_days(),
    )
    return int(run(db, "SELECT count(*) FROM :p", p=_EXTRACT)[0][0])


def _days() -> exp.Subquery:
    """Person, day and, for visits, last day of every event."""
    parts = []
    for name in EVENTS:
        of = TABLES[name]
        until = column(str(of.end)) if name == "visit_occurrence" else sql("CAST(NULL AS DATE)")
        part = exp.select("person_id", exp.alias_(column(str(of.start)), "day"), exp.alias_(until, "until"))
        parts.append(part.from_(table(name, "extract")))
    return exp.union(*parts, distinct=False).subquery()


def merge_periods(db: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> int:
    """Merge periods of a person that overlap or touch; how many rows there are less for it.

    A merged period has the id and the type of its first.
    """
    touching = (
        "SELECT count(*) FROM (SELECT observation_period_start_date AS start, max(observation_period_end_date) OVER"
        " (PARTITION BY person_id ORDER BY observation_period_start_date, observation_period_id ROWS BETWEEN UNBOUNDED"
        " PRECEDING AND 1 PRECEDING) AS before FROM :p) AS w WHERE start <= before + 1"
    )
    count = int(run(db, touching, p=_EXTRACT)[0][0])
    if count:
        replace_table(db, PERIOD, columns, _MERGED, p=_EXTRACT)
    return count


_MERGED = (
    "SELECT min_by(observation_period_id, :o) AS observation_period_id, person_id, min(observation_period_start_date)"
    " AS observation_period_start_date, max(observation_period_end_date) AS observation_period_end_date,"
    " min_by(period_type_concept_id, :o) AS period_type_concept_id FROM (SELECT *, sum(CASE WHEN"
    " observation_period_start_date <= before + 1 THEN 0 ELSE 1 END) OVER (PARTITION BY person_id ORDER BY"
    " observation_period_start_date, observation_period_id) AS island FROM (SELECT *, max(observation_period_end_date)"
    " OVER (PARTITION BY person_id ORDER BY observation_period_start_date, observation_period_id ROWS BETWEEN UNBOUNDED"
    " PRECEDING AND 1 PRECEDING) AS before FROM :p) AS w) AS i GROUP BY person_id, island"
).replace(":o", "(observation_period_start_date, observation_period_id)")


def count_outside(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of each table of events that lie in no observation period of their person. They are kept.

    Periods do not overlap, so a row lies in one at most.
    """
    outside = {}
    for name in EVENTS:
        rows, inside = run(
            db,
            "SELECT (SELECT count(*) FROM :t), (SELECT count(*) FROM :t AS e JOIN :p AS p ON p.person_id = e.person_id"
            " AND :day BETWEEN p.observation_period_start_date AND p.observation_period_end_date)",
            t=table(name, "extract"),
            p=_EXTRACT,
            day=column(str(TABLES[name].start), "e"),
        )[0]
        if rows > inside:
            outside[name] = int(rows - inside)
    return outside


def replace_table(
    db: duckdb.DuckDBPyConnection, name: str, columns: Sequence[Column], query: str, **parts: Node | int
) -> None:
    """Make ``extract.<name>`` show what ``query`` gives, with exactly ``columns``; the query may read the old one."""
    made, old = table(f"{name} made", "given"), table(name, "extract")
    run(db, "CREATE OR REPLACE TABLE :t AS SELECT * FROM :q AS q", t=made, q=exp.Subquery(this=sql(query, **parts)))
    found = "SELECT count(*) FROM duckdb_views() WHERE schema_name = 'extract' AND view_name = :n"
    run(db, "DROP VIEW :t" if run(db, found, n=name)[0][0] else "DROP TABLE :t", t=old)
    names = exp.select(*(column(each.name) for each in columns)).from_(made)
    run(db, "CREATE VIEW :t AS :q", t=old, q=names)
