"""A site answers with the engine that its `site.json` names; what leaves is the same to the last byte."""

import json
import os
from pathlib import Path

import pytest

from tests.alliances import SITES, STUDY, Alliance, Inside
from tests.clusters import shared_spark
from tests.databases import PASSWORD, shared_postgres
from vitrail.study.release import Release

WHOLE = (
    STUDY.replace(
        "  ill: {",
        """  exposed:
    entry: [{condition: exposure, where: [{of: {visit: any}, days: [0, 200]}]}]
    keep: first
    rules:
      - {name: seen later, of: {cohort: visitors}, days: [1, null]}
      - {name: not ill before, of: {condition: outcome}, days: [null, 0], at_most: 0}
      - {name: grown up, person: {age: {at_least: 18}, gender: {any_of: [8507, 8532]}}}
    exit: {days_after_start: 365}
    censor: [{condition: outcome, moved: {start_days: 1, end_days: 2}}]
    era_pad: 30
  ill: {""",
    )
    .replace("cohorts: [visitors]", "cohorts: [visitors, exposed]")
    .replace(
        "    table: [{name: age, age: true}, {name: female, sex: female}]",
        """    table:
      - {name: age, age: true}
      - {name: female, sex: female}
      - {name: exposed, has: {condition: exposure}, days: [-365, 0]}
    incidence: [{name: illness, population: exposed, outcome: ill}]""",
    )
)


def released(alliance: Alliance, study_file: Path, engine: str | None) -> dict[str, list[Release]]:
    """Every Release of a whole study, by site, where each site has that engine."""
    for name in SITES:
        card = alliance.root / name / "site.json"
        said = json.loads(card.read_text())
        card.write_text(json.dumps(said if engine is None else {**said, "engine": engine}))
    inside = Inside.of(alliance.root, study_file)
    try:
        inside.approve()
        inside.finish()
        return {name: list(inside.released(name)) for name in SITES}
    finally:
        inside.close()


def same_releases(alliance: Alliance, tmp_path: Path, engine: str) -> None:
    study = tmp_path / "whole.yaml"
    study.write_text(WHOLE)
    usual = released(alliance.copied(tmp_path / "usual"), study, None)
    other = released(alliance.copied(tmp_path / "other"), study, engine)
    assert all(len(each) > 3 and not any(_refuses(release) for release in each) for each in usual.values())
    assert _bytes(other) == _bytes(usual)


def _refuses(release: Release) -> bool:
    return release.refused is not None


def _bytes(releases: dict[str, list[Release]]) -> dict[str, list[bytes]]:
    return {site: [each.model_dump_json().encode() for each in mine] for site, mine in releases.items()}


def test_releases_are_the_same_where_a_database_answers(alliance: Alliance, tmp_path: Path) -> None:
    os.environ["PGPASSWORD"] = PASSWORD
    same_releases(alliance, tmp_path, f"postgresql://reader@/postgres?host={shared_postgres()}")


@pytest.mark.slow
def test_releases_are_the_same_where_a_cluster_answers(alliance: Alliance, tmp_path: Path) -> None:
    same_releases(alliance, tmp_path, shared_spark())


@pytest.mark.parametrize("engine", ["oracle://there", "postgresql://me:secret@there/db", "duck", "spark://there"])
def test_an_engine_that_there_is_not_answers_nothing(
    alliance: Alliance, study_file: Path, tmp_path: Path, engine: str
) -> None:
    """No other engine takes its place, and what it is called does not leave."""
    for name in SITES:
        card = alliance.root / name / "site.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), "engine": engine}))
    inside = Inside.of(alliance.root, study_file)
    inside.approve()
    inside.turn(3)
    for name in SITES:
        mine = inside.released(name)
        assert mine
        assert all(_refuses(each) for each in mine)
        assert engine.encode() not in b"".join(each.model_dump_json().encode() for each in mine)
    inside.close()
