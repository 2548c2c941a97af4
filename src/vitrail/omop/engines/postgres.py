"""The PostgreSQL engine: a Common Data Model in a site's own database, asked where it lies.

All that is written goes into temporary tables of one connection, in one transaction that sees one moment of the
database. No name but those of its own tables is looked up without the schema, so nothing of the database can be
changed; a user who may read the tables and make temporary ones suffices. What a definition says comes in as rows, by
``COPY``, never as text of a statement.

What PostgreSQL does differently is settled here:

* Infinite dates and such before the year 1 or after 9999 are the first or the last day of the calendar.
* A ``numeric`` of 10^300 or more is no finite number; a ``real`` is the number that it is written as.
* A quotient too large for a number is none, one too small is 0, where PostgreSQL would fail.
* Texts are equal where all their characters are, whatever the collation of the database or column.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ParamSpec

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from sqlglot import exp

from vitrail.errors import EngineError, SourceError
from vitrail.omop import events
from vitrail.omop.address import Address
from vitrail.omop.engines.study import DatabaseBatch, Persons
from vitrail.omop.sheets import Kind, Sheet
from vitrail.omop.sql import sql
from vitrail.omop.tables import CDM, Column, Type, current_names

if TYPE_CHECKING:
    import psycopg

P = ParamSpec("P")
Copied = Mapping[str, tuple[Sequence[Column], Iterable[bytes]]]
"""OMOP tables by name: their columns, and their rows as PostgreSQL's CSV, piece by piece."""

STATEMENT_SECONDS = 3_600
"""How long a statement may take."""

_TYPE: Mapping[Kind, str] = {"int": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "flag": "BOOLEAN"}
_COPIED: Mapping[Type, str] = {
    "id": "bigint", "int": "bigint", "date": "date", "float": "double precision", "str": "text"
}  # fmt: skip
_WHOLE = ("smallint", "integer", "bigint")


