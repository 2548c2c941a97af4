"""OMOP tables in a PostgreSQL database: copied into the staging area as Parquet, by one transaction that only reads.

A repeatable-read transaction sees one moment of the database, whatever is written meanwhile. The server streams each
table as CSV (`COPY`), and some megabytes of it are in memory at a time. Only columns that a load needs are asked for.

Addresses and passwords: :mod:`vitrail.omop.address`.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv, parquet

from vitrail.errors import SourceError
from vitrail.omop.address import Address
from vitrail.omop.tables import CDM, current_name

if TYPE_CHECKING:
    import psycopg

BLOCK = 16 * 1024 * 1024
"""Bytes of CSV that are taken to rows at once; a single row must fit."""


@dataclass(frozen=True)
class Exported:
    """One table: its rows, where it was copied, if it was, and the places of the columns that OMOP does not know."""

    rows: int
    path: Path | None
    ignored: tuple[str, ...]


def export(address: Address, columns: Mapping[str, Sequence[str]], into: Path) -> dict[str, Exported]:
    """Copy the columns of each OMOP table into ``into/<table>.parquet``; of the other tables rows are counted.

    ``columns`` are those to copy, by table, under their names in CDM 5.4. Raises SourceError, without a word of what
    the server said: that may hold values.
    """
    try:
        import psycopg
    except ImportError as error:
        raise SourceError("Reading PostgreSQL needs psycopg.", "Install vitrail with the extra `postgres`.") from error
    try:
        with _connected(address) as db:
            tables = _tables(db, address.schema)
            if "person" not in tables:
                what = "The database has no table person that may be read in that schema."
                raise SourceError(what, "Name the schema: postgresql://user@host/database?schema=cdm.")
            into.mkdir(parents=True, exist_ok=True)
            return {
                name: _exported(db, of, columns.get(name, ()), into / f"{name}.parquet") for name, of in tables.items()
            }
    except (psycopg.Error, pa.ArrowException, OSError) as error:
        raise SourceError("The database could not be read.", _advice(error)) from error


def _advice(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "OperationalError":
        return "Check the address, that the server runs, and PGPASSWORD or ~/.pgpass."
    return "Check that every table may be read, and that there is room in the site's directory."


def _connected(address: Address) -> "psycopg.Connection[Any]":
    """A connection that can only read, and sees one moment."""
    import psycopg

    db = psycopg.connect(
        host=address.host, port=address.port, user=address.user, dbname=address.database, connect_timeout=20,
        application_name="vitrail", client_encoding="utf8",
    )  # fmt: skip
    db.read_only, db.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
    db.execute("SET LOCAL DateStyle = 'ISO, YMD'")
    db.execute("SET LOCAL IntervalStyle = 'iso_8601'")
    db.execute("SET LOCAL statement_timeout = 0")
    return db


@dataclass(frozen=True)
class _Table:
    """A table of the database: its schema and name there, and each column with its type."""

    schema: str
    name: str
    columns: tuple[tuple[str, str, int | None, int | None], ...]


def _tables(db: "psycopg.Connection[Any]", schema: str) -> dict[str, _Table]:
    """The OMOP tables that may be read, by OMOP's name. Raises SourceError where one is there twice."""
    found = db.execute(
        "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns"
        " WHERE table_schema = %s AND lower(table_name) = ANY(%s) AND has_table_privilege(format('%%I.%%I',"
        " table_schema, table_name), 'SELECT') ORDER BY table_name, ordinal_position",
        [schema, list(CDM)],
    ).fetchall()
    tables: dict[str, _Table] = {}
    for name in dict.fromkeys(row[0] for row in found):
        if name.lower() in tables:
            raise SourceError(f"The database has two tables for {name.lower()}.", "Keep one of them.")
        tables[name.lower()] = _Table(schema, name, tuple(row[1:] for row in found if row[0] == name))
    return tables


def _exported(db: "psycopg.Connection[Any]", of: _Table, wanted: Sequence[str], path: Path) -> Exported:
    from psycopg import sql

    table = sql.Identifier(of.schema, of.name)
    omop = CDM[of.name.lower()]
    names = {name: current_name(omop, name) for name, *_ in of.columns}
    ignored = tuple(f"column {n}" for n, name in enumerate(names.values(), 1) if omop.column(name) is None)
    taken = [each for each in of.columns if names[each[0]] in wanted]
    if not taken:
        row = db.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
        return Exported(int(row[0]) if row else 0, None, ignored)
    fields = [(each[0], *_as(each)) for each in taken]
    columns = sql.SQL(", ").join(sql.SQL(text).format(sql.Identifier(name)) for name, text, _ in fields)
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv)").format(columns, table)
    cursor = db.cursor()
    with cursor.copy(query) as copy:
        rows = _written(iter(copy), [(name, kind) for name, _, kind in fields], path)
    if rows != cursor.rowcount:
        raise SourceError(f"{omop.name}: rows of the database were lost on the way.", "Load it again.")
    return Exported(rows, path, ignored)


# A null stays one: of several values PostgreSQL's greatest() and least() take those that are there.
_DATE = "CASE WHEN {0} IS NOT NULL THEN greatest(least({0}, '9999-12-31'), '0001-01-01') END"
_NUMBER = "CASE WHEN abs({0}) < 1e300 THEN {0}::float8 WHEN {0} IS NOT NULL THEN 'Infinity'::float8 END"


def _as(of: tuple[str, str, int | None, int | None]) -> tuple[str, pa.DataType]:
    """How a column is asked for, and the type of what comes. Infinite dates become ones that no date may be."""
    _, kind, precision, scale = of
    if kind in ("smallint", "integer", "bigint"):
        return "{}", pa.int64()
    if kind == "numeric" and scale == 0 and precision is not None and precision <= 18:
        return "{}::bigint", pa.int64()
    if kind in ("real", "double precision"):
        return "{}", pa.float64()
    if kind == "numeric":
        return _NUMBER, pa.float64()
    if kind == "date":
        return _DATE, pa.date32()
    if kind.startswith("timestamp"):
        return _DATE.replace("{0}", "{0}::timestamp"), pa.timestamp("us")
    return "{}::text", pa.string()


def _written(copy: Iterator[Any], fields: Sequence[tuple[str, pa.DataType]], path: Path) -> int:
    """Write CSV that arrives in pieces as Parquet; the number of rows."""
    schema = pa.schema(list(fields))
    rows = 0
    with parquet.ParquetWriter(path, schema, compression="lz4") as writer:
        for batch in _batches(copy, schema):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _batches(copy: Iterator[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = next(copy, None)
    if first is None:
        return
    yield from csv.open_csv(
        pa.PythonFile(io.BufferedReader(_Pieces(first, copy), BLOCK), mode="r"),
        read_options=csv.ReadOptions(column_names=schema.names, block_size=BLOCK, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


class _Pieces(io.RawIOBase):
    """What comes in pieces, as a file."""

    def __init__(self, first: Any, rest: Iterator[Any]) -> None:
        self._held, self._rest = bytes(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._held:
            self._held = bytes(next(self._rest, b""))
        taken = self._held[: len(into)]
        into[: len(taken)] = taken
        self._held = self._held[len(taken) :]
        return len(taken)
