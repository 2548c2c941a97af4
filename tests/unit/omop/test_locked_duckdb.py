"""The DuckDB engine reads the files it was given, and nothing else; its errors say nothing of the data."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from tests.engines import write_parquet
from vitrail import wire
from vitrail.errors import EngineError, SnapshotError, StudyError
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.engines.locked import LockedDuckDB
from vitrail.omop.snapshot import File, Manifest, Origin, directory_name, verified
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

STUDY = Study.model_validate(
    {
        "vitrail": "study/1", "title": "Locked", "purpose": "characterisation", "question": "What can be read?",
        "protocol": "Only what was given.", "authors": ["Vitrail"],
        "concept_sets": {"asthma": {"concepts": [{"concept": 11}]}},
        "cohorts": {"asthma": {"entry": [{"condition": "asthma"}]}},
        "analyses": {"who": {"kind": "characterise", "cohorts": ["asthma"]}},
    },
    strict=False,
)  # fmt: skip

ROWS = {
    "observation_period": [
        {
            "observation_period_id": 1, "person_id": 1,
            "observation_period_start_date": date(2010, 1, 1), "observation_period_end_date": date(2012, 1, 1),
        }
    ],
    "condition_occurrence": [
        {
            "condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 11,
            "condition_start_date": date(2011, 1, 1),
        }
    ],
}  # fmt: skip


def read(path: Path) -> exp.Query:
    return exp.select(exp.Star()).from_(exp.func("read_parquet", exp.Literal.string(str(path))))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_parquet(tmp_path, ROWS)


@pytest.fixture
def locked(files: dict[str, Path]) -> Iterator[LockedDuckDB]:
    database = LockedDuckDB([files["condition_occurrence"]], threads=1, memory_limit="200MB")
    yield database
    database.close()


def test_a_given_file_is_read(locked: LockedDuckDB, files: dict[str, Path]) -> None:
    assert len(locked.rows(read, files["condition_occurrence"])) == 1


def test_another_file_is_refused(locked: LockedDuckDB, files: dict[str, Path]) -> None:
    with pytest.raises(EngineError) as refused:
        locked.rows(read, files["observation_period"])
    assert isinstance(refused.value.__cause__, duckdb.PermissionException)


def test_a_pattern_that_matches_a_given_file_is_refused(locked: LockedDuckDB, files: dict[str, Path]) -> None:
    with pytest.raises(EngineError) as refused:
        locked.rows(read, files["condition_occurrence"].parent / "*.parquet")
    assert isinstance(refused.value.__cause__, duckdb.PermissionException)


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true", "SET lock_configuration = false", "SET threads = 8",
        "SET temp_directory = 'spill'", "INSTALL httpfs", "LOAD httpfs", "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'", "SELECT * FROM 'https://localhost/x.parquet'",
    ],
)  # fmt: skip
def test_nothing_can_be_unlocked_written_or_loaded(
    locked: LockedDuckDB, statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error):
        locked._connection.execute(statement)
    assert sorted(tmp_path.iterdir()) == before


def test_the_same_statements_work_unlocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: what is refused above is refused by the lock, not by a misspelling."""
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(":memory:") as open_database:
        open_database.execute("SET threads = 8")
        open_database.execute("SET temp_directory = 'spill'")
        open_database.execute("COPY (SELECT 1) TO 'out.csv'")
        open_database.execute("ATTACH 'other.db'")
    assert (tmp_path / "out.csv").exists()


def test_too_little_memory_is_an_engine_error_and_spills_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = pa.table({"number": np.arange(3_000_000)})
    pq.write_table(numbers, tmp_path / "numbers.parquet")
    database = LockedDuckDB([tmp_path / "numbers.parquet"], threads=1, memory_limit="10MB")
    with pytest.raises(EngineError, match="memory"):
        database.keep("numbers", lambda: read(tmp_path / "numbers.parquet").order_by(exp.column("number").desc()))
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.parquet"]


