"""What earlier versions wrote is read: a site directory of each is opened, verified, answers again and loads anew."""

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.commands import run
from tests.extracts import extract
from vitrail import wire
from vitrail.omop.snapshot import snapshot_directories
from vitrail.site import record
from vitrail.site.answer import Answer, Asking, answer
from vitrail.site.glass import Opening
from vitrail.site.node import Node
from vitrail.store import studies
from vitrail.store.tables import QUESTIONS
from vitrail.study.release import Release
from vitrail.study.signed import body

SITES = Path(__file__).parents[1] / "sites"
VERSIONS = sorted(path.parent.name for path in SITES.glob("*/site.json"))
PRIVATE = ("agent.key", "steward.key", "secret", "crosswalk")


@pytest.fixture(params=VERSIONS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, with the permissions that git does not keep."""
    where = tmp_path / "site"
    shutil.copytree(SITES / str(request.param), where)
    for name in PRIVATE:
        (where / "keys" / name).chmod(0o600)
    return where


def test_there_is_one() -> None:
    assert VERSIONS


def test_it_is_whole_and_says_what_left(site: Path) -> None:
    assert run("site", "verify", site).status == 0
    assert run("ledger", "verify", site).status == 0
    left = json.loads(run("site", "left", site, "--json").out)
    assert {each["release"]["analysis"] for each in left} == {"description", "risk"}
    assert any(each["release"].get("estimates") for each in left)
    for command in ("quality", "proof"):
        said = run("site", command, site)
        assert said.status == 0, said.err


def test_it_answers_again_as_it_did(site: Path) -> None:
    """From the same snapshot comes the same Release: counts byte for byte; sums of a fit as near as another machine's
    arithmetic comes (decision 3)."""
    node = Node.open(site)
    released = record.released(node.store, node.name)
    for number, each in enumerate(released):
        given = again(node, each, released[:number]).release
        assert given.refused is None
        assert given.id == each.id if each.analysis == "description" else near(body(given), body(each))
    assert {each.analysis for each in released} == {"description", "risk"}
    node.store.close()


def near(one: wire.Json, other: wire.Json) -> bool:
    """Whether two values of JSON are the same but for the last digits of their numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def again(node: Node, release: Release, before: Sequence[Release]) -> Answer:
    """The answer that this version gives to what ``release`` answered, with the Releases ``before`` it."""
    row = node.store.rows(select(QUESTIONS).where(QUESTIONS.c.id == release.question))[0]
    question, proposal = studies.read_question(row.body), studies.proposal(node.store, release.study)
    decision, opening = record.decision(node.store, release.study), Opening(node)
    assert proposal is not None
    assert decision is not None
    asking = Asking(proposal, question, record.rounds_before(node.store, question), decision.envelope)
    try:
        return answer(asking, opening.glass(release.study), before)
    finally:
        opening.close()


def test_a_new_load_stands_beside_the_old(site: Path, tmp_path: Path) -> None:
    (old,) = snapshot_directories(site / "snapshots")
    source = extract(tmp_path / "source", 100, visits=2)
    said = run("site", "load", site, source, "--format", "omop", "--profile", "expert-determination", "--json")
    assert said.status == 0, said.err
    new = json.loads(said.out)["snapshot"].removeprefix("sha256:")[:16]
    assert {path.name for path in snapshot_directories(site / "snapshots")} == {old.name, new}
    assert run("site", "verify", site).status == 0
