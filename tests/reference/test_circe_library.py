"""97 definitions of OHDSI's PhenotypeLibrary on three data sets: the rows are those of the reference implementation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.circe_cases import Json, definitions, differing, expected_rows, read_cdm
from tests.engines import BATCHES
from vitrail.study.definition import Definition

CDMS = ("fuzz_cdm54", "gibleed_cdm53", "synthea27nj_cdm54")
SOME = 60
"""In `make test` one of so many persons of the first data set is asked for; in `make soak` all of all."""


@pytest.fixture(scope="module")
def library(test_data: Path) -> list[Definition]:
    return definitions(test_data / "circe" / "library" / "definitions")


def one_of(many: int) -> Callable[[int], bool]:
    return lambda person: person % many == 0


def wrong(
    test_data: Path, engine: str, name: str, library: list[Definition], persons: Callable[[int], bool]
) -> dict[str, object]:
    """The definitions whose rows of some persons differ; fails where there is no row to compare."""
    tables: dict[str, list[Json]] = read_cdm(test_data / "omop" / name, persons)
    with BATCHES[engine](tables) as opened:
        answers = opened.run(library)
    expected = expected_rows(test_data / "circe" / "library" / f"expected_on_{name}.csv")
    assert any(persons(row[0]) for rows in expected.values() for row in rows)
    return dict(differing(answers, expected, persons))


@pytest.mark.parametrize("engine", BATCHES)
def test_rows_are_those_of_the_reference(test_data: Path, library: list[Definition], engine: str) -> None:
    assert len(library) == 97
    assert wrong(test_data, engine, CDMS[0], library, one_of(SOME)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", CDMS)
@pytest.mark.parametrize("engine", BATCHES)
def test_all_rows_are_those_of_the_reference(
    test_data: Path, library: list[Definition], engine: str, name: str
) -> None:
    assert wrong(test_data, engine, name, library, one_of(1)) == {}
