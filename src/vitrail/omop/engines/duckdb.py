"""The DuckDB engine: the default. Reads a snapshot's Parquet files where they lie, a set of rows at a time.

Its answers do not depend on the number of threads, nor on the order of rows in the files, nor on the ranges of persons
in which they are computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from vitrail.errors import SnapshotError
from vitrail.omop import events
from vitrail.omop.engines import means
from vitrail.omop.engines.locked import LockedDuckDB
from vitrail.omop.engines.study import DatabaseBatch, DatabaseEngine, Persons
from vitrail.omop.snapshot import Snapshot
from vitrail.study.study import Study


class DuckDBBatch(DatabaseBatch):
    """Answers batches of definitions from Parquet files. ``files`` maps an OMOP table's name to its file.

    A missing table is empty. ``threads`` and ``memory``, in bytes, bound what it takes of the machine; persons are
    worked at in so many ``ranges``, one after another, of which each needs its part of the memory. What is not given is
    chosen by the rows and the machine (:mod:`vitrail.omop.engines.means`).
    Raises SnapshotError where a file cannot be read or lacks a column, and what its class raises.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        *,
        threads: int | None = None,
        memory: int | None = None,
        ranges: int | None = None,
    ) -> None:
        self._files = {name: path.resolve() for name, path in files.items() if name in events.TABLES_READ}
        held = {name: _held(name, path) for name, path in self._files.items()}
        self._held = held
        rows = sum(each.rows for name, each in held.items() if name not in events.OF_NOBODY)
        memory = memory or means.memory_there()
        self._locked = LockedDuckDB(self._files.values(), threads or means.threads_for(rows), f"{memory}B")
        super().__init__(self._locked, ranges or means.ranges_for(rows, memory))

    def close(self) -> None:
        """Give back the memory; the engine answers no more."""
        self._locked.close()

    def lacks(self, table: str, column: str) -> bool:
        """Whether an OMOP table is there, and without a column."""
        return table in self._held and column not in self._held[table].columns

    def read(self, persons: Persons) -> None:
        """Let the views show a range of persons."""
        for name in events.TABLES_READ:
            path = str(self._files[name]) if name in self._files else None
            held = self._held.get(name, _Held((), (), 0))
            self._locked.view(name, events.typed, name, path, held.columns, persons, held.single)


class DuckDBEngine(DatabaseEngine):
    """An engine for one study over Parquet files; see :class:`DuckDBBatch`, whose options and errors it has."""

    def __init__(self, study: Study, files: Mapping[str, Path], **taken: int) -> None:
        super().__init__(study, DuckDBBatch(files, **taken))

    @classmethod
    def of_snapshot(cls, study: Study, snapshot: Snapshot) -> Self:
        """An engine over a verified snapshot."""
        return cls(study, snapshot.files)


@dataclass(frozen=True)
class _Held:
    """What a Parquet file says of itself."""

    columns: tuple[str, ...]
    single: tuple[str, ...]
    rows: int


def _held(table: str, path: Path) -> _Held:
    """The columns and the number of rows of a Parquet file that should hold an OMOP table."""
    try:
        said = pq.read_metadata(path)
        schema = said.schema.to_arrow_schema()
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{path} is no Parquet file.", "Load the source again or restore the file.") from error
    for column in events.columns_needed(table):
        if column.name not in schema.names:
            raise SnapshotError(f"{path} has no column {column.name}.", "Load the source again with that column.")
    single = tuple(each.name for each in schema if pa.types.is_float32(each.type))
    return _Held(tuple(schema.names), single, said.num_rows)
