"""A carrier within one process: the member's calls go straight to the hub's exchange."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from vitrail.errors import LedgerError, NotTaken, StoreError, TransportError, VitrailError
from vitrail.study.signed import Envelope
from vitrail.transport import MAX_POST_BYTES, MAX_WAIT, Exchange, Message
from vitrail.transport.poll import signed_poll
from vitrail.wire import PublicKey, SigningKey

PAUSE = 0.01
"""Seconds between two looks."""


@dataclass(frozen=True)
class LocalMailbox:
    """A member's end at an exchange in the same process."""

    exchange: Exchange
    member: str
    key: SigningKey
    hub: PublicKey

    def post(self, envelope: Envelope) -> None:
        """See :meth:`vitrail.transport.Mailbox.post`."""
        if len(json.dumps(envelope)) > MAX_POST_BYTES:
            raise NotTaken("The message is too large.", "Send less.")
        with _typed_errors():
            self.exchange.take(envelope)

    def fetch(self, after: int, wait: float = 0.0) -> Sequence[Message]:
        """See :meth:`vitrail.transport.Mailbox.fetch`."""
        until = time.monotonic() + min(wait, MAX_WAIT)
        poll = signed_poll(self.member, self.key, self.hub, after, wait)
        while True:
            messages = self._waiting(poll)
            if messages or time.monotonic() >= until:
                return messages
            time.sleep(PAUSE)

    def _waiting(self, poll: Envelope) -> Sequence[Message]:
        with _typed_errors():
            return self.exchange.waiting(poll)


@contextmanager
def _typed_errors() -> Iterator[None]:
    """A hub that is unwell may be well later; whatever else it says no to, it always will."""
    try:
        yield
    except (StoreError, LedgerError) as error:
        raise TransportError(error.what, error.do) from error
    except VitrailError as error:
        raise NotTaken(error.what, error.do) from error
