"""Moments: a mean and a standard deviation of enough people, none of whom dominates.

Together with the count they are sums, and of a number with few values sums are counts: a mean of 0.020 among 150 zeros
and ones is three people. So enough people must differ from the value that the most have; and where the values are so
few that three sums nearly solve for the people with each, enough must have each.
"""

import math

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.counts import cohort
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.result import RawMoments
from vitrail.study.release import SUPPRESSED, Moments, Number

FEW_VALUES = 5
"""Of a number with at most so many different values, each is judged by the people who have it."""


def _keys(place: int) -> tuple[Key, Key]:
    return ("present", place), ("missing", place)


def partitions(place: int, raw: RawMoments) -> list[Partition]:
    """Present and missing add up to the cohort; of index dates, a person may have some of each."""
    there, missing = _keys(place)
    total = raw.present.count + raw.missing.count
    return [
        Partition(
            whole=Part(cohort(raw.of, total), max(raw.present.persons, raw.missing.persons), total),
            parts=(
                Part(there, raw.present.persons, raw.present.count),
                Part(missing, raw.missing.persons, raw.missing.count),
            ),
            disjoint=False,
        )
    ]


def released(place: int, raw: RawMoments, bundle: Bundle) -> Moments:
    """The counts, and the numbers where enough people have a value, and enough another than most."""
    there, missing = _keys(place)
    known = (
        bundle.enough(raw.present.persons) and bundle.no_one_dominates(raw.largest_share) and _tell_of_many(raw, bundle)
    )
    sd = bundle.digits(raw.sd, known)
    return Moments(
        name=raw.name,
        of=raw.of,
        count=bundle.count(there, raw.present.count),
        missing=bundle.count(missing, raw.missing.count),
        mean=_beside(raw.mean, sd, bundle) if known and math.isfinite(raw.mean) else SUPPRESSED,
        sd=sd,
    )


def _tell_of_many(raw: RawMoments, bundle: Bundle) -> bool:
    """Whether nothing that mean and SD tell is of few people: of those with another value than most, or a rare one.

    That all have the same value is told of many only.
    """
    if raw.sd == 0 and raw.minority == 0:
        return raw.present.persons >= bundle.policy.class_minimum
    return bundle.enough(raw.minority) and (raw.distinct > FEW_VALUES or bundle.enough(raw.rarest))


def _beside(mean: float, sd: Number, bundle: Bundle) -> float:
    """A mean rounded at the last digit that its standard deviation shows: 139.87 beside 3.05."""
    if bundle.policy.digits is None or sd == SUPPRESSED or sd == 0:
        return bundle.policy.to_digits(mean)
    return round(mean, bundle.policy.digits - 1 - math.floor(math.log10(sd))) + 0.0
