"""CSV files by a mapping: what each row gives, and that each row is loaded whole or quarantined whole."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract
from vitrail.ingest.records import NO_RECORD, UNKNOWN_PERSON
from vitrail.ingest.source import ingest
from vitrail.omop.tables import TABLES

COLUMNS = {
    name: tuple(each for each in table.columns if each.type not in ("str", "datetime") or name.startswith("concept"))
    for name, table in TABLES.items()
}

HEAD = """\
vitrail: mapping/1
origin: {name: A hospital, public: true, licence: none, calendar: none}
epoch: "2000-01-01"
record_type: 32817
missing: ["?", "NA"]
"""
PEOPLE = """\
files:
  people:
    file: people.csv
    person_id: {column: id}
    date: {epoch: true}
    person:
      sex: {column: sex, codes: {f: 8532, m: 8507}}
      birth_year: {age: age, on: {epoch: true}}
    observation_period: {start: {epoch: true}, end: {days_from_epoch: until}, first_event: true}
    death: {date: {days_from_epoch: until}, when: [{column: dead, one_of: ["1"]}]}
    measurements:
      - {concept: 2000000001, value: hb, unit: 8713}
      - {concept: 2000000002, value: na}
"""
LABS = """\
  labs:
    file: sub/labs.csv
    person_id: {column: id}
    visit_id: {column: stay, text: true}
    date: {column: day, layout: "%d.%m.%Y"}
    visits: [{concept: 9201, end: {column: out, layout: "%d.%m.%Y"}}]
    measurements:
      - concept_from: {column: test, codes: {hb: 2000000001, "na": 2000000002}, others: skip}
        value: value
        when: [{column: value, at_least: 0, below: 1000}]
    observations:
      - concept_from: {column: test, codes: {smoke: 2000000003}, others: skip}
        value_from: {column: value, codes: {"0": 1, "1": 2}, as_numbers: true}
