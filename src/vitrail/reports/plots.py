"""Pictures, drawn by Altair and turned into SVG by vl-convert: no network, no script, the same bytes each time.

Colours are literal, so that a picture that is copied out of the page keeps them; the page's style sheet maps them to
its dark and print colours. No picture clips, so that no SVG holds an id that could clash with another's.

A picture is a specification and its data. Specifications hold no data, so Altair builds each kind once (it takes longer
to build one than vl-convert takes to draw it), and nothing that a study or a site wrote can become part of one.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from vitrail.reports.intervals import wilson
from vitrail.reports.wording import visible
from vitrail.study.release import RiskBin

COLOURS = ("#1b4b98", "#9c3d0c", "#0c8f82", "#5b1d4d", "#b38600")
"""Of the panes. Any two differ by a CIE76 distance of 20 or more, also to eyes that miss one kind of cone."""
SHAPES = ("circle", "square", "triangle-up", "cross", "triangle-down", "triangle-right", "triangle-left")
INK, SOFT, LINE, PAPER = "#22262b", "#5d6673", "#d9d6cd", "#ffffff"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
POOLED = -1
"""In place of a pane's number: all sites together, drawn as a diamond in ink."""

STEPS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
MOST_TICKS = 8
LABEL = 26  # characters in a line of a label

Rows = list[dict[str, Any]]
Specification = dict[str, Any]
Chart = Any  # an Altair chart; Altair is imported only where something is drawn


def colour(number: int) -> str:
    """The colour of a pane."""
    return INK if number == POOLED else COLOURS[number % len(COLOURS)]


def shape(number: int) -> str:
    """The shape of a pane."""
    return "diamond" if number == POOLED else SHAPES[number % len(SHAPES)]


@dataclass(frozen=True)
class Mark:
    """One estimate on a forest plot; ``word`` stands in its place where there is no number."""

    label: str
    number: int
    value: float | None
    low: float | None = None
    high: float | None = None
    word: str = ""


def forest(marks: Sequence[Mark], reference: float | None, log: bool = False, width: int = 250) -> str:
    """Estimates with their intervals, one line each, in the order given; several of one label share its line.

    ``reference`` draws a dashed line there; ``log`` draws ratios. The caption says what is measured.
    """
    together = max((sum(other.label == mark.label for other in marks) for mark in marks), default=1)
    rows = [_placed(number, sum(other.label == mark.label for other in marks[:number]), mark, log)
            for number, mark in enumerate(marks)]  # fmt: skip
    return _svg(_forest(reference, _ratio_ticks(marks) if log else (), width, together), marks=rows)


def _ratio_ticks(marks: Sequence[Mark]) -> tuple[float, ...]:
    """Round ratios within what is drawn, 1 among them: 1, 2 and 5 in each decade, or decades where those are many."""
    ends = [end for mark in marks for end in (mark.low, mark.value, mark.high) if end is not None and end > 0]
    low, high = min([*ends, 1.0]), max([*ends, 1.0])
    ticks = [times * 10.0**decade for decade in range(-7, 8) for times in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return tuple(inside if len(inside) <= MOST_TICKS else [tick for tick in inside if math.log10(tick).is_integer()])


def _placed(number: int, slot: int, mark: Mark, log: bool) -> dict[str, Any]:
    """``number`` orders the lines, ``slot`` the marks within one."""
    whole = mark.low is not None and mark.high is not None and (not log or mark.low > 0)
    return {
        "label": _two_lines(mark.label),
        "order": number,
        "slot": slot,
        "colour": colour(mark.number),
        "shape": shape(mark.number),
        "value": mark.value,
        "low": mark.low if whole else None,
        "high": mark.high if whole else None,
        "word": mark.word if mark.value is None else "",
    }


def _two_lines(label: str) -> str:
    first, _, second = visible(label).partition("\n")
    lines = [first[:LABEL], second[:LABEL]] if second else textwrap.wrap(first, LABEL, max_lines=2, placeholder=" …")
    return "\n".join(lines) or " "


@cache
def _forest(reference: float | None, ticks: tuple[float, ...], width: int, together: int) -> Specification:
    """``ticks`` are those of a logarithmic scale; a linear one, without, finds its own."""
    alt = _altair()
    by_order = alt.EncodingSortField(field="order", op="min")
    scale = alt.Scale(type="log", nice=False, padding=12) if ticks else alt.Scale(zero=False, padding=12)
    axis = alt.Axis(values=list(ticks), format="~r") if ticks else alt.Axis(tickCount=5, format="~r", labelOverlap=True)
    line = alt.Y("label:N", sort=by_order, title=None, axis=_label_axis())
    within = {"yOffset": alt.YOffset("slot:O", sort="ascending")} if together > 1 else {}
    base = alt.Chart(alt.NamedData("marks")).encode(line, **within)
    hue = alt.Color("colour:N", scale=None)
    x = alt.X("value:Q", title=None, scale=scale, axis=axis)
    layers = [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.6)
        .encode(alt.X("low:Q", title=None), alt.X2("high:Q"), hue),
        base.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, opacity=1, size=56)
        .encode(x, hue, alt.Shape("shape:N", scale=None)),
        base.transform_filter("datum.word != ''")
        .mark_text(align="left", dx=4, fontStyle="italic", fontSize=11, color=SOFT)
        .encode(alt.Text("word:N"), x=alt.value(0)),
    ]
    if reference is not None:
        at = alt.Chart(alt.Data(values=[{"at": reference}]))
        layers.insert(0, at.mark_rule(color=SOFT, strokeDash=[4, 3]).encode(alt.X("at:Q", title=None)))
    return _finished(alt.layer(*layers).properties(width=width, height={"step": _step(together)}))


