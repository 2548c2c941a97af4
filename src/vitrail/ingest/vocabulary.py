"""The vocabulary of a load: OMOP's CONCEPT, CONCEPT_ANCESTOR and CONCEPT_RELATIONSHIP, as CSV or as Athena writes them.

A small vocabulary may be written by hand as ``CONCEPT.csv`` with ``concept_id``, ``concept_name``, ``domain_id`` and
``parent`` (the ids of the concepts right above it, separated by spaces). Without CONCEPT_ANCESTOR, ancestors are
derived from the parents, or from the relationships ``Is a`` that are valid.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from vitrail.errors import SourceError
from vitrail.ingest.extract import Columns
from vitrail.ingest.omop import Loaded, find_tables, load_staged, load_table, stage_table
from vitrail.ingest.records import extract_view
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, VOCABULARY, Column
from vitrail.vocabulary.hierarchy import closure

PARENT = "parent"
_PARENTS = table("parent", "lookup")


def load_vocabulary(db: duckdb.DuckDBPyConnection, directory: Path | None, columns: Columns) -> list[Loaded]:
    """Load the vocabulary's tables from ``directory``; those that it does not have are empty. Raises SourceError."""
    found = find_tables(directory, VOCABULARY, db) if directory else {}
    loaded = []
    for name in sorted(VOCABULARY, key=lambda name: name == "concept_ancestor"):  # last, for it may be derived
        if name == "concept" and name in found:
            loaded.append(_load_concepts(db, found[name], columns[name]))
        elif name in found:
            loaded.append(load_table(db, TABLES[name], columns[name], found[name]))
        elif name == "concept_ancestor" and "concept" in found:
            _derive_ancestors(db, found["concept"])
        else:
            extract_view(db, TABLES[name], columns[name], [])
    return loaded


def _load_concepts(db: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[Column]) -> Loaded:
    """The concepts; where they are written by hand, their parents are kept and the other columns filled in."""
    staged = stage_table(db, "concept", path)
    by_hand = PARENT in staged.columns
    parents = "SELECT concept_id, parent FROM :t" if by_hand else "SELECT NULL AS concept_id, NULL AS parent FROM :t"
    run(db, "CREATE TABLE :p AS :q", p=_PARENTS, q=sql(parents, t=staged.table))
    loaded = load_staged(db, TABLES["concept"], columns, staged, path, _written_by_hand() if by_hand else None)
    parent = f"column {staged.columns.index(PARENT) + 1}" if by_hand else ""
    return replace(loaded, ignored=tuple(each for each in loaded.ignored if each != parent))


def _written_by_hand() -> dict[str, Node]:
    """What a concept has in the columns that a vocabulary written by hand leaves out."""
    return {
        "vocabulary_id": sql("'Local'"),
        "concept_class_id": sql("'Local'"),
        "standard_concept": sql("'S'"),
        "concept_code": column("concept_id"),
        "valid_start_date": sql("'1970-01-01'"),
        "valid_end_date": sql("'2099-12-31'"),
    }


def _derive_ancestors(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    """``extract.concept_ancestor`` from the parents of each concept."""
    rows = run(
        db,
        "SELECT c.concept_id, coalesce(CAST(any_value(p.parent) AS VARCHAR), any_value(r.above))"
        " FROM extract.concept AS c LEFT JOIN :p AS p ON TRY_CAST(p.concept_id AS INTEGER) = c.concept_id LEFT JOIN"
        " (SELECT i.concept_id_1, string_agg(CAST(i.concept_id_2 AS VARCHAR), ' ') AS above"
        " FROM extract.concept_relationship AS i JOIN extract.concept AS u ON u.concept_id = i.concept_id_2"
        " WHERE i.relationship_id = 'Is a' AND i.invalid_reason IS NULL AND i.concept_id_1 <> i.concept_id_2"
        " GROUP BY i.concept_id_1) AS r ON r.concept_id_1 = c.concept_id GROUP BY c.concept_id",
        p=_PARENTS,
    )
    try:
        ancestry = closure({int(concept): [int(each) for each in (above or "").split()] for concept, above in rows})
    except ValueError as error:
        raise SourceError(f"{path}: a parent is no concept id.", "Write ids, separated by spaces.") from error
    names = [each.name for each in TABLES["concept_ancestor"].columns]
    values = [[getattr(row, each) for row in ancestry] for each in ("ancestor", "descendant", "least", "most")]
    db.register("ancestry", pa.table(dict(zip(names, (pa.array(each, pa.int32()) for each in values), strict=True))))
    db.execute("CREATE TABLE extract.concept_ancestor AS SELECT * FROM ancestry")
    db.unregister("ancestry")
