"""The mailbox: how signed envelopes travel between the hub and a site that opens no inbound port.

The docstrings of :class:`Mailbox` and :class:`Exchange` are the specification of every carrier;
``tests/contract/test_mailbox.py`` holds each carrier to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vitrail.study.signed import Envelope

MAX_POST_BYTES = 16 * 1024 * 1024
"""The largest message that a hub takes."""

MAX_WAIT = 25.0
"""The longest that a hub lets a poll wait, in seconds: less than proxies allow a silent connection."""


@dataclass(frozen=True)
class Message:
    """One envelope for a member. ``seq`` grows from message to message, not always by one."""

    seq: int
    envelope: Envelope


class Mailbox(Protocol):
    """A member's end. All calls are made by the member: nobody can call it."""

    def post(self, envelope: Envelope) -> None:
        """Give the hub an envelope.

        When this returns the hub has it for good: it survives a crash of the hub. Posting the same envelope again
        changes nothing, so a caller that does not know whether a post arrived posts again.
        Raises NotTaken where the hub will never take it (too large, not signed by a member's key, not an
        answer to anything asked, another answer than the first), and TransportError where it may later.
        """
        ...

    def fetch(self, after: int, wait: float = 0.0) -> Sequence[Message]:
        """The first messages to this member whose ``seq`` is more than ``after``, in order, none left out.

        Not always all of them: a caller goes on with the last ``seq`` it has dealt with until nothing comes. Fetching
        removes nothing: the same call gives the same messages again. Where there are none the call waits up to ``wait``
        seconds for one, and then returns an empty sequence. Raises TransportError, and NotTaken where the
        hub does not know the member.
        """
        ...


class Exchange(Protocol):
    """The hub's end, to which every carrier hands what it was given."""

    def take(self, envelope: Envelope) -> None:
        """Keep an envelope for good, once. Raises VitrailError where it will never be taken."""
        ...

    def waiting(self, poll: Envelope) -> Sequence[Message]:
        """What a signed poll asks for, without waiting. Raises VitrailError where the poll is not good."""
        ...
