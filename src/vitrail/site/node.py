"""A site's node, opened: its directory, database, keys and policy."""

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from vitrail import wire
from vitrail.disclosure.policy import Policy, named
from vitrail.errors import NodeError, SnapshotError, WireError
from vitrail.governance import ledger
from vitrail.governance.ledger import Sealer
from vitrail.omop.snapshot import Snapshot
from vitrail.site.directory import SiteCard, SiteDirectory
from vitrail.store.making import making
from vitrail.store.store import Event, Store, read_entry
from vitrail.study.parties import Kit
from vitrail.study.signed import signed, verified
from vitrail.study.word import Digest
from vitrail.wire import PublicKey, SigningKey

HUB = "hub"
"""To whom a site's messages go."""

POLICY = "policy"
"""The kind of the policy's envelope, which the site's steward signs."""


@dataclass(frozen=True)
class Node:
    """What the commands and the agent of a site work with."""

    directory: SiteDirectory

    @staticmethod
    def open(path: Path) -> "Node":
        """The site at ``path``. Raises NodeError where there is none."""
        return Node(SiteDirectory.open(path))

    @property
    def name(self) -> str:
        """The site's name."""
        return self.directory.name

    @cached_property
    def key(self) -> SigningKey:
        """The agent's key, which signs Releases and the ledger's head."""
        return SigningKey.read(self.directory.agent_key)

    @cached_property
    def steward(self) -> PublicKey:
        """The steward's public key."""
        return PublicKey(_text(self.directory.steward_public, "the steward's public key"))

    @cached_property
    def store(self) -> Store:
        """The node's database."""
        return Store(self.directory.database, Sealer(self.key))

    def policy(self) -> Policy:
        """The policy in force, where the steward signed it. Raises NodeError."""
        path = self.directory.policy
        try:
            return verified(wire.parse(path.read_bytes()), POLICY, self.steward, Policy)
        except (OSError, WireError) as error:
            raise NodeError(f"{path} is no policy that this site's steward signed.", "Restore it.") from error

    def loaded(self, snapshot: Snapshot) -> None:
        """Enter in the ledger that a snapshot came into use."""
        quarantined = sum(each.rows for each in snapshot.manifest.quarantined)
        rows = {file.table: file.rows for file in snapshot.manifest.files}
        failed = [each for each in snapshot.manifest.checks if each.outcome == "failed"]
        counts = {"failed": len(failed), "hard": sum(each.hard for each in failed)}
        rows_in = sum(snapshot.manifest.rows_in.values())
        details = {"rows": rows, "rows_in": rows_in, "quarantined": quarantined, **counts}
        self.store.record(Event("loaded", snapshot.id, details))

    def check_loaded(self, snapshot: Digest) -> None:
        """Raise SnapshotError unless the ledger says that this snapshot was loaded, LedgerError where it lies."""
        entries, seal = self.store.ledger()
        ledger.verify(entries, seal, self.key.public)
        if snapshot not in {each["subject"] for each in map(read_entry, entries) if each["event"] == "loaded"}:
            what = "The snapshot in use is not one that the ledger says was loaded."
            raise SnapshotError(what, "Load the source again with `vitrail site load`.")

    def alliance(self) -> Kit:
        """What the alliance manager's kit said. Raises NodeError where the site has not joined."""
        path = self.directory.alliance
        try:
            return Kit.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise NodeError(f"{path} does not say what alliance the site is in.", "Run `vitrail site join`.") from error


def make(path: Path, name: str, policy: str) -> Node:
    """A new site at ``path`` under the named policy. Raises NodeError where there is one, PolicyError for the name."""
    chosen, card = named(policy), _card(name)
    node = Node(SiteDirectory(path, name))
    with making(path, "site.json"):
        node.directory.snapshots.mkdir(exist_ok=True)
        steward, agent = _make_keys(node.directory)
        node.directory.policy.write_bytes(wire.canonical(signed(chosen, POLICY, steward)))
        node.store.record(
            Event("made", name, {"agent": agent.public.id, "steward": steward.public.id, "policy": chosen.id})
        )
        (path / "site.json").write_text(card.model_dump_json(exclude_none=True) + "\n")
    return node


def _card(name: str) -> SiteCard:
    try:
        return SiteCard(name=name)
    except ValidationError as error:
        raise NodeError("A site's name is lower case letters, digits and hyphens, at most 40.", "Rename it.") from error


def _make_keys(directory: SiteDirectory) -> tuple[SigningKey, SigningKey]:
    """The steward's and the agent's new keys, written, and the site's secret."""
    steward, agent = SigningKey.make(), SigningKey.make()
    for key, private, public in (
        (steward, directory.steward_key, directory.steward_public),
        (agent, directory.agent_key, directory.agent_public),
    ):
        key.write(private)
        public.write_text(key.public.hex + "\n")
    directory.secret.touch(mode=0o600, exist_ok=False)
    directory.secret.write_text(secrets.token_hex(32) + "\n")
    return steward, agent


def join(node: Node, kit_directory: Path) -> Kit:
    """Take the alliance manager's kit. Raises NodeError where it is not for this site."""
    path = kit_directory / "kit.json"
    try:
        kit = Kit.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise NodeError(f"{path} is no kit.", "Name the folder that `vitrail alliance add` wrote.") from error
    if kit.site != node.name or kit.members.get(node.name) != node.key.public.hex:
        raise NodeError(f"{path} was made for another site or key.", "Ask the alliance manager for this site's kit.")
    if kit.hub.startswith("https:"):
        raise NodeError(f"{path} names an https address, and mutual TLS is not there yet.", "Ask for another kit.")
    node.directory.alliance.write_text(kit.model_dump_json(indent=1) + "\n")
    node.store.record(Event("joined", PublicKey(kit.hub_key).id, {"members": sorted(kit.members)}))
    return kit


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError(f"{path} does not hold {what}.", "Restore the file.") from error
