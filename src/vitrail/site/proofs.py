"""Proof packs on the disk of a site, and the statement that its privacy officer signs. They never leave."""

import os
from pathlib import Path

from pydantic import ValidationError

from vitrail import wire
from vitrail.deid.proof import SAYS, Proof, Statement
from vitrail.deid.proof_page import render
from vitrail.errors import NodeError, SnapshotError, WireError
from vitrail.omop.snapshot import Manifest, directory_name
from vitrail.site.directory import SiteDirectory
from vitrail.study.signed import signed, unverified, verified
from vitrail.study.word import Digest
from vitrail.wire import PublicKey, SigningKey

STATEMENT = "proof-statement"
"""The kind of the statement's envelope."""


def write_proof(site: SiteDirectory, proof: Proof) -> Digest:
    """Write a proof pack under its content hash, and give the hash."""
    content = wire.canonical(proof.model_dump(mode="json", exclude_none=True))
    digest = wire.digest(content)
    site.proofs.mkdir(mode=0o700, exist_ok=True)
    _write(_path(site, digest), content)
    return digest


def read_proof(site: SiteDirectory, manifest: Manifest) -> Proof:
    """The proof pack of a snapshot. Raises SnapshotError where it is missing or not the one that was made."""
    if manifest.proof is None:
        raise SnapshotError("The snapshot was loaded without a proof pack.", "Load the source again.")
    path = _path(site, manifest.proof)
    try:
        content = path.read_bytes()
        proof = Proof.model_validate_json(content)
    except (OSError, ValidationError) as error:
        raise SnapshotError(f"{path} is no proof pack.", "Restore it, or load the source again.") from error
    if wire.digest(content) != manifest.proof:
        raise SnapshotError(f"{path} is not the proof pack of the snapshot.", "Restore it, or load the source again.")
    return proof


def sign_statement(site: SiteDirectory, manifest: Manifest, name: str, key: SigningKey) -> Path:
    """Sign the statement of a snapshot's proof pack for the officer ``name``; where it was written."""
    read_proof(site, manifest)
    try:
        statement = Statement(
            vitrail="proof-statement/1",
            snapshot=manifest.id,
            proof=str(manifest.proof),
            name=name,
            key=key.public.hex,
            says=SAYS,
        )
    except ValidationError as error:
        raise NodeError("The name of who signs has 1 to 200 letters.", "Give it with --sign.") from error
    path = _statement_path(site, manifest)
    _write(path, wire.canonical(signed(statement, STATEMENT, key)))
    return path


def write_page(site: SiteDirectory, manifest: Manifest) -> Path:
    """Write the page of a snapshot's proof pack, with the statement where it was signed; where it is."""
    proof = read_proof(site, manifest)
    path = site.proofs / f"{directory_name(str(manifest.proof))}.html"
    _write(path, render(site.name, manifest, proof, _statement(site, manifest)).encode())
    return path


def _statement(site: SiteDirectory, manifest: Manifest) -> Statement | None:
    """The statement that was signed for this snapshot and proof, where its signature fits the key that it names."""
    try:
        envelope = wire.parse(_statement_path(site, manifest).read_bytes())
        named = unverified(envelope, STATEMENT, Statement)
        statement = verified(envelope, STATEMENT, PublicKey(named.key), Statement)
    except (OSError, WireError):
        return None
    return statement if (statement.snapshot, statement.proof) == (manifest.id, manifest.proof) else None


def _statement_path(site: SiteDirectory, manifest: Manifest) -> Path:
    return site.proofs / f"{directory_name(str(manifest.proof))}.statement.json"


def _path(site: SiteDirectory, digest: Digest) -> Path:
    return site.proofs / f"{directory_name(digest)}.json"


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
