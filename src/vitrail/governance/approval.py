"""Approval: a steward's signed yes to one study, under one policy, among known members, until a day."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from vitrail.errors import Refusal, WireError
from vitrail.study.parties import KeyHex
from vitrail.study.signed import Envelope, verified
from vitrail.study.word import Digest, SiteName, Text, Word
from vitrail.wire import PublicKey

APPROVAL = "approval"
"""The kind of its envelope, which the site's steward signs."""


class Approval(Word):
    """A site's yes to the study with this content hash, valid through the day ``expires`` (UTC).

    It holds for the policy it was given under. ``members`` are the sites whose signed Releases a question may
    follow from, with their keys, so that nobody can be added to a study after it was approved.
    """

    vitrail: Literal["approval/1"] = "approval/1"
    study: Digest
    site: SiteName
    policy: Digest
    members: dict[SiteName, KeyHex]
    expires: date


REJECTION = "rejection"
"""The kind of its envelope, which the site's steward signs."""


class Rejection(Word):
    """A site's no to a study; the reason stays at the site."""

    vitrail: Literal["rejection/1"] = "rejection/1"
    study: Digest
    site: SiteName
    why: Text


def may_answer(
    envelope: Envelope | None,
    steward: PublicKey,
    *,
    study: Digest,
    site: SiteName,
    policy: Digest,
    members: Mapping[SiteName, str],
    today: date,
) -> Approval:
    """The approval that lets ``site`` answer ``study`` today; raises Refusal ``not_approved`` where there is none.

    ``envelope`` is what the steward signed, None where the steward did not approve.
    """
    if envelope is None:
        raise _refusal("The steward has not approved the study.")
    try:
        approval = verified(envelope, APPROVAL, steward, Approval)
    except WireError as error:
        raise _refusal("The approval is not signed by the site's steward.") from error
    if (approval.study, approval.site) != (study, site):
        raise _refusal("The approval is for another study or site.")
    if approval.policy != policy:
        raise _refusal("The policy has changed since the study was approved.")
    if approval.members != dict(members):
        raise _refusal("The study's members are not those that were approved.")
    if today > approval.expires:
        raise _refusal("The approval has expired.")
    return approval


def _refusal(what: str) -> Refusal:
    return Refusal("not_approved", what, "Review the study with `vitrail site review`.")
