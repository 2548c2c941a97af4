"""A folded text cut into words, which every lever reads."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from vitrail.deid.text.lexicon import lexicon

_WORD = re.compile(r"([^\W_]+|[^\w\s]|_)")
_ASCII_WORD = re.compile(r"([a-zA-Z0-9]+|[^\sa-zA-Z0-9])")
"""The same for texts of ASCII, and faster."""

_PIECE = re.compile(r"[a-z0-9]+")
_DIGITS = re.compile(r"[0-9]+")


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
        letters = sum(map(str.isalpha, firsts))
        if not any(map(str.isupper, firsts)):
            return letters > 0
        return letters > 0 and sum(map(str.isupper, self.raw)) > 0.8 * letters

    @cached_property
    def capitals(self) -> list[int]:
        """The indices of the words with a capital, where capitals say something."""
        return [] if self.flat else [index for index, raw in enumerate(self.raw) if raw[0].isupper()]

    def where(self, sought: AbstractSet[str]) -> list[int]:
        """The indices of the words that are sought."""
        spots = self.spots
        small = len(sought) < len(spots)
        met = [word for word in sought if word in spots] if small else [word for word in spots if word in sought]
        return sorted([index for word in met for index in spots[word]])

    @cached_property
    def spots(self) -> dict[str, list[int]]:
        """The indices of each word."""
        spots: dict[str, list[int]] = {}
        for index, word in enumerate(self.words):
            if word in spots:
                spots[word].append(index)
            else:
                spots[word] = [index]
        return spots

    @cached_property
    def squeezed(self) -> "Squeezed":
        """The letters and digits of the text, without signs and spaces."""
        return squeezed(self.low, _PIECE)

    @cached_property
    def digits(self) -> "Squeezed":
        """The digits of the text alone."""
        return squeezed(self.low, _DIGITS)

    @cached_property
    def numbers(self) -> list[int]:
        """The indices of the words that are no mere letters: numbers and codes."""
        return [index for index in self._others if self.words[index][0].isalnum()]

    @cached_property
    def signs(self) -> list[int]:
        """The indices of the words that are a sign."""
        return [index for index in self._others if not self.words[index][0].isalnum()]

    @cached_property
    def _others(self) -> list[int]:
        return [index for index, word in enumerate(self.words) if not word.isalpha()]

    def digits_within(self, start: int, most: int) -> bool:
        """Whether a digit stands among the next ``most`` characters."""
        starts = self.digits.starts
        at = bisect_left(starts, start)
        return at < len(starts) and starts[at] < start + most

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


@dataclass(frozen=True)
class Squeezed:
    """Runs of a text put together. By run: ``before``, how many characters are in those before it, and ``starts``,
    where it stood."""

    text: str
    before: list[int]
    starts: list[int]

    def place(self, at: int) -> int:
        """Where a character of the squeezed text stood."""
        run = bisect_right(self.before, at) - 1
        return self.starts[run] + at - self.before[run]


def squeezed(text: str, run: re.Pattern[str]) -> Squeezed:
    """What of ``text`` is of the runs."""
    runs = [(match[0], match.start()) for match in run.finditer(text)]
    texts = [each for each, _ in runs]
    return Squeezed("".join(texts), list(accumulate(map(len, texts), initial=0)), [start for _, start in runs])


def page(text: str) -> Page:
    """``text``, folded already, as a page."""
    pieces = (_ASCII_WORD if text.isascii() else _WORD).split(text)
    starts = list(accumulate(map(len, pieces), initial=0))
    raw = pieces[1::2]
    return Page(text, text.lower(), raw, list(map(str.lower, raw)), starts[1:-1:2])
