"""The pages on OMOP tables tell the truth: the export of PostgreSQL runs and loads, reasons are those of the code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.databases import PASSWORD, postgres
from vitrail.deid.columns import wanted
from vitrail.ingest import cdm, records
from vitrail.ingest.ends import LONG_STAYS, LONGEST_SUPPLY
from vitrail.ingest.extract import Extract
from vitrail.ingest.periods import ALGORITHM, EVENTS
from vitrail.ingest.source import ingest

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def load(source: Path) -> tuple[Extract, list[tuple[object, ...]]]:
    with duckdb.connect(config={"temp_directory": str(source / "scratch")}) as db:
        extract = ingest(db, source, "omop", None, None, wanted(), lambda _: None)
        return extract, db.execute("SELECT * FROM extract.note ORDER BY ALL").fetchall()


def test_the_export_of_postgresql_loads(tmp_path: Path, root: Path) -> None:
    page = root / "docs/how-to/export-to-parquet.md"
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    with postgres() as socket:
        with psycopg.connect(host=str(socket), user="reader", dbname="postgres", password=PASSWORD) as db:
            db.execute("CREATE SCHEMA cdm")
            db.execute("CREATE TABLE cdm.person AS SELECT 1 AS person_id, 8507 AS gender_concept_id, 1950 AS"
                       " year_of_birth, 0 AS race_concept_id, 0 AS ethnicity_concept_id")  # fmt: skip
            db.execute("CREATE TABLE cdm.note AS SELECT 1 AS note_id, 1 AS person_id, DATE '2010-01-01' AS note_date,"
                       " 0 AS note_type_concept_id, 0 AS note_class_concept_id, E'two\nlines, \"quoted\"' AS note_text,"
                       " 0 AS encoding_concept_id, 0 AS language_concept_id")  # fmt: skip
        (script,) = blocks(page, "bash")
        where = {"PGHOST": str(socket), "PGUSER": "reader", "PGDATABASE": "postgres", "PGPASSWORD": PASSWORD}
        subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=60,
                       env={**os.environ, **where})  # fmt: skip
    extract, notes = load(tmp_path / "extract")
    assert {each.source: (each.rows_in, each.loaded) for each in extract.accounts} == {"person": (1, 1), "note": (1, 1)}
    assert 'two\nlines, "quoted"' in notes[0]
    shutil.rmtree(tmp_path / "extract" / "scratch")
    python = next(each for each in blocks(page, "python") if "duckdb" in each)
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, timeout=60)
    assert sorted(path.name for path in (tmp_path / "extract").iterdir()) == ["note.parquet", "person.parquet"]
    assert load(tmp_path / "extract")[1] == notes


def test_reasons_on_the_page_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs/how-to/bring-omop.md").read_text()
    for reason in (records.DUPLICATE, records.UNKNOWN_PERSON, records.OTHER_DEATH, records.MERGED, cdm.NOT_HELD,
                   cdm.NOT_OMOP):  # fmt: skip
        assert reason in page, reason


def test_figures_on_the_page_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs/reference/derived-tables.md").read_text()
    for figure in (ALGORITHM, *LONG_STAYS):
        assert str(figure) in page
    assert f"1 to {LONGEST_SUPPLY:,}" in page
    assert len(EVENTS) == 10
