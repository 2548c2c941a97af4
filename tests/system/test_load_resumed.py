"""A load of FHIR that was killed goes on: what was read whole is not read again, and the snapshot is the same."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clinical_sources import fhir, population, write_bundles, write_ndjson
from tests.commands import bare_site
from vitrail.ingest import fhir_files
from vitrail.omop.snapshot import Snapshot
from vitrail.site.directory import SiteDirectory
from vitrail.site.load import load

SMALL = 4_000
"""Bytes of a stretch in these tests, so that small files have several."""

NURSERY = """
import os, signal, sys
from pathlib import Path
from vitrail.ingest import fhir_files
from vitrail.ingest.fhir_pieces import Pieces
from vitrail.site.directory import SiteDirectory
from vitrail.site.load import load
fhir_files.STRETCH = int(sys.argv[4])
site, source, told = SiteDirectory.open(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
of, left = Pieces.of, 0
def counted(*given):
    global left
    piece, left = of(*given), left - 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return piece
Pieces.of = counted
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        left = int(line)
        with told.open("w") as file:
            load(site, source, format="fhir", profile="already-deidentified",
                 progress=lambda step: print(step, file=file, flush=True))
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Nursery:
    """Starts loads of one source, to be killed or awaited; ``told`` is what the last of them said."""

    def __init__(self, where: SiteDirectory, source: Path, told: Path) -> None:
        words = [sys.executable, "-c", NURSERY, str(where.path), str(source), str(told), str(SMALL)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = told

    def load(self, kill_after: float | None = None, pieces: int = 0) -> bool:
        """Whether the load was done before it was killed: after so many seconds, or so many ``pieces``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(pieces, file=self.process.stdin, flush=True)
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)  # its id is its own until the nursery has waited for it
        print("wait", file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline()) == 0


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_files, "STRETCH", SMALL)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Bulk files, and bundles below them."""
    directory = write_ndjson(fhir(population(4, persons=15)), tmp_path / "source")
    write_bundles(population(5, persons=6), directory / "bundles")
    return directory


def loaded(where: SiteDirectory, source: Path, stop_at: str | None = None) -> tuple[Snapshot | None, list[str]]:
    """Load, or be interrupted where ``stop_at`` is told; what was told."""
    told: list[str] = []

    def tell(step: str) -> None:
        told.append(step)
        if step == stop_at:
            raise KeyboardInterrupt

    try:
        return load(where, source, format="fhir", profile="already-deidentified", progress=tell), told
    except KeyboardInterrupt:
        return None, told


def pieces(where: SiteDirectory) -> set[Path]:
    return {path for path in where.path.glob("staging/read-*/*") if path.suffix != ".new"}


def resumed(told: list[str]) -> tuple[int, int] | None:
    """How many pieces were not read again, and of how many."""
    said = next((each.split() for each in told if each.startswith("resumed: ")), None)
    return (int(said[1]), int(said[3])) if said else None


def test_what_is_kept_goes_with_the_next_source(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    loaded(where, source, stop_at="mapping codes")
    held = pieces(where)
    other = write_ndjson(fhir(population(6, persons=3)), tmp_path / "elsewhere")
    (other / "Patient.001.ndjson").write_bytes((source / "Patient.000.ndjson").read_bytes())
    _, told = loaded(where, other, stop_at="mapping codes")
    assert resumed(told) is None
    assert len(list((where.path / "staging").iterdir())) == 1
    assert not pieces(where) & held


def rounds(tmp_path: Path, source: Path, kills: int) -> int:
    """Kill a load again and again, and let it end; how often it was killed while it had more to read.

    Every second time it is killed at any moment; the others where it has read one piece more, however fast the machine.
    """
    began = time.monotonic()
    fresh, _ = loaded(bare_site(tmp_path / "other"), source)
    lasts, where = time.monotonic() - began, bare_site(tmp_path / "site")
    nursery = Nursery(where, source, tmp_path / "told")
    moments, held, grew = random.Random(11), set[Path](), 0
    try:
        for number in range(kills):
            any_moment = moments.uniform(0, lasts / 3) if number % 2 else None
            if nursery.load(kill_after=any_moment, pieces=0 if number % 2 else len(held) + 1):
                held = set()  # it was done before, and nothing is kept
            assert held <= pieces(where)
            grew, held = grew + (held < pieces(where)), pieces(where)
        assert nursery.load()
    finally:
        nursery.process.kill()
        nursery.process.wait()
    told = resumed(nursery.told.read_text().splitlines())
    assert (told[0] if told else 0) == len(held)
    assert fresh is not None
    assert where.current_snapshot().name == fresh.path.name
    assert not (where.path / "staging").exists()
    return grew


def test_killed_at_a_few_moments_it_goes_on_where_it_was(tmp_path: Path, source: Path) -> None:
    assert rounds(tmp_path, source, 8) >= 1


@pytest.mark.slow
def test_killed_at_a_hundred_moments(tmp_path: Path, source: Path) -> None:
    """Ten loads, each killed ten times."""
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        assert rounds(tmp_path / str(number), source, 10) >= 1
