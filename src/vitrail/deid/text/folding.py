"""Text as matching sees it: accents, look-alike letters, wide digits and invisible characters folded away.

Every step keeps a map back to the text that it was given, so that what is found can be told as offsets into the input.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

LOOKALIKES = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛԝһӏьгпЗмтнкв" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορτυχκ",
        "ABESIJKMHOPCTYXaesijopcyxdqwhlbrn3mthkb" + "ABEZHIKMNOPTYXaivoptuxk",
        strict=True,
    )
)
"""Cyrillic and Greek letters by the Latin letter that they look like (after Unicode UTS #39, confusables)."""

SPELLED = {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "þ": "th",
           "Þ": "Th", "ð": "d", "Ð": "D", "œ": "oe", "Œ": "OE", "ı": "i", "ŀ": "l", "ħ": "h", "ŋ": "n"}  # fmt: skip
PUNCTUATION = (
    dict.fromkeys("‘’‛`´ʼʹ′", "'")
    | dict.fromkeys("“”„″«»", '"')
    | dict.fromkeys("‐‑‒–—―−﹣", "-")
    | {"∕": "/", "⁄": "/"}
)

_OTHER = re.compile(r"[^\x00-\x7f]")
INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Mapped:
    """A text made from another: ``starts[i]`` and ``ends[i]`` are where its character i stood there; None: the same."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of this text, not empty, stood in the text that it was made from."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def assembled(pieces: Iterable[tuple[str, int, int]]) -> Mapped:
    """A text from pieces, each with the start and end of what it stands for; of equal lengths, one to one."""
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for piece, start, end in pieces:
        text.append(piece)
        if len(piece) == end - start:
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        else:
            starts.extend([start] * len(piece))
            ends.extend([end] * len(piece))
    return Mapped("".join(text), starts, ends)


def folded(text: str) -> Mapped:
    """``text`` for matching. Its lower case has the same length, whatever was given."""
    if text.isascii() and not INVISIBLE.search(text):
        return Mapped(text)
    if all(len(fold(character)) == 1 for character in set(text)):
        return Mapped(_OTHER.sub(lambda match: fold(match[0]), text))
    return assembled((fold(character), at, at + 1) for at, character in enumerate(text))


@lru_cache(maxsize=20_000)
def fold(character: str) -> str:
    """What one character is folded to; empty where it cannot be seen."""
    if character.isascii():
        return "" if INVISIBLE.match(character) else character
    for table in (LOOKALIKES, SPELLED, PUNCTUATION):
        if character in table:
            return table[character]
    if character.isdigit():
        return str(unicodedata.digit(character))
    parts = [each for each in unicodedata.normalize("NFKD", character) if unicodedata.category(each) not in _UNSEEN]
    plain = "".join(LOOKALIKES.get(each, PUNCTUATION.get(each, each)) for each in parts)
    return plain if len(plain.lower()) == len(plain) else plain[:1] if len(plain[:1].lower()) == 1 else "?"


_UNSEEN = ("Mn", "Me", "Cf", "Cc", "Cn", "Co", "Cs")


def plain_letters(text: str) -> str:
    """``text`` folded, without its map."""
    return text if text.isascii() else "".join(map(fold, text))
