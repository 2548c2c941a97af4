"""AUROC with a confidence interval that knows that a person may have several rows.

* DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845: variance from placement values.
* Obuchowski NA. Biometrics 1997;53:567-578: the same for clustered rows. With one row per person it is DeLong's.
* Sun X, Xu W. IEEE Signal Process Lett 2014;21:1389-1393: placement values from ranks, O(n log n).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # scipy.stats would take a second to import, at every start of a node

from vitrail.stats.newton import Floats


@dataclass(frozen=True)
class Auroc:
    """AUROC with its variance and 95 % CI (Wald, cut off at 0 and 1).

    ``auroc`` is not a number where a class is empty; the rest is not where a class has fewer than two persons, or
    where the estimated variance is 0 (perfect separation), for that says nothing about the uncertainty.
    """

    auroc: float
    variance: float
    low: float
    high: float


def auroc(y: NDArray[np.bool_], scores: Floats, persons: NDArray[np.int64]) -> Auroc:
    """The AUROC of ``scores`` (n,) for ``y`` (n,), rows of the same value in ``persons`` (n,) being one cluster."""
    positives, negatives = scores[y], scores[~y]
    if len(positives) == 0 or len(negatives) == 0:
        return Auroc(np.nan, np.nan, np.nan, np.nan)
    area = float(np.mean(placements(positives, negatives)))
    variance = _variance(y, scores, persons, area)
    if not variance > 0:
        return Auroc(area, np.nan, np.nan, np.nan)
    half = float(ndtri(0.975) * np.sqrt(variance))
    return Auroc(area, variance, max(0.0, area - half), min(1.0, area + half))


def placements(scores: Floats, others: Floats) -> Floats:
    """For each score the share of ``others`` below it, ties counting half."""
    ordered = np.sort(others)
    below, up_to = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (below + up_to) / (2 * len(others))


def _variance(y: NDArray[np.bool_], scores: Floats, persons: NDArray[np.int64], area: float) -> float:
    """Obuchowski's equation for the variance of one AUROC; not a number with under two persons in a class."""
    _, person = np.unique(persons, return_inverse=True)
    with_positives, positive = _excess(person[y], placements(scores[y], scores[~y]) - area, person)
    with_negatives, negative = _excess(person[~y], 1 - placements(scores[~y], scores[y]) - area, person)
    if with_positives < 2 or with_negatives < 2:
        return float("nan")
    everyone, m, n = len(positive), np.sum(y), np.sum(~y)
    s10 = with_positives / ((with_positives - 1) * m) * np.sum(positive**2)
    s01 = with_negatives / ((with_negatives - 1) * n) * np.sum(negative**2)
    s11 = everyone / (everyone - 1) * np.sum(positive * negative)
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


def _excess(person: NDArray[np.intp], excess: Floats, everyone: NDArray[np.intp]) -> tuple[int, Floats]:
    """How many persons have such rows, and each person's sum of (placement - area) over them."""
    size = int(np.max(everyone)) + 1
    sums: Floats = np.bincount(person, excess, minlength=size).astype(np.float64)
    return int(np.sum(np.bincount(person) > 0)), sums
