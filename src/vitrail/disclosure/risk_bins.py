"""Risk bins: neighbours of a fine grid are merged until enough people with and without the outcome are in each.

Where a threshold table is in the same Release, its cuts divide the bins further, and those pieces must hold too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Partition
from vitrail.disclosure.result import RawCount, RawRiskBins, RawThresholds
from vitrail.disclosure.thresholds import Cut, at_least, kept
from vitrail.disclosure.validation import both_classes, check, may_be_none, safe
from vitrail.errors import Refusal
from vitrail.study.release import RiskBin, RiskBins


def partitions(_: int, __: RawRiskBins) -> list[Partition]:
    """None of its own: its totals are those of the group's discrimination."""
    return []


@dataclass(frozen=True)
class _Side:
    """One class on the fine grid: its bins, how many are at or above each edge, and the cuts a table prints."""

    edges: Sequence[float]
    bins: Sequence[RawCount]
    above: Sequence[int]
    cuts: Mapping[float, Cut]
    rows_per_person: int
    none: bool

    def between(self, low: float, high: float) -> RawCount:
        """The count between two edges or cuts, and how many people are certainly behind it."""
        inside = [
            count.persons
            for count, (a, b) in zip(self.bins, pairwise(self.edges), strict=True)
            if low <= a and b <= high
        ]
        count = self._above(low) - self._above(high)
        return RawCount(max(*inside, at_least(count, self.rows_per_person), 0), count)

    def _above(self, at: float) -> int:
        return self.above[self.edges.index(at)] if at in self.edges else self.cuts[at].above.count

    def holds(self, low: float, high: float, bundle: Bundle) -> bool:
        """Whether the bin from ``low`` to ``high`` and each piece that cuts make of it may be known."""
        cuts = sorted(at for at in self.cuts if low < at < high)
        pieces = {(low, high), (low, cuts[0]), (cuts[-1], high)} if cuts else {(low, high)}
        counts = [(self.between(*piece), piece == (low, high)) for piece in pieces]
        return all(safe(count, self.none and not whole, bundle) for count, whole in counts)


def released(_: int, raw: RawRiskBins, bundle: Bundle) -> RiskBins:
    """The merged bins; none where not even one bin of everybody holds."""
    _check(raw)
    check(raw.group, sum(each.count for each in raw.positives), sum(each.count for each in raw.negatives), bundle)
    edges = raw.edges if bundle.policy.public_data_only else _merged(raw, bundle)
    bins = [_bin(raw, low, high, bundle) for low, high in pairwise(edges)]
    return RiskBins(fit=raw.fit, group=raw.group, bins=tuple(bin_ for bin_ in bins if bin_ is not None))


def _check(raw: RawRiskBins) -> None:
    sizes = {len(raw.positives), len(raw.negatives), len(raw.risk_sums), len(raw.edges) - 1}
    if len(sizes) != 1 or not all(low < high for low, high in pairwise(raw.edges)):
        raise Refusal(
            "disclosure", "Risk bins and their edges do not fit.", "Report a fault in the analysis that made them."
        )


def _merged(raw: RawRiskBins, bundle: Bundle) -> list[float]:
    """The edges that stay: from the lowest up, a bin ends as soon as it holds; what is left joins the last."""
    if not both_classes(raw.group, bundle):
        return []
    sides = _sides(raw, bundle)
    ends = [raw.edges[0]]
    for edge in raw.edges[1:]:
        if all(side.holds(ends[-1], edge, bundle) for side in sides):
            ends.append(edge)
    if len(ends) > 1:
        ends[-1] = raw.edges[-1]
    return ends


def _sides(raw: RawRiskBins, bundle: Bundle) -> tuple[_Side, _Side]:
    tables = [
        each
        for each in bundle.estimates
        if isinstance(each, RawThresholds) and (each.fit, each.group) == (raw.fit, raw.group)
    ]
    with_outcome: dict[float, Cut] = {}
    without: dict[float, Cut] = {}
    for table in tables:
        first, second = kept(table, bundle)
        with_outcome |= first
        without |= second
    return _side(raw, raw.positives, with_outcome, bundle), _side(raw, raw.negatives, without, bundle)


def _side(raw: RawRiskBins, bins: Sequence[RawCount], cuts: Mapping[float, Cut], bundle: Bundle) -> _Side:
    above = list(accumulate((each.count for each in reversed(bins)), initial=0))[::-1]
    return _Side(raw.edges, bins, above, cuts, raw.rows_per_person, may_be_none(raw.group, bundle))


def _bin(raw: RawRiskBins, low: float, high: float, bundle: Bundle) -> RiskBin | None:
    """A merged bin as it is printed; none where it is empty, which has no mean risk."""
    inside = slice(raw.edges.index(low), raw.edges.index(high))
    positives, negatives = (sum(each.count for each in side[inside]) for side in (raw.positives, raw.negatives))
    if positives + negatives == 0:
        return None
    return RiskBin(
        low=low,
        high=high,
        positives=bundle.policy.rounded(positives),
        negatives=bundle.policy.rounded(negatives),
        mean_risk=bundle.policy.to_digits(sum(raw.risk_sums[inside]) / (positives + negatives)),
    )
