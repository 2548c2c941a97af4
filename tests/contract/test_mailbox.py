"""The mailbox's specification, for every carrier."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.carriers import KEYS, Carrier, make_study
from vitrail.errors import NotTaken, TransportError
from vitrail.governance import ledger
from vitrail.study.parties import PROPOSAL, QUESTION, RELEASE, Asked, Proposal
from vitrail.study.release import Release
from vitrail.study.signed import Envelope, signed, verified
from vitrail.study.study import Question, Study
from vitrail.transport import MAX_POST_BYTES, Mailbox, Message
from vitrail.wire import SigningKey, digest

STRANGER = SigningKey.make()


def everything(mailbox: Mailbox, after: int = 0) -> Sequence[Message]:
    """All messages, fetched as an agent fetches them."""
    found: list[Message] = []
    while some := mailbox.fetch(found[-1].seq if found else after):
        found += some
    return found


def latest(carrier: Carrier, member: str) -> int:
    """How far the member's queue reached before a test; the tests share a hub."""
    return max((each.seq for each in everything(carrier.mailbox(member))), default=0)


def questions(carrier: Carrier, study: Study) -> Sequence[Question]:
    """What the hub asks of a study: one question for each analysis, soon after it was proposed."""
    key, end = carrier.registry.key.public, time.monotonic() + 20
    while time.monotonic() < end:
        messages = [each for each in everything(carrier.mailbox("north")) if _is(each, QUESTION)]
        asked = [verified(each.envelope, QUESTION, key, Asked).question for each in messages]
        found = [question for question in asked if question.study == study.id]
        if len(found) == len(study.analyses):
            return found
    raise AssertionError("the hub asked nothing")


def _is(message: Message, kind: str) -> bool:
    return f".{kind}+json" in str(message.envelope["payloadType"])


def answer(asked: Question, site: str = "north", key: SigningKey | None = None, **changes: Any) -> Envelope:
    said: dict[str, Any] = {
        "study": asked.study,
        "analysis": asked.analysis,
        "round": asked.round,
        "site": site,
        "snapshot": digest(b"snapshot"),
        "policy": digest(b"policy"),
        "question": asked.id,
        "refused": "disclosure",
    }
    return signed(Release(**{**said, **changes}), RELEASE, key or KEYS[site])


def test_messages_come_in_order_and_stay(carrier: Carrier, study: Study) -> None:
    before = {member: latest(carrier, member) for member in KEYS}
    carrier.propose(study)
    for member in KEYS:
        questions(carrier, study)
        messages = everything(carrier.mailbox(member), before[member])
        assert [each.seq for each in messages] == sorted({each.seq for each in messages})
        first, *rest = messages
        key = carrier.registry.key.public
        assert verified(first.envelope, PROPOSAL, key, Proposal).study == study
        assert {verified(each.envelope, QUESTION, key, Asked).question.analysis for each in rest} == {"once", "again"}
        assert everything(carrier.mailbox(member), before[member]) == messages
        assert everything(carrier.mailbox(member), after=first.seq) == rest
        assert not carrier.mailbox(member).fetch(messages[-1].seq)


def test_a_long_queue_is_fetched_whole(carrier: Carrier) -> None:
    before = latest(carrier, "north")
    for number in range(15):
        carrier.propose(long := make_study(f"Study {number}"))
    questions(carrier, long)
    messages = everything(carrier.mailbox("north"), before)
    assert len(messages) == 45
    assert len({each.seq for each in messages}) == 45


