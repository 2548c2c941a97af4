"""Whether the model holds: each validation at each site, with its curves and its threshold table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vitrail.reports import plots
from vitrail.reports.blocks import Column, Figure, Pane, Row, Table
from vitrail.reports.intervals import normal, observed_expected, wilson
from vitrail.reports.wording import CI, NONE, decimal, interval, level, percent, visible, whole, with_interval
from vitrail.study.analyses.predict import PredictEvidence, Validation
from vitrail.study.release import SUPPRESSED, Calibration, Count, Number, RiskBin, ThresholdRow

Estimate = tuple[Number | None, Number | None, Number | None]
"""A number and the two ends of its 95 % CI; each may be suppressed, or None where it was not released."""


@dataclass(frozen=True)
class Panel:
    """One model at one site: pictures, and the tables that say the same."""

    pane: Pane
    heading: str
    people: str
    roc: Figure | None
    calibration: Figure | None
    bins: Table | None
    thresholds: Table | None


def people(validation: Validation, finding: PredictEvidence) -> str:
    """On whom the model was tried, in words."""
    fit = next((each for each in finding.fits if each.name == validation.fit), None)
    inside = fit is not None and validation.site in fit.sites
    aside = validation.group == "test persons"
    if inside:
        return "people of this site kept aside before the fit" if aside else validation.group
    return f"{'test persons' if aside else 'all people'}; this site took no part in the fit"


def auroc(validation: Validation) -> Estimate:
    """AUROC and its CI."""
    found = validation.discrimination
    return (None, None, None) if found is None else (found.auroc, found.low, found.high)


def ratio(validation: Validation) -> Estimate:
    """O:E and its CI, from the events and index dates as printed."""
    found = validation.calibration
    if found is None:
        return None, None, None
    if SUPPRESSED in (found.observed_expected, found.events, found.rows):
        return found.observed_expected, None, None
    return _ratio_limits(found)


def _ratio_limits(found: Calibration) -> Estimate:
    value, events, rows = found.observed_expected, found.events, found.rows
    if isinstance(value, str) or isinstance(events, str) or isinstance(rows, str):
        return value, None, None
    limits = observed_expected(value, events, rows)
    return (value, None, None) if limits is None else (value, *limits)


def slope(validation: Validation) -> Estimate:
    """The calibration slope and its CI."""
    found = validation.calibration
    return (None, None, None) if found is None else _normal(found.slope, found.slope_se)


def intercept(validation: Validation) -> Estimate:
    """Calibration in the large and its CI."""
    found = validation.calibration
    return (None, None, None) if found is None else _normal(found.intercept, found.intercept_se)


def _normal(value: Number, se: Number) -> Estimate:
    if isinstance(value, str) or isinstance(se, str):
        return value, None, None
    return (value, *normal(value, se))


MEASURES: tuple[tuple[str, Callable[[Validation], Estimate], float | None], ...] = (
    (f"AUROC ({CI})", auroc, 0.5),
    (f"O:E ({CI})", ratio, 1.0),
    (f"slope ({CI})", slope, 1.0),
    (f"intercept ({CI})", intercept, 0.0),
)
"""The head of each measure's column, how it is read from a validation, and the value of chance or of a perfect fit."""


def summary_table(finding: PredictEvidence, panes: Mapping[str, Pane]) -> Table:
    """Every validation in one line each."""
    heads = ("Site", "model", "index dates", "with the outcome", *(head for head, _, _ in MEASURES))
    rows = tuple(
        Row(each.site, (visible(each.fit), *_sizes(each), *(with_interval(*read(each)) for _, read, _ in MEASURES)),
            note=people(each, finding), pane=panes[each.site])
        for each in finding.validations
    )  # fmt: skip
    return Table("Validation at each site", tuple(map(Column, heads)), rows)


def _sizes(validation: Validation) -> tuple[str, str]:
    found, other = validation.calibration, validation.discrimination
    if found is not None:
        return whole(found.rows), whole(found.events)
    if other is None:
        return NONE, NONE
    return _sum(other.positives, other.negatives), whole(other.positives)


def _sum(first: Count, second: Count) -> str:
    if isinstance(first, str) or isinstance(second, str):
        return SUPPRESSED
    return whole(first + second)


def summary_figures(finding: PredictEvidence, panes: Mapping[str, Pane]) -> tuple[Figure, ...]:
    """A forest plot for each of AUROC, O:E and slope."""
    return tuple(_summary_figure(head, read, at, finding, panes) for head, read, at in MEASURES[:3])


def _summary_figure(
    head: str,
    read: Callable[[Validation], Estimate],
    at: float | None,
    finding: PredictEvidence,
    panes: Mapping[str, Pane],
) -> Figure:
    name = head.partition(" (")[0]
    several = len({each.fit for each in finding.validations}) > 1
    marks = [_mark(each, read(each), panes, several) for each in finding.validations]
    told = "; ".join(f"{each.site}, {each.fit}: {with_interval(*read(each))}" for each in finding.validations)
    return Figure(plots.forest(marks, at, width=190), name, f"{name} with {CI}. {told}.")


def _mark(validation: Validation, estimate: Estimate, panes: Mapping[str, Pane], several: bool) -> plots.Mark:
    label = f"{validation.site},\n{validation.fit}" if several else validation.site
    number = panes[validation.site].number
    value, low, high = (None if isinstance(each, str) else each for each in estimate)
    word = SUPPRESSED if estimate[0] == SUPPRESSED else "not released"
    return plots.Mark(label, number, value, low, high, word)


