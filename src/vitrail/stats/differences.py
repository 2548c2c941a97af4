"""Standardised differences between two groups.

Source: Austin PC. Stat Med 2009;28:3083-3107: the difference over the root of the mean of the two variances.
"""

import math


def of_means(first: float, first_sd: float, second: float, second_sd: float) -> float | None:
    """The standardised difference (first - second) of two means; None where they differ and neither group varies."""
    return _standardised(first - second, (first_sd**2 + second_sd**2) / 2)


def of_proportions(first: float, second: float) -> float | None:
    """The standardised difference (first - second) of two proportions; None between none and all."""
    return _standardised(first - second, (first * (1 - first) + second * (1 - second)) / 2)


def _standardised(difference: float, variance: float) -> float | None:
    if difference == 0:
        return 0.0
    return difference / math.sqrt(variance) if variance > 0 else None
