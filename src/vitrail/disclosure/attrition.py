"""Attrition: steps that left out too few people, or tell that too few were all alike, are merged into the next."""

from collections.abc import Set

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.counts import cohort
from vitrail.disclosure.partitions import Part, Partition
from vitrail.disclosure.result import RawAttrition
from vitrail.errors import Refusal
from vitrail.study.release import Attrition, Cell


def partitions(place: int, raw: RawAttrition) -> list[Partition]:
    """The last step is the cohort. That it is empty is told only where enough people were considered."""
    _check(raw)
    first, last = raw.steps[0][1], raw.steps[-1][1]
    final = Part(cohort(raw.cohort, last), last, last)
    if last > 0 or first == 0:
        return [Partition(final, (), disjoint=True)]
    left_out = Part(("left out", place), first, first)
    return [Partition(Part(("first step", place), first, first), (final, left_out), disjoint=True)]


def _check(raw: RawAttrition) -> None:
    persons = [each for _, each in raw.steps]
    if not persons or sorted(persons, reverse=True) != persons or persons[-1] < 0:
        raise Refusal(
            "disclosure", "The steps of an attrition do not decrease.", "Report a fault in the analysis that made it."
        )


def released(place: int, raw: RawAttrition, bundle: Bundle) -> Attrition:
    """The steps that are shown, and before each the ones merged into it."""
    shown = _all_shown(bundle)[place]
    cells: list[Cell] = []
    merged: list[tuple[str, ...]] = []
    waiting: list[str] = []
    for number, (label, persons) in enumerate(raw.steps):
        if number in shown:
            last = number == len(raw.steps) - 1
            count = bundle.count(cohort(raw.cohort, persons), persons) if last else bundle.policy.rounded(persons)
            cells.append(Cell(label=label, count=count))
            merged.append(tuple(waiting))
            waiting = []
        else:
            waiting.append(label)
    return Attrition(cohort=raw.cohort, steps=tuple(cells), merged=tuple(merged))


def _all_shown(bundle: Bundle) -> dict[int, set[int]]:
    """For each attrition, by its place, the numbers of the steps that are shown.

    They are decided in order, each beside the totals of other cohorts and the steps of the attritions before it: two
    cohorts may differ by few people at a step though their totals are far apart.
    """
    found: dict[int, set[int]] = {}
    earlier: set[int] = set()
    for place, raw in enumerate(bundle.estimates):
        if isinstance(raw, RawAttrition):
            found[place] = _shown(raw, bundle, earlier | _totals_of_others(raw, bundle))
            earlier |= {raw.steps[number][1] for number in found[place] - {len(raw.steps) - 1}}
    return found


def _totals_of_others(raw: RawAttrition, bundle: Bundle) -> set[int]:
    """The totals of other cohorts that may be known."""
    keys = [key for key in bundle.decision.persons if key[0] == "cohort" and key[1] != raw.cohort]
    return {int(key[2]) for key in keys if bundle.known(key)}


def _shown(raw: RawAttrition, bundle: Bundle, others: Set[int]) -> set[int]:
    """The numbers of the steps that are shown: the last, perhaps suppressed, and from it backwards each step between
    which and the next one shown nobody of a large group was left out, or enough people were, and which differs from
    no number of ``others`` by fewer than enough.
    """
    last = len(raw.steps) - 1
    known = bundle.known(cohort(raw.cohort, raw.steps[last][1]))
    shown, following = {last}, raw.steps[last][1] if known else None
    for number in range(last - 1, -1, -1):
        persons = raw.steps[number][1]
        if _may_follow(persons, following, bundle) and _apart(persons, others, bundle):
            shown.add(number)
            following = persons
    return shown


def _may_follow(persons: int, following: int | None, bundle: Bundle) -> bool:
    """Whether a step of ``persons`` may be shown before one of ``following``, if that is known.

    That all of them go on, or none, is told of each of them, so only where they are many.
    """
    if following is None:
        return bundle.enough(persons)
    alike = following in (0, persons) and persons > 0
    if alike and persons < bundle.policy.class_minimum:
        return False
    return persons == following or bundle.enough(persons - following)


def _apart(persons: int, others: Set[int], bundle: Bundle) -> bool:
    """Whether a step is as large as others or differs by enough people."""
    return all(persons == other or bundle.enough(abs(persons - other)) for other in others)
