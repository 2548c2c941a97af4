"""Opting out: a person leaves every snapshot, and no later load takes them in."""

import base64
import json
from pathlib import Path

import duckdb
import pytest

from tests.commands import run
from tests.extracts import extract
from vitrail.omop.snapshot import Snapshot, verified
from vitrail.omop.tables import CLINICAL
from vitrail.site.directory import SiteDirectory

PEOPLE, OUT = 200, (3, 77, 150)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    where = tmp_path / "north"
    assert run("site", "init", where, "--name", "north").status == 0
    extract(tmp_path / "source", PEOPLE, visits=4)
    loaded(where, tmp_path / "source")
    return where


def loaded(where: Path, source: Path, profile: str = "already-deidentified") -> Snapshot:
    said = run("site", "load", where, source, "--format", "omop", "--profile", profile)
    assert said.status == 0, said.err
    return current(where)


def current(where: Path) -> Snapshot:
    return verified(SiteDirectory.open(where).current_snapshot())


def persons(snapshot: Snapshot) -> set[int]:
    found: set[int] = set()
    for name in CLINICAL:
        rows = duckdb.execute(f"SELECT DISTINCT person_id FROM '{snapshot.files[name]}'").fetchall()
        found |= {row for (row,) in rows}
    return found


def erase(where: Path, tmp_path: Path, *ids: object) -> str:
    file = tmp_path / "out.txt"
    file.write_text("\n".join(map(str, ids)) + "\n")
    said = run("site", "erase", where, file, "--key", where / "keys" / "steward.key")
    assert said.status == 0, said.err
    return said.out


def test_who_opts_out_is_in_no_snapshot_and_stays_out(site: Path, tmp_path: Path) -> None:
    before = current(site)
    held = persons(before)
    assert len(held) == PEOPLE
    assert "left the snapshot in use: 3." in erase(site, tmp_path, *OUT)
    after = current(site)
    assert len(persons(after)) == PEOPLE - 3
    assert persons(after) < held
    assert [path.name for path in (site / "snapshots").iterdir() if path.is_dir()] == [after.path.name]
    assert {each.table: each.rows for each in after.manifest.removed}["person"] == 3
    again = loaded(site, tmp_path / "source")
    assert persons(again) == persons(after)
    assert {each.reason for each in again.manifest.removed} == {"the person opted out"}
    for file in again.manifest.files:
        gone = sum(each.rows for each in again.manifest.removed if each.table == file.table)
        assert file.rows == next(each.rows for each in before.manifest.files if each.table == file.table) - gone
    assert run("site", "verify", site).status == 0


def test_the_rest_is_as_it_was(site: Path, tmp_path: Path) -> None:
    before = current(site).files["measurement"]
    rows = duckdb.execute(f"SELECT * FROM '{before}'").fetchall()
    erase(site, tmp_path, *OUT)
    after = current(site)
    left = persons(after)
    assert duckdb.execute(f"SELECT * FROM '{after.files['measurement']}'").fetchall() == [
        row for row in rows if row[1] in left
    ]


def test_the_proof_says_that_it_is_of_the_load_and_how_many_left_since(site: Path, tmp_path: Path) -> None:
    assert "opted out" not in run("site", "proof", site).out
    assert current(site).manifest.erased is None
    erase(site, tmp_path, *OUT)
    erase(site, tmp_path, PEOPLE)
    assert current(site).manifest.erased == len(OUT) + 1
    said = run("site", "proof", site).out
    assert "4 persons opted out since" in said
    page = Path(said.strip().rpartition(" ")[2]).read_text()
    assert "4 persons opted out since" in page
    assert f"{PEOPLE} people" in page
    assert loaded(site, tmp_path / "source").manifest.erased is None


def test_erasing_twice_is_erasing_once(site: Path, tmp_path: Path) -> None:
    erase(site, tmp_path, *OUT)
    once = current(site).id
    assert "left the snapshot in use: 0." in erase(site, tmp_path, *OUT)
    assert current(site).id == once


def test_who_was_never_there_may_opt_out_beforehand(site: Path, tmp_path: Path) -> None:
    erase(site, tmp_path, PEOPLE + 1, "some-text-id")
    extract(tmp_path / "more", PEOPLE + 2, visits=4)
    assert len(persons(loaded(site, tmp_path / "more"))) == PEOPLE + 1


def test_who_opts_out_before_the_first_load_is_left_out_of_it(tmp_path: Path) -> None:
    where = tmp_path / "south"
    assert run("site", "init", where, "--name", "south").status == 0
    unfinished = where / "staging" / "read-0123456789abcdef"
    unfinished.mkdir(parents=True)
    assert "Nothing was loaded yet" in erase(where, tmp_path, *OUT)
    assert not unfinished.exists()
    assert '"event":"erased"' in run("ledger", "export", where).out.replace(" ", "")
    assert len(persons(loaded(where, extract(tmp_path / "source", 50, visits=2)))) == 50 - 1
    assert run("site", "verify", where).status == 0


def test_the_ledger_says_how_many_and_never_who(site: Path, tmp_path: Path) -> None:
    erase(site, tmp_path, *OUT)
    entries = [json.loads(line) for line in run("ledger", "export", site).out.splitlines()]
    erased = [each for each in entries if each.get("event") == "erased"]
    payload = json.loads(base64.b64decode(erased[0]["details"]["erasure"]["payload"]))
    assert payload["persons"] == 3
    assert len(payload["destroyed"]) == len(erased) == 1
    assert set(payload) == {"vitrail", "site", "persons", "before", "after", "destroyed"}
    assert run("ledger", "verify", site).status == 0


def test_only_the_steward_erases(site: Path, tmp_path: Path) -> None:
    before = current(site).id
    (tmp_path / "out.txt").write_text("3\n")
    said = run("site", "erase", site, tmp_path / "out.txt", "--key", site / "keys" / "agent.key")
    assert said.status == 2
    assert "steward" in said.err
    assert current(site).id == before
    (tmp_path / "empty.txt").write_text("\n")
    said = run("site", "erase", site, tmp_path / "empty.txt", "--key", site / "keys" / "steward.key")
    assert (said.status, "names nobody" in said.err) == (2, True)


def test_old_snapshots_are_destroyed_when_asked(site: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        extract(tmp_path / f"source{number}", PEOPLE + number, visits=4)
        loaded(site, tmp_path / f"source{number}")
    last = current(site)
    assert len([each for each in (site / "snapshots").iterdir() if each.is_dir()]) == 4
    said = run("site", "retain", site, "--keep", 2, "--key", site / "keys" / "steward.key")
    assert "Snapshots that were destroyed: 2." in said.out
    assert current(site).id == last.id
    assert len([each for each in (site / "snapshots").iterdir() if each.is_dir()]) == 2
