"""The third of the three functions: from Releases to the next questions, or to Evidence."""

from collections.abc import Mapping, Sequence

from vitrail.analyses.protocol import combine, next_question
from vitrail.errors import VitrailError
from vitrail.hub.registry import Registry
from vitrail.study.evidence import Basis, Evidence
from vitrail.study.study import Question, Round, Study
from vitrail.study.word import Digest, Name, SiteName


def learn(
    study: Study, sites: Sequence[SiteName], answered: Mapping[Name, Sequence[Round]]
) -> tuple[Question, ...] | Evidence:
    """What follows from the Releases so far: the next questions, none while answers are outstanding, or Evidence.

    ``sites`` are the members that were proposed the study; ``answered`` the rounds of each analysis, in order. A pure
    function: the same Releases give the same questions and the same Evidence, whatever happened in between.
    """
    questions: list[Question] = []
    outstanding = False
    for name in sorted(study.analyses):
        rounds = answered.get(name, ())
        if rounds and not rounds[-1].complete:
            outstanding = True
        elif question := next_question(study, name, sites, rounds):
            questions.append(question)
    return tuple(questions) if questions or outstanding else _evidence(study, answered)


def _evidence(study: Study, answered: Mapping[Name, Sequence[Round]]) -> Evidence:
    """What all rounds say together, with every Release it rests on."""
    return Evidence(
        study=study.id,
        title=study.title,
        findings={name: combine(study, name, answered.get(name, ())) for name in sorted(study.analyses)},
        sources=tuple(
            Basis(
                release=release.id,
                site=site,
                analysis=name,
                round=each.question.round,
                snapshot=release.snapshot,
                policy=release.policy,
                refused=release.refused,
            )
            for name in sorted(answered)
            for each in answered[name]
            for site, release in sorted(each.releases.items())
        ),
    )


def advance(registry: Registry, study: Digest) -> None:
    """Take a study as far as the Releases at hand allow. Doing it again, or after a crash, changes nothing."""
    proposal = registry.proposal(study)
    try:
        learned = learn(proposal.study, proposal.sites, registry.rounds(study))
    except VitrailError as error:
        registry.fail(study, str(error))
        return
    if isinstance(learned, Evidence):
        registry.publish(learned)
    else:
        registry.ask(learned)
