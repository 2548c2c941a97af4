"""Links between the estimates of one Release: where one's whole is another's part."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.policy import Policy
from vitrail.disclosure.rates import at_risk, with_event
from vitrail.disclosure.result import Raw, RawCalibration, RawCount, RawDiscrimination, RawRate
from vitrail.disclosure.validation import negatives, positives, rows

TEST_PERSONS = "test persons"
ALL_PERSONS = "all persons"


def links(estimates: Sequence[Raw], partitions: Sequence[Partition], policy: Policy) -> list[Partition]:
    """The partitions that follow from several estimates together.

    * Totals of one cohort that differ are taken to be nested: its index dates are its persons' first ones and repeats.
    * Cohorts whose totals differ by fewer than the threshold are taken to be nested too: that is how one asks for a few
      people, padded by many.
    * The persons at risk are a part of their cohort, and so are those of them with an event.
    * The locked test persons are a part of all persons. Both they and the others are known from elsewhere, so it is
      the whole that gives way.
    """
    cohorts = _cohorts(partitions)
    return [
        *(_nested(small, large) for totals in cohorts.values() for small, large in pairwise(totals)),
        *(_nested(small, large) for small, large in _close(cohorts, policy.threshold)),
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


def _close(cohorts: dict[str | int, list[Part]], threshold: int) -> Iterator[tuple[Part, Part]]:
    """Neighbours among the totals of all cohorts that differ by fewer than ``threshold``."""
    totals = [total for each in cohorts.values() for total in each if total.count >= threshold]
    for small, large in pairwise(sorted(totals, key=lambda total: total.count)):
        if large.count - small.count < threshold:
            yield small, large


def _nested(small: Part, large: Part, structural: bool = True) -> Partition:
    """``small`` is a part of ``large``, so at least as many people are behind the large one; of the rest, only the
    number is known.
    """
    rest = large.count - small.count
    whole = Part(large.key, max(small.persons, large.persons), large.count)
    parts = (small, Part(("rest", *large.key, *small.key), rest, rest))
    return Partition(whole, parts, disjoint=False, structural=structural)


def _risk(place: int, raw: RawRate, cohorts: dict[str | int, list[Part]]) -> Iterator[Partition]:
    persons, events = Part(at_risk(place), raw.persons, raw.persons), Part(with_event(place), raw.events, raw.events)
    for name, totals in cohorts.items():
        larger = [total for total in totals if total.count >= raw.persons]
        if raw.of in ("", name) and larger:
            yield _nested(persons, larger[0])
            yield _nested(events, larger[0], structural=False)


def _tested(estimates: Sequence[Raw]) -> Iterator[Partition]:
    """The test persons' index dates and the others' are all; so it is for either class alone."""
    groups = {raw.group: raw for raw in estimates if isinstance(raw, RawDiscrimination)}
    if not groups.keys() >= {TEST_PERSONS, ALL_PERSONS}:
        return
    test, everyone = groups[TEST_PERSONS], groups[ALL_PERSONS]
    yield _split(positives, test.positives, everyone.positives)
    yield _split(negatives, test.negatives, everyone.negatives)
    counted = {raw.group: raw.rows for raw in estimates if isinstance(raw, RawCalibration)}
    if ALL_PERSONS in counted:
        at_most = RawCount(test.positives.persons + test.negatives.persons, test.positives.count + test.negatives.count)
        yield _split(rows, counted.get(TEST_PERSONS, at_most), counted[ALL_PERSONS])


def _split(key: Callable[[str], Key], test: RawCount, everyone: RawCount) -> Partition:
    """Persons, not index dates, are drawn for the test, so those of the fit are the difference.

    Who is behind the whole and the tested part is said where they are counted.
    """
    whole, tested = Part(key(ALL_PERSONS), 0, everyone.count), Part(key(TEST_PERSONS), 0, test.count)
    fitted = Part(("fitted", *whole.key), max(everyone.persons - test.persons, 0), everyone.count - test.count)
    return Partition(whole, (tested, fitted), disjoint=True, structural=True, fixed=frozenset({tested.key, fitted.key}))
