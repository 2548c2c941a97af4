"""Persons who opt out leave every snapshot of a site: what was in use goes on without them, the others are destroyed.

They stay out: the crosswalk remembers them, and no later load takes them in. Erasing twice is erasing once, so that an
erasure that was killed is simply done again.
"""

import hashlib
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vitrail.deid.columns import ACTIONS
from vitrail.deid.crosswalk import Crosswalk, read_crosswalk, read_merges, write_crosswalk
from vitrail.deid.deidentify import AS_PARQUET, OUT
from vitrail.deid.persons import Keys
from vitrail.errors import NodeError
from vitrail.governance.erasure import ERASURE, Erasure
from vitrail.omop.snapshot import (
    File,
    Manifest,
    Removed,
    Snapshot,
    described,
    directory_name,
    partial_snapshot,
    publish,
    snapshot_directories,
    verified,
)
from vitrail.omop.sql import column, run
from vitrail.omop.tables import TABLES, Table
from vitrail.site.directory import SiteDirectory
from vitrail.site.node import Node
from vitrail.site.staging import staging
from vitrail.store.store import Event, read_entry
from vitrail.study.signed import signed
from vitrail.wire import SigningKey

MAX_DIGITS = 18


def read_ids(path: Path) -> NDArray[np.int64]:
    """The ids in the source of the persons that a file names, one a line, as loads number them.

    A text is numbered by 60 bits of its SHA-256, as :func:`vitrail.ingest.mapped.hashed` does; digits may be a number
    or a text, so they stand for both. Raises NodeError.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError(f"{path} cannot be read.", "Name a text file with one person's id a line.") from error
    ids = {int(hashlib.sha256(line.encode()).hexdigest()[:15], 16) for line in lines if line}
    ids |= {int(line) for line in lines if line.isascii() and line.isdigit() and len(line) <= MAX_DIGITS}
    if not ids:
        raise NodeError(f"{path} names nobody.", "Write one person's id a line.")
    return np.array(sorted(ids), dtype=np.int64)


def erase(node: Node, ids: NDArray[np.int64], key: SigningKey) -> Erasure:
    """Take persons out of everything, now and for all later loads. Raises NodeError where ``key`` is not the steward's.

    Who was merged into another leaves with that one: their records are one person's.
    Where no one of them is in the snapshot in use, it stays as it is; the other snapshots are destroyed all the same.
    """
    if key.public.id != node.steward.id:
        raise NodeError("This is not the key of the site's steward.", "Name the steward's key with --key.")
    site = node.directory
    keys = Keys.of(site.secret)
    crosswalk = read_crosswalk(site.crosswalk, keys.crosswalk).without(keys.order, ids)
    crosswalk = crosswalk.with_survivors(keys.order, read_merges(site.merges, keys.crosswalk))
    write_crosswalk(site.crosswalk, keys.crosswalk, crosswalk)
    if not site.has_snapshot():
        return _beforehand(node, key)
    before = verified(site.current_snapshot())
    node.check_loaded(before.id)
    after, persons = _without(site, before, _numbers(crosswalk, keys))
    if after.id != before.id:
        node.loaded(after)
    destroyed = [path for path in snapshot_directories(site.snapshots) if path != after.path]
    erasure = Erasure(
        site=node.name,
        persons=persons,
        before=before.id,
        after=after.id,
        destroyed=tuple(path.name for path in destroyed),
    )
    node.store.record(Event("erased", after.id, {"erasure": signed(erasure, ERASURE, key)}))
    for path in destroyed:
        shutil.rmtree(path)
    return erasure


def _beforehand(node: Node, key: SigningKey) -> Erasure:
    """Nothing was loaded yet: only what a load that did not end has read may hold the persons, and it goes."""
    with staging(node.directory, []):
        erasure = Erasure(site=node.name, persons=0, destroyed=())
    node.store.record(Event("erased", node.name, {"erasure": signed(erasure, ERASURE, key)}))
    return erasure


def retain(node: Node, keep: int, key: SigningKey) -> Erasure:
    """Destroy all snapshots but the ``keep`` that were loaded last; the one in use stays whatever its age.

    A study that began on a snapshot that is gone cannot go on: it is refused. Raises NodeError.
    """
    if key.public.id != node.steward.id:
        raise NodeError("This is not the key of the site's steward.", "Name the steward's key with --key.")
    current = verified(node.directory.current_snapshot())
    entries, _ = node.store.ledger()
    loads = [each["subject"] for each in map(read_entry, entries) if each["event"] == "loaded"]
    latest = {directory_name(each) for each in list(dict.fromkeys(reversed(loads)))[:keep]} | {current.path.name}
    gone = [path for path in snapshot_directories(node.directory.snapshots) if path.name not in latest]
    erasure = Erasure(
        site=node.name,
        persons=0,
        before=current.id,
        after=current.id,
        destroyed=tuple(path.name for path in gone),
    )
    if gone:
        node.store.record(Event("erased", current.id, {"erasure": signed(erasure, ERASURE, key)}))
    for path in gone:
        shutil.rmtree(path)
    return erasure


def _numbers(crosswalk: Crosswalk, keys: Keys) -> NDArray[np.int32]:
    out = crosswalk.entries["source"][crosswalk.entries["out"]]
    return crosswalk.numbers(keys.numbers, out)


def _without(site: SiteDirectory, before: Snapshot, persons: NDArray[np.int32]) -> tuple[Snapshot, int]:
    """The snapshot without some persons, published, and how many of them were in it."""
    reads = [before.path]
    with staging(site, reads) as db, partial_snapshot(site.snapshots) as partial:
        db.register("gone", pa.table({"person": persons}))
        files, removed = [], list[Removed]()
        for file in before.manifest.files:
            written = partial / file.file
            if "person" in ACTIONS[file.table].values():
                _copy(db, TABLES[file.table], before.path / file.file, written)
            else:
                shutil.copyfile(before.path / file.file, written)
            files.append(described(file.table, written))
            if gone := file.rows - files[-1].rows:
                removed.append(Removed(table=file.table, reason=OUT, rows=gone))
        count = sum(each.rows for each in removed if each.table == "person")
        if count == 0:
            return before, 0
        return publish(site.snapshots, partial, _manifest(before.manifest, tuple(files), tuple(removed), count)), count


def _copy(db: duckdb.DuckDBPyConnection, of: Table, source: Path, target: Path) -> None:
    """A table without the persons in ``gone``, in its order."""
    order = column(of.key) if of.start is None or of.key != "person_id" else column(of.start)
    rows = "SELECT * FROM read_parquet(:source) WHERE person_id NOT IN (SELECT person FROM gone)"
    copy = f"COPY ({rows} ORDER BY person_id, :order) TO :target {AS_PARQUET}"
    run(db, copy, source=str(source), target=str(target), order=order)


def _manifest(before: Manifest, files: tuple[File, ...], removed: tuple[Removed, ...], erased: int) -> Manifest:
    """What the manifest said, of fewer rows. Checks and proof stay those of the load, for they need its source."""
    erased += before.erased or 0
    return before.model_copy(update={"files": files, "removed": (*before.removed, *removed), "erased": erased})
