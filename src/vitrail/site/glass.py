"""What a site answers with: its keys, its policy, and the data, verified and opened once per study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vitrail.disclosure.policy import Policy
from vitrail.errors import SnapshotError
from vitrail.governance.waiver import Failing
from vitrail.omop.engines import Engine
from vitrail.omop.engines.of_snapshot import engine_of
from vitrail.omop.engines.study import DatabaseEngine
from vitrail.omop.snapshot import MANIFEST, Calendar, Manifest, directory_name, read_manifest, verified
from vitrail.site import record
from vitrail.site.fitness import barring
from vitrail.site.node import Node
from vitrail.study.study import Study
from vitrail.study.word import Digest, SiteName
from vitrail.wire import PublicKey, SigningKey


@dataclass(frozen=True)
class Glass:
    """A site as far as an answer needs it.

    ``snapshot`` is the id of the data, ``public`` whether anybody may have them, ``calendar`` what their days say, and
    ``bars`` the hard checks that they fail and that the steward does not waive; ``engine`` opens them, verified, for a
    study, and raises SnapshotError where they are damaged.
    """

    site: SiteName
    key: SigningKey
    steward: PublicKey
    policy: Policy
    snapshot: Digest
    public: bool
    calendar: Calendar
    bars: Sequence[Failing]
    engine: Callable[[Study], Engine]


@dataclass
class Opening:
    """Opens a node's snapshots. Keeps the engine of the latest study, and with it all that was computed for it."""

    node: Node
    _latest: tuple[tuple[Digest, Digest], DatabaseEngine] | None = field(default=None, init=False)
    _manifests: dict[Path, tuple[Digest, Manifest]] = field(default_factory=dict, init=False)

    def glass(self, study: Digest) -> Glass:
        """The glass for a study.

        Raises NodeError where nothing was loaded yet, SnapshotError for a snapshot that is damaged or that the ledger
        does not know, LedgerError where the ledger does not fit its head.
        """
        path = self._path(study)
        identity, manifest = self._manifest(path)
        return Glass(
            site=self.node.name,
            key=self.node.key,
            steward=self.node.steward,
            policy=self.node.policy(),
            snapshot=identity,
            public=manifest.origin.public,
            calendar=manifest.calendar,
            bars=barring(self.node, identity, manifest.checks, datetime.now(UTC).date()),
            engine=lambda asked: self._engine(asked, path, identity),
        )

    def _manifest(self, path: Path) -> tuple[Digest, Manifest]:
        """Id and manifest of a snapshot, read once: opening the snapshot checks that it is still the same."""
        if path not in self._manifests:
            manifest = read_manifest(path)
            self.node.check_loaded(manifest.id)
            self._manifests[path] = manifest.id, manifest
        return self._manifests[path]

    def _path(self, study: Digest) -> Path:
        """The snapshot of the study's first answer, so that its rounds speak of the same people; else the current."""
        earlier = record.released(self.node.store, self.node.name, study)
        if not earlier:
            return self.node.directory.current_snapshot()
        path = self.node.directory.snapshots / directory_name(earlier[0].snapshot)
        if (path / MANIFEST).exists() and self._manifest(path)[0] == earlier[0].snapshot:
            return path
        what = "The snapshot of the study's first round is gone."
        raise SnapshotError(what, "Restore it, or refuse the study and ask its authors for one with another title.")

    def _engine(self, study: Study, path: Path, identity: Digest) -> Engine:
        key = study.id, identity
        if self._latest is None or self._latest[0] != key:
            snapshot = verified(path)
            if snapshot.id != identity:
                raise SnapshotError(f"{path} is not the snapshot that it was.", "Load the source again.")
            self.close()
            self._latest = key, engine_of(study, snapshot, self.node.directory.engine)
        return self._latest[1]

    def close(self) -> None:
        """Give back what is open."""
        if self._latest is not None:
            self._latest[1].close()
            self._latest = None
