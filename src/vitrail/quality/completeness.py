"""Completeness: how much is there, and how much of it has a meaning?"""

from collections.abc import Iterator

from vitrail.omop.snapshot import Check
from vitrail.omop.sql import column, run, sql, table
from vitrail.quality.check import judged
from vitrail.quality.cut import Cut, Measure
from vitrail.quality.limits import Limit, limits


def measures(of: Cut, name: str) -> Iterator[Measure]:
    """measureValueCompleteness of what OMOP does not require, and records without a concept.

    DQD measures the completeness of required fields, too; that is isRequired once more.
    """
    for each in of.expected(name):
        if not each.required:
            empty = sql("count(*) - count(:c)", c=column(each.name, "t"))
            yield Measure("measureValueCompleteness", each.name, sql("count(*)"), empty, threshold=1.0)
    for check in ("standardConceptRecordCompleteness", "sourceConceptRecordCompleteness"):
        for limit in limits(check):
            if limit.table == name and of.has(name, limit.field):
                yield _concept(of, limit)


def _concept(of: Cut, limit: Limit) -> Measure:
    """Records whose concept is 0; or null beside a text of the source, where a record need not have a concept."""
    concept, text = column(limit.field, "t"), limit.field.replace("_source", "").replace("_concept_id", "_source_value")
    required = any(each.required for each in of.expected(limit.table) if each.name == limit.field)
    if required or not of.has(limit.table, text) or not limit.field.startswith("unit"):
        return Measure(
            limit.check, limit.field, sql("count(:c)", c=concept), sql("count_if(:c = 0)", c=concept), limit.share
        )
    parts = {"c": concept, "s": column(text, "t")}
    rows = sql("count_if(:c IS NOT NULL OR :s IS NOT NULL)", **parts)
    return Measure(
        limit.check, limit.field, rows, sql("count_if(:c = 0 OR (:c IS NULL AND :s IS NOT NULL))", **parts), limit.share
    )


def source_values(of: Cut) -> Iterator[Check]:
    """sourceValueCompleteness: of the different texts of the source, how many have records with concept 0."""
    for limit in limits("sourceValueCompleteness"):
        if of.has(limit.table, limit.field, limit.value):
            rows, unmapped = _texts(of, limit)
            yield judged(limit.check, limit.table, rows, unmapped, limit.share, field=limit.field)


def _texts(of: Cut, limit: Limit) -> tuple[int, int]:
    rows, unmapped = run(
        of.db,
        "SELECT count(*), count_if(unmapped) FROM (SELECT bool_or(:c = 0) AS unmapped FROM :t WHERE :s IS NOT NULL"
        " GROUP BY :s) AS texts",
        c=column(limit.value), s=column(limit.field), t=table(limit.table, "snapshot"),
    )[0]  # fmt: skip
    return int(rows), int(unmapped or 0)


def persons(of: Cut) -> Iterator[Check]:
    """measurePersonCompleteness: persons without a record in the table."""
    everyone = of.rows.get("person", 0)
    for limit in limits("measurePersonCompleteness"):
        if of.has(limit.table, "person_id") and of.has("person", "person_id"):
            there = _persons(of, limit.table) if everyone and of.rows[limit.table] else 0
            yield judged(limit.check, limit.table, everyone, everyone - there, limit.share)


def _persons(of: Cut, name: str) -> int:
    query = "SELECT count(*) FROM snapshot.person WHERE person_id IN (SELECT DISTINCT person_id FROM :t)"
    return int(run(of.db, query, t=table(name, "snapshot"))[0][0])


def eras(of: Cut) -> Iterator[Check]:
    """measureConditionEraCompleteness: persons with a condition and no condition era."""
    for limit in limits("measureConditionEraCompleteness"):
        if of.has("condition_occurrence", "person_id", "condition_concept_id") and of.has("condition_era", "person_id"):
            rows, without = run(of.db, _ERAS)[0]
            yield judged(limit.check, limit.table, int(rows), int(without or 0), limit.share)


_ERAS = """
SELECT count(*), count_if(e.person_id IS NULL)
FROM (SELECT DISTINCT person_id FROM snapshot.condition_occurrence WHERE condition_concept_id <> 0
  AND person_id IS NOT NULL) AS c
LEFT JOIN (SELECT DISTINCT person_id FROM snapshot.condition_era) AS e ON e.person_id = c.person_id
"""
