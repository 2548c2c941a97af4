"""From a source of any kind to one extract: OMOP rows in the staging database, with an account of every row."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.csv_files import load_mapped
from vitrail.ingest.extract import Columns, Extract, open_schemas
from vitrail.ingest.mapping_file import read_mapping
from vitrail.ingest.omop import REQUIRED_TABLES, Loaded, find_tables, load_table
from vitrail.ingest.records import Account, extract_view
from vitrail.ingest.vocabulary import load_vocabulary
from vitrail.omop.snapshot import Origin
from vitrail.omop.tables import CLINICAL, PLACES, TABLES

Format = Literal["omop", "csv"]
Progress = Callable[[str], None]

UNDECLARED = "OMOP tables of an undeclared origin"


def ingest(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    format: Format,
    mapping: Path | None,
    vocabulary: Path | None,
    columns: Columns,
    tell: Progress,
) -> Extract:
    """Read ``source`` into ``db``. Raises SourceError where it cannot be read.

    ``columns`` are those wanted of each OMOP table. ``vocabulary`` is a directory with the vocabulary's tables; OMOP
    tables bring their own where it is absent. ``tell`` hears what is being done.
    """
    if not source.exists():
        raise SourceError(f"{source} does not exist.", "Name a source.")
    open_schemas(db)
    tell("reading the vocabulary")
    own = source if format == "omop" else None
    words = load_vocabulary(db, vocabulary or own, columns)
    if format == "omop":
        return _omop(db, source, mapping, columns, words, tell)
    tell("reading the source by its mapping")
    return _csv(db, source, mapping, columns, words)


def _csv(
    db: duckdb.DuckDBPyConnection, source: Path, mapping: Path | None, columns: Columns, words: list[Loaded]
) -> Extract:
    if mapping is None:
        raise SourceError("CSV files need a mapping file.", "Name it with --mapping.")
    meaning = read_mapping(mapping)
    accounts = load_mapped(db, source, meaning, columns)
    said = meaning.origin
    origin = Origin(name=said.name, format="csv", public=said.public, licence=said.licence, citation=said.citation)
    return Extract(origin, said.calendar, "mapping/1", (*_accounts(words), *accounts), _ignored(words))


def _omop(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    mapping: Path | None,
    columns: Columns,
    words: list[Loaded],
    tell: Progress,
) -> Extract:
    if mapping is not None:
        raise SourceError("OMOP tables take no mapping file.", "Leave it out, or load with --format csv.")
    found = find_tables(source, (*PLACES, *CLINICAL))
    for name in REQUIRED_TABLES:
        if name not in found:
            raise SourceError(f"{source} has no table {name}.", f"Add {name}.csv or {name}.parquet.")
    loaded = list(words)
    for name in (*PLACES, *CLINICAL):
        if name in found:
            tell(f"reading {name}")
            loaded.append(load_table(db, TABLES[name], columns[name], found[name]))
        else:
            extract_view(db, TABLES[name], columns[name], [])
    origin = Origin(name=UNDECLARED, format="omop", public=False)
    return Extract(origin, "true", "given", _accounts(loaded), _ignored(loaded))


def _accounts(loaded: list[Loaded]) -> tuple[Account, ...]:
    return tuple(each.account for each in loaded)


def _ignored(loaded: list[Loaded]) -> dict[str, tuple[str, ...]]:
    return {each.account.source: each.ignored for each in loaded if each.ignored}
