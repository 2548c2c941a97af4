"""Conformance: do the records fit together as OMOP says?"""

from collections.abc import Iterator, Mapping, Sequence

from vitrail.omop.sql import any_of, column, sql, table
from vitrail.omop.tables import CLINICAL, TABLES, Column, Table
from vitrail.quality.check import Inspection


def inspections(columns: Mapping[str, Sequence[Column]]) -> Iterator[Inspection]:
    """Required values, unique keys, known persons, visits and concepts."""
    for name in CLINICAL:
        of = TABLES[name]
        yield _required(of, columns[name])
        yield _unique(of)
        if name != "person":
            yield _person_known(of)
        if any(each.name == "visit_occurrence_id" for each in columns[name]) and name != "visit_occurrence":
            yield _visit_known(of)
        if of.concept is not None:
            yield _concept_known(of)


def _required(of: Table, columns: Sequence[Column]) -> Inspection:
    """DQD isRequired."""
    missing = any_of([sql("(:c) IS NULL", c=column(each.name)) for each in columns if each.required])
    query = "SELECT count(*), count(*) FILTER (WHERE :missing) FROM :t"
    return _inspection("required values are there", of, query, hard=True, missing=missing)


def _unique(of: Table) -> Inspection:
    """DQD isPrimaryKey."""
    query = "SELECT count(*), count(*) - count(DISTINCT :key) FROM :t"
    return _inspection("keys are unique", of, query, hard=True, key=column(of.key))


def _person_known(of: Table) -> Inspection:
    """DQD isForeignKey."""
    query = "SELECT count(*), count(*) FILTER (WHERE person_id NOT IN (SELECT person_id FROM snapshot.person)) FROM :t"
    return _inspection("persons are known", of, query, hard=True)


def _visit_known(of: Table) -> Inspection:
    """DQD isForeignKey, of the visits that the source refers to; a reference to an unknown one is not loaded."""
    query = (
        "SELECT given.n, given.n - kept.n FROM (SELECT count(visit_occurrence_id) AS n FROM :source) AS given,"
        " (SELECT count(visit_occurrence_id) AS n FROM :t) AS kept"
    )
    return _inspection("visits are known", of, query, source=table(of.name, "extract"))


def _concept_known(of: Table) -> Inspection:
    """DQD isForeignKey of the main concept; concept 0 is counted by completeness. Needs a vocabulary."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE :c NOT IN (SELECT concept_id FROM snapshot.concept)) FROM :t"
        " WHERE :c <> 0 AND EXISTS (SELECT 1 FROM snapshot.concept)"
    )
    return _inspection("concepts are in the vocabulary", of, query, c=column(str(of.concept)))


def _inspection(name: str, of: Table, query: str, hard: bool = False, **parts: object) -> Inspection:
    given = {"t": table(of.name, "snapshot"), **parts}
    return Inspection(f"conformance: {name}", of.name, query, hard=hard, parts=tuple(given.items()))
