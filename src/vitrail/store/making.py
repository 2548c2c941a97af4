"""Making a node's directory: whole, or told what is in the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitrail.errors import NodeError


@contextmanager
def making(path: Path, card: str) -> Iterator[None]:
    """Make a node at ``path``, beginning with its ``keys`` and ending with the file ``card``, which makes it a node.

    A new directory opens for its owner alone; one that is there already stays as open as it is.
    Raises NodeError where there is a node, where an earlier try was interrupted, and where nothing can be written.
    """
    try:
        if (path / card).exists():
            raise NodeError(f"{path} is a {card.removesuffix('.json')} already.", "Name another directory.")
        if (path / "keys").exists():
            what = f"{path} was begun and never finished: it has keys, and no {card}."
            raise NodeError(what, "Nobody knows its keys yet: remove the directory, and make it again.")
        path.mkdir(parents=True, mode=0o700, exist_ok=True)
        (path / "keys").mkdir(mode=0o700)
        yield
    except OSError as error:
        raise NodeError(f"{path} cannot be written.", "Name a directory that can be, or one that is new.") from error
