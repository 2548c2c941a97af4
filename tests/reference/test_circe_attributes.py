"""654 definitions of one Circe feature each, on small tables: the rows are those of the reference implementation."""

import json
from pathlib import Path

import pytest

from tests.circe_cases import Json, definitions, differing, expected_rows, read_cdm
from tests.engines import BATCHES, spark_batch
from vitrail.study.definition import Definition

QUICK = 8
"""Of so many definitions, the naive engine tries one in `make test`, and all in `make soak`."""


@pytest.fixture(scope="module")
def circe(test_data: Path) -> Path:
    return test_data / "circe" / "attributes"


@pytest.fixture(scope="module")
def right(circe: Path) -> list[Definition]:
    """The definitions for which the reference is not known to be wrong."""
    names: dict[str, str] = json.loads((circe / "index.json").read_text())
    wrong = json.loads((circe / "known_reference_bugs.json").read_text())["cases_with_suspect_expected"]
    return [each for each in definitions(circe / "definitions") if names[each.id] not in wrong]


@pytest.fixture(scope="module")
def cdm(circe: Path) -> dict[str, list[Json]]:
    return read_cdm(circe / "cdm")


@pytest.mark.parametrize("engine", BATCHES)
def test_rows_are_those_of_the_reference(
    circe: Path, right: list[Definition], cdm: dict[str, list[Json]], engine: str
) -> None:
    assert len(right) > 600
    asked = right[::QUICK] if engine == "memory" else right
    with BATCHES[engine](cdm) as opened:
        answers = opened.run(asked)
    assert differing(answers, expected_rows(circe / "expected.csv")) == {}
    assert len(answers) == len(asked)


@pytest.mark.slow
def test_rows_on_a_cluster_are_those_of_the_reference(
    circe: Path, right: list[Definition], cdm: dict[str, list[Json]]
) -> None:
    with spark_batch(cdm) as opened:
        assert differing(opened.run(right[::QUICK]), expected_rows(circe / "expected.csv")) == {}


@pytest.mark.slow
def test_all_rows_of_the_naive_engine_are_those_of_the_reference(
    circe: Path, right: list[Definition], cdm: dict[str, list[Json]]
) -> None:
    with BATCHES["memory"](cdm) as opened:
        assert differing(opened.run(right), expected_rows(circe / "expected.csv")) == {}
