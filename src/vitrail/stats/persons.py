"""Rows and the people behind them: sums, distinct counts, shares, and a locked split by person.

Where a function takes ``persons`` (n,), the rows of one person are neighbours, as in a sorted cohort; where it takes
``first``, that is what :func:`starts` says of them.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from vitrail.stats.newton import Floats

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def locked(study: str, persons: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which rows belong to the ``share`` of persons that a study keeps for testing.

    A person is in it where the person-th output of SplitMix64, seeded by the study's name, is below ``share``
    of 2⁶⁴. So the split is fixed by study and person alone, and no row of a person is on the other side.

    Source: Steele GL, Lea D, Flood CH. OOPSLA 2014, pages 453-472.
    """
    seed = np.frombuffer(hashlib.sha256(study.encode()).digest()[:8], dtype="<u8")[0]
    z = seed + (persons.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    below: NDArray[np.bool_] = z.astype(np.float64) < share * 2.0**64
    return below


def starts(persons: NDArray[np.int64]) -> NDArray[np.intp]:
    """The first row of each person."""
    return np.flatnonzero(np.diff(persons, prepend=persons[:1] - 1))


def distinct(persons: NDArray[np.int64]) -> int:
    """How many different persons."""
    return len(starts(persons))


def most_rows(persons: NDArray[np.int64]) -> int:
    """The most rows that one person has."""
    return int(np.max(np.diff(starts(persons), append=len(persons)), initial=0))


def rarest(member: NDArray[np.bool_], persons: NDArray[np.int64]) -> int:
    """The distinct persons of that row of flags, among those of ``member`` (n, m) that occur, which the fewest have."""
    bytes_ = np.ascontiguousarray(np.packbits(member, axis=1))
    _, pattern = np.unique(bytes_.view(f"V{bytes_.shape[1]}")[:, 0], return_inverse=True)
    _, person = np.unique(persons, return_inverse=True)
    width = int(np.max(person, initial=0)) + 1
    return int(np.min(np.bincount(np.unique(pattern * width + person) // width), initial=len(persons)))


def sums(values: Floats, first: NDArray[np.intp]) -> Floats:
    """Each person's sum of ``values`` (n, ...), (persons, ...)."""
    return values if len(first) == len(values) else np.add.reduceat(values, first, axis=0)


def largest_share(sizes: Floats, first: NDArray[np.intp]) -> float:
    """The largest person's share of the sum of ``sizes`` (n,), none negative; 1 where that sum is 0.

    A sum of nothing is called one person's, so that a rule on shares fails closed.
    """
    whole = float(np.sum(sizes))
    return float(np.max(sums(sizes, first))) / whole if whole > 0 else 1.0


def effective_number(weights: Floats) -> float:
    """Kish's effective number (Σw)²/Σw² of weighted rows; 0 where there is no weight.

    Source: Kish L. Survey Sampling. Wiley 1965, section 8.2.
    """
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0


def shared(member: NDArray[np.bool_], first: NDArray[np.intp]) -> NDArray[np.int64]:
    """For every two of m groups the distinct persons with at least one row in both, (m, m).

    ``member`` (n, m) says which groups a row is in; the diagonal counts each group's persons. Rows are packed into
    bitmaps over persons, one layer for the first row of every person, one for the second, and so on; so two groups
    meet by one AND per layer.
    """
    layers = _layers(member, first)
    counts = np.zeros((member.shape[1], member.shape[1]), dtype=np.int64)
    for group in range(member.shape[1] if layers else 0):
        met = np.zeros_like(layers[0])
        for layer in layers:
            met[:, : layer.shape[1]] |= layer & layer[group]
        counts[group] = np.bitwise_count(met).sum(axis=1, dtype=np.int64)
    return counts


def _layers(member: NDArray[np.bool_], first: NDArray[np.intp]) -> list[NDArray[np.uint8]]:
    """One (m, bytes) bitmap per row number within a person; persons with the most rows come first in all."""
    rows = np.diff(first, append=len(member))
    order = np.argsort(-rows, kind="stable")
    first, rows = first[order], rows[order]
    return [
        np.packbits(member[first[rows > layer] + layer].T, axis=1) for layer in range(int(rows[0]) if len(rows) else 0)
    ]
