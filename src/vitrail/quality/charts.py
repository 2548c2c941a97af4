"""The pictures of the quality page, drawn by Altair and turned into SVG by vl-convert: no network, no script.

Colours are literal; the page's style sheet maps them to its dark ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitrail.omop.tables import VOCABULARY
from vitrail.quality.history import Loaded

INK, SOFT, LINE = "#22262b", "#5d6673", "#d9d6cd"
HARD, FAILED, ROWS = "#8c1c2c", "#b85812", "#1b4b98"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
MOST = 24
"""Loads that a picture shows, the latest."""
NO_RECORDS = (*VOCABULARY, "location", "care_site", "provider")
"""Tables whose rows are not records of persons."""

Chart = Any  # an Altair chart; Altair is imported only where something is drawn


@dataclass(frozen=True)
class Picture:
    """A picture as inline SVG; ``title`` names it and ``text`` says in words what it shows."""

    svg: str
    title: str
    text: str


def pictures(loads: Sequence[Loaded]) -> tuple[Picture, ...]:
    """Failures, quarantine and rows from load to load; nothing where there is only one."""
    shown = loads[-MOST:]
    if len(shown) < 2:
        return ()
    first = len(loads) - len(shown) + 1
    numbered = [(f"{number}", each) for number, each in enumerate(shown, start=first)]
    drawn = (_failures(numbered), _quarantine(numbered), _rows(numbered))
    return tuple(each for each in drawn if each is not None)


Numbered = Sequence[tuple[str, Loaded]]


def _failures(loads: Numbered) -> Picture | None:
    counted = [
        (number, each.hard, each.failed) for number, each in loads if each.hard is not None and each.failed is not None
    ]
    if len(counted) < 2:
        return None
    bars = [
        {"load": number, "kind": kind, "count": count, "order": order}
        for number, hard, failed in counted
        for order, kind, count in ((0, "hard", hard), (1, "other", failed - hard))
    ]
    alt = _altair()
    colour = alt.Color("kind:N", title=None, scale=alt.Scale(domain=["hard", "other"], range=[HARD, FAILED]),
                       legend=alt.Legend(orient="top"))  # fmt: skip
    chart = alt.Chart(alt.Data(values=bars)).mark_bar().encode(
        _loads(alt), alt.Y("count:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=4)), colour,
        alt.Order("order:Q"),
    )  # fmt: skip
    text = f"{counted[0][2]} checks failed at load {counted[0][0]}, {counted[-1][2]} at load {counted[-1][0]}."
    return Picture(_svg(chart.properties(width=300, height=130)), "Checks that failed", text)


def _quarantine(loads: Numbered) -> Picture | None:
    points = [{"load": number, "share": each.quarantined / each.rows_in} for number, each in loads if each.rows_in]
    if len(points) < 2:
        return None
    alt = _altair()
    axis = alt.Axis(format="~%", tickCount=4)
    base = alt.Chart(alt.Data(values=points)).encode(_loads(alt), alt.Y("share:Q", title=None, axis=axis))
    chart = alt.layer(
        base.mark_line(color=FAILED, strokeWidth=2), base.mark_point(color=FAILED, filled=True, size=46, opacity=1)
    )
    first, last = (100 * float(str(points[at]["share"])) for at in (0, -1))
    return Picture(_svg(chart.properties(width=300, height=130)), "Rows of the source that were quarantined",
                   f"{first:.2f} % of the source's rows at first, {last:.2f} % at last.")  # fmt: skip


def _rows(loads: Numbered) -> Picture:
    tables = [
        name for name in loads[-1][1].rows if name not in NO_RECORDS and any(each.rows.get(name) for _, each in loads)
    ]
    points = [
        {"load": number, "table": name, "order": order, "rows": each.rows.get(name, 0)}
        for number, each in loads
        for order, name in enumerate(tables)
    ]
    alt = _altair()
    base = alt.Chart().encode(_loads(alt), alt.Y("rows:Q", title=None, axis=alt.Axis(tickCount=2, format="~s")))
    dots = base.mark_point(color=ROWS, filled=True, size=30, opacity=1)
    layers = alt.layer(base.mark_line(color=ROWS, strokeWidth=2), dots, data=alt.Data(values=points))
    header = alt.Header(title=None, labelFontSize=12, labelColor=INK, labelAnchor="start", labelPadding=4)
    order = alt.EncodingSortField(field="order", op="min")
    facets = layers.properties(width=190, height=64).facet(
        facet=alt.Facet("table:N", header=header, sort=order), columns=4, spacing={"row": 18, "column": 30}
    ).resolve_scale(y="independent", x="shared")  # fmt: skip
    return Picture(_svg(facets), "Rows of each table",
                   f"From load {loads[0][0]} to load {loads[-1][0]}; the table below says the totals.")  # fmt: skip


def _loads(alt: Any) -> Any:
    return alt.X("load:O", title=None, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))


def _altair() -> Any:
    """Altair, imported only where something is drawn: it takes long."""
    import altair

    return altair


def _svg(chart: Chart) -> str:
    import vl_convert

    axis = {"labelColor": INK, "titleColor": SOFT, "labelFontSize": 11, "domainColor": SOFT, "tickColor": SOFT,
            "gridColor": LINE, "gridOpacity": 0.6}  # fmt: skip
    chart = chart.configure(font=FONT, background="transparent", aria=False).configure_axis(**axis)
    chart = chart.configure_axisX(grid=False).configure_view(stroke=None)
    return str(vl_convert.vegalite_to_svg(chart.to_dict(validate=False), vl_version="6.4", allowed_base_urls=[]))
