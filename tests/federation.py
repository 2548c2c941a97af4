"""A study run over engines in one process: the same asking, answering, gating and learning as between real nodes."""

from collections.abc import Mapping

from vitrail.disclosure import gate
from vitrail.disclosure.policy import Policy
from vitrail.errors import Refusal
from vitrail.hub.learn import learn
from vitrail.omop.engines import Engine
from vitrail.site.answer import RUNS
from vitrail.study.evidence import Evidence
from vitrail.study.release import Release
from vitrail.study.study import Question, Round, Study

SNAPSHOT = "sha256:" + "0" * 64


def federated(study: Study, engines: Mapping[str, Engine], policy: Policy) -> Evidence:
    """The evidence of ``study`` over the sites' engines, each guarded by ``policy``."""
    answered: dict[str, list[Round]] = {}
    earlier: dict[str, list[Release]] = {site: [] for site in engines}
    while not isinstance(step := learn(study, sorted(engines), answered), Evidence):
        for question in step:
            releases = {site: _answer(study, question, site, engines[site], policy, earlier[site])
                        for site in question.sites}  # fmt: skip
            for site, release in releases.items():
                earlier[site].append(release)
            answered.setdefault(question.analysis, []).append(Round(question, releases))
    return step


def _answer(
    study: Study, question: Question, site: str, engine: Engine, policy: Policy, earlier: list[Release]
) -> Release:
    head = gate.Head(study.id, question.analysis, question.round, site, SNAPSHOT, policy.id, question.id)
    specification = study.analyses[question.analysis]
    try:
        result = RUNS[specification.kind](specification, question.ask, engine, study.id, site)
        return gate.release(head, result, policy, earlier)
    except Refusal as refusal:
        return gate.refused(head, refusal.code)
