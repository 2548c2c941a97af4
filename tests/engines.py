"""The engines that every specification and every generated question runs on, opened over plain rows."""

import itertools
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.clusters import shared_spark
from tests.databases import PASSWORD, shared_postgres
from vitrail.omop.address import Address
from vitrail.omop.engines import Answer, BatchEngine, CohortRows, Engine
from vitrail.omop.engines.duckdb import DuckDBBatch, DuckDBEngine
from vitrail.omop.engines.memory import MemoryBatch, MemoryEngine
from vitrail.omop.engines.postgres import PostgresBatch
from vitrail.omop.engines.spark import SparkAddress, SparkBatch
from vitrail.omop.engines.study import DatabaseEngine
from vitrail.omop.tables import TABLES, Column
from vitrail.study.study import Study

Tables = Mapping[str, list[dict[str, Any]]]
Opener = Callable[[Study, Tables], AbstractContextManager[Engine]]

_ARROW = {"id": pa.int64(), "int": pa.int32(), "date": pa.date32(), "float": pa.float64()}


def write_parquet(directory: Path, tables: Tables) -> dict[str, Path]:
    """One Parquet file for each table, its columns those that some row has, in OMOP's types."""
    files = {}
    for name, rows in tables.items():
        schema = pa.schema([(each.name, _ARROW.get(each.type, pa.string())) for each in used(name, rows)])
        files[name] = directory / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), files[name])
    return files


def used(name: str, rows: list[dict[str, Any]]) -> list[Column]:
    """The columns of a table that some row has; all where there is no row."""
    names = {"person_id", *(column for row in rows for column in row)} if rows else None
    every = (*TABLES[name].columns, *TABLES[name].earlier)
    return [each for each in every if names is None or each.name in names]


@contextmanager
def memory(study: Study, tables: Tables) -> Iterator[Engine]:
    """The engine that defines meaning."""
    yield MemoryEngine(study, tables)


@contextmanager
def duckdb(study: Study, tables: Tables, threads: int = 2) -> Iterator[Engine]:
    """The default engine over Parquet files."""
    with tempfile.TemporaryDirectory() as directory:
        files = write_parquet(Path(directory), tables)
        with DuckDBEngine(study, files, threads=threads) as engine:
            yield engine


_NUMBER = itertools.count()
_POSTGRES = {"id": "bigint", "int": "integer", "date": "date", "float": "double precision"}


@contextmanager
def in_postgres(tables: Tables) -> Iterator[Address]:
    """The address of rows in a schema of their own, in OMOP's types, as a user sees it who may only read them."""
    import psycopg

    socket, schema = shared_postgres(), f"cdm_{next(_NUMBER)}"
    os.environ["PGPASSWORD"] = PASSWORD
    with psycopg.connect(host=str(socket), user="reader", dbname="postgres", autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {schema}")
        for name, rows in {"person": [], **tables}.items():
            columns = used(name, rows)
            kinds = [f"{each.name} {_POSTGRES.get(each.type, 'text')}" for each in columns]
            db.execute(f"CREATE TABLE {schema}.{name} ({', '.join(kinds)})")
            with db.cursor().copy(f"COPY {schema}.{name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([row.get(each.name) for each in columns])
        try:
            yield Address("reader", str(socket), None, "postgres", schema)
        finally:
            db.execute(f"DROP SCHEMA {schema} CASCADE")


@contextmanager
def postgres(study: Study, tables: Tables) -> Iterator[Engine]:
    """The engine in a database of the site."""
    with in_postgres(tables) as address, DatabaseEngine(study, PostgresBatch(address)) as engine:
        yield engine


ENGINES: dict[str, Opener] = {"memory": memory, "duckdb": duckdb, "postgres": postgres}
"""Every engine. A new one is added here, and all specifications and generated questions run on it."""


@contextmanager
def memory_batch(tables: Tables) -> Iterator[BatchEngine]:
    """The engine that defines meaning, for many definitions."""
    yield MemoryBatch(tables)


@contextmanager
def duckdb_batch(tables: Tables, threads: int = 2, ranges: int = 1) -> Iterator[BatchEngine]:
    """The default engine, for many definitions, over Parquet files."""
    with (
        tempfile.TemporaryDirectory() as directory,
        DuckDBBatch(write_parquet(Path(directory), tables), threads=threads, ranges=ranges) as engine,
    ):
        yield engine


@contextmanager
def postgres_batch(tables: Tables, ranges: int = 1) -> Iterator[BatchEngine]:
    """The engine in a database of the site, for many definitions."""
    with in_postgres(tables) as address, PostgresBatch(address, ranges=ranges) as engine:
        yield engine


@contextmanager
def spark_batch(tables: Tables) -> Iterator[BatchEngine]:
    """The engine on a cluster, for many definitions, over Parquet files."""
    master = shared_spark()
    with tempfile.TemporaryDirectory() as directory:
        write_parquet(Path(directory), {"person": [], **tables})
        with SparkBatch(SparkAddress.of(master + directory)) as engine:
            yield engine


BATCHES: dict[str, Callable[[Tables], AbstractContextManager[BatchEngine]]] = {
    "memory": memory_batch,
    "duckdb": duckdb_batch,
    "postgres": postgres_batch,
}
"""Every engine for many definitions. A new one is added here, and all generated and real definitions run on it."""


def shuffled(tables: Tables, seed: int) -> Tables:
    """The same rows in another order."""
    chance = random.Random(seed)
    return {name: chance.sample(rows, len(rows)) for name, rows in tables.items()}


def plain(rows: CohortRows) -> list[tuple[Any, ...]]:
    """A cohort's rows as (person, start, end, observed_until)."""
    columns = (rows.person, rows.start, rows.end, rows.observed_until)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def assert_same_rows(one: CohortRows, other: CohortRows) -> None:
    """The same rows in the same order and types."""
    for name in ("person", "start", "end", "observed_until"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype == (np.int64 if name == "person" else "datetime64[D]")
        np.testing.assert_array_equal(mine, theirs, name)


def assert_same_answer(one: Answer, other: Answer) -> None:
    """The same of everything that engines say of a definition."""
    assert one.attrition == other.attrition
    assert_same_rows(one.rows, other.rows)
    for name in ("domain", "event", "concept"):
        np.testing.assert_array_equal(getattr(one.origins, name), getattr(other.origins, name), f"origin {name}")
    assert dict(one.events_by_mask) == dict(other.events_by_mask)
    assert dict(one.persons_by_mask) == dict(other.persons_by_mask)
    assert one.clipped == other.clipped
