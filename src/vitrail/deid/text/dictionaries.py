"""Names and places by list: those that ship, and those that a site adds, one term a line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.lexicon import lexicon, listed, places
from vitrail.deid.text.page import Page, page
from vitrail.deid.text.spans import Category, Span
from vitrail.errors import SourceError

Trie = dict[str, list[tuple[tuple[str, ...], Category, bool]]]

_EPONYMOUS = listed("""
    risk score scores scale criteria classification rule rules index test sign study trial protocol system virus
    fever disease syndrome stage staging questionnaire brace bowel coma ankle knee consensus inventory equation
    formula technique procedure maneuver method catheter bag tube variant heart depression handicap cognitive
""")
"""What follows a place that is part of a medical term: 'Framingham risk score', 'Boston brace'."""

_SITED = listed("branch office clinic location area campus site facility resident native")

LONGEST_LIST = 1_000_000


@dataclass(frozen=True)
class Dictionaries:
    """Terms by their first word. ``strict`` terms count with a capital only, where the text has capitals."""

    terms: Trie


def dictionaries(site: Mapping[Category, Iterable[str]] | None = None) -> Dictionaries:
    """The lists that ship, with a site's own terms by category."""
    trie: Trie = {}
    for kind in ("city", "state", "country", "facility"):
        _add(trie, places(kind), "LOCATION", True)
    for category, terms in (site or {}).items():
        _add(trie, terms, category, False)
    for entries in trie.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return Dictionaries(trie)


def read_terms(path: Path) -> list[str]:
    """The terms of a site's file, one a line; empty lines and what begins with # are passed over.

    Raises SourceError where it cannot be read as UTF-8 text or has more than a million lines.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as UTF-8 text.", "Give a text file with one term a line.") from error
    if len(lines) > LONGEST_LIST:
        raise SourceError(f"{path} has more than a million lines.", "Split it, or leave out what is no name.")
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _add(trie: Trie, terms: Iterable[str], category: Category, strict: bool) -> None:
    for term in terms:
        words = _words(term)
        if words:
            trie.setdefault(words[0], []).append((words, category, strict))


def _words(term: str) -> tuple[str, ...]:
    return tuple(word for word in page(plain_letters(term)).words if word not in ".-'")


@lru_cache(maxsize=1)
def shipped() -> Dictionaries:
    """The lists that ship, made once in a process."""
    return dictionaries()


def find_by_dictionary(page: Page, lists: Dictionaries) -> Iterator[Span]:
    """Every term of the lists; full stops, hyphens and apostrophes within a term do not matter."""
    terms, reached = lists.terms, -1
    for index in page.where(terms.keys()):
        if index > reached:
            for words, category, strict in terms[page.words[index]]:
                last = _matched(page, index, words)
                if last and (not strict or _meant(page, index, last, words)):
                    reached = last - 1
                    yield Span(page.starts[index], page.end(last - 1), category, "dictionary")
                    break


def _matched(page: Page, index: int, words: tuple[str, ...]) -> int:
    """The index after the last word of a term that begins at a word, or 0."""
    at = index
    for each in words:
        while at < len(page.words) and at > index and page.raw[at] in ".-'":
            at += 1
        if at >= len(page.words) or page.words[at] != each:
            return 0
        at += 1
    return at


def _meant(page: Page, index: int, last: int, words: tuple[str, ...]) -> bool:
    """Whether a shipped term names a place here: with its capital, and not within the name of a score or a disease."""
    lists = lexicon()
    alone = len(words) == 1
    if page.words[last : last + 1] and page.words[last] in _EPONYMOUS:
        return False
    if alone and (words[0] in lists.terms or words[0] in lists.common) and not _placed(page, index):
        return False
    if alone and words[0] in lists.names and not _placed(page, index):
        return False
    if page.flat:
        return not alone or words[0] not in lists.common | lists.names
    return page.raw[last - 1][0].isupper() and (len(words[0]) > 3 or page.raw[index].isupper() or not alone)


def _placed(page: Page, index: int) -> bool:
    """Whether a word that may be something else stands where a place would: after 'in', or before a state."""
    before = page.words[index - 1] if index else ""
    if before in ("in", "from", "at", "near", "to", "outside", "of") and page.raw[index][0].isupper():
        return True
    if _SITED & set(page.words[index + 1 : index + 2]):
        return True
    state = page.raw[index + 2 : index + 3] if page.raw[index + 1 : index + 2] == [","] else []
    return any(len(each) == 2 and each.isupper() for each in state)
