"""Snapshots: one immutable data cut of a site, verified before use.

A snapshot is a directory of one Parquet file per OMOP table beside a ``manifest.json``. Its id is the content hash of
the manifest's canonical JSON, and the manifest holds the SHA-256 of every file, so the id fixes every byte.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pyarrow import parquet
from pydantic import Field, ValidationError, model_validator

from vitrail import wire
from vitrail.errors import SnapshotError
from vitrail.omop.tables import VOCABULARY
from vitrail.study.word import Digest, Name, Word

MANIFEST = "manifest.json"

Calendar = Literal["none", "shifted", "true"]
"""What the days of a snapshot say: counts from a person's own epoch, dates moved by person, or true dates."""


class File(Word):
    """One file of a snapshot: the OMOP table it holds, its name, its SHA-256 and size, and its rows."""

    table: str
    file: Annotated[str, Field(pattern=r"^[a-z_]+\.parquet$")]
    sha256: Digest
    bytes: int
    rows: int


class Quarantined(Word):
    """Rows that could not be loaded, counted by where they came from and why. Never holds a data value.

    ``first_row`` is the number of the first of them, counting the rows that could be read from 1.
    """

    source: Name
    reason: str
    rows: int
    first_row: int | None = None


Outcome = Literal["passed", "failed", "not applicable", "measured"]


class Check(Word):
    """One quality check of one table, field, or concept of a field (in one unit), by its name.

    It fails where more than ``threshold`` of ``rows`` are ``violations``. ``not applicable`` where there was nothing to
    check, which is not ``passed``; ``measured`` where the threshold is 1, which nothing can pass. A snapshot that fails
    a ``hard`` check answers no study unless its steward waives it. What is not said of a check is None, so that a
    manifest of an earlier version keeps its id.
    """

    name: str
    table: str
    field: str | None = None
    concept: int | None = None
    unit: int | None = None
    outcome: Outcome
    violations: int
    rows: int
    threshold: float | None = None
    hard: bool


class Removed(Word):
    """Records that deidentification removed from a table, counted by why."""

    table: str
    reason: str
    rows: int


class Ruled(Word):
    """The rule of deidentification for one column, and how many values it changed."""

    table: str
    column: str
    rule: str
    changed: int


class Origin(Word):
    """What a snapshot was made from. ``public`` data are those that anybody may have."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    format: Literal["omop", "csv", "fhir", "synthea"]
    public: bool
    licence: str | None = None
    citation: str | None = None


class Manifest(Word):
    """What a snapshot holds, and what was done to it.

    ``calendar`` is what days say: dates as they were, dates moved by person, or days counted from a person's own epoch.
    ``rows_in`` and ``rows_loaded`` count the rows of each file of the source; together with ``quarantined`` they must
    add up. ``ignored`` names the columns of each file that OMOP does not know. ``observation_periods``: ``given`` by
    the source, or made by the rule of the mapping (its version behind the stroke): the dates that the mapping names,
    reaching back to the first and on to the last event of the person where it says so; or from the first to the last
    event of the person, where the source has none. ``removed`` and ``ruled`` say what
    deidentification did, ``proof`` is the content hash of its proof pack. ``deaths`` says where the source knows of
    deaths from, ``derived`` what was made, merged or inferred by a convention. ``erased`` persons opted out and left
    after the load; ``checks``, ``ruled`` and ``proof`` are of the load, and count them.
    """

    vitrail: Literal["snapshot/1"]
    cdm_version: Literal["5.4"]
    origin: Origin
    profile: Literal["safe-harbor", "expert-determination", "already-deidentified"]
    calendar: Calendar
    vocabulary: Digest
    files: tuple[File, ...]
    observation_periods: Literal["given", "mapping/1", "events/1"] = "given"
    deaths: Name = "the death table of the source"
    derived: dict[Name, int] = {}
    rows_in: dict[Name, int]
    rows_loaded: dict[Name, int] = {}
    quarantined: tuple[Quarantined, ...]
    checks: tuple[Check, ...]
    ignored: dict[Name, tuple[str, ...]] = {}
    removed: tuple[Removed, ...] = ()
    ruled: tuple[Ruled, ...] = ()
    proof: Digest | None = None
    erased: int | None = None

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        lost = dict(self.rows_in)
        for source, rows in self.rows_loaded.items():
            lost[source] = lost.get(source, 0) - rows
        for each in self.quarantined:
            lost[each.source] = lost.get(each.source, 0) - each.rows
        if any(lost.values()):
            raise ValueError("rows in are not rows loaded and rows quarantined")
        return self

    @property
    def id(self) -> Digest:
        """The snapshot's id: of what is said, so that a manifest keeps its id when later versions can say more."""
        return wire.digest(self.canonical())

    def canonical(self) -> bytes:
        """The manifest as it is written: what is not said stands nowhere."""
        return wire.canonical(self.model_dump(mode="json", exclude_none=True, exclude_unset=True))


