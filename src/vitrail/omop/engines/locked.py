"""DuckDB, locked: it may read the files that it was opened with, and nothing else.

It loads no extension, reaches no other file and no network, writes nothing to disk (not even what exceeds its
memory), and none of this can be changed once it is open.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec

import duckdb
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.errors import EngineError, TooLittleMemory
from vitrail.omop.sheets import Kind, Sheet
from vitrail.omop.sql import select

_TYPE: dict[Kind, str] = {"int": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "flag": "BOOLEAN"}

P = ParamSpec("P")


class LockedDuckDB:
    """A database in memory. Tables come in as rows and go out as arrays.

    A query is a function that builds a SQLGlot expression, and its arguments; it is a pure function, called once.

    Raises EngineError where a query fails, TooLittleMemory where it cannot hold what it needs: the texts say nothing of
    the data.
    """

    def __init__(self, files: Iterable[Path], threads: int, memory_limit: str) -> None:
        options: dict[str, Any] = {
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "preserve_insertion_order": False,
            "python_enable_replacements": False,
        }
        self._connection = duckdb.connect(":memory:", config=options)
        self._run(_setting, "allowed_paths", _paths, tuple(files))
        self._run(_setting, "enable_progress_bar", exp.false)
        self._run(_setting, "enable_external_access", exp.false)
        self._run(_setting, "lock_configuration", exp.true)

    def close(self) -> None:
        """Give back the memory."""
        self._connection.close()

    def view(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Define a view, in place of an earlier one of that name."""
        self._run(_view, name, build, *args, **kwargs)

    def keep(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Compute a table, in place of an earlier one of that name."""
        self._run(_table, name, build, *args, **kwargs)

    def add(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add the rows of a query to a table."""
        self._run(_insert, name, build, *args, **kwargs)

    def rows(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        with _told():
            return self._connection.sql(_text(build, *args, **kwargs)).fetchall()

    def arrays(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> Mapping[str, NDArray[Any]]:
        """The answer to a query, column by column; a column of numbers with nulls becomes floats with NaN."""
        with _told():
            answer = self._connection.sql(_text(build, *args, **kwargs)).to_arrow_table()
        return {name: answer.column(name).to_numpy() for name in answer.column_names}

    def show(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Let queries see arrays as a table, in place of an earlier one of that name."""
        self._connection.register(name, pa.table(dict(columns)))

    def hold(self, name: str, rows: Sheet) -> None:
        """Make a table of a sheet, in place of an earlier one of that name."""
        with _told():
            self._connection.execute(_text(_table, name, _sheet, tuple(rows.kinds.items())), [json.dumps(rows.rows)])

    def _run(self, build: Callable[P, exp.Expr], *args: P.args, **kwargs: P.kwargs) -> None:
        with _told():
            self._connection.execute(_text(build, *args, **kwargs))


def _sheet(kinds: tuple[tuple[str, Kind], ...]) -> exp.Query:
    """The rows of a parameter, an array of JSON. (A list as a parameter takes ten times as long, Arrow an import.)"""
    shape = json.dumps([{name: _TYPE[kind] for name, kind in kinds}])
    return select("SELECT UNNEST(FROM_JSON(?, :shape), max_depth := 2)", shape=shape)


def _text(build: Callable[P, exp.Expr], *args: P.args, **kwargs: P.kwargs) -> str:
    return _written(build, args, tuple(kwargs.items()))


@lru_cache(maxsize=1_000)
def _written(build: Callable[..., exp.Expr], args: tuple[object, ...], kwargs: tuple[tuple[str, object], ...]) -> str:
    """The SQL of what ``build`` makes of its arguments, kept: to write it takes longer than to run it on few rows."""
    return build(*args, **dict(kwargs)).sql("duckdb", copy=False)


def _setting(option: str, value: Callable[..., exp.Expr], *args: Any) -> exp.Expr:
    return exp.Set(expressions=[exp.SetItem(this=exp.EQ(this=exp.column(option), expression=value(*args)))])


def _paths(paths: tuple[Path, ...]) -> exp.Expr:
    return exp.Array(expressions=[exp.Literal.string(str(path)) for path in paths])


def _view(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    return exp.Create(this=exp.to_table(name), kind="VIEW", replace=True, expression=build(*args, **kwargs))


def _table(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    query = build(*args, **kwargs)
    return exp.Create(this=exp.to_table(name), kind="TABLE", replace=True, expression=query, properties=temporary)


def _insert(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    return exp.Insert(this=exp.to_table(name), expression=build(*args, **kwargs))


@contextmanager
def _told() -> Iterator[None]:
    """Tell what DuckDB could not do, and nothing of the values that it tells of."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        do = "Ask its authors to split it into smaller studies."
        raise TooLittleMemory("The study needs more memory than an engine may take.", do) from error
    except duckdb.Error as error:
        raise EngineError(
            "The tables hold what their columns cannot hold.", "Check the files by `vitrail site verify`."
        ) from error
