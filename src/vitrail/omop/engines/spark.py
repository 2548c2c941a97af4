"""The Spark engine: a Common Data Model on a site's own cluster, as Parquet or in a catalog.

Every table of a batch is computed once and kept on the cluster's workers; nothing is written to the site's storage.
Where a worker is lost with its part, the batch fails and no answer is given. What a definition says comes in as rows,
never as text of a statement.

What Spark does differently is settled here:

* Where a number only has to be a row's own, rows are numbered in no order and with gaps.
* Nulls come last in every order, as in the other databases.
* A sum or a product too large for its type fails (Spark's ANSI mode), as in the other databases.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ParamSpec
from urllib.parse import unquote

import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.errors import EngineError, SourceError
from vitrail.omop import events
from vitrail.omop.engines.study import DatabaseBatch, Persons
from vitrail.omop.sheets import Kind, Sheet
from vitrail.omop.tables import CDM, current_names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

P = ParamSpec("P")

SCHEME = "spark://"
ADDRESS = "Write it as spark://host:port/directory, or spark://host:port/catalog.schema."

_ARROW: Mapping[Kind, pa.DataType] = {
    "int": pa.int64(), "number": pa.float64(), "text": pa.string(), "flag": pa.bool_()
}  # fmt: skip


@dataclass(frozen=True)
class SparkAddress:
    """Where a cluster's master is, and the tables: a ``directory`` of Parquet, or a ``catalog`` with its schema."""

    master: str
    directory: str | None
    catalog: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "SparkAddress":
        """The address that ``text`` says. Raises SourceError, which does not repeat it."""
        found = re.fullmatch(r"(spark://[^/?#@]+:\d+)/([^?#]+)", text)
        if found is None:
            raise SourceError("The address of the cluster cannot be read.", ADDRESS)
        place = unquote(found[2])
        if re.fullmatch(r"\w+\.\w+", place):
            return cls(found[1], None, tuple(place.split(".")))
        return cls(found[1], place if "://" in place else "/" + place.lstrip("/"), ())


