"""Words in signed envelopes: one way in, one way out, for everything that crosses the glass."""

from typing import TypeVar

from pydantic import ValidationError

from vitrail import wire
from vitrail.errors import WireError
from vitrail.study.word import Digest, Word
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
    key.verify(envelope, kind)
    return unverified(envelope, kind, word)


def unverified(envelope: Envelope, kind: str, word: type[W]) -> W:
    """The word inside an envelope that was verified before, or of which only the sender is yet to be learned."""
    return read(wire.opened(envelope)[1], kind, word)


def read(content: bytes | str, kind: str, word: type[W]) -> W:
    """JSON as a word. Raises WireError, which does not say what the JSON is."""
    try:
        return word.model_validate_json(content)
    except (ValidationError, RecursionError) as error:
        raise WireError(f"A {kind} does not say what it should.", "Send one made by the same version.") from error


def text(word: Word) -> str:
    """The canonical JSON of a word, as :func:`read` takes it back."""
    return wire.canonical(body(word)).decode()


def content_id(envelope: Envelope) -> Digest:
    """The content hash of what an envelope holds: the id of the word in it. Raises WireError."""
    return wire.digest(wire.opened(envelope)[1])
