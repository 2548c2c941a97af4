"""What a site remembers of studies: what was decided, what is to be answered, and what left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from vitrail.store import studies
from vitrail.store.studies import Reads
from vitrail.store.tables import DECISIONS, QUESTIONS, RELEASES
from vitrail.study.release import Release
from vitrail.study.signed import Envelope
from vitrail.study.study import Question, Round
from vitrail.study.word import Digest, SiteName


@dataclass(frozen=True)
class Decision:
    """The steward's latest word on a study, signed."""

    approved: bool
    envelope: Envelope


def decision(reads: Reads, study: Digest) -> Decision | None:
    """What the steward decided, or None where that is still to come."""
    found = select(DECISIONS).where(DECISIONS.c.study == study).order_by(DECISIONS.c.seq.desc()).limit(1)
    rows = reads.rows(found)
    return Decision(rows[0].approved, json.loads(rows[0].envelope)) if rows else None


def open_questions(reads: Reads, site: SiteName) -> Sequence[Question]:
    """What the site was asked and has not answered, in the order in which it came."""
    answered = select(RELEASES.c.question).where(RELEASES.c.site == site)
    still = QUESTIONS.c.asked & QUESTIONS.c.id.not_in(answered)
    rows = reads.rows(select(QUESTIONS.c.body).where(still).order_by(QUESTIONS.c.seq))
    return [studies.read_question(row.body) for row in rows]


def rounds_before(reads: Reads, question: Question) -> tuple[Round, ...]:
    """The rounds that a question follows from, as far as the site has them."""
    known = studies.rounds(reads, question.study).get(question.analysis, ())
    return tuple(each for each in known if each.question.round < question.round)


def released(reads: Reads, site: SiteName, study: Digest | None = None) -> Sequence[Release]:
    """The site's own Releases in order, of one study or of all: everything that ever left."""
    found = select(RELEASES.c.envelope).join(QUESTIONS, QUESTIONS.c.id == RELEASES.c.question)
    mine = RELEASES.c.site == site
    which = mine if study is None else mine & (QUESTIONS.c.study == study)
    rows = reads.rows(found.where(which).order_by(RELEASES.c.seq))
    return [studies.read_release(row.envelope) for row in rows]
