"""The PostgreSQL engine changes nothing of the site's, reads its types, and tells nothing of what is in it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import PASSWORD, shared_postgres
from tests.engines import plain
from vitrail.errors import EngineError, SourceError
from vitrail.omop.address import Address
from vitrail.omop.engines.postgres import PostgresBatch
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.definition import Definition

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

TABLES = """
CREATE SCHEMA site;
CREATE TABLE site.person (person_id numeric(12,0), year_of_birth smallint);
CREATE TABLE site."OBSERVATION_PERIOD" ("OBSERVATION_PERIOD_ID" integer, "PERSON_ID" integer,
  "OBSERVATION_PERIOD_START_DATE" date, "OBSERVATION_PERIOD_END_DATE" date);
CREATE TABLE site.condition_occurrence (condition_occurrence_id bigint, person_id bigint, condition_concept_id integer,
  condition_start_date timestamp, condition_end_date date, stop_reason char(12));
CREATE TABLE site.measurement (measurement_id bigint, person_id bigint, measurement_concept_id integer,
  measurement_date date, value_as_number numeric, range_low real);
CREATE TABLE site.visit_detail (visit_detail_id bigint, person_id bigint, visit_detail_concept_id integer,
  visit_start_date date, visit_end_date date, visit_type_concept_id integer);
INSERT INTO site.visit_detail VALUES (1, 1, 11, '2015-03-01', '2015-03-04', 7),
  (2, 2, 11, '2015-03-01', '2015-03-01', 8);
INSERT INTO site.person VALUES (1, 1950), (2, 1960);
INSERT INTO site."OBSERVATION_PERIOD" VALUES (1, 1, '-infinity', 'infinity'), (2, 2, '2010-01-01', '2019-12-31');
INSERT INTO site.condition_occurrence VALUES (1, 1, 11, '2015-03-01 23:30', NULL, 'Zq5ecretKv'),
  (2, 2, 11, '2015-03-01', '2015-03-05', 'zq5ecretkv');
INSERT INTO site.measurement VALUES (1, 1, 11, '2015-03-01', '1e400', 0.1), (2, 2, 11, '2015-03-01', 'NaN', 0.1),
  (3, 2, 11, '2015-03-02', '7.5', 0.1);
CREATE ROLE looker LOGIN PASSWORD 'a secret of the test';
GRANT USAGE ON SCHEMA site TO looker;
GRANT SELECT ON ALL TABLES IN SCHEMA site TO looker;
"""
SETS = {"asthma": ConceptSet(concepts=(ConceptItem(concept=11),))}


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    found = shared_postgres()
    with psycopg.connect(host=str(found), user="reader", dbname="postgres", password=PASSWORD) as db:
        db.execute(TABLES)
    yield found
    with psycopg.connect(host=str(found), user="reader", dbname="postgres", password=PASSWORD) as db:
        db.execute("DROP SCHEMA site CASCADE; DROP ROLE looker")


@pytest.fixture
def address(socket: Path, monkeypatch: pytest.MonkeyPatch) -> Address:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return Address("looker", str(socket), None, "postgres", "site")


def cohort(**said: object) -> Definition:
    return Definition("1", Cohort.model_validate(said, strict=False), SETS)


def found(address: Address, definition: Definition, ranges: int = 1) -> list[tuple[str, ...]]:
    with PostgresBatch(address, ranges=ranges) as engine:
        return [tuple(map(str, row)) for row in plain(engine.run([definition])["1"].rows)]


def entered(address: Address, **entry: object) -> list[str]:
    definition = cohort(entry=[entry], exit={"days_after_start": 0})
    return [person for person, *_ in found(address, definition)]


@pytest.mark.parametrize("ranges", [1, 2])
def test_dates_without_end_are_the_ends_of_the_calendar_and_none_is_made_of_nothing(
    address: Address, ranges: int
) -> None:
    """A condition without an end ends on the next day; PostgreSQL's own GREATEST would make a date of it."""
    assert found(address, cohort(entry=[{"condition": "asthma"}]), ranges) == [
        ("1", "2015-03-01", "9999-12-31", "9999-12-31"), ("2", "2015-03-01", "2019-12-31", "2019-12-31")
    ]  # fmt: skip
    ends = cohort(entry=[{"condition": "asthma"}], exit={"days_after_end": 0})
    assert [row[2] for row in found(address, ends, ranges)] == ["2015-03-02", "2015-03-05"]


