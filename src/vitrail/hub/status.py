"""How far studies are, and what they found, for people and scripts."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from vitrail import wire
from vitrail.errors import NodeError
from vitrail.hub.registry import Registry
from vitrail.store.tables import EVIDENCE, FAILURES
from vitrail.study.study import Round
from vitrail.study.word import Digest


def status(registry: Registry, study: Digest) -> wire.Json:
    """How far a study is: ``state`` is ``running``, ``done`` or ``failed``.

    For each analysis asked: its last round, and the sites that are still to answer it.
    """
    proposal = registry.proposal(study)
    evidence = registry.store.rows(select(EVIDENCE.c.id).where(EVIDENCE.c.study == study))
    failure = registry.store.rows(select(FAILURES.c.what).where(FAILURES.c.study == study))
    return {
        "study": study,
        "title": proposal.study.title,
        "sites": list(proposal.sites),
        "state": "done" if evidence else "failed" if failure else "running",
        "analyses": {name: _progress(rounds) for name, rounds in registry.rounds(study).items()},
        "evidence": evidence[0].id if evidence else None,
        "failure": failure[0].what if failure else None,
    }


def _progress(rounds: Sequence[Round]) -> wire.Json:
    last = rounds[-1]
    return {
        "round": last.question.round,
        "waiting_for": sorted(set(last.question.sites) - set(last.releases)),
        "refused": {s: release.refused for each in rounds for s, release in each.releases.items() if release.refused},
    }


def evidence_list(registry: Registry) -> Sequence[Mapping[str, str]]:
    """The id, study and title of all evidence, in the order in which studies were proposed."""
    found = {row.study: row.id for row in registry.store.rows(select(EVIDENCE))}
    return [
        {"evidence": found[study], "study": study, "title": registry.proposal(study).study.title}
        for study in registry.studies()
        if study in found
    ]


def evidence(registry: Registry, name: str) -> wire.Json:
    """The signed evidence, and its study, by the id of either. Raises NodeError."""
    rows = registry.store.rows(select(EVIDENCE).where((EVIDENCE.c.id == name) | (EVIDENCE.c.study == name)))
    if not rows:
        raise NodeError("The hub has no evidence of this name.", "See `vitrail evidence list`.")
    study: Digest = rows[0].study
    return {"study": registry.proposal(study).study.canonical(), "evidence": json.loads(rows[0].envelope)}
