"""All tables of a source that is OMOP already: what is loaded, what is left out, and which codes are unmapped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.extract import Columns, Extract
from vitrail.ingest.identifiers import hidden_columns, list_identifiers
from vitrail.ingest.omop import (
    REQUIRED_TABLES,
    Loaded,
    count_others,
    count_table,
    find_tables,
    load_table,
)
from vitrail.ingest.postgres import Exported, export
from vitrail.ingest.reading import scratch
from vitrail.ingest.records import Account, Faulty, extract_view
from vitrail.ingest.remapped import remap, stem, vocabulary_of
from vitrail.omop.address import Address
from vitrail.omop.snapshot import Origin
from vitrail.omop.sql import column, run, table
from vitrail.omop.tables import CLINICAL, LEFT_OUT, PLACES, TABLES, VOCABULARY

UNDECLARED = "OMOP tables of an undeclared origin"
NOT_HELD = "no snapshot holds this table"
ELSEWHERE = "the vocabulary is read from elsewhere"
NOT_OMOP = "the file is no table of the Common Data Model"
OTHERS = "other files"


@dataclass(frozen=True)
class Copied:
    """A database that was copied: the directory of its tables, and what is known of each."""

    directory: Path
    tables: Mapping[str, Exported]


def load_cdm(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    columns: Columns,
    words: Sequence[Loaded],
    own_words: bool,
    tell: Callable[[str], None],
) -> Extract:
    """Load all tables of ``source``, a directory or a DuckDB file, but the vocabulary. Raises SourceError.

    ``lookup.site_map`` must be there. ``words`` are the tables of the vocabulary, and ``own_words`` says whether they
    are those of the source.
    """
    found = find_tables(source, (*PLACES, *CLINICAL), db)
    for name in REQUIRED_TABLES:
        if name not in found:
            raise SourceError(f"{source} has no table {name}.", f"Add {name}.csv or {name}.parquet.")
    loaded = list(words)
    for name in (*PLACES, *CLINICAL):
        if name in found:
            tell(f"reading {name}")
            loaded.append(load_table(db, TABLES[name], columns[name], found[name], hidden_columns(name, columns[name])))
        else:
            extract_view(db, TABLES[name], columns[name], [])
    tell("counting what is left out")
    accounts = (*(each.account for each in loaded), *_left_out(db, source, own_words))
    list_identifiers(db)
    mapped = remap(db, columns)
    list_unmapped(db, columns)
    inferred = {f"{each.account.source}: end dates inferred": each.inferred for each in loaded if each.inferred}
    ignored = {each.account.source: each.ignored for each in loaded if each.ignored}
    origin = Origin(name=UNDECLARED, format="omop", public=False)
    return Extract(origin, "true", "given", accounts, ignored, {**inferred, **mapped})


def _left_out(db: duckdb.DuckDBPyConnection, source: Path, own_words: bool) -> list[Account]:
    """An account of each table that is not read, and one of all files that are no OMOP tables."""
    reasons = dict.fromkeys(LEFT_OUT, NOT_HELD) | ({} if own_words else dict.fromkeys(VOCABULARY, ELSEWHERE))
    found = find_tables(source, tuple(reasons), db)
    accounts = []
    for name, path in found.items():
        said = f"{name} of the source" if name in VOCABULARY else name
        accounts.append(_quarantined(said, count_table(db, path), reasons[name]))
    rows = count_others(db, source)
    return [*accounts, *([_quarantined(OTHERS, rows, NOT_OMOP)] if rows else [])]


def _quarantined(source: str, rows: int, reason: str) -> Account:
    return Account(source, rows, 0, (Faulty(reason, rows),) if rows else ())


def list_unmapped(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Fill ``extract.unmapped`` with the source codes of events that have concept 0."""
    for name in CLINICAL:
        of, held = TABLES[name], {each.name for each in columns[name]}
        code = f"{stem(of)}_source_value"
        if of.concept is None or code not in held:
            continue
        vocabulary, told = vocabulary_of(of, held)
        run(
            db,
            "INSERT INTO extract.unmapped SELECT :name, :vocabulary, :code, count(*), count(DISTINCT t.person_id)"
            " FROM :t AS t LEFT JOIN extract.concept AS s ON :told WHERE :concept = 0 AND :code IS NOT NULL"
            " GROUP BY ALL",
            name=name,
            vocabulary=vocabulary,
            told=told,
            code=column(code, "t"),
            concept=column(of.concept, "t"),
            t=table(name, "extract"),
        )


def copy_database(db: duckdb.DuckDBPyConnection, address: str, columns: Columns, own_words: bool) -> Copied:
    """Copy a PostgreSQL database into the staging area. Raises SourceError."""
    names = {name: [each.name for each in (*held, *hidden_columns(name, held))] for name, held in columns.items()}
    if not own_words:
        names = {name: held for name, held in names.items() if name not in VOCABULARY}
    into = scratch(db) / "database"
    return Copied(into, export(Address.of(address), names, into))


def with_counted(extract: Extract, copied: Copied) -> Extract:
    """The extract with the tables that were counted and not copied, and the columns that OMOP does not know."""
    counted = [
        _quarantined(name, each.rows, NOT_HELD if name in LEFT_OUT else ELSEWHERE)
        for name, each in copied.tables.items()
        if each.path is None
    ]
    ignored = {name: each.ignored for name, each in copied.tables.items() if each.ignored and each.path is not None}
    return replace(extract, accounts=(*extract.accounts, *counted), ignored={**extract.ignored, **ignored})
