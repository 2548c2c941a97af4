"""Makes a health system's people: OMOP tables in Parquet, with the truth beside them.

The SQL files in ``sql/`` do the work, one chunk of persons after another: ``people`` → ``reviews`` (a person's years) →
``courses`` (what happened) → ``contacts`` → the OMOP tables in ``sql/records/``. A person's records follow from seed,
system and person number alone, so the size of a chunk changes the memory that is needed and nothing else.
"""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from vitrail import wire
from vitrail.errors import SourceError
from vitrail.omop.tables import TABLES, VOCABULARY, Table, Type
from vitrail.synthetic.systems import System
from vitrail.synthetic.truth import ALBUMIN, CKD, CKD_WITHOUT_DIABETES, DEATH, HEART_FAILURE, CaseMix, Risk, Truth

Outcome = Literal["ckd", "heart_failure"]
"""The events whose true risk is known."""

Progress = Callable[[int, int], None]
"""Called with the persons done and the persons in all."""

CHUNK = 10_000
"""Persons that one processor makes at a time."""

RECORDS = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "measurement",
    "observation",
    "death",
)
"""The clinical tables that are made, each by the file of its name in ``sql/records/``."""

TRUTH_PERSONS = "truth_persons"
"""Everybody's true dates."""

_ARROW: dict[Type, pa.DataType] = {
    "id": pa.int64(),
    "int": pa.int32(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "float": pa.float64(),
    "str": pa.string(),
}
_MOST_PERSONS = 100_000_000


@dataclass(frozen=True)
class _Job:
    """One chunk: persons ``first`` to ``last`` of a system, both included."""

    system: System
    seed: int
    first: int
    last: int


@dataclass(frozen=True)
class _Made:
    """What came of a job: rows by table, and the sums of the case mix."""

    job: _Job
    tables: Mapping[str, pa.Table]
    sums: Counter[str]


def generate(
    out: Path,
    system: System,
    *,
    persons: int,
    seed: int,
    progress: Progress | None = None,
    truth_persons: Path | None = None,
    chunk: int = CHUNK,
) -> Truth:
    """Write ``persons`` people of ``system`` to the new directory ``out``, and return the truth.

    ``out`` gets one Parquet file per OMOP table and, last, ``truth.json``. ``truth_persons`` names a Parquet file for
    everybody's true dates; keep it outside ``out``. The same arguments give the same rows, whatever ``chunk`` is.
    Raises SourceError where ``out`` holds something, or a number is out of range.
    """
    _check(persons, seed)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} already holds something.", "Name a new directory.")
    out.mkdir(parents=True, exist_ok=True)
    _write_vocabulary(out)
    paths = {name: out / f"{name}.parquet" for name in RECORDS}
    if truth_persons is not None:
        paths[TRUTH_PERSONS] = truth_persons
    totals: Counter[str] = Counter()
    with ExitStack() as open_files:
        writers = {name: open_files.enter_context(_writer(path)) for name, path in paths.items()}
        for made in _made(_jobs(system, persons, seed, chunk), tuple(paths)):
            for name, write in writers.items():
                write(made.tables[name])
            totals.update(made.sums)
            if progress is not None:
                progress(made.job.last, persons)
    truth = Truth(site=system.name, persons=persons, seed=seed, system=system, case_mix=_case_mix(totals))
    (out / "truth.json").write_bytes(wire.canonical(truth.model_dump(mode="json")))
    return truth


def windows(system: System, *, persons: int, seed: int, outcome: Outcome = "ckd", chunk: int = CHUNK) -> pa.Table:
    """The rows on which the truth's risk of ``outcome`` is exact, without writing anything.

    One row per person and complete window at risk: ``person_id``, ``t`` (years since 2008), ``index_date``, the
    risk's covariates as recorded then, ``risk`` (the true probability) and ``event`` (what came of it), sorted by
    person and date. For ``ckd`` these are the flagship study's rows; for ``heart_failure`` everybody's.
    """
    _check(persons, seed)
    name = f"{outcome}_windows"
    return pa.concat_tables([made.tables[name] for made in _made(_jobs(system, persons, seed, chunk), (name,))])


def _check(persons: int, seed: int) -> None:
    if not 1 <= persons <= _MOST_PERSONS:
        raise SourceError("The number of persons is out of range.", f"Give a number from 1 to {_MOST_PERSONS}.")
    if not 0 <= seed < 2**32:
        raise SourceError("The seed is out of range.", "Give a number from 0 to 4294967295.")


