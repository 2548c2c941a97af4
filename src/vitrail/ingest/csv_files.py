"""Sources that are CSV files of any shape, with a mapping file."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.extract import Columns
from vitrail.ingest.mapped import Compiler, hashed
from vitrail.ingest.mapping import Codes, Mapping, SourceFile
from vitrail.ingest.reading import Layout, Staged, lies_in, stage_csv
from vitrail.ingest.records import Account, Record, extract_view, load_rows
from vitrail.omop.sql import column, run, sql, table
from vitrail.omop.tables import CLINICAL, PLACES, TABLES

Given = list[tuple[str, int, Record]]
"""Records with the file that they are from and their number in it."""


def load_mapped(db: duckdb.DuckDBPyConnection, source: Path, mapping: Mapping, columns: Columns) -> list[Account]:
    """Load all files of a mapping, the one that gives persons first. Raises SourceError."""
    accounts, given, lists = [], Given(), dict[str, Codes]()
    counts = {name: sum(map(len, file.events.values())) for name, file in mapping.files.items()}
    first = 0
    for name, file in sorted(mapping.files.items(), key=lambda item: item[1].person is None):
        path = _path(source, file)
        staged = stage_csv(db, name, path, _layout(file))
        _check_hashes(db, staged, file, path)
        compiler = Compiler(mapping, name, file, staged, path, columns, first, sum(counts.values()), lists)
        records = compiler.records()
        _write_lists(db, lists)
        accounts.append(_loaded(db, compiler, records))
        given += [(name, number, record) for number, record in enumerate(records)]
        if file.person is not None:
            _view(db, "person", given, columns)
        first += counts[name]
    for of in (*PLACES, *CLINICAL):
        if of not in ("person", "observation_period"):
            _view(db, of, given, columns)
    _observation_periods(db, mapping, given, columns)
    return accounts


def _path(source: Path, file: SourceFile) -> Path:
    """Where a file lies: always inside the source, wherever links in it lead."""
    if source.is_file() or file.file is None:
        return source
    path = source / file.file
    if not lies_in(path, source) or not path.is_file():
        raise SourceError(f"{path} is no file inside the source.", "Name a file that lies in it.")
    return path


def _check_hashes(db: duckdb.DuckDBPyConnection, staged: Staged, file: SourceFile, path: Path) -> None:
    """No two persons may get one number; by chance that happens to 25 million people once in 4,000 hospitals."""
    if file.person is None or not file.person_id.text or file.person_id.column not in staged.columns:
        return
    text = sql("trim(:v)", v=column(file.person_id.column))
    query = "SELECT count(DISTINCT :v) - count(DISTINCT :h) FROM :t"
    if run(db, query, v=text, h=hashed(text.copy()), t=staged.table)[0][0]:
        raise SourceError(f"{path}: two persons' ids have one hash.", "Number the persons in the source.")


def _layout(file: SourceFile) -> Layout:
    separator = "\t" if file.separator == "tab" else file.separator
    return Layout(separator, file.quotes, file.encoding, file.columns)


def _write_lists(db: duckdb.DuckDBPyConnection, lists: dict[str, Codes]) -> None:
    """Make the table ``lookup.<name>`` of each code list that has none yet."""
    for name, codes in lists.items():
        rows = pa.table(
            {
                "code": pa.array(codes.codes.keys()),
                "number": pa.array([float(code) if codes.as_numbers else None for code in codes.codes], pa.float64()),
                "concept": pa.array(codes.codes.values(), pa.int32()),
            }
        )
        db.register("codes", rows)
        run(db, "CREATE TABLE IF NOT EXISTS :t AS SELECT * FROM codes", t=table(name, "lookup"))
        db.unregister("codes")


def _loaded(db: duckdb.DuckDBPyConnection, compiler: Compiler, records: Sequence[Record]) -> Account:
    try:
        return load_rows(db, compiler.staged, records, compiler.mapping.missing, compiler.lookups)
    except duckdb.Error as error:
        raise SourceError(
            f"{compiler.path} cannot be loaded by what the mapping says of '{compiler.name}'.",
            "Check the layouts of its dates.",
        ) from error


def _view(db: duckdb.DuckDBPyConnection, of: str, given: Given, columns: Columns) -> None:
    extract_view(db, TABLES[of], columns[of], [each for each in given if each[2].table.name == of])


def _observation_periods(db: duckdb.DuckDBPyConnection, mapping: Mapping, given: Given, columns: Columns) -> None:
    """``extract.observation_period``: the bounds that the mapping gives, widened to the person's events if it says so.

    A person for whom there is neither a bound nor an event has no observation period.
    """
    of = [each for each in given if each[2].table.name == "observation_period"]
    extract_view(db, TABLES["observation_period"], columns["observation_period"], of, schema="given")
    period = next(each.observation_period for each in mapping.files.values() if each.observation_period is not None)
    start = "least(observation_period_start_date, first)" if period.first_event else "observation_period_start_date"
    end = (
        "greatest(observation_period_end_date, last, observation_period_start_date)"
        if period.last_event
        else "observation_period_end_date"
    )
    run(
        db,
        "CREATE TABLE extract.observation_period AS SELECT p.* REPLACE (:start AS observation_period_start_date,"
        " :end AS observation_period_end_date) FROM given.observation_period AS p LEFT JOIN (SELECT person_id,"
        " min(day) AS first, max(day) AS last FROM :events GROUP BY person_id) AS e USING (person_id)"
        " WHERE :start IS NOT NULL AND :end IS NOT NULL",
        start=sql(start),
        end=sql(end),
        events=_event_days().subquery("event"),
    )


def _event_days() -> exp.Query:
    """Person and day of everything that was recorded."""
    tables = [TABLES[name] for name in CLINICAL if name != "observation_period" and TABLES[name].start]
    parts = [
        exp.select("person_id", exp.alias_(column(str(of.start)), "day")).from_(table(of.name, "extract"))
        for of in tables
    ]
    return exp.union(*parts, distinct=False)
