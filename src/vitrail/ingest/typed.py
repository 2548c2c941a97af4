"""From columns that have types already to OMOP's types, without a way through text wherever that is the same.

Everything here gives what the text of a value would give in :mod:`vitrail.ingest.fields`: a test holds the two against
each other. A type for which no short cut is listed goes through its text.
"""

import re
from collections.abc import Callable

from vitrail.ingest.fields import parsed, present, within
from vitrail.omop.sql import Node, sql
from vitrail.omop.tables import Type

Typed = tuple[Node, Node]
"""The value, null where it does not fit, and what is there: null where nothing is."""

_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|U?INTEGER|DECIMAL\(\d+,0\)")
_SHORT_DECIMAL = re.compile(r"DECIMAL\((\d|1[0-5]),\d+\)")
_TIMESTAMP = re.compile(r"TIMESTAMP(_S|_MS|_NS)?")
_NESTED = re.compile(r"STRUCT|MAP|UNION|BLOB|BIT|VARIANT|GEOMETRY|.*\]$")


def readable(source: str) -> bool:
    """Whether a column of DuckDB's type ``source`` holds single values that have a text."""
    return _NESTED.match(source) is None


def typed(column: Node, source: str, wanted: Type) -> Typed:
    """A column of DuckDB's type ``source`` as the OMOP type ``wanted``."""
    if source == "VARCHAR" and wanted == "str":
        return present(column), present(column.copy())
    short = next((make for kind, fits, make in _SHORT if kind == wanted and fits(source)), None)
    if short is not None:
        return short(column), column.copy()
    text = present(column if source == "VARCHAR" else sql("CAST(:v AS VARCHAR)", v=column))
    return parsed(text, wanted), text.copy()


def _id(value: Node) -> Node:
    return sql("CASE WHEN :v BETWEEN 0 AND 999999999999999999 THEN CAST(:v AS BIGINT) END", v=value)


def _int(value: Node) -> Node:
    return sql("CASE WHEN :v BETWEEN -2147483648 AND 2147483647 THEN CAST(:v AS INTEGER) END", v=value)


def _same(value: Node) -> Node:
    return value


def _number(value: Node) -> Node:
    return sql("CAST(:v AS DOUBLE)", v=value)


def _double(value: Node) -> Node:
    """What is written with at most two digits in the exponent; neither infinite nor NaN, which is above everything."""
    return sql(
        "CASE WHEN :v = 0 OR abs(:v) BETWEEN 1e-99 AND 9.999999999999999e99 THEN CAST(:v AS DOUBLE) END", v=value
    )


def _float(value: Node) -> Node:
    """As it is written: 48.1, and not the nearest double to the nearest float of it."""
    return sql("CASE WHEN isfinite(:v) THEN CAST(CAST(:v AS VARCHAR) AS DOUBLE) END", v=value)


def _day(value: Node) -> Node:
    return within(sql("CAST(:v AS DATE)", v=value))


def _moment(value: Node) -> Node:
    return sql(
        "CASE WHEN :v >= CAST('1800-01-01' AS DATE) AND :v < CAST('2200-01-01' AS DATE) THEN CAST(:v AS TIMESTAMP) END",
        v=value,
    )


def _is(*names: str) -> Callable[[str], bool]:
    return lambda source: source in names


def _fits(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda source: pattern.fullmatch(source) is not None


_SHORT: tuple[tuple[Type, Callable[[str], bool], Callable[[Node], Node]], ...] = (
    ("id", _fits(_WHOLE), _id),
    ("int", _is("INTEGER", "SMALLINT", "TINYINT", "USMALLINT", "UTINYINT"), _same),
    ("int", _fits(_WHOLE), _int),
    ("float", _is("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"), _number),
    ("float", _fits(_SHORT_DECIMAL), _number),
    ("float", _is("DOUBLE"), _double),
    ("float", _is("FLOAT"), _float),
    ("date", _is("DATE"), within),
    ("date", _fits(_TIMESTAMP), _day),
    ("datetime", _is("DATE"), _moment),
    ("datetime", _fits(_TIMESTAMP), _moment),
)
"""The short cuts: which type is wanted, from which types of a source, and how."""
