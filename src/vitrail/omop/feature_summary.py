"""Features made ready: infrequent and redundant ones left out, numbers scaled, and what they come to in a cohort.

The rules are FeatureExtraction's (3.14.0): ``tidyCovariateData`` and ``aggregateCovariates``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vitrail.omop.feature_table import FeatureTable, Ints

_SHARES = {"minimum": 0, "p10": 10, "p25": 25, "median": 50, "p75": 75, "p90": 90, "maximum": 100}
"""The quantiles, in percent."""


@dataclass(frozen=True)
class Tidy:
    """Features after tidying: those that are left, the covariates that went and why, and what values were divided by.

    ``redundant`` are (covariate id, time id): a covariate that all rows have, and of the covariates of one analysis
    that share out all rows among them, the most frequent. ``infrequent`` are covariate ids; ``divisors`` are by
    covariate id.
    """

    features: FeatureTable
    redundant: tuple[tuple[int, int], ...]
    infrequent: tuple[int, ...]
    divisors: Mapping[int, float]


def tidied(
    features: FeatureTable, *, least_share: float = 0.001, normalise: bool = True, redundancy: bool = True
) -> Tidy:
    """The features without those that say the same as others, or that too few rows have.

    ``least_share`` is the share of rows, rounded down to rows, that must have a covariate. Members of an analysis that
    shares out all rows stay, however few have them. ``normalise`` divides by the covariate's largest value.
    Normalising needs the largest value of everybody: over several sites, agree on ``divisors`` instead.
    """
    ids, place, counts = np.unique(features.column("covariate_id"), return_inverse=True, return_counts=True)
    largest = np.full(len(ids), -np.inf)
    np.maximum.at(largest, place, features.column("value"))
    redundant, shared = _redundant(features, ids, place) if redundancy else ([], np.zeros(0, dtype=np.int64))
    few = ids[(counts < np.floor(least_share * features.rows)) & ~np.isin(ids, shared)]
    span = int(max(features.column("time_id"), default=0)) + 1
    gone = [int(np.searchsorted(ids, key)) * span + time for key, time in redundant]
    kept = ~np.isin(place * span + features.column("time_id"), gone) & ~np.isin(ids[place], few)
    divisors = largest[place] if normalise else np.ones(len(place))
    value = features.column("value")[kept] / np.where(divisors[kept] == 0, 1.0, divisors[kept])
    cells = features.cells.filter(pa.array(kept))
    cells = cells.set_column(cells.schema.get_field_index("value"), "value", pa.array(value))
    left = np.unique(ids[place][kept])
    tops = zip(left.tolist(), largest[np.searchsorted(ids, left)].tolist(), strict=True)
    return Tidy(replace(features, cells=cells), tuple(redundant), tuple(few.tolist()), dict(tops) if normalise else {})


def _redundant(features: FeatureTable, ids: Ints, place: Ints) -> tuple[list[tuple[int, int]], Ints]:
    """Redundant covariates, by id and time, and the ids in analyses that share out all rows (without windows only)."""
    times, values = features.column("time_id"), features.column("value")
    one = np.ones(len(ids), dtype=bool)
    np.logical_and.at(one, place, values == 1)
    analysis = ids % 1_000
    span = int(max(times, default=0)) + 1
    keys, counts = np.unique((place * span + times)[one[place]], return_counts=True)
    of, time = keys // span, keys % span
    everyone = counts == features.rows
    gone = [(int(ids[each]), int(at)) for each, at in zip(of[everyone], time[everyone], strict=True)]
    sums = {int(key): int(counts[~everyone & (analysis[of] == key)].sum()) for key in np.unique(analysis[of])}
    covering = [key for key, total in sums.items() if total == features.rows]
    rows = (of, time, counts) if span > 1 else (np.arange(len(ids)), np.zeros(len(ids), int), np.bincount(place))
    gone += [_most_frequent(key, ids, *rows) for key in covering]
    shared = ids[np.isin(analysis, covering)] if span == 1 else ids[:0]
    return sorted(set(gone)), shared


def _most_frequent(analysis: int, ids: Ints, of: Ints, time: Ints, counts: Ints) -> tuple[int, int]:
    """The covariate of an analysis, by id and time, that most rows have; one that all have comes first, as in OHDSI."""
    here = np.flatnonzero(ids[of] % 1_000 == analysis)
    best = here[np.lexsort((time[here], ids[of[here]], -counts[here]))[0]]
    return int(ids[of[best]]), int(time[best])


def aggregated(features: FeatureTable) -> pa.Table:
    """What the features come to in the cohort; exact numbers, for the gate.

    A row for each covariate and window: covariate_id, time_id, count (rows that have it), sum, mean, and for numbers
    standard_deviation, minimum, p10, p25, median, p75, p90 and maximum. Where a missing number means 0, all of these
    are over all rows; where it means that nobody knows, over the rows that have one (one has no deviation: NaN).
    A quantile is the smallest value that at least so many percent of the rows do not exceed.
    """
    analyses = {each["analysis_id"]: each for each in features.analyses.to_pylist()}
    ids, times, values = (features.column(name) for name in ("covariate_id", "time_id", "value"))
    order = np.lexsort((values, times, ids))
    cuts = np.flatnonzero(np.diff(ids[order]) | np.diff(times[order])) + 1
    groups = np.split(order, cuts) if len(order) else []
    rows = [_summary(ids, times, values[each], each, analyses, features.rows) for each in groups]
    return pa.Table.from_pylist(rows, _SUMMARY)


_SUMMARY = pa.schema([
    ("covariate_id", pa.int64()), ("time_id", pa.int64()), ("count", pa.int64()),
    *((name, pa.float64()) for name in ("sum", "mean", "standard_deviation", *_SHARES)),
])  # fmt: skip


def _summary(
    ids: Ints,
    times: Ints,
    values: NDArray[np.float64],
    group: Ints,
    analyses: Mapping[int, Mapping[str, object]],
    rows: int,
) -> dict[str, object]:
    """One row of the summary; ``values`` are sorted."""
    key = int(ids[group[0]])
    analysis = analyses[key % 1_000]
    found: dict[str, object] = {"covariate_id": key, "time_id": int(times[group[0]]), "count": len(values)}
    total = float(values.sum())
    over = len(values) if analysis["missing_means_zero"] is False else rows
    found |= {"sum": total, "mean": total / over}
    if analysis["is_binary"]:
        return found
    return found | {"standard_deviation": _deviation(values, over)} | _quantiles(values, over)


def _deviation(values: NDArray[np.float64], over: int) -> float:
    """The sample standard deviation of the values, and of zeros for the rest."""
    mean = values.sum() / over
    squares = ((values - mean) ** 2).sum() + (over - len(values)) * mean**2
    return float(np.sqrt(squares / (over - 1))) if over > 1 else float("nan")


def _quantiles(values: NDArray[np.float64], over: int) -> dict[str, float]:
    """The quantiles of the sorted values, with zeros for the rest before them."""
    missing = over - len(values)
    found = {}
    for name, percent in _SHARES.items():
        place = max(-(-percent * over // 100) - missing, 1)
        found[name] = 0.0 if percent * over < 100 * missing else float(values[place - 1])
    return found
