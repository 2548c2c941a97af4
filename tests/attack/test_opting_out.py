"""Attacks on opting out: who left is looked for by the values that they alone had, under whatever id."""

from pathlib import Path

import duckdb
import pytest

from tests.commands import run
from tests.extracts import extract
from vitrail.deid.crosswalk import Crosswalk
from vitrail.omop.snapshot import verified
from vitrail.site.directory import SiteDirectory

OLD, SURVIVOR, BETWEEN, VISITS = 3, 17, 42, 4
CANARY = 31_337.5


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """50 people; one of them has a value that nobody else has."""
    path = extract(tmp_path / "source", 50, VISITS)
    file = path / "measurement.parquet"
    marked = "* REPLACE (CASE WHEN person_id = $old THEN $canary ELSE value_as_number END AS value_as_number)"
    table = duckdb.execute(f"SELECT {marked} FROM '{file}'", {"old": OLD, "canary": CANARY}).to_arrow_table()
    file.unlink()
    duckdb.from_arrow(table).write_parquet(str(file))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert run("site", "init", tmp_path / "north", "--name", "north").status == 0
    return tmp_path / "north"


def load(site: Path, source: Path, *pairs: tuple[int, int]) -> None:
    """Load as it is, so that no other rule takes the value out."""
    merges = source.parent / "merges.csv"
    merges.write_text("\n".join(["old_person_id,person_id", *(f"{old},{new}" for old, new in pairs)]) + "\n")
    said = run("site", "load", site, source, "--format", "omop", "--profile", "already-deidentified",
               "--merges", merges)  # fmt: skip
    assert said.status == 0, said.err


def erase(site: Path, *ids: int) -> str:
    out = site.parent / "out.txt"
    out.write_text("\n".join(map(str, ids)) + "\n")
    said = run("site", "erase", site, out, "--key", site / "keys" / "steward.key")
    assert said.status == 0, said.err
    return said.out


def canaries(site: Path) -> int:
    """In how many rows of the snapshot in use the value stands."""
    snapshot = verified(SiteDirectory.open(site).current_snapshot())
    query = f"SELECT count(*) FROM '{snapshot.files['measurement']}' WHERE value_as_number = $canary"
    return int(duckdb.execute(query, {"canary": CANARY}).fetchall()[0][0])


def test_who_was_merged_before_opting_out_is_in_no_snapshot(site: Path, source: Path) -> None:
    """Through a chain, and by the id that no snapshot has any more."""
    load(site, source, (OLD, BETWEEN), (BETWEEN, SURVIVOR))
    assert canaries(site) == VISITS
    assert "left the snapshot in use: 1." in erase(site, OLD)
    assert canaries(site) == 0
    load(site, source, (OLD, SURVIVOR))
    assert canaries(site) == 0


def test_only_the_merges_of_the_snapshot_in_use_count(site: Path, source: Path) -> None:
    """A merge that was a mistake, and was taken back, takes nobody else out."""
    load(site, source, (BETWEEN, OLD))
    load(site, source)
    assert "left the snapshot in use: 1." in erase(site, BETWEEN)
    assert canaries(site) == VISITS


def test_positive_control_without_the_merges_the_records_stay(
    site: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Crosswalk, "with_survivors", lambda crosswalk, *_: crosswalk)
    load(site, source, (OLD, SURVIVOR))
    assert "left the snapshot in use: 0." in erase(site, OLD)
    assert canaries(site) == VISITS
    load(site, source, (OLD, SURVIVOR))
    assert canaries(site) == VISITS
