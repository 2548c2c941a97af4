"""OMOP tables: rows in = rows loaded + rows quarantined, each for the reason that a naive reading gives."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract, open_schemas
from vitrail.ingest.fields import WANTED
from vitrail.ingest.records import DUPLICATE, NO_YEAR, UNKNOWN_PERSON, Account, Faulty
from vitrail.ingest.source import ingest
from vitrail.omop.tables import TABLES

COLUMNS = {
    name: tuple(each for each in table.columns if each.type not in ("str", "datetime") or name.startswith("concept"))
    for name, table in TABLES.items()
}
PERSON = ("person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id")
PERIOD = tuple(each.name for each in TABLES["observation_period"].columns)
DRUG = ("drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date",
        "drug_type_concept_id", "quantity")  # fmt: skip

Row = Sequence[str]


def write(path: Path, header: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def load(directory: Path, **changes: object) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"threads": 1})
    given = {"format": "omop", "mapping": None, "vocabulary": None, "columns": COLUMNS, "tell": lambda _: None}
    return ingest(db, directory, **{**given, **changes}), db  # type: ignore[arg-type]


def parsed(kind: str, text: str) -> object:
    """What a text is by the grammar alone; None where it is nothing of that kind."""
    if kind == "date":
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        return day if 1800 <= day.year < 2200 else None
    if kind == "float":
        return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None
    if not re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", text):
        return None
    number = int(float(text))
    return number if (kind == "id" and text[0] not in "+-") or (kind == "int" and abs(number) < 2**31) else None


def own_fault(table: str, header: Sequence[str], row: Row) -> str | None:
    """The first fault of a row by itself, in the order of OMOP's columns."""
    of, texts = TABLES[table], dict(zip(header, row, strict=True))
    for column in of.columns:
        text = texts.get(column.name, "").strip()
        if text and parsed(column.type, text) is None:
            return f"{column.name} is not {WANTED[column.type]}"
        if not text and column.required and column.name != "drug_exposure_end_date":  # this is inferred
            return f"{column.name} is missing"
    if of.start and of.end and texts.get(of.end) and texts[of.end] < texts[of.start]:
        return f"{of.end} is before {of.start}"
    return None


def judged(
    table: str, header: Sequence[str], rows: Sequence[Row], persons: set[int] | None
) -> tuple[Counter[str], set[int]]:
    """How many rows each reason quarantines, and the keys of those loaded."""
    reasons: Counter[str] = Counter()
    seen: set[object] = set()
    loaded: set[int] = set()
    for row in rows:
        texts = dict(zip(header, row, strict=True))
        key = parsed("id", texts[TABLES[table].key].strip())
        fault = own_fault(table, header, row)
        if fault is None and key in seen:
            fault = f"{table}: {DUPLICATE}"
        if fault is None:
            seen.add(key)
            if persons is not None and parsed("id", texts["person_id"].strip()) not in persons:
                fault = UNKNOWN_PERSON
        if fault is None:
            loaded.add(int(texts[TABLES[table].key].strip().split(".")[0]))
        else:
            reasons[fault] += 1
    return reasons, loaded


IDS = st.sampled_from(["1", "2", "3", "4", "5", "6", " 7 ", "8.0", "", "x", "-1", "1.5", "99999999999999999999"])
GOOD_IDS = st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "8"])
INTS = st.sampled_from(["8507", "8532", "0", "", "2147483648", "4e3", "1_0"])
DATES = st.sampled_from(["2020-01-01", "2020-01-02", "2019-12-31", "", "2020-02-30", "31.12.2020", "1700-01-01"])
FLOATS = st.sampled_from(["1", "2.5", "", "-3", "<5", "1,5"])
PERSONS = st.lists(st.tuples(IDS, INTS, st.sampled_from(["1950", "", "19x0"]), INTS, st.just("0")), max_size=40)
PERIODS = st.lists(st.tuples(IDS, GOOD_IDS, DATES, DATES, st.just("44814724")), max_size=40)
DRUGS = st.lists(st.tuples(IDS, IDS, INTS, DATES, DATES, st.just("0"), FLOATS), max_size=60)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PERSONS, PERIODS, DRUGS)
def test_each_row_is_loaded_or_quarantined_for_its_reason(
    tmp_path: Path, people: list[Row], periods: list[Row], drugs: list[Row]
) -> None:
    write(tmp_path / "person.csv", PERSON, people)
    write(tmp_path / "Observation_Period.CSV", PERIOD, periods)
    write(tmp_path / "DRUG_EXPOSURE.csv", DRUG, drugs)
    extract, db = load(tmp_path)
    persons: set[int] | None = None
    files = [("person", PERSON, people), ("observation_period", PERIOD, periods), ("drug_exposure", DRUG, drugs)]
    for table, header, rows in files:
        reasons, loaded = judged(table, header, rows, persons)
        persons = loaded if table == "person" else persons
        found = Counter({each.reason: each.rows for each in extract.quarantined if each.source == table})
        assert found == reasons
        assert extract.rows_in[table] == len(rows)
        assert extract.rows_loaded[table] == len(loaded)
        keys = {row[0] for row in db.execute(f"SELECT {TABLES[table].key} FROM extract.{table}").fetchall()}
        assert keys == loaded
    db.close()


def small(directory: Path, changes: Mapping[str, tuple[Sequence[str], Sequence[Row]]]) -> None:
    tables = {"person": (PERSON, [("1", "8507", "1950", "0", "0")]),
              "observation_period": (PERIOD, [("1", "1", "2020-01-01", "2020-12-31", "0")]), **changes}  # fmt: skip
    for name, (header, rows) in tables.items():
        write(directory / f"{name}.csv", header, rows)


