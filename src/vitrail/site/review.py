"""What a steward does: see what is asked and what would leave, approve, refuse; see what left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from vitrail import wire
from vitrail.errors import NodeError, Refusal
from vitrail.governance.approval import APPROVAL, REJECTION, Approval, Rejection
from vitrail.site import record
from vitrail.site.answer import Asking, lapsed, today, would_leave
from vitrail.site.glass import Opening
from vitrail.site.node import HUB, Node
from vitrail.store import studies
from vitrail.store.store import Event, read_entry
from vitrail.store.tables import DECISIONS, MESSAGES, QUESTIONS, REASONS, STUDIES
from vitrail.study.calendar import calendar_aloud
from vitrail.study.parties import Proposal
from vitrail.study.release import Release
from vitrail.study.signed import Envelope, body, content_id, signed, verified
from vitrail.study.study import Question, Study
from vitrail.study.word import Digest
from vitrail.wire import PublicKey, SigningKey

State = str
"""``waiting``, ``approved`` or ``refused``; ``expired`` or ``policy changed`` where it waits for a new approval."""


@dataclass(frozen=True)
class Reviewed:
    """A study as its steward sees it. ``refusals`` are (analysis, round, code, what, do) of questions refused."""

    proposal: Proposal
    state: State
    until: date | None
    refusals: Sequence[tuple[str, int, str, str, str]]


def reviewed(node: Node) -> Sequence[Reviewed]:
    """Every study that was proposed to the site, in order."""
    ids = [row.id for row in node.store.rows(select(STUDIES.c.id).order_by(STUDIES.c.seq))]
    return [_reviewed(node, study) for study in ids]


def _reviewed(node: Node, study: Digest) -> Reviewed:
    state, until = _state(node, record.decision(node.store, study))
    return Reviewed(proposed(node, study), state, until, _refusals(node, study))


def proposed(node: Node, study: Digest) -> Proposal:
    """The proposal of a study. Raises NodeError where the site has none."""
    proposal = studies.proposal(node.store, study)
    if proposal is None:
        raise _unknown()
    return proposal


def _state(node: Node, decision: record.Decision | None) -> tuple[State, date | None]:
    if decision is None:
        return "waiting", None
    if not decision.approved:
        return "refused", None
    expires = verified(decision.envelope, APPROVAL, node.steward, Approval).expires
    return lapsed(decision.envelope, node.steward, node.policy().id) or "approved", expires


def _refusals(node: Node, study: Digest) -> Sequence[tuple[str, int, str, str, str]]:
    found = select(QUESTIONS.c.analysis, QUESTIONS.c.round, REASONS.c.code, REASONS.c.what, REASONS.c.do)
    joined = found.join(QUESTIONS, QUESTIONS.c.id == REASONS.c.question).where(QUESTIONS.c.study == study)
    return [tuple(row) for row in node.store.rows(joined.order_by(QUESTIONS.c.seq))]


def find(node: Node, prefix: str) -> Digest:
    """The study whose id begins so, with or without ``sha256:``. Raises NodeError where it is none or several."""
    wanted = prefix if prefix.startswith("sha256:") else f"sha256:{prefix}"
    ids = [row.id for row in node.store.rows(select(STUDIES.c.id)) if row.id.startswith(wanted)]
    if len(ids) != 1 or len(wanted) < len("sha256:") + 8:
        raise _unknown()
    return str(ids[0])


def approve(node: Node, study: Digest, steward: SigningKey, expires: date) -> Approval:
    """The steward's yes, signed, under today's policy; it takes the place of one that expired.

    Raises NodeError where the key is not the steward's, or a no has left already.
    """
    proposal = _decidable(node, study, steward)
    if any(release.refused == "not_approved" for release in record.released(node.store, node.name, study)):
        what = "The steward's refusal of this study has left, and the others go on without this site."
        raise NodeError(what, "Ask its authors to propose it under another title, as a new study.")
    if expires < today():
        raise NodeError("The approval would have expired already.", "Name a day to come with --expires.")
    approval = Approval(
        study=study, site=node.name, policy=node.policy().id, members=dict(proposal.members), expires=expires
    )
    envelope = signed(approval, APPROVAL, steward)
    details = {"decision": content_id(envelope), "expires": expires.isoformat(), "policy": approval.policy}
    _decide(node, Event("approved", study, details), envelope)
    return approval


def refuse(node: Node, study: Digest, steward: SigningKey, why: str) -> None:
    """The steward's no, signed; it also takes back an approval. The reason stays at the site."""
    _decidable(node, study, steward)
    rejection = Rejection(study=study, site=node.name, why=why)
    envelope = signed(rejection, REJECTION, steward)
    _decide(node, Event("refused", study, {"decision": content_id(envelope)}), envelope)


