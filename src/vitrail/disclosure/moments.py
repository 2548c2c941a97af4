"""Moments: a mean and a standard deviation of enough people, none of whom dominates."""

import math

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.counts import cohort
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.result import RawMoments
from vitrail.study.release import SUPPRESSED, Moments, Number


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
    """The counts, and the numbers where enough people have a value, and not all of a few the same one."""
    there, missing = _keys(place)
    known = (
        bundle.enough(raw.present.persons)
        and bundle.no_one_dominates(raw.largest_share)
        and (raw.sd > 0 or raw.present.persons >= bundle.policy.class_minimum)
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


def _beside(mean: float, sd: Number, bundle: Bundle) -> float:
    """A mean rounded at the last digit that its standard deviation shows: 139.87 beside 3.05."""
    if bundle.policy.digits is None or sd == SUPPRESSED or sd == 0:
        return bundle.policy.to_digits(mean)
    return round(mean, bundle.policy.digits - 1 - math.floor(math.log10(sd))) + 0.0
