"""The quality page of a site: what failed first, what it means and what to do, table by table, snapshot by snapshot.

The page holds everything it needs. It carries no script, loads nothing, and its Content-Security-Policy allows no more
than the one style sheet inside it, by its hash. It counts the site's own records, so it never leaves the site.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from vitrail.governance.waiver import Failing, Waiver
from vitrail.omop.snapshot import Check, Manifest
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
    css = (files("vitrail.quality") / "templates" / "quality.css").read_text(encoding="utf-8")
    manifest = report.manifest
    changed = changes(report.before, manifest.checks) if report.before is not None else None
    page: str = (
        _environment()
        .get_template("quality.html")
        .render(
            css=Markup(css),  # noqa: S704 (a file of this package)
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
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
    )
    return page


@cache
def _environment() -> Environment:
    """The templates, compiled once."""
    environment = Environment(
        loader=PackageLoader("vitrail.quality"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(percent=percent, place=place, drawn=Markup, coded=_coded)
    return environment


def _coded(text: str) -> Markup:
    """Our own words, with what stands between backticks as code."""
    parts = text.split("`")
    marked = [Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)]
    return Markup("").join(marked)
