"""Dates in text: where they are, which day they mean, and the same layout for another day.

A bare year may stay; anything finer than a year is a date: a day, a month, a season or quarter of a year, a holiday.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from vitrail.deid.text.lexicon import listed
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import Span

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
SHORT = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_NUMBER_OF = {name: at for names in (MONTHS, SHORT) for at, name in enumerate(names, 1)} | {"sept": 9}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:1[89]|2[012])\d\d|'\d\d|\d\d)"
_FULL_YEAR = r"(?P<year>(?:1[89]|2[012])\d\d|'\d\d)"
_END = r"(?![a-z0-9]|[./-]\d)"
_TO = r"(?:\s{0,2}(?:-|to|and|through|thru|&)\s{0,2}(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?=\W))?"

LIKE_A_DATE = re.compile(
    r"\d{8}|\d{1,4}(?!\d)(?:st|nd|rd|th)?[\s/.,\-]{0,4}(?:(?:day\s)?of\s|the\s)?[\s/.\-]{0,2}(?:'?\d|"
    + "|".join(SHORT)
    + ")"
)
"""What every date that begins with a digit begins with."""

_NUMERIC = re.compile(
    r"(?P<a>\d{1,4})\s?(?P<sep>[/.\-])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?(?P<c>\d{4}|'?\d{2})"
    r"(?:t\d\d:?\d\d(?::?\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)?)?" + _END
)
_SPACED = re.compile(r"(?P<a>\d{1,2})\s(?P<b>\d{1,2})\s(?P<c>(?:19|2[012])\d\d)" + _END)
_COMPACT = re.compile(r"(?P<y>(?:19|2[012])\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?" + _END)
_COMPACT_US = re.compile(r"(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?P<y>(?:19|2[012])\d\d)" + _END)
_MONTH_YEAR = re.compile(r"(?P<b>0?[1-9]|1[0-2])\s?[/-]\s?(?P<c>(?:19|2[012])\d\d)" + _END)
_YEAR_MONTH = re.compile(r"(?P<c>(?:19|2[012])\d\d)[/-](?P<b>0[1-9]|1[0-2])" + _END)
_PARTIAL = re.compile(r"(?P<a>0?[1-9]|[12]\d|3[01])[/-](?P<b>0?[1-9]|[12]\d|3[01])" + _END)
_DAY_MONTH = re.compile(
    _DAY
    + r"\s{0,2}(?:of\s|day\sof\s)?[-/.\s]{0,2}"
    + _MONTH
    + r"(?![a-z])\.?(?:(?:\s{0,2},\s{0,2}|\s?[-/.]\s?|\s{1,2}(?:of\s)?|)"
    + _YEAR
    + r")?"
    + _END
)
_MONTH_DAY = re.compile(
    _MONTH + r"\b\.?(?:\s{0,2}[-/]\s{0,2}|\s{1,3}(?:the\s)?|(?<=\.))" + _DAY + _TO
    + r"(?:(?:\s{0,2},\s{0,2}|\s{1,2}(?:of\s)?|\s?[-/]\s?)" + _YEAR
    + r"(?!\s?(?:mg|ml|mcg|units?|%|years?|days?|weeks?|months?|hours?|minutes?|am|pm|:)))?"
    + _END
)  # fmt: skip
_MONTH_OF = re.compile(
    _MONTH + r"\b\.?(?:\s{0,2},\s{0,2}|\s{1,2}(?:of\s(?:the\syear\s)?)?|\s?[-/]\s?)" + _FULL_YEAR + _END
)
_BARE_MONTH = re.compile(_MONTH + r"\b")
_SEASON = re.compile(
    r"(?:(?:early|late|mid)[\s-])?(?:spring|summer|fall|autumn|winter|q[1-4]|first\squarter|"
    r"second\squarter|third\squarter|fourth\squarter)"
    r"(?:\s{1,2}of)?\s{1,2}(?P<year>(?:19|2[012])\d\d|'\d\d)" + _END
)
_RELATIVE = re.compile(
    r"(?:(?:last|next|this)(?:\spast|\scoming)?|past)\s{1,2}(?P<name>(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may"
    r"|june|july|august|september|october|november|december)(?:\s(?:the\s)?\d{1,2}(?:st|nd|rd|th))?" + _END
)
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?\s{1,3}(?:the\s|on\s)?")

HOLIDAYS = re.compile(
    r"(?:christmas(?:\s(?:eve|day))?|xmas|thanksgiving(?:\sday)?|easter(?:\ssunday|\smonday)?|"
    r"new\syear'?s?'?\s(?:eve|day)|(?:the\s)?fourth\sof\sjuly"
    r"|labor\sday|memorial\sday|independence\sday|halloween|valentine'?s'?(?:\sday)?|veterans'?\sday|mother'?s'?\sday"
    r"|father'?s'?\sday|hanukkah|chanukah|ramadan|diwali|passover|yom\skippur|rosh\shashanah?|(?:st\.?|"
    r"saint)\spatrick'?s'?(?:\sday)?"
    r"|m(?:artin\s)?l(?:uther\s)?k(?:ing)?(?:\sjr\.?)?\sday|president'?s'?\sday|columbus\sday|juneteenth|"
    r"boxing\sday|good\sfriday"
    r"|ash\swednesday|palm\ssunday|cinco\sde\smayo|canada\sday|bastille\sday|mardi\sgras|groundhog\sday|"
    r"flag\sday|eid\sal[\s-](?:fitr|adha)"
    r"|lunar\snew\syear|chinese\snew\syear)(?:\s(?:of\s)?(?:19|2[012])\d\d)?" + _END
)  # fmt: skip
_HOLIDAY_HEADS = listed("""
    christmas xmas thanksgiving easter new fourth the labor memorial independence halloween valentine valentines
    veterans mother mothers father fathers hanukkah chanukah ramadan diwali passover yom rosh st saint martin
    mlk president presidents columbus juneteenth boxing good ash palm cinco canada bastille mardi groundhog flag
    eid lunar chinese