def panels(finding: PredictEvidence, panes: Mapping[str, Pane]) -> tuple[Panel, ...]:
    """A panel for each validation, in the order of the finding."""
    return tuple(_panel(each, finding, panes[each.site]) for each in finding.validations)


def _panel(validation: Validation, finding: PredictEvidence, pane: Pane) -> Panel:
    bins = validation.bins.bins if validation.bins is not None else ()
    return Panel(
        pane,
        f"{validation.site}, by the fit “{visible(validation.fit)}”",
        people(validation, finding),
        _roc_figure(validation, bins, pane) if bins else None,
        _calibration_figure(validation, bins, pane) if bins else None,
        _bins_table(bins) if bins else None,
        _thresholds_table(validation.thresholds.rows) if validation.thresholds is not None else None,
    )


def _roc_figure(validation: Validation, bins: Sequence[RiskBin], pane: Pane) -> Figure:
    points = "; ".join(f"{percent(y, 0)} at {percent(x, 0)}" for x, y in plots.roc_points(bins))
    text = f"ROC curve at {validation.site} from {len(bins)} risk bins. Sensitivity at false positive share: {points}."
    return Figure(plots.roc(bins, pane.number), "ROC", text)


def _calibration_figure(validation: Validation, bins: Sequence[RiskBin], pane: Pane) -> Figure:
    points = "; ".join(
        f"{percent(each.positives / (each.positives + each.negatives))} at a mean predicted {percent(each.mean_risk)}"
        for each in bins
        if each.positives + each.negatives
    )
    text = f"Calibration at {validation.site} over a histogram of predicted risk. Observed: {points}."
    return Figure(plots.calibration(bins, pane.number), "Calibration", text)


def _bins_table(bins: Sequence[RiskBin]) -> Table:
    heads = ("Risk, %", "mean", "index dates", "events")
    rows = tuple(_bin_row(each) for each in sorted(bins, key=lambda each: each.low))
    return Table("What both are drawn from", (*map(Column, heads), Column("observed, %", note=CI)), rows)


def _bin_row(each: RiskBin) -> Row:
    rows = each.positives + each.negatives
    risk = f"{100 * each.low:.1f} to {100 * each.high:.1f}"
    observed = _rate(each.positives / rows, each.positives, rows) if rows else NONE
    return Row(risk, (f"{100 * each.mean_risk:.1f}", whole(rows), whole(each.positives), observed))


def _thresholds_table(rows: Sequence[ThresholdRow]) -> Table:
    rated = [(head, CI) for head in ("number needed to evaluate", "sensitivity, %", "specificity, %")]
    plain = [(head, "") for head in ("PPV, %", "NPV, %", "TP", "FP", "FN", "TN")]
    heads = (("Risk of at least", ""), ("flagged", ""), *rated, *plain)
    columns = tuple(Column(head, note=note) for head, note in heads)
    return Table("If all above a threshold were evaluated", columns, tuple(_threshold_row(each) for each in rows))


def _threshold_row(row: ThresholdRow) -> Row:
    tp, fp, fn, tn = row.true_positives, row.false_positives, row.false_negatives, row.true_negatives
    number, limits = needed(row)
    rates = (
        f"{number} ({limits})" if limits else number,
        _rate(row.sensitivity, tp, _add(tp, fn)),
        _rate(row.specificity, tn, _add(tn, fp)),
        _rate(row.ppv),
        _rate(row.npv),
    )
    return Row(level(row.threshold), (flagged(row), *rates, *map(whole, (tp, fp, fn, tn))))


def _add(first: Count, second: Count) -> Count:
    return SUPPRESSED if isinstance(first, str) or isinstance(second, str) else first + second


def _rate(rate: Number, part: Count = SUPPRESSED, rows: Count = SUPPRESSED) -> str:
    """A released rate, with its interval where the counts behind it are printed."""
    if isinstance(rate, str):
        return rate
    told = f"{100 * rate:.1f}"
    if isinstance(part, str) or isinstance(rows, str) or rows == 0:
        return told
    low, high = wilson(part, rows)
    return f"{told} ({interval(100 * low, 100 * high, 1)})"


def flagged(row: ThresholdRow) -> str:
    """How many are called positive, and their share of all."""
    positive = _add(row.true_positives, row.false_positives)
    rows = _add(positive, _add(row.false_negatives, row.true_negatives))
    if isinstance(positive, str):
        return SUPPRESSED
    return whole(positive) if isinstance(rows, str) or rows == 0 else f"{whole(positive)} ({percent(positive / rows)})"


def needed(row: ThresholdRow) -> tuple[str, str]:
    """The number needed to evaluate, and its CI: index dates flagged for each that the outcome follows, 1 / PPV."""
    tp, positive = row.true_positives, _add(row.true_positives, row.false_positives)
    if isinstance(tp, str) or isinstance(positive, str):
        return SUPPRESSED, ""
    if tp == 0:
        return ("no outcome flagged" if positive else "nobody flagged"), ""
    low, high = wilson(tp, positive)
    return decimal(positive / tp, 1), interval(1 / high, 1 / low, 1)
