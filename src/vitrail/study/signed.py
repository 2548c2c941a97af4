"""Words in signed envelopes: one way in, one way out, for everything that crosses the glass."""

from typing import TypeVar

from pydantic import ValidationError

from vitrail import wire
from vitrail.errors import WireError
from vitrail.study.word import Word
from vitrail.wire import PublicKey, SigningKey

Envelope = dict[str, wire.Json]
"""A DSSE envelope as JSON data."""

W = TypeVar("W", bound=Word)


def body(word: Word) -> wire.Json:
    """A word as JSON data, nothing that is not given: what its content hash is taken of."""
    return word.model_dump(mode="json", exclude_none=True)


def signed(word: Word, kind: str, key: SigningKey) -> Envelope:
    """``word`` in an envelope of ``kind``. The same word and key make the same bytes."""
    return key.sign(kind, body(word))


def verified(envelope: Envelope, kind: str, key: PublicKey, word: type[W]) -> W:
    """The word inside an envelope that is of ``kind`` and signed by ``key``. Raises WireError."""
    return read(key.verify(envelope, kind), kind, word)


def read(data: wire.Json, kind: str, word: type[W]) -> W:
    """JSON data as a word. Raises WireError, which does not say what the data are."""
    try:
        return word.model_validate_json(wire.canonical(data))
    except (ValidationError, RecursionError) as error:
        raise WireError(f"A {kind} does not say what it should.", "Send one made by the same version.") from error


def unverified(envelope: Envelope) -> wire.Json:
    """The data inside an envelope, only to learn whose key it claims to be signed with. Raises WireError."""
    return wire.parse(wire.opened(envelope)[1])
