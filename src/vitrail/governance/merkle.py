"""The Merkle tree of RFC 9162, section 2.1, built one leaf at a time.

The *frontier* of a tree is the roots of its perfect subtrees, largest first; it is all that is needed to add a leaf
and to compute the root, and has at most log2(n) + 1 hashes.
"""

import hashlib
from collections.abc import Sequence
from functools import reduce

Hash = bytes
"""32 bytes of SHA-256."""

EMPTY: Hash = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf(entry: bytes) -> Hash:
    """The hash of a leaf: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: Hash, right: Hash) -> Hash:
    """The hash of a node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(frontier: Sequence[Hash], size: int, added: Hash) -> tuple[Hash, ...]:
    """The frontier of a tree of ``size`` leaves after the leaf hash ``added``.

    As in binary addition, the new leaf merges with one subtree for each trailing 1 bit of ``size``.
    """
    subtrees = list(frontier)
    while size & 1:
        added = node(subtrees.pop(), added)
        size >>= 1
    return (*subtrees, added)


def root(frontier: Sequence[Hash]) -> Hash:
    """The root of the tree that ``frontier`` describes."""
    if not frontier:
        return EMPTY
    return reduce(lambda right, left: node(left, right), reversed(frontier))
