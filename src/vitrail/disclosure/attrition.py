"""Attrition: steps that left out too few people are merged into the next."""

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


def released(_: int, raw: RawAttrition, bundle: Bundle) -> Attrition:
    """The steps that are shown, and before each the ones merged into it."""
    shown = _shown(raw, bundle)
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


def _shown(raw: RawAttrition, bundle: Bundle) -> set[int]:
    """The numbers of the steps that are shown: the last, perhaps suppressed, and from it backwards each step between
    which and the next one shown either nobody was left out or enough people were.
    """
    last = len(raw.steps) - 1
    known = bundle.known(cohort(raw.cohort, raw.steps[last][1]))
    shown, following = {last}, raw.steps[last][1] if known else 0
    for number in range(last - 1, -1, -1):
        persons = raw.steps[number][1]
        left_out = persons - following
        if bundle.enough(left_out) or (left_out == 0 and known):
            shown.add(number)
            following, known = persons, True
    return shown
