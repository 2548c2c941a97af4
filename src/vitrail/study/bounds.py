"""Limits that leave nothing: alone, or together with others."""

from collections.abc import Callable, Mapping
from datetime import date
from math import inf
from typing import Any

from vitrail.study.cohort import DayLimits, Limits, Moved, Span, Wording
from vitrail.study.concepts import Coded
from vitrail.study.word import Word

Bounds = tuple[float, bool, float, bool]
"""A lowest and a highest value, each with whether it is left out itself."""


def never(word: Word) -> str | None:
    """Why no value fits a word of limits: ``what; what to look at``. None where some may."""
    for kind, why in _NEVER.items():
        if isinstance(word, kind):
            return why(word)
    return None


def limits_exclude(one: Limits, other: Limits) -> bool:
    """Whether no number fits both."""
    return _none_between(_narrower(_bounds(one), _bounds(other)), [each.outside for each in (one, other)])


def dates_exclude(starts: DayLimits, ends: DayLimits) -> bool:
    """Whether everything that starts so ends before it starts."""
    low, low_out, _, _ = _bounds(starts)
    _, _, high, high_out = _bounds(ends)
    return low > high or (low == high and (low_out or high_out))


def _bounds(limits: Limits | DayLimits) -> Bounds:
    names = ("at_least", "above", "at_most", "below")
    if isinstance(limits, DayLimits):
        names = ("since", "after", "until", "before")
    least, above, most, below = (_number(getattr(limits, name)) for name in names)
    low = (least, False) if above is None or (least is not None and least > above) else (above, True)
    high = (most, False) if below is None or (most is not None and most < below) else (below, True)
    return (-inf if low[0] is None else low[0], low[1], inf if high[0] is None else high[0], high[1])


def _number(value: float | date | None) -> float | None:
    return value.toordinal() if isinstance(value, date) else value


def _narrower(one: Bounds, other: Bounds) -> Bounds:
    low = max((one[0], one[1]), (other[0], other[1]))
    high = min((one[2], not one[3]), (other[2], not other[3]))
    return (*low, high[0], not high[1])


def _none_between(bounds: Bounds, outside: list[Any]) -> bool:
    low, low_out, high, high_out = bounds
    if low > high or (low == high and (low_out or high_out)):
        return True
    spans: list[tuple[Any, ...]] = [tuple(map(_number, each)) for each in outside if each is not None]
    return any(first <= low and high <= last for first, last in spans)


def _limits(limits: Limits | DayLimits) -> str | None:
    found = _none_between(_bounds(limits), [limits.outside])
    return "no value fits all of these limits; look at them together" if found else None


def _coded(coded: Coded) -> str | None:
    listed = bool(coded.any_of) and set(coded.any_of or ()) <= set(coded.none_of or ())
    if listed or (coded.within is not None and coded.within == coded.outside):
        return "the concepts that are wanted are excluded as well; look at both"
    return None


def _wording(wording: Wording) -> str | None:
    pairs = (
        (wording.starts_with, wording.not_starting_with, str.startswith),
        (wording.ends_with, wording.not_ending_with, str.endswith),
    )
    contained = (wording.starts_with, wording.ends_with, wording.contains)
    without = wording.not_containing
    if any(have is not None and lack is not None and fits(have, lack) for have, lack, fits in pairs) or (
        without is not None and any(each is not None and without in each for each in contained)
    ):
        return "the text that is wanted is excluded as well; look at both"
    return None


def _moved(moved: Moved) -> str | None:
    if moved.start_from == moved.end_from and moved.start_days > moved.end_days:
        return "every event would end before it starts, and is left out; look at the days"
    return None


def _span(span: Span) -> str | None:
    if span.start is not None and span.end is not None and span.start > span.end:
        return "this ends before it starts; write the earlier day as start"
    return None


_NEVER: Mapping[type[Word], Callable[[Any], str | None]] = {
    Limits: _limits,
    DayLimits: _limits,
    Coded: _coded,
    Wording: _wording,
    Moved: _moved,
    Span: _span,
}
