"""Attack: a definition whose every text is a piece of SQL. No text of it is in any statement that an engine sends.

The statements are those that arrive: at DuckDB's connection, in the log of the PostgreSQL server, at the Spark session.
The positive control sends the texts as part of a statement, and they are found there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from tests.databases import PASSWORD, shared_postgres
from tests.engines import duckdb_batch, in_postgres, spark_batch
from vitrail.errors import StudyError
from vitrail.omop.engines import BatchEngine, locked
from vitrail.omop.engines.postgres import PostgresBatch
from vitrail.study.attributes import ATTRIBUTES, DOMAINS
from vitrail.study.circe import read_circe
from vitrail.study.cohort import Cohort, Event, Wording
from vitrail.study.concepts import ConceptSet
from vitrail.study.definition import Definition

MARK = "zq5mark"
SQL = f"x'; DROP TABLE person; -- {MARK}"
"""The text of every limit of a text; names may not hold quotes, and are the mark itself."""

OBSERVED = {
    "observation_period_id": 1, "person_id": 1, "observation_period_start_date": date(2010, 1, 1),
    "observation_period_end_date": date(2019, 12, 31), "period_type_concept_id": 0,
}  # fmt: skip
ILL = {
    "condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 11, "stop_reason": SQL,
    "condition_start_date": date(2015, 3, 1),
}  # fmt: skip
TABLES: dict[str, list[dict[str, Any]]] = {
    "person": [{"person_id": 1, "year_of_birth": 1950, "gender_concept_id": 8507}],
    "observation_period": [OBSERVED],
    "condition_occurrence": [ILL],
}


def worded() -> Definition:
    """A definition with a text wherever one may stand: names of sets and rules, its id, every limit of a text."""
    limits = dict.fromkeys(Wording.model_fields, SQL)
    texts = [
        {domain: MARK, name: {word: text}}
        for domain in DOMAINS
        for name in ATTRIBUTES[domain]
        if "Wording" in str(Event.model_fields[name].annotation)
        for word, text in limits.items()
    ]
    rules = [{"name": f"{MARK} {place}", "of": each, "days": [None, None], "at_most": 9}
             for place, each in enumerate(texts)]  # fmt: skip
    entry = {"condition": MARK, "stop_reason": {"starts_with": SQL}}
    words = {"entry": [entry], "rules": rules, "exit": {"exposed_to": {"drug": MARK}}}
    sets = {MARK: ConceptSet.model_validate({"concepts": [{"concept": 11}]}, strict=False)}
    return Definition(f"{MARK} id", Cohort.model_validate(words, strict=False), sets)


Sent = list[str]
Control = Callable[[str], None]


class Heard:
    """A connection to DuckDB that keeps every statement."""

    def __init__(self, connection: Any, sent: Sent) -> None:
        self._connection, self._sent = connection, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *more: Any) -> Any:
        self._sent.append(statement)
        return self._connection.execute(statement, *more)

    def sql(self, statement: str, *more: Any) -> Any:
        self._sent.append(statement)
        return self._connection.sql(statement, *more)


@contextmanager
def duckdb_heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BatchEngine, Callable[[], Sent], Control]]:
    sent: Sent = []
    connect = locked.duckdb.connect
    monkeypatch.setattr(locked.duckdb, "connect", lambda *said, **more: Heard(connect(*said, **more), sent))
    with duckdb_batch(TABLES) as engine:
        yield engine, lambda: sent, lambda text: engine.database._connection.execute(text)  # type: ignore[attr-defined]


@contextmanager
def postgres_heard(_: pytest.MonkeyPatch) -> Iterator[tuple[BatchEngine, Callable[[], Sent], Control]]:
    import psycopg

    socket = shared_postgres()
    before = (socket / "log").stat().st_size

    def sent() -> Sent:
        return (socket / "log").read_bytes()[before:].decode().split("LOG:")

    def everything(logged: str) -> None:
        with psycopg.connect(host=str(socket), user="reader", dbname="postgres", password=PASSWORD) as db:
            db.execute(f"ALTER ROLE reader SET log_statement TO {logged}")

    with in_postgres(TABLES) as address:
        everything("'all'")
        try:
            with PostgresBatch(address) as engine:
                yield engine, sent, lambda text: engine.database._connection.execute(text)  # type: ignore[attr-defined]
        finally:
            everything("DEFAULT")


@contextmanager
def spark_heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BatchEngine, Callable[[], Sent], Control]]:
    pyspark = pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
    sent: Sent = []
    run = pyspark.sql.SparkSession.sql

    def heard(session: Any, statement: str, *more: Any, **named: Any) -> Any:
        sent.append(statement)
        return run(session, statement, *more, **named)

    monkeypatch.setattr(pyspark.sql.SparkSession, "sql", heard)
    with spark_batch(TABLES) as engine:
        yield engine, lambda: sent, lambda text: engine.database._session.sql(text)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "heard", [duckdb_heard, postgres_heard, pytest.param(spark_heard, marks=pytest.mark.slow)],
    ids=["duckdb", "postgres", "spark"],
)  # fmt: skip
def test_no_text_of_a_definition_is_in_a_statement(heard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = worded()
    with heard(monkeypatch) as (engine, sent, control):
        answer = engine.run([definition])[definition.id]
        assert len(answer.rows) == 1, "the texts are compared indeed"
        assert sum("occurrence" in each for each in sent()) > 5, "the statements are heard"
        assert not any(MARK in each or "DROP TABLE person" in each for each in sent())
        control(f"SELECT '{MARK}' AS text")
        assert any(MARK in each for each in sent())


def test_circe_s_texts_are_the_same_words() -> None:
    """What comes as JSON becomes the words above, or is refused."""
    reason = {"Text": SQL, "Op": "contains"}
    said: dict[str, Any] = {
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"StopReason": reason}}], "ObservationWindow": {},
            "PrimaryCriteriaLimit": {"Type": "All"},
        }
    }  # fmt: skip
    [entry] = read_circe(said, "1").cohort.entry
    assert entry.stop_reason == Wording(contains=SQL)
    with pytest.raises(StudyError):
        read_circe(said | {SQL: 1}, "1")
