"""The agent: polls the hub, answers what is approved, and sees that every answer arrives. It opens no port."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import select

from vitrail.errors import LedgerError, NodeError, NotTaken, SnapshotError, TransportError
from vitrail.site import record
from vitrail.site.answer import Answer, Asking, answer, lapsed
from vitrail.site.glass import Opening
from vitrail.site.inbox import INBOX, Inbox
from vitrail.site.node import HUB, Node
from vitrail.store import studies
from vitrail.store.store import Event
from vitrail.store.tables import MESSAGES, REACHED, REASONS, RELEASES
from vitrail.study.study import Question
from vitrail.transport import MAX_WAIT, Mailbox

OUTBOX = "outbox"
HELD_WAIT = 0.5
"""Seconds that a poll waits while a question is held: so soon the agent notices what the steward decided."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 15.0
"""Seconds of rest after the first failed call and after many; each rest is twice the one before."""


@dataclass
class Agent:
    """A site at work. Everything it knows is in the node's database, so it may be killed at any moment."""

    node: Node
    mailbox: Mailbox
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.opening = Opening(self.node)
        self._told = ""
        self.inbox = Inbox(self.node.store, self.node.alliance())

    def run(self) -> NoReturn:
        """Work until killed. A hub that is down is tried again, ever more patiently."""
        pause = FIRST_PAUSE
        while True:
            try:
                self.turn()
                pause = FIRST_PAUSE
            except TransportError as error:
                self._tell(str(error))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def turn(self, wait: float = MAX_WAIT) -> None:
        """Answer what can be answered, deliver it, and take in what comes. Raises TransportError."""
        held = self.answer_open()
        self.deliver()
        for message in self.mailbox.fetch(self.reached(INBOX), min(wait, HELD_WAIT) if held else wait):
            self.inbox.receive(message)

    def answer_open(self) -> bool:
        """Answer every open question that the steward has decided on; whether any is held back."""
        questions = record.open_questions(self.node.store, self.node.name)
        done = [self._answered(question) for question in questions]
        return not all(done)

    def _answered(self, question: Question) -> bool:
        """Answer a question, unless the steward is still or again to decide, or there are no data: nothing leaves."""
        store, name = self.node.store, self.node.name
        decision, proposal = record.decision(store, question.study), studies.proposal(store, question.study)
        if decision is None or proposal is None:
            return False
        try:
            glass = self.opening.glass(question.study)
        except (NodeError, SnapshotError, LedgerError) as error:
            self._tell(str(error))
            return False
        approval = decision.envelope if decision.approved else None
        if approval is not None and lapsed(approval, glass.steward, glass.policy.id):
            self._tell("An approval has expired, or the policy has changed since: approve the study again.")
            return False
        asking = Asking(proposal, question, record.rounds_before(store, question), approval)
        given = answer(asking, glass, record.released(store, name, question.study))
        return self._keep(decision, given)

    def _keep(self, decision: record.Decision, given: Answer) -> bool:
        """Release, ledger entry and message in one transaction, unless the steward changed their mind meanwhile."""
        release, store = given.release, self.node.store
        details = {"release": release.id, "analysis": release.analysis, "round": release.round}
        with store.writing(Event("released", release.study, {**details, "refused": release.refused})) as writing:
            if record.decision(writing, release.study) != decision:
                return False
            text = json.dumps(given.envelope)
            if writing.add(RELEASES, id=release.id, question=release.question, site=release.site, envelope=text):
                writing.add(MESSAGES, recipient=HUB, id=release.id, envelope=text)
            if given.reason is not None:
                reason = {"code": given.reason.code, "what": given.reason.what, "do": given.reason.do}
                writing.add(REASONS, question=release.question, **reason)
        self.say(f"{release.analysis}, round {release.round}: {release.refused or 'answered'}")
        return True

    def deliver(self) -> None:
        """Post what has not arrived yet, in order. Raises TransportError where the hub cannot take it now."""
        unsent = (MESSAGES.c.recipient == HUB) & (MESSAGES.c.seq > self.reached(OUTBOX))
        for row in self.node.store.rows(select(MESSAGES).where(unsent).order_by(MESSAGES.c.seq)):
            happened = Event("delivered", row.id)
            try:
                self.mailbox.post(json.loads(row.envelope))
            except NotTaken as error:
                happened = Event("not taken", row.id, {"what": error.what})
                self.say(str(error))
            with self.node.store.writing(happened) as writing:
                writing.put(REACHED, box=OUTBOX, seq=row.seq)

    def _tell(self, trouble: str) -> None:
        """Say what is the matter, once until it is something else."""
        if trouble != self._told:
            self.say(trouble)
        self._told = trouble

    def reached(self, box: str) -> int:
        """How far the inbox was read, or the outbox emptied."""
        rows = self.node.store.rows(select(REACHED.c.seq).where(REACHED.c.box == box))
        return rows[0].seq if rows else 0
