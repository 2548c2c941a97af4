"""The quality page of a site: what failed first, what it means and what to do, table by table, snapshot by snapshot.

It counts the site's own records, so it never leaves the site.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from vitrail.governance.waiver import Failing, Waiver
from vitrail.omop.snapshot import Check, Manifest
from vitrail.pages.frame import rendered, templates
from vitrail.quality import charts
from vitrail.quality.history import Loaded, changes
from vitrail.quality.meaning import CATEGORIES, MEANINGS
from vitrail.quality.views import (
    failures,
    gaps,
    glass,
    grouped,
    not_applicable,
    outcomes,
    percent,
    place,
    quarantine,
    trends,
)

_ROOM = "vitrail.quality"


@dataclass(frozen=True)
class Report:
    """What the page shows: the manifest of the snapshot in use, the checks of the one before (None where there is
    none), the loads so far in order, the hard checks that bar it from answering, and the waivers that count."""

    site: str
    manifest: Manifest
    before: Sequence[Check] | None
    loads: Sequence[Loaded]
    bars: Sequence[Failing]
    waivers: Sequence[Waiver]


def render(report: Report) -> str:
    """The page as one HTML document. The same report makes the same bytes."""
    manifest = report.manifest
    changed = changes(report.before, manifest.checks) if report.before is not None else None
    return rendered(
        _environment(),
        _ROOM,
        "quality",
        report=report,
        manifest=manifest,
        persons=next((each.rows for each in manifest.files if each.table == "person"), 0),
        records=sum(each.rows for each in manifest.files if each.table not in charts.NO_RECORDS),
        outcomes=outcomes(manifest.checks),
        failures=failures(manifest.checks, report.before),
        changed=changed and (grouped(changed.failing), grouped(changed.mended)),
        glass=glass(manifest),
        gaps=gaps(manifest.checks),
        quarantine=quarantine(manifest),
        not_applicable=not_applicable(manifest),
        trends=trends(report.loads),
        pictures=charts.pictures(report.loads),
        categories=CATEGORIES,
        meanings=MEANINGS,
    )


@cache
def _environment() -> Environment:
    """The templates, compiled once."""
    return templates(_ROOM, {"percent": percent, "place": place, "coded": _coded})


def _coded(text: str) -> Markup:
    """Our own words, with what stands between backticks as code."""
    parts = text.split("`")
    marked = [Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)]
    return Markup("").join(marked)
