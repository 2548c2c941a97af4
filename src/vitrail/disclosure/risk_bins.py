"""Risk bins: neighbours of a fine grid are merged until enough people with and without the outcome are in each.

Where a threshold table is in the same Release, its cuts divide the bins further, and those pieces must hold too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Partition
from vitrail.disclosure.result import RawCount, RawRiskBins, RawThresholds
from vitrail.disclosure.thresholds import Cut, at_least, kept, most_rows
from vitrail.disclosure.validation import both_classes, check, may_be_none, negatives, positives, safe
from vitrail.errors import Refusal
from vitrail.study.release import RiskBin, RiskBins


def partitions(_: int, __: RawRiskBins) -> list[Partition]:
    """None of its own: its totals are those of the group's discrimination."""
    return []


@dataclass(frozen=True)
class _Side:
    """One class on the fine grid: its people, its bins, how many are at or above each edge, the cuts a table prints.

    ``most`` rows are the most of one person (0: unknown); ``none`` is whether a piece of nobody may be told.
    """

    persons: int
    edges: Sequence[float]
    bins: Sequence[RawCount]
    above: Sequence[int]
    cuts: Mapping[float, Cut]
    most: int
    none: bool

    def between(self, low: float, high: float) -> RawCount:
        """The count between two edges or cuts, and how many people are certainly behind it."""
        count = self._above(low) - self._above(high)
        return RawCount(max(at_least(count, self.most), *self._certain(low, high)), count)

    def _above(self, at: float) -> int:
        return self.above[self.edges.index(at)] if at in self.edges else self.cuts[at].above.count

    def _certain(self, low: float, high: float) -> Iterator[int]:
        """The people of each fine bin in between, and of all on one side of a cut where that is what is asked."""
        places = zip(self.bins, pairwise(self.edges), strict=True)
        yield from (each.persons for each, (first, last) in places if low <= first and last <= high)
        if low == self.edges[0]:
            yield self.persons if high == self.edges[-1] else self.cuts[high].below.persons if high in self.cuts else 0
        if high == self.edges[-1] and low in self.cuts:
            yield self.cuts[low].above.persons
        yield 0

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
    cuts: tuple[dict[float, Cut], dict[float, Cut]] = ({}, {})
    for table in bundle.estimates:
        if isinstance(table, RawThresholds) and (table.fit, table.group) == (raw.fit, raw.group):
            for found, more in zip(cuts, kept(table, bundle), strict=True):
                found.update(more)
    people = bundle.decision.persons
    return (
        _side(people[positives(raw.group)], raw, raw.positives, cuts[0], most_rows(raw)[0], bundle),
        _side(people[negatives(raw.group)], raw, raw.negatives, cuts[1], most_rows(raw)[1], bundle),
    )


def _side(
    persons: int, raw: RawRiskBins, bins: Sequence[RawCount], cuts: Mapping[float, Cut], most: int, bundle: Bundle
) -> _Side:
    above = list(accumulate((each.count for each in reversed(bins)), initial=0))[::-1]
    return _Side(persons, raw.edges, bins, above, cuts, most, may_be_none(raw.group, bundle))


def _bin(raw: RawRiskBins, low: float, high: float, bundle: Bundle) -> RiskBin | None:
    """A merged bin as it is printed; none where it is empty, which has no mean risk."""
    inside = slice(raw.edges.index(low), raw.edges.index(high))
    with_outcome, without = (sum(each.count for each in side[inside]) for side in (raw.positives, raw.negatives))
    if with_outcome + without == 0:
        return None
    return RiskBin(
        low=low,
        high=high,
        positives=bundle.policy.rounded(with_outcome),
        negatives=bundle.policy.rounded(without),
        mean_risk=bundle.policy.to_digits(sum(raw.risk_sums[inside]) / (with_outcome + without)),
    )
