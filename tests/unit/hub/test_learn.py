"""Learning: the next questions or the Evidence follow from the Releases alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.alliances import STUDY
from tests.carriers import KEYS, hub_with_members, make_study
from vitrail import wire
from vitrail.errors import StudyError
from vitrail.hub import learn as learning
from vitrail.hub.api import Hub
from vitrail.hub.learn import advance, learn
from vitrail.hub.registry import Registry
from vitrail.hub.status import evidence, status
from vitrail.reports.evidence import render
from vitrail.study.analyses.predict import PredictEvidence
from vitrail.study.evidence import Evidence
from vitrail.study.parties import RELEASE
from vitrail.study.reader import parse_study
from vitrail.study.release import Release
from vitrail.study.signed import body, signed
from vitrail.study.study import Question, Round, Study
from vitrail.wire import SigningKey, digest

SITES = tuple(sorted(KEYS))


def refusal(question: Question, site: str) -> Release:
    return Release(
        study=question.study, analysis=question.analysis, round=question.round, site=site,
        snapshot=digest(b"snapshot"), policy=digest(b"policy"), question=question.id, refused="disclosure",
    )  # fmt: skip


def answered(questions: Sequence[Question], sites: Sequence[str]) -> Mapping[str, Sequence[Round]]:
    return {each.analysis: [Round(each, {site: refusal(each, site) for site in sites})] for each in questions}


@pytest.fixture
def study() -> Study:
    return make_study("Learning")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    directory = hub_with_members(tmp_path / "hub")
    return Registry(directory.store(), SigningKey.read(directory.key))


def asked(study: Study) -> tuple[Question, ...]:
    questions = learn(study, SITES, {})
    assert isinstance(questions, tuple)
    return questions


def test_first_every_analysis_asks_every_member(study: Study) -> None:
    assert [(each.analysis, each.round, each.sites) for each in asked(study)] == [
        ("again", 0, SITES),
        ("once", 0, SITES),
    ]


def test_nothing_is_asked_while_answers_are_outstanding(study: Study) -> None:
    assert learn(study, SITES, answered(asked(study), SITES[:1])) == ()


def test_analyses_do_not_wait_for_each_other(study: Study) -> None:
    first, second = asked(study)
    rounds = {**answered([first], SITES[:1])}
    assert learn(study, SITES, rounds) == (second,)


def test_the_same_releases_make_the_same_bytes_in_any_order(study: Study) -> None:
    questions = asked(study)
    found = [learn(study, SITES, answered(q, s)) for q, s in ((questions, SITES), (questions[::-1], SITES[::-1]))]
    assert all(isinstance(each, Evidence) for each in found)
    assert len({wire.canonical(body(each)) for each in found if isinstance(each, Evidence)}) == 1


def test_a_fit_at_nobody_is_asked_of_nobody_and_found_empty() -> None:
    """``develop_at`` may name a site that is no member."""
    nobody = "develop_at: [nowhere]"
    study = parse_study(STUDY.replace("test_share: 0.25", f"test_share: 0.25\n    {nobody}").encode())
    first = learn(study, SITES, {})
    assert isinstance(first, tuple)
    assert [each.analysis for each in first] == ["description"]
    found = learn(study, SITES, answered(first, SITES))
    assert isinstance(found, Evidence)
    assert isinstance(found.findings["risk"], PredictEvidence)
    assert found.findings["risk"].fits == ()
    assert "risk" in render(study, found)


def take_all(registry: Registry, study: Study) -> None:
    for rounds in registry.rounds(study.id).values():
        for site in SITES:
            registry.take(signed(refusal(rounds[-1].question, site), RELEASE, KEYS[site]))


def test_advancing_again_changes_nothing(registry: Registry, study: Study) -> None:
    """Whatever was done before a crash is done once."""
    registry.propose(study)
    for _ in range(2):
        advance(registry, study.id)
    take_all(registry, study)
    advance(registry, study.id)
    envelope, entries = evidence(registry, study.id), registry.store.ledger()[0]
    for _ in range(3):
        registry.propose(study)
        take_all(registry, study)
        advance(registry, study.id)
    assert evidence(registry, study.id) == envelope
    assert registry.store.ledger()[0] == entries


def test_a_study_that_cannot_go_on_says_so_and_goes_on_when_it_can(
    registry: Registry, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StudyError("It cannot be combined.", "Do something.")

    registry.propose(study)
    advance(registry, study.id)
    take_all(registry, study)
    with monkeypatch.context() as patch:
        patch.setattr(learning, "combine", broken)
        advance(registry, study.id)
    said = status(registry, study.id)
    assert (said["state"], said["failure"]) == ("failed", "It cannot be combined. Do something.")
    advance(registry, study.id)
    assert status(registry, study.id)["state"] == "done"


def test_an_error_of_the_hub_itself_stops_one_study_only(
    registry: Registry, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, honest = make_study("Another"), learning.next_question

    def broken(asked: Study, *rest: object) -> Question | None:
        if asked == study:
            raise ZeroDivisionError("a value")
        return honest(asked, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(learning, "next_question", broken)
    for each in (study, other):
        registry.propose(each)
    hub = Hub(registry)
    hub.resume()
    hub.stop()
    assert status(registry, study.id)["state"] == "failed"
    assert "a value" not in status(registry, study.id)["failure"]
    assert set(registry.rounds(other.id)) == {"once", "again"}
