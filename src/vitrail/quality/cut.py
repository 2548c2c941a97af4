"""The snapshot under check, as its queries see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.omop.snapshot import Calendar, Check, File
from vitrail.omop.sql import Node, run, sql, table
from vitrail.omop.tables import TABLES, VOCABULARY, Column
from vitrail.quality.check import judged


@dataclass(frozen=True)
class Cut:
    """The views ``snapshot.<table>`` of ``db``, with what else the checks need to know.

    ``columns`` are those that each table should have; ``types`` are those that it has, with DuckDB's names of their
    types, and ``rows`` its rows: a table that is missing is in neither. The schema ``extract`` of ``db`` has what the
    source gave. ``today`` is the day after which a date is in the future.
    """

    db: duckdb.DuckDBPyConnection
    columns: Mapping[str, Sequence[Column]]
    types: Mapping[str, Mapping[str, str]]
    rows: Mapping[str, int]
    calendar: Calendar
    today: date

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose records are checked: all but the vocabulary's, which OHDSI publishes and DQD leaves out."""
        return tuple(name for name in self.types if name not in VOCABULARY)

    def has(self, name: str, *columns: str) -> bool:
        """Whether the snapshot has the table, and these columns of it."""
        return name in self.types and all(each in self.types[name] for each in columns)

    def expected(self, name: str) -> tuple[Column, ...]:
        """The columns that the table should have and has."""
        return tuple(each for each in self.columns.get(name, ()) if self.has(name, each.name))

    def filled(self, name: str, *columns: str) -> bool:
        """Whether the table has these columns, and rows."""
        return self.has(name, *columns) and self.rows[name] > 0


def cut(
    db: duckdb.DuckDBPyConnection,
    directory: Path,
    files: Sequence[File],
    columns: Mapping[str, Sequence[Column]],
    calendar: Calendar,
    today: date,
) -> Cut:
    """Make the schemas ``snapshot``, of views of the files, and ``quality``, of what several checks need."""
    for schema in ("snapshot", "quality"):
        run(db, "CREATE SCHEMA :s", s=exp.to_identifier(schema))
    types = {}
    for file in files:
        view = table(file.table, "snapshot")
        read = sql("SELECT * FROM read_parquet(:p)", p=str(directory / file.file))
        run(db, "CREATE VIEW :v AS :q", v=view, q=read)
        types[file.table] = {name: kind for name, kind, *_ in db.execute(f"DESCRIBE {view.sql('duckdb')}").fetchall()}
    found = Cut(db, columns, types, {file.table: file.rows for file in files}, calendar, today)
    _lives(found)
    return found


LIFE = table("life", "quality")
"""One row per person: ``born`` (the earliest day), ``midyear`` of birth, ``died``; ``first`` and ``last`` day observed,
and the number of observation ``periods``."""


OLD = 89
"""Years of age from which, where days were moved, a year of birth may be that of the pool of ages of 90 and more."""


def _lives(of: Cut) -> None:
    """Make the table of lives. Who may be in the pool of the oldest has no day of birth."""
    for name, query in (("births", _births(of)), ("deaths", _deaths(of)), ("periods", _periods(of))):
        run(of.db, "CREATE VIEW :v AS :q", v=table(name, "quality"), q=query)
    pooled = "coalesce(year(greatest(o.last, d.died)) - year >= :old, false)"
    known = sql(f"year BETWEEN 1 AND 9999 AND NOT (:moved AND {pooled})", moved=of.calendar != "true", old=OLD)
    run(
        of.db,
        "CREATE TABLE :life AS SELECT p.person_id, CASE WHEN :known THEN make_date(year, 1, 1) END AS born,"
        " CASE WHEN :known THEN make_date(year, 6, 1) END AS midyear, d.died, o.first, o.last, o.periods"
        " FROM quality.births AS p LEFT JOIN quality.deaths AS d ON d.person_id = p.person_id"
        " LEFT JOIN quality.periods AS o ON o.person_id = p.person_id",
        life=LIFE,
        known=known,
    )


def _births(of: Cut) -> Node:
    """Years of birth. Where days were moved, a birth may be a year early, so it is given that year."""
    if of.has("person", "person_id", "year_of_birth"):
        slack = int(of.calendar != "true")
        return sql("SELECT person_id, min(year_of_birth) - :s AS year FROM snapshot.person GROUP BY person_id", s=slack)
    if of.has("person", "person_id"):
        return sql("SELECT DISTINCT person_id, CAST(NULL AS BIGINT) AS year FROM snapshot.person")
    return sql("SELECT CAST(NULL AS BIGINT) AS person_id, CAST(NULL AS BIGINT) AS year WHERE false")


def _deaths(of: Cut) -> Node:
    if of.has("death", "person_id", "death_date"):
        return sql("SELECT person_id, min(death_date) AS died FROM snapshot.death GROUP BY person_id")
    return sql("SELECT CAST(NULL AS BIGINT) AS person_id, CAST(NULL AS DATE) AS died WHERE false")


def _periods(of: Cut) -> Node:
    if of.has("observation_period", *(each.name for each in TABLES["observation_period"].columns[1:4])):
        return sql(
            "SELECT person_id, min(observation_period_start_date) AS first, max(observation_period_end_date) AS last,"
            " count(*) AS periods FROM snapshot.observation_period GROUP BY person_id"
        )
    return sql(
        "SELECT CAST(NULL AS BIGINT) AS person_id, CAST(NULL AS DATE) AS first, CAST(NULL AS DATE) AS last,"
        " 0 AS periods WHERE false"
    )


@dataclass(frozen=True)
class Measure:
    """One check of a table as two aggregates of its rows: how many there are to check, and how many violate it.

    The rows are called ``t``, the life of each ``l`` (see :data:`LIFE`), and its visit ``v``.
    """

    name: str
    field: str | None
    rows: Node
    violations: Node
    threshold: float = 0.0
    hard: bool = False


NOTHING = exp.Literal.number(0)
"""The rows of a measure that is not applicable."""


def measured(of: Cut, name: str, measures: Sequence[Measure]) -> list[Check]:
    """The checks of all ``measures`` of a table, by one query."""
    if not measures or not of.filled(name):
        return [_check(name, each, 0, 0) for each in measures]
    joins = _joins(measures)
    query = exp.select(*(part for each in measures for part in (each.rows, each.violations)), copy=False)
    query = query.from_(exp.alias_(table(name, "snapshot"), "t", table=True), copy=False)
    for other, on in joins:
        query = query.join(other, on=on, join_type="left", copy=False)
    found = iter(int(each or 0) for each in run(of.db, query)[0])
    return [_check(name, each, next(found), next(found)) for each in measures]


def _joins(measures: Sequence[Measure]) -> list[tuple[Node, Node]]:
    used = {each.table for measure in measures for part in (measure.rows, measure.violations)
            for each in part.find_all(exp.Column)}  # fmt: skip
    joins: list[tuple[Node, Node]] = []
    if "l" in used:
        joins.append((exp.alias_(LIFE.copy(), "l", table=True), sql("l.person_id = t.person_id")))
    if "v" in used:
        visits = exp.alias_(table("visit_occurrence", "snapshot"), "v", table=True)
        joins.append((visits, sql("v.visit_occurrence_id = t.visit_occurrence_id")))
    return joins


def _check(name: str, of: Measure, rows: int, violations: int) -> Check:
    return judged(of.name, name, rows, violations if rows else 0, of.threshold, field=of.field, hard=of.hard)
