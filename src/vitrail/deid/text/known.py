"""The identifiers of the person that the structured record knows, wherever and however a note writes them.

Names are looked for word by word: as they are, as nicknames, with one edit (insertion, deletion, change or swap of
neighbours), misread by OCR, broken over line ends, written as one word, or as initials. Numbers are looked for in the
text without its signs, so any layout of a phone or record number is the same. Dates are looked for in every layout.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from vitrail.deid.text.dates import MONTHS, read_date
from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.lexicon import Lexicon, lexicon, listed
from vitrail.deid.text.localities import STREETS
from vitrail.deid.text.page import Page
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
_MISREAD = str.maketrans("015!|$8", "olsllsb")
_MISREAD_DIGITS = str.maketrans("oqli|szb", "00111528")
_SQUEEZE = re.compile(r"[^a-z0-9]+")
_DIGITAL = re.compile(r"[a-z|/.\-]{0,10}\d[a-z\d|/.\-]{0,20}")
_NUMBER = re.compile(
    r"(?<![a-z0-9])(?P<prefix>[a-z]{1,5}[-.]?)?[+(]?(?P<number>[\doli|sb](?:[\doli|sb]|"
    r"[\s().\-/](?=[\doli|sb\s().\-/])){3,24}[\doli|sb])(?![a-z0-9])"
)
_MIXED = re.compile(r"[a-z0-9]{0,24}[!|$][a-z0-9!|$]{0,24}")
_LETTERS = re.compile(r"(?<![a-z0-9])[a-z](?:[ .]{1,2}[a-z](?![a-z0-9])){2,30}")


@dataclass(frozen=True)
class Matcher:
    """What to look for. ``parts``: words of names and addresses; ``joined``: words that run several together;
    ``confused``: parts as OCR confuses them; ``near``: parts that may be off by one edit; ``initials``: as 'js';
    ``numbers``: letters and digits only; ``days``: one pattern for all dates."""

    parts: dict[str, Category]
    joined: dict[str, Category]
    confused: dict[str, Category]
    near: tuple[tuple[str, Category], ...]
    initials: frozenset[str]
    numbers: dict[str, Category]
    days: re.Pattern[str] | None


def matcher(known: Known) -> Matcher:
    """What to look for in the notes of one person."""
    names = [_parts(name) for name in known.names]
    parts: dict[str, Category] = {word: "LOCATION" for text in known.addresses for word in _address_parts(text)}
    full = {part for name in names for part in name if len(part) > 1}
    parts |= dict.fromkeys([*_with_nicknames(full, lexicon()), *_with_digits(known.names)], "NAME")
    joined: dict[str, Category] = dict.fromkeys(_joined(names), "NAME")
    confused = {misread(part): category for part, category in {**parts, **joined}.items() if len(part) > 1}
    near = tuple(
        (part, category) for part, category in parts.items() if len(part) > 1 and part.isalpha() and part not in STREETS
    )
    initials = frozenset(
        "".join(part[0] for part in order)
        for name in names
        for order in (name, name[::-1], [name[0], name[-1]])
        if len(name) > 1
    )
    return Matcher(parts, joined, confused, near, initials, _numbers(known), _days(known.dates))


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


def misread(word: str) -> str:
    """One form for words that OCR takes for each other: 0 and O, 1, l and I, 5 and S, rn and m, cl and d."""
    return word.translate(_MISREAD).replace("i", "l").replace("rn", "m").replace("vv", "w").replace("cl", "d")


def _numbers(known: Known) -> dict[str, Category]:
    numbers: dict[str, Category] = {}
    for text in known.ids:
        compact = _SQUEEZE.sub("", plain_letters(text).lower())
        if len(compact) > 3:
            numbers[compact] = "ID"
        bare = re.sub(r"\D", "", compact)
        if len(bare) > 4:
            numbers[bare] = "ID"
    for text in known.phones:
        digits = re.sub(r"\D", "", re.split(r"(?i)x|ext", plain_letters(text))[0])
        digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
        numbers |= dict.fromkeys([each for each in (digits, digits[-7:]) if len(each) > 5], "CONTACT")
        if "@" in text:
            numbers[_SQUEEZE.sub("", text.lower())] = "CONTACT"
    return numbers


def _days(texts: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for every layout of every date: numbers in three orders, month by name, with and without the year."""
    layouts: list[str] = []
    for text in texts:
        day = read_date(plain_letters(text))
        if day is None or not day.day:
            continue
        m, d, y = f"0?{day.month}", f"0?{day.day}(?:st|nd|rd|th)?", f"(?:{day.year // 100})?'?{day.year % 100:02d}"
        word = f"{MONTHS[day.month - 1][:3]}(?:t|{MONTHS[day.month - 1][3:]})?" if day.month != 5 else "may"
        gap, s = r"[\s/.,\-]{1,4}(?:of\s|the\s)?", r"[\s/.,\-]{0,4}"
        layouts += [
            rf"{m}{gap}{d}{gap}{y}",
            rf"{d}{gap}{m}{gap}{y}",
            rf"{y}{gap}{m}{gap}{d}",
            rf"{word}{s}{d}(?:{s}{y})?",
            rf"{d}{s}(?:of\s|day of\s)?{word}(?:{s}{y})?",
        ]
        layouts += [
            f"{day.year}{day.month:02d}{day.day:02d}",
            f"{day.month:02d}{day.day:02d}{day.year}",
            f"{day.day:02d}{day.month:02d}{day.year}",
        ]
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(layouts)})(?![a-z0-9])") if layouts else None


