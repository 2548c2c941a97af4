"""Sources that are OMOP tables already: a directory of CSV or Parquet files named after them, in any letter case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.fields import WANTED, parsed
from vitrail.ingest.reading import Layout, Staged, first_line, stage_csv, stage_parquet
from vitrail.ingest.records import Account, Field, Record, extract_view, load_rows
from vitrail.omop.sql import Node, column
from vitrail.omop.tables import Column, Table

REQUIRED_TABLES = ("person", "observation_period")

NAMES_BEFORE_5_4 = {
    "visit_occurrence": {
        "admitting_source_concept_id": "admitted_from_concept_id",
        "admitting_source_value": "admitted_from_source_value",
        "discharge_to_concept_id": "discharged_to_concept_id",
        "discharge_to_source_value": "discharged_to_source_value",
    },
}
"""Columns of CDM 5.3 that 5.4 renamed (https://ohdsi.github.io/CommonDataModel/cdm54Changes.html)."""


@dataclass(frozen=True)
class Loaded:
    """One OMOP table of a source: its account, and the columns of its file that OMOP does not know."""

    account: Account
    ignored: tuple[str, ...]


def find_tables(directory: Path, tables: Sequence[str]) -> dict[str, Path]:
    """The file of each of ``tables`` that ``directory`` holds. Raises SourceError where a table has two."""
    try:
        files = sorted(path for path in directory.iterdir() if path.suffix.lower() in (".csv", ".parquet"))
    except OSError as error:
        raise SourceError(f"{directory} is no directory that can be read.", "Name the tables' directory.") from error
    found: dict[str, Path] = {}
    for path in files:
        name = path.stem.lower()
        if name in found:
            raise SourceError(f"{directory} holds two files for {name}.", "Keep one of them.")
        if name in tables and path.is_file():
            found[name] = path
    return found


def load_table(db: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[Column], path: Path) -> Loaded:
    """Load one OMOP table from its file. Raises SourceError where the file lacks a column that OMOP requires."""
    return load_staged(db, table, columns, stage_table(db, table.name, path), path)


def stage_table(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Staged:
    """Read a table's file as text.

    A tab in the first line says that the file is as Athena writes it: separated by tabs, quotes mean nothing.
    """
    if path.suffix.lower() == ".parquet":
        return stage_parquet(db, name, path)
    tabs = b"\t" in first_line(path)
    return stage_csv(db, name, path, Layout(delimiter="\t", quoted=False) if tabs else Layout())


def load_staged(
    db: duckdb.DuckDBPyConnection,
    table: Table,
    columns: Sequence[Column],
    staged: Staged,
    path: Path,
    defaults: Mapping[str, Node] | None = None,
) -> Loaded:
    """The same from text rows; ``defaults`` are the texts of columns that the file may lack."""
    held = {_current_name(table, each): column(each) for each in staged.columns}
    texts = {**(defaults or {}), **held}
    missing = [each.name for each in columns if each.required and each.name not in texts]
    if missing:
        raise SourceError(
            f"{path} lacks {', '.join(missing)}, which OMOP requires.", "Name the columns in its first line."
        )
    record = Record(table, tuple(_field(each, texts[each.name]) for each in columns if each.name in texts))
    account = load_rows(db, staged, [record])
    extract_view(db, table, columns, [(table.name, 0, record)])
    return Loaded(account, tuple(name for name in held if table.column(name) is None))


def _current_name(table: Table, name: str) -> str:
    return NAMES_BEFORE_5_4.get(table.name, {}).get(name.lower(), name.lower())


def _field(of: Column, text: Node) -> Field:
    return Field(of, parsed(text, of.type), text, f"{of.name} is not {WANTED[of.type]}")
