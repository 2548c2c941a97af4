"""DuckDB, locked: it may read the files that it was opened with, and nothing else.

It loads no extension, reaches no other file and no network, writes nothing to disk (not even what exceeds its
memory), and none of this can be changed once it is open.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.errors import EngineError

_ARROW = {int: pa.int64(), int | None: pa.int64(), float | None: pa.float64(), bool: pa.bool_()}


class LockedDuckDB:
    """A database in memory. Queries are SQLGlot expressions; tables come in as rows and go out as arrays.

    Raises EngineError where a query fails: its text says nothing of the data.
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
        self._set("allowed_paths", exp.Array(expressions=[exp.Literal.string(str(path)) for path in files]))
        self._set("enable_external_access", exp.false())
        self._set("lock_configuration", exp.true())

    def close(self) -> None:
        """Give back the memory."""
        self._connection.close()

    def view(self, name: str, query: exp.Query) -> None:
        """Define a view."""
        self._run(exp.Create(this=exp.to_table(name), kind="VIEW", expression=query))

    def keep(self, name: str, query: exp.Query) -> None:
        """Compute a table, in place of an earlier one of that name."""
        temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
        table = exp.to_table(name)
        self._run(exp.Create(this=table, kind="TABLE", replace=True, expression=query, properties=temporary))

    def add(self, name: str, query: exp.Query) -> None:
        """Add the rows of a query to a table."""
        self._run(exp.Insert(this=exp.to_table(name), expression=query))

    def rows(self, query: exp.Query) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        with _told():
            return self._connection.sql(query.sql("duckdb")).fetchall()

    def arrays(self, query: exp.Query) -> Mapping[str, NDArray[Any]]:
        """The answer to a query, column by column; a column of numbers with nulls becomes floats with NaN."""
        with _told():
            answer = self._connection.sql(query.sql("duckdb")).to_arrow_table()
        return {name: answer.column(name).to_numpy() for name in answer.column_names}

    def show(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Let queries see arrays as a table, in place of an earlier one of that name."""
        self._connection.register(name, pa.table(dict(columns)))

    def give(self, name: str, kind: type, rows: Sequence[Any]) -> None:
        """Let queries see rows, which are dataclasses of one ``kind``, as a table."""
        schema = pa.schema([(field.name, _ARROW[field.type]) for field in fields(kind)])  # type: ignore[index]
        self._connection.register(name, pa.Table.from_pylist([asdict(row) for row in rows], schema))

    def _set(self, option: str, value: exp.Expr) -> None:
        self._run(exp.Set(expressions=[exp.SetItem(this=exp.EQ(this=exp.column(option), expression=value))]))

    def _run(self, statement: exp.Expr) -> None:
        with _told():
            self._connection.execute(statement.sql("duckdb"))


@contextmanager
def _told() -> Iterator[None]:
    """Tell what DuckDB could not do, and nothing of the values that it tells of."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise EngineError("The memory limit is too small for this study.", "Allow more memory.") from error
    except duckdb.Error as error:
        raise EngineError(
            "The tables hold what their columns cannot hold.", "Check the files by `vitrail site verify`."
        ) from error
