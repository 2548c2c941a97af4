"""What was read of a FHIR source, in pieces: a load that goes on after a kill reads none of them again.

A piece is what one stretch of a source gave: its records as Parquet, and ``piece.json`` with the counts and the SHA-256
of each of its files. It is called by a digest of everything that it hangs on: the bytes of the stretch, the program
that reads, and the server met before. So a source that changed, or another version, finds no piece of its own; and a
piece that is not whole, or not as it was written, is read anew.
"""

import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic import ValidationError

from vitrail.ingest.fhir_files import Stretch
from vitrail.ingest.source_records import KINDS, Counts
from vitrail.omop.sql import run, table
from vitrail.study.word import Word

FLUSH_ROWS = 20_000
FLUSH_CHARACTERS = 32 * 1024 * 1024
RECORD = "piece.json"

Texts = Sequence[str | None]
Into = tuple[str, str]
"""The schema and name of a table."""


class Fault(Word):
    """Entries of a file that gave no record: ``first`` is the number of the first of them in the stretch."""

    file: str
    reason: str
    rows: int
    first: int


class Record(Word):
    """What a piece says of itself: the SHA-256 of its files; the entries of each file of the source, in the order in
    which they were met; those that gave no record; the extensions passed over; and the server that was met."""

    sha256: dict[str, str]
    rows: dict[str, int]
    faults: tuple[Fault, ...]
    extensions: dict[str, int]
    server: str | None = None


class Piece:
    """A piece while it is written: rows wait until there are some, so that memory stays bounded.

    Records of ``staged`` say in ``file`` the place of their file among those met here, and in ``line`` the number of
    their entry in the stretch.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self.path = path
        self.counts = Counts()
        self.extensions: Counter[str] = Counter()
        self._waiting: dict[Into, list[Texts]] = {}
        self._rows = self._characters = 0
        self._writers: dict[Into, parquet.ParquetWriter] = {}

    def put(self, into: Into, rows: Sequence[Texts]) -> None:
        """Add rows to a table."""
        self._waiting.setdefault(into, []).extend(rows)
        self._rows += len(rows)
        self._characters += sum(len(each) for row in rows for each in row if each)
        if self._rows >= FLUSH_ROWS or self._characters >= FLUSH_CHARACTERS:
            self._flush()

    def close(self, server: str | None) -> None:
        """Write what waits, and the record."""
        self._flush()
        for writer in self._writers.values():
            writer.close()
        faults = [
            Fault(file=file, reason=reason, rows=each.rows, first=each.first_row or 0)
            for (file, reason), each in self.counts.faults.items()
        ]
        record = Record(
            sha256={each.name: _sha256(each) for each in self.path.iterdir()},
            rows=dict(self.counts.rows),
            faults=tuple(faults),
            extensions=dict(self.extensions),
            server=server,
        )
        _private(self.path / RECORD).write_text(record.model_dump_json())

    def _flush(self) -> None:
        for into, rows in self._waiting.items():
            if rows:
                columns = [pa.array(each, pa.string()) for each in zip(*rows, strict=True)]
                given = pa.table(columns, names=_names(into, len(columns)))
                self._writer(into, given.schema).write_table(given)
        self._waiting.clear()
        self._rows = self._characters = 0

    def _writer(self, into: Into, schema: pa.Schema) -> parquet.ParquetWriter:
        if into not in self._writers:
            path = _private(self.path / f"{'.'.join(into)}.parquet")
            self._writers[into] = parquet.ParquetWriter(path, schema, compression="zstd")
        return self._writers[into]


class Pieces:
    """The pieces of one source, in a directory that outlasts a load which is killed.

    ``server`` is the one whose resources were met, ``total`` counts the pieces, and ``again`` those of an earlier load.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in directory.glob("*.new"):
            shutil.rmtree(unfinished)
        self.directory = directory
        self.server: str | None = None
        self.total = self.again = 0

    def of(self, stretch: Stretch, read: Callable[[Stretch, Piece, str | None], str | None]) -> tuple[Path, Record]:
        """The piece of a stretch, where it lies and what it says; ``read`` makes it where there is none.

        ``read`` is given the server met before, and gives the one that is known now.
        """
        name = hashlib.sha256(repr((program(), self.server, stretch.digest())).encode()).hexdigest()
        path, self.total = self.directory / name, self.total + 1
        record = _whole(path)
        if record is not None:
            self.again += 1
        else:
            shutil.rmtree(path, ignore_errors=True)
            piece = Piece(path.with_suffix(".new"))
            piece.close(read(stretch, piece, self.server))
            piece.path.rename(path)
            record = _record(path)
        self.server = record.server
        return path, record


def bring_in(
    db: duckdb.DuckDBPyConnection, path: Path, record: Record, lines_before: int | None, counts: Counts
) -> None:
    """Bring a piece's records into the tables of ``db``, and its counts into those of the whole source.

    ``lines_before`` is how many lines of the file stand before the stretch; None for files of JSON, whose entries are
    numbered on.
    """
    before = [counts.rows[file] if lines_before is None else lines_before for file in record.rows]
    places = [counts.row(file, rows) for file, rows in record.rows.items()]
    shifts = dict(zip(record.rows, before, strict=True))
    for each in record.faults:
        counts.fault(each.file, each.first + shifts[each.file], each.reason, each.rows)
    for file in sorted(path.glob("*.parquet")):
        schema, name, _ = file.name.split(".")
        for batch in parquet.ParquetFile(file).iter_batches(FLUSH_ROWS):
            db.register("piece", _placed(pa.Table.from_batches([batch]), pa.array(places), pa.array(before)))
            run(db, "INSERT INTO :t SELECT * FROM piece", t=table(name, schema))
            db.unregister("piece")


def _placed(rows: pa.Table, places: pa.Array, before: pa.Array) -> pa.Table:
    """Rows with the number that their file has in the whole source, and the number of their entry in it."""
    if "file" not in rows.column_names:
        return rows
    file, line = (rows[each].cast(pa.int64()).combine_chunks() for each in ("file", "line"))
    moved = {"file": places.take(file), "line": pc.add(line, before.take(file))}
    for name, numbers in moved.items():
        rows = rows.set_column(rows.column_names.index(name), name, numbers.cast(pa.string()))
    return rows


def _names(into: Into, columns: int) -> list[str]:
    schema, name = into
    return list(KINDS[name].texts) if schema == "staged" and name in KINDS else [str(n) for n in range(columns)]


def _whole(path: Path) -> Record | None:
    """What a piece says of itself, where every file of it is as it was written."""
    try:
        record = _record(path)
        held = {each.name: _sha256(each) for each in path.iterdir() if each.name != RECORD}
    except (OSError, ValidationError):
        return None
    return record if held == record.sha256 else None


def _record(path: Path) -> Record:
    return Record.model_validate_json((path / RECORD).read_bytes())


def _private(path: Path) -> Path:
    """A new file that only the site's user may read."""
    path.touch(mode=0o600, exist_ok=False)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def program() -> str:
    """A digest of the program that reads: every file of the rooms that have a part in it, and Python's version."""
    found = hashlib.sha256(sys.version.encode())
    for room in ("vitrail.ingest", "vitrail.vocabulary"):
        for each in sorted(resources.files(room).iterdir(), key=lambda each: each.name):
            if each.is_file():
                found.update(each.name.encode() + b" " + hashlib.sha256(each.read_bytes()).digest())
    return found.hexdigest()
