"""The residual scan: a second look at a cleaned note, by other means than those that cleaned it.

The levers look for words, lists and patterns. This scan knows none of them: it squeezes what is left of the note to
letters and digits and looks for pieces of what is known of the person, and it looks at the bare shape of what is left
(long runs of digits, signs of addresses, strange capitals). It repairs nothing: a note that it finds fault with is for
a person to look at. (What is searched in a finished snapshot is in :mod:`vitrail.deid.snapshot_search`.)
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from vitrail.deid.text.spans import Known, Span

PIECE = 4
"""Letters of a known name that are looked for together, across spaces, signs and line ends."""
DIGITS = 5
"""Digits of a known number that are looked for together."""

_OTHER = re.compile(r"[^\x00-\x7f]")
_LONG = re.compile(r"\d(?:[ .()/-]{0,2}\d){8,}")
_STRANGE = re.compile(r"[A-Z](?<=[a-z,] .)[a-z]{2,14}(?: [A-Z]\.)? [A-Z][a-z]{2,14}\b")
_SIGN = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.\w|https?://|\bwww\.", re.ASCII)
GONE = "\x00"
"""Stands where something was taken out, so that nothing is read across it."""


def residual(text: str, spans: Iterable[Span], known: Known | None, common: frozenset[str]) -> str | None:
    """Why a person should look at a note, or None. ``text`` is the plain note, ``spans`` what was found in it.

    The reason is one of a few constants: it never quotes the note.
    """
    left = _left(text, spans)
    if known is not None and _pieces_left(left, known, common):
        return "something known of the person seems to be left"
    if any(sign in left for sign in ("@", "://", "www.")) and _SIGN.search(left):
        return "something like an address of mail or of a page is left"
    if any(sum(character.isdigit() for character in match[0]) > 8 for match in _LONG.finditer(left)):
        return "a long number is left"
    if any(not common & set(match[0].lower().replace(".", "").split()) for match in _STRANGE.finditer(left)):
        return "capital words that may be a name are left"
    return None


def _left(text: str, spans: Iterable[Span]) -> str:
    out, at = [], 0
    for span in sorted(spans):
        out.append(text[at : span.start])
        at = max(at, span.end)
    return GONE.join([*out, text[at:]])


@dataclass(frozen=True)
class Pieces:
    """What is looked for: words of names without accents, and the digits of numbers."""

    words: tuple[str, ...]
    numbers: tuple[str, ...]


@lru_cache(maxsize=512)
def _pieces(known: Known) -> Pieces:
    words = {word for name in known.names for word in re.findall(r"[a-z]+", _lowered(name)) if len(word) >= PIECE}
    numbers = {re.sub(r"\D", "", number) for number in (*known.ids, *known.phones)}
    return Pieces(tuple(sorted(words)), tuple(sorted(number for number in numbers if len(number) > DIGITS)))


_LETTERS_AND_DIGITS = {at: None for at in range(128) if not chr(at).isalnum() and chr(at) != GONE}
_DIGITS_ONLY: dict[int, str | None] = {**_LETTERS_AND_DIGITS, **{at: GONE for at in range(128) if chr(at).isalpha()}}


def _pieces_left(left: str, known: Known, common: frozenset[str]) -> bool:
    pieces, lowered = _pieces(known), _lowered(left)
    squeezed = lowered.translate(_LETTERS_AND_DIGITS)
    for word in pieces.words:
        if word not in common and word in squeezed and not _within_words(word, lowered):
            return True
    digits = lowered.translate(_DIGITS_ONLY)
    return any(number in digits for number in pieces.numbers)


def _lowered(text: str) -> str:
    """Lower case without accents; what is no ASCII after that is left out. What was taken out stays as a mark."""
    return (text if text.isascii() else _OTHER.sub(lambda match: _bare(match[0]), text)).lower()


@lru_cache(maxsize=20_000)
def _bare(character: str) -> str:
    """One at a time: to normalize a long run of accents takes the square of its length."""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()


def _within_words(word: str, lowered: str) -> bool:
    """Whether a name is only part of longer words, or made of the ends of two: 'ester' in 'cholesterol'."""
    spaced = re.sub(r"[^a-z0-9\x00]+", " ", lowered)
    gaps = "[ ]?".join(word)
    return all(_inside(spaced, match) for match in re.finditer(gaps, spaced))


def _inside(spaced: str, match: re.Match[str]) -> bool:
    before, after = spaced[match.start() - 1 : match.start()], spaced[match.end() : match.end() + 1]
    return before.isalpha() or after.isalpha()
