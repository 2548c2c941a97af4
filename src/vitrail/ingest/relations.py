"""Tables of a source that have types already: Parquet files, and the tables of a DuckDB file.

They are read where they lie, as often as needed; nothing of them is written to the staging area.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.reading import Staged, check_columns, exact, lies_in
from vitrail.ingest.records import ROWS
from vitrail.ingest.typed import readable
from vitrail.omop.sql import Node, column, run, sql

KEPT_NAMES = ("rowid", "file_row_number", "file_index", "filename")
"""Names under which DuckDB says where a row is; a column of that name would hide it."""

MOST_ROWS_PER_BYTE = 50
FREE_ROWS = 1_000_000
"""A file of more rows than these together is taken for a bomb: repeated values pack without bound, but a table with
keys cannot, and reading it would take for ever."""


@dataclass(frozen=True)
class Relation:
    """A table that has types: what to select from, the number of a row from 0, and its columns with their types.

    ``where`` names it in messages. ``numbered`` says that the number is that of the row in its file.
    """

    name: str
    where: str
    query: Node
    row: Node
    columns: Mapping[str, str]
    rows: int
    numbered: bool

    def subquery(self) -> exp.Subquery:
        """The rows as records speak of them: every column, and ``rowid``."""
        held = [exp.alias_(column(each), each, quoted=True) for each in self.columns]
        return exp.select(exp.alias_(self.row.copy(), "rowid"), *held).from_(self.query.copy()).subquery(ROWS)


def parquet_files(path: Path) -> list[Path]:
    """A Parquet file, or those of a directory in the order of their names; hidden ones are a writer's own."""
    if not path.is_dir():
        return [path]
    held = sorted(each for each in path.iterdir() if not each.name.startswith((".", "_")))
    for number, each in enumerate(held, 1):
        if not lies_in(each, path):
            raise SourceError(f"{path}: part {number} lies elsewhere.", "Put the file itself there instead of a link.")
        if not each.is_file() or each.suffix.lower() != ".parquet":
            what = f"{path}: entry {number} is no Parquet file."
            raise SourceError(what, "Keep only the table's part files there, without directories.")
    if not held:
        raise SourceError(f"{path} holds no Parquet file.", "Export it again.")
    return held