def _step(together: int) -> int:
    """Pixels for each mark: fewer where many stand together."""
    if together == 1:
        return 30
    return 17 if together <= 3 else 12


def _label_axis() -> dict[str, Any]:
    # of two lines the first stands on the middle and the second hangs below it
    two_lines = {"test": r"indexof(datum.label, '\n') >= 0", "value": "bottom"}
    return {
        "labelExpr": r"split(datum.label, '\n')",
        "labelBaseline": {"condition": two_lines, "value": "middle"},
        "domain": False,
        "ticks": False,
        "labelLimit": 0,
        "labelPadding": 8,
    }


def roc(bins: Sequence[RiskBin], number: int) -> str:
    """The ROC curve through the edges of the risk bins.

    Each point lies on the exact curve; between two of them the exact curve usually lies a little above.
    """
    points = [{"x": x, "y": y, "order": n, **_look(number)} for n, (x, y) in enumerate(roc_points(bins))]
    return _svg(_roc(), points=points)


def _look(number: int) -> dict[str, str]:
    return {"colour": colour(number), "shape": shape(number)}


def roc_points(bins: Sequence[RiskBin]) -> list[tuple[float, float]]:
    """(1 - specificity, sensitivity) at each edge, from the highest risk down; the first is (0, 0), the last (1, 1)."""
    falling = sorted(bins, key=lambda each: -each.low)
    positives, negatives = sum(b.positives for b in bins), sum(b.negatives for b in bins)
    points, true, false = [(0.0, 0.0)], 0, 0
    for each in falling:
        true, false = true + each.positives, false + each.negatives
        points.append((false / max(negatives, 1), true / max(positives, 1)))
    return points


@cache
def _roc() -> Specification:
    alt = _altair()
    unit = alt.Scale(domain=[0, 1])
    base = alt.Chart(alt.NamedData("points")).encode(
        alt.X("x:Q", title="False positive share (1 − specificity)", scale=unit, axis=_shares(alt)),
        alt.Y("y:Q", title="Sensitivity", scale=unit, axis=_shares(alt)),
        alt.Color("colour:N", scale=None),
    )
    curve = base.mark_line(strokeWidth=2).encode(alt.Order("order:Q"))
    dots = base.mark_point(filled=True, opacity=1, size=42).encode(alt.Shape("shape:N", scale=None))
    return _finished(alt.layer(_diagonal(alt, 1.0), curve, dots).properties(width=250, height=250))


def calibration(bins: Sequence[RiskBin], number: int) -> str:
    """Observed share against mean predicted risk in each bin, over a histogram of the predicted risks."""
    filled = [each for each in bins if each.positives + each.negatives]
    end = _end(filled)
    points = [{**_point(each, end), **_look(number)} for each in filled]
    bars = [{**_bar(each, end), **_look(number)} for each in filled if each.low < end]
    return _svg(_calibration(end), points=points, bars=bars)


