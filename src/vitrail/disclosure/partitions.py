"""The arithmetic of counts: which must not be printed, so that no small count can be derived from the others.

Every count of a Release is a part of some whole: a cell of its table, people at risk of their cohort, events of
the people at risk. Wholes are shared: all tables of a cohort have one total. Here it is decided for all counts of a
Release at once which may be known. The decision supposes that whoever reads the Release knows the exact value
behind every printed count and every whole, so it leans on no rounding; rounding comes on top.

For each whole that may be known, the parts that may not be are either none, or at least two that are at least
``policy.threshold`` people together. What is known of one of them is then only that it is between none and all of
these, and since nothing below a part that may not be known is printed, nothing else narrows it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vitrail.disclosure.policy import Policy

Key = tuple[str | int, ...]
"""Which count it is. Counts of the same thing have the same key wherever they are printed."""


@dataclass(frozen=True)
class Part:
    """A count of persons or index dates, and how many distinct people are certainly behind it."""

    key: Key
    persons: int
    count: int


@dataclass(frozen=True)
class Partition:
    """Parts that add up to a whole.

    ``disjoint``: nobody is in two parts, so the people behind several are the sum. ``structural``: a part of nobody is
    a matter of course and tells nothing of anybody. ``fixed`` parts are known from elsewhere and cannot be
    withheld here; where the others cannot be protected without, the whole is withheld. ``alone``: the parts are parts
    of a larger whole too, and judged there, so a safe one may be known where this whole may not.
    """

    whole: Part
    parts: tuple[Part, ...]
    disjoint: bool
    structural: bool = False
    fixed: frozenset[Key] = frozenset()
    alone: bool = False


@dataclass(frozen=True)
class Decision:
    """The counts that nobody may know, and how many people are certainly behind each count."""

    withheld: frozenset[Key]
    persons: Mapping[Key, int]


def decide(partitions: Sequence[Partition], policy: Policy) -> Decision:
    """What to withhold of all counts together. Deterministic; nothing under a policy for public data."""
    persons = _persons(partitions)
    if policy.public_data_only:
        return Decision(frozenset(), persons)
    parts = {part.key for partition in partitions for part in partition.parts}
    wholes = {partition.whole.key for partition in partitions} - parts
    withheld = {key for key in wholes if persons[key] < policy.threshold}
    while True:
        found = {key for each in partitions for key in _withheld(each, withheld, persons, policy)}
        if found <= withheld:
            return Decision(frozenset(withheld), persons)
        withheld |= found


def _persons(partitions: Sequence[Partition]) -> Mapping[Key, int]:
    """The largest of what each mention of a count says of the people behind it: all are lower bounds."""
    persons: dict[Key, int] = defaultdict(int)
    for partition in partitions:
        for part in (partition.whole, *partition.parts):
            persons[part.key] = max(persons[part.key], part.persons)
    return persons


def _withheld(partition: Partition, withheld: set[Key], persons: Mapping[Key, int], policy: Policy) -> Iterable[Key]:
    """What must be withheld of one partition, given what is withheld already."""
    free = [part for part in partition.parts if part.key not in partition.fixed]
    unsafe = [part for part in partition.parts if part.key in withheld or _unsafe(part, partition, persons, policy)]
    if partition.whole.key in withheld:
        return {part.key for part in (unsafe if partition.alone else [*unsafe, *free])}
    if not unsafe or len(partition.parts) == 1 or partition.whole.count == 0:
        return ()  # the only part is the whole, and of nobody all parts are nobody
    hidden = list(unsafe)
    rest = sorted((part for part in free if part not in hidden), key=lambda part: (part.count == 0, part.count))
    while rest and not _protected(hidden, partition, persons, policy):
        hidden.append(rest.pop(0))
    given_way = partition.fixed and not _protected(hidden, partition, persons, policy)
    return {part.key for part in (*hidden, *([partition.whole] if given_way else []))}


def _unsafe(part: Part, partition: Partition, persons: Mapping[Key, int], policy: Policy) -> bool:
    """Whether a count must not be known by itself: of few people, or of nobody among too few."""
    if part.count == 0:
        return not partition.structural and persons[partition.whole.key] < policy.class_minimum
    return persons[part.key] < policy.threshold


def _protected(hidden: Sequence[Part], partition: Partition, persons: Mapping[Key, int], policy: Policy) -> bool:
    """Whether the sum of the hidden parts, which can be derived, tells little of any of them."""
    together = [persons[part.key] for part in hidden]
    return len(hidden) >= 2 and (sum(together) if partition.disjoint else max(together)) >= policy.threshold
