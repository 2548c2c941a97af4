"""Completeness: how much is there, and how much of it has a meaning?"""

from collections.abc import Iterator

from vitrail.omop.sql import column, table
from vitrail.omop.tables import CLINICAL, TABLES
from vitrail.quality.check import Inspection

UNMAPPED = 0.05
"""DQD standardConceptRecordCompleteness tolerates 5 %."""


def inspections() -> Iterator[Inspection]:
    """Records with concept 0, and persons without an observation period."""
    for name in CLINICAL:
        concept = TABLES[name].concept
        if concept is not None:
            query = "SELECT count(:c), count(*) FILTER (WHERE :c = 0) FROM :t"
            parts = (("c", column(concept)), ("t", table(name, "snapshot")))
            yield Inspection("completeness: concept is not 0", name, query, tolerated=UNMAPPED, parts=parts)
    yield Inspection(
        "completeness: persons have an observation period",
        "person",
        "SELECT count(*), count(*) FILTER (WHERE person_id NOT IN (SELECT person_id FROM snapshot.observation_period))"
        " FROM snapshot.person",
    )
