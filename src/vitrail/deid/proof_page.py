"""The proof pack as a page that a privacy officer reads and signs. It holds all it needs, and never leaves the site."""

from functools import cache
from itertools import groupby

from jinja2 import Environment

from vitrail.deid.columns import K
from vitrail.deid.proof import SAYS, Proof, Statement
from vitrail.deid.risk import upper_bound
from vitrail.omop.snapshot import Manifest
from vitrail.pages.frame import rendered, templates

_ROOM = "vitrail.deid"

REVIEWED = 300
"""The sample of the example that the page gives."""


def render(site: str, manifest: Manifest, proof: Proof, signed: Statement | None) -> str:
    """The page as one HTML document. The same proof makes the same bytes."""
    return rendered(
        _environment(),
        _ROOM,
        "proof",
        site=site,
        manifest=manifest,
        proof=proof,
        succeeded=[each.attack for each in proof.attempts if each.outcome == "succeeded"],
        idle=[each.attack for each in proof.attempts if each.outcome == "nothing"],
        rules=[(table, list(rows)) for table, rows in groupby(proof.ruled, key=lambda rule: rule.table)],
        notes=_notes(proof),
        bound=upper_bound(0, REVIEWED),
        k=K,
        says=SAYS,
        signed=signed,
    )


def _notes(proof: Proof) -> str:
    changed = next((rule.changed for rule in proof.ruled if rule.rule == "note"), 0)
    held = sum(each.rows for each in proof.removed if each.table == "note")
    if not changed and not held:
        return "The snapshot has no notes that were cleaned."
    return f"{changed:,} notes were changed by cleaning, and {held:,} are not in the snapshot."


def percent(share: float) -> str:
    """A share in words: two figures that mean something."""
    return f"{100 * share:.1f} %" if share >= 0.1 else f"{100 * share:.2g} %"


@cache
def _environment() -> Environment:
    return templates(_ROOM, {"percent": percent})
