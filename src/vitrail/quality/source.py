"""What of the source could not be loaded."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from vitrail.omop.snapshot import Check, Quarantined
from vitrail.quality.check import judged

QUARANTINED = 0.05
"""The share of a file's rows that may be quarantined: as many as DQD lets go without a standard concept."""


def checks(rows_in: Mapping[str, int], quarantined: Sequence[Quarantined], meant: Collection[str]) -> Iterator[Check]:
    """rowsQuarantined of each file; rows that were left out for a reason that is ``meant`` are no part of it."""
    for name, rows in rows_in.items():
        own = [each for each in quarantined if each.source == name]
        left = sum(each.rows for each in own if each.reason in meant)
        lost = sum(each.rows for each in own if each.reason not in meant)
        yield judged("rowsQuarantined", name, rows - left, lost, QUARANTINED)
