"""The staging area of a site: the only place where raw data lie, and only while a load runs or is to go on."""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from vitrail.errors import NodeError
from vitrail.site.directory import SiteDirectory

MEMORY_BYTES = 3_000_000_000
MEMORY = f"{MEMORY_BYTES // 1_000_000}MB"
"""What the database may hold in memory; the process has its own beside that, and must stay below 4 GB."""


def kept_for(site: SiteDirectory, source: Path | str) -> Path:
    """The place in the staging area for what is read of ``source``, if a load of it is to go on after a kill."""
    named = str(source.resolve()) if isinstance(source, Path) else source
    return _area(site) / f"read-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


@contextmanager
def staging(
    site: SiteDirectory, reads: Sequence[Path], kept: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in a staging area, which is removed at the end; one load at a time.

    What a load that was killed left behind is removed first. ``kept`` stays, before and after: it is for whoever made
    it to remove.
    The database may read ``reads`` and write to the site's staging area and snapshots, and nothing else. Raises
    NodeError where another load runs.
    """
    area = _area(site)
    with (site.path / "load.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NodeError(f"Another load of {site.path} is running.", "Wait until it is done.") from error
        _clear(area, kept)
        area.mkdir(mode=0o700, exist_ok=True)
        try:
            with _database(area, [*reads, area, site.snapshots]) as db:
                yield db
        finally:
            _clear(area, kept)


def _area(site: SiteDirectory) -> Path:
    return site.path / "staging"


def _clear(area: Path, kept: Path | None = None) -> None:
    """Remove everything but ``kept``, and the area itself where that is not there."""
    held = list(area.iterdir()) if area.exists() else []
    for each in held:
        if each != kept:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    if area.exists() and kept not in held:
        area.rmdir()


def _database(area: Path, allowed: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A locked-down database: it loads no extension, reaches no network and reads only what is ``allowed``.

    It lies in memory, and in the staging area where :data:`MEMORY` does not suffice. What a DuckDB file has not yet
    taken in from its log lies beside it.
    """
    db = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "temp_directory": str(area / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    places = [str(path.resolve()) for path in allowed]
    files = [place for place in places if Path(place).is_file()]
    db.execute("SET allowed_directories = $1", [[place for place in places if place not in files]])
    db.execute("SET allowed_paths = $1", [[*files, *(f"{file}.wal" for file in files)]])
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db
