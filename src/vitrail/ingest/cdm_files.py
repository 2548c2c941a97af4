"""The tables of a Common Data Model as Parquet files that an engine reads, with nothing loaded into a site.

Parquet files that have the names of CDM 5.4 are read where they lie. Others (CSV, the tables of a DuckDB file, part
files, names of earlier versions or in capitals) are copied with the columns that engines read. Nothing is put into
quarantine here: a value that is not what its column says is refused, told by file and column.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import WANTED
from vitrail.ingest.omop import find_tables, stage_table, table_relation
from vitrail.ingest.reading import Staged
from vitrail.ingest.relations import Relation
from vitrail.ingest.typed import readable, typed
from vitrail.omop.events import TABLES_READ, columns_needed, columns_read
from vitrail.omop.sql import Node, column, run, sql
from vitrail.omop.tables import TABLES, Column, Type, current_name

STAGING = "staging.duckdb"

_WHOLE = "U?(TINY|SMALL|BIG)?INT(EGER)?|U?INTEGER"
_FITTING: Mapping[Type, re.Pattern[str]] = {
    "id": re.compile(_WHOLE),
    "int": re.compile(_WHOLE),
    "float": re.compile(rf"{_WHOLE}|FLOAT|DOUBLE|DECIMAL.*"),
    "date": re.compile("DATE"),
    "datetime": re.compile("DATE|TIMESTAMP"),
    "str": re.compile(rf"VARCHAR|{_WHOLE}"),
}
"""DuckDB's types that an engine may cast; a column without values is often written as integers."""


def cdm_files(source: Path, into: Path) -> Mapping[str, Path]:
    """Where each table of ``source``, a directory or a DuckDB file, can be read as Parquet. Raises SourceError.

    Copies are put into ``into``, a directory that is there, and so is what is needed to make them.
    """
    config = {"temp_directory": str(into / "temporary"), "autoinstall_known_extensions": False}
    with duckdb.connect(str(into / STAGING), config=config) as db:  # type: ignore[arg-type]
        run(db, "CREATE SCHEMA staged")
        found = find_tables(source, TABLES_READ, db)
        if "person" not in found:
            raise SourceError(f"{source} has no table person.", "Add person.csv or person.parquet.")
        return {name: _parquet(db, name, path, into) for name, path in found.items()}


def _parquet(db: duckdb.DuckDBPyConnection, name: str, path: Path, into: Path) -> Path:
    relation = table_relation(db, name, path)
    if relation is not None and path.suffix == ".parquet" and path.is_file() and _current(name, relation):
        return path
    copy = into / f"{name}.parquet"
    if relation is not None:
        _copy(db, name, str(path), relation.query, relation.columns, copy)
        return copy
    staged = stage_table(db, name, path)
    if staged.malformed:
        raise SourceError(f"{path}: {_lines(staged):,} lines are not rows of it.", "Export it again as CSV.")
    _copy(db, name, str(path), staged.table, dict.fromkeys(staged.columns, "VARCHAR"), copy)
    return copy


def _lines(staged: Staged) -> int:
    return sum(staged.malformed.values())


def _current(name: str, relation: Relation) -> bool:
    """Whether the columns that are read have CDM 5.4's names, and types that become theirs without a loss."""
    known = {current_name(TABLES[name], each): each for each in relation.columns}
    present = [each for each in columns_read(name) if each.name in known or each in columns_needed(name)]
    return all(
        known.get(each.name) == each.name and _FITTING[each.type].fullmatch(relation.columns[each.name])
        for each in present
    )


def _copy(
    db: duckdb.DuckDBPyConnection, name: str, where: str, query: Node, columns: Mapping[str, str], copy: Path
) -> None:
    """Write the columns that engines read, each in its type; refuse where a value does not fit."""
    present = {current_name(TABLES[name], each): each for each in columns if readable(columns[each])}
    for each in columns_needed(name):
        if each.name not in present:
            raise SourceError(f"{where} has no column {each.name}.", "Export the table with it.")
    held = [(of, present[of.name]) for of in columns_read(name) if of.name in present]
    values = [(of, *typed(column(own), columns[own], of.type)) for of, own in held]
    try:
        _check(db, where, query, values)
        chosen = [exp.alias_(value, of.name, quoted=True) for of, value, _ in values]
        _write(db, exp.select(*chosen).from_(_from(query)), copy)
    except duckdb.Error as error:
        raise SourceError(f"{where} cannot be read.", "Export it again.") from error


def _check(db: duckdb.DuckDBPyConnection, where: str, query: Node, values: list[tuple[Column, Node, Node]]) -> None:
    misfits = [
        sql("count(*) FILTER (WHERE :v IS NULL AND :t IS NOT NULL)", v=value, t=text) for _, value, text in values
    ]
    counts = run(db, exp.select(*misfits).from_(_from(query)))[0]
    for (of, *_), count in zip(values, counts, strict=True):
        if count:
            what = f"{where}: {count:,} values of {of.name} are not {WANTED[of.type]}."
            raise SourceError(what, "Correct them, or load the source into a site, which puts such rows aside.")


def _from(query: Node) -> Node:
    return exp.alias_(query.copy(), "held", table=True) if isinstance(query, exp.Subquery) else query.copy()


def _write(db: duckdb.DuckDBPyConnection, query: exp.Select, copy: Path) -> None:
    options = [exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var("PARQUET"))]
    target = exp.Literal.string(str(copy))
    run(db, exp.Copy(this=query.subquery(), kind=False, files=[target], params=options))
