"""Sources that are OMOP tables already: a directory of CSV or Parquet files named after them, or a DuckDB file.

A table is addressed by a path: that of its file, of the directory of its part files, or, for the tables of a DuckDB
file, the file's own with the table's name below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.ends import INFERRED, with_inferred_end
from vitrail.ingest.fields import WANTED, parsed
from vitrail.ingest.reading import Layout, Staged, count_rows, first_line, lies_in, plain, stage_csv
from vitrail.ingest.records import (
    ROWS,
    Account,
    Field,
    Record,
    extract_view,
    judged_rows,
    load_rows,
    noted,
    settled,
)
from vitrail.ingest.relations import Relation, attached, duckdb_relation, parquet_relation, staged_text
from vitrail.ingest.typed import readable, typed
from vitrail.omop.sql import Node, column, run, table
from vitrail.omop.tables import CDM, Column, Table, current_name

REQUIRED_TABLES = ("person",)

CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
PARQUET = ".parquet"


@dataclass(frozen=True)
class Loaded:
    """One OMOP table of a source: its account, and the columns of its file that OMOP does not know.

    The columns are told by their place, for a file without a header line has values there. ``inferred`` counts the
    end dates that the source lacks.
    """

    account: Account
    ignored: tuple[str, ...]
    inferred: int = 0


def find_tables(source: Path, tables: Sequence[str], db: duckdb.DuckDBPyConnection | None = None) -> dict[str, Path]:
    """Where ``source``, a directory or a DuckDB file, holds each of ``tables``. Raises SourceError.

    A table that is there twice is an error, and so is a file that lies elsewhere or is none.
    """
    found: dict[str, Path] = {}
    for path in _entries(db, source):
        name = table_name(path)
        if name in found:
            raise SourceError(f"{source} holds two files for {name}.", "Keep one of them.")
        if name in CDM:
            found[name] = path
    wanted = {name: path for name, path in found.items() if name in tables}
    for name, path in wanted.items():
        _check_place(source, name, path)
    return wanted


def _entries(db: duckdb.DuckDBPyConnection | None, source: Path) -> list[Path]:
    if source.is_file() and db is not None:
        return [source / name for name in attached(db, source).tables]
    try:
        return sorted(source.iterdir())
    except OSError as error:
        raise SourceError(f"{source} is no directory of tables.", "Name a directory, or a DuckDB file.") from error


def count_others(db: duckdb.DuckDBPyConnection, source: Path) -> int:
    """The rows of all files that have the ending of a table and are named after none of OMOP's. Raises SourceError.

    Their names may be data, so they are told by their place.
    """
    rows = 0
    for number, path in enumerate(_entries(None, source) if source.is_dir() else [], 1):
        if not lies_in(path, source) or table_name(path) in (*CDM, "") or not path.is_file():
            continue
        try:
            rows += count_table(db, path)
        except SourceError:
            what = f"{source}: entry {number}, which is named after no OMOP table, cannot be read as one."
            raise SourceError(what, "Take it out of the directory.") from None
    return rows


def count_table(db: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The rows of a table that is not loaded. Raises SourceError where it cannot be read."""
    relation = table_relation(db, "counted", path)
    if relation is not None:
        return relation.rows
    with plain(db, path) as file:
        return count_rows(path, file, _layout(file).quoted)


def table_name(path: Path) -> str:
    """The table that a file, or a directory of Parquet files, is named after; empty where that is no name of a kind."""
    name = path.name.lower()
    if path.parent.is_file():
        return name
    ending = next((each for each in (*CSV, PARQUET) if name.endswith(each)), None)
    if ending is None:
        return name if path.is_dir() else ""
    return name.removesuffix(ending)


def _check_place(source: Path, name: str, path: Path) -> None:
    if source.is_file():
        return
    if not lies_in(path, source):
        raise SourceError(f"{source}: the file for {name} lies elsewhere.", "Put the file itself there, not a link.")
    parts = path.is_dir() and not path.name.lower().endswith(CSV)
    if not parts and not path.is_file():
        raise SourceError(f"{source}: what is named for {name} is no file.", "Put a file of the table there.")


def load_table(
    db: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], path: Path, hidden: Sequence[Column] = ()
) -> Loaded:
    """Load one OMOP table. Raises SourceError where it lacks a column that OMOP requires, or cannot be read.

    ``hidden`` are columns that are read, and are in no extract.
    """
    relation = table_relation(db, table.name, path)
    if relation is None:
        return load_staged(db, table, columns, stage_table(db, table.name, path), path, None, hidden)
    return load_relation(db, table, columns, relation, hidden)


