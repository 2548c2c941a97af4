"""The list of codes that became concept 0, for the engineer who adds what they mean. It stays with the site."""

import csv
import os
from pathlib import Path

import duckdb

from vitrail.omop.sql import run

COLUMNS = ("table", "source_vocabulary_id", "source_code", "rows")


def write_unmapped(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write ``extract.unmapped``, the most frequent first, under the names that a list of meanings has."""
    query = 'SELECT "table", vocabulary_id, code, rows FROM extract.unmapped ORDER BY 4 DESC, 1, 2, 3'
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *run(db, query)])
    partial.replace(path)
