"""Reading what both kinds of node keep of a study: its proposal, its rounds and their Releases."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import Row, Select, select

from vitrail.store.tables import QUESTIONS, RELEASES, STUDIES
from vitrail.study.parties import PROPOSAL, QUESTION, RELEASE, Proposal
from vitrail.study.release import Release
from vitrail.study.signed import read, unverified
from vitrail.study.study import Question, Round
from vitrail.study.word import Digest, Name, SiteName


class Reads(Protocol):
    """A store, or a transaction of it."""

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """What a query finds."""
        ...


def proposal(reads: Reads, study: Digest) -> Proposal | None:
    """What was proposed, or None."""
    rows = reads.rows(select(STUDIES.c.proposal).where(STUDIES.c.id == study))
    return _proposal(rows[0].proposal) if rows else None


def question(reads: Reads, identity: Digest) -> Question | None:
    """The question of that id, or None."""
    rows = reads.rows(select(QUESTIONS.c.body).where(QUESTIONS.c.id == identity))
    return read_question(rows[0].body) if rows else None


def rounds(reads: Reads, study: Digest) -> Mapping[Name, Sequence[Round]]:
    """The rounds of each analysis that was asked, in order, with the Releases so far."""
    asked = select(QUESTIONS).where(QUESTIONS.c.study == study).order_by(QUESTIONS.c.analysis, QUESTIONS.c.round)
    answered = select(RELEASES).join(QUESTIONS, QUESTIONS.c.id == RELEASES.c.question)
    releases: dict[Digest, dict[SiteName, Release]] = {}
    for row in reads.rows(answered.where(QUESTIONS.c.study == study).order_by(RELEASES.c.site)):
        releases.setdefault(row.question, {})[row.site] = read_release(row.envelope)
    found: dict[Name, list[Round]] = {}
    for row in reads.rows(asked):
        found.setdefault(row.analysis, []).append(Round(read_question(row.body), releases.get(row.id, {})))
    return found


# Every round reads again what those before it said; the words are frozen, so one reading serves all.


@lru_cache(maxsize=32)
def _proposal(content: str) -> Proposal:
    return read(content, PROPOSAL, Proposal)


@lru_cache(maxsize=512)
def read_question(content: str) -> Question:
    """The question in a row's body."""
    return read(content, QUESTION, Question)


@lru_cache(maxsize=256)
def read_release(envelope: str) -> Release:
    """The Release in an envelope that was verified when it was kept."""
    return unverified(json.loads(envelope), RELEASE, Release)
