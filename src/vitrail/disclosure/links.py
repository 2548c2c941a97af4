"""Links between the estimates of one Release: where one's whole is another's part."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vitrail.disclosure.partitions import Part, Partition
from vitrail.disclosure.rates import at_risk
from vitrail.disclosure.result import Raw, RawDiscrimination, RawRate
from vitrail.disclosure.validation import negatives, positives

TEST_PERSONS = "test persons"
ALL_PERSONS = "all persons"


def links(estimates: Sequence[Raw], partitions: Sequence[Partition]) -> list[Partition]:
    """The partitions that follow from several estimates together.

    * Totals of one cohort that differ are taken to be nested: its index dates are its persons' first ones and repeats.
    * The persons at risk are a part of their cohort.
    * The locked test persons are a part of all persons. Both they and the others are known from elsewhere, so it is
      the whole that gives way.
    """
    cohorts = _cohorts(partitions)
    return [
        *(_nested(small, large) for totals in cohorts.values() for small, large in pairwise(totals)),
        *(
            link
            for place, raw in enumerate(estimates)
            if isinstance(raw, RawRate)
            for link in _risk(place, raw, cohorts)
        ),
        *_tested(estimates),
    ]


def _cohorts(partitions: Sequence[Partition]) -> dict[str | int, list[Part]]:
    """The totals of each cohort, from the smallest up, with what is certain of the people behind them."""
    found: dict[str | int, dict[int, Part]] = defaultdict(dict)
    for part in (each for partition in partitions for each in (partition.whole, *partition.parts)):
        if part.key[0] == "cohort":
            known = found[part.key[1]].get(part.count, part)
            found[part.key[1]][part.count] = max(known, part, key=lambda each: each.persons)
    return {name: [totals[count] for count in sorted(totals)] for name, totals in found.items()}


def _nested(small: Part, large: Part) -> Partition:
    """``small`` is a part of ``large``, so at least as many people are behind the large one; of the rest, only the
    number is known.
    """
    rest = large.count - small.count
    whole = Part(large.key, max(small.persons, large.persons), large.count)
    parts = (small, Part(("rest", *large.key, *small.key), rest, rest))
    return Partition(whole, parts, disjoint=False, structural=True)


def _risk(place: int, raw: RawRate, cohorts: dict[str | int, list[Part]]) -> Iterator[Partition]:
    persons = Part(at_risk(place), raw.persons, raw.persons)
    for name, totals in cohorts.items():
        larger = [total for total in totals if total.count >= raw.persons]
        if raw.of in ("", name) and larger:
            yield _nested(persons, larger[0])


def _tested(estimates: Sequence[Raw]) -> Iterator[Partition]:
    groups = {raw.group: raw for raw in estimates if isinstance(raw, RawDiscrimination)}
    if groups.keys() >= {TEST_PERSONS, ALL_PERSONS}:
        test, everyone = groups[TEST_PERSONS], groups[ALL_PERSONS]
        for key, some, all_ in (
            (positives, test.positives, everyone.positives),
            (negatives, test.negatives, everyone.negatives),
        ):
            yield _split(
                Part(key(TEST_PERSONS), some.persons, some.count), Part(key(ALL_PERSONS), all_.persons, all_.count)
            )


def _split(test: Part, whole: Part) -> Partition:
    """Persons, not index dates, are drawn for the test, so those of the fit are the difference."""
    fitted = Part(("fitted", *whole.key), max(whole.persons - test.persons, 0), whole.count - test.count)
    return Partition(whole, (test, fitted), disjoint=True, structural=True, fixed=frozenset({test.key, fitted.key}))
