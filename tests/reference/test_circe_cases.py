"""circe-be's own tests, as data: its cohorts, groups, windows and criteria find here what they find there."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.circe_cases import case_tables, negative_control, rows_of, steps
from tests.engines import BATCHES
from vitrail.errors import StudyError
from vitrail.study.attributes import Domain
from vitrail.study.circe import read_circe

NEGATIVE_CONTROLS: dict[str, tuple[Domain, int, bool, bool]] = {
    "NegativeControlGeneration_5_0_0_Test.allOccurrencesTest": ("drug", 1, True, False),
    "NegativeControlGeneration_5_0_0_Test.detectOnDescendantsTrueTest": ("procedure", 1, True, False),
}
"""What the cases say in Java alone: domain, concept, with descendants, the first only."""

KINDS = ("cohort", "criteria", "group", "windowed", "negative_control")


def cases(test_data: Path, kind: str) -> list[dict[str, Any]]:
    read = [json.loads(path.read_text()) for path in sorted((test_data / "circe" / "cases").glob("*.json"))]
    assert {case["level"] for case in read} == set(KINDS)
    return [case for case in read if case["level"] == kind]


@pytest.mark.parametrize("kind", ["cohort", "criteria", "group", "windowed"])
@pytest.mark.parametrize("engine", BATCHES)
def test_steps_give_what_they_give_in_the_reference(test_data: Path, engine: str, kind: str) -> None:
    compared = 0
    for case in cases(test_data, kind):
        read = list(steps(case))
        for step, _ in read:
            if step.refused is not None:
                with pytest.raises(StudyError):
                    read_circe(step.refused, "1")
        asked = [definition for step, _ in read for definition in step.definitions]
        with BATCHES[engine](read[0][1]) as opened:
            found = {id: rows_of(answer) for id, answer in opened.run(asked).items()}
        assert found == {id: rows for step, _ in read for id, rows in step.expected.items()}, case["id"]
        compared += len(asked)
    assert compared > 3


@pytest.mark.parametrize("engine", BATCHES)
def test_negative_controls(test_data: Path, engine: str) -> None:
    """The reference looks at nobody's observation, so here everybody is observed always."""
    for case in cases(test_data, "negative_control"):
        domain, concept, descendants, first = NEGATIVE_CONTROLS[case["id"]]
        tables = case_tables(case)
        tables["observation_period"] = [
            {
                "observation_period_id": row["person_id"], "person_id": row["person_id"],
                "observation_period_start_date": date(1900, 1, 1), "observation_period_end_date": date(2100, 1, 1),
            }
            for row in tables["person"]
        ]  # fmt: skip
        # the concept itself is not among its descendants in these tables, where the reference looks for no other
        tables["procedure_occurrence"] = [
            row for row in tables.get("procedure_occurrence", []) if row["procedure_concept_id"] != concept
        ]
        with BATCHES[engine](tables) as opened:
            answer = opened.run([negative_control("1", domain, concept, descendants=descendants, first=first)])["1"]
        [wanted] = case["expected"].values()
        assert rows_of(answer) == sorted(
            (row["subject_id"], *(date.fromisoformat(row[f"cohort_{side}_date"]) for side in ("start", "end")))
            for row in wanted
        )
