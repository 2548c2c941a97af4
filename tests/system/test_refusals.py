"""What a site will not do: answer what was not approved, what does not follow, what nobody signed."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import select

from tests.alliances import SITES, Inside
from tests.commands import run
from vitrail import wire
from vitrail.errors import NodeError, StudyError
from vitrail.omop.snapshot import described, directory_name
from vitrail.omop.snapshot import verified as verified_snapshot
from vitrail.site import agent as agents
from vitrail.site import answer, inbox, record, review
from vitrail.site.agent import Agent
from vitrail.site.node import Node
from vitrail.store.store import Event, read_entry
from vitrail.store.tables import DECISIONS, MESSAGES, QUESTIONS, REACHED, RELEASES, STUDIES
from vitrail.study.parties import QUESTION, Asked
from vitrail.study.signed import Envelope, signed, text, unverified, verified
from vitrail.study.study import Question
from vitrail.transport import Message
from vitrail.wire import SigningKey

Lapse = Callable[[Inside, pytest.MonkeyPatch], None]


def events(inside: Inside, name: str) -> list[str]:
    return [read_entry(entry)["event"] for entry in inside.agents[name].node.store.ledger()[0]]


def codes(inside: Inside, name: str) -> set[str | None]:
    return {release.refused for release in inside.released(name)}


# --- approval --------------------------------------------------------------------------------------------------------


def test_nothing_leaves_before_the_steward_decides(inside: Inside) -> None:
    inside.turn(3)
    assert not inside.released("north")
    assert "released" not in events(inside, "north")
    (shown,) = review.reviewed(inside.agents["north"].node)
    assert shown.state == "waiting"


def test_a_refusal_says_only_its_code_and_the_study_goes_on_without(inside: Inside) -> None:
    inside.approve("north")
    node = inside.agents["south"].node
    review.refuse(node, inside.study, SigningKey.read(node.directory.steward_key), "Not in our patients' interest.")
    evidence = inside.finish()
    assert codes(inside, "south") == {"not_approved"}
    assert {source.site: source.refused for source in evidence.sources} == {"north": None, "south": "not_approved"}
    kept = json.dumps([row.envelope for row in inside.registry.store.rows(select(MESSAGES))])
    assert "interest" not in kept
    (shown,) = review.reviewed(node)
    assert shown.state == "refused"
    assert {code for _, _, code, _, _ in shown.refusals} == {"not_approved"}


def test_when_everybody_refuses_the_evidence_says_so(inside: Inside) -> None:
    for agent in inside.agents.values():
        review.refuse(agent.node, inside.study, SigningKey.read(agent.node.directory.steward_key), "No.")
    evidence = inside.finish()
    assert {source.refused for source in evidence.sources} == {"not_approved"}
    assert len(evidence.sources) == len(SITES) * 2


def lapse_by_day(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "today", lambda: date(2099, 1, 2))


def lapse_by_policy(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    node = inside.agents["north"].node
    policy = node.policy().model_copy(update={"name": "another"})
    envelope = signed(policy, "policy", SigningKey.read(node.directory.steward_key))
    node.directory.policy.write_text(json.dumps(envelope))


@pytest.mark.parametrize(("lapse", "state"), [(lapse_by_day, "expired"), (lapse_by_policy, "policy changed")])
def test_an_approval_ends(inside: Inside, monkeypatch: pytest.MonkeyPatch, lapse: Lapse, state: str) -> None:
    """Nothing leaves then, and the study goes on where the steward approves it again."""
    inside.approve()
    inside.turn()
    left = inside.released("north")
    lapse(inside, monkeypatch)
    inside.turn(3)
    node = inside.agents["north"].node
    assert inside.released("north") == left
    assert [each.state for each in review.reviewed(node)] == [state]
    for agent in inside.agents.values():
        steward = SigningKey.read(agent.node.directory.steward_key)
        review.approve(agent.node, inside.study, steward, date(2100, 1, 1))
    inside.finish()
    assert len(inside.released("north")) > len(left)
    assert codes(inside, "north") == {None}


def test_an_approval_that_ended_is_not_answered_by_mistake(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the day ends between looking and answering."""
    inside.approve("north")
    monkeypatch.setattr(agents, "lapsed", lambda *_: None)
    lapse_by_day(inside, monkeypatch)
    inside.turn()
    assert codes(inside, "north") == {"not_approved"}


