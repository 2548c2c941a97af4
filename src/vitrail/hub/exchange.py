"""The hub's end of the mailbox: every message is checked, kept for good, and acted upon."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitrail import wire
from vitrail.errors import NotTaken, WireError
from vitrail.hub.registry import Registry
from vitrail.study.signed import Envelope, unverified, verified
from vitrail.study.word import Digest
from vitrail.transport import Message
from vitrail.transport.poll import FRESH, POLL, Poll
from vitrail.wire import PublicKey


@dataclass(frozen=True)
class Exchange:
    """See :class:`vitrail.transport.Exchange`. ``taken`` is told the study of each Release that was kept."""

    registry: Registry
    taken: Callable[[Digest], None]

    def take(self, envelope: Envelope) -> None:
        """Keep a Release for good, once. Raises VitrailError where it will never be taken."""
        self.taken(self.registry.take(envelope).study)

    def waiting(self, poll: Envelope) -> Sequence[Message]:
        """What a signed poll asks for, without waiting. Raises VitrailError where the poll is not good."""
        asked = self.checked(poll)
        return self.registry.messages(asked.member, asked.after)

    def checked(self, envelope: Envelope) -> Poll:
        """The poll in an envelope, where a member made it for this hub just now."""
        claimed = unverified(envelope, POLL, Poll)
        key = self.registry.members().get(claimed.member)
        if key is None:
            raise NotTaken("The poll comes from no member.", "Join the alliance first.")
        poll = verified(envelope, POLL, PublicKey(key), Poll)
        if poll.hub != self.registry.key.public.id:
            raise WireError("The poll is for another hub.", "Join this hub with its own kit.")
        if not poll.fresh:
            what = f"The clocks of the site and the hub differ by more than {FRESH} seconds, or the poll is old."
            raise NotTaken(what, "Set the clock.")
        return poll


def envelope_of(content: bytes) -> Envelope:
    """A request's body as an envelope, not yet verified. Raises WireError."""
    data = wire.parse(content)
    if not isinstance(data, dict):
        raise WireError("A message is not a DSSE envelope.", "Send payloadType, payload, signatures.")
    return data