def _end(bins: Sequence[RiskBin]) -> float:
    """Where the axes of a calibration plot end: a round share that holds every point, and intervals of usual length."""
    shares = [each.positives / (each.positives + each.negatives) for each in bins]
    largest = max([*shares, *(each.mean_risk for each in bins)], default=1.0)
    highs = [wilson(each.positives, each.positives + each.negatives)[1] for each in bins]
    needed = max(1.05 * largest, min(max(highs, default=1.0), 1.6 * largest))
    return next((step for step in STEPS if step >= needed), 1.0)


def _point(each: RiskBin, end: float) -> dict[str, Any]:
    rows = each.positives + each.negatives
    low, high = wilson(each.positives, rows)
    return {"risk": each.mean_risk, "share": each.positives / rows, "low": min(low, end), "high": min(high, end)}


def _bar(each: RiskBin, end: float) -> dict[str, Any]:
    """A bar whose area is the number of index dates, since merged bins have unequal widths."""
    points = max(100 * (each.high - each.low), 1e-9)
    return {"from": each.low, "to": min(each.high, end), "height": (each.positives + each.negatives) / points}


@cache
def _calibration(end: float) -> Specification:
    alt = _altair()
    above = alt.layer(_diagonal(alt, end), *_observed(alt, end)).properties(width=250, height=250)
    below = _histogram(alt, end).properties(width=250, height=64)
    return _finished(alt.vconcat(above, below, spacing=10))


def _observed(alt: Any, end: float) -> tuple[Chart, Chart]:
    unit = alt.Scale(domain=[0, end], nice=False)
    base = alt.Chart(alt.NamedData("points")).encode(
        alt.X("risk:Q", title=None, scale=unit, axis=_shares(alt, labels=False)), alt.Color("colour:N", scale=None)
    )
    share = alt.Y("share:Q", title="Observed share", scale=unit, axis=_shares(alt))
    bars = base.mark_rule(strokeWidth=1.6).encode(alt.Y("low:Q", scale=unit), alt.Y2("high:Q"))
    dots = base.mark_point(filled=True, opacity=1, size=52).encode(share, alt.Shape("shape:N", scale=None))
    return dots, bars


def _histogram(alt: Any, end: float) -> Chart:
    scale = alt.Scale(domain=[0, end], nice=False)
    bars = alt.Chart(alt.NamedData("bars")).mark_rect(opacity=0.75, stroke=PAPER, strokeWidth=0.6)
    return bars.encode(
        alt.X("from:Q", title="Predicted risk", scale=scale, axis=_shares(alt)),
        alt.X2("to:Q"),
        alt.Y("height:Q", title="Per point", axis=alt.Axis(tickCount=2, format=",~r")),
        alt.Y2(datum=0),
        alt.Fill("colour:N", scale=None),
    )


def _shares(alt: Any, labels: bool = True) -> Any:
    return alt.Axis(format="~%", tickCount=5, labels=labels, grid=True)


def _diagonal(alt: Any, end: float) -> Chart:
    line = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": end, "y": end}]))
    return line.mark_line(color=SOFT, strokeDash=[4, 3], strokeWidth=1).encode(alt.X("x:Q"), alt.Y("y:Q"))


def _altair() -> Any:
    """Altair, imported only where something is drawn: it takes as long as everything else here together."""
    import altair

    return altair


def _finished(chart: Chart) -> Specification:
    axis = {
        "labelColor": INK, "titleColor": SOFT, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
        "domainColor": SOFT, "tickColor": SOFT, "gridColor": LINE, "gridOpacity": 0.6,
    }  # fmt: skip
    chart = chart.configure(font=FONT, background="transparent", aria=False).configure_axis(**axis)
    chart = chart.configure_axisY(grid=False, titlePadding=8).configure_view(stroke=None)
    specification: Specification = chart.to_dict(validate=False)
    return specification


def _svg(specification: Specification, **datasets: Rows) -> str:
    import vl_convert

    whole = {**specification, "datasets": {**specification.get("datasets", {}), **datasets}}
    return str(vl_convert.vegalite_to_svg(whole, vl_version="6.4", allowed_base_urls=[]))
