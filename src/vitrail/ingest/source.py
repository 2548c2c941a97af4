"""From a source of any kind to one extract: OMOP rows in the staging database, with an account of every row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb

from vitrail.errors import SourceError
from vitrail.ingest.cdm import copy_database, load_cdm, with_counted
from vitrail.ingest.codes import load_site_map
from vitrail.ingest.csv_files import load_mapped
from vitrail.ingest.derived import completed
from vitrail.ingest.extract import Columns, Extract, open_schemas
from vitrail.ingest.fhir import load_fhir
from vitrail.ingest.mapping import Mapping
from vitrail.ingest.mapping_file import read_mapping
from vitrail.ingest.merges import read_merges
from vitrail.ingest.omop import Loaded
from vitrail.ingest.reading import scratch
from vitrail.ingest.records import Account
from vitrail.ingest.synthea import load_synthea
from vitrail.ingest.vocabulary import load_vocabulary
from vitrail.omop.snapshot import Origin

Format = Literal["omop", "csv", "fhir", "synthea"]
Progress = Callable[[str], None]


def ingest(
    db: duckdb.DuckDBPyConnection,
    source: Path | str,
    format: Format,
    mapping: Path | None,
    vocabulary: Path | None,
    columns: Columns,
    tell: Progress,
    site_map: Path | None = None,
    merges: Path | None = None,
    kept: Path | None = None,
) -> Extract:
    """Read ``source``, a path or the address of a database, into ``db``. Raises SourceError where it cannot be read.

    ``columns`` are those wanted of each OMOP table. ``vocabulary`` is a directory with the vocabulary's tables; OMOP
    tables bring their own where it is absent. ``tell`` hears what is being done. ``site_map`` is the site's list
    of what its codes mean, in OMOP's layout of SOURCE_TO_CONCEPT_MAP; all but mapped CSV read it. ``merges`` is a list
    of persons who were found to be another. ``kept`` is a directory in which what was read of FHIR outlasts a load
    that is killed.
    """
    open_schemas(db)
    meaning = _meaning(format, mapping)
    if merges is not None:
        read_merges(db, merges, text_ids=_text_ids(format, meaning))
    if isinstance(source, str):
        extract = _database(db, source, format, vocabulary, site_map, columns, tell)
    elif not source.exists():
        raise SourceError(f"{source} does not exist.", "Name a source.")
    elif format == "omop":
        extract = _omop(db, source, vocabulary, site_map, columns, tell)
    else:
        tell("reading the vocabulary")
        words = load_vocabulary(db, vocabulary, columns)
        if meaning is not None:
            tell("reading the source by its mapping")
            extract = _csv(db, source, meaning, columns, words)
        else:
            extract = _records(db, source, format, site_map, columns, words, tell, kept)
    return completed(db, extract, columns, tell)


def _omop(
    db: duckdb.DuckDBPyConnection,
    source: Path,
    vocabulary: Path | None,
    site_map: Path | None,
    columns: Columns,
    tell: Progress,
) -> Extract:
    """OMOP tables; the vocabulary is theirs where no other is named."""
    tell("reading the vocabulary")
    words = load_vocabulary(db, vocabulary or source, columns)
    maps = load_site_map(db, site_map)
    extract = load_cdm(db, source, columns, words, vocabulary is None, tell)
    return replace(extract, accounts=(*extract.accounts, *maps))


def _database(
    db: duckdb.DuckDBPyConnection,
    address: str,
    format: Format,
    vocabulary: Path | None,
    site_map: Path | None,
    columns: Columns,
    tell: Progress,
) -> Extract:
    """OMOP tables in a PostgreSQL database."""
    if format != "omop":
        raise SourceError("A database is read as OMOP tables.", "Write --format omop.")
    tell("copying the database")
    copied = copy_database(db, address, columns, vocabulary is None)
    return with_counted(_omop(db, copied.directory, vocabulary, site_map, columns, tell), copied)


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
    kept: Path | None,
) -> Extract:
    """Sources whose codes are mapped by the vocabulary."""
    maps = load_site_map(db, site_map)
    if format == "synthea":
        accounts, ignored = load_synthea(db, source, columns, tell)
    else:
        with TemporaryDirectory(dir=scratch(db)) as gone:
            accounts, ignored = load_fhir(db, source, columns, tell, kept or Path(gone))
    origin = Origin(name=f"{format} of an undeclared origin", format=format, public=False)
    return Extract(origin, "true", "events/1", (*_accounts(words), *maps, *accounts), {**_ignored(words), **ignored})


def _csv(
    db: duckdb.DuckDBPyConnection, source: Path, meaning: Mapping, columns: Columns, words: list[Loaded]
) -> Extract:
    accounts = load_mapped(db, source, meaning, columns)
    said = meaning.origin
    origin = Origin(name=said.name, format="csv", public=said.public, licence=said.licence, citation=said.citation)
    return Extract(origin, said.calendar, "mapping/1", (*_accounts(words), *accounts), _ignored(words))


@contextmanager
def whole(paths: Sequence[Path]) -> Iterator[None]:
    """Whatever is done here rests on files that can be read to their end and stay as they are; else SourceError.

    Typed tables are read where they lie, more than once: what is damaged shows late, and an export that still runs
    would show in one reading and not in the other.
    """
    before = _stamps(paths)
    try:
        yield
    except duckdb.Error as error:
        what = "A table could not be read or written to its end: it is damaged, or memory or disk is short."
        raise SourceError(what, "Export it again, or make room in the site's directory.") from error
    if _stamps(paths) != before:
        raise SourceError("The source changed while it was read.", "Load it when its export is done.")


def _stamps(paths: Sequence[Path]) -> set[tuple[str, int, int]]:
    held = [each for path in paths for each in (path.rglob("*") if path.is_dir() else [path]) if each.is_file()]
    return {(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in held}


def _accounts(loaded: list[Loaded]) -> tuple[Account, ...]:
    return tuple(each.account for each in loaded)


def _ignored(loaded: list[Loaded]) -> dict[str, tuple[str, ...]]:
    return {each.account.source: each.ignored for each in loaded if each.ignored}
