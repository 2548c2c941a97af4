"""The carrier over HTTP: the member's end, and a reader's calls to the same hub."""

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from vitrail import wire
from vitrail.errors import NodeError, NotTaken, TransportError, WireError
from vitrail.study.signed import Envelope
from vitrail.transport import MAX_POST_BYTES, Message
from vitrail.transport.poll import signed_poll
from vitrail.wire import PublicKey, SigningKey

PATIENCE = 10.0
"""Seconds to wait for an answer, beyond those that a poll may wait at the hub."""

_DO = "Check the address, and that `vitrail hub run` is running."


class HttpHub:
    """The hub at ``address``, for one caller at a time. Proxies set in the environment are not used for it.

    Raises NodeError for an https address.
    """

    def __init__(self, address: str) -> None:
        if address.startswith("https:"):
            raise NodeError("Mutual TLS is not there yet, so no hub is at an https address.", "Use its http address.")
        self.address = address
        # trusts no authority: reading the usual ones costs each process 0.1 s, and members have no certificates yet
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False, verify=nobody)

    def get(self, path: str) -> wire.Json:
        """What the hub says at ``path``. Raises TransportError and NotTaken."""
        return self._call("GET", path, b"", PATIENCE)

    def send(self, path: str, data: wire.Json, wait: float = 0.0) -> wire.Json:
        """Post JSON and return the hub's answer, which may take ``wait`` seconds longer. Raises as :meth:`get`."""
        content = json.dumps(data, allow_nan=False).encode()
        if len(content) > MAX_POST_BYTES:
            raise NotTaken("The message is too large.", "Send less.")
        return self._call("POST", path, content, PATIENCE + wait)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _call(self, method: str, path: str, body: bytes, timeout: float) -> wire.Json:
        with self._typed_errors():
            headers = {"content-type": "application/json"}
            with self._client.stream(method, path, content=body, headers=headers, timeout=timeout) as response:
                content = _read(response)
            if response.status_code == 200:
                return wire.parse(content)
        if 400 <= response.status_code < 500:
            raise _not_taken(content)
        raise TransportError(f"The hub at {self.address} has a problem of its own.", "Try again later.")

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except WireError as error:
            raise TransportError(f"The hub at {self.address} gives no answer that can be read.", _DO) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = f"The hub at {self.address} cannot be reached ({type(error).__name__})."
            raise TransportError(what, _DO) from error


def _read(response: httpx.Response) -> bytes:
    """The body, up to the largest message; a hub that sends more is cut off."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > wire.MAX_MESSAGE_BYTES:
            raise WireError("The hub's answer is larger than 64 MiB.", "Ask the hub's operator.")
    return bytes(content)


def _not_taken(answer: bytes) -> NotTaken:
    """The hub's own words, where it gave any."""
    try:
        problem = wire.parse(answer)
        return NotTaken(str(problem["what"])[:500], str(problem["do"])[:500])
    except (WireError, KeyError, TypeError):
        return NotTaken("The hub did not take the message.", "Check the hub's address and version.")


class HttpMailbox:
    """A member's end over HTTP; see :class:`vitrail.transport.Mailbox`."""

    def __init__(self, hub: HttpHub, member: str, key: SigningKey, hub_key: PublicKey) -> None:
        self._hub, self._member, self._key, self._hub_key = hub, member, key, hub_key

    def post(self, envelope: Envelope) -> None:
        """See :meth:`vitrail.transport.Mailbox.post`."""
        self._hub.send("/messages", envelope)

    def fetch(self, after: int, wait: float = 0.0) -> Sequence[Message]:
        """See :meth:`vitrail.transport.Mailbox.fetch`."""
        poll = signed_poll(self._member, self._key, self._hub_key, after, wait)
        answer = self._hub.send("/poll", poll, wait)
        try:
            return [Message(int(each["seq"]), dict(each["envelope"])) for each in answer["messages"]]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise TransportError("The hub's answer is no list of messages.", "Check the hub's version.") from error
