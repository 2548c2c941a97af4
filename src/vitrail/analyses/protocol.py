"""The one protocol of every analysis: ask, answer, combine; repeated until there is nothing left to ask.

Asking is a pure function of the study and of the Releases so far. The hub asks; a site computes the same
question again from the signed Releases that it follows from, and refuses if it differs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vitrail import wire
from vitrail.analyses.characterise import pool as characterise
from vitrail.analyses.predict import pool as predict
from vitrail.errors import WireError
from vitrail.study.analyses import Ask, Finding
from vitrail.study.study import Question, Round, Study

Asker = Callable[[Any, Sequence[str], Sequence[Round]], Ask | None]
Combiner = Callable[[Any, Sequence[Round]], Finding]

POOLS: Mapping[str, tuple[Asker, Combiner]] = {
    "characterise": (characterise.ask, characterise.combine),
    "predict": (predict.ask, predict.combine),
}
"""The two functions in front of the glass, by kind of analysis."""

RELATIVE_TOLERANCE = 1e-9
"""How far the numbers of a question may differ when it is computed again on another processor."""


def next_question(study: Study, analysis: str, sites: Sequence[str], rounds: Sequence[Round]) -> Question | None:
    """The question that follows from ``rounds`` (complete, in order), or None where the analysis is done.

    ``sites`` are the members that were asked the study. A site that refused is not asked again. Raises WireError where
    the study has no such analysis, or the rounds are not those of one.
    """
    if analysis not in study.analyses:
        raise WireError("A question names an analysis that its study does not have.", "Ask the hub's operator.")
    specification = study.analyses[analysis]
    answering = [site for site in sites if not any(_refused(each, site) for each in rounds)]
    ask, _ = POOLS[specification.kind]
    body = ask(specification, answering, rounds) if answering else None
    if body is None or len(rounds) >= specification.max_rounds:
        return None
    return Question(
        study=study.id,
        analysis=analysis,
        round=len(rounds),
        sites=tuple(sorted(_asked(body, answering))),
        follows=tuple(sorted(release.id for each in rounds for release in each.releases.values())),
        ask=body,
    )


def _refused(answered: Round, site: str) -> bool:
    release = answered.releases.get(site)
    return release is not None and release.refused is not None


def _asked(body: Ask, answering: Sequence[str]) -> set[str]:
    """The sites that a question concerns."""
    if body.kind == "characterise":
        return set(answering)
    fitting = {site for fit in body.fits for site in fit.sites}
    return fitting | {site for part in body.validations for site in part.sites}


def combine(study: Study, analysis: str, rounds: Sequence[Round]) -> Finding:
    """What the Releases of all rounds say together."""
    specification = study.analyses[analysis]
    return POOLS[specification.kind][1](specification, rounds)


def same_question(given: Question, computed: Question) -> bool:
    """Whether two questions are equal, their numbers within :data:`RELATIVE_TOLERANCE` (relative, or of 1)."""
    return _same(given.model_dump(mode="json"), computed.model_dump(mode="json"))


def _same(given: wire.Json, computed: wire.Json) -> bool:
    if isinstance(given, dict) and isinstance(computed, dict):
        return given.keys() == computed.keys() and all(_same(given[key], computed[key]) for key in given)
    if isinstance(given, list) and isinstance(computed, list):
        return len(given) == len(computed) and all(map(_same, given, computed))
    if isinstance(given, float) and isinstance(computed, float):
        return math.isclose(given, computed, rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE)
    return bool(given == computed)
