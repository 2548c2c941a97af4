"""What was found in a note, and what is known of its person beforehand."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Category = Literal["NAME", "DATE", "LOCATION", "ID", "CONTACT", "AGE"]

CATEGORIES: tuple[Category, ...] = ("NAME", "DATE", "LOCATION", "ID", "CONTACT", "AGE")

METHODS = ("known", "dictionary", "rule", "tagger")
"""The levers, strongest first. Of spans of one length, the stronger lever names the category."""


class Span(NamedTuple):
    """A stretch of text that identifies somebody: code points ``start`` to ``end`` (exclusive), and who found it.

    A tuple, for a note makes and sorts many.
    """

    start: int
    end: int
    category: Category
    method: str


@dataclass(frozen=True)
class Known:
    """The identifiers of one person that the structured record holds, as they are written there."""

    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cleaned:
    """A note without its identifiers.

    ``spans`` are offsets into the text that was given; ``quarantine`` is the reason why a person should look at the
    note before it is used, or None. The reason never quotes the note.
    """

    text: str
    spans: tuple[Span, ...]
    quarantine: str | None


def merged(found: Iterable[Span]) -> list[Span]:
    """Spans that overlap become one, under the category and method of what is known, then of the longest."""
    out: list[Span] = []
    for span in sorted(found):
        if out and span.start < out[-1].end:
            out[-1] = _both(out[-1], span)
        else:
            out.append(span)
    return out


def joined(spans: Iterable[Span], text: str) -> list[Span]:
    """Places that name one place together become one: 'Mercy Hospital in Chicago', 'Oak Park, IL'."""
    out: list[Span] = []
    for span in spans:
        before = out[-1] if out else None
        if before and before.category == span.category == "LOCATION" and text[before.end : span.start] in _WITHIN:
            out[-1] = Span(before.start, span.end, "LOCATION", before.method)
        else:
            out.append(span)
    return out


_WITHIN = (" ", ", ", " in ", ",", " at ", "-", " downtown ")


def _both(first: Span, second: Span) -> Span:
    best = min(
        first, second, key=lambda each: (each.method != "known", each.start - each.end, METHODS.index(each.method))
    )
    return Span(first.start, max(first.end, second.end), best.category, best.method)
