"""Slips of the pen and of OCR: words that differ by one edit, or only in letters that look alike.

A word and another that differ by one edit have a form in common: the word itself, or the word without one of its
letters (Garbe's symmetric delete index). So words are found by looking forms up, and each hit is then checked.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from vitrail.deid.text.spans import Category

_MISREAD = str.maketrans("015!|$8", "olsllsb")
Sought = tuple[str, Category]
"""A word, and what it is."""

LONGEST = 40
"""Longer words have no forms but themselves: no name is so long, and the forms of a word are as many as its letters."""


def misread(word: str) -> str:
    """One form for words that OCR takes for each other: 0 and O, 1, l and I, 5 and S, rn and m, cl and d."""
    return word.translate(_MISREAD).replace("i", "l").replace("rn", "m").replace("vv", "w").replace("cl", "d")


def off_by_one(first: str, second: str) -> bool:
    """Whether one insertion, deletion, change or swap of neighbours makes one word the other."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return first == second
    at = 0
    while at < min(len(first), len(second)) and first[at] == second[at]:
        at += 1
    if len(first) == len(second):
        swapped = first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]
        return swapped or first[at + 1 :] == second[at + 1 :]
    return first[at + 1 :] == second[at:] if len(first) > len(second) else first[at:] == second[at + 1 :]


def _shortened(word: str) -> Iterator[str]:
    yield word
    if len(word) <= LONGEST:
        yield from (word[:at] + word[at + 1 :] for at in range(len(word)))


@lru_cache(maxsize=50_000)
def forms(word: str) -> tuple[str, ...]:
    """The word, the word without each of its letters, and as OCR confuses it."""
    return (*_shortened(word), misread(word))


def by_forms(words: Iterable[Sought]) -> dict[str, tuple[Sought, ...]]:
    """Words, each with what it is, by each of their forms."""
    index: dict[str, tuple[Sought, ...]] = {}
    for word, what in words:
        for form in _shortened(word):
            index[form] = (*index.get(form, ()), (word, what))
    return index


def alike(word: str, index: Mapping[str, tuple[Sought, ...]]) -> Iterator[Sought]:
    """The words of an index that are off by one edit at most, some of them twice."""
    for form in _shortened(word):
        for other, what in index.get(form, ()):
            if off_by_one(word, other):
                yield other, what