@dataclass(frozen=True)
class Snapshot:
    """A snapshot whose every file was found to be what its manifest says."""

    path: Path
    manifest: Manifest

    @property
    def id(self) -> Digest:
        """The snapshot's id."""
        return self.manifest.id

    @property
    def files(self) -> Mapping[str, Path]:
        """The Parquet file of each table."""
        return {file.table: self.path / file.file for file in self.manifest.files}


def verified(path: Path) -> Snapshot:
    """The snapshot at ``path`` after every byte was checked. Raises SnapshotError naming the file that differs."""
    manifest = read_manifest(path)
    for file in manifest.files:
        _check(path / file.file, file)
    return Snapshot(path, manifest)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the snapshot at ``path``, its files not yet checked. Raises SnapshotError.

    The directory's name is the beginning of the id, so a manifest that was changed does not fit it.
    """
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(f"{path / MANIFEST} is no snapshot manifest.", "Load the source again.") from error
    if path.name != directory_name(manifest.id):
        what = f"{path / MANIFEST} is not the manifest that was loaded."
        raise SnapshotError(what, "Load the source again or restore the file.")
    return manifest


def directory_name(snapshot: Digest) -> str:
    """The name of a snapshot's directory: the first 16 hexadecimal digits of its id."""
    return snapshot.removeprefix("sha256:")[:16]


def snapshot_directories(snapshots: Path) -> list[Path]:
    """The directories of all whole snapshots, in the order of their names."""
    return sorted(path.parent for path in snapshots.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(PARTIAL))


def _check(path: Path, file: File) -> None:
    try:
        found = _sha256(path)
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read.", "Load the source again or restore the file.") from error
    if found != file.sha256:
        raise SnapshotError(f"{path} is not the file that was loaded.", "Load the source again or restore the file.")


def _sha256(path: Path) -> Digest:
    with path.open("rb") as handle:
        return "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()


def described(table: str, path: Path) -> File:
    """What the manifest says of the Parquet file at ``path``."""
    rows = parquet.read_metadata(path).num_rows
    return File(table=table, file=path.name, sha256=_sha256(path), bytes=path.stat().st_size, rows=rows)


def counted_values(path: Path) -> dict[str, int]:
    """How many values each column of the Parquet file at ``path`` has, as the file itself says."""
    held = parquet.read_metadata(path)
    groups = [held.row_group(number) for number in range(held.num_row_groups)]
    return {
        held.schema.column(at).name: sum(group.num_rows - group.column(at).statistics.null_count for group in groups)
        for at in range(held.num_columns)
    }


def vocabulary_digest(files: Iterable[File]) -> Digest:
    """One digest for the vocabulary's tables: of the SHA-256 of each."""
    return wire.digest_of({file.table: file.sha256 for file in files if file.table in VOCABULARY})


PARTIAL = ".partial"
CURRENT = "current"


@contextmanager
def partial_snapshot(snapshots: Path) -> Iterator[Path]:
    """A new directory in which to write a snapshot; what is left of it, or of a load that was killed, is removed."""
    snapshots.mkdir(exist_ok=True)
    _remove_partial(snapshots)
    path = snapshots / PARTIAL
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        _remove_partial(snapshots)


def _remove_partial(snapshots: Path) -> None:
    for left in snapshots.glob(f"{PARTIAL}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def publish(snapshots: Path, partial: Path, manifest: Manifest) -> Snapshot:
    """Make the files in ``partial`` the snapshot in use, or change nothing.

    The snapshot's directory appears whole by one rename, and ``current`` names it by another, each after everything
    before it is on the disk.
    """
    (partial / MANIFEST).write_bytes(manifest.canonical())
    for path in (*partial.iterdir(), partial):
        _sync(path)
    final = snapshots / directory_name(manifest.id)
    if not _intact(final):
        if final.exists():
            final.rename(snapshots / f"{PARTIAL}-damaged")
        partial.rename(final)
    _sync(snapshots)
    _write_whole(snapshots / CURRENT, final.name + "\n")
    return Snapshot(final, manifest)


def _intact(path: Path) -> bool:
    try:
        verified(path)
    except SnapshotError:
        return False
    return True


def _write_whole(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old one or the new one, whatever happens."""
    new = path.with_name(f"{PARTIAL}-{path.name}")
    new.write_text(text)
    _sync(new)
    new.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file or directory is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
