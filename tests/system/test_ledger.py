"""A node's record, by the commands: shown, exported, verified; damage is found and said."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.alliances import Alliance, Inside
from tests.commands import run
from vitrail.governance import merkle
from vitrail.wire import PublicKey


@pytest.fixture
def done(alliance: Alliance, study_file: Path) -> Alliance:
    """The alliance after its study."""
    inside = Inside.of(alliance.root, study_file)
    inside.approve()
    inside.finish()
    inside.close()
    return alliance


def test_an_untouched_record_verifies(done: Alliance) -> None:
    for directory in (done.hub, done.root / "north"):
        assert run("ledger", "verify", directory).status == 0
    assert run("site", "verify", done.root / "north").status == 0
    shown = run("ledger", "show", done.root / "north").out
    for event in ("made", "loaded", "joined", "proposed", "approved", "asked", "released", "delivered"):
        assert f"  {event} " in shown


def test_an_exported_ledger_can_be_verified_with_nothing_but_the_key(done: Alliance) -> None:
    *entries, head = run("ledger", "export", done.root / "north").out.splitlines()
    frontier: tuple[bytes, ...] = ()
    for size, entry in enumerate(entries):
        frontier = merkle.grown(frontier, size, merkle.leaf(entry.encode()))
    key = PublicKey((done.root / "north" / "keys" / "agent.pub").read_text().strip())
    assert key.verify(json.loads(head), "tree-head") == {"size": len(entries), "root": merkle.root(frontier).hex()}


DAMAGE = {
    "an entry changed": "UPDATE ledger SET entry = replace(CAST(entry AS TEXT), 'approved', 'approvex')",
    "the last entry removed": "DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)",
    "an entry removed": "DELETE FROM ledger WHERE seq = 3",
    "an entry added": "INSERT INTO ledger (seq, entry) VALUES (10000, '{}')",
    "all removed": "DELETE FROM ledger",
    "the head removed": "DELETE FROM seal",
    "a Release hidden": "DELETE FROM releases WHERE seq = (SELECT max(seq) FROM releases WHERE site = 'north')",
    "the newest decision removed": "DELETE FROM decisions WHERE seq = (SELECT max(seq) FROM decisions)",
    "a decision exchanged": """UPDATE decisions
        SET envelope = replace(envelope, '"payload": "ey', '"payload": "fy')""",
    "a Release exchanged": """UPDATE releases SET site = 'north', seq = -seq,
        envelope = (SELECT envelope FROM releases WHERE site = 'south') WHERE site = 'north'""",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(done: Alliance, damage: str) -> None:
    with sqlite3.connect(done.root / "north" / "site.db") as raw:
        for trigger in ("ledger_no_update", "ledger_no_delete"):
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute(DAMAGE[damage])
    for command in (("ledger", "verify"), ("site", "verify")):
        said = run(*command, done.root / "north")
        assert said.status == 1, said
        assert "ledger" in said.err
        assert "Traceback" not in said.err
