"""Whether a snapshot may answer: it passes every hard check, or the steward waives those that it fails."""

import json
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select

from vitrail.errors import NodeError, Refusal
from vitrail.governance.waiver import WAIVER, Failing, Waiver, counting, unwaived
from vitrail.omop.snapshot import Calendar, Check, read_manifest
from vitrail.quality.check import failed
from vitrail.site.node import Node
from vitrail.store.store import Event
from vitrail.store.tables import WAIVERS
from vitrail.study.calendar import listed, needs
from vitrail.study.signed import Envelope, content_id, signed
from vitrail.study.study import Study
from vitrail.study.word import Digest
from vitrail.wire import SigningKey


def waive(node: Node, steward: SigningKey, check: str, table: str, why: str, expires: date, today: date) -> Waiver:
    """The steward's yes, signed, to a check that the snapshot in use fails.

    Raises NodeError where the key is not the steward's, the day has gone by, or no hard check of that name fails there.
    """
    if steward.public != node.steward:
        raise NodeError("The key is not that of this site's steward.", "Name the steward's key with --key.")
    if expires < today:
        raise NodeError("The waiver would have expired already.", "Name a day to come with --expires.")
    manifest = read_manifest(node.directory.current_snapshot())
    if (check, table) not in failing(manifest.checks):
        what = "The snapshot in use fails no hard check of that name and table."
        raise NodeError(what, "Copy both from `vitrail site quality`.")
    waiver = Waiver(site=node.name, snapshot=manifest.id, check=check, table=table, why=why, expires=expires)
    _keep(node, signed(waiver, WAIVER, steward), waiver)
    return waiver


def _keep(node: Node, envelope: Envelope, waiver: Waiver) -> None:
    said = {"check": waiver.check, "table": waiver.table, "expires": waiver.expires.isoformat()}
    with node.store.writing(Event("waived", waiver.snapshot, {"waiver": content_id(envelope), **said})) as writing:
        writing.add(WAIVERS, id=content_id(envelope), snapshot=waiver.snapshot, envelope=json.dumps(envelope))


def failing(checks: Sequence[Check]) -> tuple[Failing, ...]:
    """The hard checks that fail, each name and table once."""
    return tuple(dict.fromkeys((each.name, each.table) for each in failed(checks, hard=True)))


def waivers(node: Node, snapshot: Digest, today: date) -> tuple[Waiver, ...]:
    """The waivers of a snapshot that count today."""
    found = select(WAIVERS.c.envelope).where(WAIVERS.c.snapshot == snapshot).order_by(WAIVERS.c.seq)
    envelopes = [json.loads(row.envelope) for row in node.store.rows(found)]
    return counting(envelopes, node.steward, site=node.name, snapshot=snapshot, today=today)


def barring(node: Node, snapshot: Digest, checks: Sequence[Check], today: date) -> tuple[Failing, ...]:
    """The hard checks that a snapshot fails and that nobody waives today."""
    found = failing(checks)
    return unwaived(found, waivers(node, snapshot, today)) if found else ()


def check_fit(node: Node, study: Study, today: date) -> None:
    """Raise Refusal where the snapshot in use may not answer ``study``: approved now, it would be refused, for good."""
    try:
        manifest = read_manifest(node.directory.current_snapshot())
    except NodeError:
        return  # nothing was loaded yet, so nothing is answered yet
    refuse_unfit(barring(node, manifest.id, manifest.checks, today))
    refuse_calendar(study, manifest.calendar)


def refuse_unfit(bars: Sequence[Failing]) -> None:
    """Raise Refusal ``quality`` where there is one; which check it is stays with the steward."""
    if bars:
        named = ", ".join(f"{check} of {table}" for check, table in bars)
        what = f"The snapshot fails checks without which its answers cannot be trusted: {named}."
        raise Refusal("quality", what, "Load a better source, or waive them with `vitrail site waive`.")


def refuse_calendar(study: Study, calendar: Calendar) -> None:
    """Raise Refusal ``calendar`` where ``study`` needs true dates and the snapshot's days were moved or counted."""
    found = needs(study)
    if found and calendar != "true":
        what = f"The snapshot's calendar is {calendar}, and the study needs true dates for {listed(found)}."
        raise Refusal("calendar", what, "Ask its authors for a study that does without, under another title.")
