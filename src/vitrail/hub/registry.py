"""What the hub knows: members, studies, questions, Releases and Evidence, over its database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from vitrail.errors import NodeError, NotTaken
from vitrail.store import studies as kept
from vitrail.store.store import Event, Store, Writing
from vitrail.store.tables import EVIDENCE, FAILURES, MEMBERS, MESSAGES, QUESTIONS, RELEASES, STUDIES
from vitrail.study.evidence import Evidence
from vitrail.study.parties import PROPOSAL, QUESTION, RELEASE, Asked, Proposal
from vitrail.study.release import Release
from vitrail.study.signed import Envelope, content_id, signed, text, unverified, verified
from vitrail.study.study import Question, Round, Study
from vitrail.study.word import Digest, Name, SiteName
from vitrail.transport import Message
from vitrail.wire import PublicKey, SigningKey

FETCH_BYTES = 8 * 1024 * 1024
"""About how much one fetch returns; always at least one message."""


@dataclass(frozen=True)
class Registry:
    """The hub's database, and the key that signs what the hub sends."""

    store: Store
    key: SigningKey

    def members(self) -> Mapping[SiteName, str]:
        """Public keys by site."""
        return {row.name: row.key for row in self.store.rows(select(MEMBERS).order_by(MEMBERS.c.name))}

    def add_member(self, name: SiteName, key: PublicKey) -> None:
        """Take a site in. Raises NodeError where another key has that name or another name that key."""
        with self.store.writing(Event("member added", name, {"key": key.id})) as writing:
            known = {row.name: row.key for row in writing.rows(select(MEMBERS))}
            if known.get(name, key.hex) != key.hex or any(k == key.hex and n != name for n, k in known.items()):
                raise NodeError("Another member has this name or this key.", "Choose another name, or make a new site.")
            writing.add(MEMBERS, name=name, key=key.hex)

    def propose(self, study: Study) -> Digest:
        """Put a study to all members, once; its id. Raises NotTaken where there is nobody to ask."""
        members = dict(self.members())
        if not members:
            raise NotTaken("The alliance has no members yet.", "Add one with `vitrail alliance add`.")
        proposal = Proposal(study=study, members=members)
        with self.store.writing(Event("proposed", study.id, {"members": sorted(members)})) as writing:
            if writing.add(STUDIES, id=study.id, proposal=text(proposal)):
                self._send(writing, proposal.sites, signed(proposal, PROPOSAL, self.key))
        return study.id

    def proposal(self, study: Digest) -> Proposal:
        """What was proposed. Raises NodeError where the hub does not know the study."""
        found = kept.proposal(self.store, study)
        if found is None:
            raise NodeError("The hub does not know this study.", "Propose it with `vitrail study propose`.")
        return found

    def studies(self) -> Sequence[Digest]:
        """Every study's id, in the order in which they were proposed."""
        return [row.id for row in self.store.rows(select(STUDIES.c.id).order_by(STUDIES.c.seq))]

    def rounds(self, study: Digest) -> Mapping[Name, Sequence[Round]]:
        """The rounds of each analysis that was asked, in order, with the Releases so far."""
        return kept.rounds(self.store, study)

    def take(self, envelope: Envelope) -> Release:
        """Keep a Release for good, once. Raises WireError where no member signed it, NotTaken where nobody asked."""
        release = verified(envelope, RELEASE, self._key_of(envelope), Release)
        details = {"release": release.id, "site": release.site, "analysis": release.analysis, "round": release.round}
        happened = Event("released", release.study, {**details, "refused": release.refused})
        with self.store.writing(happened) as writing:
            _check_asked(writing, release)
            row = {"question": release.question, "site": release.site, "envelope": json.dumps(envelope)}
            if not writing.add(RELEASES, id=release.id, **row):
                _check_same(writing, release)
        return release

    def _key_of(self, envelope: Envelope) -> PublicKey:
        key = self.members().get(unverified(envelope, RELEASE, Release).site)
        if key is None:
            raise NotTaken("The message comes from no member.", "Join the alliance first.")
        return PublicKey(key)

    def ask(self, questions: Sequence[Question]) -> None:
        """Put each question to the study's members, once, with the Releases of the round before it."""
        for question in questions:
            where = {"analysis": question.analysis, "round": question.round}
            happened = Event("asked", question.study, {**where, "question": question.id, "sites": list(question.sites)})
            with self.store.writing(happened) as writing:
                if writing.add(
                    QUESTIONS, id=question.id, study=question.study, **where, asked=False, body=text(question)
                ):
                    asked = Asked(question=question, releases=_round_before(writing, question))
                    members = self.proposal(question.study).sites
                    self._send(writing, members, signed(asked, QUESTION, self.key))

    def publish(self, evidence: Evidence) -> None:
        """Sign and keep what a study found, once."""
        envelope = signed(evidence, "evidence", self.key)
        identity = content_id(envelope)
        with self.store.writing(Event("found", evidence.study, {"evidence": identity})) as writing:
            writing.add(EVIDENCE, study=evidence.study, id=identity, envelope=json.dumps(envelope))

    def fail(self, study: Digest, what: str) -> None:
        """Keep that a study could not go on."""
        with self.store.writing(Event("failed", study, {"what": what})) as writing:
            writing.add(FAILURES, study=study, what=what)

    def _send(self, writing: Writing, members: Sequence[SiteName], envelope: Envelope) -> None:
        identity, content = content_id(envelope), json.dumps(envelope)
        for member in members:
            writing.add(MESSAGES, recipient=member, id=identity, envelope=content)

    def messages(self, member: SiteName, after: int) -> Sequence[Message]:
        """The member's messages after ``after``, in order; at least the first, then as many as fit one fetch."""
        mine = (MESSAGES.c.recipient == member) & (MESSAGES.c.seq > after)
        found: list[Message] = []
        room = FETCH_BYTES
        for row in self.store.rows(select(MESSAGES).where(mine).order_by(MESSAGES.c.seq).limit(20)):
            room -= len(row.envelope)
            if found and room < 0:
                break
            found.append(Message(row.seq, json.loads(row.envelope)))
        return found


def _check_asked(writing: Writing, release: Release) -> None:
    """Raises NotTaken unless the Release answers a question that was put to its site."""
    question = kept.question(writing, release.question)
    if question is None or release.site not in question.sites:
        raise NotTaken("The Release answers nothing that its site was asked.", "Answer a question of this hub.")
    if (release.study, release.analysis, release.round) != (question.study, question.analysis, question.round):
        raise NotTaken("The Release does not fit the question that it names.", "Answer the question as it was asked.")


def _check_same(writing: Writing, release: Release) -> None:
    """Raises NotTaken where the site gave another answer before: the first stands."""
    mine = (RELEASES.c.question == release.question) & (RELEASES.c.site == release.site)
    if [row.id for row in writing.rows(select(RELEASES.c.id).where(mine))] != [release.id]:
        raise NotTaken("The site has answered this question otherwise before.", "The first answer stands.")


def _round_before(writing: Writing, question: Question) -> tuple[Envelope, ...]:
    """The signed Releases of the round before, in the order of their sites."""
    before = (
        (QUESTIONS.c.study == question.study)
        & (QUESTIONS.c.analysis == question.analysis)
        & (QUESTIONS.c.round == question.round - 1)
    )
    found = select(RELEASES.c.envelope).join(QUESTIONS, QUESTIONS.c.id == RELEASES.c.question)
    return tuple(json.loads(row.envelope) for row in writing.rows(found.where(before).order_by(RELEASES.c.site)))
