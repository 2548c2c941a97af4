"""Intervals from printed counts, where the Release has a count and no interval. All are 95 % and two-sided.

They start from counts as printed, which may be rounded, and take index dates as independent; the page says so.
"""

import math

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def wilson(events: int, rows: int) -> tuple[float, float]:
    """Score interval of a proportion; (0, 1) where there are no rows. Wilson EB, J Am Stat Assoc 1927;22:209-12."""
    if rows == 0:
        return 0.0, 1.0
    share, spread = events / rows, Z * Z / rows
    centre = share + spread / 2
    half = Z * math.sqrt(share * (1 - share) / rows + spread / (4 * rows))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


def observed_expected(ratio: float, events: int, rows: int) -> tuple[float, float] | None:
    """Interval of O:E with se(ln O:E) = sqrt((1 - O/N) / O). Debray TPA and others, BMJ 2017;356:i6460.

    None where there are no events, for then there is no logarithm, or no rows without one.
    """
    if not 0 < events < rows:
        return None
    half = Z * math.sqrt((1 - events / rows) / events)
    return ratio * math.exp(-half), ratio * math.exp(half)


def normal(estimate: float, se: float) -> tuple[float, float]:
    """Estimate less and plus 1.96 standard errors."""
    return estimate - Z * se, estimate + Z * se
