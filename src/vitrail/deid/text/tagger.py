"""A small tagger: the words about a word tell what it is, whatever word it is.

A feed-forward network over a window of words (after Collobert et al., J Mach Learn Res 2011;12:2493-2537). A word is
the sum of hashed features (itself where it is a word of the lists, its ending, its shape, the lists it is in), which
is computed once for each word and kept; so tagging a note is one gather and two products of matrices. The weights
ship with the package as 8-bit integers and are made again by ``python -m vitrail.deid.text.train``.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vitrail.deid.text.codes import about_codes
from vitrail.deid.text.lexicon import lexicon, listed, places
from vitrail.deid.text.localities import GENERIC
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import CATEGORIES, Category, Span

LABELS = ("O", *CATEGORIES)
BUCKETS = 16384
REACH = 3
"""Words to the left and to the right that are looked at."""

STRANGE = "\x01"
"""Marks a word, in training, as one that no list has: rare words of the language are no names, and rare names are."""

BLOCK = 4096
"""Words that are scored at once."""

ROWS = 32
"""Words that are multiplied at once. Over 2^18 multiplications OpenBLAS starts threads on every core, which wait for
each other for longer than so small a product takes."""

MOST_WORDS = 100_000
"""Words that are kept with what they are; past this many, all are forgotten."""

Floats = NDArray[np.float32]

_FACILITY = listed(
    "hospital clinic center centre medical health university college school institute street avenue road"
)
_CALENDAR = listed("""
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct nov dec
""")


@lru_cache(maxsize=1)
def _town_words() -> frozenset[str]:
    named = (*places("city"), *places("facility"))
    return frozenset(word for name in named for word in name.lower().replace("-", " ").split())


def features(key: str) -> list[int]:
    """The hashed features of a word. Its key may begin with a line end, and with :data:`STRANGE`: a word of no list."""
    fresh, raw = key[:1] == "\n", key.lstrip("\n\x01")
    word = raw.lower()
    lists = lexicon()
    listed = STRANGE not in key
    plain = listed and word in lists.common
    named = ["bias", f"shape={shape(raw)}"]
    if plain or len(word) == 1 or word in _FACILITY:
        named.append(f"word={word}")
    if listed and word in lists.terms:
        named += [f"term={word}", "term"]
    if word.isalpha() and len(word) > 2:
        named += [f"end={word[-3:]}", f"end={word[-2:]}", f"begin={word[:2]}"]
        named += [f"within={piece}" for piece in {f"^{word}$"[at : at + 3] for at in range(min(len(word), 16))}]
    flags = (
        plain,
        listed and word in lists.given,
        listed and word in lists.surname,
        listed and word in lists.nicknames,
        listed and word in _town_words(),
        word in _CALENDAR,
    )
    named += [f"in={at}" for at, flag in enumerate(flags) if flag]
    named += ["unlisted"] if word.isalpha() and not any(flags) and "term" not in named else []
    named += [f"cap={raw[0].isupper()},{plain}"] if word.isalpha() else []
    named += ["fresh"] if fresh else []
    return [zlib.crc32(each.encode()) % BUCKETS for each in named]


def shape(raw: str) -> str:
    """Xx, X, XX, x, digits by their number, or the sign itself."""
    if raw.isalpha():
        if raw.isupper():
            return "X" if len(raw) == 1 else f"XX{min(len(raw), 5)}"
        return "Xx" if raw[0].isupper() and raw[1:].islower() else "xx" if raw.islower() else "xX"
    if raw.isdigit():
        return f"d{min(len(raw), 9)}"
    return raw if len(raw) == 1 else "xd"


@dataclass(frozen=True)
class Weights:
    """``words``: buckets x width; ``inner``: (window x width) x hidden; ``outer``: hidden x labels."""

    words: Floats
    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats


@dataclass
class Tagger:
    """The weights, and the vectors of the words met so far in this process, in the first ``len(known)`` rows."""

    weights: Weights
    known: dict[str, int] = field(default_factory=dict)
    vectors: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def scores(self, page: Page) -> Floats:
        """The score of each label for each word: words x labels. A block of words at a time, so memory is bounded."""
        words, weights = keys(page), self.weights
        blocks = [self._scores(words, first, weights) for first in range(0, len(words), BLOCK)]
        return np.concatenate(blocks)

    def _scores(self, words: Sequence[str], first: int, weights: Weights) -> Floats:
        """The scores of a block of words, with their neighbours; beyond the ends of the page there is nothing."""
        last = min(first + BLOCK, len(words))
        begin, end = max(0, first - REACH), min(len(words), last + REACH)
        groups, width = -(-(last - first) // ROWS), weights.words.shape[1]
        padded = np.zeros((groups * ROWS + 2 * REACH, width), np.float32)
        padded[begin - first + REACH : end - first + REACH] = self._vectors(words[begin:end])
        window = sliding_window_view(padded.ravel(), (2 * REACH + 1) * width)[::width].reshape(groups, ROWS, -1)
        hidden = np.maximum(window @ weights.inner + weights.inner_bias, 0)
        scores = hidden @ weights.outer + weights.outer_bias
        return np.asarray(scores.reshape(groups * ROWS, -1)[: last - first], np.float32)

    def _vectors(self, words: Sequence[str]) -> Floats:
        if len(self.known) + len(words) > len(self.vectors):
            self.known.clear()
            self.vectors = np.empty((max(MOST_WORDS, len(words)), self.weights.words.shape[1]), np.float32)
        known = self.known
        if fresh := {word: features(word) for word in words if word not in known}:
            begins = list(accumulate(map(len, fresh.values()), initial=0))[:-1]
            buckets = self.weights.words.take(list(chain.from_iterable(fresh.values())), axis=0)
            self.vectors[len(known) : len(known) + len(fresh)] = np.add.reduceat(buckets, begins, axis=0)
            known.update(zip(fresh, range(len(known), len(known) + len(fresh)), strict=True))
        return self.vectors.take(list(map(known.__getitem__, words)), axis=0)


def keys(page: Page) -> list[str]:
    """The words of a page; the first of a line has a line end before it."""
    words = list(page.raw)
    at = -1
    while words:
        index = bisect_left(page.starts, at)
        if index < len(words):
            words[index] = f"\n{page.raw[index]}"
        at = page.text.find("\n", at + 1)
        if at < 0:
            break
    return words


@lru_cache(maxsize=1)
def shipped_tagger() -> Tagger:
    """The tagger that ships, read once in a process."""
    with (files(__package__) / "data" / "tagger.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        scaled = {name: arrays[name].astype(np.float32) * arrays[f"{name}_scale"] for name in Weights.__annotations__}
    return Tagger(Weights(**scaled))


def find_by_tagger(page: Page, tagger: Tagger) -> Iterator[Span]:
    """Words that the tagger takes for identifiers; neighbours of one category are one span."""
    if not page.words:
        return
    scores = tagger.scores(page)
    _favour_strangers(page, scores)
    found = scores.argmax(axis=1)
    if not found.any():
        return
    sure = scores.max(axis=1) - scores[:, 0]
    bounds = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), len(found)]
    for first, last in pairwise(bounds):
        if found[first]:
            category = CATEGORIES[int(found[first]) - 1]
            for part in _parts(page, first, last, category):
                if believed(page, *part, category, float(sure[first:last].max())):
                    yield Span(page.starts[part[0]], page.end(part[1] - 1), category, "tagger")


def _favour_strangers(page: Page, scores: Floats) -> None:
    """Raise the score of NAME of words that no list has: written like a name and no known word, it mostly is one."""
    name = LABELS.index("NAME")
    for index in np.flatnonzero(scores[:, 0] - scores[:, name] < CAPITAL).tolist():
        word, raw = page.words[index], page.raw[index]
        if len(word) > 2 and word.isalpha() and not _ordinary(word):
            capital = raw.istitle() and not page.flat and not page.begins_sentence(index)
            scores[index, name] += CAPITAL if capital else OTHERWISE


CAPITAL, OTHERWISE = 8.0, 2.0
"""What is added to the score of NAME for a word of no list: with a capital of its own, and without."""


def _parts(page: Page, first: int, last: int, category: Category) -> Iterator[tuple[int, int]]:
    """A run of words cut where a line or a sentence ends, without the signs at the ends of the pieces."""
    cuts = [
        at
        for at in range(first + 1, last)
        if page.begins_sentence(at) or "\n" in page.text[page.end(at - 1) : page.starts[at]]
    ]
    for begin, end in pairwise([first, *cuts, last]):
        while begin < end and not _may_border(page.raw[begin], category):
            begin += 1
        while end > begin and not _may_border(page.raw[end - 1], category):
            end -= 1
        if begin < end:
            yield begin, end


def _may_border(raw: str, category: Category) -> bool:
    """Whether a word may be the first or last of a span: no sign, no small letter alone, no article."""
    if category == "DATE":
        return raw[0].isdigit() or raw.lower() in _CALENDAR
    return raw.isalnum() and not (len(raw) == 1 and raw.islower()) and raw not in ("the", "our")


def believed(page: Page, first: int, last: int, category: Category, sure: float) -> bool:
    """Whether to believe the tagger, given how ``sure`` it is: it sees shapes, and shapes mislead.

    Numbers are mostly left to the rules, which know more of them; names and places need a capital where the text has
    capitals, and more than a capital where every word of their place would have one.
    """
    words, raw = page.words[first:last], page.raw[first:last]
    digits = sum(sum(map(str.isdigit, word)) for word in words)
    if category not in ("NAME", "LOCATION"):
        if about_codes(page, first) or _inside_a_number(page, first, last):
            return False
        return digits >= 5 or (category == "DATE" and digits >= 3 and "/" in words)
    if sum(map(len, words)) < 2 or digits or (all(map(_ordinary, words)) and not _name_by_capital(page, first, last)):
        return False
    listed = any(word in lexicon().names or word in _town_words() for word in words)
    if page.flat:
        return sure > (FLAT_LISTED if listed else FLAT)
    if not any(each[0].isupper() for each in raw):
        return category == "NAME" and sure > SMALL
    if len(raw) == 1 and raw[0].isupper() and len(raw[0]) < 5 and not listed:
        return sure > ACRONYM
    doubtful = len(words) == 1 and (page.begins_sentence(first) or (raw[0].isupper() and len(raw[0]) > 1))
    return sure > (0 if listed else DOUBTFUL if doubtful else UNLISTED)


def _inside_a_number(page: Page, first: int, last: int) -> bool:
    """Whether digits go on before or after a point, as in a dose of 0.12/0.015."""
    before, after = page.text[: page.starts[first]][-2:], page.text[page.end(last - 1) :][:2]
    return (before[-1:] == "." and before[:1].isdigit()) or (after[:1] == "." and after[1:].isdigit())


FLAT, FLAT_LISTED, DOUBTFUL, UNLISTED, SMALL, ACRONYM = 0.5, 0.0, 0.5, 0.0, 3.0, 4.0
"""How much higher than 'no identifier' a category must score, by what speaks against it. Chosen on the dev part of
ASQ-PHI and the train files of the carriers."""


def _name_by_capital(page: Page, first: int, last: int) -> bool:
    """Whether a common word that is a name too, like Rose, stands with a capital that no sentence gave it."""
    return any(
        page.words[at] in lexicon().names and page.namelike(at) and not page.begins_sentence(at)
        for at in range(first, last)
        if page.words[at] not in lexicon().terms
    )


def _ordinary(word: str) -> bool:
    """Whether a word identifies nobody by itself."""
    lists = lexicon()
    short = len(word) < 3 and word not in lists.names
    return short or word in lists.terms or word in lists.common or word in GENERIC or not word.isalnum()
