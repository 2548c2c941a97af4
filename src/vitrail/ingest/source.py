"""From a source of any kind to one extract: OMOP rows in the staging database, with an account of every row."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.cdm import load_cdm
from vitrail.ingest.codes import load_site_map
from vitrail.ingest.csv_files import load_mapped
from vitrail.ingest.derived import completed
from vitrail.ingest.extract import Columns, Extract, open_schemas
from vitrail.ingest.fhir import load_fhir
from vitrail.ingest.mapping import Mapping
from vitrail.ingest.mapping_file import read_mapping
from vitrail.ingest.merges import read_merges
from vitrail.ingest.omop import Loaded
from vitrail.ingest.records import Account
from vitrail.ingest.synthea import load_synthea
from vitrail.ingest.vocabulary import load_vocabulary
from vitrail.omop.snapshot import Origin

Format = Literal["omop", "csv", "fhir", "synthea"]
Progress = Callable[[str], None]


def ingest(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    format: Format,
    mapping: Path | None,
    vocabulary: Path | None,
    columns: Columns,
    tell: Progress,
    site_map: Path | None = None,
    merges: Path | None = None,
) -> Extract:
    """Read ``source`` into ``db``. Raises SourceError where it cannot be read.

    ``columns`` are those wanted of each OMOP table. ``vocabulary`` is a directory with the vocabulary's tables; OMOP
    tables bring their own where it is absent. ``tell`` hears what is being done. ``site_map`` is the site's list
    of what its codes mean, in OMOP's layout of SOURCE_TO_CONCEPT_MAP; FHIR and Synthea read it. ``merges`` is a list
    of persons who were found to be another.
    """
    if not source.exists():
        raise SourceError(f"{source} does not exist.", "Name a source.")
    open_schemas(db)
    meaning = _meaning(format, mapping)
    if merges is not None:
        read_merges(db, merges, text_ids=_text_ids(format, meaning))
    tell("reading the vocabulary")
    words = load_vocabulary(db, vocabulary or (source if format == "omop" else None), columns)
    if format == "omop":
        extract = load_cdm(db, source, columns, words, vocabulary is None, tell)
    elif meaning is not None:
        tell("reading the source by its mapping")
        extract = _csv(db, source, meaning, columns, words)
    else:
        extract = _records(db, source, format, site_map, columns, words, tell)
    return completed(db, extract, columns, tell)


def _meaning(format: Format, mapping: Path | None) -> Mapping | None:
    if format == "csv" and mapping is None:
        raise SourceError("CSV files need a mapping file.", "Name it with --mapping.")
    if format != "csv" and mapping is not None:
        raise SourceError(f"A source in {format} takes no mapping file.", "Leave it out, or load with --format csv.")
    return read_mapping(mapping) if mapping is not None else None


def _text_ids(format: Format, meaning: Mapping | None) -> bool:
    """Whether person ids are texts, which stand as their hash."""
    if meaning is None:
        return format != "omop"
    return any(file.person_id.text for file in meaning.files.values())


def _records(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    format: Format,
    site_map: Path | None,
    columns: Columns,
    words: list[Loaded],
    tell: Progress,
) -> Extract:
    """Sources whose codes are mapped by the vocabulary."""
    maps = load_site_map(db, site_map)
    accounts, ignored = (load_fhir if format == "fhir" else load_synthea)(db, source, columns, tell)
    origin = Origin(name=f"{format} of an undeclared origin", format=format, public=False)
    return Extract(origin, "true", "events/1", (*_accounts(words), *maps, *accounts), {**_ignored(words), **ignored})


def _csv(
    db: duckdb.DuckDBPyConnection, source: Path, meaning: Mapping, columns: Columns, words: list[Loaded]
) -> Extract:
    accounts = load_mapped(db, source, meaning, columns)
    said = meaning.origin
    origin = Origin(name=said.name, format="csv", public=said.public, licence=said.licence, citation=said.citation)
    return Extract(origin, said.calendar, "mapping/1", (*_accounts(words), *accounts), _ignored(words))


def _accounts(loaded: list[Loaded]) -> tuple[Account, ...]:
    return tuple(each.account for each in loaded)


def _ignored(loaded: list[Loaded]) -> dict[str, tuple[str, ...]]:
    return {each.account.source: each.ignored for each in loaded if each.ignored}
