"""The attrition of a cohort as a flow diagram for each site, the same step at the same height at every site.

A step that a site shows together with the next one keeps its place, as a dashed pane without a number.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from vitrail.reports.blocks import Column, Pane, Row, Table
from vitrail.reports.wording import percent, share_of, visible, whole
from vitrail.study.release import SUPPRESSED, Attrition, Count

WIDTH = 300  # of one site's drawing, in pixels; narrow enough for a telephone
PANE = 212
LINE, ABOVE, GAP = 15, 18, 26  # line height, room for the count, room for the arrow
CHARACTERS, MOST_LINES = 31, 4
TOGETHER = "counted with the next step shown"
AFTER = "counted with the step shown before"


@dataclass(frozen=True)
class Step:
    """One pane of a drawing. ``count`` is None where the step is not shown on its own; ``why`` says so."""

    lines: tuple[str, ...]
    count: Count | None
    share: float | None
    why: str
    left_out: str
    top: int
    height: int

    @property
    def suppressed(self) -> bool:
        """Whether the site suppressed the count."""
        return self.count == SUPPRESSED


@dataclass(frozen=True)
class Drawing:
    """One site's flow, ready to draw."""

    pane: Pane
    steps: tuple[Step, ...]
    height: int
    text: str


@dataclass(frozen=True)
class Flow:
    """One cohort at every site: the drawings and the table that says the same."""

    cohort: str
    drawings: tuple[Drawing, ...]
    table: Table


@dataclass(frozen=True)
class _Entry:
    count: Count | None
    why: str = ""


def flows(attrition: Mapping[str, tuple[Attrition, ...]], panes: Mapping[str, Pane]) -> tuple[Flow, ...]:
    """A flow for each cohort that any site released the attrition of."""
    by_cohort: dict[str, dict[str, Attrition]] = {}
    for site in sorted(attrition):
        for each in attrition[site]:
            by_cohort.setdefault(each.cohort, {})[site] = each
    return tuple(_flow(cohort, sites, panes) for cohort, sites in by_cohort.items())


def _flow(cohort: str, sites: Mapping[str, Attrition], panes: Mapping[str, Pane]) -> Flow:
    entries = {site: _entries(each) for site, each in sites.items()}
    labels = list(dict.fromkeys(label for each in entries.values() for label in each))
    lines = [_wrapped(label) for label in labels]
    drawings = tuple(_drawing(panes[site], labels, lines, each) for site, each in entries.items())
    return Flow(cohort, drawings, _table(cohort, labels, entries, panes))


def _entries(attrition: Attrition) -> dict[str, _Entry]:
    """Every step in order, those that are merged into others included."""
    found: dict[str, _Entry] = {}
    for number, step in enumerate(attrition.steps):
        merged = attrition.merged[number] if number < len(attrition.merged) else ()
        found |= {label: _Entry(None, TOGETHER) for label in merged}
        found[step.label] = _Entry(step.count)
    trailing = [label for merged in attrition.merged[len(attrition.steps) :] for label in merged]
    return found | {label: _Entry(None, AFTER) for label in trailing}


def _wrapped(label: str) -> tuple[str, ...]:
    lines = textwrap.wrap(visible(label), CHARACTERS) or [""]
    return tuple(lines) if len(lines) <= MOST_LINES else (*lines[: MOST_LINES - 1], lines[MOST_LINES - 1][:-1] + "…")


def _drawing(pane: Pane, labels: list[str], lines: list[tuple[str, ...]], entries: Mapping[str, _Entry]) -> Drawing:
    first = next((each.count for each in entries.values() if each.count is not None), SUPPRESSED)
    steps: list[Step] = []
    top, before = 1, None
    for label, wrapped in zip(labels, lines, strict=True):
        height = len(wrapped) * LINE + ABOVE + 14
        entry = entries.get(label)
        if entry is not None:
            left_out = "" if entry.count is None else _left_out(before, entry.count)
            share = None if entry.count is None else share_of(entry.count, first)
            steps.append(Step(wrapped, entry.count, share, entry.why, left_out, top, height))
            before = before if entry.count is None else entry.count
        top += height + GAP
    return Drawing(pane, tuple(steps), top - GAP + 1, _told(pane.site, entries))


def _left_out(before: Count | None, now: Count) -> str:
    """How many the step left out, from the counts as printed; nothing where one of them is not, or they are equal."""
    if not isinstance(before, int) or not isinstance(now, int):
        return ""
    return f"{before - now:,}" if before != now else ""


def _told(site: str, entries: Mapping[str, _Entry]) -> str:
    told = "; ".join(
        f"{visible(label)}: {each.why if each.count is None else whole(each.count)}" for label, each in entries.items()
    )
    return f"{site}. {told}."


def _table(
    cohort: str, labels: list[str], entries: Mapping[str, Mapping[str, _Entry]], panes: Mapping[str, Pane]
) -> Table:
    columns = (Column("Step"), *(Column(site, panes[site]) for site in entries))
    rows = tuple(Row(label, tuple(_cell(label, each) for each in entries.values())) for label in labels)
    return Table(f"People left after each step of “{visible(cohort)}”", columns, rows)


def _cell(label: str, entries: Mapping[str, _Entry]) -> str:
    entry = entries.get(label)
    if entry is None:
        return "not reported"
    if entry.count is None:
        return entry.why
    first = next(each.count for each in entries.values() if each.count is not None)
    share = share_of(entry.count, first)
    return whole(entry.count) if share is None else f"{whole(entry.count)} ({percent(share)})"
