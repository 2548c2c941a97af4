"""Numbers and dates of the person that the structured record knows, in any layout.

Numbers are looked for in the text without its signs, so any layout of a phone or record number is the same, and with
one digit wrong. A date is read in every layout that it may have, and looked up.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from vitrail.deid.text.dates import LIKE_A_DATE, MONTHS, SHORT, read_date
from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.page import Page
from vitrail.deid.text.slips import Sought, alike, by_forms
from vitrail.deid.text.spans import Category, Known, Span

SIGNS = re.compile(r"[^a-z0-9]+")
"""What is no letter and no digit."""

MISREAD_DIGITS = str.maketrans("oqli|szb", "00111528")
_DIGITAL = re.compile(r"\d[a-z\d|/.\-]{0,20}")
_JOINING = frozenset("abcdefghijklmnopqrstuvwxyz|/.-")
_GROUPS = re.compile(r"\d[\doli|sb\s().\-/]{3,}")
_BEFORE_GROUPS = frozenset("oli|sb \n\r\t\v\f().-/")
_PREFIX = frozenset("abcdefghijklmnopqrstuvwxyz.-+")
_DIGIT = re.compile(r"\d+")
_NUMBER = re.compile(
    r"(?<![a-z0-9])(?P<prefix>[a-z]{1,5}[-.]?)?[+(]?(?P<number>[\doli|sb](?:[\doli|sb]|"
    r"[\s().\-/](?=[\doli|sb\s().\-/])){3,24}[\doli|sb])(?![a-z0-9])"
)


@dataclass(frozen=True)
class Numbers:
    """Letters and digits only: ``whole`` as they are, each with its digits alone, by which a text without it is soon
    told; ``near`` by their forms, for those with one digit wrong."""

    whole: dict[str, tuple[str, Category]]
    near: dict[str, tuple[Sought, ...]]


def numbers(known: Known) -> Numbers:
    """What to look for: record numbers, phones and mail addresses."""
    whole = dict(_of_ids(known.ids)) | dict(_of_phones(known.phones))
    near = ((number.translate(MISREAD_DIGITS), category) for number, category in whole.items() if len(number) > 5)
    return Numbers(
        {number: (re.sub(r"[^0-9]", "", number), category) for number, category in whole.items()}, by_forms(near)
    )


def _of_ids(texts: Iterable[str]) -> Iterator[Sought]:
    for text in texts:
        compact = SIGNS.sub("", plain_letters(text).lower())
        if len(compact) > 3:
            yield compact, "ID"
        bare = re.sub(r"\D", "", compact)
        if len(bare) > 4:
            yield bare, "ID"


def _of_phones(texts: Iterable[str]) -> Iterator[Sought]:
    for text in texts:
        digits = re.sub(r"\D", "", re.split(r"(?i)x|ext", plain_letters(text))[0])
        digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
        yield from ((each, "CONTACT") for each in (digits, digits[-7:]) if len(each) > 5)
        if "@" in text:
            yield SIGNS.sub("", text.lower()), "CONTACT"


def find_numbers(page: Page, sought: Numbers) -> Iterator[Span]:
    """Every place where one of the numbers stands, in whatever groups, with at most one digit wrong."""
    if not sought.whole:
        return
    for number, (digits, category) in sought.whole.items():
        if digits in page.digits.text:
            yield from _found_in(page, number, category)
    if not sought.near:
        return
    for word in {page.words[index] for index in page.numbers}:
        if len(word) > 4:
            for category in {category for _, category in alike(word.translate(MISREAD_DIGITS), sought.near)}:
                yield from (Span(page.starts[at], page.end(at), category, "known") for at in page.spots[word])
    for match in _grouped(page.low):
        if sum(map(str.isdigit, match[0])) > 3:
            yield from _with_a_slip(match, sought)


def _grouped(low: str) -> Iterator[re.Match[str]]:
    """What looks like a number in groups, looked for about each place that has four digits."""
    for groups in _GROUPS.finditer(low):
        if sum(map(str.isdigit, groups[0])) > 3:
            start = _back(low, groups.start(), _BEFORE_GROUPS, 26)
            yield from _NUMBER.finditer(low, _back(low, start, _PREFIX, 8), groups.end() + 1)


def _back(low: str, at: int, over: AbstractSet[str], most: int) -> int:
    """Where the characters begin, ``most`` of them, that stand before a place and are in ``over``."""
    least = max(0, at - most)
    while at > least and low[at - 1] in over:
        at -= 1
    return at


def _with_a_slip(match: re.Match[str], sought: Numbers) -> Iterator[Span]:
    """A number in groups that is one of those sought, or one edit from it."""
    compact = SIGNS.sub("", match[0]).translate(MISREAD_DIGITS)
    digits = SIGNS.sub("", match["number"]).translate(MISREAD_DIGITS)
    for category in {category for _, category in alike(digits, sought.near)}:
        yield Span(match.start("number"), match.end(), category, "known")
    for category in {category for _, category in alike(compact, sought.near)}:
        yield Span(match.start(), match.end(), category, "known")


def _found_in(page: Page, number: str, category: Category) -> Iterator[Span]:
    """Every place of a number; one of digits alone is looked for among the digits, which are few."""
    among = page.digits if number.isdigit() else page.squeezed
    at = among.text.find(number)
    while at >= 0:
        start, end = among.place(at), among.place(at + len(number) - 1) + 1
        inside = (page.low[start - 1 : start].isdigit() and number[0].isdigit()) or (
            page.low[end : end + 1].isdigit() and number[-1].isdigit()
        )
        near = end - start <= 2 * len(number) + 2
        if near and not (inside and len(number) < 9) and SIGNS.sub("", page.low[start:end]) == number:
            yield Span(start, end, category, "known")
        at = among.text.find(number, at + 1)


@dataclass(frozen=True)
class Days:
    """Dates by what a layout says: ``days`` year, month and day; ``months`` month and day; ``compact`` digits alone."""

    days: frozenset[tuple[int, int, int]]
    months: frozenset[tuple[int, int]]
    compact: frozenset[str]


def days(texts: Iterable[str]) -> Days:
    """What to look for: the dates among the texts that have a day."""
    read = (read_date(plain_letters(text)) for text in texts)
    found = {(day.year, day.month, day.day) for day in read if day is not None and day.day}
    compact = {
        form for y, m, d in found
        for form in (f"{y}{m:02d}{d:02d}", f"{m:02d}{d:02d}{y}", f"{d:02d}{m:02d}{y}")
    }  # fmt: skip
    return Days(frozenset(found), frozenset((m, d) for _, m, d in found), frozenset(compact))


_TH, _GAP, _GAPS = r"(?:st|nd|rd|th)?", r"[\s/.,\-]{1,4}(?:of\s|the\s)?", r"[\s/.,\-]{0,4}"
_TWO, _YEAR, _END = r"\d{1,2}", r"'?(?P<y>\d{4}|\d\d)", r"(?![a-z0-9])"
_SHORT = "|".join(SHORT)
_MONTH = rf"(?P<m>{_SHORT})(?P<rest>[a-z]{{0,6}})"
_LAYOUTS = tuple(
    re.compile(rf"(?<![a-z0-9]){each}{_END}")
    for each in (
        rf"(?P<a>{_TWO}){_TH}{_GAP}(?P<b>{_TWO}){_TH}{_GAP}{_YEAR}",
        rf"{_YEAR}{_GAP}(?P<a>{_TWO}){_TH}{_GAP}(?P<b>{_TWO}){_TH}",
        rf"{_MONTH}{_GAPS}(?P<d>{_TWO}){_TH}{_GAPS}{_YEAR}",
        rf"{_MONTH}{_GAPS}(?P<d>{_TWO}){_TH}",
        rf"(?P<d>{_TWO}){_TH}{_GAPS}(?:of\s|day of\s)?{_MONTH}{_GAPS}{_YEAR}",
        rf"(?P<d>{_TWO}){_TH}{_GAPS}(?:of\s|day of\s)?{_MONTH}",
        r"(?P<compact>\d{8})",
    )
)
_BY_MONTH = _LAYOUTS[2:4]
_BY_NUMBER = (*_LAYOUTS[:2], *_LAYOUTS[4:])
_NUMBER_OF = {name: at for at, name in enumerate(SHORT, 1)}
_MONTH_BEFORE = re.compile(rf"(?<![a-z0-9])(?:{_SHORT})[a-z]{{0,6}}[\s/.,\-]{{0,4}}\Z")
_LONGEST_MONTH = 13


def find_days(page: Page, sought: Days) -> Iterator[Span]:
    """Every place where one of the dates stands, in whatever layout, misread or not."""
    if not sought.days:
        return
    digits = page.digits.starts
    yield from _days_in(page.low, digits, sought)
    read = _digits_read(page.low)
    if read != page.low:
        other = (match.start() for match in _DIGIT.finditer(read))
        changed = [at for at in other if read[_about(at)] != page.low[_about(at)]]
        yield from _days_in(read, changed, sought)


def _about(digit: int) -> slice:
    """What a date may stretch over of which a digit is the first."""
    return slice(max(0, digit - 1 - _LONGEST_MONTH), digit + 40)


def _days_in(text: str, digits: Iterable[int], sought: Days) -> Iterator[Span]:
    reached = 0
    for digit in digits:
        start = _date_start(text, digit, reached)
        if start is not None:
            reached = digit + 1
            yield from _day_at(text, start, sought)


def _digits_read(low: str) -> str:
    """The text with the letters that OCR takes for digits as digits, in words that have a digit."""
    out, at = [], 0
    for match in _DIGITAL.finditer(low):
        start = _back(low, match.start(), _JOINING, 10)
        begins = start == 0 or not (low[start - 1] in _JOINING or low[start - 1] in "0123456789")
        word = low[start : match.end()]
        if begins and not word.isdigit():
            out += [low[at:start], word.translate(MISREAD_DIGITS)]
            at = match.end()
    return "".join([*out, low[at:]])


def _date_start(text: str, digit: int, reached: int) -> int | None:
    """Where a date may begin whose first digit stands at ``digit``: there, or at the month before it."""
    month = _MONTH_BEFORE.search(text, max(reached, digit - _LONGEST_MONTH), digit)
    if month:
        return month.start()
    return None if digit and text[digit - 1] in _LETTERS_OR_DIGITS else digit


_LETTERS_OR_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def _day_at(text: str, start: int, sought: Days) -> Iterator[Span]:
    """The longest of the dates that begins there."""
    numeric = text[start].isdigit()
    if numeric and not LIKE_A_DATE.match(text, start):
        return
    found = (layout.match(text, start) for layout in (_BY_NUMBER if numeric else _BY_MONTH))
    ends = [match.end() for match in found if match and _is_sought(match, sought)]
    if ends:
        yield Span(start, max(ends), "DATE", "known")


def _is_sought(match: re.Match[str], sought: Days) -> bool:
    said = match.groupdict()
    if compact := said.get("compact"):
        return compact in sought.compact
    if said.get("rest") and not _is_month(said["m"] + said["rest"]):
        return False
    if "m" in said:
        pairs = [(_NUMBER_OF[said["m"]], int(said["d"]))]
    else:
        pairs = [(int(said["a"]), int(said["b"])), (int(said["b"]), int(said["a"]))]
    if "y" not in said:
        return pairs[0] in sought.months
    years = [int(said["y"])] if len(said["y"]) == 4 else [century + int(said["y"]) for century in (1800, 1900, 2000)]
    return any((year, *pair) in sought.days for year in years for pair in pairs)


def _is_month(word: str) -> bool:
    return word in MONTHS or word == "sept"
