"""Typed sources: where they may lie, how keys are compared, and that they stay as they are while they are read."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ingest.damage import write
from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest import quarantine
from vitrail.ingest.quarantine import repeated
from vitrail.ingest.source import ingest, whole
from vitrail.omop.sql import exp, sql


def rows(source: Path, scratch: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(config={"temp_directory": str(scratch)}) as db:
        ingest(db, source, "omop", None, None, wanted(), lambda _: None)
        return {name: db.execute(f"SELECT * FROM extract.{name} ORDER BY ALL").fetchall() for name in wanted()}


def test_every_kind_of_source_gives_the_same_rows(tmp_path: Path) -> None:
    """Also where the path has signs that DuckDB takes for patterns."""
    found = [rows(write(tmp_path / f"{kind} [a-z]*", kind), tmp_path / "scratch")
             for kind in ("csv", "csv.gz", "parquet", "parts", "duckdb")]  # fmt: skip
    assert len(found[0]["measurement"]) == 60
    assert all(each == found[0] for each in found)


def test_rows_that_a_duckdb_file_has_only_in_its_log_are_read(tmp_path: Path) -> None:
    source = write(tmp_path / "source", "duckdb")
    script = (
        "import duckdb, os, sys\ndb = duckdb.connect(sys.argv[1])\n"
        "db.execute('INSERT INTO measurement SELECT * REPLACE (measurement_id + 100 AS measurement_id)"
        " FROM measurement')\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(source)], check=True)
    assert source.with_name("cdm.duckdb.wal").exists()
    assert len(rows(source, tmp_path / "scratch")["measurement"]) == 120


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30) | st.integers(0, 2**60), max_size=40), st.integers(1, 50), st.integers(0, 3))
def test_a_repeated_key_is_found_however_keys_lie(keys: list[int], widest: int, at_once: int) -> None:
    """By marks where they are dense, by parts where they are not: the answer is that of a set."""
    before = quarantine.WIDEST, quarantine.AT_ONCE
    quarantine.WIDEST, quarantine.AT_ONCE = widest, at_once + 1
    try:
        with duckdb.connect() as db:
            db.execute("CREATE TABLE t (key BIGINT)")
            for key in (*keys, None, None):
                db.execute("INSERT INTO t VALUES ($1)", [key])
            query = sql("SELECT key FROM t")
            assert isinstance(query, exp.Select)
            assert repeated(db, query) == (len(set(keys)) < len(keys))
    finally:
        quarantine.WIDEST, quarantine.AT_ONCE = before


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "source", "parquet")
    with whole([source]):
        rows(source, tmp_path / "scratch")  # the control: reading is no change
    with pytest.raises(SourceError, match="changed while it was read"), whole([source]):
        (source / "measurement.parquet").write_bytes(b"x")
    with pytest.raises(SourceError, match="changed while it was read"), whole([source]):
        (source / "drug_exposure.parquet").write_bytes(b"x")
    with pytest.raises(SourceError, match="changed while it was read"), whole([source]):
        os.utime(source / "person.parquet", ns=(1, 1))


def test_a_failure_of_the_database_is_a_typed_error_without_its_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="damaged, or memory or disk is short") as caught, whole([tmp_path]):
        duckdb.execute("SELECT CAST('SECRET' AS INTEGER)")
    assert "SECRET" not in str(caught.value)


def test_a_table_in_two_schemas_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "source", "duckdb")
    with duckdb.connect(str(source)) as db:
        db.execute("CREATE SCHEMA secret_one; CREATE TABLE secret_one.person AS FROM person")
    with pytest.raises(SourceError, match="several schemas") as caught:
        rows(source, tmp_path / "scratch")
    assert "secret_one" not in str(caught.value)


def test_parts_that_differ_are_refused(tmp_path: Path) -> None:
    """Read by the names of the first, the others' columns would be lost, or 1.5 be cast to 2."""
    for number, value in enumerate(("1", "1.5")):
        (tmp_path / "source" / "measurement").mkdir(parents=True, exist_ok=True)
        duckdb.execute(f"COPY (SELECT {value} AS measurement_id) TO '{tmp_path}/source/measurement/{number}.parquet'")
    duckdb.execute(
        f"COPY (SELECT 1 AS person_id, 0 AS gender_concept_id, 1950 AS year_of_birth, 0 AS race_concept_id,"
        f" 0 AS ethnicity_concept_id) TO '{tmp_path}/source/person.parquet'"
    )
    with pytest.raises(SourceError, match="part files have different columns"):
        rows(tmp_path / "source", tmp_path / "scratch")
