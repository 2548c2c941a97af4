"""Kill the hub or a site at any moment, start it again: the same evidence, byte for byte, and nothing doubled."""

import random
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.alliances import SITES, Alliance, Inside, until
from vitrail.cli.nodes import opened

PROCESSES = ("hub", *SITES)
PATIENCE = 120.0


@dataclass(frozen=True)
class Ready:
    """An alliance whose stewards have approved the study, before the first answer, and what comes of it undisturbed."""

    alliance: Alliance
    study: str
    before: int
    after: int
    evidence: bytes
    left: dict[str, set[str]]


@pytest.fixture(scope="module")
def ready(joined: Alliance, study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    alliance = joined.copied(tmp_path_factory.mktemp("ready") / "alliance")
    inside = Inside.of(alliance.root, study_file)
    inside.approve()
    inside.close()
    undisturbed = alliance.copied(tmp_path_factory.mktemp("undisturbed") / "alliance")
    try:
        for name in PROCESSES:
            undisturbed.start(name)
        until(lambda: undisturbed.done(inside.study), PATIENCE)
        evidence = undisturbed.evidence(inside.study)
    finally:
        undisturbed.stop()
    before, after = entries(alliance), entries(undisturbed)
    return Ready(alliance, inside.study, before, after, evidence, left(undisturbed))


def entries(alliance: Alliance) -> int:
    """How far the study is, by the number of the hub's ledger entries."""
    with sqlite3.connect(f"file:{alliance.hub / 'hub.db'}?mode=ro", uri=True) as raw:
        return int(raw.execute("SELECT count(*) FROM ledger").fetchone()[0])


def left(alliance: Alliance) -> dict[str, set[str]]:
    """What left each site; every ledger is verified on the way."""
    opened(alliance.hub).verify()
    found = {}
    for name in SITES:
        node = opened(alliance.root / name)
        node.verify()
        with sqlite3.connect(alliance.root / name / "site.db") as raw:
            ids = [row[0] for row in raw.execute("SELECT id FROM messages WHERE recipient = 'hub'")]
        assert len(ids) == len(set(ids))
        found[name] = set(ids)
    return found


def survives(ready: Ready, seed: int, root: Path) -> None:
    """One run with one kill: of which process, after how much progress and how many milliseconds, the seed says."""
    rng = random.Random(seed)
    victim, progress = rng.choice(PROCESSES), rng.randrange(ready.before, ready.after)
    alliance = ready.alliance.copied(root)
    try:
        for name in PROCESSES:
            alliance.start(name)
        until(lambda: entries(alliance) >= progress, PATIENCE)
        time.sleep(rng.uniform(0, 0.15))
        alliance.kill(victim)
        alliance.start(victim)
        until(lambda: alliance.done(ready.study), PATIENCE)
        assert alliance.evidence(ready.study) == ready.evidence
        alliance.stop()
        assert left(alliance) == ready.left
    finally:
        alliance.stop()
        shutil.rmtree(root)


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_changes_nothing(ready: Ready, seed: int, tmp_path: Path) -> None:
    survives(ready, seed, tmp_path / "alliance")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 206))
def test_two_hundred_kills_change_nothing(ready: Ready, seed: int, tmp_path: Path) -> None:
    survives(ready, seed, tmp_path / "alliance")
