"""Whether a node's tables say what its ledger says: nothing left without an entry, nothing entered is gone."""

import json

from sqlalchemy import select

from vitrail.errors import LedgerError
from vitrail.store.store import EventKind, Store, read_entry
from vitrail.store.tables import DECISIONS, RELEASES, WAIVERS
from vitrail.study.signed import content_id


def check_releases(store: Store, site: str | None) -> int:
    """Compare every ``released`` entry with the Releases kept (of one site, or of all); how many there are.

    Raises LedgerError. The ledger itself is verified by :func:`vitrail.governance.ledger.verify`.
    """
    entries = [read_entry(entry) for entry in store.ledger()[0]]
    entered = {entry["details"]["release"] for entry in entries if entry["event"] == "released"}
    rows = store.rows(
        select(RELEASES.c.envelope).where(RELEASES.c.site == site) if site else select(RELEASES.c.envelope)
    )
    kept = {content_id(json.loads(row.envelope)) for row in rows}
    if entered != kept:
        what = "The Releases in the database are not those that the ledger lists."
        raise LedgerError(what, "Keep the database as it is, and tell the alliance manager.")
    return len(kept)


def check_decisions(store: Store) -> int:
    """Compare every decision that was entered with those kept, in order; how many there are. Raises LedgerError."""
    entered = _entered(store, "decision", "approved", "refused")
    return _same(entered, [row.envelope for row in store.rows(select(DECISIONS.c.envelope).order_by(DECISIONS.c.seq))])


def check_waivers(store: Store) -> int:
    """The same for the hard checks that the steward waived."""
    entered = _entered(store, "waiver", "waived")
    return _same(entered, [row.envelope for row in store.rows(select(WAIVERS.c.envelope).order_by(WAIVERS.c.seq))])


def _entered(store: Store, what: str, *events: EventKind) -> list[str | None]:
    """The content hash that each ledger entry of these kinds names as ``what``."""
    entries = [read_entry(entry) for entry in store.ledger()[0]]
    return [each["details"].get(what) for each in entries if each["event"] in events]


def _same(entered: list[str | None], envelopes: list[str]) -> int:
    if entered != [content_id(json.loads(each)) for each in envelopes]:
        what = "The steward's decisions in the database are not those that the ledger lists."
        raise LedgerError(what, "Keep the database as it is, and tell the steward.")
    return len(entered)
