"""Evidence: pooled estimates with provenance down to each Release."""

from typing import Literal

from vitrail.study.analyses import Finding
from vitrail.study.word import Digest, Name, SiteName, Word


class Basis(Word):
    """One Release that a finding rests on."""

    release: Digest
    site: SiteName
    analysis: Name
    round: int
    snapshot: Digest
    policy: Digest
    refused: str | None = None


class Evidence(Word):
    """What a study found. It holds no times, sequence numbers or heads: the same Releases make the same bytes."""

    vitrail: Literal["evidence/1"] = "evidence/1"
    study: Digest
    title: str
    findings: dict[Name, Finding]
    sources: tuple[Basis, ...]
