"""A hub and two sites, each a process of its own, answer a study together; every command of the way."""

import json
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.alliances import SITES, Alliance, until, vitrail
from vitrail.store.store import read_entry
from vitrail.study.evidence import Evidence


@pytest.fixture
def finished(alliance: Alliance, study_file: Path) -> tuple[Alliance, str]:
    """The alliance after its study, still running."""
    for name in ("hub", *SITES):
        alliance.start(name)
    until(lambda: alliance.get("/"))
    study = alliance.propose(study_file)
    alliance.approve(study)
    until(lambda: alliance.done(study), 60)
    return alliance, study


def test_from_proposal_to_report(finished: tuple[Alliance, str], tmp_path: Path) -> None:
    alliance, study = finished
    evidence = Evidence.model_validate_json(vitrail("evidence", "show", study, "--hub", alliance.address, "--json"))
    assert evidence.study == study
    assert {source.site for source in evidence.sources} == set(SITES)
    assert all(source.refused is None for source in evidence.sources)
    (listed,) = json.loads(vitrail("evidence", "list", "--hub", alliance.hub, "--json"))
    assert listed["study"] == study
    page = tmp_path / "report.html"
    vitrail("evidence", "export", study, "--hub", alliance.hub, "--format", "html", "--out", page)
    assert evidence.title in page.read_text()
    _left_is_what_the_evidence_rests_on(alliance, evidence)
    _null_rounds_are_fast(alliance)


def _left_is_what_the_evidence_rests_on(alliance: Alliance, evidence: Evidence) -> None:
    for name in SITES:
        left = json.loads(vitrail("site", "left", alliance.root / name, "--json"))
        assert all(each["delivered"] for each in left)
        assert {each["id"] for each in left} == {source.release for source in evidence.sources if source.site == name}
        vitrail("site", "verify", alliance.root / name)
    vitrail("ledger", "verify", alliance.hub)


def _null_rounds_are_fast(alliance: Alliance) -> None:
    """Rounds of a design that is already built; the bar allows for a busy machine, the report has the figure."""
    exported = vitrail("ledger", "export", alliance.hub).splitlines()[:-1]
    asked = [read_entry(line.encode()) for line in exported if '"event":"asked"' in line]
    moments = [datetime.fromisoformat(each["at"]).timestamp() for each in asked if each["details"]["round"] >= 1]
    gaps = sorted(after - before for before, after in pairwise(moments))
    print(f"rounds took {[round(gap, 3) for gap in gaps]} s")
    assert gaps[len(gaps) // 2] < 5


def test_a_site_outlives_its_hub(alliance: Alliance, study_file: Path) -> None:
    """Started before the hub, it waits; what it answered while the hub was down arrives when the hub is back."""
    alliance.start("north")
    time.sleep(1)
    assert alliance.running["north"].poll() is None
    alliance.start("hub")
    until(lambda: alliance.get("/"))
    study = alliance.propose(study_file)
    until(lambda: study in vitrail("site", "review", alliance.root / "north"))
    alliance.kill("hub")
    alliance.approve(study, ["north"])
    until(lambda: json.loads(vitrail("site", "left", alliance.root / "north", "--json")))
    alliance.start("hub")
    alliance.start("south")
    alliance.approve(study, ["south"])
    until(lambda: alliance.done(study), 60)


def test_only_one_process_per_node(alliance: Alliance) -> None:
    alliance.start("hub")
    until(lambda: alliance.get("/"))
    alliance.start("north")
    until(lambda: (alliance.root / "north" / "running.lock").exists())
    first = alliance.running.pop("north")
    alliance.start("north")
    assert alliance.running["north"].wait(30) == 2
    assert "another process" in (alliance.root / "north.log").read_text()
    first.kill()
    first.wait()