"""


def load(directory: Path, mapping: str, files: dict[str, str]) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    for name, content in files.items():
        path = directory / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (directory / "mapping.yaml").write_text(mapping)
    db = duckdb.connect(config={"threads": 1})
    extract = ingest(db, directory / "source", "csv", directory / "mapping.yaml", None, COLUMNS, lambda _: None)
    return extract, db


def rows(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return db.execute(query).fetchall()


def reasons(extract: Extract, source: str) -> dict[str, int]:
    return {each.reason: each.rows for each in extract.quarantined if each.source == source}


PEOPLE_CSV = """\
id,sex,age,until,dead,hb,na
1,f,60.5,100,0,12.5,140
2,m,70,50,1,?,NA
3,x,70,50,1,1,1
4,m,old,50,1,1,1
5,m,70,-1,0,1,1
6,m,70,50,1,<5,1
1,f,60,100,0,12.5,140
"""
LABS_CSV = """\
id,stay,day,out,test,value
1,a,30.12.1999,01.01.2000,hb,11
1,b,31.12.2000,01.01.2001,smoke,1.0
2,c,01.02.2000,01.02.2000,na,150
2,c,01.02.2000,01.02.2000,na,151
2,d,01.02.2000,01.02.2000,smoke,7
2,e,31.02.2000,01.02.2000,na,1
2,f,02.02.2000,01.02.2000,na,1
3,g,02.02.2000,03.02.2000,na,1
2,,02.02.2000,03.02.2000,ast,1
"""


def test_what_each_row_gives(tmp_path: Path) -> None:
    _, db = load(tmp_path, HEAD + PEOPLE + LABS, {"people.csv": PEOPLE_CSV, "sub/labs.csv": LABS_CSV})
    assert rows(db, "SELECT person_id, gender_concept_id, year_of_birth FROM extract.person ORDER BY 1") == [
        (1, 8532, 1940), (2, 8507, 1930),
    ]  # fmt: skip
    assert rows(db, "SELECT person_id, death_date FROM extract.death") == [(2, date(2000, 2, 20))]
    assert rows(db, "SELECT person_id, observation_period_start_date, observation_period_end_date"
                    " FROM extract.observation_period ORDER BY 1") == [
        (1, date(1999, 12, 30), date(2000, 4, 10)), (2, date(2000, 1, 1), date(2000, 2, 20)),
    ]  # fmt: skip
    measured = "SELECT person_id, measurement_concept_id, measurement_date, value_as_number, unit_concept_id"
    assert rows(db, f"{measured} FROM extract.measurement ORDER BY ALL") == [
        (1, 2000000001, date(1999, 12, 30), 11.0, None),
        (1, 2000000001, date(2000, 1, 1), 12.5, 8713),
        (1, 2000000002, date(2000, 1, 1), 140.0, None),
        (2, 2000000002, date(2000, 2, 1), 150.0, None),
    ]
    assert rows(db, "SELECT person_id, observation_concept_id, value_as_concept_id FROM extract.observation") == [
        (1, 2000000003, 2)
    ]
    linked = "SELECT count(*) FROM extract.measurement JOIN extract.visit_occurrence USING (visit_occurrence_id)"
    assert rows(db, linked) == [(2,)]
    assert len(rows(db, "SELECT DISTINCT measurement_id FROM extract.measurement")) == 4


def test_each_fault_is_counted_with_its_reason(tmp_path: Path) -> None:
    extract, _ = load(tmp_path, HEAD + PEOPLE + LABS, {"people.csv": PEOPLE_CSV, "sub/labs.csv": LABS_CSV})
    assert (extract.rows_in, extract.rows_loaded) == ({"people": 7, "labs": 9}, {"people": 2, "labs": 3})
    assert reasons(extract, "people") == {
        "sex has a code that the mapping does not list": 1,
        "age is not an age in years": 1,
        "observation_period_end_date is before observation_period_start_date": 1,
        "hb is not a number": 1,
        "person: the key of an earlier row": 1,
    }
    assert reasons(extract, "labs") == {
        "visit_occurrence: the key of an earlier row": 1,
        "value has a code that the mapping does not list": 1,
        "day is not a date": 1,
        "visit_end_date is before visit_start_date": 1,
        UNKNOWN_PERSON: 1,
        "visit_occurrence_id is missing": 1,
    }
    assert extract.origin.public
    assert (extract.calendar, extract.periods) == ("none", "mapping/1")


def test_a_row_that_gives_nothing_is_quarantined(tmp_path: Path) -> None:
    labs = LABS.replace('    visits: [{concept: 9201, end: {column: out, layout: "%d.%m.%Y"}}]\n', "")
    content = "id,stay,day,out,test,value\n1,,01.01.2000,,ast,1\n1,,01.01.2000,,hb,NA\n1,,01.01.2000,,hb,2000\n"
    extract, _ = load(tmp_path, HEAD + PEOPLE + labs, {"people.csv": PEOPLE_CSV, "sub/labs.csv": content})
    assert reasons(extract, "labs") == {NO_RECORD: 3}


def test_only_some_rows(tmp_path: Path) -> None:
    only = "only: {column: id, modulo: 2, remainder: 1}\n"
    people = "id,sex,age,until,dead,hb,na\n" + "".join(f"{n},f,60,9,0,,\n" for n in range(10)) + "x,f,60,9,0,,\n"
    extract, db = load(tmp_path, HEAD + only + PEOPLE, {"people.csv": people})
    assert [row[0] for row in rows(db, "SELECT person_id FROM extract.person ORDER BY 1")] == [1, 3, 5, 7, 9]
    assert reasons(extract, "people") == {"left out by `only`": 5, "id is not a whole number": 1}


def test_a_file_without_a_header_in_another_encoding(tmp_path: Path) -> None:
    layout = ("columns: [id, sex, age, until, dead, hb, na]", "separator: tab", "quotes: false", "encoding: latin-1")
    mapping = HEAD + PEOPLE.replace("file: people.csv", "\n    ".join(["file: people.csv", *layout]))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "people.csv").write_bytes(b'1\tf\t60\t9\t0\t1\t2\n2\t"f\t60\t9\t0\t1\t\xe9\n3\tf\t1\n')
    extract, _ = load(tmp_path, mapping, {})
    assert reasons(extract, "people") == {
        "the line has too few fields": 1, "sex has a code that the mapping does not list": 1,
    }  # fmt: skip
    assert extract.rows_loaded == {"people": 1}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("value: hb", "value: haemoglobin", "'people' speaks of the column 'haemoglobin'"),
        ("file: people.csv", "file: none.csv", "no file inside the source"),
        ("file: people.csv", "file: link.csv", "no file inside the source"),
    ],
)
def test_what_the_source_lacks_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    (tmp_path / "secret.csv").write_text(PEOPLE_CSV)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError, match=told):
        load(tmp_path, HEAD + PEOPLE.replace(old, new), {"people.csv": PEOPLE_CSV})


def test_a_layout_that_is_none_is_an_error(tmp_path: Path) -> None:
    labs = LABS.replace("%d.%m.%Y", "%Q%")
    with pytest.raises(SourceError, match="cannot be loaded by what the mapping says of 'labs'"):
        load(tmp_path, HEAD + PEOPLE + labs, {"people.csv": PEOPLE_CSV, "sub/labs.csv": LABS_CSV})


TEXT = st.sampled_from(
    ["1", "0", "7.5", "", "?", "NA", "-3", "x", "f", "m", "1e9", "100000", "hb", "99999999999999999999"]
)
LINES = st.lists(st.tuples(*[TEXT] * 7), max_size=50)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_rows_in_are_rows_loaded_and_quarantined(tmp_path: Path, lines: list[tuple[str, ...]]) -> None:
    content = "id,sex,age,until,dead,hb,na\n" + "".join(",".join(line) + "\n" for line in lines)
    extract, db = load(tmp_path, HEAD + PEOPLE, {"people.csv": content})
    counted = Counter({each.reason: each.rows for each in extract.quarantined})
    assert extract.rows_in["people"] == len(lines) == extract.rows_loaded["people"] + counted.total()
    loaded = rows(db, "SELECT count(*) FROM extract.person")[0][0]
    assert extract.rows_loaded["people"] == loaded
