"""One process at work per node: a second would answer or learn beside the first."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitrail.errors import NodeError


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the node's lock, which ends with the process however it ends. Raises NodeError where another holds it."""
    with (directory / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NodeError(f"{directory} is at work already, in another process.", "Stop that one first.") from error
        yield
