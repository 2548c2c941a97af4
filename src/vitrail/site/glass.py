"""What a site answers with: its keys, its policy, and the data, verified and opened once per study."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vitrail.disclosure.policy import Policy
from vitrail.errors import SnapshotError
from vitrail.omop.engines import Engine
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.snapshot import MANIFEST, Manifest, read_manifest, verified
from vitrail.site import record
from vitrail.site.node import Node
from vitrail.study.study import Study
from vitrail.study.word import Digest, SiteName
from vitrail.wire import PublicKey, SigningKey


@dataclass(frozen=True)
class Glass:
    """A site as far as an answer needs it.

    ``engine`` opens the verified snapshot with this manifest for a study; raises SnapshotError where it is damaged.
    """

    site: SiteName
    key: SigningKey
    steward: PublicKey
    policy: Policy
    manifest: Manifest
    engine: Callable[[Study], Engine]


@dataclass
class Opening:
    """Opens a node's snapshots. Keeps the engine of the latest study, and with it all that was computed for it."""

    node: Node
    _latest: tuple[tuple[Digest, Digest], DuckDBEngine] | None = field(default=None, init=False)

    def glass(self, study: Digest) -> Glass:
        """The glass for a study. Raises NodeError where nothing was loaded yet."""
        path = self._snapshot(study)
        node, manifest = self.node, read_manifest(path)
        return Glass(
            site=node.name,
            key=node.key,
            steward=node.steward,
            policy=node.policy(),
            manifest=manifest,
            engine=lambda asked: self._engine(asked, path, manifest),
        )

    def _snapshot(self, study: Digest) -> Path:
        """The snapshot of the study's first answer, so that its rounds speak of the same people; else the current."""
        earlier = record.released(self.node.store, self.node.name, study)
        current = self.node.directory.current_snapshot()
        if not earlier or read_manifest(current).id == earlier[0].snapshot:
            return current
        for path in self.node.directory.snapshots.iterdir():
            if (path / MANIFEST).exists() and read_manifest(path).id == earlier[0].snapshot:
                return path
        raise SnapshotError("The snapshot of the study's first round is gone.", "Restore it, or propose anew.")

    def _engine(self, study: Study, path: Path, manifest: Manifest) -> Engine:
        key = study.id, manifest.id
        if self._latest is None or self._latest[0] != key:
            snapshot = verified(path)
            if snapshot.id != manifest.id:
                raise SnapshotError(f"{path} changed while it was opened.", "Load the source again.")
            self.close()
            self._latest = key, DuckDBEngine.of_snapshot(study, snapshot)
        return self._latest[1]

    def close(self) -> None:
        """Give back what is open."""
        if self._latest is not None:
            self._latest[1].close()
            self._latest = None
