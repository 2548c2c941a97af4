"""SQL of the shape that OHDSI's reference implementation writes, for a benchmark: one cohort after another.

circe-be writes a script for each definition: a temporary table of its concept sets, one of its qualified events, one
for each inclusion rule, then included events, ends, rows, eras, and the counts by rules
(https://github.com/OHDSI/circe-be, ``src/main/resources/resources/cohortdefinition/sql``). This is the same way to
the same rows, in words of our own, for the features of :mod:`bench.cohort_definitions`; it translates nothing, which
costs the reference another .07 s for each definition.
"""

from collections.abc import Iterator

import duckdb
from sqlglot import exp

from vitrail.omop.attributes import TABLE
from vitrail.omop.sql import Node, column, run, select, sql
from vitrail.omop.tables import TABLES
from vitrail.study.attributes import DOMAINS
from vitrail.study.cohort import Cohort, Event, Exposure, Rule
from vitrail.study.definition import Definition

RESULTS = (
    "CREATE OR REPLACE TABLE cohort (cohort_definition_id INTEGER, subject_id BIGINT, cohort_start_date DATE,"
    " cohort_end_date DATE)",
    "CREATE OR REPLACE TABLE cohort_inclusion_result (cohort_definition_id INTEGER, mode_id INTEGER,"
    " inclusion_rule_mask BIGINT, person_count BIGINT)",
)
"""The tables that all cohorts write into."""


def build(db: duckdb.DuckDBPyConnection, definition: Definition) -> None:
    """Compute one cohort, over OMOP tables in ``db``, into the tables of :data:`RESULTS`."""
    cohort, number = definition.cohort, int(definition.id)
    sets = {name: place for place, name in enumerate(definition.concept_sets)}
    _codesets(db, definition)
    entry = _together([_criterion(each, sets) for each in cohort.entry])
    first = sql("pe.ordinal = 1") if cohort.keep == "first" else exp.true()
    run(db, _QUALIFIED, entry=entry.subquery(), first=first, before=cohort.observed.before, after=cohort.observed.after)
    for place, rule in enumerate(cohort.rules):
        _rule(db, place, rule, sets)
    _included(db, cohort)
    _ends(db, cohort, sets)
    run(db, _ROWS)
    run(db, _ERAS, number=number, pad=cohort.era_pad or 0)
    for mode in (0, 1):
        run(db, _COUNTS, number=number, mode=mode, best=sql("ordinal = 1") if mode else exp.true())


def _together(queries: list[exp.Select]) -> exp.Query:
    return exp.union(*queries, distinct=False) if len(queries) > 1 else queries[0]


def _codesets(db: duckdb.DuckDBPyConnection, definition: Definition) -> None:
    run(db, "CREATE OR REPLACE TEMP TABLE Codesets (codeset_id INTEGER, concept_id BIGINT)")
    for place, found in enumerate(definition.concept_sets.values()):
        taken, out = (
            exp.tuple_(*[each.concept for each in found.concepts if each.exclude is way] or [-1])
            for way in (False, True)
        )
        run(db, _CODESET, number=place, taken=taken, out=out)


_CODESET = """
INSERT INTO Codesets SELECT :number, concept_id FROM (
  SELECT concept_id FROM concept WHERE concept_id IN :taken
  UNION SELECT c.concept_id FROM concept AS c JOIN concept_ancestor AS a ON c.concept_id = a.descendant_concept_id
    AND a.ancestor_concept_id IN :taken AND c.invalid_reason IS NULL) AS i
WHERE concept_id NOT IN (
  SELECT concept_id FROM concept WHERE concept_id IN :out
  UNION SELECT c.concept_id FROM concept AS c JOIN concept_ancestor AS a ON c.concept_id = a.descendant_concept_id
    AND a.ancestor_concept_id IN :out AND c.invalid_reason IS NULL)
"""


def _criterion(event: Event, sets: dict[str, int]) -> exp.Select:
    """The records of one criterion: a scan of its table, joined to the concept set."""
    table = TABLES[TABLE[event.domain]]
    start, key = column(str(table.start), "t"), column(str(table.key), "t")
    query = select(
        _CRITERION, source=exp.to_table(table.name, alias="t"), concept=column(str(table.concept), "t"), start=start,
        key=key, finish=_finish(event.domain, start), rank=DOMAINS.index(event.domain), number=sets[event.of],
    )  # fmt: skip
    if event.first:
        query = query.where(sql("c.ordinal = 1"))
    if event.age is not None:
        query = query.join("person AS p", on="c.person_id = p.person_id")
        query = query.where(sql("YEAR(c.start_date) - p.year_of_birth >= :age", age=event.age.at_least))
    return query


