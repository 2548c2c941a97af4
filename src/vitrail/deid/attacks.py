"""Attacks on deidentified days and ids, as somebody would run them who has the snapshot and knows a little more.

Each is a pure function of what the attacker has, and gives one guess for each person; :func:`score` compares guesses
with the truth, which only the proof inside the glass has. No attack uses the site's key. ``NO_GUESS`` stands where the
attacker has none. Days are whole numbers from 1970-01-01; shifts are days.
"""

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc  # scipy.stats takes seconds to import

Days = NDArray[np.int64]
NO_GUESS = np.iinfo(np.int64).min

MIN_VISITS = 8
"""From so few visits on, a person's weekdays tell something."""


@dataclass(frozen=True)
class Score:
    """How an attack did: persons attacked, guesses that were right, and how many chance alone would have got right."""

    persons: int
    right: int
    by_chance: float

    @property
    def succeeds(self) -> bool:
        """Whether it did better than chance, at one in a million (binomial, one-sided)."""
        if self.persons == 0:
            return False
        return bool(self.right and bdtrc(self.right - 1, self.persons, self.by_chance / self.persons) < 1e-6)


def score(guesses: Days, truth: Days, choices: int) -> Score:
    """The score of ``guesses``, where ``choices`` answers are equally likely to somebody who knows nothing."""
    made = guesses != NO_GUESS
    return Score(int(made.sum()), int((guesses[made] == truth[made]).sum()), float(made.sum()) / choices)


Scheme = Callable[[NDArray[np.int64]], Days]
"""A way in which shifts might follow from ids, without any key."""


def _hashed(name: str, size: int, text: Callable[[int], bytes]) -> Scheme:
    def scheme(ids: NDArray[np.int64]) -> Days:
        digests = (hashlib.new(name, text(int(each)), usedforsecurity=False).digest() for each in ids)
        return np.array([int.from_bytes(each, "big") % size for each in digests], dtype=np.int64)

    return scheme


def _checksum(size: int) -> Scheme:
    return lambda ids: np.array([zlib.crc32(str(int(each)).encode()) % size for each in ids], dtype=np.int64)


def schemes(size: int) -> list[Scheme]:
    """Shifts that follow the id, or that a hash of the id draws; as multiples of some step."""
    as_text: Callable[[int], bytes] = lambda each: str(each).encode()  # noqa: E731
    as_bytes: Callable[[int], bytes] = lambda each: each.to_bytes(8, "little", signed=True)  # noqa: E731
    hashes = [_hashed(name, size, text) for name in ("md5", "sha1", "sha256", "sha512") for text in (as_text, as_bytes)]
    return [lambda ids: ids % size, _checksum(size), *hashes]


def two_known_patients(
    ids: NDArray[np.int64], known: Sequence[tuple[int, int]], step: int, sizes: Sequence[int]
) -> Days:
    """Guess everybody's shift from the two whose shift is ``known`` (place in ``ids``, shift in days).

    The attacker tries shifts of ``step`` days times a number that follows from the id without a key, counted from 0,
    from 1 or from the middle; a scheme that fits both known patients is believed. The snapshot's design is public:
    ``sizes`` are the numbers of different shifts that it may have.
    """
    (one, shift), (other, other_shift) = known
    if shift == other_shift:
        return np.full(len(ids), shift)
    for size in sizes:
        for scheme in schemes(size):
            drawn = scheme(ids)
            for begin in (0, 1, -(size // 2), 1 - size // 2):
                guess = np.asarray(step * (drawn + begin), dtype=np.int64)
                if guess[one] == shift and guess[other] == other_shift:
                    return guess
    return np.full(len(ids), NO_GUESS)


def edge(last_days: Days, extract_ends: int) -> Days:
    """Guess shifts by the edge: everybody who is seen after all but a few is still observed when the extract ends.

    The attacker believes of the hundredth that is seen last that their true last day is that of the extract.
    """
    seen = last_days != NO_GUESS
    if not seen.any():
        return np.full(len(last_days), NO_GUESS)
    latest = seen & (last_days >= np.quantile(last_days[seen], 0.99))
    return np.where(latest, last_days - extract_ends, NO_GUESS)


def weekday(
    persons: NDArray[np.int64], days: Days, true_profile: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Days]:
    """Guess shifts modulo 7 by the days of the week on which people are seen.

    ``true_profile`` is how often each day of the week (from Monday) sees a visit: anybody knows that few are on Sunday.
    Gives the persons with at least :data:`MIN_VISITS` visits, and for each the rotation that is most likely.
    """
    who, place, visits = np.unique(persons, return_inverse=True, return_counts=True)
    counts = np.zeros((len(who), 7))
    np.add.at(counts, (place, (days + 3) % 7), 1)
    likely = np.stack([counts @ np.log(np.roll(true_profile, shift) + 1e-9) for shift in range(7)], axis=1)
    enough = visits >= MIN_VISITS
    return who[enough], likely.argmax(axis=1)[enough].astype(np.int64)


def redraw(observed: NDArray[np.int64]) -> Days:
    """Guess true days from several snapshots: rows of ``observed`` are snapshots, columns one day of each person.

    Of shifts that are drawn anew each time, as far forwards as backwards, the true day is the middle. Of the same shift
    each time there is one observation, however many snapshots, and nothing better to guess.
    """
    return np.asarray(np.rint((observed.min(axis=0) + observed.max(axis=0)) / 2), dtype=np.int64)


def sequence(source_order: NDArray[np.int64], ids: NDArray[np.int64]) -> float:
    """How far ids still follow the order of the source: Spearman's rank correlation, as its absolute value."""
    if len(ids) < 3:
        return 0.0
    one, other = (np.argsort(np.argsort(each)) for each in (source_order, ids))
    return float(abs(np.corrcoef(one, other)[0, 1]))


def sequence_limit(persons: int) -> float:
    """What chance does not pass once in a million times."""
    return 5.0 / float(np.sqrt(max(persons, 1)))


def linked(register: NDArray[np.int64], snapshot: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join a register of known people with a snapshot by what both say: rows are persons, columns what is said.

    Gives for each person of the register the row of the snapshot that alone says the same, :data:`NO_GUESS` where
    none or several do.
    """
    said, first, count = np.unique(snapshot, axis=0, return_index=True, return_counts=True)
    places = {tuple(row): int(first[at]) for at, row in enumerate(said.tolist()) if count[at] == 1}
    return np.array([places.get(tuple(row), NO_GUESS) for row in register.tolist()], dtype=np.int64)


def unique_gaps(gaps: NDArray[np.int64]) -> float:
    """The share of persons whose row of gaps between days nobody else has: moving days does not hide it."""
    if len(gaps) == 0:
        return 0.0
    _, count = np.unique(gaps, axis=0, return_counts=True)
    return float((count == 1).sum() / len(gaps))
