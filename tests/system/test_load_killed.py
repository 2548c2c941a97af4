"""kill -9 at any moment of a load: the snapshot in use is the old one or the new one, whole; the next load succeeds.

Loads run in children of one process that has everything imported and no thread, so that the moments fall into the
load and not into the start of Python.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import bare_site
from vitrail.omop.snapshot import verified
from vitrail.omop.tables import TABLES
from vitrail.site.directory import SiteDirectory

CANARY = "Zebedee-Quux"

NURSERY = """
import os, sys
from pathlib import Path
from vitrail.site.directory import SiteDirectory
from vitrail.site.load import load
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        load(SiteDirectory.open(Path(sys.argv[1])), Path(line.strip()), format="omop", profile="already-deidentified")
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Nursery:
    """Starts loads of one site, to be killed or awaited."""

    def __init__(self, site: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, str(site)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def load(self, source: Path, kill_after: float | None = None) -> bool:
        """Load ``source``; whether it was done before it was killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(source, file=self.process.stdin, flush=True)
        child = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)  # its id is its own until the nursery has waited for it
        print("wait", file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline()) == 0


@pytest.fixture
def site(tmp_path: Path) -> SiteDirectory:
    return bare_site(tmp_path / "site")


@pytest.fixture
def nursery(site: SiteDirectory) -> Iterator[Nursery]:
    started = Nursery(site.path)
    yield started
    started.process.kill()
    started.process.wait()


def extract(path: Path, people: int) -> Path:
    path.mkdir()
    with (path / "person.csv").open("w", newline="") as file:
        names = ("person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id",
                 "person_source_value")  # fmt: skip
        csv.writer(file).writerows([names, *((n, 8507, 1950, 0, 0, CANARY) for n in range(people))])
    with (path / "observation_period.csv").open("w", newline="") as file:
        names = tuple(each.name for each in TABLES["observation_period"].columns)
        csv.writer(file).writerows([names, *((n, n, "2010-01-01", "2020-12-31", 0) for n in range(people))])
    return path


def rounds(site: SiteDirectory, nursery: Nursery, tmp_path: Path, times: int) -> int:
    """Load two extracts by turns and kill; what is in use must always be one of them, whole."""
    sources = [extract(tmp_path / "small", 50), extract(tmp_path / "large", 5_000)]
    known = {}
    for source in sources:
        assert nursery.load(source)
        known[source] = verified(site.current_snapshot()).id
    began = time.monotonic()  # the first loads read what later ones find in memory
    assert all(map(nursery.load, sources))
    lasts = (time.monotonic() - began) / 2
    moments, killed = random.Random(8), 0
    for number in range(times):
        before, source = verified(site.current_snapshot()).id, sources[number % 2]
        done = nursery.load(source, kill_after=moments.uniform(0, lasts * 1.1))
        killed += not done
        after = verified(site.current_snapshot()).id
        assert after == known[source] if done else after in (before, known[source])
    assert nursery.load(sources[0])
    assert verified(site.current_snapshot()).id == known[sources[0]]
    names = {known[source].removeprefix("sha256:")[:16] for source in sources}
    assert {path.name for path in site.snapshots.iterdir()} == {*names, "current"}
    assert not (site.path / "staging").exists()
    assert not any(CANARY.encode() in path.read_bytes() for path in site.path.rglob("*") if path.is_file())
    return killed


def test_a_dozen_times(site: SiteDirectory, nursery: Nursery, tmp_path: Path) -> None:
    assert rounds(site, nursery, tmp_path, 12) >= 3


@pytest.mark.slow
def test_a_hundred_times(site: SiteDirectory, nursery: Nursery, tmp_path: Path) -> None:
    assert rounds(site, nursery, tmp_path, 100) >= 50
