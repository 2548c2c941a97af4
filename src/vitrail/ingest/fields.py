"""From text to OMOP's types. What does not fit becomes null, so that the row can be quarantined with its reason.

Casts are guarded by patterns, for DuckDB's own take ``1.5`` for the integer 2, ``1_000`` for a thousand, ``infinity``
for a date, and ignore text after a date. The patterns also bound what is cast, so that nothing overflows.
"""

from collections.abc import Callable, Sequence

from vitrail.omop.sql import Node, sql
from vitrail.omop.tables import Type

SQL_TYPE: dict[Type, str] = {
    "id": "BIGINT",
    "int": "INTEGER",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "float": "DOUBLE",
    "str": "VARCHAR",
}

WANTED: dict[Type, str] = {
    "id": "an id (a whole number of at most 18 digits)",
    "int": "a whole number of 32 bits",
    "date": "a date (YYYY-MM-DD, from 1800 to 2199)",
    "datetime": "a date and time",
    "float": "a number",
    "str": "text",
}
"""What a column of each type holds, in words."""

_ID = r"[0-9]{1,18}(\.0*)?"
_WHOLE = r"[+-]?[0-9]{1,18}(\.0*)?"
_DAYS = r"[+-]?[0-9]{1,6}(\.0*)?"
_NUMBER = r"[+-]?([0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})([eE][+-]?[0-9]{1,2})?"
_DATE = r"(18|19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_TIME = r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"


def present(text: Node, missing: Sequence[str] = ()) -> Node:
    """The trimmed text, null where nothing or a mark of ``missing`` stands."""
    found = sql("nullif(trim(:v), '')", v=text)
    for mark in missing:
        found = sql("nullif(:v, :mark)", v=found, mark=mark)
    return found


def parsed(text: Node, kind: Type) -> Node:
    """``text`` in the SQL type of ``kind``, null where it does not fit."""
    return _PARSERS[kind](text)


def whole(text: Node) -> Node:
    """A whole number of at most 18 digits; ``7.0`` is one."""
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS BIGINT) END", v=text, p=_WHOLE)


def number(text: Node) -> Node:
    """A number, finite by its pattern."""
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS DOUBLE) END", v=text, p=_NUMBER)


def days_from(epoch: str, text: Node) -> Node:
    """The date so many days after ``epoch``."""
    return within(
        sql(
            "CASE WHEN regexp_full_match(:v, :p) THEN CAST(:epoch AS DATE) + TRY_CAST(:v AS INTEGER) END",
            v=text,
            p=_DAYS,
            epoch=epoch,
        )
    )


def date(text: Node) -> Node:
    """A date as ISO 8601 writes it, with or without a time, or as eight digits."""
    return sql(
        "CASE WHEN regexp_full_match(:v, :iso) THEN TRY_CAST(left(:v, 10) AS DATE)"
        " WHEN regexp_full_match(:v, :digits) THEN CAST(try_strptime(:v, '%Y%m%d') AS DATE) END",
        v=text,
        iso=f"{_DATE}({_TIME})?",
        digits=r"(18|19|20|21)[0-9]{6}",
    )


def date_by(layout: str, text: Node) -> Node:
    """A date by a layout in ``strptime``'s words."""
    return within(sql("CAST(try_strptime(:v, :layout) AS DATE)", v=text, layout=layout))


def within(day: Node) -> Node:
    """``day`` where it is from 1800 to 2199, else null: others are taken for mistakes."""
    return sql("CASE WHEN :d BETWEEN CAST('1800-01-01' AS DATE) AND CAST('2199-12-31' AS DATE) THEN :d END", d=day)


def _id(text: Node) -> Node:
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS BIGINT) END", v=text, p=_ID)


def _int(text: Node) -> Node:
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS INTEGER) END", v=text, p=_WHOLE)


def _datetime(text: Node) -> Node:
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS TIMESTAMP) END", v=text, p=f"{_DATE}({_TIME})?")


def _text(text: Node) -> Node:
    return text


_PARSERS: dict[Type, Callable[[Node], Node]] = {
    "id": _id,
    "int": _int,
    "date": date,
    "datetime": _datetime,
    "float": number,
    "str": _text,
}
