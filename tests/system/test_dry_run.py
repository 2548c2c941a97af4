"""A dry run says what a load would find, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from tests.clinical_sources import fhir, population, write_ndjson
from tests.commands import run
from tests.extracts import extract
from vitrail.site import dry_run
from vitrail.site.directory import SiteDirectory
from vitrail.site.dry_run import expect
from vitrail.site.staging import kept_for


def files(where: Path) -> dict[Path, int]:
    """Every file with the time of its last change, the database aside: closing it changes its files."""
    found = (path for path in where.rglob("*") if path.is_file() and not path.name.startswith("site.db"))
    return {path: path.stat().st_mtime_ns for path in found}


def test_a_dry_run_finds_what_a_load_finds_and_writes_nothing(tmp_path: Path) -> None:
    where, source = tmp_path / "north", extract(tmp_path / "source", 300, visits=4)
    assert run("site", "init", where, "--name", "north").status == 0
    before, ledger = files(where), run("ledger", "verify", where).out
    load = ("site", "load", where, source, "--format", "omop", "--profile", "already-deidentified", "--json")
    said = run(*load, "--dry-run")
    assert said.status == 0, said.err
    expected = json.loads(said.out)
    after = files(where)
    assert {path.name for path in after.keys() - before.keys()} <= {"load.lock"}
    assert before.items() <= after.items()
    assert run("ledger", "verify", where).out == ledger
    assert not list((where / "snapshots").iterdir())
    assert expected["seconds"] > 0
    assert expected["disk_bytes"] >= expected["snapshot_bytes"] > 1_000
    done = run(*load)
    assert done.status == 0, done.err
    assert {name: rows for name, rows in json.loads(done.out)["rows"].items() if rows} == expected["tables"]
    assert "rows/s" in done.err
    assert "left" in done.err


def test_a_dry_run_shows_unmapped_codes_that_enough_records_have(tmp_path: Path) -> None:
    where, source = tmp_path / "north", tmp_path / "source"
    extract(source, 30, visits=1)
    rows = ["condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,"
            "condition_source_value"]  # fmt: skip
    rows += [f"{n},{1 + n % 30},0,2015-05-05,0,{'LOCAL-7' if n < 20 else 'Jane Doe'}" for n in range(25)]
    (source / "condition_occurrence.csv").write_text("\n".join(rows) + "\n")
    assert run("site", "init", where, "--name", "north").status == 0
    load = ("site", "load", where, source, "--format", "omop", "--profile", "already-deidentified", "--dry-run")
    said = run(*load)
    assert said.status == 0, said.err
    assert "LOCAL-7" in said.out
    assert "Jane Doe" not in said.out  # few records have it: it may be no code at all
    assert "Nothing was written" in said.out


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    assert run("site", "init", tmp_path / "north", "--name", "north").status == 0
    said = run("site", "load", tmp_path / "north", tmp_path, "--format", "omop", "--profile", "none", "--dry-run")
    assert (said.status, "no such profile" in said.err) == (2, True)


def test_space_that_a_load_needs_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into memory goes to the disk, and the pieces of FHIR lie there. Those of a load that was
    killed are left alone."""
    source = write_ndjson(fhir(population(3, persons=5)), tmp_path / "source")
    where = SiteDirectory(tmp_path / "north", "north")
    assert run("site", "init", where.path, "--name", "north").status == 0
    kept = kept_for(where, source) / "piece"
    kept.mkdir(parents=True)
    found = expect(where, source, format="fhir")
    assert kept.exists()
    assert found.disk_bytes > found.snapshot_bytes + 1_000
    monkeypatch.setattr(dry_run, "MEMORY_BYTES", 1_000)
    spilled = expect(where, source, format="fhir").disk_bytes - found.disk_bytes
    assert spilled > dry_run.BYTES_SORTED * max(found.tables.values()) - 1_000
