"""A PostgreSQL database gives what its tables give as files; nothing of a message tells what is in it."""

import csv
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.databases import PASSWORD, postgres
from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import ingest
from vitrail.omop.address import Address, is_address

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

TABLES = {
    "person": (
        "person_id bigint, gender_concept_id integer, year_of_birth integer, month_of_birth smallint, day_of_birth"
        " smallint, race_concept_id integer, ethnicity_concept_id integer, person_source_value varchar(50)",
        [(1, 8507, 1950, 7, 4, 0, 0, "MRN-778812"), (2, 8532, 1960, None, None, 0, 0, ""),
         (3, None, 1970, 1, 1, 0, 0, None)],
    ),
    "observation_period": (
        "observation_period_id integer, person_id bigint, observation_period_start_date date,"
        " observation_period_end_date date, period_type_concept_id integer",
        [(1, 1, "2010-01-01", "2015-12-31", 32880), (2, 1, "2016-01-01", "2020-12-31", 32880),
         (3, 2, "2010-01-01", "infinity", 32880), (4, 2, "0044-03-15 BC", "2020-12-31", 32880)],
    ),
    '"MEASUREMENT"': (
        '"MEASUREMENT_ID" numeric(12,0), person_id bigint, measurement_concept_id integer,'
        " measurement_date timestamp, measurement_type_concept_id integer, value_as_number numeric,"
        " range_low real, measurement_source_value text, unknown_thing text",
        [(1, 1, 3000963, "2012-05-06 07:08:09", 32817, "48.1", 0.1, 'two\nlines, "quoted"', "SECRET"),
         (2, 1, 3000963, "2012-05-06", 32817, "NaN", None, "  ", None),
         (3, 1, 3000963, "2012-05-06", 32817, "1e400", None, "", None),
         (4, 9, 3000963, "2012-05-06", 32817, None, None, None, None)],
    ),
    "visit_occurrence": (
        "visit_occurrence_id bigint, person_id bigint, visit_concept_id integer, visit_start_date date,"
        " visit_end_date date, visit_type_concept_id integer",
        [(1, 1, 9201, "2012-05-01", "2012-05-06", 32827), (2, 1, 9202, "2012-06-01", None, 32827)],
    ),
    "note_nlp": ("note_nlp_id bigint, snippet text", [(1, "SECRET"), (2, "SECRET")]),
    "a_table_of_theirs": ("name text", [("SECRET",)]),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with postgres() as socket:
        with psycopg.connect(host=str(socket), user="reader", dbname="postgres", password=PASSWORD) as db:
            db.execute("CREATE SCHEMA cdm")
            for name, (columns, rows) in TABLES.items():
                db.execute(f"CREATE TABLE cdm.{name} ({columns})")
                for row in rows:
                    db.execute(f"INSERT INTO cdm.{name} VALUES ({', '.join(['%s'] * len(row))})", row)
        yield socket


@pytest.fixture
def address(server: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return f"postgresql://reader@/postgres?host={server}&schema=cdm"


def load(source: str | Path, scratch: Path) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"temp_directory": str(scratch)})
    return ingest(db, source, "omop", None, None, wanted(), lambda _: None), db


def test_a_database_gives_what_its_tables_as_files_give(address: str, tmp_path: Path) -> None:
    """The oracle are the same rows as CSV files, as a person would write them."""
    for name, (columns, rows) in TABLES.items():
        with (tmp_path / f"{name.strip(chr(34))}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(each.split()[0].strip('"') for each in columns.split(", "))
            writer.writerows(rows)
    (tmp_path / "a_table_of_theirs.csv").unlink()
    theirs, copied = load(address, tmp_path / "scratch")
    ours, read = load(tmp_path, tmp_path / "scratch")
    held = {(each.source, each.rows_in, each.loaded, frozenset((f.reason, f.rows) for f in each.quarantined))
            for each in theirs.accounts}  # fmt: skip
    assert held == {(each.source, each.rows_in, each.loaded, frozenset((f.reason, f.rows) for f in each.quarantined))
                    for each in ours.accounts}  # fmt: skip
    assert theirs.ignored == ours.ignored == {"measurement": ("column 9",)}
    for name in (*wanted(), "known_identifier", "unmapped"):
        query = f"SELECT * FROM extract.{name} ORDER BY ALL"
        assert copied.execute(query).fetchall() == read.execute(query).fetchall()
    assert copied.execute("SELECT value_as_number, measurement_source_value FROM extract.measurement").fetchall() == [
        (48.1, 'two\nlines, "quoted"')
    ]
    assert ("id", "MRN-778812") in copied.execute("SELECT kind, text FROM extract.known_identifier").fetchall()
    assert ("date", "1950-07-04") in copied.execute("SELECT kind, text FROM extract.known_identifier").fetchall()
    assert theirs.derived["observation periods merged into others"] == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://reader:SECRET@host/db", "holds a password"),
        ("postgresql://reader@host/db?password=SECRET", "holds a password"),
        ("postgresql://reader@host", "cannot be read"),
        ("postgresql://reader@host/SECRET/db", "cannot be read"),
        ("postgresql://reader@host:SECRET/db", "cannot be read"),
        ("postgresql://reader@host/db?options=SECRET", "cannot be read"),
        ("postgresql://[SECRET/db", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(address: str, said: str) -> None:
    assert is_address(address)
    with pytest.raises(SourceError, match=said) as caught:
        Address.of(address)
    assert "SECRET" not in str(caught.value)


def test_what_fails_at_the_server_tells_nothing(
    address: str, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="no table person"):
        load(address.replace("schema=cdm", "schema=none"), tmp_path)
    with pytest.raises(SourceError, match=r"could not be read.*ran|Check the address") as caught:
        load(address.replace("/postgres?", "/none?"), tmp_path)
    monkeypatch.setenv("PGPASSWORD", "SECRET")
    with pytest.raises(SourceError, match="PGPASSWORD") as caught:
        load(address, tmp_path)
    assert "SECRET" not in str(caught.value)
    assert str(server) not in str(caught.value)


def test_the_database_is_only_read(address: str, tmp_path: Path) -> None:
    """The control: the same connection without the wish to read only does write."""
    from vitrail.ingest.postgres import _connected

    with _connected(Address.of(address)) as db, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        db.execute("DELETE FROM cdm.person")
    with psycopg.connect(host=address.split("host=")[1].split("&")[0], user="reader", dbname="postgres") as db:
        assert db.execute("DELETE FROM cdm.person").rowcount == 3
        db.rollback()
