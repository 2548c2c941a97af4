"""Conformance: are the tables what OMOP says, and do their records fit together?"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.omop.snapshot import Check, Quarantined
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, Column
from vitrail.quality.check import judged
from vitrail.quality.cut import Cut, Measure
from vitrail.quality.limits import limits

NEEDED = ("person", "observation_period")
"""The tables that every OMOP database must have (``isRequired`` of DQD's table-level control file)."""

TYPES = {
    "id": {"BIGINT", "INTEGER"},
    "int": {"INTEGER", "BIGINT"},
    "date": {"DATE"},
    "datetime": {"TIMESTAMP"},
    "float": {"DOUBLE"},
    "str": {"VARCHAR"},
}
"""How each of OMOP's types may be kept."""


def tables(of: Cut) -> Iterator[Check]:
    """cdmTable, cdmField: what the snapshot should have, it has. Without it a study stops or finds nobody."""
    for name in TABLES:
        yield judged("cdmTable", name, 1, int(name not in of.types), hard=name in NEEDED)
        for each in of.columns[name]:
            hard = each.required and name in NEEDED
            there = int(name in of.types)
            yield judged("cdmField", name, there, int(not of.has(name, each.name)), field=each.name, hard=hard)


def types(of: Cut, quarantined: Sequence[Quarantined]) -> Iterator[Check]:
    """cdmDatatype: rows of the source that were quarantined for a value of another type, and all rows of a column that
    the snapshot keeps as another type, which is hard.

    DQD looks at whole numbers only; here all types are looked at.
    """
    for name in of.tables:
        for each in of.expected(name):
            kept, lost = of.types[name][each.name] in TYPES[each.type], _lost(name, each, quarantined)
            rows = of.rows[name] + lost
            violations = lost if kept else rows
            yield judged("cdmDatatype", name, rows, violations, field=each.name, hard=not kept)


def _lost(name: str, of: Column, quarantined: Sequence[Quarantined]) -> int:
    """The quarantined rows of the table's own file whose reason is the type of the column's value."""
    return sum(
        each.rows for each in quarantined if each.source == name and each.reason.startswith(f"{of.name} is not ")
    )


def measures(of: Cut, name: str) -> Iterator[Measure]:
    """isRequired of each column, and isForeignKey of persons. Without them a record says nothing, of nobody."""
    for each in of.expected(name):
        if each.required:
            yield Measure(
                "isRequired", each.name, sql("count(*)"), sql("count(*) - count(:c)", c=_column(each)), hard=True
            )
    if name != "person" and of.has(name, "person_id"):
        unknown = sql("count_if(t.person_id IS NOT NULL AND l.person_id IS NULL)")
        yield Measure("isForeignKey", "person_id", sql("count(t.person_id)"), unknown, hard=True)


def _column(of: Column) -> Node:
    return column(of.name, "t")


KEYLESS = ("death",)
"""Tables whose first column is not their key."""


def keys(of: Cut) -> Iterator[Check]:
    """isPrimaryKey: rows whose key another row has, too."""
    for name in of.tables:
        key = TABLES[name].key
        if name in KEYLESS or not of.has(name, key):
            continue
        violations = _doubled(of, name, key) if of.rows[name] and not _increasing(of, name, key) else 0
        yield judged("isPrimaryKey", name, of.rows[name], violations, field=key, hard=True)


def _increasing(of: Cut, name: str, key: str) -> bool:
    """Whether every key is greater than the one before it, in the order of the file: then no key is there twice.

    A snapshot's records are numbered in that order, so this spares the counting of all keys.
    """
    query = "SELECT count(*) FROM (SELECT :k AS key, lag(:k) OVER () AS before FROM :t) AS pairs WHERE key <= before"
    falling = run(of.db, query, k=column(key), t=table(name, "snapshot"))[0][0]
    missing = run(of.db, "SELECT count(*) - count(:k) FROM :t", k=column(key), t=table(name, "snapshot"))[0][0]
    return not falling and not missing


def _doubled(of: Cut, name: str, key: str) -> int:
    query = (
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM :t WHERE :k IS NOT NULL GROUP BY :k HAVING count(*) > 1) AS d"
    )
    return int(run(of.db, query, k=column(key), t=table(name, "snapshot"))[0][0] or 0)


def references(of: Cut) -> Iterator[Check]:
    """isForeignKey of records: a reference to an unknown record is not loaded, so what the source gave is looked at."""
    for name in of.tables:
        own = [each for each in of.expected(name) if _is_record(each)]
        given, kept = _counts(of, name, own, "extract"), _counts(of, name, own, "snapshot")
        for each, before, after in zip(own, given, kept, strict=True):
            violations = _unknown(of, name, each) if before != after else 0
            yield judged("isForeignKey", name, before, violations, field=each.name)


def _is_record(of: Column) -> bool:
    return of.references in TABLES and of.references not in ("person", "concept")


def _counts(of: Cut, name: str, columns: Sequence[Column], schema: str) -> list[int]:
    """How many rows have a value in each column."""
    if not columns:
        return []
    query = exp.select(*(sql("count(:c)", c=column(each.name)) for each in columns)).from_(table(name, schema))
    return [int(each) for each in run(of.db, query)[0]]


