"""A study that needs true dates is refused by a site whose days were moved, before anything is computed."""

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from tests.alliances import STUDY, Alliance, Inside
from tests.commands import run
from vitrail.omop.snapshot import Calendar, partial_snapshot, publish, verified
from vitrail.site import answer, review
from vitrail.site.glass import Opening
from vitrail.site.node import Node

PLACE = "cohorts.visitors.keep"


def publish_under(node: Node, calendar: Calendar) -> None:
    """The site's data again, as a snapshot that says this of its days."""
    old = verified(node.directory.current_snapshot())
    with partial_snapshot(node.directory.snapshots) as partial:
        for path in old.files.values():
            shutil.copy(path, partial)
        node.loaded(publish(node.directory.snapshots, partial, old.manifest.model_copy(update={"calendar": calendar})))


@pytest.fixture
def yearly(alliance: Alliance, tmp_path: Path) -> Inside:
    """The alliance, with a study that keeps the first visit of each calendar year."""
    file = tmp_path / "yearly.yaml"
    file.write_text(STUDY.replace("{visit: any}], keep: first}", "{visit: any}], keep: first_of_each_year}"))
    return Inside.of(alliance.root, file)


def codes(inside: Inside) -> set[str | None]:
    """How the site in the north answers its open questions."""
    inside.approve("north")
    inside.turn()
    return {release.refused for release in inside.released("north")}


@pytest.mark.parametrize("calendar", get_args(Calendar))
def test_only_true_dates_answer_it(yearly: Inside, calendar: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    north = yearly.agents["north"].node
    publish_under(north, calendar)
    opened: list[object] = []
    engine = Opening._engine
    monkeypatch.setattr(Opening, "_engine", lambda *asked: opened.append(asked) or engine(*asked))
    assert codes(yearly) == ({None} if calendar == "true" else {"calendar"})
    assert bool(opened) is (calendar == "true"), "nothing is read before it is refused"
    (shown,) = review.reviewed(north)
    assert {PLACE in what and calendar in what for _, _, _, what, _ in shown.refusals} == (
        set() if calendar == "true" else {True}
    )
    assert PLACE not in json.dumps([release.model_dump(mode="json") for release in yearly.released("north")])


@pytest.mark.parametrize("calendar", ["none", "shifted"])
def test_any_calendar_answers_what_asks_for_days_between(inside: Inside, calendar: Calendar) -> None:
    publish_under(inside.agents["north"].node, calendar)
    assert codes(inside) == {None}


def test_the_same_questions_are_answered_where_nobody_looks(yearly: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with the defence off, the answers leave; that they are wrong, `tests/generative/test_calendar.py`
    shows."""
    publish_under(yearly.agents["north"].node, "shifted")
    monkeypatch.setattr(answer, "refuse_calendar", lambda study, calendar: None)
    assert codes(yearly) == {None}


def test_the_steward_is_told_before_and_cannot_approve_it(yearly: Inside) -> None:
    """For a refusal that has left is not taken back."""
    north = yearly.agents["north"].node
    publish_under(north, "shifted")
    where, key = north.directory.path, north.directory.steward_key
    (said,) = json.loads(run("site", "review", where, "--json").out)
    assert PLACE in said["calendar"]
    assert PLACE in run("site", "review", where).out
    refused = run("site", "review", where, "--approve", yearly.study, "--key", key)
    assert (refused.status, PLACE in refused.err) == (1, True)