def test_a_refusal_that_has_left_is_not_taken_back(inside: Inside) -> None:
    node = inside.agents["north"].node
    steward = SigningKey.read(node.directory.steward_key)
    review.refuse(node, inside.study, steward, "No.")
    inside.turn()
    with pytest.raises(NodeError, match="another title"):
        review.approve(node, inside.study, steward, date(2099, 1, 1))
    review.refuse(node, inside.study, steward, "No, again.")


def test_an_approval_can_be_taken_back(inside: Inside) -> None:
    inside.approve()
    inside.turn()
    node = inside.agents["north"].node
    review.refuse(node, inside.study, SigningKey.read(node.directory.steward_key), "We think again.")
    evidence = inside.finish()
    assert [release.refused for release in inside.released("north")][-1] == "not_approved"
    assert any(source.site == "north" and source.refused for source in evidence.sources)


def test_the_agents_key_cannot_approve(inside: Inside) -> None:
    node = inside.agents["north"].node
    with pytest.raises(NodeError, match="steward"):
        review.approve(node, inside.study, node.key, date(2099, 1, 1))
    _decided_by(inside, node.key)
    inside.turn()
    assert codes(inside, "north") == {"not_approved"}


def _decided_by(inside: Inside, key: SigningKey) -> None:
    """Write an approval with another key straight into the database, as a broken agent might."""
    from vitrail.governance.approval import APPROVAL, Approval
    from vitrail.store import studies

    node = inside.agents["north"].node
    proposal = studies.proposal(node.store, inside.study)
    assert proposal is not None
    approval = Approval(
        study=inside.study, site="north", policy=node.policy().id, members=proposal.members, expires=date(2099, 1, 1)
    )
    with node.store.writing(Event("approved", inside.study)) as writing:
        envelope = json.dumps(signed(approval, APPROVAL, key))
        writing.add(DECISIONS, study=inside.study, approved=True, envelope=envelope)


def test_a_policy_of_another_hand_stops_everything(inside: Inside) -> None:
    inside.approve()
    node = inside.agents["north"].node
    node.directory.policy.write_text(json.dumps(signed(node.policy(), "policy", SigningKey.make())))
    inside.turn()
    assert not inside.released("north")


# --- questions -------------------------------------------------------------------------------------------------------


