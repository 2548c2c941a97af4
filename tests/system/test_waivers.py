"""A snapshot that fails a hard check answers nothing, unless the site's steward waives just that, for just that one."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.alliances import Inside
from tests.commands import run
from vitrail.errors import LedgerError, NodeError
from vitrail.governance.waiver import WAIVER, Waiver
from vitrail.omop.snapshot import Check, Snapshot, partial_snapshot, publish, verified
from vitrail.site import answer, review
from vitrail.site.fitness import waive
from vitrail.site.node import Node
from vitrail.store.check import check_waivers
from vitrail.store.store import Event, read_entry
from vitrail.store.tables import WAIVERS
from vitrail.study.signed import content_id, signed
from vitrail.wire import SigningKey

TODAY = datetime.now(UTC).date()
CHECK, TABLE = "measureObservationPeriodOverlap", "observation_period"


def broken(check: str = CHECK, table: str = TABLE, hard: bool = True) -> Check:
    return Check(name=check, table=table, outcome="failed", violations=3, rows=400, threshold=0.0, hard=hard)


def publish_with(node: Node, *checks: Check) -> Snapshot:
    """The site's data again, as a snapshot whose checks came out otherwise."""
    old = verified(node.directory.current_snapshot())
    kept = tuple(each for each in old.manifest.checks if each.outcome != "failed")
    with partial_snapshot(node.directory.snapshots) as partial:
        for path in old.files.values():
            shutil.copy(path, partial)
        new = publish(node.directory.snapshots, partial, old.manifest.model_copy(update={"checks": (*kept, *checks)}))
    node.loaded(new)
    return new


@pytest.fixture
def north(inside: Inside) -> Node:
    """A site whose snapshot in use fails a hard check."""
    node = inside.agents["north"].node
    publish_with(node, broken())
    return node


def steward(node: Node) -> SigningKey:
    return SigningKey.read(node.directory.steward_key)


def codes(inside: Inside) -> set[str | None]:
    """How the site answers the open questions."""
    inside.approve("north")
    inside.turn()
    return {release.refused for release in inside.released("north")}


def keep(node: Node, key: SigningKey, **changes: Any) -> None:
    """A waiver as somebody may have put it into the database, past the command that checks it."""
    said = {"site": node.name, "snapshot": verified(node.directory.current_snapshot()).id, "check": CHECK,
            "table": TABLE, "why": "Somebody wants it.", "expires": TODAY + timedelta(days=1)}  # fmt: skip
    envelope = signed(Waiver(**{**said, **changes}), WAIVER, key)
    happened = Event("waived", said["snapshot"], {"waiver": content_id(envelope)})
    with node.store.writing(happened) as writing:
        row = {"snapshot": said["snapshot"], "envelope": json.dumps(envelope)}
        writing.add(WAIVERS, id=content_id(envelope), **row)


def test_without_a_waiver_nothing_but_a_code_leaves(inside: Inside, north: Node) -> None:
    assert codes(inside) == {"quality"}
    (shown,) = review.reviewed(north)
    assert {(code, CHECK in what) for _, _, code, what, _ in shown.refusals} == {("quality", True)}
    left = json.dumps([release.model_dump(mode="json") for release in inside.released("north")])
    assert CHECK not in left