class SparkDatabase:
    """A session on a cluster, in whose temporary views a batch is answered. Raises EngineError: it tells no value."""

    def __init__(self, master: str) -> None:
        with _told():
            self._session = _session(master)

    def close(self) -> None:
        """Give back the cluster's memory."""
        with _told():
            for each in self._session.catalog.listTables():
                self._session.catalog.dropTempView(each.name)

    def columns(self, name: str, address: SparkAddress) -> tuple[str, ...] | None:
        """The columns of one of the site's tables, which a view ``source_<name>`` shows then; None where it is not."""
        with _told():
            frame = _source(self._session, name, address)
            if frame is None:
                return None
            frame = frame.toDF(*current_names(CDM[name], frame.columns).values())
            frame.createOrReplaceTempView(f"source_{name}")
            return tuple(frame.columns)

    def view(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Define a view, in place of an earlier one of that name."""
        with _told():
            self._session.sql(_text(build, *args, **kwargs)).createOrReplaceTempView(name)

    def hold(self, name: str, rows: Sheet) -> None:
        """Make a table of a sheet, in place of an earlier one of that name."""
        columns = {
            column: pa.array([row.get(column) for row in rows.rows], _ARROW[kind])
            for column, kind in rows.kinds.items()
        }
        self._give(name, pa.table(columns))

    def show(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Make a table of arrays of whole numbers, in place of an earlier one of that name."""
        self._give(name, pa.table(dict(columns)))

    def keep(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Compute a table, in place of an earlier one of that name."""
        with _told():
            self._computed(build, *args, **kwargs).createOrReplaceTempView(name)

    def add(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add the rows of a query to a table."""
        with _told():
            more = self._computed(build, *args, **kwargs)
            self._session.table(name).union(more).createOrReplaceTempView(name)

    def rows(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        with _told():
            return [tuple(row) for row in self._session.sql(_text(build, *args, **kwargs)).collect()]

    def arrays(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> Mapping[str, NDArray[Any]]:
        """The answer to a query, column by column; a column of numbers with nulls becomes floats with NaN."""
        with _told():
            answer = self._session.sql(_text(build, *args, **kwargs)).toArrow()
        return {name: answer.column(name).to_numpy() for name in answer.column_names}

    def _computed(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> "DataFrame":
        return self._session.sql(_text(build, *args, **kwargs)).localCheckpoint(eager=True)

    def _give(self, name: str, table: pa.Table) -> None:
        with _told():
            self._session.createDataFrame(table).createOrReplaceTempView(name)


class SparkBatch(DatabaseBatch):
    """Answers batches of definitions on a cluster, from OMOP tables in Parquet or in a catalog.

    A missing table is empty. Raises SourceError where there is no table ``person`` or a table lacks a column,
    EngineError where the cluster cannot be reached or does not do it, and what its class raises.
    """

    def __init__(self, address: SparkAddress, *, ranges: int = 1) -> None:
        self._spark = SparkDatabase(address.master)
        found = {name: self._spark.columns(name, address) for name in events.TABLES_READ}
        self._present = {name: columns for name, columns in found.items() if columns is not None}
        _check(self._present)
        super().__init__(self._spark, ranges)

    def close(self) -> None:
        """Give back the cluster's memory; the engine answers no more."""
        self._spark.close()

    def lacks(self, table: str, column: str) -> bool:
        """Whether an OMOP table is there, and without a column."""
        return column not in self._present.get(table, (column,))

    def read(self, persons: Persons) -> None:
        """Let the views show a range of persons."""
        for name in events.TABLES_READ:
            self._spark.view(name, _read, name, self._present.get(name), persons)


# Tables of the site


def _source(session: "SparkSession", name: str, address: SparkAddress) -> "DataFrame | None":
    """A table of the site: in a catalog, or in ``<directory>/<name>`` or ``<directory>/<name>.parquet``."""
    from pyspark.errors import AnalysisException

    if address.directory is None:
        full = ".".join((*address.catalog, name))
        return session.table(full) if session.catalog.tableExists(full) else None
    for path in (f"{address.directory}/{name}.parquet", f"{address.directory}/{name}"):
        try:
            return session.read.parquet(path)
        except AnalysisException as error:
            if error.getCondition() != "PATH_NOT_FOUND":
                raise
    return None


def _check(present: Mapping[str, tuple[str, ...]]) -> None:
    if "person" not in present:
        raise SourceError("The cluster sees no table person there.", ADDRESS)
    for name, columns in present.items():
        for each in events.columns_needed(name):
            if each.name not in columns:
                raise SourceError(f"The table {name} has no column {each.name}.", "Export the table with it.")


def _read(name: str, present: tuple[str, ...] | None, persons: Persons) -> exp.Select:
    """A table of the site with exactly the columns that are read, in their types; or an empty one."""
    return events.of_table(name, None if present is None else exp.to_table(f"source_{name}"), present or (), persons)


# Statements


def _text(build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> str:
    return _written(build, args, tuple(kwargs.items()))


@lru_cache(maxsize=1_000)
def _written(build: Callable[..., exp.Query], args: tuple[object, ...], kwargs: tuple[tuple[str, object], ...]) -> str:
    """The SQL of what ``build`` makes of its arguments, in Spark's words."""
    tree = build(*args, **dict(kwargs)).transform(_worded, copy=False)
    return tree.sql("spark", identify=True, copy=False)


def _worded(node: exp.Expr) -> exp.Expr:
    """What Spark says in other words."""
    if isinstance(node, exp.DateDiff):
        return exp.func("UNIX_DATE", node.this)
    if isinstance(node, exp.DateAdd):
        return exp.Anonymous(this="DATE_FROM_UNIX_DATE", expressions=[exp.cast(node.expression, "INT")])
    if isinstance(node, exp.Window) and not (node.args.get("partition_by") or node.args.get("order")):
        return exp.Anonymous(this="MONOTONICALLY_INCREASING_ID")
    if isinstance(node, exp.Order):
        node.set("expressions", [_nulls_last(each) for each in node.expressions])
    return node


def _nulls_last(key: exp.Expr) -> exp.Expr:
    if isinstance(key, exp.Ordered):
        key.set("nulls_first", False)
        return key
    return exp.Ordered(this=key, desc=False, nulls_first=False)


# The session


def _session(master: str) -> "SparkSession":
    """A session of its own in this process's application on the cluster, which is started for the first of them."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SourceError("Spark needs pyspark.", "Install vitrail with the extra `spark`.") from error
    builder = SparkSession.builder.master(master).appName("vitrail")
    for name in ("spark.ui.enabled", "spark.ui.showConsoleProgress"):
        builder = builder.config(name, "false")
    session = builder.getOrCreate().newSession()
    for name, value in _SETTINGS.items():
        session.conf.set(name, value)
    return session


_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # a kept table tells the optimizer of columns that it has no more, at which a union of such tables fails
    "spark.sql.constraintPropagation.enabled": "false",
}


@contextmanager
def _told() -> Iterator[None]:
    """Tell what Spark could not do, and nothing of the values that it tells of."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("pyspark", "py4j"):
            raise
        what = "The cluster could not do it: it cannot be reached, has too little memory, or a table holds what its"
        raise EngineError(f"{what} columns cannot hold.", "Look at the cluster's log.") from error
