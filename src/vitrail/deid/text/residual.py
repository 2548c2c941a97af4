"""A second look at a cleaned note, by other means than those that cleaned it.

The levers look for words, lists and patterns. This scan knows none of them: it squeezes what is left of the note to
letters and digits and looks for pieces of what is known of the person, and it looks at the bare shape of what is left
(long runs of digits, signs of addresses, strange capitals). It repairs nothing: a note that it finds fault with is for
a person to look at.
"""

import re
import unicodedata
from collections.abc import Iterable

from vitrail.deid.text.spans import Known, Span

PIECE = 4
"""Letters of a known name that are looked for together, across spaces, signs and line ends."""
DIGITS = 5
"""Digits of a known number that are looked for together."""

_LONG = re.compile(r"\d(?:[ .()/-]{0,2}\d){8,}")
_STRANGE = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,14}(?: [A-Z]\.)? [A-Z][a-z]{2,14}\b")
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
    if _SIGN.search(left):
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


def _squeezed(text: str) -> str:
    """Letters without accents and digits, in lower case; what was taken out stays as a mark."""
    if not text.isascii():
        text = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9\x00]", "", text.lower())


def _pieces_left(left: str, known: Known, common: frozenset[str]) -> bool:
    squeezed = _squeezed(left)
    words = {word for name in known.names for word in re.findall(r"[a-z]+", _lowered(name))}
    for word in words:
        if len(word) >= PIECE and word not in common and word in squeezed and not _within_words(word, left):
            return True
    numbers = (re.sub(r"\D", "", number) for number in (*known.ids, *known.phones))
    digits = re.sub(r"[^0-9\x00]+", "", re.sub(r"[A-Za-z]", GONE, left))
    return any(len(number) > DIGITS and number in digits for number in numbers)


def _lowered(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(each))


def _within_words(word: str, left: str) -> bool:
    """Whether a name is only part of longer words, or made of the ends of two: 'ester' in 'cholesterol'."""
    spaced = re.sub(r"[^a-z0-9\x00]+", " ", _lowered(left))
    gaps = "[ ]?".join(word)
    return all(_inside(spaced, match) for match in re.finditer(gaps, spaced))


def _inside(spaced: str, match: re.Match[str]) -> bool:
    before, after = spaced[match.start() - 1 : match.start()], spaced[match.end() : match.end() + 1]
    return before.isalpha() or after.isalpha()
