"""From a source of any kind to one extract: OMOP rows in the staging database, with an account of every row."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.codes import load_site_map
from vitrail.ingest.csv_files import load_mapped
from vitrail.ingest.extract import Columns, Extract, open_schemas
from vitrail.ingest.fhir import load_fhir
from vitrail.ingest.mapping_file import read_mapping
from vitrail.ingest.omop import REQUIRED_TABLES, Loaded, find_tables, load_table
from vitrail.ingest.records import Account, extract_view
from vitrail.ingest.synthea import load_synthea
from vitrail.ingest.vocabulary import load_vocabulary
from vitrail.omop.snapshot import Origin
from vitrail.omop.tables import CLINICAL, PLACES, TABLES

Format = Literal["omop", "csv", "fhir", "synthea"]
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
    site_map: Path | None = None,
) -> Extract:
    """Read ``source`` into ``db``. Raises SourceError where it cannot be read.

    ``columns`` are those wanted of each OMOP table. ``vocabulary`` is a directory with the vocabulary's tables; OMOP
    tables bring their own where it is absent. ``tell`` hears what is being done. ``site_map`` is the site's list
    of what its codes mean, in OMOP's layout of SOURCE_TO_CONCEPT_MAP; FHIR and Synthea read it.
    """
    if not source.exists():
        raise SourceError(f"{source} does not exist.", "Name a source.")
    open_schemas(db)
    tell("reading the vocabulary")
    own = source if format == "omop" else None
    words = load_vocabulary(db, vocabulary or own, columns)
    if format == "omop":
        return _omop(db, source, mapping, columns, words, tell)
    if format in ("fhir", "synthea"):
        return _records(db, source, format, mapping, site_map, columns, words, tell)
    tell("reading the source by its mapping")
    return _csv(db, source, mapping, columns, words)


def _records(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    format: Literal["fhir", "synthea"],
    mapping: Path | None,
    site_map: Path | None,
    columns: Columns,
    words: list[Loaded],
    tell: Progress,
) -> Extract:
    """Sources whose codes are mapped by the vocabulary."""
    if mapping is not None:
        raise SourceError(f"A source in {format} takes no mapping file.", "Leave it out, or load with --format csv.")
    maps = load_site_map(db, site_map)
    accounts, ignored = (load_fhir if format == "fhir" else load_synthea)(db, source, columns, tell)
    origin = Origin(name=f"{format} of an undeclared origin", format=format, public=False)
    return Extract(origin, "true", "events/1", (*_accounts(words), *maps, *accounts), {**_ignored(words), **ignored})


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
