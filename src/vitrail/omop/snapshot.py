"""Snapshots: one immutable data cut of a site, verified before use.

A snapshot is a directory of one Parquet file per OMOP table beside a ``manifest.json``. Its id is the content hash of
the manifest's canonical JSON, and the manifest holds the SHA-256 of every file, so the id fixes every byte.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from vitrail import wire
from vitrail.errors import SnapshotError
from vitrail.study.word import Digest, Name, Word

MANIFEST = "manifest.json"


class File(Word):
    """One file of a snapshot: the OMOP table it holds, its name, its SHA-256 and size, and its rows."""

    table: str
    file: Annotated[str, Field(pattern=r"^[a-z_]+\.parquet$")]
    sha256: Digest
    bytes: int
    rows: int


class Quarantined(Word):
    """Rows that could not be loaded, counted by where they came from and why. Never holds a data value."""

    source: str
    table: str
    reason: str
    rows: int


class Check(Word):
    """One quality check: ``not applicable`` where there was nothing to check, which is not ``passed``."""

    name: str
    table: str
    outcome: Literal["passed", "failed", "not applicable"]
    violations: int
    rows: int
    hard: bool


class Origin(Word):
    """What a snapshot was made from. ``public`` data are those that anybody may have."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    format: Literal["omop", "csv"]
    public: bool
    licence: str | None = None


class Manifest(Word):
    """What a snapshot holds, and what was done to it."""

    vitrail: Literal["snapshot/1"] = "snapshot/1"
    cdm_version: Literal["5.4"] = "5.4"
    origin: Origin
    profile: Literal["already-deidentified"]
    calendar: Literal["none", "shifted", "true"]
    vocabulary: Digest
    files: tuple[File, ...]
    rows_in: dict[Name, int]
    quarantined: tuple[Quarantined, ...]
    checks: tuple[Check, ...]

    @property
    def id(self) -> Digest:
        """The snapshot's id."""
        return wire.digest_of(self.model_dump(mode="json", exclude_none=True))


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
    """The manifest of the snapshot at ``path``, its files not yet checked. Raises SnapshotError."""
    try:
        return Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(f"{path / MANIFEST} is no snapshot manifest.", "Load the source again.") from error


def _check(path: Path, file: File) -> None:
    try:
        with path.open("rb") as handle:
            found = "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read.", "Load the source again or restore the file.") from error
    if found != file.sha256:
        raise SnapshotError(f"{path} is not the file that was loaded.", "Load the source again or restore the file.")
