"""A study in plain English: what a steward, a clinician or anybody at `vitrail study check` reads.

Whoever signs a study signs every letter of it, so nothing that a study says is left out here: two studies that differ
in what they ask are read aloud differently. Names stand in “quotes”, which no name can hold.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

from vitrail.study.cohort import ANY, Cohort, EntryEvent, Event, Limits, Rule, Window
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.covariates import Covariate

_LIMITS = (("at_least", "at least"), ("above", "above"), ("at_most", "at most"), ("below", "below"))
_KEPT = {
    "first": "at their first",
    "first_of_each_year": "in each calendar year at their first",
    "every": "at every",
}


def cohort_aloud(name: str, cohort: Cohort) -> str:
    """Who is in a cohort, in one paragraph."""
    entry = " or ".join(map(_entry, cohort.entry))
    sentences = [f"Cohort “{name}”: people enter {_KEPT[cohort.keep]} {entry}{_observed(cohort)}."]
    if cohort.rules:
        sentences.append(f"They need {'; '.join(map(_rule, cohort.rules))}.")
    if cohort.limit == "first":
        sentences.append("Only the first time counts.")
    sentences.append(_exit(cohort.exit.days_after_start))
    return " ".join(sentences)


def concept_set_aloud(name: str, concepts: ConceptSet) -> str:
    """The codes of a concept set: ``Concept set “gout”: 2 (with descendants); but not 3 (alone).``"""
    alike = groupby(concepts.concepts, key=lambda item: (item.exclude, item.descendants))
    return f"Concept set “{name}”: {'; '.join(_items(*kind, tuple(items)) for kind, items in alike)}."


def _items(exclude: bool, descendants: bool, items: tuple[ConceptItem, ...]) -> str:
    ids = ", ".join(str(item.concept) for item in items)
    return f"{'but not ' if exclude else ''}{ids} ({'with descendants' if descendants else 'alone'})"


def covariate_aloud(covariate: Covariate) -> str:
    """A covariate's name and what it means: ``“age” (age in years, centred at 60, per 10)``."""
    return f"“{covariate.name}” ({', '.join((_measured(covariate), *_scaled(covariate)))})"


def _measured(covariate: Covariate) -> str:
    if covariate.event is None or covariate.days is None:
        return "age in years" if covariate.age else f"whether the recorded sex is {covariate.sex}"
    what = "whether there is at least 1" if covariate.has else "the number of the latest"
    days = window_aloud(covariate.days).replace("that day", "the index date")
    return f"{what} {event_aloud(covariate.event)} {days}"


def _scaled(covariate: Covariate) -> Iterator[str]:
    if covariate.centre != 0:
        yield f"centred at {number_aloud(covariate.centre)}"
    if covariate.per != 1:
        yield f"per {number_aloud(covariate.per)}"
    if covariate.if_missing is not None:
        yield f"{number_aloud(covariate.if_missing)} where missing"


def number_aloud(value: float) -> str:
    """A number to its last digit, since it is signed to its last digit: ``60``, ``2.5``, ``1e-08``."""
    return repr(value).removesuffix(".0")


def percent_aloud(share: float) -> str:
    """A share to its last digit: ``25%``, ``0.5%``."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def event_aloud(event: Event) -> str:
    """One kind of event, without article: ``measurement in “eGFR” below 60``."""
    if event.domain == "cohort":
        return f"start in cohort “{event.of}”"
    of = "(any)" if event.of == ANY else f"in “{event.of}”"
    values = f" with a result in “{event.value_concepts}”" if event.value_concepts else ""
    return f"{event.domain} {of}{_limits(event.value)}{values}"


def window_aloud(days: Window) -> str:
    """Days around an index, in words."""
    first, last = days
    if first is None and last is None:
        return "at any time"
    if first is None:
        return f"at any time up to {_day(last)}"
    if last is None:
        return f"from {_day(first)} on"
    return f"on {_day(first)}" if first == last else f"from {_day(first)} to {_day(last)}"


def _day(day: int | None) -> str:
    if not day:
        return "that day"
    return f"{_days(abs(day))} {'before' if day < 0 else 'after'}"


def _days(days: int) -> str:
    return f"{days:,} day{'' if days == 1 else 's'}"


def _limits(limits: Limits | None) -> str:
    given = [(words, getattr(limits, name, None)) for name, words in _LIMITS]
    said = " and ".join(f"{words} {number_aloud(value)}" for words, value in given if value is not None)
    return f" {said}" if said else ""


def _entry(entry: EntryEvent) -> str:
    where = f" (there being {'; '.join(map(_rule, entry.where))})" if entry.where else ""
    return event_aloud(entry) + where


def _rule(rule: Rule) -> str:
    return f"{_times(rule)} {event_aloud(rule.of)} {window_aloud(rule.days)}, called “{rule.name}”"


def _times(rule: Rule) -> str:
    if rule.at_most is None:
        return f"at least {rule.least}"
    if rule.at_most == 0:
        return "no"
    return f"at most {rule.at_most}" if rule.least == 0 else f"{rule.least} to {rule.at_most}"


def _observed(cohort: Cohort) -> str:
    around = ((cohort.observed.before, "before"), (cohort.observed.after, "after"))
    needs = [f"{_days(days)} {side}" for days, side in around if days]
    return f", observed for {' and '.join(needs)}" if needs else ""


def _exit(days: int | None) -> str:
    if days == 0:
        return "They stay for that day only."
    until = "observation ends" if days is None else f"{_days(days)} later, or observation ends"
    return f"They stay until {until}."
