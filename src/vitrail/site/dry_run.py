"""What a load would find, before anything is loaded: rows by file and table, what is quarantined, unmapped codes,
and about how much time and space the load would take. The source is read once; nothing of it stays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from vitrail.deid.columns import K, wanted
from vitrail.ingest.extract import Extract
from vitrail.ingest.reading import scratch
from vitrail.ingest.source import Format, ingest, whole
from vitrail.omop.snapshot import Quarantined
from vitrail.omop.sql import run, table
from vitrail.omop.tables import TABLES
from vitrail.site.directory import SiteDirectory
from vitrail.site.staging import MEMORY_BYTES, kept_for, staging

SLOWER = 6
"""A load takes about so many times what reading the source takes: of Parquet; less of what is slower to read. Measured
on 10 million rows: docs/benchmarks.md."""

BYTES_A_ROW = 8
"""What a record takes in a snapshot, about, as measured there; notes take more."""

BYTES_SORTED = 210
"""What a record of the largest table takes beside all that was read while that table is sorted, at most, about;
measured on 2.4 million rows: docs/measurements.md."""


@dataclass(frozen=True)
class Unmapped:
    """A source code that would become concept 0, and its rows."""

    table: str
    vocabulary: str
    code: str
    rows: int


@dataclass(frozen=True)
class Expected:
    """What a load would find. ``tables`` are the records of each OMOP table; ``unmapped`` the most frequent codes, and
    ``unmapped_rows`` the records of all of them; times are seconds, spaces bytes:
    of the snapshot, and of the disk while the load runs, the snapshot included."""

    rows_in: dict[str, int]
    rows_loaded: dict[str, int]
    quarantined: tuple[Quarantined, ...]
    tables: dict[str, int]
    unmapped: tuple[Unmapped, ...]
    unmapped_rows: int
    seconds: float
    snapshot_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Held:
    """The bytes that reading left behind: in memory, and on the disk."""

    memory: int
    disk: int


def expect(
    site: SiteDirectory,
    source: Path | str,
    *,
    format: Format,
    mapping: Path | None = None,
    vocabulary: Path | None = None,
    merges: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Expected:
    """Read ``source`` as :func:`vitrail.site.load.load` would, and say what it would load. Raises as that does."""
    tell, began = progress or (lambda _: None), time.monotonic()
    reads = [each for each in (source, vocabulary, merges, site.site_map) if isinstance(each, Path) and each.exists()]
    site_map = site.site_map if site.site_map.is_file() else None
    with staging(site, reads, kept_for(site, source)) as db, whole(reads):  # which a load is to go on with
        extract = ingest(
            db, source, format, mapping, vocabulary, wanted(), tell, site_map, merges, scratch(db) / "read"
        )
        tables = {name: int(run(db, "SELECT count(*) FROM :t", t=table(name, "extract"))[0][0]) for name in TABLES}
        listed = 'SELECT "table", vocabulary_id, code, rows FROM extract.unmapped WHERE persons >= :k'
        listed += " ORDER BY 4 DESC, 1, 2, 3"
        unmapped = tuple(Unmapped(*row) for row in run(db, listed, k=K))
        of_all = int(run(db, "SELECT coalesce(sum(rows), 0) FROM extract.unmapped")[0][0])
        held = _held(db)
    return _expected(extract, tables, unmapped, of_all, held, time.monotonic() - began)


def _held(db: duckdb.DuckDBPyConnection) -> Held:
    """What reading left: the database's tables, and beside them pieces, copies of a database, and what did not fit."""
    memory = int(run(db, "SELECT sum(memory_usage_bytes) FROM duckdb_memory()")[0][0])
    return Held(memory, sum(path.stat().st_size for path in scratch(db).rglob("*") if path.is_file()))


def _expected(
    extract: Extract, tables: dict[str, int], unmapped: tuple[Unmapped, ...], of_all: int, held: Held, seconds: float
) -> Expected:
    rows, largest = sum(tables.values()), max(tables.values())
    spilled = max(0, held.memory + largest * BYTES_SORTED - MEMORY_BYTES)
    return Expected(
        rows_in=extract.rows_in,
        rows_loaded=extract.rows_loaded,
        quarantined=extract.quarantined,
        tables={name: count for name, count in tables.items() if count},
        unmapped=unmapped,
        unmapped_rows=of_all,
        seconds=seconds * SLOWER,
        snapshot_bytes=rows * BYTES_A_ROW,
        disk_bytes=rows * BYTES_A_ROW + held.disk + spilled,
    )
