"""The staging area of a site: the only place where raw data lie, and only while a load runs."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from vitrail.errors import NodeError
from vitrail.site.directory import SiteDirectory

MEMORY = "3GB"
"""What the database may hold in memory; the process has its own beside that, and must stay below 4 GB."""


@contextmanager
def staging(site: SiteDirectory, reads: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in an empty staging area, which is removed at the end; one load at a time.

    What a load that was killed left behind is removed first. The database may read ``reads`` and write to the site's
    staging area and snapshots, and nothing else. Raises NodeError where another load runs.
    """
    area = site.path / "staging"
    with (site.path / "load.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NodeError(f"Another load of {site.path} is running.", "Wait until it is done.") from error
        _clear(area)
        area.mkdir(mode=0o700)
        try:
            with _database(area, [*reads, area, site.snapshots]) as db:
                yield db
        finally:
            _clear(area)


def _clear(area: Path) -> None:
    if area.exists():
        shutil.rmtree(area)


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
