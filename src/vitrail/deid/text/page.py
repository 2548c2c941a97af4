"""A folded text cut into words, which every lever reads."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from vitrail.deid.text.lexicon import lexicon

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_PIECE = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Page:
    """``raw`` and ``words`` (lower case) are runs of letters and digits, or single other characters."""

    text: str
    low: str
    raw: list[str]
    words: list[str]
    starts: list[int]

    def end(self, index: int) -> int:
        """Where a word ends."""
        return self.starts[index] + len(self.raw[index])

    @cached_property
    def flat(self) -> bool:
        """Whether capitals say nothing here: (nearly) all letters are of one case."""
        firsts = [each[0] for each in self.raw]
        capitals = sum(map(str.isupper, firsts))
        shouted = sum(map(str.isupper, self.raw))
        letters = sum(map(str.isalpha, firsts))
        return letters > 0 and (capitals == 0 or shouted > 0.8 * letters)

    def where(self, sought: AbstractSet[str]) -> list[int]:
        """The indices of the words that are sought."""
        spots = self.spots
        return sorted(index for word in spots.keys() & sought for index in spots[word])

    @cached_property
    def spots(self) -> dict[str, list[int]]:
        """The indices of each word."""
        spots: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(self.words):
            spots[word].append(index)
        return dict(spots)

    def place(self, number: int) -> int:
        """Where a letter or digit stands, by its number among those of the text, signs and spaces left out."""
        before, starts = self._pieces
        piece = bisect_right(before, number) - 1
        return starts[piece] + number - before[piece]

    @cached_property
    def _pieces(self) -> tuple[list[int], list[int]]:
        """For each run of letters and digits: how many of them are before it, and where it begins."""
        runs = [match.span() for match in _PIECE.finditer(self.low)]
        return list(accumulate((end - start for start, end in runs), initial=0)), [start for start, _ in runs]

    @cached_property
    def numbers(self) -> list[int]:
        """The indices of the words that are no mere letters: numbers, codes, signs."""
        return [index for index, word in enumerate(self.words) if not word.isalpha()]

    def begins_sentence(self, index: int) -> bool:
        """Whether a word is the first of its sentence or line, so that its capital says little."""
        if index == 0:
            return True
        if self.raw[index - 1] == "." and index > 1 and len(self.raw[index - 2]) == 1 and self.raw[index - 2].isupper():
            return False  # what follows an initial
        between = self.text[self.end(index - 1) : self.starts[index]]
        return "\n" in between or self.raw[index - 1] in '.?!:;*•-"'

    def strange(self, index: int) -> bool:
        """Whether a word has a capital as names have and is in no list of words and terms."""
        raw, word, lists = self.raw[index], self.words[index], lexicon()
        capital = raw.istitle() and raw.isalpha() and len(raw) > 2 and not self.flat
        return capital and word not in lists.common and word not in lists.terms

    def namelike(self, index: int) -> bool:
        """Whether a word may be part of a name: capital and not of the language, or a name by the lists."""
        raw, word = self.raw[index], self.words[index]
        if not raw.isalpha():
            return False
        words = lexicon()
        if word in words.common:
            named = word in words.names and raw[0].isupper() and not self.flat
            return named and (len(word) > 2 or not self.begins_sentence(index))
        if raw[0].isupper() and not self.flat:
            return len(raw) < 2 or not raw.isupper() or word in words.names or len(raw) > 5
        return len(word) > 2 and self.flat


def page(text: str) -> Page:
    """``text``, folded already, as a page."""
    matches = list(_WORD.finditer(text))
    raw = [match.group() for match in matches]
    return Page(text, text.lower(), raw, [each.lower() for each in raw], [match.start() for match in matches])
