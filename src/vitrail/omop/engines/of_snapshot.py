"""A study's engine over a snapshot: DuckDB in this process, or a database or cluster of the site.

PostgreSQL gets a copy of the verified files in temporary tables of the engine's own connection, so that nobody else can
change what is answered from, and nothing is left behind. Spark's workers read the verified files, which they must find
under the same path.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vitrail.errors import SnapshotError, SourceError
from vitrail.omop import events
from vitrail.omop.address import Address, is_address
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.engines.postgres import PostgresBatch
from vitrail.omop.engines.spark import SparkAddress, SparkBatch
from vitrail.omop.engines.study import DatabaseEngine
from vitrail.omop.snapshot import Snapshot
from vitrail.omop.tables import Column, Type
from vitrail.study.study import Study

KINDS = "duckdb, postgresql://user@host/database or spark://host:port"
_HELD: dict[Type, pa.DataType] = {
    "id": pa.int64(), "int": pa.int64(), "date": pa.date32(), "float": pa.float64(), "str": pa.string()
}  # fmt: skip
_QUOTED = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
"""Nulls are told from empty texts by their lack of quotes, as in PostgreSQL's CSV."""


def engine_of(study: Study, snapshot: Snapshot, kind: str = "duckdb") -> DatabaseEngine:
    """An engine for a study over a verified snapshot; ``kind`` is one of :data:`KINDS`.

    Raises SourceError where the kind or its address cannot be read or reached, and what the engine's class raises.
    """
    if kind == "duckdb":
        return DuckDBEngine.of_snapshot(study, snapshot)
    if is_address(kind):
        return DatabaseEngine(study, _copied(snapshot, Address.of(kind)))
    if kind.startswith("spark://"):
        return DatabaseEngine(study, _read(snapshot, kind))
    raise SourceError("The site's engine is none that there is.", f"Write {KINDS}.")


def _read(snapshot: Snapshot, master: str) -> SparkBatch:
    (directory,) = {file.resolve().parent for file in snapshot.files.values()}
    return SparkBatch(SparkAddress.of(f"{master.rstrip('/')}/{directory}"))


def _copied(snapshot: Snapshot, address: Address) -> PostgresBatch:
    files = {name: path for name, path in snapshot.files.items() if name in events.TABLES_READ}
    return PostgresBatch(
        address, copied={name: (_present(name, path), _rows(name, path)) for name, path in files.items()}
    )


def _present(table: str, path: Path) -> tuple[Column, ...]:
    """The columns of a file that cohorts and covariates read."""
    try:
        held = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{path} is no Parquet file.", "Load the source again or restore the file.") from error
    return tuple(each for each in events.columns_read(table) if each.name in held)


def _rows(table: str, path: Path) -> Iterator[bytes]:
    """A file's rows as PostgreSQL's CSV, piece by piece."""
    columns = _present(table, path)
    schema = pa.schema([(each.name, _HELD[each.type]) for each in columns])
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[each.name for each in columns]):
            written = io.BytesIO()
            pa_csv.write_csv(pa.Table.from_batches([batch]).select(schema.names).cast(schema), written, _QUOTED)
            yield written.getvalue()
