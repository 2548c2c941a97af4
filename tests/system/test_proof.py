"""The proof pack on its way: made by a load, read, signed, and never taken for another's."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.extracts import extract
from vitrail.deid.sample import read_labels, write_sample
from vitrail.errors import SourceError


def vitrail(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitrail.cli", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("proof")
    where = path / "north"
    assert vitrail("site", "init", where, "--name", "north").returncode == 0
    (where / "keys" / "secret").write_text("5a" * 32)  # one that chance does not favour
    extract(path / "source", 1_500)
    done = vitrail("site", "load", where, path / "source", "--format", "omop", "--profile", "expert-determination")
    assert done.returncode == 0, done.stderr
    return where


def test_every_attack_failed_and_every_control_succeeded(site: Path) -> None:
    said = vitrail("site", "proof", site, "--json")
    assert said.returncode == 0, said.stderr
    proof = json.loads(said.stdout)
    assert {each["attack"]: each["outcome"] for each in proof["attempts"]} == dict.fromkeys(
        ("order of ids", "two known patients", "edge of the extract", "twelve snapshots", "linkage by days",
         "days of the week"), "failed",
    )  # fmt: skip
    assert proof["search"]["found"] == 0 < proof["search"]["sought"]
    assert proof["search"]["control"] == proof["search"]["planted"] > 0
    assert proof["oldest"] == 90
    assert proof["intervals"] > 0.9
    assert proof["likeness"]["people"] > 1_400
    rules = {(each["table"], each["column"]): each for each in proof["ruled"]}
    assert rules["person", "birth_datetime"]["rule"] == "drop"
    assert rules["visit_occurrence", "visit_start_date"]["changed"] > 10_000


def test_the_statement_is_signed_for_one_snapshot_and_one_proof(site: Path) -> None:
    page = next((site / "proofs").glob("*.html"), None)
    key = site / "keys" / "steward.key"
    assert vitrail("site", "proof", site, "--sign", "Ada Byron").returncode == 2
    done = vitrail("site", "proof", site, "--sign", "Ada Byron", "--key", key)
    assert done.returncode == 0, done.stderr
    page = next((site / "proofs").glob("*.html"))
    assert "Signed by Ada Byron" in page.read_text()
    statement = next((site / "proofs").glob("*.statement.json"))
    envelope = json.loads(statement.read_text())
    statement.write_text(json.dumps({**envelope, "signatures": [{**envelope["signatures"][0], "sig": "AAAA"}]}))
    assert vitrail("site", "proof", site).returncode == 0
    assert "Signed by" not in page.read_text()


def test_a_proof_that_was_changed_is_refused(site: Path) -> None:
    path = next(each for each in (site / "proofs").glob("*.json") if "statement" not in each.name)
    content = path.read_text()
    path.write_text(content.replace('"right":', '"right": ', 1))
    said = vitrail("site", "proof", site)
    path.write_text(content)
    assert said.returncode == 1
    assert "is not the proof pack of the snapshot" in said.stderr


def notes(path: Path, count: int) -> Path:
    path.mkdir()
    duckdb.execute(
        f"COPY (SELECT n AS note_id, 'note ' || n || ', with \"quotes\"' AS note_text FROM range({count}) AS t(n))"
        f" TO '{path / 'note.parquet'}' (FORMAT parquet)"
    )
    return path


def test_a_sample_is_read_by_two(tmp_path: Path) -> None:
    """300 notes, of which one reviewer finds 3 with a leak and the other 2 of these and one more."""
    snapshot, out = notes(tmp_path / "snapshot", 2_000), tmp_path / "sample.csv"
    assert write_sample(snapshot, 300, out) == 300
    assert out.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SourceError, match="cannot be written"):
        write_sample(snapshot, 300, out)
    with pytest.raises(SourceError, match="Note 1 of the file has no label in reviewer_1"):
        read_labels(out)
    lines = out.read_text().splitlines()
    words = [("leak" if n < 3 else "clean", "LEAK " if 1 <= n < 4 else "clean") for n in range(300)]
    filled = [lines[0], *(line.removesuffix(",,") + f",{a},{b}" for line, (a, b) in zip(lines[1:], words, strict=True))]
    out.write_text("\n".join(filled) + "\n")
    found = read_labels(out)
    assert (found.notes, found.leaks) == (300, 4)
    assert found.sensitivity == pytest.approx(4 / (4 * 4 / 3 - 1))  # Chapman: (3+1)(3+1)/(2+1) - 1
    assert found.kappa == pytest.approx((298 / 300 - (0.01**2 + 0.99**2)) / (1 - (0.01**2 + 0.99**2)))
    assert 0.0302 < found.bound * found.sensitivity < 0.0304  # one-sided Clopper-Pearson, 4 of 300