def find_known(page: Page, sought: Matcher) -> Iterator[Span]:
    """Every place where the page names what is sought."""
    marks = _marked(page, sought)
    yield from _runs(page, marks)
    yield from _across(page, sought)
    if sought.numbers:
        yield from _numbered(page, sought)
    if sought.days is not None:
        digits = _DIGITAL.sub(
            lambda match: match[0].translate(_MISREAD_DIGITS) if not match[0].isalpha() else match[0], page.low
        )
        for text in {page.low, digits}:
            yield from (Span(match.start(), match.end(), "DATE", "known") for match in sought.days.finditer(text))


def _marked(page: Page, sought: Matcher) -> dict[int, tuple[Category, bool]]:
    """By word: the category of what it may be, and whether it is that even alone."""
    words, seen = lexicon(), dict[str, tuple[Category, bool] | None]()
    marks: dict[int, tuple[Category, bool]] = {}
    for index, word in enumerate(page.words):
        if word in sought.parts:
            marks[index] = (sought.parts[word], _alone(page, index, word, sought.parts[word], words))
        elif word in STREETS and "LOCATION" in sought.parts.values():
            marks[index] = ("LOCATION", False)
        elif len(word) > 1 and word[0].isalnum() and word not in FUNCTION_WORDS:
            plain = word in words.common or word in words.terms
            if word not in seen:
                seen[word] = _near(word, sought, plain)
            slip = seen[word]
            capital = page.raw[index][0].isupper() and not page.flat
            if slip and plain and not (capital and not page.begins_sentence(index)):
                continue
            if slip and (slip[1] or capital or page.flat):
                marks[index] = slip
    return marks


def _near(word: str, sought: Matcher, plain: bool) -> tuple[Category, bool] | None:
    """What a word is but for a slip of the pen or of OCR; a short one is that only beside another."""
    if word in sought.joined:
        return sought.joined[word], True
    if found := sought.confused.get(misread(word)):
        return found, len(word) > 3 and not plain
    if word.isalpha():
        least = 6 if plain else 2
        for part, category in sought.near:
            if len(part) >= least and abs(len(part) - len(word)) < 2 and off_by_one(word, part):
                return category, len(part) > 3 and len(word) > 2
    return None


def off_by_one(first: str, second: str) -> bool:
    """Whether one insertion, deletion, change or swap of neighbours makes one word the other."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return first == second
    at = 0
    while at < min(len(first), len(second)) and first[at] == second[at]:
        at += 1
    if len(first) == len(second):
        swapped = first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]
        return swapped or first[at + 1 :] == second[at + 1 :]
    return first[at + 1 :] == second[at:] if len(first) > len(second) else first[at:] == second[at + 1 :]


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
    for index in range(len(page.words) - 1):
        hyphen = page.raw[index + 1] == "-" and index + 2 < len(page.words)
        second = index + 2 if hyphen else index + 1
        word = page.words[index] + page.words[second]
        over_line = "\n" in page.text[page.end(index) : page.starts[second]]
        if word in sought.parts and (len(word) > 4 or over_line) and (hyphen or word not in lexicon().common):
            yield Span(page.starts[index], page.end(second), sought.parts[word], "known")
    for match in _MIXED.finditer(page.low):
        found = sought.confused.get(misread(match[0]))
        if found and len(match[0]) > 3 and not match[0].isdigit():
            yield Span(match.start(), match.end(), found, "known")
    for match in _LETTERS.finditer(page.low):
        word = _SQUEEZE.sub("", match[0])
        if word in sought.parts or word in sought.joined:
            yield Span(match.start(), match.end(), "NAME", "known")
    for initials in sought.initials:
        for match in (
            re.finditer(rf"(?<![a-z.]){'[. ]{1,2}'.join(initials)}\.?(?![a-z0-9.])", page.low)
            if len(initials) > 1
            else ()
        ):
            if "." in match[0] and page.text[match.start()].isupper():
                yield Span(match.start(), match.end(), "NAME", "known")


def _numbered(page: Page, sought: Matcher) -> Iterator[Span]:
    squeezed = _SQUEEZE.sub("", page.low)
    hits = [(number, category) for number, category in sought.numbers.items() if number in squeezed]
    if hits:
        places = [at for at, character in enumerate(page.low) if character.isalnum() and character.isascii()]
        for number, category in hits:
            yield from _found_in(page, squeezed, places, number, category)
    near = [
        (number.translate(_MISREAD_DIGITS), category) for number, category in sought.numbers.items() if len(number) > 5
    ]
    for index in page.numbers:
        word = page.words[index].translate(_MISREAD_DIGITS)
        for number, category in near:
            if len(word) > 4 and off_by_one(word, number):
                yield Span(page.starts[index], page.end(index), category, "known")
    for match in _NUMBER.finditer(page.low):
        compact = _SQUEEZE.sub("", match[0]).translate(_MISREAD_DIGITS)
        digits = _SQUEEZE.sub("", match["number"]).translate(_MISREAD_DIGITS)
        for number, category in near if sum(map(str.isdigit, match[0])) > 3 else ():
            if off_by_one(digits, number):
                yield Span(match.start("number"), match.end(), category, "known")
            elif off_by_one(compact, number):
                yield Span(match.start(), match.end(), category, "known")


def _found_in(page: Page, squeezed: str, places: list[int], number: str, category: Category) -> Iterator[Span]:
    at = squeezed.find(number)
    while at >= 0:
        start, end = places[at], places[at + len(number) - 1] + 1
        inside = (page.low[start - 1 : start].isdigit() and number[0].isdigit()) or (
            page.low[end : end + 1].isdigit() and number[-1].isdigit()
        )
        near = end - start <= 2 * len(number) + 2
        if near and not (inside and len(number) < 9):
            yield Span(start, end, category, "known")
        at = squeezed.find(number, at + 1)