def test_an_odd_path_is_only_a_path(tmp_path: Path) -> None:
    directory = tmp_path / "it's [1] *odd* ?; SELECT"
    directory.mkdir()
    with DuckDBEngine(STUDY, write_parquet(directory, ROWS)) as engine:
        assert len(engine.cohort("asthma")) == 1


def test_a_verified_snapshot_is_read(files: dict[str, Path]) -> None:
    directory = files["condition_occurrence"].parent
    entries = tuple(
        File(
            table=table, file=path.name, sha256=wire.digest(path.read_bytes()), bytes=path.stat().st_size,
            rows=pq.read_metadata(path).num_rows,
        )
        for table, path in files.items()
    )  # fmt: skip
    manifest = Manifest(
        vitrail="snapshot/1",
        cdm_version="5.4",
        origin=Origin(name="test", format="omop", public=True),
        profile="already-deidentified",
        calendar="true",
        vocabulary=wire.digest(b""),
        files=entries,
        rows_in={},
        quarantined=(),
        checks=(),
    )
    (directory / "manifest.json").write_bytes(manifest.canonical())
    named = directory.rename(directory.with_name(directory_name(manifest.id)))
    with DuckDBEngine.of_snapshot(STUDY, verified(named)) as engine:
        assert engine.cohort("asthma").person.tolist() == [1]


def test_no_table_at_all_is_an_empty_site() -> None:
    age = Covariate(name="age", age=True)
    with DuckDBEngine(STUDY, {}) as engine:
        rows = engine.cohort("asthma")
        assert len(rows) == 0
        assert [step.persons for step in engine.attrition("asthma")] == [0, 0]
        assert engine.covariates(rows, [age]).shape == (0, 1)


def test_a_missing_column_is_named(files: dict[str, Path]) -> None:
    table = pq.read_table(files["condition_occurrence"])
    pq.write_table(table.drop_columns(["condition_start_date"]), files["condition_occurrence"])
    with pytest.raises(SnapshotError, match="condition_start_date"):
        DuckDBEngine(STUDY, files)


def test_a_file_that_is_not_parquet_is_named(files: dict[str, Path]) -> None:
    files["condition_occurrence"].write_text("condition_occurrence_id,person_id\n")
    with pytest.raises(SnapshotError, match="condition_occurrence"):
        DuckDBEngine(STUDY, files)


def test_an_error_tells_no_value(files: dict[str, Path]) -> None:
    table = pq.read_table(files["condition_occurrence"])
    odd = table.set_column(table.column_names.index("person_id"), "person_id", pa.array(["Jane Doe 1950"]))
    pq.write_table(odd, files["condition_occurrence"])
    with DuckDBEngine(STUDY, files) as engine, pytest.raises(EngineError) as failed:
        engine.cohort("asthma")
    assert "Jane" not in str(failed.value)
    assert "Jane" in str(failed.value.__cause__), "DuckDB's own text would have told"


def test_a_failed_question_leaves_nothing_behind_that_would_answer_the_next_one_wrongly(files: dict[str, Path]) -> None:
    with DuckDBEngine(STUDY, files) as engine:
        good = files["condition_occurrence"].read_bytes()
        files["condition_occurrence"].write_bytes(good[: len(good) // 2])
        with pytest.raises(EngineError):
            engine.cohort("asthma")
        files["condition_occurrence"].write_bytes(good)
        assert len(engine.cohort("asthma")) == 1


def test_what_the_study_does_not_define_cannot_be_asked(files: dict[str, Path]) -> None:
    covariate = Covariate.model_validate({"name": "x", "has": {"drug": "nothing"}, "days": (None, 0)}, strict=False)
    with DuckDBEngine(STUDY, files) as engine:
        with pytest.raises(StudyError):
            engine.cohort("nobody")
        with pytest.raises(StudyError):
            engine.covariates(engine.cohort("asthma"), [covariate])
