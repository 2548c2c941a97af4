"""Events and rules in plain English."""

from collections.abc import Iterator

from vitrail.study.aloud_words import (
    coded_aloud,
    dates_aloud,
    limits_aloud,
    moved_aloud,
    span_aloud,
    window_aloud,
    wording_aloud,
)
from vitrail.study.cohort import ANY, Around, DayLimits, Event, Group, Limits, Moved, PersonLimits, Rule, Span, Wording
from vitrail.study.concepts import Coded
from vitrail.study.word import Word

_BESIDE = {"value", "value_concepts", "first", "where"}
"""Limits that are told in a place of their own."""

_LABELS = {
    "starts": "start", "ends": "end", "age": "age at start", "type": "type of record", "visit_type": "kind of visit",
    "specialty": "provider's specialty", "source": "source concept", "status": "status", "value_text": "text",
    "range_low": "lower limit of normal", "range_high": "upper limit of normal",
    "range_low_ratio": "result over lower limit of normal", "range_high_ratio": "result over upper limit of normal",
    "days_supply": "days of supply", "length": "length in days", "occurrences": "number of occurrences",
    "gap_days": "days of gaps", "source_id": "source's id", "period": "containing and cut to",
}  # fmt: skip
_DISTINCT = {
    "start": "start dates", "end": "end dates", "concept": "concepts", "visit": "visits",
    "visit_detail": "visit details", "duration": "lengths", "days_supply": "days of supply", "quantity": "quantities",
    "refills": "numbers of refills", "occurrences": "numbers of occurrences", "gap_days": "days of gaps",
    "value": "results", "unit": "units", "range_low": "lower limits of normal", "range_high": "upper limits of normal",
}  # fmt: skip


def event_aloud(event: Event) -> str:
    """One kind of event, without article: ``measurement in “eGFR” below 60``."""
    first = "first-ever " if event.first else ""
    limited = "; ".join(_limits(event))
    told = f" ({limited})" if limited else ""
    where = f" (there being {'; '.join(map(rule_aloud, event.where))})" if event.where else ""
    return f"{first}{_what(event)}{told}{where}"


def _what(event: Event) -> str:
    if event.domain == "cohort":
        return f"start in cohort “{event.of}”"
    of = "(any)" if event.of == ANY else f"in “{event.of}”"
    value = f" {limits_aloud(event.value)}" if event.value else ""
    values = event.value_concepts
    result = "" if values is None else f"in “{values}”" if isinstance(values, str) else coded_aloud(values)
    return f"{event.domain.replace('_', ' ')} {of}{value}{result and f' with a result {result}'}"


def _limits(word: Event | PersonLimits) -> Iterator[str]:
    """Every limit with its label, in the order of the word's fields."""
    for name in type(word).model_fields:
        value = getattr(word, name)
        if name in _BESIDE or value is None:
            continue
        if name == "abnormal":
            yield "result not normal"
        elif isinstance(value, Moved):
            yield moved_aloud(value)
        elif name == "source" or isinstance(value, Word):
            yield f"{_LABELS.get(name, name.replace('_', ' '))} {_limit(value)}"


def _limit(value: object) -> str:
    match value:
        case Limits():
            return limits_aloud(value)
        case DayLimits():
            return dates_aloud(value)
        case Coded():
            return coded_aloud(value)
        case Wording():
            return wording_aloud(value)
        case Span():
            return span_aloud(value)
    return f"in “{value}”"


def rule_aloud(rule: Rule) -> str:
    """What must hold, and what it is called."""
    return _held(rule) + (f", called “{rule.name}”" if rule.name is not None else "")


def _held(rule: Rule) -> str:
    if rule.of is not None:
        return " ".join((_times(rule), event_aloud(rule.of), *_around(rule)))
    if rule.person is not None:
        return f"a person ({'; '.join(_limits(rule.person)) or 'any'})"
    return group_aloud(rule.group or Group())


def group_aloud(group: Group) -> str:
    """A group of rules: ``any of (…; …)``."""
    need = group.need.replace("_", " ") + ("" if group.count is None else f" {group.count}")
    return f"{need} of ({'; '.join(map(rule_aloud, group.rules)) or 'nothing'})"


def _times(rule: Rule) -> str:
    number = _number(rule)
    if rule.distinct is None:
        return number
    return f"{'at most 0' if number == 'no' else number} different {_DISTINCT[rule.distinct]} of"


def _number(rule: Rule) -> str:
    if rule.at_most is None:
        return f"at least {rule.least}"
    if rule.at_most == 0:
        return "no"
    if rule.least == 0:
        return f"at most {rule.at_most}"
    return f"exactly {rule.least}" if rule.least == rule.at_most else f"{rule.least} to {rule.at_most}"


def _around(rule: Rule) -> Iterator[str]:
    if rule.days is not None:
        yield window_aloud(rule.days)
    for window in rule.windows or ():
        yield _window(window)
    if rule.same_visit:
        yield "in the same visit"
    if rule.unobserved:
        yield "whether observed then or not"


def _window(window: Around) -> str:
    counted = ", counted from the end," if window.index == "end" else ""
    return f"{'starting' if window.event == 'start' else 'ending'} {window_aloud(window.days)}{counted}"