def _decidable(node: Node, study: Digest, steward: SigningKey) -> Proposal:
    if steward.public != node.steward:
        raise NodeError("The key is not that of this site's steward.", "Name the steward's key with --key.")
    return proposed(node, study)


def _decide(node: Node, happened: Event, envelope: Envelope) -> None:
    with node.store.writing(happened) as writing:
        row = {"study": happened.subject, "approved": happened.kind == "approved"}
        writing.add(DECISIONS, **row, envelope=json.dumps(envelope))


def preview(node: Node, study: Digest) -> Sequence[tuple[str, int, Release | Refusal]]:
    """What would leave for each open question of a study, computed now: (analysis, round, Release or the reason).

    Nothing leaves and nothing is recorded.
    """
    opening = Opening(node)
    try:
        return [
            (question.analysis, question.round, _previewed(node, opening, _asking(node, question)))
            for question in record.open_questions(node.store, node.name)
            if question.study == study
        ]
    finally:
        opening.close()


def _asking(node: Node, question: Question) -> Asking:
    proposal = proposed(node, question.study)
    return Asking(proposal, question, record.rounds_before(node.store, question), None)


def _previewed(node: Node, opening: Opening, asking: Asking) -> Release | Refusal:
    """As :func:`vitrail.site.answer.answer`, without asking for an approval, and unsigned."""
    try:
        glass = opening.glass(asking.question.study)
        return would_leave(asking, glass, record.released(node.store, node.name, asking.question.study))
    except Refusal as refusal:
        return refusal


def leaves(study: Study) -> Sequence[str]:
    """What would leave if the study were approved, in words: one sentence for each analysis."""
    return [f"“{name}”: {_LEAVES[analysis.kind].format(analysis)}" for name, analysis in study.analyses.items()]


_LEAVES = {
    "characterise": (
        "once, counts of people after each step of each cohort, counts and means of what is described, and rates of "
        "what begins; small counts suppressed, the others rounded, as the policy says."
    ),
    "predict": (
        "in each of at most {0.max_rounds} rounds, sums over the site's people that improve a risk model (a gradient "
        "and an information matrix), and at the end how well the model predicts here; no row, and no small count."
    ),
}


def _unknown() -> NodeError:
    return NodeError("The site knows no such study.", "Copy its id, or the first 8 digits, from `vitrail site review`.")


def left(node: Node) -> Sequence[wire.Json]:
    """Everything that ever left, in order: each Release with the moment it was made and whether it arrived."""
    entries = [read_entry(entry) for entry in node.store.ledger()[0]]
    made = {entry["details"]["release"]: entry["at"] for entry in entries if entry["event"] == "released"}
    rows = node.store.rows(select(MESSAGES).where(MESSAGES.c.recipient == HUB).order_by(MESSAGES.c.seq))
    arrived = {entry["subject"] for entry in entries if entry["event"] == "delivered"}
    return [
        {
            "at": made.get(row.id),
            "delivered": row.id in arrived,
            "id": row.id,
            "release": body(studies.read_release(row.envelope)),
        }
        for row in rows
    ]


def as_data(each: Reviewed) -> wire.Json:
    """A study under review, for scripts."""
    study = each.proposal.study
    return {
        "study": study.id,
        "title": study.title,
        "purpose": study.purpose,
        "question": study.question,
        "state": each.state,
        "until": each.until.isoformat() if each.until else None,
        "asks": list(study.aloud()),
        "calendar": calendar_aloud(study),
        "leaves": list(leaves(study)),
        "members": {name: PublicKey(key).id for name, key in each.proposal.members.items()},
        "refusals": [dict(zip(("analysis", "round", "code", "what", "do"), row, strict=True)) for row in each.refusals],
    }


def as_text(each: Reviewed) -> str:
    """A study under review, for its steward."""
    data, study = as_data(each), each.proposal.study
    until = f" until {each.until}" if each.until else ""
    lines = [
        study.title,
        study.id,
        f"State: {each.state}{until}. Purpose: {study.purpose}.",
        f"Asked: {study.question}",
    ]
    lines += ["", "What is asked:", *(f"  {line}" for line in data["asks"])]
    lines += ["", data["calendar"]]
    lines += ["", "What would leave:", *(f"  {line}" for line in data["leaves"])]
    lines += ["", "With:", *(f"  {name}  {key}" for name, key in sorted(data["members"].items()))]
    if each.refusals:
        lines += ["", "Refused:"]
        lines += [
            f"  {name}, round {number}: {code}. {what} {do}".rstrip() for name, number, code, what, do in each.refusals
        ]
    return "\n".join(lines)
