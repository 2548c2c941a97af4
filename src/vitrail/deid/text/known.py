"""The identifiers of the person that the structured record knows, wherever and however a note writes them.

Names are looked for word by word: as they are, as nicknames, with one edit (insertion, deletion, change or swap of
neighbours), misread by OCR, broken over line ends, written as one word, or as initials. Numbers are looked for in the
text without its signs, so any layout of a phone or record number is the same. Dates are looked for in every layout.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.known_numbers import SIGNS, Days, Numbers, days, find_days, find_numbers, numbers
from vitrail.deid.text.lexicon import Lexicon, lexicon, listed
from vitrail.deid.text.localities import STREETS
from vitrail.deid.text.page import Page
from vitrail.deid.text.slips import Sought, alike, by_forms, forms, misread
from vitrail.deid.text.spans import Category, Known, Span

_PART = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"[^\W_]+")
FUNCTION_WORDS = listed("""
    the an and or of for to in on at by do so no may will can has had was were be been is are he she his her him
    my me we us you it its i a as if up all any but not one two ms mr
    mrs dr jr sr md st
""")
"""A known name that is one of these counts with a capital within a sentence, or beside another name."""
_DROPPED = listed("""
    mr mrs ms dr miss jr sr md prof ii iii iv phd rn
""")
_MIXED = re.compile(r"(?<![a-z0-9!|$])[a-z0-9]{0,24}[!|$][a-z0-9!|$]{0,24}")
_ALONE = re.compile(r"[ .][a-z](?![a-z0-9])[ .]{1,2}[a-z](?![a-z0-9])")
_LETTERS = re.compile(r"(?<![a-z0-9])[a-z](?:[ .]{1,2}[a-z](?![a-z0-9])){2,30}")


@dataclass(frozen=True)
class Matcher:
    """What to look for. ``parts``: words of names and addresses; ``joined``: words that run several together;
    ``confused``: parts as OCR confuses them; ``near``: parts that may be off by one edit, by each of their forms;
    ``forms``: every form of a word by which one of these is come upon; ``outright``: words that count as they are;
    ``begun``: beginnings of parts; ``initials``:
    such as 'j. s.', one pattern; ``first``: the first letters of these."""

    parts: dict[str, Category]
    joined: dict[str, Category]
    confused: dict[str, Category]
    near: dict[str, tuple[Sought, ...]]
    forms: frozenset[str]
    outright: frozenset[str]
    begun: frozenset[str]
    initials: re.Pattern[str] | None
    first: frozenset[str]
    numbers: Numbers
    days: Days


def matcher(known: Known) -> Matcher:
    """What to look for in the notes of one person."""
    names = [_parts(name) for name in known.names]
    parts: dict[str, Category] = {word: "LOCATION" for text in known.addresses for word in _address_parts(text)}
    full = {part for name in names for part in name if len(part) > 1}
    parts |= dict.fromkeys([*_with_nicknames(full, lexicon()), *_with_digits(known.names)], "NAME")
    joined: dict[str, Category] = dict.fromkeys(_joined(names), "NAME")
    confused = {misread(part): category for part, category in {**parts, **joined}.items() if len(part) > 1}
    near = by_forms(
        [
            (part, category)
            for part, category in parts.items()
            if len(part) > 1 and part.isalpha() and part not in STREETS
        ]
    )
    streets = STREETS if "LOCATION" in parts.values() else frozenset[str]()
    initials = _initials(names)
    return Matcher(
        parts,
        joined,
        confused,
        near,
        frozenset([*parts, *joined, *confused, *near, *streets]),
        streets.union(parts),
        frozenset(part[:at] for part in parts for at in range(1, len(part))),
        _pattern(initials),
        frozenset(each[0] for each in initials),
        numbers(known),
        days(known.dates),
    )


def _initials(names: Iterable[list[str]]) -> list[str]:
    """'js', 'sj' and 'jms' of John M. Smith."""
    orders = (order for name in names if len(name) > 1 for order in (name, name[::-1], [name[0], name[-1]]))
    return sorted({"".join(part[0] for part in order) for order in orders})


def _pattern(initials: list[str]) -> re.Pattern[str] | None:
    spaced = "|".join("[. ]{1,2}".join(each) for each in initials)
    return re.compile(rf"(?<![a-z.])(?:{spaced})\.?(?![a-z0-9.])") if initials else None


def _parts(name: str) -> list[str]:
    return [word for word in _PART.findall(plain_letters(name).lower()) if word not in _DROPPED] or [""]


def _with_digits(names: Iterable[str]) -> Iterator[str]:
    """Words of names with digits in them, as the makers of test patients write them: 'jane941'."""
    for name in names:
        words = _TOKEN.findall(plain_letters(name).lower())
        yield from (word for word in words if not word.isalpha() and not word.isdigit())


def _address_parts(text: str) -> Iterator[str]:
    for word in _TOKEN.findall(plain_letters(text).lower()):
        if word not in FUNCTION_WORDS and (len(word) > 2 or word.isdigit()):
            yield word


def _with_nicknames(parts: Iterable[str], words: Lexicon) -> Iterator[str]:
    for part in parts:
        yield part
        yield from words.short_for.get(part, ())
        for name in words.nicknames.get(part, ()):
            yield name
            yield from words.short_for.get(name, ())


def _joined(names: Iterable[list[str]]) -> Iterator[str]:
    """'johnsmith', 'smithjohn', 'jsmith', 'smithj', of names of up to four parts."""
    for name in names:
        for first, second in permutations([part for part in name[:4] if part], 2):
            for word in (first + second, first[0] + second, first + second[0]):
                if len(word) > 4 and word not in lexicon().common and word not in lexicon().terms:
                    yield word


def find_known(page: Page, sought: Matcher) -> Iterator[Span]:
    """Every place where the page names what is sought."""
    yield from _runs(page, _marked(page, sought))
    yield from _across(page, sought)
    yield from find_numbers(page, sought.numbers)
    yield from find_days(page, sought.days)


def _marked(page: Page, sought: Matcher) -> dict[int, tuple[Category, bool]]:
    """By word: the category of what it may be, and whether it is that even alone."""
    words, seen, unmet = lexicon(), dict[str, tuple[Category, bool] | None](), sought.forms.isdisjoint
    marks: dict[int, tuple[Category, bool]] = {}
    slips = set(page.words) - words.common - words.terms | {page.words[index] for index in page.capitals}
    met = {word for word, made in zip(slips, map(forms, slips), strict=True) if not unmet(made)}
    for index in page.where(sought.outright | met):
        word = page.words[index]
        if word in sought.parts:
            marks[index] = (sought.parts[word], _alone(page, index, word, sought.parts[word], words))
        elif word in STREETS and word in sought.forms:
            marks[index] = ("LOCATION", False)
        elif len(word) > 1 and word[0].isalnum() and word not in FUNCTION_WORDS:
            plain = word in words.common or word in words.terms
            if word not in seen:
                seen[word] = _near(word, sought, plain)
            if (slip := seen[word]) and _slipped(page, index, slip[1], plain):
                marks[index] = slip
    return marks


def _slipped(page: Page, index: int, alone: bool, plain: bool) -> bool:
    """Whether a word that is a known one but for a slip is meant so: a word of the language only by its capital."""
    capital = page.raw[index][0].isupper() and not page.flat
    if plain and (page.begins_sentence(index) or not capital):
        return False
    return alone or capital or page.flat


def _near(word: str, sought: Matcher, plain: bool) -> tuple[Category, bool] | None:
    """What a word is but for a slip of the pen or of OCR; a short one is that only beside another."""
    if word in sought.joined:
        return sought.joined[word], True
    if found := sought.confused.get(misread(word)):
        return found, len(word) > 3 and not plain
    least = 6 if plain else 2
    for part, category in alike(word, sought.near) if word.isalpha() else ():
        if len(part) >= least:
            return category, len(part) > 3 and len(word) > 2
    return None


def _alone(page: Page, index: int, word: str, category: Category, words: Lexicon) -> bool:
    """Whether a known word is an identifier without a second one beside it."""
    if category == "LOCATION":
        return (len(word) == 5 and word.isdigit()) or (
            len(word) > 3 and word.isalpha() and word not in words.common and word not in STREETS
        )
    if len(word) == 1:
        return False
    capital = page.raw[index][0].isupper() and not page.flat
    if word in FUNCTION_WORDS or len(word) == 2:
        return capital and not page.begins_sentence(index) and not (page.raw[index].isupper() and word in words.common)
    return word not in words.common or capital or (page.flat and page.raw[index].isupper() and word in words.names)


def _runs(page: Page, marks: dict[int, tuple[Category, bool]]) -> Iterator[Span]:
    """Marked words that stand together; initials about a name belong to it."""
    done = -1
    for index in sorted(marks):
        if index <= done:
            continue
        last, count, alone = index, 0, False
        at = index
        while at < len(page.words) and at - last <= 2:
            if at in marks and marks[at][0] == marks[index][0]:
                count, alone, last = (
                    count + (len(page.words[at]) > 1 and page.words[at] not in STREETS),
                    alone or marks[at][1],
                    at,
                )
            elif page.raw[at] not in ".,-'" and not (len(page.raw[at]) == 1 and page.raw[at].isalpha()):
                break
            at += 1
        done = last
        if alone or count > 1:
            first, last = _with_initials(page, index, last) if marks[index][0] == "NAME" else (index, last)
            yield Span(page.starts[first], page.end(last), marks[index][0], "known")


def _with_initials(page: Page, first: int, last: int) -> tuple[int, int]:
    """A run with the initial before or behind it, as in 'J. Smith', 'Smith, J.' and 'John S.'."""
    before = first - 1
    while before > 0 and page.raw[before] in ".," and first - before < 3:
        before -= 1
    if before >= 0 and _initial(page, before) and page.starts[first] - page.starts[before] < 5:
        first = before
    behind = last + 1
    if page.raw[behind : behind + 1] == [","]:
        behind += 1
    if behind < len(page.words) and _initial(page, behind) and page.starts[behind] - page.end(last) < 3:
        last = behind
    return first, last


def _initial(page: Page, index: int) -> bool:
    return (len(page.raw[index]) == 1 and page.raw[index].isupper() and page.raw[index] not in ("I",)) or (
        len(page.raw[index]) == 1 and page.raw[index].isalpha() and page.raw[index + 1 : index + 2] == ["."]
    )


def _across(page: Page, sought: Matcher) -> Iterator[Span]:
    """Names broken over a line end or by a space, misread with signs in them, spelled by letters, or as initials."""
    for index in page.where(sought.begun):
        yield from _broken(page, index, sought)
    for match in _MIXED.finditer(page.low) if any(sign in page.low for sign in "!|$") else ():
        found = sought.confused.get(misread(match[0]))
        if found and len(match[0]) > 3 and not match[0].isdigit():
            yield Span(match.start(), match.end(), found, "known")
    for match in _LETTERS.finditer(page.low) if _ALONE.search(page.low) else ():
        word = SIGNS.sub("", match[0])
        if word in sought.parts or word in sought.joined:
            yield Span(match.start(), match.end(), "NAME", "known")
    if sought.initials is not None:
        yield from _by_initials(page, sought.first, sought.initials)


def _by_initials(page: Page, first: frozenset[str], initials: re.Pattern[str]) -> Iterator[Span]:
    """'J.S.', where one letter is a capital and one has a full stop."""
    for index in page.where(first):
        letters = initials.match(page.low, page.starts[index]) if page.raw[index].isupper() else None
        if letters and "." in letters[0]:
            yield Span(letters.start(), letters.end(), "NAME", "known")


def _broken(page: Page, index: int, sought: Matcher) -> Iterator[Span]:
    """A part in two words, with or without a hyphen between them."""
    hyphen = page.raw[index + 1 : index + 2] == ["-"]
    second = index + 2 if hyphen else index + 1
    if second >= len(page.words):
        return
    word = page.words[index] + page.words[second]
    if word in sought.parts:
        over_line = "\n" in page.text[page.end(index) : page.starts[second]]
        if (len(word) > 4 or over_line) and (hyphen or word not in lexicon().common):
            yield Span(page.starts[index], page.end(second), sought.parts[word], "known")
