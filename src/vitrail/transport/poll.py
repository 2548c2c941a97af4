"""Polls: a member asks for its messages, and proves that it is the member."""

import time
from typing import Annotated, Literal

from pydantic import Field

from vitrail.study.signed import Envelope, signed
from vitrail.study.word import Digest, SiteName, Word
from vitrail.transport import MAX_WAIT
from vitrail.wire import PublicKey, SigningKey

POLL = "poll"
"""The kind of a poll's envelope, signed by the member that asks."""

FRESH = 300
"""Seconds by which the clocks of a member and the hub may differ."""


class Poll(Word):
    """A member asks for its messages after ``after``.

    ``hub`` is the id of the hub's key and ``at`` the time in Unix seconds, so that a poll that somebody overheard is
    worth nothing elsewhere or later.
    """

    vitrail: Literal["poll/1"] = "poll/1"
    member: SiteName
    hub: Digest
    after: Annotated[int, Field(ge=0)]
    wait: Annotated[float, Field(ge=0, le=MAX_WAIT)]
    at: int

    @property
    def fresh(self) -> bool:
        """Whether it was made just now."""
        return abs(time.time() - self.at) <= FRESH


def signed_poll(member: str, key: SigningKey, hub: PublicKey, after: int, wait: float) -> Envelope:
    """A poll of this moment."""
    poll = Poll(member=member, hub=hub.id, after=after, wait=min(wait, MAX_WAIT), at=int(time.time()))
    return signed(poll, POLL, key)
