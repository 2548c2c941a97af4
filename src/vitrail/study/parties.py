"""Who takes part in a study, and what the hub sends them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from vitrail.study.signed import Envelope
from vitrail.study.study import Question, Study
from vitrail.study.word import SiteName, Word

KeyHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A public Ed25519 key in hexadecimal."""

PROPOSAL, QUESTION, RELEASE = "proposal", "question", "release"
"""The kinds of envelope: the first two are signed by the hub, the third by a site."""


class Proposal(Word):
    """A study put to the members, with the keys by which their Releases will be known."""

    vitrail: Literal["proposal/1"] = "proposal/1"
    study: Study
    members: Annotated[dict[SiteName, KeyHex], Field(min_length=1, max_length=200)]

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """The members' names, sorted."""
        return tuple(sorted(self.members))


class Asked(Word):
    """A question, and the signed Releases that answered the round before it.

    Releases of earlier rounds came with the questions before. Every member of a study is sent every question,
    so that each can follow the whole chain; ``question.sites`` says who is to answer.
    """

    question: Question
    releases: tuple[Envelope, ...]


class Kit(Word):
    """What the alliance manager hands a new site: where the hub is, its key, and who the members are today."""

    vitrail: Literal["kit/1"] = "kit/1"
    hub: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+$", max_length=300)]
    hub_key: KeyHex
    site: SiteName
    members: dict[SiteName, KeyHex]