_CRITERION = """
SELECT c.person_id, c.event_id, c.domain, c.start_date, c.end_date FROM (
  SELECT t.person_id, :key AS event_id, :rank AS domain, :start AS start_date, :finish AS end_date,
    ROW_NUMBER() OVER (PARTITION BY t.person_id ORDER BY :start, :key) AS ordinal
  FROM :source JOIN Codesets AS cs ON :concept = cs.concept_id AND cs.codeset_id = :number) AS c
"""


def _finish(domain: str, start: Node) -> Node:
    ends = {
        "condition": "COALESCE(t.condition_end_date, :start + 1)",
        "drug": "COALESCE(t.drug_exposure_end_date, :start + CAST(t.days_supply AS INTEGER), :start + 1)",
        "visit": "COALESCE(t.visit_end_date, :start)",
    }
    return sql(ends.get(domain, ":start + 1"), start=start)


_QUALIFIED = """
CREATE OR REPLACE TEMP TABLE qualified_events AS
SELECT ROW_NUMBER() OVER (ORDER BY person_id, start_date, event_id, domain, end_date) AS event_id, person_id,
  start_date, end_date, op_start, op_end
FROM (
  SELECT e.*, op.observation_period_start_date AS op_start, op.observation_period_end_date AS op_end,
    ROW_NUMBER() OVER (PARTITION BY e.person_id ORDER BY e.start_date, e.event_id, e.domain, e.end_date) AS ordinal
  FROM :entry AS e JOIN observation_period AS op ON e.person_id = op.person_id
    AND e.start_date >= op.observation_period_start_date AND e.start_date <= op.observation_period_end_date
  WHERE op.observation_period_start_date + :before <= e.start_date
    AND e.start_date + :after <= op.observation_period_end_date) AS pe
WHERE (:first)
"""


def _rule(db: duckdb.DuckDBPyConnection, place: int, rule: Rule, sets: dict[str, int]) -> None:
    if rule.of is None or rule.days is None:
        raise ValueError("only rules of events within days have this shape")
    low, high = (
        exp.true() if days is None else sql(f"a.start_date {sign} p.start_date + :days", days=days)
        for sign, days in zip((">=", "<="), rule.days, strict=True)
    )
    most = 2**30 if rule.at_most is None else rule.at_most
    template = _RULE.replace("LEFT JOIN", "JOIN") if rule.least else _RULE
    parts = {"name": exp.to_table(f"inclusion_{place}"), "criterion": _criterion(rule.of, sets).subquery()}
    run(db, template, place=place, low=low, high=high, least=rule.least, most=most, **parts)


_RULE = """
CREATE OR REPLACE TEMP TABLE :name AS
SELECT :place AS inclusion_rule_id, p.person_id, p.event_id
FROM qualified_events AS p LEFT JOIN :criterion AS a ON a.person_id = p.person_id AND a.start_date >= p.op_start
  AND a.start_date <= p.op_end AND :low AND :high
GROUP BY p.person_id, p.event_id HAVING COUNT(a.event_id) >= :least AND COUNT(a.event_id) <= :most
"""


def _included(db: duckdb.DuckDBPyConnection, cohort: Cohort) -> None:
    tables = [f"inclusion_{place}" for place in range(len(cohort.rules))]
    none = select("SELECT 0 AS inclusion_rule_id, 0 AS person_id, 0 AS event_id WHERE FALSE")
    run(db, _EVENTS, every=_together([none, *(exp.select("*").from_(each) for each in tables)]))
    run(db, _MASKS)
    first = sql("ordinal = 1") if cohort.limit == "first" else exp.true()
    run(db, _INCLUDED, full=2 ** len(tables) - 1, first=first)


_EVENTS = "CREATE OR REPLACE TEMP TABLE inclusion_events AS :every"
_MASKS = """
CREATE OR REPLACE TEMP TABLE masks AS
SELECT q.event_id, q.person_id, q.start_date, q.end_date, q.op_start, q.op_end,
  CAST(SUM(COALESCE(POWER(2, i.inclusion_rule_id), 0)) AS BIGINT) AS mask
FROM qualified_events AS q LEFT JOIN inclusion_events AS i ON i.person_id = q.person_id AND i.event_id = q.event_id
GROUP BY q.event_id, q.person_id, q.start_date, q.end_date, q.op_start, q.op_end
"""
_INCLUDED = """
CREATE OR REPLACE TEMP TABLE included_events AS
SELECT event_id, person_id, start_date, end_date, op_start, op_end FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY start_date, event_id) AS ordinal
  FROM masks WHERE mask = :full) AS results
WHERE (:first)
"""


