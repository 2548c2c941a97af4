"""Waiver: a steward's signed yes to answering from a snapshot although it fails a hard check, until a day."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from vitrail.errors import WireError
from vitrail.study.signed import Envelope, verified
from vitrail.study.word import Digest, SiteName, Text, Word
from vitrail.wire import PublicKey

WAIVER = "waiver"
"""The kind of its envelope, which the site's steward signs."""

Failing = tuple[str, str]
"""A check that fails, by its name and table."""


class Waiver(Word):
    """A site may answer from this snapshot although ``check`` fails for ``table``, through the day ``expires`` (UTC).

    It names all fields of the table for which the check fails: which they are is fixed by the snapshot's id. The next
    snapshot needs its own. ``why`` stays at the site.
    """

    vitrail: Literal["waiver/1"] = "waiver/1"
    site: SiteName
    snapshot: Digest
    check: str
    table: str
    why: Text
    expires: date


def counting(
    envelopes: Iterable[Envelope], steward: PublicKey, *, site: SiteName, snapshot: Digest, today: date
) -> tuple[Waiver, ...]:
    """The waivers that count: signed by the site's steward for this site and snapshot, their day not gone by."""
    waivers = [each for each in (_read(envelope, steward) for envelope in envelopes) if each is not None]
    return tuple(each for each in waivers if (each.site, each.snapshot) == (site, snapshot) and today <= each.expires)


def unwaived(failing: Iterable[Failing], waivers: Iterable[Waiver]) -> tuple[Failing, ...]:
    """Those of ``failing`` that none of the waivers that count lets pass, in order, each once."""
    passed = {(each.check, each.table) for each in waivers}
    return tuple(each for each in dict.fromkeys(failing) if each not in passed)


def _read(envelope: Envelope, steward: PublicKey) -> Waiver | None:
    try:
        return verified(envelope, WAIVER, steward, Waiver)
    except WireError:
        return None
