"""The second of the three functions: from an approved question and a snapshot to a signed Release. The only way out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from vitrail.analyses.characterise.run import run as characterise
from vitrail.analyses.predict.run import run as predict
from vitrail.analyses.protocol import next_question, same_question
from vitrail.disclosure import gate
from vitrail.disclosure.policy import fits
from vitrail.disclosure.result import Result
from vitrail.errors import PolicyError, Refusal, VitrailError, WireError
from vitrail.governance.approval import APPROVAL, Approval, may_answer
from vitrail.omop.engines import Engine
from vitrail.site.fitness import refuse_calendar, refuse_unfit
from vitrail.site.glass import Glass
from vitrail.study.parties import RELEASE, Proposal
from vitrail.study.release import RefusalCode, Release
from vitrail.study.signed import Envelope, signed, verified
from vitrail.study.study import Question, Round
from vitrail.study.word import Digest
from vitrail.wire import PublicKey

RUNS: Mapping[str, Callable[[Any, Any, Engine, str, str], Result]] = {
    "characterise": characterise,
    "predict": predict,
}
"""The function behind the glass, by kind of analysis. Only these can be run; a study is data, never code."""


@dataclass(frozen=True)
class Asking:
    """A question with all that it rests on: the proposal, the rounds before it, and the steward's approval if any."""

    proposal: Proposal
    question: Question
    rounds: Sequence[Round]
    approval: Envelope | None


@dataclass(frozen=True)
class Answer:
    """A Release and its signed envelope; where it refuses, the reason, which stays with the steward."""

    release: Release
    envelope: Envelope
    reason: Refusal | None


def answer(asking: Asking, glass: Glass, earlier: Sequence[Release]) -> Answer:
    """Answer a question or refuse it: approved? the right question? then compute, and let the gate decide.

    ``earlier`` are the site's own Releases, which the gate remembers.
    """
    try:
        with refusing("cannot_compute"):
            check_approved(asking, glass)
            return _signed(would_leave(asking, glass, earlier), glass)
    except Refusal as refusal:
        return _signed(gate.refused(head_of(asking, glass), _code(refusal)), glass, refusal)


def would_leave(asking: Asking, glass: Glass, earlier: Sequence[Release]) -> Release:
    """What leaves where the steward has approved. Raises Refusal and, whatever goes wrong, nothing else."""
    with refusing("question_differs"):
        check_follows(asking)
    with refusing("cannot_compute"):
        check_policy(glass)
        refuse_unfit(glass.bars)
        refuse_calendar(asking.proposal.study, glass.calendar)
        return gate.release(head_of(asking, glass), computed(asking, glass), glass.policy, earlier)


@contextmanager
def refusing(code: RefusalCode) -> Iterator[None]:
    """Make any error a Refusal with ``code``, so that one question cannot stop the others. It quotes no data."""
    try:
        yield
    except Refusal:
        raise
    except VitrailError as error:
        raise Refusal(code, error.what, error.do) from error
    except Exception as error:  # its own text may quote a data value
        what = f"The answer stopped with an error ({type(error).__name__})."
        raise Refusal(code, what, "Report it to those who maintain the site's version of Vitrail.") from error


def head_of(asking: Asking, glass: Glass) -> gate.Head:
    """What a Release says of itself."""
    question = asking.question
    return gate.Head(
        study=question.study,
        analysis=question.analysis,
        round=question.round,
        site=glass.site,
        snapshot=glass.snapshot,
        policy=glass.policy.id,
        question=question.id,
    )


def check_approved(asking: Asking, glass: Glass) -> None:
    """Raise Refusal ``not_approved`` unless the steward approved just this study, under this policy."""
    may_answer(
        asking.approval,
        glass.steward,
        study=asking.proposal.study.id,
        site=glass.site,
        policy=glass.policy.id,
        members=asking.proposal.members,
        today=today(),
    )


def lapsed(approval: Envelope, steward: PublicKey, policy: Digest) -> Literal["expired", "policy changed"] | None:
    """Why what the steward approved waits for a new approval; None where it need not, or is no approval at all."""
    try:
        given = verified(approval, APPROVAL, steward, Approval)
    except WireError:
        return None
    if today() > given.expires:
        return "expired"
    return "policy changed" if given.policy != policy else None


def check_policy(glass: Glass) -> None:
    """Raise Refusal ``policy`` where the site's policy may not guard its data."""
    try:
        fits(glass.policy, glass.public)
    except PolicyError as error:
        raise Refusal("policy", error.what, error.do) from error


def check_follows(asking: Asking) -> None:
    """Raise Refusal unless the question is the one that anybody computes from the Releases before it.

    A hub that could choose coefficients freely could isolate a person.
    """
    analysis = asking.proposal.study.analyses.get(asking.question.analysis)
    if analysis is not None and asking.question.round >= analysis.max_rounds:
        raise Refusal("too_many_rounds", "The question is past the most rounds that were approved.", "Ask the hub.")
    if not follows(asking.proposal, asking.question, asking.rounds):
        raise Refusal("question_differs", "The question is not the one that its Releases lead to.", "Ask the hub.")


def follows(proposal: Proposal, question: Question, rounds: Sequence[Round]) -> bool:
    """Whether ``question`` is what comes after ``rounds``, each complete. Raises WireError for rounds of no use."""
    if not all(each.complete for each in rounds):
        return False
    computed = next_question(proposal.study, question.analysis, proposal.sites, rounds)
    return computed is not None and same_question(question, computed)


def computed(asking: Asking, glass: Glass) -> Result:
    """The exact answer."""
    study, question = asking.proposal.study, asking.question
    specification = study.analyses[question.analysis]
    return RUNS[specification.kind](specification, question.ask, glass.engine(study), study.id, glass.site)


def today() -> date:
    """The day by which approvals expire."""
    return datetime.now(UTC).date()


def _code(refusal: Refusal) -> RefusalCode:
    """One of the codes that may leave; any other says as little as there is to say."""
    return next((code for code in get_args(RefusalCode) if code == refusal.code), "cannot_compute")


def _signed(release: Release, glass: Glass, reason: Refusal | None = None) -> Answer:
    return Answer(release, signed(release, RELEASE, glass.key), reason)
