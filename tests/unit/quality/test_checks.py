"""Each check counts what was planted for it, passes without it, and is not applicable where there is nothing."""

from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from vitrail.deid.columns import wanted
from vitrail.ingest.fields import SQL_TYPE
from vitrail.omop.snapshot import Check, described
from vitrail.omop.tables import TABLES
from vitrail.quality.report import checked

GOOD = {
    "person": [{"person_id": n, "gender_concept_id": 8507, "year_of_birth": 1950, "race_concept_id": 0,
                "ethnicity_concept_id": 0} for n in (1, 2)],
    "observation_period": [{"observation_period_id": n, "person_id": n, "observation_period_start_date": "2010-01-01",
                            "observation_period_end_date": "2015-12-31", "period_type_concept_id": 0} for n in (1, 2)],
    "condition_occurrence": [{"condition_occurrence_id": n, "person_id": 1, "condition_concept_id": 7,
                              "condition_start_date": "2012-01-01", "condition_end_date": "2012-01-02",
                              "condition_type_concept_id": 0, "visit_occurrence_id": 1} for n in range(1, 101)],
    "death": [{"person_id": 2, "death_date": "2014-01-01", "cause_concept_id": 7}],
    "concept": [{"concept_id": 7, "concept_name": "ill"}],
}  # fmt: skip

CONDITION = "condition_occurrence"

Rows = dict[str, list[dict[str, object]]]


def checks(directory: Path, rows: Rows) -> dict[tuple[str, str], Check]:
    """The checks of tables with these rows, both in the extract and in the snapshot."""
    columns = wanted()
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA extract")
        for name in TABLES:
            kinds = ", ".join(f"{each.name} {SQL_TYPE[each.type]}" for each in columns[name])
            db.execute(f"CREATE TABLE extract.{name} ({kinds})")
            for row in rows.get(name, []):
                db.execute(f"INSERT INTO extract.{name} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                           list(row.values()))  # fmt: skip
            parquet.write_table(db.table(f"extract.{name}").arrow().read_all(), directory / f"{name}.parquet")
        db.execute("UPDATE extract.condition_occurrence SET visit_occurrence_id = 9 WHERE visit_occurrence_id IS NULL")
        files = [described(name, directory / f"{name}.parquet") for name in TABLES]
        return {(each.table, each.name.partition(": ")[2]): each for each in checked(db, directory, files, columns)}


def changed(table: str, number: int, **changes: object) -> Rows:
    rows = {name: [dict(row) for row in given] for name, given in GOOD.items()}
    for row in rows[table][:number]:
        row.update(changes)
    return rows


def test_good_data_pass(tmp_path: Path) -> None:
    found = checks(tmp_path, GOOD)
    assert {each.outcome for each in found.values()} == {"passed", "not applicable"}
    applicable = {table for (table, _), each in found.items() if each.outcome == "passed"}
    assert applicable == {"person", "observation_period", "condition_occurrence", "death"}


def test_nothing_to_check_is_not_passed(tmp_path: Path) -> None:
    assert {each.outcome for each in checks(tmp_path, {}).values()} == {"not applicable"}


@pytest.mark.parametrize(
    ("table", "check", "number", "changes", "outcome", "hard"),
    [
        ("condition_occurrence", "required values are there", 1, {"condition_concept_id": None}, "failed", True),
        ("condition_occurrence", "keys are unique", 2, {"condition_occurrence_id": 50}, "failed", True),
        ("condition_occurrence", "persons are known", 1, {"person_id": 9}, "failed", True),
        ("condition_occurrence", "visits are known", 1, {"visit_occurrence_id": None}, "failed", False),
        ("condition_occurrence", "concepts are in the vocabulary", 1, {"condition_concept_id": 8}, "failed", False),
        ("condition_occurrence", "concept is not 0", 5, {"condition_concept_id": 0}, "passed", False),
        ("condition_occurrence", "concept is not 0", 6, {"condition_concept_id": 0}, "failed", False),
        ("condition_occurrence", "not before birth", 1, {"condition_start_date": "1949-12-31"}, "passed", False),
        ("condition_occurrence", "not before birth", 2, {"condition_start_date": "1949-12-31"}, "failed", False),
        (CONDITION, "not after the extract ends", 2, {"condition_start_date": "2016-01-01"}, "failed", False),
        (CONDITION, "inside an observation period", 2, {"condition_start_date": "2009-12-31"}, "failed", False),
        ("condition_occurrence", "end is not before start", 1, {"condition_end_date": "2011-12-31"}, "failed", True),
        ("person", "persons have an observation period", 1, {"person_id": 3}, "failed", False),
    ],
)  # fmt: skip
def test_what_was_planted_is_counted(
    tmp_path: Path, table: str, check: str, number: int, changes: dict[str, object], outcome: str, hard: bool
) -> None:
    found = checks(tmp_path, changed(table, number, **changes))[table, check]

    assert (found.outcome, found.violations, found.hard) == (outcome, number, hard)


def test_long_after_death(tmp_path: Path) -> None:
    """Sixty days after death are allowed for what is recorded late."""
    after = changed(
        "condition_occurrence", 100, person_id=2, condition_start_date="2014-03-02", condition_end_date=None
    )
    assert checks(tmp_path, after)["condition_occurrence", "not long after death"].violations == 0
    late = changed("condition_occurrence", 100, person_id=2, condition_start_date="2014-03-03", condition_end_date=None)
    found = checks(tmp_path, late)["condition_occurrence", "not long after death"]
    assert (found.violations, found.rows, found.outcome) == (100, 100, "failed")


def test_observation_periods_that_overlap(tmp_path: Path) -> None:
    found = checks(tmp_path, changed("observation_period", 2, person_id=1))
    assert found["observation_period", "observation periods do not overlap"].violations == 1
