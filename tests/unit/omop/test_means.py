"""What an engine takes of the machine where nobody says, and what it does where that is too little."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.engines import write_parquet
from vitrail.errors import TooLittleMemory
from vitrail.omop.engines import means, study
from vitrail.omop.engines.duckdb import DuckDBBatch
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.definition import Definition

MB = 2**20
SETS = {"all": ConceptSet(concepts=(ConceptItem(concept=1),))}
EVERY = Definition("1", Cohort.model_validate_json('{"entry": [{"condition": "all"}], "era_pad": 1}'), SETS)


def test_few_rows_get_one_thread_and_many_no_more_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means.os, "cpu_count", lambda: 4)
    assert [means.threads_for(rows) for rows in (0, 500_000, 1_000_000, 10**9)] == [1, 1, 2, 4]


def test_ranges_grow_with_the_rows_and_shrink_with_the_memory() -> None:
    assert means.ranges_for(13_400_000, 4096 * MB) == 1
    assert means.ranges_for(13_400_000, 512 * MB) == 8
    assert means.ranges_for(10**9, 512 * MB) == means.MOST_RANGES


def test_memory_is_half_of_what_the_machine_and_the_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4194304 kB\n")
    monkeypatch.setattr(means, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(means, "_CGROUP", tmp_path)
    assert means.memory_there() == 2048 * MB
    (tmp_path / "memory.max").write_text(f"{1500 * MB}\n")
    (tmp_path / "memory.current").write_text(f"{500 * MB}\n")
    assert means.memory_there() == 500 * MB
    (tmp_path / "memory.max").write_text("max\n")
    assert means.memory_there() == 2048 * MB


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """600 persons with 200 conditions each."""
    first, last = date(2000, 1, 1), date(2020, 1, 1)
    persons = range(1, 601)
    conditions = [
        {"condition_occurrence_id": 1000 * person + n, "person_id": person, "condition_concept_id": 1,
         "condition_start_date": first + timedelta(days=10 * n)}
        for person in persons for n in range(200)
    ]  # fmt: skip
    periods = [
        {"observation_period_id": person, "person_id": person, "observation_period_start_date": first,
         "observation_period_end_date": last, "period_type_concept_id": 1} for person in persons
    ]  # fmt: skip
    tables = {
        "person": [{"person_id": person, "gender_concept_id": 8507, "year_of_birth": 1950} for person in persons],
        "observation_period": periods, "condition_occurrence": conditions,
    }  # fmt: skip
    return write_parquet(tmp_path_factory.mktemp("people"), tables)


def test_where_the_memory_is_too_little_persons_are_worked_at_in_more_ranges(people: dict[str, Path]) -> None:
    with DuckDBBatch(people) as ample:
        want = ample.run([EVERY])["1"]
    with DuckDBBatch(people, memory=22 * MB, ranges=1, threads=1) as scarce:
        found = scarce.run([EVERY])["1"]
        assert scarce._ranges > 1
    assert found.attrition == want.attrition
    assert found.rows.person.tolist() == want.rows.person.tolist()
    assert found.rows.start.tolist() == want.rows.start.tolist()


def test_where_ranges_may_not_grow_it_says_so(people: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: one range alone does not fit."""
    monkeypatch.setattr(study, "MOST_RANGES", 1)
    with DuckDBBatch(people, memory=22 * MB, ranges=1, threads=1) as scarce, pytest.raises(TooLittleMemory):
        scarce.run([EVERY])


WITH = "import pandas; from vitrail.cli import main; main()"
WITHOUT = "from vitrail.cli.__main__ import start; start()"


@pytest.mark.parametrize(("start", "loaded"), [(WITHOUT, False), (WITH, True)])
def test_the_command_line_loads_no_pandas(start: str, loaded: bool, people: dict[str, Path], tmp_path: Path) -> None:
    """DuckDB and Arrow would, wherever it is installed; that is most of the time of a small batch."""
    places = (tmp_path / "1.yaml", "--cdm", people["person"].parent, "--out", tmp_path / "members.csv")
    words = ["cohort", "run", *map(str, places)]
    (tmp_path / "1.yaml").write_text(
        "concept_sets: {all: {concepts: [{concept: 1}]}}\ncohort: {entry: [{condition: all}]}\n"
    )
    program = f"import sys, atexit; sys.argv = {['vitrail', *words]!r}\n"
    program += f"atexit.register(lambda: print('pandas' in sys.modules)); {start}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(loaded)
