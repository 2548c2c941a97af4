"""A site's own concepts: which of them may be in a snapshot's vocabulary.

Names and codes of OMOP's concepts are published. Those of a site's own (ids from :data:`~vitrail.deid.columns.OWN` on)
are whatever somebody wrote there: a study, a ward, a patient. Only those stay that a record of the snapshot has, or has
one below of, where the rules of the columns leave no concept that fewer than k people share.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.deid.columns import OWN, K
from vitrail.omop.sql import Node, all_of, column, run, sql, table
from vitrail.omop.tables import VOCABULARY, Column

FEW_HAVE = f"speaks of a concept of the site's own that fewer than {K} people have"

_HELD = table("own_concept", "crosswalk")

_CONCEPTS = {
    "concept": ("concept_id",),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2"),
}
"""The columns in which each table of the vocabulary speaks of concepts."""


def list_held(db: duckdb.DuckDBPyConnection, snapshot: Path, columns: Mapping[str, Sequence[Column]]) -> None:
    """List the site's own concepts that the tables in the directory ``snapshot`` have, and those above what they have.

    The tables of the vocabulary are not among them yet.
    """
    run(db, "CREATE TABLE :h (concept BIGINT)", h=_HELD)
    if not run(db, "SELECT 1 FROM extract.concept WHERE concept_id >= :own LIMIT 1", own=OWN):
        return
    run(db, "CREATE TABLE crosswalk.met AS SELECT * FROM :h", h=_HELD)
    for name, held in columns.items():
        for each in held:
            if each.references == "concept" and name not in VOCABULARY:
                path = str(snapshot / f"{name}.parquet")
                run(db, _MET, c=column(each.name), path=path, own=OWN)
    run(db, "INSERT INTO :h SELECT DISTINCT concept FROM crosswalk.met WHERE concept >= :own", h=_HELD, own=OWN)
    run(db, _ABOVE, h=_HELD, own=OWN)


_MET = """
INSERT INTO crosswalk.met SELECT DISTINCT :c FROM read_parquet(:path) WHERE :c >= :own OR :c IN (
  SELECT descendant_concept_id FROM extract.concept_ancestor WHERE ancestor_concept_id >= :own)
"""

_ABOVE = """
INSERT INTO :h SELECT DISTINCT ancestor_concept_id FROM extract.concept_ancestor
WHERE ancestor_concept_id >= :own AND descendant_concept_id IN (SELECT concept FROM crosswalk.met)
  AND ancestor_concept_id NOT IN (SELECT concept FROM :h)
"""


def held(name: str) -> Node:
    """Whether a row ``t`` of a table of the vocabulary speaks of no other concepts of the site's own."""
    return all_of([_is_held(column(each, "t")) for each in _CONCEPTS[name]])


def _is_held(concept: Node) -> Node:
    return exp.paren(sql(":c < :own OR :c IN (SELECT concept FROM :h)", c=concept, own=OWN, h=_HELD))
