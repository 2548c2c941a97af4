"""Ranges, lists of concepts and filters: Circe's way to limit a value, and ours."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from vitrail.study.circe.values import Concept, DateAdjustment, DateRange, Period, Range, Selection, TextFilter, as_day
from vitrail.study.cohort import DayLimits, Limits, Moved, Span, Wording
from vitrail.study.concepts import Coded
from vitrail.study.word import Name

NUMBERS = ("below", "at_most", "above", "at_least")
DAYS = ("before", "until", "after", "since")
_OPERATORS = ("lt", "lte", "gt", "gte")
_TEXTS = {
    "starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains",
    "not_starting_with": "!startsWith", "not_ending_with": "!endsWith", "not_containing": "!contains",
}  # fmt: skip
_CENT = Decimal("0.0001")


class Unsaid(Exception):
    """A limit that Circe has no words for; ``what`` completes "Circe cannot say"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def range_of(words: tuple[str, str, str, str], op: str, value: Any, extent: Any) -> dict[str, Any]:
    """A range in our words (:data:`NUMBERS` or :data:`DAYS`)."""
    _, most, _, least = words
    if op in ("eq", "!eq"):
        extent = value
    if op.startswith("!"):
        return {"outside": (value, extent)}
    if op in ("eq", "bt"):
        return {least: value, most: extent}
    return {words[_OPERATORS.index(op)]: value}


def ranges(words: tuple[str, str, str, str], said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Our limits as Circe's ranges, all of which must hold: as few as there can be."""
    _, most, _, least = words
    left = dict(said)
    found = []
    if "outside" in left:
        low, high = left.pop("outside")
        found.append({"Op": "!eq", "Value": low} if low == high else {"Op": "!bt", "Value": low, "Extent": high})
    if least in left and most in left:
        low, high = left.pop(least), left.pop(most)
        found.append({"Op": "eq", "Value": low} if low == high else {"Op": "bt", "Value": low, "Extent": high})
    return found + [{"Op": _OPERATORS[words.index(word)], "Value": value} for word, value in left.items()]


def whole_limits(range: Range) -> Limits:
    """A range of whole numbers: the reference cuts fractions off."""
    extent = None if range.extent is None else float(int(range.extent))
    return Limits(**range_of(NUMBERS, range.op, float(int(range.value)), extent))


def number_limits(range: Range) -> Limits:
    """A range of numbers, which the reference rounds to four decimals, halves away from zero."""
    extent = None if range.extent is None else rounded(range.extent)
    return Limits(**range_of(NUMBERS, range.op, rounded(range.value), extent))


def rounded(value: float) -> float:
    """``value`` to four decimals, as Java formats ``%.4f``: from its shortest decimal form, halves away from zero."""
    return float(Decimal(repr(value)).quantize(_CENT, ROUND_HALF_UP)) or 0.0


def number_ranges(limits: Limits, *, whole: bool) -> list[dict[str, Any]]:
    """Limits of a number as ranges. Unsaid where the reference would round them."""
    said = limits.model_dump(exclude_none=True)
    numbers = [each for value in said.values() for each in (value if isinstance(value, tuple) else (value,))]
    if whole and any(not each.is_integer() or abs(each) >= 2**31 for each in numbers):
        raise Unsaid("a limit here that is not a whole number below two thousand million")
    if any(rounded(each) != each or abs(each) > 1e15 for each in numbers):
        raise Unsaid("a number with more than four decimals, or beyond 10 to the 15th")
    plain = {word: tuple(map(_shortest, value)) if isinstance(value, tuple) else _shortest(value)
             for word, value in said.items()}  # fmt: skip
    return ranges(NUMBERS, plain)


def _shortest(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def day_limits(range: DateRange) -> dict[str, Any]:
    """A range of dates in our words."""
    extent = None if range.extent is None else as_day(range.extent)
    return range_of(DAYS, range.op, as_day(range.value), extent)


def both(one: Mapping[str, Any], other: Mapping[str, Any]) -> DayLimits | None:
    """The limits of a date that say both; None where no limits can."""
    if "outside" in one and "outside" in other:
        return None
    merged = {**one, **other}
    for word, narrower in (("since", max), ("after", max), ("until", min), ("before", min)):
        if word in one and word in other:
            merged[word] = narrower(one[word], other[word])
    return DayLimits(**merged)


def day_ranges(limits: DayLimits) -> list[dict[str, Any]]:
    """Limits of a date as ranges."""
    said = limits.model_dump(exclude_none=True)
    plain = {word: tuple(map(date.isoformat, value)) if isinstance(value, tuple) else value.isoformat()
             for word, value in said.items()}  # fmt: skip
    return ranges(DAYS, plain)


def coded(
    concepts: list[Concept] | None, turned: bool | None, chosen: Selection | None, name: Name | None
) -> Coded | None:
    """Limits of a concept, from a list (``turned``: all but these) and a concept set that is called ``name``.

    A selection that names no set wants a concept, or none.
    """
    said: dict[str, Any] = {}
    if concepts:
        said["none_of" if turned else "any_of"] = tuple(each.concept_id for each in concepts)
    if chosen is not None and chosen.codeset_id is None:
        said["recorded"] = not chosen.is_exclusion
    elif chosen is not None:
        said["outside" if chosen.is_exclusion else "within"] = name
    return Coded(**said) if said else None


def wording(filter: TextFilter) -> Wording:
    """A filter of a text."""
    return Wording(**{word: filter.text for word, op in _TEXTS.items() if op == filter.op})


def text_filter(wording: Wording) -> dict[str, Any]:
    """Limits of a text as Circe's filter. Unsaid where there are several, or the text has wildcards."""
    said = wording.model_dump(exclude_none=True)
    if len(said) > 1:
        raise Unsaid("more than one limit of a text")
    ((word, text),) = said.items()
    if "%" in text or "_" in text or "\0" in text or len(text) > 1000:
        raise Unsaid("a text with % or _ in it, which databases read as wildcards, or of more than 1,000 characters")
    return {"Text": text, "Op": _TEXTS[word]}


def span(period: Period | None) -> Span | None:
    """A span of dates, or None where no date is given."""
    if period is None or (period.start_date is None and period.end_date is None):
        return None
    start = None if period.start_date is None else as_day(period.start_date)
    end = None if period.end_date is None else as_day(period.end_date)
    return Span(start=start, end=end)


def period(span: Span | None) -> dict[str, str]:
    """A span of dates as Circe writes it."""
    given = {"StartDate": span.start, "EndDate": span.end} if span else {}
    return {name: day.isoformat() for name, day in given.items() if day is not None}


def moved(adjustment: DateAdjustment) -> Moved:
    """Other dates for an event."""
    return Moved(
        start_from="start" if adjustment.start_with == "START_DATE" else "end",
        start_days=adjustment.start_offset or 0,
        end_from="start" if adjustment.end_with == "START_DATE" else "end",
        end_days=adjustment.end_offset or 0,
    )


def date_adjustment(moved: Moved) -> dict[str, Any]:
    """Other dates for an event as Circe writes them."""
    return {
        "StartWith": f"{moved.start_from.upper()}_DATE",
        "StartOffset": moved.start_days,
        "EndWith": f"{moved.end_from.upper()}_DATE",
        "EndOffset": moved.end_days,
    }
