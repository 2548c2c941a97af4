"""`vitrail bench cohorts`: many definitions as one batch, beside SQL of the reference's shape, one after another.

Both sides run on DuckDB with the same threads, over the same rows; the side of the reference's shape has them as native
tables, which are made before its time counts. Every row of every cohort is compared.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from sqlglot import exp

from bench import reference_shape
from bench.cohort_definitions import DOMAINS, Concepts, definitions
from bench.measured import Clock, Run, alone
from vitrail.omop import events
from vitrail.omop.attributes import TABLE
from vitrail.omop.engines import CohortRows
from vitrail.omop.engines.duckdb import DuckDBBatch
from vitrail.omop.events import concept_column
from vitrail.omop.sql import column, run

SIZES = (1, 10, 100, 1_000)
SEED = 1


def files_in(folder: Path) -> dict[str, Path]:
    """The Parquet files of OMOP tables in a folder."""
    return {path.stem: path for path in sorted(folder.glob("*.parquet")) if path.stem in events.TABLES_READ}


def measure(folder: Path, sizes: Iterable[int] = SIZES, sides: Sequence[str] = ("vitrail", "reference shape"),
            threads: int = 2, done: Callable[[Run], None] = lambda _: None) -> list[Run]:  # fmt: skip
    """Each side on each number of definitions, over the tables in ``folder``; ``done`` hears of each run."""
    runs = []
    for size in sizes:
        for side in sides:
            runs.append(alone(side, size, SIDES[side], folder, size, threads))
            done(runs[-1])
    return runs


def _vitrail(clock: Clock, folder: Path, size: int, threads: int) -> str:
    asked = definitions(size, concepts(folder), SEED)
    with clock(), DuckDBBatch(files_in(folder), threads=threads) as engine:
        answers = engine.run(asked)
    return _digest((each.id, *row) for each in asked for row in _rows(answers[each.id].rows))


def _rows(rows: CohortRows) -> Iterable[tuple[Any, ...]]:
    return zip(rows.person.tolist(), rows.start.tolist(), rows.end.tolist(), strict=True)


def _reference(clock: Clock, folder: Path, size: int, threads: int) -> str:
    asked = definitions(size, concepts(folder), SEED)
    with duckdb.connect(config={"threads": threads}) as db:
        run(db, "SET enable_progress_bar = FALSE")
        _load(db, files_in(folder))
        with clock():
            for statement in reference_shape.RESULTS:
                run(db, statement)
            for each in asked:
                reference_shape.build(db, each)
            rows = run(db, "SELECT * FROM cohort ORDER BY ALL")
    return _digest((str(number), *row) for number, *row in rows)


def _load(db: duckdb.DuckDBPyConnection, files: Mapping[str, Path]) -> None:
    """Make native tables of all that cohorts read; empty ones where there is no file."""
    for name in events.TABLES_READ:
        path = files.get(name)
        names = () if path is None else tuple(pq.read_schema(path).names)
        table = events.typed(name, None if path is None else str(path), names)
        run(db, exp.Create(this=exp.to_table(name), kind="TABLE", expression=table))


SIDES: dict[str, Callable[..., str]] = {"vitrail": _vitrail, "reference shape": _reference}
"""Each side's work; the first is ours."""


def _digest(rows: Iterable[tuple[Any, ...]]) -> str:
    """How many rows there are, and a hash of all of them in the order of ids and persons."""
    ordered = sorted(rows, key=lambda row: (int(row[0]), *row[1:]))
    return f"{len(ordered)} rows, {hashlib.sha256(repr(ordered).encode()).hexdigest()[:16]}"


def concepts(folder: Path) -> Concepts:
    """The concepts that records have, by domain, and the groups of up to twenty of them."""
    with duckdb.connect() as db:
        return {domain: _concepts(db, folder, TABLE[domain]) for domain in DOMAINS
                if (folder / f"{TABLE[domain]}.parquet").exists()}  # fmt: skip


def _concepts(db: duckdb.DuckDBPyConnection, folder: Path, table: str) -> list[int]:
    files = {name: exp.func("read_parquet", exp.Literal.string(str(folder / f"{name}.parquet")))
             for name in (table, "concept_ancestor")}  # fmt: skip
    of = column(concept_column(table))
    return [concept for (concept,) in run(db, _HELD, of=of, records=files[table], above=files["concept_ancestor"])]


_HELD = """
WITH held AS (SELECT DISTINCT :of AS concept FROM :records)
SELECT concept FROM held WHERE concept > 0
UNION SELECT a.ancestor_concept_id FROM :above AS a JOIN held AS h ON h.concept = a.descendant_concept_id
GROUP BY a.ancestor_concept_id HAVING COUNT(*) <= 20
ORDER BY 1
"""


def main() -> None:
    """`python -m bench.cohorts FOLDER [SIZE...]`: prints each run as it ends."""
    folder, *sizes = sys.argv[1:]
    measure(Path(folder), [int(size) for size in sizes] or SIZES, done=lambda each: print(each, flush=True))


if __name__ == "__main__":
    main()