def _jobs(system: System, persons: int, seed: int, chunk: int) -> Iterator[_Job]:
    for first in range(1, persons + 1, chunk):
        yield _Job(system, seed, first, min(first + chunk - 1, persons))


def _made(jobs: Iterator[_Job], names: Sequence[str]) -> Iterator[_Made]:
    """The jobs' tables, in order; no more jobs at a time than there are processors, so that memory is bounded."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        under_way: deque[Future[_Made]] = deque()
        for job in jobs:
            under_way.append(pool.submit(_make, job, names))
            if len(under_way) > workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _make(job: _Job, names: Sequence[str]) -> _Made:
    with _database(job) as database:
        for step in ("people", "reviews", "courses", "windows"):
            database.execute(_sql(step))
        if not set(RECORDS).isdisjoint(names):
            database.execute(_sql("contacts"))
        sums = Counter(_arrow(database, _sql("case_mix")).to_pylist()[0])
        return _Made(job, {name: _table(database, name) for name in names}, sums)


def _sql(name: str) -> str:
    return (files("vitrail.synthetic") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def _database(job: _Job) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new database that knows the parameters. The system's name goes into the seed: no two share people."""
    own_seed = hashlib.sha256(f"{job.system.name}/{job.seed}".encode()).digest()[:8]
    parameters = {
        "seed": int.from_bytes(own_seed, "big"),
        "first_person": job.first,
        "last_person": job.last,
        "site": job.system.model_dump(),
        "ckd": _flat(CKD),
        "ckd_without_diabetes": CKD_WITHOUT_DIABETES,
        "heart_failure": _flat(HEART_FAILURE),
        "death": _flat(DEATH),
        "albumin": ALBUMIN.model_dump(),
    }
    with duckdb.connect(config={"threads": 1}) as database:
        for name, value in parameters.items():
            database.execute(f"SET VARIABLE {name} = $1", [value])
        database.execute(_sql("draws"))
        yield database


def _flat(risk: Risk) -> dict[str, object]:
    """A risk as the struct that the SQL reads: terms by lower-case name, beside the intercept."""
    terms = {name.lower().replace(" ", "_"): term.model_dump() for name, term in risk.terms.items()}
    return {"intercept": risk.intercept, **terms}


def _arrow(database: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    return database.execute(query).to_arrow_table()


def _table(database: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """The rows of this chunk for one table; an OMOP table's in OMOP's types."""
    if name in RECORDS:
        return _typed(TABLES[name], _arrow(database, _sql(f"records/{name}")))
    if name == TRUTH_PERSONS:
        return _arrow(database, _sql(name))
    return database.table(name).order("person_id, t").to_arrow_table()


def _typed(table: Table, rows: pa.Table) -> pa.Table:
    kinds = {column.name: _ARROW[column.type] for column in table.columns}
    return rows.cast(pa.schema([(name, kinds[name]) for name in rows.column_names]))


def _write_vocabulary(out: Path) -> None:
    with (files("vitrail.synthetic") / "concepts.csv").open("rb") as handle, duckdb.connect() as database:
        database.register("given", pyarrow.csv.read_csv(handle))
        database.execute(_sql("vocabulary"))
        for name in VOCABULARY:
            pq.write_table(_typed(TABLES[name], database.table(name).to_arrow_table()), out / f"{name}.parquet")


@contextmanager
def _writer(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """A function that appends rows to one Parquet file; the file takes its schema from the first rows.

    Ids are written as differences: a quarter of the time and half of the space of a dictionary.
    """
    writer: pq.ParquetWriter | None = None

    def write(rows: pa.Table) -> None:
        nonlocal writer
        if writer is None:
            ids = [field.name for field in rows.schema if field.type == pa.int64()]
            writer = pq.ParquetWriter(
                path,
                rows.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[name for name in rows.column_names if name not in ids],
                column_encoding=dict.fromkeys(ids, "DELTA_BINARY_PACKED"),
            )
        writer.write_table(rows)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _case_mix(totals: Counter[str]) -> CaseMix:
    """Sums over all persons as the truth tells them."""
    counts = {name: totals[name] for name in CaseMix.model_fields if name in totals}
    return CaseMix(
        mean={name: totals[name.lower()] / max(1, totals["windows"]) for name in CKD.terms},
        nefrovian_crude_odds_ratio=_odds_ratio(totals),
        **counts,
    )


def _odds_ratio(totals: Counter[str]) -> float | None:
    given, given_events = totals["given"], totals["given_events"]
    other, other_events = totals["windows"] - given, totals["events"] - given_events
    across = (given - given_events) * other_events
    return given_events * (other - other_events) / across if across else None
