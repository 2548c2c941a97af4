"""Rules for places by what is said about them: where somebody was seen, taken to, lives or comes from."""

from collections.abc import Iterator

from vitrail.deid.text.lexicon import lexicon, listed
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import Span

_MOVES = listed("""
    seen admitted treated hospitalized evaluated transferred discharged presented presenting referred followed
    visited operated performed surgery moved sent transported returned released visit appointment care stay living
    resides residing lives
""")
_LIVES = listed("""
    lives live lived living resides residing born raised moved works working grew home house based office care school
    native family apartment farm hospital clinic church job seen hospitalized stationed vacation vacationing
""")
_PREPOSITIONS = listed("at to from in near outside")
_OPEN = listed("at from in near outside")
"""After these a strange capital word is a place, whatever is said before."""

_SITES = listed("center centre branch campus va office clinic building facility")
_ENDS = listed("on for with after and who where since by last this when during")


def find_whereabouts(page: Page) -> Iterator[Span]:
    """Places by the words before and behind them."""
    for index in page.where(_PREPOSITIONS):
        yield from _moved(page, index, page.words[index])
        if page.words[index] in _OPEN:
            yield from _strangely_called(page, index)
    for index in page.where(_SITES):
        if page.raw[index][0].isupper() and not page.flat:
            yield from _site(page, index)


def _strangely_called(page: Page, index: int) -> Iterator[Span]:
    """'from Trickrow', 'in the Sviabouth', 'at our Attrcote branch': capital words of no list, before a pause."""
    first = index + 2 if page.words[index + 1 : index + 2] in (["the"], ["our"]) else index + 1
    last = first
    while last < len(page.words) and last - first < 5 and (page.strange(last) or _within(page, last, first)):
        last += 1
    if last > first and any(page.strange(at) for at in range(first, last)) and _ended(page, last):
        yield Span(page.starts[first], page.end(last - 1), "LOCATION", "rule")


def _within(page: Page, at: int, first: int) -> bool:
    """A word that may stand in the name of a place beside a strange one: 'New Xiayi', 'Stavas-Apneicton'."""
    if page.raw[at] == "-":
        return at > first and at + 1 < len(page.words) and page.strange(at + 1)
    return page.raw[at] in ("New", "North", "South", "East", "West", "Lake", "Port", "Mount", "Fort", "San", "Santa")


def _ended(page: Page, last: int) -> bool:
    """Whether what follows goes on after a place: a sign, a word like 'on', or a kind of site."""
    after = page.words[last] if last < len(page.words) else "."
    return not after[0].isalnum() or after in _ENDS or after in _SITES


def _site(page: Page, index: int) -> Iterator[Span]:
    """'Uchi Dari. Center', 'Doroslana VA': strange capital words before a kind of site."""
    first = index - 1 if index and page.raw[index - 1] == "." else index
    end = first
    while first > 0 and end - first < 4 and page.raw[first - 1].istitle() and page.namelike(first - 1):
        first -= 1
    if first < end and any(page.strange(at) for at in range(first, end)):
        yield Span(page.starts[first], page.end(index), "LOCATION", "rule")


def _moved(page: Page, index: int, word: str) -> Iterator[Span]:
    """'seen at Cedar Crest': capital words of no language after where somebody was seen or taken to."""
    moves = _LIVES if word == "in" else _MOVES
    if page.flat or not (word == "at" or any(each in moves for each in page.words[max(0, index - 3) : index])):
        return
    first = index + 2 if page.words[index + 1 : index + 2] == ["the"] else index + 1
    last, lists = first, lexicon()
    while last < len(page.words) and last - first < 4 and page.raw[last].isalpha() and page.raw[last][0].isupper():
        of_language = page.words[last] in lists.common and not page.namelike(last)
        if of_language or "\n" in page.text[page.end(last - 1) : page.starts[last]]:
            break
        last += 1
    words = page.words[first:last]
    whole = all(len(each) > 2 and each not in lists.terms for each in words)
    if words and whole and not (page.raw[first].isupper() and len(words) == 1 and (word != "at" or len(words[0]) < 4)):
        yield Span(page.starts[first], page.end(last - 1), "LOCATION", "rule")
