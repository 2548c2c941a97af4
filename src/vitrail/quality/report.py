"""The quality report of a snapshot: every check, in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from vitrail.omop.snapshot import Check, File
from vitrail.omop.sql import run, sql, table
from vitrail.omop.tables import Column
from vitrail.quality import completeness, conformance, plausibility


def checked(
    db: duckdb.DuckDBPyConnection, directory: Path, files: Sequence[File], columns: Mapping[str, Sequence[Column]]
) -> tuple[Check, ...]:
    """All checks of the tables in ``directory``. The schema ``extract`` of ``db`` says what the source had."""
    run(db, sql("CREATE SCHEMA snapshot"))
    for file in files:
        read = sql("SELECT * FROM read_parquet(:p)", p=str(directory / file.file))
        run(db, "CREATE VIEW :v AS :q", v=table(file.table, "snapshot"), q=read)
    inspections = (*conformance.inspections(columns), *plausibility.inspections(), *completeness.inspections())
    return tuple(inspection.made(db) for inspection in inspections)
