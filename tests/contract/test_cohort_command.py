"""`vitrail cohort`, as a data engineer's scripts rely on it."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.commands import run
from tests.engines import in_postgres, write_parquet

Json = dict[str, Any]

SECRET = "Zq5ecretKv"
MEMBERS = "cohort_definition_id,subject_id,cohort_start_date,cohort_end_date"
TABLES: dict[str, list[Json]] = {
    "person": [{"person_id": 7, "gender_concept_id": 8507, "year_of_birth": 1950}],
    "observation_period": [
        {
            "observation_period_id": 1, "person_id": 7, "observation_period_start_date": date(2009, 1, 1),
            "observation_period_end_date": date(2012, 1, 1), "period_type_concept_id": 0,
        }
    ],
    "condition_occurrence": [
        {
            "condition_occurrence_id": 1, "person_id": 7, "condition_concept_id": 1, "condition_type_concept_id": 0,
            "condition_start_date": date(2010, 1, 5), "condition_end_date": date(2010, 1, 9),
        }
    ],
}  # fmt: skip
GOUT = """
concept_sets:
  gout: {concepts: [{concept: 1}]}
cohort:
  entry: [{condition: gout}]
  exit: {days_after_end: 0}
"""


def atlas(criterion: Json, **more: Any) -> str:
    """A definition as ATLAS exports it."""
    sets = [{"id": 0, "name": "gout", "expression": {"items": [{"concept": {"CONCEPT_ID": 1}}]}}]
    primary = {"CriteriaList": [criterion], "ObservationWindow": {"PriorDays": 0, "PostDays": 0}}
    return json.dumps({"PrimaryCriteria": primary, "ConceptSets": sets, **more})


CONDITION = {"ConditionOccurrence": {"CodesetId": 0}}


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    directory = tmp_path / "parquet"
    directory.mkdir()
    write_parquet(directory, TABLES)
    return directory


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    """CSV files as many exports name them."""
    directory = tmp_path / "csv"
    directory.mkdir()
    for name, rows in TABLES.items():
        with (directory / f"{name.upper()}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [each.upper() for each in rows[0]])
            writer.writeheader()
            writer.writerows({key.upper(): value for key, value in row.items()} for row in rows)
    return directory


@pytest.fixture
def database(tmp_path: Path, parquet: Path) -> Path:
    path = tmp_path / "cdm.duckdb"
    with duckdb.connect(str(path)) as db:
        for name in TABLES:
            db.execute(f"CREATE TABLE {name} AS SELECT * FROM '{parquet / name}.parquet'")
    return path


@pytest.fixture
def postgres() -> Iterator[str]:
    with in_postgres(TABLES) as address:
        yield f"postgresql://{address.user}@/{address.database}?host={address.host}&schema={address.schema}"


@pytest.fixture
def gout(tmp_path: Path) -> Path:
    path = tmp_path / "0012.json"
    path.write_text(atlas(CONDITION, EndStrategy={"DateOffset": {"DateField": "EndDate", "Offset": 0}}))
    return path


@pytest.mark.parametrize("cdm", ["parquet", "capitals", "database", "postgres"])
def test_members_and_steps(cdm: str, gout: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    out, steps = tmp_path / "members.csv", tmp_path / "steps.csv"
    place = request.getfixturevalue(cdm)
    said = run("cohort", "run", gout, "--cdm", place, "--out", out, "--attrition", steps)
    assert (said.status, said.err) == (0, "")
    assert out.read_text() == f"{MEMBERS}\n12,7,2010-01-05,2010-01-09\n"
    assert steps.read_text().splitlines()[:2] == ["cohort_definition_id,step,label,persons", "12,1,entry events,1"]
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []  # nothing is left behind


def test_yaml_is_read_as_well_and_cohorts_refer_to_each_other(parquet: Path, gout: Path, tmp_path: Path) -> None:
    (tmp_path / "gout.yaml").write_text(GOUT)
    (tmp_path / "after.yaml").write_text("cohort: {entry: [{cohort: gout}], exit: {days_after_start: 1}}")
    out = tmp_path / "members.csv"
    files = [tmp_path / "after.yaml", tmp_path / "gout.yaml", gout]
    assert run("cohort", "run", *files, "--cdm", parquet, "--out", out).status == 0
    assert out.read_text().splitlines()[1:] == [
        "after,7,2010-01-05,2010-01-06", "gout,7,2010-01-05,2010-01-09", "12,7,2010-01-05,2010-01-09"
    ]  # fmt: skip


def test_what_cannot_be_answered_is_told_and_left_out(parquet: Path, gout: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "13.json"
    wrong.write_text(atlas({"ConditionOccurrence": {"Weather": SECRET, SECRET: 1}}))
    noted = tmp_path / "14.json"
    noted.write_text(atlas({"Specimen": {"SpecimenSourceConcept": 0}}))
    out = tmp_path / "members.csv"
    said = run("cohort", "run", wrong, gout, noted, "--cdm", parquet, "--out", out)
    assert said.status == 1
    assert "13.json: The definition is wrong in 2 places." in said.err
    assert "the field Weather is not known here" in said.err
    assert "SpecimenSourceConcept is left out" in said.err
    assert SECRET not in said.err
    assert out.read_text().splitlines()[1:] == ["12,7,2010-01-05,2010-01-09"]
    out.unlink()
    assert run("cohort", "run", wrong, "--cdm", parquet, "--out", out).status == 1
    assert not out.exists()


@pytest.mark.parametrize(("words", "what"), [
    (["nowhere.json"], "cannot be read"),
    (["gout.yaml", "other/gout.yml"], "has the id of another definition"),
    (["gout.yaml", "--cdm", "postgresql://me:Zq5ecretKv@host/db?schema=cdm"], "holds a password"),
    (["gout.yaml", "--cdm", "postgresql://host/db/Zq5ecretKv"], "of the database cannot be read"),
    (["gout.yaml", "--cdm", "postgresql://me@/db?host=/nowhere/Zq5ecretKv"], "database cannot be reached"),
    (["gout.yaml", "--cdm", "spark://host/Zq5ecretKv"], "of the cluster cannot be read"),
    (["gout.yaml", "--cdm", "mysql://host/Zq5ecretKv"], "of a kind that cannot be read"),
    (["gout.yaml", "--cdm", "nowhere"], "no directory of tables"),
    (["gout.yaml", "--cdm", "other"], "has no table person"),
    (["gout.yaml", "--out", "nowhere/members.csv"], "cannot be written"),
])  # fmt: skip
def test_a_wrong_call_is_told(
    words: list[str], what: str, parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    for name in ("gout.yaml", "other/gout.yml"):
        (tmp_path / name).write_text(GOUT)
    cdm = [] if "--cdm" in words else ["--cdm", parquet]
    out = [] if "--out" in words else ["--out", "members.csv"]
    said = run("cohort", "run", *words, *cdm, *out)
    assert (said.status, said.out) == (2, "")
    assert what in said.err
    assert SECRET not in said.err
    assert not (tmp_path / "members.csv").exists()


def test_values_that_do_not_fit_are_told_by_their_column(capitals: Path, gout: Path, tmp_path: Path) -> None:
    file = capitals / "CONDITION_OCCURRENCE.csv"
    file.write_text(file.read_text().replace("2010-01-05", SECRET))
    said = run("cohort", "run", gout, "--cdm", capitals, "--out", tmp_path / "members.csv")
    assert said.status == 2
    assert "CONDITION_OCCURRENCE.csv: 1 values of condition_start_date are not" in said.err
    assert SECRET not in said.err


def test_a_definition_in_english(tmp_path: Path) -> None:
    path = tmp_path / "5.json"
    path.write_text(atlas({"ConditionOccurrence": {"CodesetId": 0, "Age": {"Op": "lt", "Value": 0}}}))
    said = run("cohort", "explain", path)
    assert said.status == 0
    assert "Cohort “5”: people enter at their first condition in “gout” (age at start below 0)." in said.out
    assert "Warning: cohort.entry[1].age: a number that is never negative should be below 0." in said.out
    told = json.loads(run("cohort", "explain", path, "--json").out)
    assert told["id"] == "5"
    assert len(told["asks"]) == 3
    assert len(told["warnings"]) == 1
    assert run("cohort", "explain", tmp_path / "none.json").status == 2
    path.write_text("{")
    assert run("cohort", "explain", path).status == 1
