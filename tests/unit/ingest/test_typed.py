"""A table that has types gives the same extract and the same account as its text."""

import csv
import tempfile
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vitrail.deid.columns import wanted
from vitrail.ingest.extract import open_schemas
from vitrail.ingest.fields import SQL_TYPE, parsed, present
from vitrail.ingest.omop import load_table
from vitrail.ingest.records import Account
from vitrail.ingest.typed import typed
from vitrail.omop.sql import column, sql
from vitrail.omop.tables import TABLES, Type

SOURCES = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE",
           "DECIMAL(5,2)", "DECIMAL(10,0)", "DECIMAL(15,3)", "DECIMAL(18,4)", "DECIMAL(38,0)", "DECIMAL(38,10)",
           "DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_S", "TIMESTAMPTZ", "VARCHAR", "BOOLEAN"]  # fmt: skip
TEXTS = ["0", "1", "-1", "7.0", "7.5", "127", "32768", "2147483647", "2147483648", "-2147483648", "1000000000000000000",
         "999999999999999999", "18446744073709551615", "48.1", "0.1", "-0.0", "1e99", "9.999999999999999e99", "1e100",
         "1e-99", "9e-100", "1e-320", "NaN", "Infinity", "-Infinity", "123456789.123", "2020-02-29", "1799-12-31",
         "1800-01-01", "2199-12-31", "2200-01-01", "infinity", "0001-01-01 (BC)", "2020-01-01 23:59:59.5", "20200101",
         "2020-01-01 00:30:00+02", "true", " x ", "", "   ", None]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("wanted_type", ["id", "int", "float", "date", "datetime", "str"])
def test_a_value_is_what_its_text_is(source: str, wanted_type: Type) -> None:
    """The oracle is the way through text; the values are those at the edges of every type."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE t (n INTEGER, text VARCHAR)")
        db.executemany("INSERT INTO t VALUES ($1, $2)", list(enumerate(TEXTS)))
        try:
            db.execute(f"CREATE TABLE s AS SELECT n, TRY_CAST(text AS {source}) AS v FROM t")
        except duckdb.Error:
            pytest.fail("a type that DuckDB lacks")
        text = present(sql("CAST(v AS VARCHAR)"))
        kind = SQL_TYPE[wanted_type]
        value, there = typed(column("v"), source.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), wanted_type)
        ask = "SELECT n, CAST(:v AS " + kind + "), (:t) IS NOT NULL FROM s ORDER BY n"
        short = db.execute(sql(ask, v=value, t=there).sql(dialect="duckdb")).fetchall()
        way = db.execute(sql(ask, v=parsed(text, wanted_type), t=text.copy()).sql(dialect="duckdb")).fetchall()
    assert [(TEXTS[n], value, there) for n, value, there in short] == [
        (TEXTS[n], value, there) for n, value, there in way
    ]


SMALL = st.one_of(st.none(), st.integers(-1, 12))
ROW = st.tuples(
    SMALL,
    SMALL,
    st.one_of(st.none(), st.integers(-(2**31) - 1, 2**31)),
    st.one_of(st.none(), st.dates(date(1790, 1, 1), date(2210, 1, 1)), st.just(date(2020, 1, 1))),
    st.one_of(st.none(), st.datetimes(datetime(1995, 1, 1), datetime(2020, 1, 3))),  # noqa: DTZ001
    st.one_of(st.none(), st.floats(width=64)),
    st.one_of(st.none(), st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=4)),
)
NAMES = ("drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date",
         "quantity", "drug_source_value")  # fmt: skip
TYPES = (pa.int32(), pa.int64(), pa.int64(), pa.date32(), pa.timestamp("us"), pa.float64(), pa.string())


def shown(value: object) -> str:
    return "" if value is None else str(value)


def loaded(person: Path, drugs: Path, merges: bool) -> tuple[Account, list[tuple[object, ...]]]:
    with duckdb.connect(config={"temp_directory": tempfile.gettempdir()}) as db:
        open_schemas(db)
        if merges:
            db.execute("INSERT INTO given.merge VALUES (3, 2), (4, 99)")
        columns = wanted()
        load_table(db, TABLES["person"], columns["person"], person)
        account = load_table(db, TABLES["drug_exposure"], columns["drug_exposure"], drugs).account
        return account, db.execute("SELECT * FROM extract.drug_exposure ORDER BY ALL").fetchall()


def parts(rows: list[tuple[object, ...]], names: tuple[str, ...], types: tuple[pa.DataType, ...], path: Path) -> Path:
    """The rows as a directory of two part files, so that row numbers go across files."""
    path.mkdir()
    for number, part in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        columns = [pa.array([row[i] for row in part], kind) for i, kind in enumerate(types)]
        parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), path / f"part-{number}.parquet")
    return path


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, max_size=75), st.booleans())
def test_types_and_text_give_the_same(rows: list[tuple[object, ...]], merges: bool) -> None:
    rows = [(*row, 32838) for row in rows]
    names, types = (*NAMES, "drug_type_concept_id"), (*TYPES, pa.int32())
    with tempfile.TemporaryDirectory() as folder:
        person = Path(folder) / "person.csv"
        person.write_text("person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id\n"
                          + "".join(f"{n},8507,1950,0,0\n" for n in range(5)))  # fmt: skip
        with (Path(folder) / "drugs.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([shown(value) for value in row] for row in rows)
        typed_rows = parts(rows, names, types, Path(folder) / "drugs")
        texts = parts([tuple(None if v is None else str(v) for v in row) for row in rows], names,
                      (pa.string(),) * len(names), Path(folder) / "texts")  # fmt: skip
        by_text = loaded(person, Path(folder) / "drugs.csv", merges)
        assert loaded(person, typed_rows, merges) == by_text
        assert loaded(person, texts, merges) == by_text
