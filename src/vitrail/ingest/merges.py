"""Persons who were found to be one: the rows of the old person go to the survivor.

Pseudonyms are keyed on the survivor, so they must be known before any row is judged
(:func:`vitrail.ingest.records.judged_rows` applies them, and quarantines the old person's own row).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import parsed, present
from vitrail.ingest.mapped import hashed
from vitrail.ingest.reading import Layout, stage_csv
from vitrail.omop.sql import column, run, sql

COLUMNS = ("old_person_id", "person_id")


def read_merges(db: duckdb.DuckDBPyConnection, path: Path, text_ids: bool = False) -> None:
    """Add the merges of a CSV file with the columns :data:`COLUMNS` to ``given.merge``, chains followed to their end.

    ``text_ids`` says that the source's person ids are texts, and stand as their hash. Raises SourceError.
    """
    staged = stage_csv(db, "merge", path, Layout())
    if tuple(each.lower() for each in staged.columns) != COLUMNS:
        raise SourceError(f"{path} is no list of merges.", f"Write {','.join(COLUMNS)} in its first line.")
    if staged.malformed:
        raise SourceError(f"{path} has lines that are no merges.", "Write two ids in each line.")
    texts = [present(column(each)) for each in staged.columns]
    ids = [hashed(text) if text_ids else parsed(text, "id") for text in texts]
    rows = run(db, exp.select(*ids, sql("rowid + 1")).from_(staged.table).order_by("rowid"))
    bad = next((row for old, new, row in rows if old is None or new is None), None)
    if bad is not None:
        raise SourceError(f"{path}, row {bad}, does not hold two person ids.", "Write two ids in each line.")
    run(db, "DROP TABLE :t", t=staged.table)
    _insert(db, [(old, new) for old, new, _ in rows])
    resolve_merges(db, str(path))


def resolve_merges(db: duckdb.DuckDBPyConnection, where: str = "The source") -> None:
    """Follow the chains in ``given.merge``: each old id once, with the id that stands at its chain's end.

    A list and the source may both know of a merge, and one of them more of its chain: several survivors of one id are
    as good as one where they end at the same. Raises SourceError where they do not, or where a chain is a circle.
    """
    pairs = run(db, "SELECT DISTINCT old, survivor FROM given.merge WHERE old IS NOT NULL AND survivor IS NOT NULL")
    survivors: dict[int, list[int]] = {}
    for old, survivor in pairs:
        survivors.setdefault(old, []).append(survivor)
    run(db, "DELETE FROM given.merge")
    _insert(db, [(old, _end(survivors, old, where)) for old in survivors])


def _end(survivors: Mapping[int, Sequence[int]], old: int, where: str) -> int:
    """Where all chains from ``old`` end."""
    met, ahead = set[int](), [old]
    while ahead:
        following = [each for each in survivors.get(ahead.pop(), ()) if each not in met]
        met.update(following)
        ahead += following
    if old in met:
        raise SourceError(f"{where} merges persons in a circle.", "Say which of them survives.")
    ends = [each for each in met if each not in survivors]
    if len(ends) > 1:
        raise SourceError(f"{where} merges one person into two others.", "Keep the merge that holds.")
    return ends[0] if ends else old


def _insert(db: duckdb.DuckDBPyConnection, pairs: list[tuple[int, int]]) -> None:
    columns = zip(*pairs, strict=True) if pairs else ((), ())
    names = ("old", "survivor")
    db.register("merges", pa.table({name: pa.array(ids, pa.int64()) for name, ids in zip(names, columns, strict=True)}))
    run(db, "INSERT INTO given.merge SELECT old, survivor FROM merges")
    db.unregister("merges")
