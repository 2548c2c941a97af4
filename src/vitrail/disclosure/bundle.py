"""What a rule sees when it turns a raw estimate into one that may leave."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vitrail.disclosure.partitions import Decision, Key
from vitrail.disclosure.policy import Policy
from vitrail.disclosure.result import Raw
from vitrail.study.release import SUPPRESSED, Count, Number, Release


@dataclass(frozen=True)
class Bundle:
    """All raw estimates of one Release, what was decided of their counts, and what this analysis released before."""

    policy: Policy
    estimates: tuple[Raw, ...]
    decision: Decision
    earlier: Sequence[Release]

    def known(self, *keys: Key) -> bool:
        """Whether each of these counts may be known."""
        return self.decision.withheld.isdisjoint(keys)

    def count(self, key: Key, count: int) -> Count:
        """A count as it is printed."""
        return self.policy.rounded(count) if self.known(key) else SUPPRESSED

    def digits(self, value: float, known: bool = True) -> Number:
        """A number as it is printed, to significant digits; suppressed unless ``known`` and finite."""
        return self.policy.to_digits(value) if known and math.isfinite(value) else SUPPRESSED

    def decimals(self, value: float, known: bool = True) -> Number:
        """A number as it is printed, to decimals; suppressed unless ``known`` and finite."""
        return self.policy.to_decimals(value) if known and math.isfinite(value) else SUPPRESSED

    def enough(self, persons: int) -> bool:
        """Whether this many people may stand behind a number."""
        return self.policy.public_data_only or persons >= self.policy.threshold

    def no_one_dominates(self, share: float) -> bool:
        """Whether the largest person's ``share`` of a sum is small enough; not where it is not a number."""
        return self.policy.public_data_only or share <= self.policy.largest_share


def ratio(part: Number, whole: Number) -> Number:
    """One printed number over another, exactly; suppressed where either is or the second is 0."""
    if part == SUPPRESSED or whole == SUPPRESSED or whole == 0:
        return SUPPRESSED
    return part / whole


def total(counts: Sequence[Count]) -> Count:
    """The sum of printed counts; suppressed where one is."""
    printed = [count for count in counts if count != SUPPRESSED]
    return sum(printed) if len(printed) == len(counts) else SUPPRESSED
