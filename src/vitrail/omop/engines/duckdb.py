"""The DuckDB engine: the default. Reads a snapshot's Parquet files where they lie, a set of rows at a time.

Its answers do not depend on the number of threads, nor on the order of rows in the files, nor on the ranges of persons
in which they are computed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from vitrail.errors import SnapshotError
from vitrail.omop import events
from vitrail.omop.engines.locked import LockedDuckDB
from vitrail.omop.engines.study import DatabaseBatch, DatabaseEngine, Persons
from vitrail.omop.snapshot import Snapshot
from vitrail.study.study import Study


class DuckDBBatch(DatabaseBatch):
    """Answers batches of definitions from Parquet files. ``files`` maps an OMOP table's name to its file.

    A missing table is empty. ``threads`` and ``memory_limit`` (as DuckDB writes sizes) bound what it takes of the
    machine; persons are worked at in so many ``ranges``, one after another, of which each needs its part of the memory.
    Raises SnapshotError where a file cannot be read or lacks a column, and what its class raises.
    """

    def __init__(
        self, files: Mapping[str, Path], *, threads: int = 2, memory_limit: str = "4GB", ranges: int = 1
    ) -> None:
        self._files = {name: path.resolve() for name, path in files.items() if name in events.TABLES_READ}
        self._present = {name: _columns(name, path) for name, path in self._files.items()}
        self._locked = LockedDuckDB(self._files.values(), threads, memory_limit)
        super().__init__(self._locked, ranges)

    def close(self) -> None:
        """Give back the memory; the engine answers no more."""
        self._locked.close()

    def lacks(self, table: str, column: str) -> bool:
        """Whether an OMOP table is there, and without a column."""
        return column not in self._present.get(table, (column,))

    def read(self, persons: Persons) -> None:
        """Let the views show a range of persons."""
        for name in events.TABLES_READ:
            path = str(self._files[name]) if name in self._files else None
            self._locked.view(name, events.typed, name, path, self._present.get(name, ()), persons)


class DuckDBEngine(DatabaseEngine):
    """An engine for one study over Parquet files; see :class:`DuckDBBatch`, whose options and errors it has."""

    def __init__(
        self, study: Study, files: Mapping[str, Path], *, threads: int = 2, memory_limit: str = "4GB", ranges: int = 1
    ) -> None:
        super().__init__(study, DuckDBBatch(files, threads=threads, memory_limit=memory_limit, ranges=ranges))

    @classmethod
    def of_snapshot(cls, study: Study, snapshot: Snapshot, *, threads: int = 2, memory_limit: str = "4GB") -> Self:
        """An engine over a verified snapshot."""
        return cls(study, snapshot.files, threads=threads, memory_limit=memory_limit)


def _columns(table: str, path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file that should hold an OMOP table."""
    try:
        present = tuple(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{path} is no Parquet file.", "Load the source again or restore the file.") from error
    for column in events.columns_needed(table):
        if column.name not in present:
            raise SnapshotError(f"{path} has no column {column.name}.", "Load the source again with that column.")
    return present