class PostgresDatabase:
    """A connection in whose temporary tables a batch is answered. Raises EngineError, which tells no value.

    The planner knows nothing of a new temporary table, so each is analysed.
    """

    def __init__(self, address: Address, seconds: int = STATEMENT_SECONDS) -> None:
        with _told():
            self._connection = _connected(address, seconds)

    def close(self) -> None:
        """Leave the database as it was."""
        self._connection.close()

    def tables(self, schema: str) -> "dict[str, Found]":
        """The OMOP tables of a schema that may be read, by OMOP's name."""
        with _told():
            return _tables(self._connection, schema)

    def copy(self, copied: Copied) -> "dict[str, Found]":
        """Copy OMOP tables into temporary ones; gives these by OMOP's name."""
        found = {}
        for name, (columns, pieces) in copied.items():
            held = Found(
                "pg_temp", f"copied_{name}", tuple((each.name, each.name, _COPIED[each.type]) for each in columns)
            )
            self._run(_empty, held.name, tuple((each.name, events.SQL_TYPE[each.type]) for each in columns))
            with _told(), self._connection.cursor().copy(_text(_copy_csv, held.name)) as copy:
                for piece in pieces:
                    copy.write(piece)
            self._run(_analyze, held.name)
            found[name] = held
        return found

    def view(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Define a view, in place of an earlier one of that name."""
        self._run(_view, name, build, *args, **kwargs)

    def hold(self, name: str, rows: Sheet) -> None:
        """Make a table of a sheet, in place of an earlier one of that name."""
        self._fill(name, rows.kinds, ([row.get(column) for column in rows.kinds] for row in rows.rows))

    def show(self, name: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Make a table of arrays of whole numbers, in place of an earlier one of that name."""
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        self._fill(name, dict.fromkeys(columns, "int"), rows)

    def keep(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Compute a table, in place of an earlier one of that name."""
        self._run(_drop, name)
        self._run(_table, name, build, *args, **kwargs)
        self._run(_analyze, name)

    def add(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add the rows of a query to a table."""
        self._run(_insert, name, build, *args, **kwargs)
        self._run(_analyze, name)

    def rows(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        with _told():
            return self._connection.execute(_text(build, *args, **kwargs)).fetchall()

    def arrays(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> Mapping[str, NDArray[Any]]:
        """The answer to a query, column by column; a column of numbers with nulls becomes floats with NaN."""
        with _told():
            return _columns_of(self._connection, _text(build, *args, **kwargs))

    def _run(self, build: Callable[P, exp.Expr], *args: P.args, **kwargs: P.kwargs) -> None:
        with _told():
            self._connection.execute(_text(build, *args, **kwargs))

    def _fill(self, name: str, kinds: Mapping[str, Kind], rows: Any) -> None:
        self._run(_drop, name)
        self._run(_empty, name, tuple((column, _TYPE[kind]) for column, kind in kinds.items()))
        with _told(), self._connection.cursor().copy(_text(_copy_in, name)) as copy:
            for row in rows:
                copy.write_row(row)
        self._run(_analyze, name)


class PostgresBatch(DatabaseBatch):
    """Answers batches of definitions in a PostgreSQL database, from the OMOP tables of the address's schema.

    Or from tables that are ``copied`` into the database for as long as it is open; the schema is not looked at then.
    A missing table is empty. A statement may take so many ``seconds``. Raises SourceError where there is no table
    ``person``, a table lacks a column or the database cannot be reached, EngineError where it does not do what is
    asked, and what its class raises.
    """

    def __init__(
        self, address: Address, *, seconds: int = STATEMENT_SECONDS, ranges: int = 1, copied: Copied | None = None
    ) -> None:
        self._postgres = PostgresDatabase(address, seconds)
        try:
            found = self._postgres.tables(address.schema) if copied is None else self._postgres.copy(copied)
            self._found = _checked(found)
            super().__init__(self._postgres, ranges)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the database as it was; the engine answers no more."""
        self._postgres.close()

    def lacks(self, table: str, column: str) -> bool:
        """Whether an OMOP table is there, and without a column."""
        found = self._found.get(table)
        return found is not None and column not in {name for name, _, _ in found.columns}

    def read(self, persons: Persons) -> None:
        """Let the views show a range of persons."""
        for name in events.TABLES_READ:
            self._postgres.view(name, _read, name, self._found.get(name), persons)


# Tables of the site


@dataclass(frozen=True)
class Found:
    """A table of the database: its schema and name there, and its columns: OMOP's name, the name there, the type."""

    schema: str
    name: str
    columns: tuple[tuple[str, str, str], ...]


def _tables(db: "psycopg.Connection[Any]", schema: str) -> dict[str, Found]:
    found = db.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = %s AND lower(table_name) = ANY(%s) AND has_table_privilege(format('%%I.%%I',"
        " table_schema, table_name), 'SELECT') ORDER BY table_name, ordinal_position",
        [schema, list(events.TABLES_READ)],
    ).fetchall()
    tables: dict[str, Found] = {}
    for name in dict.fromkeys(row[0] for row in found):
        if name.lower() in tables:
            raise SourceError(f"The database has two tables for {name.lower()}.", "Keep one of them.")
        held = current_names(CDM[name.lower()], [column for of, column, _ in found if of == name])
        columns = tuple((held[column], column, kind) for of, column, kind in found if of == name)
        tables[name.lower()] = Found(schema, name, columns)
    return tables


def _checked(found: dict[str, Found]) -> dict[str, Found]:
    if "person" not in found:
        what = "The database has no table person that may be read in that schema."
        raise SourceError(what, "Name the schema: postgresql://user@host/database?schema=cdm.")
    for name, table in found.items():
        present = {column for column, _, _ in table.columns}
        for each in events.columns_needed(name):
            if each.name not in present:
                what = f"The table {name} of the database has no column {each.name}."
                raise SourceError(what, "Add it, or a view of the table that has it.")
    return found


def _read(name: str, found: Found | None, persons: Persons) -> exp.Select:
    """A table of the database with exactly the columns that are read, in their types; or an empty one."""
    if found is None:
        return events.typed(name, None, ())
    there = {column: (own, kind) for column, own, kind in found.columns}
    columns = [_held(each, *there.get(each.name, (None, ""))).as_(each.name) for each in events.columns_read(name)]
    query = exp.select(*columns).from_(exp.table_(found.name, db=found.schema, quoted=True))
    if persons is None or name in events.OF_NOBODY:
        return query
    return query.where(exp.column(there["person_id"][0], quoted=True).between(*persons))


def _held(column: Column, own: str | None, kind: str) -> exp.Expr:
    """A column of a table as engines read it."""
    if own is None:
        return exp.cast(exp.null(), events.SQL_TYPE[column.type])
    held = exp.column(own, quoted=True)
    if column.type in ("id", "int"):
        return held if kind in _WHOLE else exp.cast(held, "BIGINT")
    if column.type == "date":
        return sql(_CALENDAR, held=exp.cast(held, "DATE"))
    if column.type == "float":
        return sql(_NUMBER.get(kind, _ANY_NUMBER), held=held)
    return exp.Collate(this=exp.cast(held, "VARCHAR"), expression=exp.to_identifier("C", quoted=True))


_CALENDAR = """CASE WHEN :held > CAST('9999-12-31' AS DATE) THEN CAST('9999-12-31' AS DATE)
    WHEN :held < CAST('0001-01-01' AS DATE) THEN CAST('0001-01-01' AS DATE) ELSE :held END"""
_ANY_NUMBER = "CAST(:held AS DOUBLE)"
_NUMBER = {
    "numeric": "CASE WHEN ABS(:held) < 1e300 THEN CAST(:held AS DOUBLE) END",
    "real": "CAST(CAST(:held AS VARCHAR) AS DOUBLE)",
}


# Statements


def _text(build: Callable[P, exp.Expr], *args: P.args, **kwargs: P.kwargs) -> bytes:
    return _written(build, args, tuple(kwargs.items()))


@lru_cache(maxsize=1_000)
def _written(build: Callable[..., exp.Expr], args: tuple[object, ...], kwargs: tuple[tuple[str, object], ...]) -> bytes:
    """The SQL of what ``build`` makes of its arguments, in PostgreSQL's words."""
    tree = build(*args, **dict(kwargs)).transform(_worded, copy=False)
    return tree.sql("postgres", identify=True, copy=False).encode()


def _worded(node: exp.Expr) -> exp.Expr:
    """What PostgreSQL says in other words: days by whole numbers, and quotients that never fail."""
    if isinstance(node, exp.DateDiff):
        return exp.paren(node.this - node.expression)
    if isinstance(node, exp.DateAdd):
        return exp.paren(node.this + exp.cast(node.expression, "INT"))
    if isinstance(node, exp.Div) and not node.meta.get("safe"):
        return _quotient(node.this, node.expression)
    return node


def _quotient(value: exp.Expr, by: exp.Expr) -> exp.Expr:
    divided = sql(
        """CASE WHEN ABS(:by) < 1 AND ABS(:value) > CAST('1.7976931348623157e308' AS DOUBLE) * ABS(:by)
        THEN NULL
        WHEN ABS(:by) > 1 AND ABS(:value) < CAST('2.2250738585072014e-308' AS DOUBLE) * ABS(:by) THEN 0
        ELSE :value / :by END""",
        value=value,
        by=by,
    )
    for each in divided.find_all(exp.Div):
        each.meta["safe"] = True
    return divided


def _own(name: str) -> exp.Table:
    return exp.table_(name, db="pg_temp")


def _drop(name: str) -> exp.Expr:
    return _of("DROP TABLE IF EXISTS held", name)


def _table(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    return exp.Create(this=_own(name), kind="TABLE", expression=build(*args, **kwargs))


def _view(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    return exp.Create(this=_own(name), kind="VIEW", replace=True, expression=build(*args, **kwargs))


def _empty(name: str, types: tuple[tuple[str, str], ...]) -> exp.Expr:
    columns = [exp.ColumnDef(this=exp.to_identifier(column), kind=exp.DataType.build(type)) for column, type in types]
    return exp.Create(this=exp.Schema(this=_own(name), expressions=columns), kind="TABLE")


def _insert(name: str, build: Callable[..., exp.Query], *args: Any, **kwargs: Any) -> exp.Expr:
    return exp.Insert(this=_own(name), expression=build(*args, **kwargs))


def _analyze(name: str) -> exp.Expr:
    return _of("ANALYZE held", name)


def _copy_in(name: str) -> exp.Expr:
    return exp.Copy(this=_own(name), kind=True, files=[exp.Var(this="STDIN")])


def _copy_csv(name: str) -> exp.Expr:
    csv = exp.CopyParameter(this=exp.var("FORMAT"), expression=exp.var("CSV"))
    return exp.Copy(this=_own(name), kind=True, files=[exp.Var(this="STDIN")], params=[csv])


def _of(statement: str, name: str) -> exp.Expr:
    """A statement about one of its own tables."""
    return sql(statement).transform(lambda node: _own(name) if isinstance(node, exp.Table) else node)


def _columns_of(db: "psycopg.Connection[Any]", query: bytes) -> Mapping[str, NDArray[Any]]:
    """The answer to a query, by ``COPY``."""
    described = db.execute(b"SELECT * FROM (" + query + b") AS q LIMIT 0").description or []
    schema = {each.name: _ARROW.get(each.type_display, pa.string()) for each in described}
    with db.cursor().copy(b"COPY (" + query + b") TO STDOUT (FORMAT csv, HEADER)") as copy:
        held = b"".join(bytes(each) for each in copy)
    options = csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    table = csv.read_csv(io.BytesIO(held), parse_options=_LINES, convert_options=options)
    return {name: table.column(name).to_numpy() for name in table.column_names}


_ARROW = {
    **dict.fromkeys(("int2", "int4", "int8"), pa.int64()),
    **dict.fromkeys(("float8", "numeric"), pa.float64()),
    "bool": pa.bool_(),
}
_LINES = csv.ParseOptions(newlines_in_values=True)


# The connection

_CONNECT = "Check the address, that the server runs, and PGPASSWORD or ~/.pgpass."


def _connected(address: Address, seconds: int) -> "psycopg.Connection[Any]":
    """A connection that sees one moment, and looks up no name but in its own temporary schema."""
    try:
        import psycopg
    except ImportError as error:
        raise SourceError("PostgreSQL needs psycopg.", "Install vitrail with the extra `postgres`.") from error
    try:
        db = psycopg.connect(
            host=address.host, port=address.port, user=address.user, dbname=address.database, connect_timeout=20,
            application_name="vitrail", client_encoding="utf8", prepare_threshold=None,
        )  # fmt: skip
    except psycopg.OperationalError as error:
        raise SourceError("The database cannot be reached.", _CONNECT) from error
    db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    settings = {"search_path": "pg_temp", "TimeZone": "UTC", "DateStyle": "ISO, YMD", "jit": "off",
                "work_mem": "64MB", "statement_timeout": f"{seconds}s"}  # fmt: skip
    for name, value in settings.items():
        db.execute("SELECT set_config(%s, %s, false)", [name, value])
    return db


@contextmanager
def _told() -> Iterator[None]:
    """Tell what PostgreSQL could not do, and nothing of the values that it tells of."""
    import psycopg
    from psycopg import errors

    try:
        yield
    except errors.QueryCanceled as error:
        raise EngineError("A step takes the database longer than it may.", "Ask for fewer at once.") from error
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as error:
        what = "The database does not let this user read the tables, or make temporary ones."
        raise EngineError(what, "Grant SELECT on the schema and TEMPORARY on the database.") from error
    except (errors.OutOfMemory, errors.DiskFull, errors.ConfigurationLimitExceeded) as error:
        what = "The study needs more memory or disk than the database has."
        raise EngineError(what, "Ask for fewer at once.") from error
    except psycopg.OperationalError as error:
        raise EngineError("The database cannot be reached any more.", _CONNECT) from error
    except (psycopg.Error, pa.ArrowException) as error:
        what = "The tables hold what their columns cannot hold."
        raise EngineError(what, "Check the tables; `vitrail site load --dry-run` tells where.") from error
