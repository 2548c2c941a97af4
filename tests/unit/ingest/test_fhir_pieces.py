"""What was read of FHIR is not read again by a load that goes on; whatever changed is."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.clinical_sources import fhir, population, write_bundles, write_ndjson
from vitrail.deid.columns import wanted
from vitrail.ingest import fhir_files, fhir_pieces
from vitrail.ingest.extract import open_schemas
from vitrail.ingest.fhir import load_fhir
from vitrail.ingest.fhir_files import Stretch
from vitrail.ingest.source import ingest

Tables = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_files, "STRETCH", 4_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Bulk files, each of several stretches, and bundles below them."""
    directory = write_ndjson(fhir(population(4, persons=25)), tmp_path / "source")
    write_bundles(population(5, persons=6), directory / "bundles")
    return directory


class Interrupted(Exception):
    """In the place of a kill."""


def read(source: Path, kept: Path) -> tuple[Tables, str | None]:
    """Everything that is read of a source, row by row, and what was said of pieces that were there."""
    said: list[str] = []

    def tell(step: str) -> None:
        said.append(step)
        if step == "mapping codes":
            raise Interrupted

    with duckdb.connect() as db:
        open_schemas(db)
        with pytest.raises(Interrupted):
            load_fhir(db, source, wanted(), tell, kept)
        names = db.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name IN ('staged', 'given')"
        )
        held = {f"{schema}.{name}": db.table(f"{schema}.{name}").fetchall() for schema, name in names.fetchall()}
    return held, next((each for each in said if "resumed" in each), None)


def resumed(again: int, total: int) -> str:
    return f"resumed: {again} of {total} pieces of the source had been read before"


def test_what_was_read_is_not_read_again(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing can be read, and the rows are the same, in the same order."""
    once, said = read(source, tmp_path / "kept")
    assert said is None
    assert sum(map(len, once.values())) > 200
    held = len(list((tmp_path / "kept").iterdir()))
    assert held > 15
    monkeypatch.setattr(Stretch, "entries", lambda _: 1 / 0)
    assert read(source, tmp_path / "kept") == (once, resumed(held, held))


def test_the_account_is_the_same(tmp_path: Path, source: Path) -> None:
    """Rows and quarantined rows of each file, numbered as in one reading from beginning to end."""
    (source / "Patient.000.ndjson").open("ab").write(b"\n{SECRET}\n")
    read(source, tmp_path / "kept")
    extracts = []
    for kept in (tmp_path / "kept", None):
        with duckdb.connect(config={"temp_directory": str(tmp_path / "spill")}) as db:
            extracts.append(ingest(db, source, "fhir", None, None, wanted(), lambda _: None, kept=kept))
    assert extracts[0] == extracts[1]
    lines = len((source / "Patient.000.ndjson").read_bytes().splitlines())
    assert any(each.first_row == lines for each in extracts[0].quarantined if each.source == "Patient.000")


def change(path: Path) -> None:
    """Another year of birth; neither size nor time of change tells."""
    before, text = path.stat(), path.read_text()
    assert text.count('"birthDate": "19') > 1
    path.write_text(text.replace('"birthDate": "19', '"birthDate": "18', 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("defended", [True, False])
def test_what_changed_is_read_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """Were stretches told apart by their size, a change that keeps it would be overlooked."""
    if not defended:
        monkeypatch.setattr(Stretch, "digest", lambda of: f"{of.name} {of.first} {of.size}")
    read(source, tmp_path / "kept")
    held = len(list((tmp_path / "kept").iterdir()))
    change(source / "Patient.000.ndjson")
    again, said = read(source, tmp_path / "kept")
    assert said == resumed(held - defended, held)
    assert (again == read(source, tmp_path / "fresh")[0]) is defended


def test_another_version_reads_anew(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(source, tmp_path / "kept")
    monkeypatch.setattr(fhir_pieces, "program", lambda: "another")
    assert read(source, tmp_path / "kept")[1] is None


def test_a_piece_that_is_not_as_it_was_written_is_read_again(tmp_path: Path, source: Path) -> None:
    once, _ = read(source, tmp_path / "kept")
    flipped, cut, lost, unsaid, begun, *rest = sorted((tmp_path / "kept").iterdir())
    flip = next(flipped.glob("*.parquet"))
    flip.write_bytes(flip.read_bytes()[:-9] + b"x" + flip.read_bytes()[-8:])
    os.truncate(next(cut.glob("*.parquet")), 20)
    next(lost.glob("*.parquet")).unlink()
    (unsaid / "piece.json").write_text("{}")
    begun.rename(begun.with_suffix(".new"))
    assert read(source, tmp_path / "kept") == (once, resumed(len(rest), len(rest) + 5))


def test_what_is_kept_is_for_the_sites_user_alone(tmp_path: Path, source: Path) -> None:
    read(source, tmp_path / "kept")
    held = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in held if each.is_dir()} == {0o700}
    assert {stat.S_IMODE(each.stat().st_mode) for each in held if each.is_file()} == {0o600}


def test_the_server_that_was_met_is_remembered(tmp_path: Path) -> None:
    """Ids of a second server are refused, though what the first was met in is not read again."""
    visit = {"resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": "AMB"},
             "period": {"start": "2020-01-01"}}  # fmt: skip
    (tmp_path / "source").mkdir()
    for number, server in enumerate(("one", "two")):
        subject = {"reference": f"https://{server}.example/fhir/Patient/p"}
        (tmp_path / "source" / f"Encounter.{number}.ndjson").write_text(json.dumps(visit | {"subject": subject}))
    once, _ = read(tmp_path / "source", tmp_path / "kept")
    assert len(once["staged.visit"]) == 1
    second = next(each for each in (tmp_path / "kept").iterdir() if not list(each.glob("*.parquet")))
    (second / "piece.json").unlink()
    assert read(tmp_path / "source", tmp_path / "kept") == (once, resumed(1, 2))