def test_a_year_of_birth_that_is_no_year_is_quarantined(tmp_path: Path) -> None:
    """A number that somebody wrote into the wrong column must not end the load of everybody."""
    rows = [
        (str(n), "8507", year, "0", "0") for n, year in enumerate(("1800", "1799", "1950", "1834415113", "2199", "-5"))
    ]
    small(tmp_path, {"person": (PERSON, rows)})
    extract, db = load(tmp_path)
    assert db.execute("SELECT year_of_birth FROM extract.person ORDER BY 1").fetchall() == [(1800,), (1950,), (2199,)]
    (person,) = [each for each in extract.accounts if each.source == "person"]
    assert person.quarantined == (Faulty(NO_YEAR, 3, 2),)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    small(tmp_path, {"person": (("person_id", "ssn"), [("1", "SECRET")])})
    with pytest.raises(SourceError, match="lacks gender_concept_id, year_of_birth, race_concept_id") as caught:
        load(tmp_path)
    assert "SECRET" not in str(caught.value)


def test_a_missing_header_is_a_missing_column_and_shows_no_value(tmp_path: Path) -> None:
    small(tmp_path, {"person": (("SECRET", "8507", "1950", "0", "1"), [])})
    with pytest.raises(SourceError, match="lacks person_id") as caught:
        load(tmp_path)
    assert "SECRET" not in str(caught.value)


def test_missing_tables_and_doubled_ones(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no table person"):
        load(tmp_path)
    small(tmp_path, {})
    (tmp_path / "PERSON.parquet").write_bytes(b"")
    with pytest.raises(SourceError, match="two files for person"):
        load(tmp_path)
    (tmp_path / "PERSON.parquet").unlink()
    with pytest.raises(SourceError, match="does not exist"):
        load(tmp_path / "none")
    with pytest.raises(SourceError, match="no mapping file"):
        load(tmp_path, mapping=tmp_path / "m.yaml")


def test_columns_that_omop_does_not_know_are_told_and_those_of_5_3_are_renamed(tmp_path: Path) -> None:
    header = ("visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date", "visit_end_date",
              "visit_type_concept_id", "discharge_to_concept_id", "ward")  # fmt: skip
    row = ("7", "1", "9202", "2020-01-01", "2020-01-01", "0", "8536", "west")
    small(tmp_path, {"visit_occurrence": (header, [row])})
    extract, db = load(tmp_path)
    assert extract.ignored == {"visit_occurrence": ("column 8",)}
    assert db.execute("SELECT discharged_to_concept_id FROM extract.visit_occurrence").fetchall() == [(8536,)]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    small(tmp_path, {})
    drugs = {"drug_exposure_id": [1, 2], "PERSON_ID": [1, 2], "drug_concept_id": pa.array([5, 6], pa.int64()),
             "drug_exposure_start_date": [date(2020, 1, 1)] * 2, "drug_exposure_end_date": [date(2020, 1, 2)] * 2,
             "drug_type_concept_id": ["0", "0"], "quantity": pa.array([48.1, None], pa.float32())}  # fmt: skip
    parquet.write_table(pa.table(drugs), tmp_path / "drug_exposure.parquet")
    extract, db = load(tmp_path)
    assert db.execute("SELECT drug_exposure_id, quantity FROM extract.drug_exposure").fetchall() == [(1, 48.1)]
    assert [(each.reason, each.rows, each.first_row) for each in extract.quarantined] == [(UNKNOWN_PERSON, 1, 2)]


def test_a_sum_that_fails_is_an_error() -> None:
    with pytest.raises(SourceError, match="rows were lost"):
        Account("labs", 3, 1, (Faulty("a reason", 1),))


def test_a_vocabulary_as_athena_writes_it(tmp_path: Path) -> None:
    small(tmp_path, {})
    header = [each.name for each in TABLES["concept"].columns]
    (tmp_path / "CONCEPT.csv").write_text(
        "\t".join(header) + '\n1\tA 5" cut\tCondition\tX\tX\tS\tc1\t19700101\t20991231\t\n'
    )
    _, db = load(tmp_path)
    assert db.execute("SELECT concept_name, valid_end_date FROM extract.concept").fetchall() == [
        ('A 5" cut', date(2099, 12, 31))
    ]
    assert db.execute("SELECT * FROM extract.concept_ancestor").fetchall() == [(1, 1, 0, 0)]


HAND = ("concept_id", "concept_name", "domain_id", "parent")


def test_a_vocabulary_written_by_hand(tmp_path: Path) -> None:
    rows = [("1", "a", "Condition", ""), ("2", "b", "Condition", "1"), ("3", "c", "Condition", "1 2")]
    small(tmp_path, {"concept": (HAND, rows)})
    extract, db = load(tmp_path)
    found = db.execute("SELECT * FROM extract.concept_ancestor ORDER BY ALL").fetchall()
    assert found == [(1, 1, 0, 0), (1, 2, 1, 1), (1, 3, 1, 2), (2, 2, 0, 0), (2, 3, 1, 1), (3, 3, 0, 0)]
    assert extract.ignored == {}
    small(tmp_path, {"concept": (HAND, [("1", "a", "x", "SECRET")])})
    with pytest.raises(SourceError, match="a parent is no concept id") as caught:
        load(tmp_path)
    assert "SECRET" not in str(caught.value)


def test_schemas_are_made_once() -> None:
    with duckdb.connect() as db:
        open_schemas(db)
        names = {row[0] for row in db.execute("SELECT schema_name FROM duckdb_schemas()").fetchall()}
    assert {"staged", "typed", "extract", "given", "lookup"} <= names
