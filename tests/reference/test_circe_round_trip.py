"""Definitions of other people, written again: they read as the same definition, and are said in English."""

from pathlib import Path

import pytest

from vitrail.study.aloud import definition_aloud
from vitrail.study.circe import parse_circe, read_circe, write_circe
from vitrail.study.impossible import impossible


@pytest.mark.parametrize("kind", ["library", "attributes"])
def test_what_is_read_is_written_and_read_again(test_data: Path, kind: str) -> None:
    files = sorted((test_data / "circe" / kind / "definitions").glob("*.json"))
    assert len(files) > 90
    for file in files:
        definition = parse_circe(file.read_bytes(), file.stem)
        assert read_circe(write_circe(definition), file.stem) == definition, file.name
        assert definition_aloud(definition)[0].startswith(f"Cohort “{file.stem}”: people enter")


def test_peer_reviewed_definitions_can_be_satisfied(test_data: Path) -> None:
    """Nothing but concept sets that nothing names is found in them."""
    for file in sorted((test_data / "circe" / "library" / "definitions").glob("*.json")):
        told = impossible(parse_circe(file.read_bytes(), file.stem))
        assert all(each.part[0] == "concept_sets" for each in told), file.name
