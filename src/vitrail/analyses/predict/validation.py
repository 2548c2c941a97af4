"""How a model does on a group of index dates: discrimination, calibration, risk bins, thresholds."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from vitrail.analyses.predict.design import IndexDates, Mask
from vitrail.disclosure.result import (
    Raw,
    RawCalibration,
    RawCount,
    RawDiscrimination,
    RawRiskBins,
    RawThresholds,
)
from vitrail.stats import logistic, persons
from vitrail.stats.calibration import calibration
from vitrail.stats.discrimination import auroc
from vitrail.stats.newton import Floats

INNER_EDGES: Floats = expit(np.linspace(-7, 5, 41))
"""Where risk bins meet: even steps of 0.3 in log odds, from a risk of 0.0009 to one of 0.993."""


def validate(
    fit: str, group: str, coefficients: Sequence[float], dates: IndexDates, thresholds: Sequence[float]
) -> tuple[Raw, ...]:
    """All that is computed of one fit on one group of index dates."""
    linear = logistic.linear(dates.X, np.array(coefficients))
    estimates = (
        _discrimination(fit, group, linear, dates),
        _calibration(fit, group, linear, dates),
        _risk_bins(fit, group, expit(linear), dates),
    )
    return (*estimates, _thresholds(fit, group, expit(linear), dates, thresholds)) if thresholds else estimates


def _discrimination(fit: str, group: str, linear: Floats, dates: IndexDates) -> RawDiscrimination:
    found = auroc(dates.y, linear, dates.person)
    return RawDiscrimination(
        fit, group, dates.count(dates.y), dates.count(~dates.y), found.auroc, found.low, found.high
    )


def _calibration(fit: str, group: str, linear: Floats, dates: IndexDates) -> RawCalibration:
    found = calibration(dates.y, linear, dates.person)
    return RawCalibration(
        fit=fit,
        group=group,
        rows=dates.count(),
        events=dates.count(dates.y),
        observed_expected=found.observed_expected,
        intercept=found.intercept,
        intercept_se=found.intercept_se,
        slope=found.slope,
        slope_se=found.slope_se,
    )


def _risk_bins(fit: str, group: str, risk: Floats, dates: IndexDates) -> RawRiskBins:
    place = np.searchsorted(INNER_EDGES, risk, "right")
    bins = [place == number for number in range(len(INNER_EDGES) + 1)]
    return RawRiskBins(
        fit=fit,
        group=group,
        edges=(0.0, *INNER_EDGES.tolist(), 1.0),
        positives=_counts(bins, dates.y, dates),
        negatives=_counts(bins, ~dates.y, dates),
        risk_sums=tuple(np.bincount(place, risk, len(bins)).tolist()),
        rows_per_person=persons.most_rows(dates.person),
        events_per_person=persons.most_rows(dates.person[dates.y]),
    )


def _counts(bins: Sequence[Mask], of: Mask, dates: IndexDates) -> tuple[RawCount, ...]:
    return tuple(dates.count(each & of) for each in bins)


def _thresholds(fit: str, group: str, risk: Floats, dates: IndexDates, thresholds: Sequence[float]) -> RawThresholds:
    """Counts at each threshold: a risk of at least it is called positive."""
    rows = []
    for threshold in thresholds:
        called = risk >= threshold
        cells = (called & dates.y, called & ~dates.y, ~called & dates.y, ~called & ~dates.y)
        tp, fp, fn, tn = (dates.count(cell) for cell in cells)
        rows.append((threshold, tp, fp, fn, tn))
    most, most_events = persons.most_rows(dates.person), persons.most_rows(dates.person[dates.y])
    return RawThresholds(fit, group, tuple(rows), most, most_events)
