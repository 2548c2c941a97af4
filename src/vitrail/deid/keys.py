"""Keys of a site by purpose, and what they draw: permutations of ids, and numbers that only the key can tell.

One secret, one sub-key for each purpose (HKDF, RFC 5869), so that no use of the secret tells anything about another.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from vitrail.errors import NodeError

PERSON_ORDER = "person ids, version 1"
"""The purpose of the key that draws in which order new persons enter the crosswalk."""

PERSON_NUMBERS = "person numbers, version 2"
"""The purpose of the key that permutes the crosswalk's places into person ids."""

CROSSWALK = "crosswalk, version 1"
"""The purpose of the key that encrypts the crosswalk."""

SHIFTS = "date shifts, version 1"
"""The purpose of the key that draws each person's date shift."""

CUTS = "edge cuts, version 1"
"""The purpose of the key that draws how much of each person's first and last year is cut."""

SURROGATES = "surrogates of notes, version 1"
"""The purpose of the key that draws the surrogates of names and numbers in notes."""

SECRET = "VITRAIL_SITE_SECRET"  # noqa: S105  # the name of a variable
SECRET_COMMAND = "VITRAIL_SITE_SECRET_COMMAND"  # noqa: S105
COMMAND_SECONDS = 60

ROUNDS = 8
"""Luby and Rackoff (SIAM J Comput 1988;17:373-86) need four for a strong pseudorandom permutation; eight leave room
(Patarin, CRYPTO 2004)."""


def sub_key(secret: Path, purpose: str) -> bytes:
    """32 bytes for one purpose from the site's secret.

    The secret is 32 bytes in hexadecimal: from the variable ``VITRAIL_SITE_SECRET``, else from what the command in
    ``VITRAIL_SITE_SECRET_COMMAND`` prints, else from the file ``secret``, which only its owner may read.
    Raises NodeError where there is none.
    """
    try:
        root = bytes.fromhex(_secret(secret))
    except ValueError as error:
        raise NodeError(f"{_source(secret)} holds no secret.", "Restore it from the site's backup.") from error
    if len(root) != 32:
        raise NodeError(f"{_source(secret)} holds no secret of 32 bytes.", "Restore it from the site's backup.")
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"vitrail: {purpose}".encode()).derive(root)


def _source(secret: Path) -> str:
    """Where the secret comes from, in words."""
    return next((f"The variable {name}" for name in (SECRET, SECRET_COMMAND) if os.environ.get(name)), str(secret))


def _secret(path: Path) -> str:
    if given := os.environ.get(SECRET):
        return given.strip()
    if command := os.environ.get(SECRET_COMMAND):
        return _printed(command)
    try:
        if path.stat().st_mode & 0o077:
            raise NodeError(f"{path} can be read by others than its owner.", f"Run `chmod 600 {path}`.")
        return path.read_text().strip()
    except (OSError, ValueError) as error:
        raise NodeError(f"{path} holds no secret.", "Name a site that `vitrail site init` made.") from error


def _printed(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # the site's own engineer names the command
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        what = f"The command in {SECRET_COMMAND} did not print the secret."
        raise NodeError(what, "Run it by hand to see why.") from error
    return done.stdout.strip()


def permuted(key: bytes, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """``ids`` from 0 to 2^62 - 1 under a keyed permutation of that range: no two become one, and loads agree."""
    return _feistel(key, ids, 31)


def numbers(key: bytes, places: NDArray[np.int64]) -> NDArray[np.int32]:
    """``places`` from 0 to 2^31 - 1 under a keyed permutation of that range.

    A permutation of 32 bits is walked until it falls into the range (Black and Rogaway, CT-RSA 2002).
    """
    found = _feistel(key, places, 16)
    while (outside := found >= 2**31).any():
        found[outside] = _feistel(key, found[outside], 16)
    return found.astype(np.int32)


def draws(key: bytes, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64 bits for each id that nobody without the key can tell: AES-256 over the id."""
    blocks = np.zeros((len(ids), 2), dtype="<i8")
    blocks[:, 0] = ids
    return _encrypted(key, blocks).view("<u8")[:, 0].astype(np.uint64)


def _feistel(key: bytes, ids: NDArray[np.int64], half_bits: int) -> NDArray[np.int64]:
    """A balanced Feistel network over two halves, with AES-256 as the function of each round."""
    mask = 2**half_bits - 1
    left, right = ids >> half_bits, ids & mask
    for number in range(ROUNDS):
        left, right = right, left ^ (_round(key, number, right) & mask)
    return np.asarray((left << half_bits) | right, dtype=np.int64)


def _round(key: bytes, number: int, half: NDArray[np.int64]) -> NDArray[np.int64]:
    """AES over the round's number and a half."""
    blocks = np.empty((len(half), 2), dtype="<i8")
    blocks[:, 0], blocks[:, 1] = number, half
    return _encrypted(key, blocks)[:, 0]


def _encrypted(key: bytes, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    # ECB is the bare block cipher, which is what a pseudorandom function of one block needs; no message is encrypted.
    encryptor: Callable[[bytes], bytes] = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305
    return np.frombuffer(encryptor(blocks.tobytes()), dtype="<i8").reshape(-1, 2)
