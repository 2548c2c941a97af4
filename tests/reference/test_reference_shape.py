"""Generated definitions as one batch, beside SQL of the shape that the reference implementation writes: equal rows."""

from pathlib import Path

import pytest

from bench import cohorts
from bench.measured import Clock
from vitrail.synthetic.generate import generate
from vitrail.synthetic.systems import SYSTEMS


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    generate(folder, SYSTEMS["community"], persons=300, seed=3)
    return folder


def test_a_batch_and_one_script_after_another_give_the_same_rows(people: Path) -> None:
    ours, theirs = (side(Clock(), people, 40, 1) for side in cohorts.SIDES.values())
    assert ours == theirs
    assert int(ours.split()[0]) > 1_000


def test_no_two_definitions_are_alike(people: Path) -> None:
    made = cohorts.definitions(200, cohorts.concepts(people))
    assert len({repr((each.cohort, each.concept_sets)) for each in made}) == 200
    assert sum(bool(each.cohort.rules) for each in made) >= 30
    assert any(each.cohort.exit.exposed_to for each in made)
