"""The word lists that ship with the package, and what each word is known to be."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from vitrail.deid.text.folding import plain_letters

ORIGINS = ("anglo", "hispanic", "chinese", "indian", "arabic", "vietnamese", "korean", "african", "slavic", "greek")
"""The ten origins over which recall is compared; the lists have more."""


def listed(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Lexicon:
    """Sets of lower-case words.

    ``common``: words of English and of medicine. ``terms``: names of diseases, drugs and the like, which look like
    names of people and are none. ``given`` and ``surname``: word to the origins it is used in (given names with their
    gender, ``anglo:f``). ``nicknames``: word to the given names that it stands for.
    """

    common: frozenset[str]
    terms: frozenset[str]
    given: dict[str, tuple[str, ...]]
    surname: dict[str, tuple[str, ...]]
    nicknames: dict[str, tuple[str, ...]]
    short_for: dict[str, tuple[str, ...]]
    names: frozenset[str]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lists, read once in a process."""
    given: dict[str, tuple[str, ...]] = {}
    surname: dict[str, tuple[str, ...]] = {}
    for row in rows("names.csv"):
        table, tag = (surname, row["origin"]) if row["kind"] == "s" else (given, f"{row['origin']}:{row['kind']}")
        for name in row["names"].lower().split():
            table[name] = (*table.get(name, ()), tag)
    short_for = {row["name"]: tuple(plain_letters(row["nicknames"]).split()) for row in rows("nicknames.csv")}
    nicknames: dict[str, tuple[str, ...]] = {}
    for name, shorts in short_for.items():
        for short in shorts:
            nicknames[short] = (*nicknames.get(short, ()), name)
    terms = frozenset(plain_letters(term.lower()) for term in words("terms.txt"))
    names = frozenset({*given, *surname, *nicknames})
    common = frozenset(words("words.txt"))
    common |= frozenset(form for word in common for form in _inflected(word)) - names - terms
    return Lexicon(common, terms, given, surname, nicknames, short_for, names)


def _inflected(word: str) -> Iterator[str]:
    """The regular forms of a word of four letters or more, some of which English does not have."""
    if len(word) > 3:
        stem = word.removesuffix("e")
        yield from (f"{word}s", f"{word}es", f"{stem}ed", f"{stem}ing", f"{word}ly")


@cache
def places(kind: str) -> tuple[str, ...]:
    """The places of one kind: state, city, country, facility, surrogate."""
    return tuple(next(row["names"] for row in rows("places.csv") if row["kind"] == kind).split(";"))


@cache
def names_of(tag: str) -> tuple[str, ...]:
    """The names of an origin and kind, as ``anglo:f``, ``anglo:m`` or ``anglo:s``, in the order of the list."""
    return tuple(
        name for row in rows("names.csv") if f"{row['origin']}:{row['kind']}" == tag for name in row["names"].split()
    )


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a list that is a table."""
    with (files(__package__) / "data" / name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def words(name: str) -> Iterator[str]:
    """The words of a list that is a text; what follows # is a comment."""
    for line in (files(__package__) / "data" / name).read_text(encoding="utf-8").splitlines():
        yield from line.partition("#")[0].split()
