"""A study in plain English: what a steward, a clinician or anybody at `vitrail study check` reads.

Whoever signs a study signs every letter of it, so nothing that a study says is left out here: two studies that differ
in what they ask are read aloud differently. Names stand in “quotes”, which no name can hold.
"""

from collections.abc import Iterator
from itertools import groupby

from vitrail.study.aloud_events import event_aloud, group_aloud, rule_aloud
from vitrail.study.aloud_words import day_aloud, days_aloud, number_aloud, span_aloud, window_aloud
from vitrail.study.cohort import Cohort, Exit, Exposure
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.covariates import Covariate
from vitrail.study.definition import Definition

_KEPT = {
    "first": "at their first",
    "last": "at their last",
    "first_of_each_year": "in each calendar year at their first",
    "every": "at every",
}


def definition_aloud(definition: Definition) -> tuple[str, ...]:
    """A definition in plain English, in short paragraphs: who enters, each rule, until when, each concept set."""
    cohort = definition.cohort
    enter = " ".join((f"Cohort “{definition.id}”: {_entry(cohort)}", *_qualified(cohort)))
    rules = (f"They need {rule_aloud(rule)}." for rule in cohort.rules)
    leave = " ".join((*_limited(cohort), *_end(cohort)))
    sets = (concept_set_aloud(name, each) for name, each in definition.concept_sets.items())
    return (enter, *rules, leave, *sets)


def cohort_aloud(name: str, cohort: Cohort) -> str:
    """Who is in a cohort, in one paragraph."""
    rules = [f"They need {'; '.join(map(rule_aloud, cohort.rules))}."] if cohort.rules else []
    start = f"Cohort “{name}”: {_entry(cohort)}"
    return " ".join((start, *_qualified(cohort), *rules, *_limited(cohort), *_end(cohort)))


def _entry(cohort: Cohort) -> str:
    return f"people enter {_KEPT[cohort.keep]} {' or '.join(map(event_aloud, cohort.entry))}{_observed(cohort)}."


def _qualified(cohort: Cohort) -> Iterator[str]:
    if cohort.also is not None:
        yield f"Of these times, those count that have {group_aloud(cohort.also)}."
    if cohort.qualified is not None:
        yield f"Of these, each person's {cohort.qualified} is taken."


def _limited(cohort: Cohort) -> Iterator[str]:
    if cohort.limit != "every":
        yield f"Only the {cohort.limit} time counts."


def _end(cohort: Cohort) -> Iterator[str]:
    yield _exit(cohort.exit)
    if cohort.censor:
        yield f"They leave before that at the first {' or '.join(map(event_aloud, cohort.censor))}."
    if cohort.era_pad:
        yield f"Times at most {days_aloud(cohort.era_pad)} apart are one."
    if cohort.eras_within_observation:
        yield "Times of different observation periods stay apart."
    if cohort.clip is not None:
        yield f"Only the time {span_aloud(cohort.clip)} counts."


def _exit(exit: Exit) -> str:
    if exit.days_after_start == 0:
        return "They stay for that day only."
    if exit.days_after_start is not None:
        days = exit.days_after_start
        until = f"{days_aloud(days)} later" if days > 0 else f"{days_aloud(-days)} earlier"
    elif exit.days_after_end is not None:
        until = day_aloud(exit.days_after_end, "the day of") + " its end"
    elif exit.exposed_to is not None:
        until = _exposure(exit.exposed_to)
    else:
        return "They stay until observation ends."
    return f"They stay until {until}, or observation ends."


def _exposure(exposure: Exposure) -> str:
    lasting = "" if exposure.days_supply is None else f", each taken to last {days_aloud(exposure.days_supply)}"
    after = f"{days_aloud(exposure.offset)} after " if exposure.offset else ""
    return (
        f"{after}their exposure to “{exposure.drug}” ends (exposures at most {days_aloud(exposure.gap)} apart are "
        f"one{lasting})"
    )


def _observed(cohort: Cohort) -> str:
    around = ((cohort.observed.before, "before"), (cohort.observed.after, "after"))
    needs = [f"{days_aloud(days)} {side}" for days, side in around if days]
    return f", observed for {' and '.join(needs)}" if needs else ""


def concept_set_aloud(name: str, concepts: ConceptSet) -> str:
    """The codes of a concept set: ``Concept set “gout”: 2 (with descendants); but not 3 (alone).``"""
    alike = groupby(concepts.concepts, key=lambda item: (item.exclude, item.descendants, bool(item.mapped)))
    return f"Concept set “{name}”: {'; '.join(_items(*kind, tuple(items)) for kind, items in alike)}."


def _items(exclude: bool, descendants: bool, mapped: bool, items: tuple[ConceptItem, ...]) -> str:
    ids = ", ".join(str(item.concept) for item in items)
    along = f"{'with descendants' if descendants else 'alone'}{', and what maps to these' if mapped else ''}"
    return f"{'but not ' if exclude else ''}{ids} ({along})"


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
