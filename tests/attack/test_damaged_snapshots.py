"""A damaged snapshot gives no answer. The control: DuckDB alone gives wrong ones without a word.

DuckDB 1.5 does not check the checksums of Parquet pages, so that a damaged byte is a wrong value.
"""

import random
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from tests.commands import run
from tests.extracts import extract
from vitrail.errors import SnapshotError
from vitrail.omop.snapshot import Snapshot, verified
from vitrail.site.directory import SiteDirectory

TIMES = 600
QUERIES = {
    "measurement": "SELECT count(*), sum(value_as_number), max(measurement_date), sum(person_id) FROM {}",
    "visit_occurrence": "SELECT count(*), sum(visit_concept_id), max(visit_start_date), sum(person_id) FROM {}",
    "observation_period": "SELECT count(*), sum(person_id), max(observation_period_end_date) FROM {}",
    "person": "SELECT count(*), sum(year_of_birth), sum(person_id), sum(gender_concept_id) FROM {}",
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    path = tmp_path_factory.mktemp("damaged")
    assert run("site", "init", path / "north", "--name", "north").status == 0
    extract(path / "source", 1_000, visits=3)
    said = run("site", "load", path / "north", path / "source", "--format", "omop", "--profile", "expert-determination")
    assert said.status == 0, said.err
    return verified(SiteDirectory.open(path / "north").current_snapshot())


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One of the things that disks, copies and people do to a file."""
    at, length = chance.randrange(len(content)), chance.randrange(1, 200)
    kind = chance.choice(("bit", "byte", "zeros", "cut", "swap", "doubled", "other end"))
    if kind == "bit":
        return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
    if kind == "byte":
        return content[:at] + bytes([(content[at] + 1) % 256]) + content[at + 1 :]
    if kind == "zeros":
        return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]
    if kind == "cut":
        return content[:at]
    if kind == "swap":
        return content[:at] + content[at : at + length][::-1] + content[at + length :]
    if kind == "doubled":
        return content[:at] + content[at : at + length] * 2 + content[at + length :]
    return content + bytes(length)


def answer(query: str, path: Path) -> object:
    try:
        return duckdb.execute(query.format(f"read_parquet('{path}')")).fetchall()
    except duckdb.Error:
        return "error"


def test_six_hundred_damaged_files(snapshot: Snapshot, tmp_path: Path) -> None:
    chance, seen = random.Random(169), Counter[str]()
    copy = tmp_path / snapshot.path.name
    shutil.copytree(snapshot.path, copy)
    for _ in range(TIMES):
        name = chance.choice(sorted(QUERIES))
        path, right = copy / f"{name}.parquet", answer(QUERIES[name], snapshot.files[name])
        content = path.read_bytes()
        path.write_bytes(broken := damaged(content, chance))
        if broken != content:
            with pytest.raises(SnapshotError, match="is not the file that was loaded"):
                verified(copy)
            found = answer(QUERIES[name], path)
            seen["error" if found == "error" else "right" if found == right else "wrong"] += 1
        path.write_bytes(content)
    assert verified(copy).id == snapshot.id
    assert seen["wrong"] > 30, seen  # the control: without verification these would have been believed
    assert sum(seen.values()) > 0.95 * TIMES


def test_damaged_manifests(snapshot: Snapshot, tmp_path: Path) -> None:
    chance = random.Random(170)
    copy = tmp_path / snapshot.path.name
    shutil.copytree(snapshot.path, copy)
    content = (copy / "manifest.json").read_bytes()
    for _ in range(100):
        (copy / "manifest.json").write_bytes(broken := damaged(content, chance))
        if broken != content:
            with pytest.raises(SnapshotError):
                verified(copy)


def test_a_file_that_is_gone_or_another(snapshot: Snapshot, tmp_path: Path) -> None:
    copy = tmp_path / snapshot.path.name
    shutil.copytree(snapshot.path, copy)
    (copy / "death.parquet").unlink()
    with pytest.raises(SnapshotError, match="cannot be read"):
        verified(copy)
    shutil.copyfile(copy / "person.parquet", copy / "death.parquet")
    with pytest.raises(SnapshotError, match="is not the file that was loaded"):
        verified(copy)