def table_relation(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Relation | None:
    """A table that has types already, or None where it is text. Raises SourceError where it cannot be read."""
    if path.parent.is_file():
        return duckdb_relation(db, name, path)
    if path.is_dir() or path.name.lower().endswith(PARQUET):
        return parquet_relation(db, name, path)
    return None


def stage_table(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Staged:
    """Read a table as text.

    A tab in the first line says that the file is separated by tabs; unless that line begins with a quote, it is as
    Athena writes it, and quotes mean nothing.
    """
    relation = table_relation(db, name, path)
    if relation is not None:
        return staged_text(db, relation)
    with plain(db, path) as readable_path:
        return stage_csv(db, name, path, _layout(readable_path), readable_path)


def _layout(path: Path) -> Layout:
    line = first_line(path)
    quoted = line.removeprefix(b"\xef\xbb\xbf").startswith(b'"')
    return Layout(delimiter="\t", quoted=quoted) if b"\t" in line else Layout()


def load_staged(
    db: duckdb.DuckDBPyConnection,
    of: Table,
    columns: Sequence[Column],
    staged: Staged,
    path: Path,
    defaults: Mapping[str, Node] | None = None,
    hidden: Sequence[Column] = (),
) -> Loaded:
    """The same from text rows; ``defaults`` are the texts of columns that the file may lack."""
    held = {current_name(of, each): column(each, ROWS) for each in staged.columns}
    texts = {**(defaults or {}), **held}
    fields = [
        _field(each, parsed(texts[each.name], each.type), texts[each.name])
        for each in (*columns, *hidden)
        if each.name in texts
    ]
    record = _record(of, columns, fields, str(path))
    return _loaded(db, columns, record, load_rows(db, staged, [record]), staged.columns)


def load_relation(
    db: duckdb.DuckDBPyConnection,
    of: Table,
    columns: Sequence[Column],
    relation: Relation,
    hidden: Sequence[Column] = (),
) -> Loaded:
    """The same from a table that has types; its rows are read where they lie."""
    held = {current_name(of, name): (name, kind) for name, kind in relation.columns.items()}
    fields = []
    for each in (*columns, *hidden):
        if each.name in held:
            name, kind = held[each.name]
            _check_readable(relation, each, name, kind)
            value, text = typed(column(name, ROWS), kind, each.type)
            # What is text and stays it cannot be wrong: no need to read it only to see that.
            own = each.type == "str" and value == text and each.name != of.key
            fields.append(Field(each, value) if own else _field(each, value, text))
    record = _record(of, columns, fields, relation.where)
    try:
        run(db, "CREATE VIEW :t AS :q", t=table(of.name, "typed"), q=judged_rows(db, relation.subquery(), [record]))
        account = settled(db, of.name, [record], {}, relation.rows, relation.numbered)
    except duckdb.Error as error:
        raise SourceError(f"{relation.where} cannot be read.", "Export it again.") from error
    return _loaded(db, columns, record, account, tuple(relation.columns))


def _check_readable(relation: Relation, of: Column, name: str, kind: str) -> None:
    if not readable(kind):
        number = list(relation.columns).index(name) + 1
        what = f"{relation.where}: column {number}, {of.name}, holds no single values that can be read."
        raise SourceError(what, f"Export it as {WANTED[of.type]}.")


def _record(of: Table, columns: Sequence[Column], fields: list[Field], where: str) -> Record:
    """The record that each row gives. Raises SourceError where a required column is missing."""
    record = with_inferred_end(Record(of, tuple(fields)), columns)
    missing = [each.name for each in columns if each.required and each.name not in record.columns]
    if missing:
        what = f"{where} lacks {', '.join(missing)}, which OMOP requires."
        raise SourceError(what, "Name the columns in its first line.")
    return record


def _loaded(
    db: duckdb.DuckDBPyConnection, columns: Sequence[Column], record: Record, account: Account, held: tuple[str, ...]
) -> Loaded:
    of = record.table
    extract_view(db, of, columns, [(of.name, 0, record)])
    unknown = [number for number, name in enumerate(held, 1) if of.column(current_name(of, name)) is None]
    inferred = noted(db, of.name, 0, INFERRED) if INFERRED in record.notes else 0
    return Loaded(account, tuple(f"column {number}" for number in unknown), inferred)


def _field(of: Column, value: Node, text: Node) -> Field:
    return Field(of, value, text, f"{of.name} is not {WANTED[of.type]}")