def test_the_same_questions_are_answered_where_nobody_looks(
    inside: Inside, north: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the defence off, the answers leave."""
    monkeypatch.setattr(answer, "refuse_unfit", lambda bars: None)
    assert codes(inside) == {None}


def test_a_failure_that_is_not_hard_stops_nothing(inside: Inside) -> None:
    publish_with(inside.agents["north"].node, broken(hard=False))
    assert codes(inside) == {None}


def test_with_the_stewards_waiver_it_answers(inside: Inside, north: Node) -> None:
    waiver = waive(north, steward(north), CHECK, TABLE, "Three people.", TODAY, TODAY)
    assert waiver.snapshot == verified(north.directory.current_snapshot()).id
    assert codes(inside) == {None}
    events = [read_entry(entry) for entry in north.store.ledger()[0]]
    (entered,) = [each for each in events if each["event"] == "waived"]
    assert (entered["subject"], entered["details"]["check"]) == (waiver.snapshot, CHECK)
    assert "Three people" not in json.dumps(entered)
    assert check_waivers(north.store) == 1


OTHER = "sha256:" + "0" * 64
FORGED: dict[str, dict[str, Any]] = {
    "another snapshot": {"snapshot": OTHER},
    "another site": {"site": "south"},
    "another check": {"check": "isPrimaryKey"},
    "another table": {"table": "person"},
    "a day that has gone by": {"expires": TODAY - timedelta(days=1)},
}


@pytest.mark.parametrize("what", FORGED)
def test_a_waiver_for_something_else_is_none(inside: Inside, north: Node, what: str) -> None:
    keep(north, steward(north), **FORGED[what])
    assert codes(inside) == {"quality"}


@pytest.mark.parametrize("whose", ["the agent's", "anybody's", "the steward's"])
def test_a_waiver_counts_by_its_signature(inside: Inside, north: Node, whose: str) -> None:
    """The agent, who answers, cannot waive. The control: the same waiver, put there alike, in the steward's hand."""
    keys = {"the agent's": north.key, "anybody's": SigningKey.make(), "the steward's": steward(north)}
    keep(north, keys[whose])
    assert codes(inside) == ({None} if whose == "the steward's" else {"quality"})


def test_each_hard_check_needs_its_own(inside: Inside, north: Node) -> None:
    publish_with(north, broken(), broken("isPrimaryKey", "person"))
    waive(north, steward(north), CHECK, TABLE, "Three people.", TODAY, TODAY)
    assert codes(inside) == {"quality"}


def test_the_next_snapshot_needs_its_own(inside: Inside, north: Node) -> None:
    waive(north, steward(north), CHECK, TABLE, "Three people.", TODAY, TODAY)
    publish_with(north, broken(), broken("fkDomain", "person", hard=False))
    assert codes(inside) == {"quality"}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"steward": SigningKey.make()}, "not that of this site's steward"),
        ({"check": "isRequired"}, "fails no hard check"),
        ({"table": "person"}, "fails no hard check"),
        ({"expires": TODAY - timedelta(days=1)}, "expired"),
    ],
)
def test_what_cannot_be_waived(north: Node, changes: dict[str, Any], what: str) -> None:
    given = {"steward": steward(north), "check": CHECK, "table": TABLE, "why": "Why.", "expires": TODAY, **changes}
    with pytest.raises(NodeError, match=what):
        waive(north, today=TODAY, **given)


def test_a_waiver_that_the_ledger_does_not_know_is_found(north: Node) -> None:
    waive(north, steward(north), CHECK, TABLE, "Three people.", TODAY, TODAY)
    assert check_waivers(north.store) == 1
    north.store.record(Event("waived", OTHER, {"waiver": OTHER}))
    with pytest.raises(LedgerError):
        check_waivers(north.store)


def test_a_study_is_not_approved_while_it_would_be_refused(inside: Inside, north: Node) -> None:
    """For a refusal that has left is not taken back."""
    where, key = north.directory.path, north.directory.steward_key
    approve = ("site", "review", where, "--approve", inside.study, "--key", key)
    said = run(*approve)
    assert (said.status, CHECK in said.err) == (1, True)
    waive(north, steward(north), CHECK, TABLE, "Three people.", TODAY, TODAY)
    assert run(*approve).status == 0


def test_the_commands(north: Node) -> None:
    """The engineer sees what failed and that nothing is answered; the steward waives it; then it is."""
    where, key = north.directory.path, north.directory.steward_key
    said = run("site", "quality", where, "--json")
    found = json.loads(said.out)
    assert (said.status, found["answers"], found["barred_by"]) == (1, False, [{"check": CHECK, "table": TABLE}])
    assert found["checks"]["hard"] == len(found["failed"]) == 1
    shown = run("site", "quality", where)
    assert shown.status == 1
    assert "It answers no study" in shown.out
    wanted = ("--check", CHECK, "--table", TABLE, "--key", key)
    assert run("site", "waive", where, *wanted, "--why", " ").status == 2
    assert run("site", "waive", where, *wanted, "--why", "x", "--expires", "tomorrow").status == 2
    done = run("site", "waive", where, *wanted, "--why", "Three people.")
    assert (done.status, str(TODAY + timedelta(days=90)) in done.out) == (0, True)
    after = run("site", "quality", where)
    assert after.status == 0
    assert "by the steward's waiver" in after.out
    page = north.directory.quality_page.read_text()
    assert "Three people." in page
    assert run("ledger", "verify", where).status == 0
