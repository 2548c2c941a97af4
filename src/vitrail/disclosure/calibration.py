"""Calibration: figures of a recalibration model, where enough people had an event and enough had none."""

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Partition
from vitrail.disclosure.result import RawCalibration
from vitrail.disclosure.validation import both_classes, check, positives, rows
from vitrail.study.release import Calibration


def partitions(_: int, __: RawCalibration) -> list[Partition]:
    """None of its own: its counts are those of the group's discrimination."""
    return []


def released(_: int, raw: RawCalibration, bundle: Bundle) -> Calibration:
    """The figures where enough people are in either class."""
    check(raw.group, raw.events.count, raw.rows.count - raw.events.count, bundle)
    known = both_classes(raw.group, bundle)
    return Calibration(
        fit=raw.fit,
        group=raw.group,
        rows=bundle.count(rows(raw.group), raw.rows.count),
        events=bundle.count(positives(raw.group), raw.events.count),
        observed_expected=bundle.decimals(raw.observed_expected, known),
        intercept=bundle.decimals(raw.intercept, known),
        intercept_se=bundle.decimals(raw.intercept_se, known),
        slope=bundle.decimals(raw.slope, known),
        slope_se=bundle.decimals(raw.slope_se, known),
    )
