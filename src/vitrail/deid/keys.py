"""Keys of a site by purpose, and the permutation of person ids that one of them draws.

One secret, one sub-key for each purpose (HKDF, RFC 5869), so that no use of the secret tells anything about another.
"""

from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from vitrail.errors import NodeError

PERSON_IDS = "person ids, version 1"
"""The purpose of the key that permutes person ids."""

HALF_BITS = 31
ROUNDS = 8
"""Luby and Rackoff (SIAM J Comput 1988;17:373-86) need four for a strong pseudorandom permutation; eight leave room
(Patarin, CRYPTO 2004)."""


def sub_key(secret: Path, purpose: str) -> bytes:
    """32 bytes for one purpose from the site's secret. Raises NodeError where there is none."""
    try:
        root = bytes.fromhex(secret.read_text().strip())
    except (OSError, ValueError) as error:
        raise NodeError(f"{secret} holds no secret.", "Name a site that `vitrail site init` made.") from error
    if len(root) != 32:
        raise NodeError(f"{secret} holds no secret of 32 bytes.", "Restore it from the site's backup.")
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"vitrail: {purpose}".encode()).derive(root)


def permuted(key: bytes, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """``ids`` from 0 to 2^62 - 1 under a keyed permutation of that range: no two become one, and loads agree.

    A balanced Feistel network over two halves of 31 bits, with AES-256 as the function of each round.
    """
    left, right = ids >> HALF_BITS, ids & (2**HALF_BITS - 1)
    for number in range(ROUNDS):
        left, right = right, left ^ _round(key, number, right)
    return np.asarray((left << HALF_BITS) | right, dtype=np.int64)


def _round(key: bytes, number: int, half: NDArray[np.int64]) -> NDArray[np.int64]:
    """31 bits of AES over the round's number and a half."""
    blocks = np.zeros((len(half), 2), dtype="<i8")
    blocks[:, 0], blocks[:, 1] = number, half
    # ECB is the bare block cipher, which is what a pseudorandom function of one block needs; no message is encrypted.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    stream = encryptor.update(blocks.tobytes()) + encryptor.finalize()
    words = np.frombuffer(stream, dtype="<i8").reshape(-1, 2)[:, 0]
    return np.asarray(words & (2**HALF_BITS - 1), dtype=np.int64)
