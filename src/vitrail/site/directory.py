"""A site's directory: where everything that a site keeps lies.

``site.json`` the site's name, and the ``engine`` that answers where it is not DuckDB; ``keys/`` the agent's and the
steward's signing keys (``agent.key``, ``steward.key``), their public parts (``.pub``), the site's ``secret``, and the
encrypted ``crosswalk`` of its persons and the ``merges`` among them; ``policy.json`` the signed policy; ``snapshots/``
one directory per snapshot, and ``snapshots/current`` the name of the one in use; ``site.db`` the node's one database;
``alliance.json`` what the site learned from the alliance manager's kit; ``unmapped.csv`` the codes of the last load
that have no concept, and ``source_to_concept_map.csv``, which an engineer writes, what they mean.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from vitrail.errors import NodeError
from vitrail.study.word import SiteName, Word


class SiteCard(Word):
    """What ``site.json`` says."""

    vitrail: str = "site/1"
    name: SiteName
    engine: str | None = None


@dataclass(frozen=True)
class SiteDirectory:
    """The paths of one site."""

    path: Path
    name: str
    engine: str = "duckdb"

    @staticmethod
    def open(path: Path) -> "SiteDirectory":
        """The site at ``path``. Raises NodeError where there is none."""
        try:
            card = SiteCard.model_validate_json((path / "site.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise NodeError(f"{path} is no site.", "Make one with `vitrail site init`.") from error
        return SiteDirectory(path, card.name, card.engine or "duckdb")

    @property
    def agent_key(self) -> Path:
        """The private key that signs Releases."""
        return self.path / "keys" / "agent.key"

    @property
    def steward_key(self) -> Path:
        """The private key that signs approvals and the policy; its steward may keep it elsewhere."""
        return self.path / "keys" / "steward.key"

    @property
    def site_map(self) -> Path:
        """What the site's own codes mean, in OMOP's layout of SOURCE_TO_CONCEPT_MAP; an engineer writes it."""
        return self.path / "source_to_concept_map.csv"

    @property
    def unmapped(self) -> Path:
        """The codes of the source last loaded that became concept 0, by frequency; never leaves."""
        return self.path / "unmapped.csv"

    @property
    def steward_public(self) -> Path:
        """The public part of the steward's key, in hexadecimal."""
        return self.path / "keys" / "steward.pub"

    @property
    def agent_public(self) -> Path:
        """The public part of the agent's key, in hexadecimal."""
        return self.path / "keys" / "agent.pub"

    @property
    def secret(self) -> Path:
        """32 random bytes in hexadecimal, from which deidentification derives its keys."""
        return self.path / "keys" / "secret"

    @property
    def crosswalk(self) -> Path:
        """Which person of the source has which number, encrypted by a key that the secret gives."""
        return self.path / "keys" / "crosswalk"

    @property
    def merges(self) -> Path:
        """Which persons of the source were merged into which in the snapshot in use, encrypted as the crosswalk is."""
        return self.path / "keys" / "merges"

    @property
    def population(self) -> Path | None:
        """The population that people are compared with: ``population.csv``, where the site has one."""
        path = self.path / "population.csv"
        return path if path.exists() else None

    @property
    def proofs(self) -> Path:
        """Where the proof packs lie, by their content hash."""
        return self.path / "proofs"

    @property
    def policy(self) -> Path:
        """The disclosure policy, signed by the steward."""
        return self.path / "policy.json"

    @property
    def snapshots(self) -> Path:
        """Where the snapshots lie."""
        return self.path / "snapshots"

    @property
    def database(self) -> Path:
        """The node's one database."""
        return self.path / "site.db"

    @property
    def alliance(self) -> Path:
        """The hub's address and key, from the alliance manager's kit."""
        return self.path / "alliance.json"

    @property
    def quality_page(self) -> Path:
        """The quality page of the snapshot in use; it never leaves."""
        return self.path / "reports" / "quality.html"

    def has_snapshot(self) -> bool:
        """Whether a snapshot is in use."""
        return (self.snapshots / "current").exists()

    def current_snapshot(self) -> Path:
        """The directory of the snapshot in use. Raises NodeError where nothing was loaded yet."""
        try:
            name = (self.snapshots / "current").read_text().strip()
        except OSError as error:
            raise NodeError(f"{self.path} has no snapshot.", "Load a source with `vitrail site load`.") from error
        return self.snapshots / name
