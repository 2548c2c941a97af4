"""The list of codes that became concept 0, for the engineer who adds what they mean. It stays with the site."""

import csv
import os
from pathlib import Path

import duckdb

from vitrail.deid.columns import K
from vitrail.omop.sql import run

COLUMNS = ("table", "source_vocabulary_id", "source_code", "rows")


def write_unmapped(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write ``extract.unmapped``, the most frequent first, under the names that a list of meanings has.

    What stands where a code should may be a name or a number of somebody. So codes, and vocabularies, that fewer than k
    persons share are counted together for each table, in a line without a code.
    """
    query = (
        'SELECT "table", vocabulary_id, code, rows FROM extract.unmapped WHERE persons >= :k UNION ALL SELECT "table",'
        " '', '', sum(rows) FROM extract.unmapped WHERE persons < :k GROUP BY 1 ORDER BY 4 DESC, 1, 2, 3"
    )
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *run(db, query, k=K)])
    partial.replace(path)
