"""What a definition says reaches the database as rows of tables, never as part of a statement."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
import sqlglot

from tests.engines import duckdb_batch
from vitrail.omop.cohorts import Steps, ended
from vitrail.omop.engines import Answer, locked, spark
from vitrail.omop.occurrences import Form, occurrences
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.definition import Definition

HOSTILE = "'; DROP TABLE person; --"
ROWS: dict[str, list[dict[str, Any]]] = {
    "person": [{"person_id": 1, "year_of_birth": 1950, "gender_concept_id": 8507}],
    "observation_period": [
        {
            "observation_period_id": 1, "person_id": 1, "observation_period_start_date": date(2010, 1, 1),
            "observation_period_end_date": date(2019, 12, 31),
        }
    ],
    "condition_occurrence": [
        {
            "condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 11, "stop_reason": f"{HOSTILE} ended",
            "condition_start_date": date(2015, 3, 1),
        }
    ],
}  # fmt: skip


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that an engine runs."""
    found: list[str] = []
    write = locked._written

    def kept(*asked: Any) -> str:
        found.append(write(*asked))
        return found[-1]

    monkeypatch.setattr(locked, "_written", kept)
    return found


def asked(id: str, text: str, concept: int, days: int, **limits: Any) -> Answer:
    """The answer to a cohort of conditions that begin with ``text`` and have none before."""
    event = {"condition": "set", "stop_reason": {"starts_with": text}, "age": {"at_least": days}, **limits}
    rule = {"name": "first", "of": {"condition": "set"}, "days": [-days, -1], "at_most": 0}
    words = {"entry": [event], "rules": [rule], "exit": {"days_after_start": days}}
    sets = {"set": ConceptSet.model_validate({"concepts": [{"concept": concept}]}, strict=False)}
    with duckdb_batch(ROWS) as engine:
        return engine.run([Definition(id, Cohort.model_validate(words, strict=False), sets)])[id]


def shapes(statements: list[str]) -> list[str]:
    """Statements but those that name the files."""
    return [each for each in statements if "READ_PARQUET" not in each and "allowed_paths" not in each]


def test_a_text_is_compared_and_never_run(statements: list[str]) -> None:
    assert len(asked("1", HOSTILE, 11, 5).rows) == 1
    assert len(asked("2", "ended", 11, 5).rows) == 0, "it is compared indeed"
    assert statements
    assert not any("DROP" in each or "ended'" in each for each in statements)


def test_other_questions_of_the_same_form_are_the_same_statements(statements: list[str]) -> None:
    asked("1", HOSTILE, 11, 5)
    one = shapes(statements)
    statements.clear()
    asked("another", "", 12, 60)
    assert one == shapes(statements)


def test_a_limit_of_another_kind_is_another_condition(statements: list[str]) -> None:
    """Positive control of the test above: it would see a difference."""
    asked("1", HOSTILE, 11, 5)
    one = shapes(statements)
    statements.clear()
    asked("1", HOSTILE, 11, 5, gender={"any_of": [8507]})
    assert one != shapes(statements)


def test_spark_is_asked_for_the_least_of_several_numbers_alone() -> None:
    steps = Steps(*[False] * len(fields(Steps)))
    for each in (steps, replace(steps, censored=True), replace(steps, exposed=True, censored=True)):
        statement = sqlglot.parse_one(spark._text(ended, each), dialect="spark")
        assert all(least.expressions for least in statement.find_all(sqlglot.exp.Least, sqlglot.exp.Greatest))


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
def test_the_parts_of_a_statement_have_names_of_their_own(*, moved: bool, repeated: bool) -> None:
    """Spark puts all of them at the beginning of a statement, wherever they stood."""
    form = Form("condition", ("concept",), first=True, limits=("age__above",), moved=moved, repeated=repeated)
    statement = sqlglot.parse_one(spark._text(occurrences, form), dialect="spark")
    names = [each.alias for each in statement.find_all(sqlglot.exp.CTE)]
    assert len(names) == len(set(names)) == 1 + moved + repeated
