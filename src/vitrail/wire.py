"""What crosses the glass, as bytes: canonical JSON, content hashes, and signed envelopes.

Canonical JSON is RFC 8785 (JCS). A content hash is ``sha256:`` and the hexadecimal SHA-256 of the canonical bytes.
A signed message is a DSSE envelope (https://github.com/secure-systems-lab/dsse, protocol v1.0.2) with Ed25519
signatures, so that what is verified is exactly what is parsed.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vitrail.errors import NodeError, WireError

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
PAYLOAD_TYPE = "application/vnd.vitrail.{kind}+json"

Json = Any  # JSON data: dict, list, str, int, float, bool, None


def canonical(data: Json) -> bytes:
    """The RFC 8785 bytes of ``data``. Raises WireError where it has no canonical form (NaN, huge integers)."""
    try:
        return _written(data)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError) as error:
        raise WireError("A message has no canonical JSON form.", "Use finite numbers, text and plain lists.") from error


def _written(data: Json) -> bytes:
    try:
        return json.dumps(_plain(data), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except _Rare:
        return rfc8785.dumps(data)


class _Rare(Exception):
    """Data for which the quick way to canonical JSON is not known to be right."""


_SAFE = 2**53 - 1


def _plain(data: Json) -> Json:
    """``data`` such that Python's own writer gives the canonical form, three times as fast. Raises _Rare.

    It writes text and whole numbers as RFC 8785 does; other numbers are alike from 0.0001 to 10^15, where neither it
    nor ECMAScript writes an exponent; and its order of keys is that of UTF-16 where they are ASCII.
    """
    kind = type(data)
    if data is None or kind is str or kind is bool:
        return data
    if kind is int and -_SAFE <= data <= _SAFE:
        return data
    if kind is dict and all(type(key) is str and key.isascii() for key in data):
        return {key: _plain(value) for key, value in data.items()}
    if kind is list or kind is tuple:
        return [_plain(value) for value in data]
    if kind is float:
        return _plain_float(data)
    raise _Rare


def _plain_float(number: float) -> Json:
    """A whole number is written without its point."""
    if number.is_integer() and abs(number) <= _SAFE:
        return int(number)
    if 1e-4 <= abs(number) < 1e15:
        return number
    raise _Rare


def digest(content: bytes) -> str:
    """The content hash of some bytes: ``sha256:<64 hexadecimal digits>``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_of(data: Json) -> str:
    """The content hash of JSON data: the digest of its canonical bytes."""
    return digest(canonical(data))


def parse(content: bytes) -> Json:
    """Read JSON strictly: bounded size, no duplicate keys, no NaN. Raises WireError."""
    if len(content) > MAX_MESSAGE_BYTES:
        raise WireError("A message is larger than 64 MiB.", "Send less.")
    try:
        return json.loads(content, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError("A message is not JSON.", "Send RFC 8259 JSON in UTF-8.") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_constant(_: str) -> float:
    raise ValueError("not a finite number")


@dataclass(frozen=True)
class SigningKey:
    """A private Ed25519 key. Its id is the content hash of its public part."""

    private: Ed25519PrivateKey

    @staticmethod
    def make() -> "SigningKey":
        """A new random key."""
        return SigningKey(Ed25519PrivateKey.generate())

    @staticmethod
    def read(path: Path) -> "SigningKey":
        """The key in a file written by :meth:`write`. Raises NodeError where there is none."""
        try:
            return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip())))
        except (OSError, ValueError, UnicodeDecodeError) as error:
            raise NodeError(f"{path} holds no private key.", "Name the key file that `init` wrote.") from error

    def write(self, path: Path) -> None:
        """Write the key, readable by its owner alone; never overwrites (FileExistsError)."""
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(self.private.private_bytes_raw().hex() + "\n")

    @property
    def public(self) -> "PublicKey":
        """The public part."""
        return PublicKey(self.private.public_key().public_bytes_raw().hex())

    def sign(self, kind: str, data: Json) -> dict[str, Json]:
        """A DSSE envelope of the canonical bytes of ``data``; ``kind`` is bound by the signature."""
        payload, payload_type = canonical(data), PAYLOAD_TYPE.format(kind=kind)
        signature = self.private.sign(_pae(payload_type, payload))
        return {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": self.public.id, "sig": base64.b64encode(signature).decode()}],
        }


@dataclass(frozen=True)
class PublicKey:
    """A public Ed25519 key as 64 hexadecimal digits."""

    hex: str

    @property
    def id(self) -> str:
        """The content hash of the key's 32 bytes."""
        return digest(bytes.fromhex(self.hex))

    def verify(self, envelope: Mapping[str, Json], kind: str) -> Json:
        """The data inside ``envelope`` where it is of ``kind`` and signed by this key; else WireError."""
        payload_type, payload, signatures = opened(envelope)
        if payload_type != PAYLOAD_TYPE.format(kind=kind):
            raise WireError(f"A message is not a {kind}.", "Send it to the address for its own kind.")
        if not any(self._signed(payload_type, payload, signature) for signature in signatures):
            raise WireError(f"A {kind} is not signed by the key it should be.", "Sign it with that key.")
        data = parse(payload)
        if canonical(data) != payload:
            raise WireError(f"A {kind} is not canonical JSON.", "Encode it by RFC 8785 before signing.")
        return data

    def _signed(self, payload_type: str, payload: bytes, signature: bytes) -> bool:
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.hex))
            key.verify(signature, _pae(payload_type, payload))
        except (InvalidSignature, ValueError):
            return False
        return True


def opened(envelope: Mapping[str, Json]) -> tuple[str, bytes, list[bytes]]:
    """Payload type, payload and signatures of a DSSE envelope, not yet verified. Raises WireError."""
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in envelope["signatures"]]
        return str(envelope["payloadType"]), payload, signatures
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise WireError("A message is not a DSSE envelope.", "Send payloadType, payload, signatures.") from error


def _pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
