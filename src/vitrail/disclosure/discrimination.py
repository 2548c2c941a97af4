"""Discrimination: an AUROC is a rank statistic, and with one person in a class it is that person's rank."""

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Partition
from vitrail.disclosure.result import RawDiscrimination
from vitrail.disclosure.validation import both_classes, check, classes, negatives, positives
from vitrail.study.release import Discrimination


def partitions(_: int, raw: RawDiscrimination) -> list[Partition]:
    """The group's two classes."""
    return [classes(raw)]


def released(_: int, raw: RawDiscrimination, bundle: Bundle) -> Discrimination:
    """The AUROC where enough people are in either class."""
    check(raw.group, raw.positives.count, raw.negatives.count, bundle)
    known = both_classes(raw.group, bundle)
    return Discrimination(
        fit=raw.fit,
        group=raw.group,
        positives=bundle.count(positives(raw.group), raw.positives.count),
        negatives=bundle.count(negatives(raw.group), raw.negatives.count),
        auroc=bundle.decimals(raw.auroc, known),
        low=bundle.decimals(raw.low, known),
        high=bundle.decimals(raw.high, known),
    )
