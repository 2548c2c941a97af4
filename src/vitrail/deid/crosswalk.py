"""The crosswalk of a site: which person of the source has which number. It lies encrypted, and never leaves.

Person ids of snapshots are whole numbers of 31 bits: a keyed permutation of the person's place in the crosswalk, to
which new persons are only ever added, in an order that the key draws. So no two persons ever share an id (hashes of 32
bits would make thousands of them do so among 25 million), loads agree, and an id tells nothing of when somebody came.

Beside it lie, encrypted alike, the merges that the snapshots in use were made with.

A file holds a line of its own kind and blocks, each encrypted by AES-256-GCM and bound to its place and to how many
there are; so a file that was cut, mixed or made with another secret does not open.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from vitrail.deid.keys import numbers, permuted
from vitrail.errors import NodeError

MAGIC = b"vitrail crosswalk 1\n"
MERGES_MAGIC = b"vitrail merges 1\n"
BLOCK = 16 * 1024 * 1024
NONCE, TAG = 12, 16
NO_ANCHOR = np.iinfo(np.int32).min
ENTRY = np.dtype([("source", "<i8"), ("anchor", "<i4"), ("out", "?")])
"""A person's id in the source; the day (from 1970-01-01) that became the epoch under ``safe-harbor``, if any; and
whether the person opted out."""

MERGE = np.dtype([("old", "<i8"), ("survivor", "<i8")])
"""A person of the source who was merged into another, and who that is: whoever opts out under the one id is in a
snapshot under the other."""


@dataclass(frozen=True)
class Crosswalk:
    """Every person that the site ever loaded, in the order in which they came: an array of :data:`ENTRY`."""

    entries: NDArray[np.void]

    def extended(self, order_key: bytes, persons: NDArray[np.int64]) -> "Crosswalk":
        """The crosswalk with the persons that it lacks, in an order that only the key tells."""
        new = np.setdiff1d(persons, self.entries["source"])
        added = np.empty(len(new), dtype=ENTRY)
        added["source"], added["anchor"], added["out"] = new[np.argsort(permuted(order_key, new))], NO_ANCHOR, False
        return Crosswalk(np.concatenate([self.entries, added]))

    def places(self, persons: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each of ``persons``, all of whom must be there."""
        order = np.argsort(self.entries["source"])
        return np.asarray(order[np.searchsorted(self.entries["source"], persons, sorter=order)], dtype=np.int64)

    def without(self, order_key: bytes, persons: NDArray[np.int64]) -> "Crosswalk":
        """The crosswalk in which ``persons``, known or not, have opted out."""
        entries = self.extended(order_key, persons).entries.copy()
        entries["out"] |= np.isin(entries["source"], persons)
        return Crosswalk(entries)

    def with_survivors(self, order_key: bytes, merges: NDArray[np.void]) -> "Crosswalk":
        """The crosswalk in which those have opted out, too, into whom somebody was merged who has.

        ``merges`` are of :data:`MERGE`, chains followed to their end.
        """
        out = self.entries["source"][self.entries["out"]]
        return self.without(order_key, np.unique(merges["survivor"][np.isin(merges["old"], out)]))

    def numbers(self, number_key: bytes, persons: NDArray[np.int64]) -> NDArray[np.int32]:
        """The number of each of ``persons``."""
        return numbers(number_key, self.places(persons))


def read_crosswalk(path: Path, key: bytes) -> Crosswalk:
    """The crosswalk at ``path``, empty where there is none yet. Raises NodeError where it does not open."""
    return Crosswalk(_read(path, key, MAGIC, ENTRY))


def write_crosswalk(path: Path, key: bytes, crosswalk: Crosswalk) -> None:
    """Replace the crosswalk at ``path`` in one step."""
    _write(path, key, MAGIC, crosswalk.entries)


def read_merges(path: Path, key: bytes) -> NDArray[np.void]:
    """The merges at ``path``, of :data:`MERGE`: none without a file. Raises NodeError where it does not open."""
    return _read(path, key, MERGES_MAGIC, MERGE)


def write_merges(path: Path, key: bytes, merges: NDArray[np.void]) -> None:
    """Replace the merges at ``path`` in one step."""
    _write(path, key, MERGES_MAGIC, merges)


def _read(path: Path, key: bytes, magic: bytes, entry: np.dtype[np.void]) -> NDArray[np.void]:
    if not path.exists():
        return np.empty(0, dtype=entry)
    try:
        content = path.read_bytes()
        plain = _opened(content.removeprefix(magic), AESGCM(key), magic) if content.startswith(magic) else b"?"
        return np.frombuffer(plain, dtype=entry)
    except (OSError, InvalidTag, ValueError) as error:
        what = f"{path} does not open with this site's secret."
        raise NodeError(what, "Restore the file, or the secret that it was made with.") from error


def _write(path: Path, key: bytes, magic: bytes, entries: NDArray[np.void]) -> None:
    plain, cipher = entries.tobytes(), AESGCM(key)
    count = max(1, -(-len(plain) // BLOCK))
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(magic)
        for number in range(count):
            nonce = os.urandom(NONCE)
            block = plain[number * BLOCK : (number + 1) * BLOCK]
            file.write(nonce + cipher.encrypt(nonce, block, _bound(magic, number, count)))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _opened(content: bytes, cipher: AESGCM, magic: bytes) -> bytes:
    whole = NONCE + BLOCK + TAG
    blocks = [content[at : at + whole] for at in range(0, len(content), whole)]
    return b"".join(
        cipher.decrypt(block[:NONCE], block[NONCE:], _bound(magic, number, len(blocks)))
        for number, block in enumerate(blocks)
    )


def _bound(magic: bytes, number: int, count: int) -> bytes:
    return magic + f"{number} of {count}".encode()