""")
_SEASON_HEADS = listed("""
    spring summer fall autumn winter q1 q2 q3 q4 first second third fourth early late mid
""")
_WEEKDAY_HEADS = frozenset(WEEKDAYS) | listed("""
    mon tue tues wed thu thur thurs fri sat sun
""")

_HEADS = _HOLIDAY_HEADS | _SEASON_HEADS | frozenset(_NUMBER_OF) | listed("last next this past")

_DATED = listed("""
    on since until till from dated date dates through thru after before starting started beginning admitted
    discharged seen visit dob born collected drawn performed scheduled appt appointment due expires expired dos
    doa dod between completed effective obtained taken received signed
""")  # fmt: skip
_MEASURED = listed("""
    strength murmur systolic power motor pain pulses pulse reflexes reflex grade tablet tablets tab tabs scale
    out score positive negative cells mmhg am pm position stars times x bp
""")
_MONTHLY = listed("""
    in since last this next early mid late until till by every of during around before after from through to and
""")


@dataclass(frozen=True)
class Day:
    """What a date says: 0 where it does not say the year, month or day.

    ``order`` is how its parts stand: ymd, mdy, dmy, compact (numbers run together) or words.
    """

    year: int
    month: int
    day: int
    order: str = "mdy"


def find_dates(page: Page) -> Iterator[Span]:
    """Every date of the page. A date is looked for where one can begin: at a number or a word of the calendar."""
    reached = 0
    for index in sorted({*page.numbers, *page.where(_HEADS)}):
        start = page.starts[index]
        if start < reached:
            continue
        end = _date_at(page, index, page.words[index])
        if end > start:
            reached = end
            yield Span(_with_weekday(page, index), end, "DATE", "rule")


def find_relative(text: str, places: Iterable[Span]) -> Iterator[Span]:
    """'last month' straight after a place: when somebody was there. Elsewhere such words say nothing of a person."""
    for place in places:
        if place.category == "LOCATION" and (match := _LATELY.match(text, place.end)):
            yield Span(match.start(1), match.end(1), "DATE", "rule")


_LATELY = re.compile(
    r",?\s{1,2}((?:earlier |late |early )?(?:last|this|next|the past) (?:week|month|night|weekend))\b", re.IGNORECASE
)


def _date_at(page: Page, index: int, word: str) -> int:
    """Where a date that begins at a word ends, or 0."""
    start = page.starts[index]
    if word[0].isdigit():
        return _numeric_end(page, index)
    if word in _NUMBER_OF:
        return _month_end(page, index)
    if len(word) > 5 and word[:3] in _NUMBER_OF and word[-1].isdigit():
        match = _JOINED.match(page.low, start)
        return match.end() if match else 0
    if word in ("last", "next", "this", "past") and (match := _RELATIVE.match(page.low, start)):
        return match.end() if page.flat or page.text[match.start("name")].isupper() else 0
    for heads, pattern in ((_SEASON_HEADS, _SEASON), (_HOLIDAY_HEADS, HOLIDAYS)):
        if word in heads and (match := pattern.match(page.low, start)):
            return match.end()
    return 0


_NEXT_WORD = re.compile(r"\W{0,2}(\w{0,20})")
_JOINED = re.compile(_MONTH + r"\.?" + _DAY + r"(?:,?\s{0,2}" + _FULL_YEAR + r")?" + _END)


def _numeric_end(page: Page, index: int) -> int:
    low, start = page.low, page.starts[index]
    before = low[start - 1 : start]
    if not LIKE_A_DATE.match(low, start) or (before in (".", "/", "-") and low[start - 2 : start - 1].isdigit()):
        return 0
    for pattern in (_NUMERIC, _DAY_MONTH, _SPACED, _COMPACT, _COMPACT_US, _MONTH_YEAR, _YEAR_MONTH):
        match = pattern.match(low, start)
        if match and (pattern is _DAY_MONTH or _reads(match)):
            return match.end() if pattern is not _DAY_MONTH or _day_month_is_meant(page, match) else 0
    match = _PARTIAL.match(low, start)
    return match.end() if match and _partial_is_meant(page, index, match) else 0


def _day_month_is_meant(page: Page, match: re.Match[str]) -> bool:
    """'5 may' is no date in 'grade 5 may need'; a year or an ordinal or a capital makes it one."""
    if match["month"] not in ("may", "mar", "march", "dec", "sep"):
        return True
    return (
        bool(match["year"])
        or page.text[match.start("month")].isupper()
        or match[0][match.end("day") - match.start()].isalpha()
    )


def _partial_is_meant(page: Page, index: int, match: re.Match[str]) -> bool:
    """5/3 is a date after 'on', and a fraction, a grade or a count elsewhere."""
    if "-" in match[0] or min(int(match["a"]), int(match["b"])) > 12:
        return False
    after = _NEXT_WORD.match(page.low, match.end())
    back = 2 if index > 1 and page.words[index - 1] in (":", "(", "-") else 1
    before = page.words[index - back] if index >= back else ""
    return (before in _DATED or before in _WEEKDAY_HEADS) and (after is None or after[1] not in _MEASURED)


def _month_end(page: Page, index: int) -> int:
    low, start = page.low, page.starts[index]
    capital = page.text[start].isupper()
    for pattern in (_MONTH_DAY, _MONTH_OF):
        match = pattern.match(low, start)
        if match and (
            capital
            or match["month"] not in ("may", "march", "mar", "dec", "sep", "jan")
            or match["year"]
            or "th" in match[0]
        ):
            return match.end()
    word, before = page.words[index], page.words[index - 1] if index else ""
    if word in MONTHS and before in _MONTHLY and (capital or word not in ("may", "march")):
        return start + len(word)
    return 0


def _with_weekday(page: Page, index: int) -> int:
    """Where the date begins with the weekday before it."""
    for back in (1, 2, 3):
        if index >= back and page.words[index - back] in _WEEKDAY_HEADS:
            match = _WEEKDAY.match(page.low, page.starts[index - back])
            return page.starts[index - back] if match and match.end() == page.starts[index] else page.starts[index]
    return page.starts[index]


def _reads(match: re.Match[str]) -> bool:
    return read_numbers(match) is not None


def read_numbers(match: re.Match[str]) -> Day | None:
    """The day that numbers mean, month first where both orders are possible; None where they are no date."""
    found = match.groupdict()
    if "y" in found:
        return Day(int(found["y"]), int(found["m"]), int(found["d"]), "compact")
    c = found["c"].strip("'")
    if "a" not in found:
        return Day(int(c), int(found["b"]), 0)
    a, b = found["a"], found["b"]
    if len(a) == 4:
        return _possible(Day(int(a), int(b), int(c[:2]), "ymd")) if len(c) == 2 else None
    if len(a) > 2:
        return None
    year = full_year(c)
    return (
        _possible(Day(year, int(a), int(b), "mdy"))
        or _possible(Day(year, int(b), int(a), "dmy"))
        or (_possible(Day(full_year(a), int(b), int(c), "ymd")) if len(a) == len(c) == 2 else None)
    )


def _possible(day: Day) -> Day | None:
    return day if 1800 < day.year < 2300 and 1 <= day.month <= 12 and 1 <= day.day <= 31 else None


def full_year(text: str) -> int:
    """The year that two or four digits mean: two up to 35 are of this century."""
    number = int(text.strip("'"))
    return number if len(text.strip("'")) == 4 else number + (2000 if number <= 35 else 1900)


def read_date(text: str) -> Day | None:
    """The day that a text, which is one date and nothing else, says; None where it cannot be read."""
    low = text.lower().strip()
    weekday = _WEEKDAY.match(low)
    low = low[weekday.end() :] if weekday else low
    for pattern in (_NUMERIC, _SPACED, _COMPACT, _COMPACT_US, _MONTH_YEAR, _YEAR_MONTH):
        if match := pattern.fullmatch(low):
            return read_numbers(match)
    if match := _PARTIAL.fullmatch(low):
        a, b = int(match["a"]), int(match["b"])
        return Day(0, a, b, "mdy") if a <= 12 else Day(0, b, a, "dmy") if b <= 12 else None
    for pattern in (_DAY_MONTH, _MONTH_DAY, _MONTH_OF, _BARE_MONTH, _JOINED):
        if match := pattern.fullmatch(low):
            found = match.groupdict()
            year = full_year(found["year"]) if found.get("year") else 0
            return Day(year, _NUMBER_OF[found["month"]], int(found.get("day") or 0), "words")
    return None


def shifted(text: str, days: int) -> str | None:
    """The date ``days`` later in the same layout; None where it does not say a month and a day that can be moved.

    A date without its year is moved in a year of 365 days, so it may be one day off about a 29 February.
    """
    day = read_date(text)
    if day is None or not day.month:
        return None
    try:
        moved = date(day.year or 2001, day.month, day.day or 15) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    new = Day(moved.year if day.year else 0, moved.month, moved.day if day.day else 0, day.order)
    return _written(text, day, new)


def _written(text: str, old: Day, new: Day) -> str:
    """``text`` with the numbers and words of one day replaced by those of another; times of day stay out."""
    seen = {"year": False, "month": False, "day": False}
    order = {"ymd": ["year", "month", "day"], "mdy": ["month", "day", "year"], "dmy": ["day", "month", "year"]}.get(
        old.order
    )

    numbers = _SMALL.findall(text)
    padded = all(len(each) == 2 for each in numbers) and (old.order != "words" or "-" in text or text[:1] == "0")

    def word(match: re.Match[str]) -> str:
        return _word(match[0], new) if match[0][0].isalpha() else number(match[0])

    def number(digits: str) -> str:
        slot = order.pop(0) if order else _slot(digits, old, seen)
        while slot in seen and not getattr(old, slot) and order:
            slot = order.pop(0)
        if slot not in seen or seen[slot]:
            return ""
        seen[slot] = True
        value = getattr(new, slot)
        if slot == "year" and len(digits) < 4:
            return f"{value % 100:02d}"
        return f"{value:02d}" if padded else str(value)

    if old.order == "compact":
        digits = f"{new.year:04d}{new.month:02d}{new.day:02d}"
        return (
            digits
            if text[:2] in ("19", "20") and read_date(text) == old and _COMPACT.fullmatch(text)
            else digits[4:] + digits[:4]
        )
    if old.order == "words":
        return re.sub(
            r"(\d+)(st|nd|rd|th)\b",
            lambda m: m[1] + _ordinal(m[1]),
            re.sub(r"\d+|[A-Za-z]{3,}", word, _one_day(text)),
            flags=re.I,
        )
    stripped = re.sub(r"[tT]\d\d:?\d\d.*$", "", text)
    return re.sub(r"\d+|[A-Za-z]{3,}", word, stripped)


_SMALL = re.compile(r"(?<![\d'])\d{1,2}(?!\d)(?!\s*$)|^\d{1,2}(?!\d)")


def _one_day(text: str) -> str:
    """A range within a month as its first day."""
    return re.sub(
        r"(?i)(\d(?:st|nd|rd|th)?)\s{0,2}(?:-|to|and|through|thru|&)\s{0,2}\d{1,2}(?:st|nd|rd|th)?(?=\W)(?!\d)",
        r"\1",
        text,
        count=1,
    )


def _slot(digits: str, old: Day, seen: dict[str, bool]) -> str:
    if len(digits) == 4 or (old.year and int(digits) == old.year % 100 and (seen["day"] or not old.day)):
        return "year"
    return "day" if old.day and not seen["day"] else "month" if old.order == "mdy" and not seen["month"] else "year"


def _ordinal(digits: str) -> str:
    number = int(digits)
    return "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _word(word: str, new: Day) -> str:
    """A month or weekday of the new day, with the length and capitals of the old word."""
    low = word.lower()
    if low in _NUMBER_OF:
        said = (MONTHS if low in MONTHS and (len(low) > 3 or low == "may") else SHORT)[new.month - 1]
    elif low in _WEEKDAY_HEADS and new.year and new.day:
        said = WEEKDAYS[date(new.year, new.month, new.day).weekday()]
        said = said if low in WEEKDAYS else said[:3]
    else:
        return word
    return said.upper() if word.isupper() else said.title() if word[0].isupper() else said