def parquet_relation(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Relation:
    """A table in one Parquet file or a directory of part files. Raises SourceError where it cannot be read."""
    files = parquet_files(path)
    try:
        rows = [_parquet_rows(db, path, number, each) for number, each in enumerate(files, 1)]
        _check_parts(db, path, files)
        scan = sql("read_parquet(:files)", files=exp.Array(expressions=[exp.Literal.string(exact(f)) for f in files]))
        query = exp.Subquery(this=exp.select("*", "file_index", "file_row_number").from_(scan))
        columns = _columns(db, exp.select("*").from_(scan.copy()), str(path))
    except duckdb.Error as error:
        raise SourceError(f"{path} cannot be read as Parquet.", "Export it again.") from error
    before = [sum(rows[:number]) for number in range(len(rows))]
    offsets = exp.Array(expressions=[exp.Literal.number(each) for each in before])
    row: Node = column("file_row_number")
    if len(files) > 1:
        row = sql("file_row_number + list_extract(:before, CAST(file_index AS BIGINT) + 1)", before=offsets)
    return Relation(name, str(path), query, row, columns, sum(rows), numbered=True)


def _parquet_rows(db: duckdb.DuckDBPyConnection, path: Path, number: int, file: Path) -> int:
    rows = int(run(db, "SELECT num_rows FROM parquet_file_metadata(:p)", p=exact(file))[0][0])
    check_rows(f"{path}, part {number},", rows, file)
    return rows


def check_rows(where: str, rows: int, file: Path) -> None:
    """Raise SourceError where a file says that it holds more rows than a table with keys can pack into it."""
    if not 0 <= rows <= FREE_ROWS + MOST_ROWS_PER_BYTE * file.stat().st_size:
        raise SourceError(f"{where} says that it holds more rows than can be in it.", "Export it again.")


def _check_parts(db: duckdb.DuckDBPyConnection, path: Path, files: list[Path]) -> None:
    """All parts have the same columns, of different names: others would be lost, renamed or cast without a word."""
    schemas = set()
    for each in files:
        found = run(db, "SELECT name, type, converted_type, num_children FROM parquet_schema(:p)", p=exact(each))
        schemas.add(tuple(found[1:]))  # the first line is the root, whose name is up to the writer
    if len(schemas) > 1:
        raise SourceError(f"{path}: its part files have different columns.", "Export all parts in one go.")
    check_columns(str(path), _top(schemas.pop()), KEPT_NAMES)


def _top(schema: tuple[tuple[Any, ...], ...]) -> tuple[str, ...]:
    """The names of the columns, without what is nested in them. A schema lists each node before its children."""
    names, inside = [], 0
    for name, _, _, children in schema:
        if not inside:
            names.append(str(name))
        inside += (children or 0) - (1 if inside else 0)
    return tuple(names)


def duckdb_relation(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Relation:
    """The table of a DuckDB file that ``path`` addresses: the file's path, and below it the table's name."""
    try:
        at = attached(db, path.parent)
        schema, found = at.tables[path.name]
        of = exp.table_(found, db=schema, catalog=at.name, quoted=True)
        columns = _columns(db, exp.select("*").from_(of), str(path))
        rows = int(run(db, "SELECT count(*) FROM :t", t=of)[0][0])
        check_rows(str(path), rows, path.parent)
    except duckdb.Error as error:
        raise SourceError(f"{path} cannot be read.", "Export the table again.") from error
    return Relation(name, str(path), of, column("rowid"), columns, rows, numbered=False)


@dataclass(frozen=True)
class Attached:
    """A DuckDB file that is open for reading: its name in the database, and where each table lies.

    ``tables`` gives the schema and the name of each table by its name in lower case. Views are none: they would be
    the file's own programs, run here.
    """

    name: str
    tables: Mapping[str, tuple[str, str]]


def attached(db: duckdb.DuckDBPyConnection, path: Path) -> Attached:
    """Open a DuckDB file for reading. Raises SourceError where it is none, or has several tables of persons."""
    name = f"source {hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    known = run(db, "SELECT count(*) FROM duckdb_databases() WHERE database_name = :n", n=name)[0][0]
    if not known:
        try:
            if not is_duckdb(path):
                raise SourceError(f"{path} is no DuckDB file.", "Name a directory of tables, or a DuckDB file.")
            quoted = exp.to_identifier(name, quoted=True).sql(dialect="duckdb")
            place = exp.Literal.string(str(path.resolve())).sql(dialect="duckdb")
            db.execute(f"ATTACH {place} AS {quoted} (READ_ONLY)")
        except (OSError, duckdb.Error) as error:
            what = f"{path} cannot be opened as a DuckDB file."
            raise SourceError(what, "Close whatever writes to it, or export it with DuckDB 1.5 or earlier.") from error
    return Attached(name, _tables(db, path, name))


def is_duckdb(path: Path) -> bool:
    """Whether a file begins as DuckDB's do."""
    with path.open("rb") as file:
        return path.is_file() and file.read(12)[8:] == b"DUCK"


def _tables(db: duckdb.DuckDBPyConnection, path: Path, name: str) -> dict[str, tuple[str, str]]:
    found = run(db, "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = :n ORDER BY ALL", n=name)
    schemas = {schema for schema, table_name in found if table_name.lower() == "person"} or {"main"}
    if len(schemas) > 1:
        raise SourceError(f"{path} has several schemas with a table person.", "Export the one that you mean.")
    return {of.lower(): (schema, of) for schema, of in found if schema in schemas}


def _columns(db: duckdb.DuckDBPyConnection, query: exp.Select, where: str) -> dict[str, str]:
    found = [(str(name), str(kind)) for name, kind, *_ in run(db, "DESCRIBE :q", q=query)]
    check_columns(where, tuple(name for name, _ in found), KEPT_NAMES)
    return dict(found)


def staged_text(db: duckdb.DuckDBPyConnection, relation: Relation) -> Staged:
    """A relation's rows as text in the staging database, for what has no OMOP type yet. Raises SourceError."""
    names = tuple(name for name, kind in relation.columns.items() if readable(kind))
    texts = [exp.alias_(sql("CAST(:v AS VARCHAR)", v=column(each)), each, quoted=True) for each in names]
    staged = Staged(relation.name, names, relation.rows, {})
    try:
        query = exp.select(*texts).from_(relation.query.copy())
        run(db, "CREATE OR REPLACE TABLE :t AS SELECT * FROM :q AS q", t=staged.table, q=query.subquery())
    except duckdb.Error as error:
        raise SourceError(f"{relation.where} cannot be read.", "Export it again.") from error
    return staged