def _ends(db: duckdb.DuckDBPyConnection, cohort: Cohort, sets: dict[str, int]) -> None:
    run(db, _ENDS, every=_together(list(_end_queries(db, cohort, sets))))


_ENDS = "CREATE OR REPLACE TEMP TABLE cohort_ends AS :every"


def _end_queries(db: duckdb.DuckDBPyConnection, cohort: Cohort, sets: dict[str, int]) -> Iterator[exp.Select]:
    yield select("SELECT event_id, person_id, op_end AS end_date FROM included_events")
    exit = cohort.exit
    for days, of in ((exit.days_after_start, "start_date"), (exit.days_after_end, "end_date")):
        if days is not None:
            yield select(_OFFSET, of=column(of), days=days)
    if exit.exposed_to is not None:
        _exposed(db, exit.exposed_to, sets)
        yield select(_ERA_END)
    for event in cohort.censor or ():
        yield select(_CENSOR, criterion=_criterion(event, sets).subquery())


_OFFSET = """
SELECT event_id, person_id, CASE WHEN :of + :days > op_end THEN op_end ELSE :of + :days END AS end_date
FROM included_events
"""
_ERA_END = """
SELECT i.event_id, i.person_id, e.end_date FROM included_events AS i
JOIN exposed AS e ON e.person_id = i.person_id AND i.start_date >= e.start_date AND i.start_date <= e.end_date
"""
_CENSOR = """
SELECT i.event_id, i.person_id, MIN(c.start_date) AS end_date FROM included_events AS i
JOIN :criterion AS c ON c.person_id = i.person_id AND c.start_date >= i.start_date AND c.start_date <= i.op_end
GROUP BY i.event_id, i.person_id
"""


def _exposed(db: duckdb.DuckDBPyConnection, exposure: Exposure, sets: dict[str, int]) -> None:
    run(db, _EXPOSED, number=sets[exposure.drug], gap=exposure.gap, offset=exposure.offset)


_EXPOSED = """
CREATE OR REPLACE TEMP TABLE exposed AS
WITH taken AS (
  SELECT t.person_id, t.drug_exposure_start_date AS start_date, COALESCE(t.drug_exposure_end_date,
    t.drug_exposure_start_date + CAST(t.days_supply AS INTEGER), t.drug_exposure_start_date + 1) + :offset AS end_date
  FROM drug_exposure AS t JOIN Codesets AS cs ON cs.codeset_id = :number
    AND (t.drug_concept_id = cs.concept_id OR t.drug_source_concept_id = cs.concept_id)
  WHERE t.person_id IN (SELECT person_id FROM included_events)),
starts AS (
  SELECT *, CASE WHEN MAX(end_date + :gap) OVER (PARTITION BY person_id ORDER BY start_date, end_date
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) >= start_date THEN 0 ELSE 1 END AS is_start FROM taken),
numbered AS (
  SELECT *, SUM(is_start) OVER (PARTITION BY person_id ORDER BY start_date, end_date, is_start DESC
    ROWS UNBOUNDED PRECEDING) AS era FROM starts)
SELECT person_id, MIN(start_date) AS start_date, MAX(end_date) AS end_date FROM numbered GROUP BY person_id, era
"""
_ROWS = """
CREATE OR REPLACE TEMP TABLE cohort_rows AS
SELECT person_id, start_date, end_date FROM (
  SELECT i.person_id, i.start_date, e.end_date,
    ROW_NUMBER() OVER (PARTITION BY i.person_id, i.event_id ORDER BY e.end_date) AS ordinal
  FROM included_events AS i JOIN cohort_ends AS e ON e.event_id = i.event_id AND e.person_id = i.person_id
    AND e.end_date >= i.start_date) AS f
WHERE ordinal = 1
"""
_ERAS = """
INSERT INTO cohort
WITH starts AS (
  SELECT *, CASE WHEN MAX(end_date + :pad) OVER (PARTITION BY person_id ORDER BY start_date, end_date
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) >= start_date THEN 0 ELSE 1 END AS is_start FROM cohort_rows),
numbered AS (
  SELECT *, SUM(is_start) OVER (PARTITION BY person_id ORDER BY start_date, end_date, is_start DESC
    ROWS UNBOUNDED PRECEDING) AS era FROM starts)
SELECT CAST(:number AS INTEGER), person_id, MIN(start_date), MAX(end_date) FROM numbered GROUP BY person_id, era
"""
_COUNTS = """
INSERT INTO cohort_inclusion_result
SELECT :number, :mode, mask, COUNT(*) FROM (
  SELECT mask, ROW_NUMBER() OVER (PARTITION BY person_id ORDER BY BIT_COUNT(mask) DESC, mask & -mask, event_id)
    AS ordinal FROM masks) AS m
WHERE (:best) GROUP BY mask
"""
