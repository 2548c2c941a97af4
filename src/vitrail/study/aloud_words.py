"""Numbers, days and limits in plain English. Names stand in “quotes”, which no name can hold."""

from collections.abc import Iterator
from decimal import Decimal

from vitrail.study.cohort import DayLimits, Limits, Moved, Side, Span, Window, Wording
from vitrail.study.concepts import Coded

_LIMITS = (("at_least", "at least"), ("above", "above"), ("at_most", "at most"), ("below", "below"))
_DAYS = (("since", "on or after"), ("after", "after"), ("until", "on or before"), ("before", "before"))


def number_aloud(value: float) -> str:
    """A number to its last digit, since it is signed to its last digit: ``60``, ``2.5``, ``1e-08``."""
    return repr(value).removesuffix(".0")


def percent_aloud(share: float) -> str:
    """A share to its last digit: ``25%``, ``0.5%``."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def text_aloud(text: str) -> str:
    """A text in quotes, with whatever a reader would not see, or take for the end of it, written out."""
    return "“" + "".join(map(_letter, text)) + "”"


def _letter(sign: str) -> str:
    return sign if sign.isprintable() and sign not in "“”\\" else f"\\u{{{ord(sign):x}}}"


def days_aloud(days: int) -> str:
    """A number of days: ``1 day``, ``1,000 days``."""
    return f"{days:,} day{'' if days == 1 else 's'}"


def day_aloud(day: int | None, zero: str = "that day") -> str:
    """A day counted from another: ``5 days before``, or ``zero`` for the day itself."""
    if not day:
        return zero
    return f"{days_aloud(abs(day))} {'before' if day < 0 else 'after'}"


def window_aloud(days: Window) -> str:
    """Days around an index, in words."""
    first, last = days
    if first is None and last is None:
        return "at any time"
    if first is None:
        return f"at any time up to {day_aloud(last)}"
    if last is None:
        return f"from {day_aloud(first)} on"
    return f"on {day_aloud(first)}" if first == last else f"from {day_aloud(first)} to {day_aloud(last)}"


def limits_aloud(limits: Limits) -> str:
    """Limits of a number: ``at least 18 and below 65``."""
    said = [f"{words} {number_aloud(getattr(limits, name))}" for name, words in _LIMITS if _given(limits, name)]
    if limits.outside is not None:
        said.append(f"outside {number_aloud(limits.outside[0])} to {number_aloud(limits.outside[1])}")
    return " and ".join(said)


def dates_aloud(limits: DayLimits) -> str:
    """Limits of a date: ``on or after 2010-01-01``."""
    said = [f"{words} {getattr(limits, name)}" for name, words in _DAYS if _given(limits, name)]
    if limits.outside is not None:
        said.append(f"outside {limits.outside[0]} to {limits.outside[1]}")
    return " and ".join(said)


def _given(limits: Limits | DayLimits, name: str) -> bool:
    return getattr(limits, name) is not None


def wording_aloud(wording: Wording) -> str:
    """Limits of a text: ``starting with “M”``."""
    said = ((name, getattr(wording, name)) for name in type(wording).model_fields)
    words = {"starts_with": "starting with", "ends_with": "ending with", "contains": "containing"}
    return " and ".join(
        f"{words.get(name, name.replace('_', ' '))} {text_aloud(text)}" for name, text in said if text is not None
    )


def coded_aloud(coded: Coded) -> str:
    """Limits of a concept: ``one of 8507, 8532 and not in “other”``."""
    return " and ".join(_coded(coded))


def _coded(coded: Coded) -> Iterator[str]:
    if coded.any_of:
        yield f"one of {', '.join(map(str, coded.any_of))}"
    if coded.none_of:
        yield f"none of {', '.join(map(str, coded.none_of))}"
    if coded.within is not None:
        yield f"in “{coded.within}”"
    if coded.outside is not None:
        yield f"not in “{coded.outside}”"
    if coded.recorded is not None:
        yield "recorded" if coded.recorded else "not recorded"


def span_aloud(span: Span) -> str:
    """A span of dates: ``from 2010-01-01 to 2012-12-31``."""
    start = f"from {span.start}" if span.start else ""
    end = f"to {span.end}" if span.end else ""
    return f"{start} {end}".strip()


def moved_aloud(moved: Moved) -> str:
    """Other dates for an event: ``counted from its start to 30 days after its start``."""
    return f"counted from {_moved(moved.start_days, moved.start_from)} to {_moved(moved.end_days, moved.end_from)}"


def _moved(days: int, side: Side) -> str:
    return f"{day_aloud(days)} its {side}" if days else f"its {side}"