def test_numbers_and_texts_are_those_that_are_written(address: Address) -> None:
    assert entered(address, measurement="asthma", value={"above": 0}) == ["2"]
    assert entered(address, measurement="asthma", range_low={"at_most": 0.1}) == ["1", "2", "2"]
    assert entered(address, condition="asthma", stop_reason={"contains": "secret"}) == []
    assert entered(address, condition="asthma", stop_reason={"ends_with": "ecretKv"}) == ["1"]


def test_columns_have_their_names_of_earlier_versions(address: Address) -> None:
    """Those of CDM 5.3.0, which 5.3.1 and 5.4 renamed."""
    assert entered(address, visit_detail="asthma", type={"any_of": [7]}) == ["1"]
    assert entered(address, visit_detail="asthma", length={"at_least": 3}) == ["1"]


def test_one_who_may_only_read_suffices(address: Address) -> None:
    with (
        psycopg.connect(host=address.host, user="looker", dbname="postgres") as db,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        db.execute("DELETE FROM site.person")
    assert len(found(address, cohort(entry=[{"condition": "asthma"}]))) == 2


def test_one_who_may_write_changes_nothing(address: Address) -> None:
    """Tables of the site that are called as the engine's own stay as they are."""
    owner = replace(address, user="reader")
    with psycopg.connect(host=address.host, user="reader", dbname="postgres", autocommit=True) as db:
        db.execute("CREATE TABLE public.occurrence AS SELECT 1 AS mine; CREATE TABLE public.person (mine integer)")
        try:
            before = db.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables").fetchone()
            assert len(found(owner, cohort(entry=[{"condition": "asthma"}]))) == 2
            assert db.execute("SELECT mine FROM public.occurrence").fetchall() == [(1,)]
            assert db.execute("SELECT count(*) FROM site.person").fetchone() == (2,)
            assert before is not None
        finally:
            db.execute("DROP TABLE public.occurrence, public.person")


def test_what_it_cannot_do_is_told_without_a_value(address: Address) -> None:
    definition = cohort(entry=[{"condition": "asthma"}])
    with pytest.raises(SourceError, match="no table person"):
        PostgresBatch(replace(address, schema="Zq5ecretKv"))
    with psycopg.connect(host=address.host, user="reader", dbname="postgres", autocommit=True) as db:
        db.execute("ALTER TABLE site.person ALTER year_of_birth TYPE text USING 'Zq5ecretKv'")
        try:
            with PostgresBatch(address) as engine, pytest.raises(EngineError) as told:
                engine.run([cohort(entry=[{"condition": "asthma", "age": {"above": 1}}])])
        finally:
            db.execute("ALTER TABLE site.person ALTER year_of_birth TYPE smallint USING 1950")
    assert "Zq5ecretKv" not in str(told.value)
    assert len(found(address, definition)) == 2


def test_a_step_that_takes_too_long_is_stopped(address: Address) -> None:
    with psycopg.connect(host=address.host, user="reader", dbname="postgres", autocommit=True) as db:
        db.execute("""CREATE SCHEMA slow; CREATE TABLE slow.person (person_id integer);
          CREATE VIEW slow.observation_period AS SELECT 1 AS observation_period_id, 1 AS person_id,
            DATE '2010-01-01' AS observation_period_start_date, DATE '2019-12-31' AS observation_period_end_date
          FROM pg_sleep(20)""")
        try:
            owner = replace(address, user="reader", schema="slow")
            with PostgresBatch(owner, seconds=1) as engine, pytest.raises(EngineError, match="longer than it may"):
                engine.run([cohort(entry=[{"condition": "asthma"}])])
        finally:
            db.execute("DROP SCHEMA slow CASCADE")