def altered(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that moves one coefficient of each question after the first by a ten-thousandth, and signs it well."""
    from vitrail.hub import learn

    honest = learn.next_question

    def crooked(*arguments: Any) -> Question | None:
        question = honest(*arguments)
        if question is None or question.round == 0 or question.ask.kind != "predict":
            return question
        fits = [
            fit.model_copy(update={"coefficients": (fit.coefficients[0] + 1e-4, *fit.coefficients[1:])})
            for fit in question.ask.fits
        ]
        return question.model_copy(update={"ask": question.ask.model_copy(update={"fits": tuple(fits)})})

    monkeypatch.setattr(learn, "next_question", crooked)


def test_an_altered_question_is_refused(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    altered(inside, monkeypatch)
    inside.approve()
    inside.finish()
    assert [each.refused for each in inside.released("north") if each.analysis == "risk"] == [None, "question_differs"]


def test_positive_control_without_the_recomputation_it_is_answered(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(inside, monkeypatch)
    monkeypatch.setattr(answer, "check_follows", lambda asking: None)
    inside.approve()
    inside.turn(6)
    answered = [each for each in inside.released("north") if each.analysis == "risk"]
    assert len(answered) >= 3
    assert codes(inside, "north") == {None}


def test_a_question_that_leaves_a_site_out_of_its_round_is_refused(inside: Inside) -> None:
    """A hub that hides one site's Release could see what the others' answers change by."""
    inside.approve()
    inside.agents["north"].turn(0)
    rounds = inside.registry.rounds(inside.study)["risk"]
    proposal = inside.registry.proposal(inside.study)
    question = answer.next_question(proposal.study, "risk", ["north"], rounds)
    assert question is not None
    assert not answer.follows(proposal, question, rounds)


def test_a_question_of_another_hub_is_ignored(inside: Inside) -> None:
    agent = inside.agents["north"]
    (first, *_) = record.open_questions(agent.node.store, "north")
    forged = signed(Asked(question=first.model_copy(update={"round": 7}), releases=()), QUESTION, SigningKey.make())
    before = len(record.open_questions(agent.node.store, "north"))
    agent.inbox.receive(Message(10_000, forged))
    assert len(record.open_questions(agent.node.store, "north")) == before
    assert events(inside, "north")[-1] == "ignored"
    assert agent.reached(inbox.INBOX) == 10_000


@pytest.mark.parametrize("envelope", [{}, {"payloadType": "x"}, {"payloadType": 1, "payload": "%", "signatures": 3},
                                      {"x": 10**30}, {"x": "\ud800"}])  # fmt: skip
def test_rubbish_is_ignored_for_good(inside: Inside, envelope: Envelope) -> None:
    agent = inside.agents["north"]
    agent.inbox.receive(Message(10_000, envelope))
    assert events(inside, "north")[-1] == "ignored"


def test_a_question_of_an_unknown_analysis_stops_nothing(inside: Inside) -> None:
    """Though the hub signed it; neither where it is asked nor where it is only told."""
    (first, *_) = record.open_questions(inside.agents["north"].node.store, "north")
    strange = first.model_copy(update={"analysis": "no such analysis", "sites": ("north",)})
    message = Message(10_000, signed(Asked(question=strange, releases=()), QUESTION, inside.registry.key))
    for agent in inside.agents.values():
        before = agent.reached(inbox.INBOX)
        agent.inbox.receive(message)
        assert agent.reached(inbox.INBOX) == 10_000
        assert events(inside, agent.node.name)[-1] == "ignored"
        _reach(agent, before)
    inside.approve()
    assert inside.finish().findings.keys() == {"description", "risk"}


def _reach(agent: Agent, seq: int) -> None:
    with agent.node.store.writing(Event("ignored", "test")) as writing:
        writing.put(REACHED, box=inbox.INBOX, seq=seq)


def _keep_question(inside: Inside, question: Question) -> None:
    """As a site may have kept it before it knew better."""
    where = {"study": question.study, "analysis": question.analysis, "round": question.round}
    with inside.agents["north"].node.store.writing(Event("asked", question.study)) as writing:
        writing.add(QUESTIONS, id=question.id, **where, asked=True, body=text(question))


def test_a_kept_question_of_an_unknown_analysis_is_refused_and_the_others_answered(inside: Inside) -> None:
    (first, *_) = record.open_questions(inside.agents["north"].node.store, "north")
    _keep_question(inside, first.model_copy(update={"analysis": "no such analysis"}))
    inside.approve()
    inside.finish()
    assert {each.refused for each in inside.released("north") if each.analysis == "no such analysis"} == {
        "question_differs"
    }
    assert codes(inside, "north") == {None, "question_differs"}


def test_a_question_after_rounds_that_cannot_be_read_is_refused(inside: Inside) -> None:
    """A hub that asks one analysis what belongs to another, then goes on from the refusal."""
    north = inside.agents["north"]
    asked = {each.analysis: each for each in record.open_questions(north.node.store, "north")}
    inside.approve()
    inside.turn(1)
    kept = select(RELEASES.c.envelope).where(RELEASES.c.question == asked["risk"].id)
    releases = tuple(json.loads(row.envelope) for row in inside.registry.store.rows(kept))
    for number, kind in ((1, "description"), (2, "risk")):
        question = asked["risk"].model_copy(update={"ask": asked[kind].ask, "round": number, "sites": ("north",)})
        message = signed(Asked(question=question, releases=releases), QUESTION, inside.registry.key)
        north.inbox.receive(Message(10_000 + number, message))
        assert north.answer_open() is False
        releases = ()
    refused = [(each.round, each.refused) for each in inside.released("north") if each.analysis == "risk"]
    assert refused == [(0, None), (1, "question_differs"), (2, "question_differs")]


@pytest.mark.parametrize("error", [ValueError("Mrs Smith"), StudyError("It cannot be.", "Do something.")])
def test_whatever_the_gate_trips_over_is_a_refusal_and_the_agent_goes_on(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    honest = answer.gate.release

    def broken(head: Any, *rest: Any) -> Any:
        if head.analysis == "description":
            raise error
        return honest(head, *rest)

    monkeypatch.setattr(answer.gate, "release", broken)
    inside.approve("north")
    inside.turn()
    assert {each.analysis: each.refused for each in inside.released("north")} == {
        "description": "cannot_compute",
        "risk": None,
    }
    (shown,) = review.reviewed(inside.agents["north"].node)
    ((_, _, _, what, do),) = shown.refusals
    assert what
    assert do
    assert "Smith" not in what + do


def test_a_release_that_no_member_signed_does_not_travel(inside: Inside) -> None:
    """The hub cannot make up what another site said."""
    inside.approve()
    inside.turn(2)
    sent = inside.registry.messages("north", 0)
    asked = [unverified(each.envelope, QUESTION, Asked) for each in sent if "question" in each.envelope["payloadType"]]
    (later,) = [each for each in asked if each.question.round == 1]
    forger = SigningKey.make()
    forged = tuple({**envelope, "signatures": forger.sign("release", {})["signatures"]} for envelope in later.releases)
    message = Message(10_000, signed(later.model_copy(update={"releases": forged}), QUESTION, inside.registry.key))
    inside.agents["north"].inbox.receive(message)
    assert events(inside, "north")[-1] == "ignored"


def test_a_message_that_comes_again_changes_nothing(inside: Inside) -> None:
    inside.approve()
    evidence = inside.finish()
    agent = inside.agents["north"]
    left, asked = inside.released("north"), events(inside, "north").count("asked")
    for message in inside.registry.messages("north", 0):
        agent.inbox.receive(message)
    inside.turn(2)
    assert inside.released("north") == left
    assert inside.finish() == evidence
    assert asked == 1 + len({(each.analysis, each.round) for each in left}) - 1


def test_members_cannot_be_added_to_an_approved_study(inside: Inside) -> None:
    """The approval names the keys; a proposal exchanged underneath it is no longer approved."""
    from vitrail.store import studies

    inside.approve()
    node = inside.agents["north"].node
    proposal = studies.proposal(node.store, inside.study)
    assert proposal is not None
    members = {**proposal.members, "ghost": SigningKey.make().public.hex}
    with node.store.writing(Event("proposed", inside.study)) as writing:
        row = writing.rows(select(STUDIES))[0]
        changed = text(proposal.model_copy(update={"members": members}))
        writing.put(STUDIES, seq=row.seq, id=row.id, proposal=changed)
    inside.turn()
    assert codes(inside, "north") == {"not_approved"}


# --- what the steward sees -------------------------------------------------------------------------------------------


def test_a_preview_is_what_will_leave(inside: Inside) -> None:
    node = inside.agents["north"].node
    previewed = {name: found for name, _, found in review.preview(node, inside.study)}
    assert "released" not in events(inside, "north")
    inside.approve("north")
    inside.turn()
    assert {each.analysis: each for each in inside.released("north")} == previewed


def test_a_preview_that_refuses_is_a_no(inside: Inside) -> None:
    node = inside.agents["north"].node
    shown = run("site", "review", node.directory.path, "--preview", inside.study, "--json")
    assert (shown.status, shown.out.count("\n")) == (0, 2)
    file = node.directory.current_snapshot() / "person.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    shown = run("site", "review", node.directory.path, "--preview", inside.study, "--json")
    assert shown.status == 1
    assert {json.loads(line)["refused"] for line in shown.out.splitlines()} == {"cannot_compute"}


def test_a_damaged_snapshot_answers_nothing(inside: Inside) -> None:
    inside.approve("north")
    node = inside.agents["north"].node
    file = node.directory.current_snapshot() / "person.parquet"
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    inside.turn()
    assert codes(inside, "north") == {"cannot_compute"}
    (shown,) = review.reviewed(node)
    assert {"is not the file that was loaded" in what for _, _, _, what, _ in shown.refusals} == {True}


def test_a_snapshot_that_is_not_there_holds_the_answer(inside: Inside) -> None:
    inside.approve("north")
    node = inside.agents["north"].node
    manifest = node.directory.current_snapshot() / "manifest.json"
    content = manifest.read_bytes()
    manifest.unlink()
    said: list[str] = []
    inside.agents["north"].say = said.append
    inside.turn(3)
    assert not inside.released("north")
    assert len(said) == 1
    manifest.write_bytes(content)
    inside.turn()
    assert codes(inside, "north") == {None}


def make_public(snapshot: Path) -> None:
    """Say that anybody may have the data."""
    manifest = snapshot / "manifest.json"
    content = json.loads(manifest.read_bytes())
    content["origin"]["public"] = not content["origin"]["public"]
    manifest.write_bytes(wire.canonical(content))


def exchange_a_table(snapshot: Path) -> None:
    """Exchange a table and what the manifest says of it."""
    people = parquet.read_table(snapshot / "person.parquet")
    parquet.write_table(people.slice(1), snapshot / "person.parquet")
    manifest = snapshot / "manifest.json"
    content = json.loads(manifest.read_bytes())
    described_now = described("person", snapshot / "person.parquet").model_dump(mode="json")
    content["files"] = [described_now if each["table"] == "person" else each for each in content["files"]]
    manifest.write_bytes(wire.canonical(content))


def rename_to_fit(site: Path, snapshot: Path) -> None:
    """Name the directory as its manifest wants it."""
    identity = wire.digest((snapshot / "manifest.json").read_bytes())
    (site / "snapshots" / "current").write_text(snapshot.rename(snapshot.with_name(directory_name(identity))).name)


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("tamper", [make_public, exchange_a_table])
def test_a_manifest_that_was_changed_answers_nothing(
    inside: Inside, tamper: Callable[[Path], None], renamed: bool
) -> None:
    inside.approve("north")
    agent = inside.agents["north"]
    site = agent.node.directory.path
    assert run("site", "verify", site).status == 0
    tamper(agent.node.directory.current_snapshot())
    if renamed:
        rename_to_fit(site, agent.node.directory.current_snapshot())
    said = run("site", "verify", site)
    assert (said.status, said.out) == (1, "")
    assert "the ledger says" in said.err if renamed else "not the manifest" in said.err
    inside.turn(2)
    assert not inside.released("north")


def test_positive_control_without_the_ledger_it_is_answered(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    inside.approve("north")
    node = inside.agents["north"].node
    exchange_a_table(node.directory.current_snapshot())
    rename_to_fit(node.directory.path, node.directory.current_snapshot())
    monkeypatch.setattr(Node, "check_loaded", lambda node, snapshot: None)
    inside.turn()
    assert codes(inside, "north") == {None}


def test_a_study_stays_with_the_snapshot_of_its_first_round(inside: Inside) -> None:
    inside.approve()
    inside.turn()
    node = inside.agents["north"].node
    newer = verified_snapshot(inside.agents["south"].node.directory.current_snapshot())
    shutil.copytree(newer.path, node.directory.snapshots / newer.path.name)
    (node.directory.snapshots / "current").write_text(newer.path.name + "\n")
    node.loaded(newer)
    inside.finish()
    assert len({each.snapshot for each in inside.released("north")}) == 1


def test_evidence_is_signed_by_the_hub(inside: Inside) -> None:
    from vitrail.hub.status import evidence
    from vitrail.study.evidence import Evidence

    inside.approve()
    found = inside.finish()
    envelope = evidence(inside.registry, inside.study)["evidence"]
    assert verified(envelope, "evidence", inside.registry.key.public, Evidence) == found