WIDEST = 2**28
"""The widest range of keys for which a mark per key is kept: 256 MB."""


def _unknown(of: Cut, name: str, field: Column) -> int:
    """How many references of the source lead to no record.

    Keys are mostly dense, so marks of those that are there tell it in a fraction of the time that a join takes.
    """
    other = TABLES[str(field.references)]
    keys, given = _keys(other.key, other.name), _keys(field.name, name)
    low, high = run(of.db, "SELECT min(key), max(key) FROM :k AS k", k=keys.subquery())[0]
    if low is None or high - low >= WIDEST:
        query = "SELECT count(*) FROM :g AS g WHERE key NOT IN (SELECT key FROM :k AS k)"
        return int(run(of.db, query, g=given.subquery(), k=keys.subquery())[0][0])
    there = np.zeros(high - low + 1, dtype=bool)
    for batch in _batches(of, keys):
        there[batch - low] = True
    return sum(_unmarked(batch - low, there) for batch in _batches(of, given))


def _keys(field: str, name: str) -> exp.Select:
    key = sql("CAST(:f AS BIGINT)", f=column(field))
    return exp.select(exp.alias_(key, "key")).from_(table(name, "extract")).where(sql(":k IS NOT NULL", k=key))


def _batches(of: Cut, keys: Node) -> Iterator[NDArray[np.int64]]:
    for batch in of.db.execute(keys.sql("duckdb")).to_arrow_reader(1_000_000):
        yield batch.column(0).to_numpy()


def _unmarked(places: NDArray[np.int64], there: NDArray[np.bool_]) -> int:
    """How many places lie outside, or where there is no mark."""
    inside = places[(places >= 0) & (places < len(there))]
    return len(places) - int(np.count_nonzero(there[inside]))


def concepts(of: Cut) -> Iterator[Check]:
    """isForeignKey, fkDomain, fkClass and isStandardValidConcept of concepts. They need a vocabulary.

    Concept 0 means that there is none, and is counted by completeness.
    """
    found = _looked_up(of)
    for name in of.tables:
        for each in of.expected(name):
            if each.references == "concept":
                yield judged("isForeignKey", name, *found.get((name, each.name, "known"), (0, 0)), field=each.name)
    for check, what in (("fkDomain", "domain"), ("fkClass", "class"), ("isStandardValidConcept", "standard")):
        for limit in limits(check):
            if of.has(limit.table, limit.field):
                rows, violations = found.get((limit.table, limit.field, what), (0, 0))
                yield judged(check, limit.table, rows, violations, limit.share, field=limit.field)


Found = dict[tuple[str, str, str], tuple[int, int]]
"""By table, field and what is asked of a concept: the rows that have one, and those whose concept is not so."""


def _looked_up(of: Cut) -> Found:
    if not of.filled("concept", "concept_id"):
        return {}
    count_values(of)
    run(of.db, 'CREATE TABLE quality.allowed ("table" VARCHAR, field VARCHAR, domain VARCHAR, class VARCHAR)')
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    for check, what in (("fkDomain", "domain"), ("fkClass", "class")):
        for limit in limits(check):
            wanted.setdefault((limit.table, limit.field), {})[what] = limit.value
    for (name, field), values in wanted.items():
        of.db.execute(
            "INSERT INTO quality.allowed VALUES (?, ?, ?, ?)", [name, field, values.get("domain"), values.get("class")]
        )
    rows = run(of.db, _LOOK_UP)
    return {
        (name, field, what): (int(n), int(bad))
        for name, field, n, *figures in rows
        for what, bad in zip(("known", "domain", "class", "standard"), figures, strict=True)
    }


_LOOK_UP = """
SELECT n."table", n.field, sum(n.rows),
  sum(CASE WHEN c.concept_id IS NULL THEN n.rows ELSE 0 END),
  sum(CASE WHEN c.domain_id <> a.domain THEN n.rows ELSE 0 END),
  sum(CASE WHEN c.concept_class_id <> a.class THEN n.rows ELSE 0 END),
  sum(CASE WHEN c.concept_id IS NOT NULL AND (c.standard_concept IS DISTINCT FROM 'S' OR c.invalid_reason IS NOT NULL)
      THEN n.rows ELSE 0 END)
FROM quality.counted AS n
LEFT JOIN snapshot.concept AS c ON c.concept_id = n.concept
LEFT JOIN quality.allowed AS a ON a."table" = n."table" AND a.field = n.field
WHERE n.concept <> 0
GROUP BY n."table", n.field
"""


def count_values(of: Cut) -> None:
    """Make ``quality.counted``: how many rows of each table have each concept in each field."""
    run(of.db, 'CREATE TABLE quality.counted ("table" VARCHAR, field VARCHAR, concept BIGINT, rows BIGINT)')
    for name in of.tables:
        for each in of.expected(name):
            if each.references == "concept" and of.filled(name):
                run(
                    of.db,
                    "INSERT INTO quality.counted SELECT :name, :field, :c, count(*) FROM :t WHERE :c IS NOT NULL"
                    " GROUP BY :c",
                    name=name, field=each.name, c=column(each.name), t=table(name, "snapshot"),
                )  # fmt: skip