def test_a_post_is_kept_once(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    question = questions(carrier, study)[0]
    envelope = answer(question)
    carrier.mailbox("north").post(envelope)
    kept = carrier.registry.rounds(study.id)[question.analysis][0].releases
    size = len(carrier.registry.store.ledger()[0])
    for _ in range(3):
        carrier.mailbox("north").post(envelope)
    assert carrier.registry.rounds(study.id)[question.analysis][0].releases == kept
    assert set(kept) == {"north"}
    assert len(carrier.registry.store.ledger()[0]) == size
    assert ledger.verify(*carrier.registry.store.ledger(), carrier.registry.key.public)[0] == size


def test_posts_at_the_same_moment_are_all_kept(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    asked = questions(carrier, study)
    threads = [
        threading.Thread(target=carrier.mailbox(site).post, args=(answer(question, site),))
        for site in KEYS
        for question in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rounds = carrier.registry.rounds(study.id)
    assert all(each.complete for name in rounds for each in rounds[name])


@pytest.mark.parametrize(
    "changes",
    [
        {"key": STRANGER},
        {"key": KEYS["south"]},
        {"site": "nobody", "key": STRANGER},
        {"question": digest(b"never asked")},
        {"round": 1},
        {"analysis": "other"},
        {"study": digest(b"other")},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_what_is_not_a_members_answer_is_not_taken(carrier: Carrier, study: Study, changes: dict[str, Any]) -> None:
    carrier.propose(study)
    question = questions(carrier, study)[0]
    with pytest.raises(NotTaken):
        carrier.mailbox("north").post(answer(question, **changes))
    assert not carrier.registry.rounds(study.id)[question.analysis][0].releases


def test_the_first_answer_stands(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    question = questions(carrier, study)[0]
    carrier.mailbox("north").post(answer(question))
    with pytest.raises(NotTaken, match="first"):
        carrier.mailbox("north").post(answer(question, refused="policy"))
    assert carrier.registry.rounds(study.id)[question.analysis][0].releases["north"].refused == "disclosure"


def test_a_changed_envelope_is_not_taken(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    question = questions(carrier, study)[0]
    forged = {**answer(question), "payload": answer(question, refused="policy")["payload"]}
    with pytest.raises(NotTaken):
        carrier.mailbox("north").post(forged)


def test_what_is_too_large_is_not_taken(carrier: Carrier) -> None:
    with pytest.raises(NotTaken):
        carrier.mailbox("north").post({"payload": "x" * MAX_POST_BYTES})


@pytest.mark.parametrize("rubbish", [{}, {"payload": 3}, {"payloadType": "x", "payload": "", "signatures": []}])
def test_what_is_no_envelope_is_not_taken(carrier: Carrier, rubbish: Envelope) -> None:
    with pytest.raises(NotTaken):
        carrier.mailbox("north").post(rubbish)


def test_only_a_member_may_fetch_and_only_its_own(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    for name, key in (("nobody", STRANGER), ("north", STRANGER), ("north", KEYS["south"])):
        with pytest.raises(NotTaken):
            carrier.mailbox(name, key).fetch(0)


def test_a_poll_for_another_hub_is_not_taken(carrier: Carrier, study: Study) -> None:
    carrier.propose(study)
    with pytest.raises(NotTaken, match="another hub"):
        carrier.mailbox("north", KEYS["north"], STRANGER.public).fetch(0)


def test_an_old_poll_is_not_taken(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("vitrail.transport.poll.time.time", lambda: now - 3600)
    mailbox = carrier.mailbox("north")
    if type(mailbox).__name__ == "LocalMailbox":  # the hub's clock is this process's own
        from vitrail.transport.poll import signed_poll

        old = signed_poll("north", KEYS["north"], carrier.registry.key.public, 0, 0)
        monkeypatch.undo()
        with pytest.raises(NotTaken, match="clock"):
            mailbox.exchange.waiting(old)  # type: ignore[attr-defined]
        return
    with pytest.raises(NotTaken, match="clock"):
        mailbox.fetch(0)


def test_a_waiting_fetch_returns_when_something_comes(carrier: Carrier, study: Study) -> None:
    before = latest(carrier, "north")
    proposing = threading.Timer(0.3, carrier.propose, args=(study,))
    proposing.start()
    started = time.monotonic()
    assert carrier.mailbox("north").fetch(before, wait=20)
    assert 0.2 < time.monotonic() - started < 10
    proposing.join()


def test_an_unwell_hub_may_take_it_later(carrier: Carrier, study: Study) -> None:
    """A sender must not take a hub's own trouble for a no."""
    carrier.propose(study)
    question = questions(carrier, study)[0]
    with carrier.registry.store._engine.begin() as raw:
        state = raw.exec_driver_sql("SELECT state FROM seal").scalar_one()
        raw.exec_driver_sql("DELETE FROM seal")
    with pytest.raises(TransportError) as trouble:
        carrier.mailbox("north").post(answer(question))
    assert not isinstance(trouble.value, NotTaken)
    with carrier.registry.store._engine.begin() as raw:
        raw.exec_driver_sql("INSERT INTO seal (id, state) VALUES (1, ?)", (state,))
    carrier.mailbox("north").post(answer(question))
    assert carrier.registry.rounds(study.id)[question.analysis][0].releases


def test_a_waiting_fetch_gives_up_in_time(carrier: Carrier) -> None:
    before = latest(carrier, "north")
    started = time.monotonic()
    assert not carrier.mailbox("north").fetch(before, wait=0.5)
    assert 0.4 < time.monotonic() - started < 10
