"""The Merkle tree against RFC 9162's own recursive definition and the certificate-transparency test vectors."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from vitrail.governance import merkle

LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    bytes(range(0x50, 0x58)),
    bytes(range(0x60, 0x70)),
]
ROOTS = {
    # source: the reference tests of the certificate-transparency project (merkletree/merkle_tree_test)
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def root_of(entries: list[bytes]) -> bytes:
    frontier: tuple[bytes, ...] = ()
    for size, entry in enumerate(entries):
        frontier = merkle.grown(frontier, size, merkle.leaf(entry))
    return merkle.root(frontier)


def recursive(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + recursive(entries[:k]) + recursive(entries[k:])).digest()


def test_published_vectors() -> None:
    assert {size: root_of(LEAVES[:size]).hex() for size in ROOTS} == ROOTS


def test_the_empty_tree() -> None:
    assert root_of([]) == hashlib.sha256(b"").digest()


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_equal_to_the_definition(entries: list[bytes]) -> None:
    assert root_of(entries) == recursive(entries)
