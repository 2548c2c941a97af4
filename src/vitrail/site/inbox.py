"""What reaches a site: proposals and questions, kept once, each only where its signatures are those they should be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from vitrail import wire
from vitrail.errors import Refusal, WireError
from vitrail.site import record
from vitrail.site.answer import follows, refusing
from vitrail.store import studies
from vitrail.store.store import Event, Store, Writing
from vitrail.store.tables import QUESTIONS, REACHED, RELEASES, STUDIES
from vitrail.study.parties import PROPOSAL, QUESTION, RELEASE, Asked, Kit, Proposal
from vitrail.study.release import Release
from vitrail.study.signed import Envelope, text, unverified, verified
from vitrail.study.study import Question, Round
from vitrail.transport import Message
from vitrail.wire import PublicKey

INBOX = "inbox"


@dataclass(frozen=True)
class Inbox:
    """Where a site keeps what the hub of its kit sends."""

    store: Store
    kit: Kit

    def receive(self, message: Message) -> None:
        """Keep a message, or the fact that it was ignored; either way it is dealt with for good."""
        try:
            kind = wire.opened(message.envelope)[0]
            if kind == wire.PAYLOAD_TYPE.format(kind=PROPOSAL):
                self._proposal(message)
            else:
                self._question(message)
        except WireError as error:
            # not the canonical JSON: a message that has none must be dealt with too
            content = json.dumps(message.envelope, sort_keys=True).encode()
            happened = Event("ignored", wire.digest(content), {"what": error.what})
            with self.store.writing(happened) as writing:
                _reached(writing, message)

    def _proposal(self, message: Message) -> None:
        proposal = verified(message.envelope, PROPOSAL, PublicKey(self.kit.hub_key), Proposal)
        known = self.kit.members
        if any(proposal.members.get(name, key) != key for name, key in known.items()):
            raise WireError("A proposal gives a member another key than the kit did.", "Ask the alliance manager.")
        if proposal.members.get(self.kit.site) != known[self.kit.site]:
            raise WireError("A proposal is not for this site.", "Ask the hub's operator.")
        study = proposal.study.id
        with self.store.writing(Event("proposed", study, {"members": list(proposal.sites)})) as writing:
            writing.add(STUDIES, id=study, proposal=text(proposal))
            _reached(writing, message)

    def _question(self, message: Message) -> None:
        asked = verified(message.envelope, QUESTION, PublicKey(self.kit.hub_key), Asked)
        question, proposal = asked.question, studies.proposal(self.store, asked.question.study)
        if proposal is None:
            raise WireError("A question belongs to no study that was proposed.", "Ask the hub's operator.")
        if question.analysis not in proposal.study.analyses:
            raise WireError("A question names an analysis that its study does not have.", "Ask the hub's operator.")
        releases = [(envelope, _verified_release(envelope, proposal)) for envelope in asked.releases]
        mine = self.kit.site in question.sites
        where = {"analysis": question.analysis, "round": question.round}
        happened = Event("asked", question.study, {**where, "question": question.id, "to answer": mine})
        with self.store.writing(happened) as writing:
            for envelope, release in releases:
                _keep(writing, release, envelope)
            if not mine:
                _check_follows(proposal, question, record.rounds_before(writing, question))
            writing.add(QUESTIONS, id=question.id, study=question.study, **where, asked=mine, body=text(question))
            _reached(writing, message)


def _verified_release(envelope: Envelope, proposal: Proposal) -> Release:
    """A Release of one of the study's members, signed with the key that the proposal names."""
    claimed = unverified(envelope, RELEASE, Release)
    key = proposal.members.get(claimed.site)
    if key is None or claimed.study != proposal.study.id:
        raise WireError("A Release that came with a question belongs to another study.", "Ask the hub's operator.")
    return verified(envelope, RELEASE, PublicKey(key), Release)


def _check_follows(proposal: Proposal, question: Question, rounds: Sequence[Round]) -> None:
    try:
        with refusing("question_differs"):  # a hub may ask what no round leads to in ways that nobody thought of
            fits = follows(proposal, question, rounds)
    except Refusal as refusal:
        raise WireError(refusal.what, refusal.do) from refusal
    if not fits:
        raise WireError("A question to others does not follow from its Releases.", "Ask the hub's operator.")


def _keep(writing: Writing, release: Release, envelope: Envelope) -> None:
    question = studies.question(writing, release.question)
    if question is None or release.site not in question.sites:
        raise WireError("A Release that came with a question answers nothing asked.", "Ask the hub's operator.")
    row = {"question": release.question, "site": release.site, "envelope": json.dumps(envelope)}
    writing.add(RELEASES, id=release.id, **row)


def _reached(writing: Writing, message: Message) -> None:
    writing.put(REACHED, box=INBOX, seq=message.seq)
