"""Cohorts in plain English: what a steward, a clinician or anybody at `vitrail study check` reads."""

from vitrail.study.cohort import ANY, Cohort, EntryEvent, Event, Limits, Rule, Window

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
    said = " and ".join(f"{words} {value:g}" for words, value in given if value is not None)
    return f" {said}" if said else ""


def _entry(entry: EntryEvent) -> str:
    where = f" (there being {'; '.join(map(_rule, entry.where))})" if entry.where else ""
    return event_aloud(entry) + where


def _rule(rule: Rule) -> str:
    return f"{_times(rule)} {event_aloud(rule.of)} {window_aloud(rule.days)}"


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
