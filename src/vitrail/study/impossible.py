"""Warnings: logic that nobody can satisfy, and parts that do nothing.

A definition may say such things (and the reference answers them with nobody), but whoever wrote it hardly meant it.
Each warning is the way to a part and a constant text: what is wrong and, after a semicolon, what to look at.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from vitrail.study.bounds import dates_exclude, limits_exclude, never
from vitrail.study.cohort import Around, Cohort, Event, Group, Limits, PersonLimits, Rule, Window
from vitrail.study.concepts import Coded, ConceptItem, ConceptSet
from vitrail.study.definition import Definition
from vitrail.study.naming import concept_sets_named
from vitrail.study.word import Name, Part, Word

NATURAL = frozenset({"age", "age_at_end", "length", "occurrences", "gap_days"})
"""Numbers that are never negative."""
VISITED = frozenset(
    {"condition", "drug", "procedure", "measurement", "observation", "device", "visit", "visit_detail"}
)  # fmt: skip
"""The domains whose records belong to a visit."""


@dataclass(frozen=True)
class Warned:
    """A part that cannot be what was meant: the way to it from the definition, and what about it."""

    part: Part
    what: str

    def __str__(self) -> str:
        way = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in self.part).removeprefix(".")
        what, _, do = self.what.partition("; ")
        return f"{way}: {what}. {do[:1].upper()}{do[1:]}."


def impossible(definition: Definition) -> tuple[Warned, ...]:
    """Everything in a definition that nobody can satisfy or that does nothing, in the order of its parts."""
    used = {name for _, name in concept_sets_named(definition.cohort)}
    cohort = (Warned(("cohort", *each.part), each.what) for each in of_cohort(definition.cohort))
    return (*cohort, *of_sets(definition.concept_sets, used))


def of_cohort(cohort: Cohort) -> tuple[Warned, ...]:
    """What nobody can satisfy in a cohort; ways begin at the cohort."""
    rules = _of_rules(("rules",), cohort.rules)
    return tuple(Warned(*each) for each in (*_of_word((), cohort), *rules, *_of_entry(cohort), *_of_exit(cohort)))


def of_sets(concept_sets: Mapping[Name, ConceptSet], used: Container[Name]) -> tuple[Warned, ...]:
    """Concept sets that nothing uses, and those that hold nothing."""
    return tuple(Warned(*each) for each in _of_sets(concept_sets, used))


Found = Iterator[tuple[Part, str]]


def _of_word(way: Part, word: Word) -> Found:
    """Limits that contradict themselves, anywhere below a word."""
    if (text := never(word)) is not None:
        yield way, text
    if isinstance(word, Event | PersonLimits):
        yield from _of_limits(way, word)
    if isinstance(word, Rule):
        yield from _of_rule(way, word)
    if isinstance(word, Group):
        yield from _of_group(way, word)
    for field in type(word).model_fields:
        value = getattr(word, field)
        for step, inner in _words(value):
            yield from _of_word((*way, field, *step), inner)


def _words(value: object) -> Iterator[tuple[Part, Word]]:
    if isinstance(value, Word):
        yield (), value
    elif isinstance(value, tuple):
        yield from (((place,), each) for place, each in enumerate(value) if isinstance(each, Word))


def _of_limits(way: Part, word: Event | PersonLimits) -> Found:
    for name in NATURAL & type(word).model_fields.keys():
        limits = getattr(word, name)
        if isinstance(limits, Limits) and limits_exclude(limits, Limits(at_least=0)):
            yield (*way, name), "a number that is never negative should be below 0; look at the limits"
    if word.starts and word.ends and dates_exclude(word.starts, word.ends):
        yield (*way, "ends"), "this should end before it starts; look at starts and ends"


def _of_rule(way: Part, rule: Rule) -> Found:
    if rule.of is None:
        return
    if rule.same_visit and rule.of.domain not in VISITED and rule.least > 0:
        yield way, "events of this domain belong to no visit, so none is in the same; leave same_visit out"
    windows = [*([] if rule.days is None else [Around(days=rule.days)]), *(rule.windows or ())]
    if any(_backwards(each.days) for each in windows) or _apart(windows):
        yield way, "no day lies in all windows, so no event is ever counted; look at days and windows"


def _backwards(days: Window) -> bool:
    low, high = days
    return low is not None and high is not None and low > high


def _apart(windows: list[Around]) -> bool:
    """Whether two windows around the same index day exclude each other: an event ends no earlier than it starts."""
    return any(
        one.index == other.index
        and (one.event == other.event or (one.event == "start" and other.event == "end"))
        and one.days[0] is not None
        and other.days[1] is not None
        and one.days[0] > other.days[1]
        for one in windows
        for other in windows
    )


def _of_group(way: Part, group: Group) -> Found:
    if group.count is None or not group.rules:
        return
    if group.need == "at_least" and group.count > len(group.rules):
        yield way, "more rules must hold than there are; look at count"
    if group.need == "at_most" and group.count >= len(group.rules):
        yield way, "as many rules may hold as there are, so this leaves nobody out; look at count"


def _of_rules(way: Part, rules: tuple[Rule, ...]) -> Found:
    """Rules that all must hold and exclude each other: too few and enough of the same event."""
    for place, rule in enumerate(rules):
        if any(_excludes(other, rule) for other in rules):
            yield (*way, place), "another rule forbids what this one needs; look at both"


def _excludes(few: Rule, enough: Rule) -> bool:
    """Whether ``few`` allows less of the same events than ``enough`` needs in a window inside."""
    return (
        few.of is not None
        and few.of == enough.of
        and few.at_most is not None
        and few.at_most < enough.least
        and _same_but_days(few, enough)
        and few.days is not None
        and enough.days is not None
        and _inside(enough.days, few.days)
    )


def _same_but_days(one: Rule, other: Rule) -> bool:
    return all(
        getattr(one, name) == getattr(other, name) for name in ("windows", "distinct", "same_visit", "unobserved")
    )


def _inside(inner: Window, outer: Window) -> bool:
    return (outer[0] is None or (inner[0] is not None and inner[0] >= outer[0])) and (
        outer[1] is None or (inner[1] is not None and inner[1] <= outer[1])
    )


def _of_entry(cohort: Cohort) -> Found:
    """Entry events that a rule excludes, and people whom the entry and the rules want of different age or sex."""
    for place, rule in enumerate(cohort.rules):
        if all(_counts_itself(entry, rule) for entry in cohort.entry):
            yield ("rules", place), "the entry event itself is what this rule forbids; leave the index day out"
    persons = [rule.person for rule in cohort.rules if rule.person is not None]
    ages = [person.age for person in persons if person.age]
    if all(_exclude([*([entry.age] if entry.age else []), *ages]) for entry in cohort.entry):
        yield ("entry",), "ages at entry are wanted that exclude each other; look at age here and in the rules"
    genders = [person.gender for person in persons if person.gender]
    if all(_disjoint([*([entry.gender] if entry.gender else []), *genders]) for entry in cohort.entry):
        yield ("entry",), "genders are wanted that exclude each other; look at gender here and in the rules"


def _counts_itself(entry: Event, rule: Rule) -> bool:
    """Whether an entry event is among the events of a rule that wants none of them."""
    if rule.of is None or rule.at_most != 0 or rule.windows or rule.days is None:
        return False
    bare = {name: getattr(entry, name) for name in type(rule.of).model_fields if name != "where"}
    same = not rule.of.where and all(getattr(rule.of, name) in (None, value) for name, value in bare.items())
    return same and rule.of.domain == entry.domain and not rule.of.first and _inside((0, 0), rule.days)


def _exclude(limits: list[Limits]) -> bool:
    return any(limits_exclude(one, other) for one in limits for other in limits if one is not other)


def _disjoint(codes: list[Coded]) -> bool:
    lists = [set(each.any_of) for each in codes if each.any_of]
    return len(lists) > 1 and not set.intersection(*lists)


def _of_exit(cohort: Cohort) -> Found:
    if cohort.exit.days_after_start is not None and cohort.exit.days_after_start < 0:
        yield ("exit", "days_after_start"), "everybody would leave before they enter; write at least 0"
    clip = cohort.clip
    if clip and clip.end and all(entry.starts and _after(entry, clip.end.isoformat()) for entry in cohort.entry):
        yield ("clip",), "people enter after all that is kept; look at clip and starts"


def _after(entry: Event, day: str) -> bool:
    starts = entry.starts
    return starts is not None and any(
        each is not None and each.isoformat() > day for each in (starts.since, starts.after)
    )


def _of_sets(concept_sets: Mapping[Name, ConceptSet], used: Container[Name]) -> Found:
    for place, (name, concepts) in enumerate(concept_sets.items()):
        if name not in used:
            yield ("concept_sets", place), "nothing names this concept set; leave it out, or name it"
        elif _empty(concepts):
            yield ("concept_sets", place), "this concept set excludes all that it includes; look at its concepts"


def _empty(concepts: ConceptSet) -> bool:
    included = [item for item in concepts.concepts if not item.exclude]
    excluded = [item for item in concepts.concepts if item.exclude]
    return all(_covered(item, excluded) for item in included)


def _covered(item: ConceptItem, excluded: Iterable[ConceptItem]) -> bool:
    return any(
        other.concept == item.concept
        and other.descendants >= item.descendants
        and bool(other.mapped) >= bool(item.mapped)
        for other in excluded
    )
