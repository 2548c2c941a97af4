"""Conformance: do the records fit together as OMOP says?"""

from collections.abc import Iterator, Mapping, Sequence

from vitrail.omop.sql import any_of, column, sql, table
from vitrail.omop.tables import CLINICAL, TABLES, Column, Table
from vitrail.quality.check import Question

NO_CONCEPTS = "_type_concept_id"


def questions(columns: Mapping[str, Sequence[Column]]) -> Iterator[Question]:
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


def _required(of: Table, columns: Sequence[Column]) -> Question:
    """DQD isRequired."""
    missing = any_of([sql("(:c) IS NULL", c=column(each.name)) for each in columns if each.required])
    query = "SELECT count(*), count(*) FILTER (WHERE :missing) FROM :t"
    return _question("required values are there", of, query, hard=True, missing=missing)


def _unique(of: Table) -> Question:
    """DQD isPrimaryKey."""
    query = "SELECT count(*), count(*) - count(DISTINCT :key) FROM :t"
    return _question("keys are unique", of, query, hard=True, key=column(of.key))


def _person_known(of: Table) -> Question:
    """DQD isForeignKey."""
    query = "SELECT count(*), count(*) FILTER (WHERE person_id NOT IN (SELECT person_id FROM snapshot.person)) FROM :t"
    return _question("persons are known", of, query, hard=True)


def _visit_known(of: Table) -> Question:
    """DQD isForeignKey, of the visits that the source refers to; a reference to an unknown one is not loaded."""
    query = (
        "SELECT given.n, given.n - kept.n FROM (SELECT count(visit_occurrence_id) AS n FROM :source) AS given,"
        " (SELECT count(visit_occurrence_id) AS n FROM :t) AS kept"
    )
    return _question("visits are known", of, query, source=table(of.name, "extract"))


def _concept_known(of: Table) -> Question:
    """DQD isForeignKey of the main concept; concept 0 is counted by completeness. Needs a vocabulary."""
    query = (
        "SELECT count(*), count(*) FILTER (WHERE :c NOT IN (SELECT concept_id FROM snapshot.concept)) FROM :t"
        " WHERE :c <> 0 AND EXISTS (SELECT 1 FROM snapshot.concept)"
    )
    return _question("concepts are in the vocabulary", of, query, c=column(str(of.concept)))


def _question(name: str, of: Table, query: str, hard: bool = False, **parts: object) -> Question:
    given = {"t": table(of.name, "snapshot"), **parts}
    return Question(f"conformance: {name}", of.name, query, hard=hard, parts=tuple(given.items()))
