"""Threshold tables: the difference between two rows is a cell too.

Among the people with the outcome, as among those without, the rows of a table cut the axis of predicted risk into
pieces. True positives are the people above a cut, false negatives those below, and two rows' difference
those between. Each piece that the printed rows make is of enough people, or of nobody where that may be told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vitrail.disclosure.bundle import Bundle, ratio, total
from vitrail.disclosure.partitions import Partition
from vitrail.disclosure.result import RawCount, RawRiskBins, RawThresholds
from vitrail.disclosure.validation import both_classes, check, may_be_none, safe
from vitrail.errors import Refusal
from vitrail.study.release import SUPPRESSED, Count, Number, ThresholdRow, Thresholds


@dataclass(frozen=True)
class Cut:
    """Where a threshold cuts one class: how many are at or above it, and how many below."""

    at: float
    above: RawCount
    below: RawCount


def partitions(_: int, __: RawThresholds) -> list[Partition]:
    """None of its own: its totals are those of the group's discrimination, and its rows are judged as cuts."""
    return []


def released(_: int, raw: RawThresholds, bundle: Bundle) -> Thresholds:
    """All rows, each class of a row suppressed where it would cut off too few people."""
    for _threshold, tp, fp, fn, tn in raw.rows:
        check(raw.group, tp.count + fn.count, fp.count + tn.count, bundle)
    with_outcome, without = kept(raw, bundle)
    rows = tuple(_row(row, row[0] in with_outcome, row[0] in without, bundle) for row in raw.rows)
    return Thresholds(fit=raw.fit, group=raw.group, rows=rows)


def kept(raw: RawThresholds, bundle: Bundle) -> tuple[dict[float, Cut], dict[float, Cut]]:
    """The cuts that are printed among those with the outcome, and among those without."""
    sides = (
        [Cut(threshold, tp, fn) for threshold, tp, _, fn, _ in raw.rows],
        [Cut(threshold, fp, tn) for threshold, _, fp, _, tn in raw.rows],
    )
    if not both_classes(raw.group, bundle):
        return {}, {}
    first, second = (_kept(side, most, raw.group, bundle) for side, most in zip(sides, most_rows(raw), strict=True))
    return first, second


def most_rows(raw: RawThresholds | RawRiskBins) -> tuple[int, int]:
    """The most rows of one person with the outcome, and without; 0 where it is not known."""
    return raw.events_per_person or raw.rows_per_person, raw.rows_per_person


def _kept(cuts: Sequence[Cut], most: int, group: str, bundle: Bundle) -> dict[float, Cut]:
    """From the lowest cut up, each that leaves safe pieces between it, the last one kept, and both ends."""
    none = may_be_none(group, bundle)
    printed: list[Cut] = []
    for cut in sorted(cuts, key=lambda each: each.at):
        pieces = [cut.above, cut.below, *(_between(last, cut, most) for last in printed[-1:])]
        if bundle.policy.public_data_only or all(safe(piece, none, bundle) for piece in pieces):
            printed.append(cut)
    return {cut.at: cut for cut in printed}


def _between(low: Cut, high: Cut, most: int) -> RawCount:
    """The count between two cuts, and how many people are certainly behind it."""
    count = low.above.count - high.above.count
    if count < 0:
        raise Refusal(
            "disclosure", "A threshold table grows with its threshold.", "Report a fault in the analysis that made it."
        )
    persons = (low.above.persons - high.above.persons, high.below.persons - low.below.persons)
    return RawCount(max(*persons, at_least(count, most)), count)


def at_least(count: int, most: int) -> int:
    """How many people are certainly behind ``count`` rows, if nobody has more than ``most`` of them (0: unknown)."""
    return math.ceil(count / most) if most else min(count, 1)


def _row(
    row: tuple[float, RawCount, RawCount, RawCount, RawCount], with_outcome: bool, without: bool, bundle: Bundle
) -> ThresholdRow:
    """A row, its rates derived from what it prints."""
    tp, fp, fn, tn = (
        bundle.policy.rounded(count.count) if known else SUPPRESSED
        for count, known in zip(row[1:], (with_outcome, without, with_outcome, without), strict=True)
    )
    return ThresholdRow(
        threshold=row[0],
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=tn,
        sensitivity=share(tp, fn),
        specificity=share(tn, fp),
        ppv=share(tp, fp),
        npv=share(tn, fn),
    )


def share(part: Count, rest: Count) -> Number:
    """``part`` of both together, as printed."""
    return ratio(part, total((part, rest)))
