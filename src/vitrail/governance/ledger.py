"""The ledger: an append-only record under a signed tree head, so that tampering is found.

The *seal* of a ledger is the JSON text ``{"frontier": [...], "head": envelope}``; the envelope, of kind
``tree-head``, is signed by the node's key and says ``{"size", "root"}``.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from vitrail import wire
from vitrail.errors import LedgerError, WireError
from vitrail.governance import merkle
from vitrail.wire import PublicKey, SigningKey

HEAD = "tree-head"
_DO = "Keep the database as it is, and tell the alliance manager."


@dataclass(frozen=True)
class Sealer:
    """Extends a ledger's seal by one entry and signs the new head with ``key``."""

    key: SigningKey

    def __call__(self, seal: str | None, entry: bytes) -> str:
        """The seal after ``entry``. Raises LedgerError where the seal so far is not this key's."""
        frontier, size = _opened(seal, self.key.public) if seal is not None else ((), 0)
        frontier = merkle.grown(frontier, size, merkle.leaf(entry))
        head = {"size": size + 1, "root": merkle.root(frontier).hex()}
        return json.dumps({"frontier": [each.hex() for each in frontier], "head": self.key.sign(HEAD, head)})


def verify(entries: Iterable[bytes], seal: str | None, key: PublicKey) -> tuple[int, str]:
    """Recompute the whole tree; its size and root (hexadecimal) where they are those of the signed head.

    Raises LedgerError.
    """
    if seal is None:
        raise LedgerError("The ledger has no signed head.", _DO)
    frontier: tuple[merkle.Hash, ...] = ()
    size = 0
    for size, entry in enumerate(entries, start=1):
        frontier = merkle.grown(frontier, size - 1, merkle.leaf(entry))
    signed = _head(seal, key)
    if signed != {"size": size, "root": merkle.root(frontier).hex()}:
        raise LedgerError("The ledger's entries are not those that its head was signed for.", _DO)
    return size, signed["root"]


def _opened(seal: str, key: PublicKey) -> tuple[tuple[merkle.Hash, ...], int]:
    """Frontier and size of a seal, checked against its signed head."""
    head = _head(seal, key)
    try:
        frontier = tuple(bytes.fromhex(each) for each in json.loads(seal)["frontier"])
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError("The ledger's seal cannot be read.", _DO) from error
    if merkle.root(frontier).hex() != head["root"]:
        raise LedgerError("The ledger's seal does not fit its signed head.", _DO)
    return frontier, head["size"]


def _head(seal: str, key: PublicKey) -> dict[str, wire.Json]:
    try:
        head = key.verify(json.loads(seal)["head"], HEAD)
    except (ValueError, KeyError, TypeError, WireError) as error:
        raise LedgerError("The ledger's head is not signed by this node.", _DO) from error
    return dict(head)
