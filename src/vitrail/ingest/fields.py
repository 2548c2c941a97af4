"""From text to OMOP's types. What does not fit becomes null, so that the row can be quarantined with its reason.

Casts are guarded by patterns, for DuckDB's own take ``1.5`` for the integer 2, ``1_000`` for a thousand, ``infinity``
for a date, and ignore text after a date.
"""

from collections.abc import Callable

from vitrail.omop.sql import Node, sql
from vitrail.omop.tables import Type

FIRST_DAY, LAST_DAY = "1800-01-01", "2199-12-31"
"""Dates outside are taken for mistakes."""

LARGEST_ID = 2**62 - 1

SQL_TYPE: dict[Type, str] = {
    "id": "BIGINT",
    "int": "INTEGER",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "float": "DOUBLE",
    "str": "VARCHAR",
}

WANTED: dict[Type, str] = {
    "id": "an id (a whole number from 0 to 2^62 - 1)",
    "int": "a whole number of 32 bits",
    "date": f"a date (YYYY-MM-DD, {FIRST_DAY[:4]} to {LAST_DAY[:4]})",
    "datetime": "a date and time",
    "float": "a finite number",
    "str": "text",
}
"""What a column of each type holds, in words."""

_WHOLE = r"[+-]?[0-9]+(\.0*)?"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_TIME = r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def present(text: Node, missing: tuple[str, ...] = ()) -> Node:
    """The trimmed text, null where nothing or a mark of ``missing`` stands."""
    marks = sql("list_contains(:marks, trim(:v))", marks=_list(("", *missing)), v=text)
    return sql("CASE WHEN NOT :missing THEN trim(:v) END", missing=marks, v=text)


def _list(texts: tuple[str, ...]) -> Node:
    return sql("[]") if not texts else sql("[" + ", ".join(f":t{i}" for i in range(len(texts))) + "]",
                                           **{f"t{i}": text for i, text in enumerate(texts)})  # fmt: skip


def parsed(text: Node, kind: Type) -> Node:
    """``text`` in the SQL type of ``kind``, null where it does not fit."""
    return _PARSERS[kind](text)


def whole(text: Node) -> Node:
    """A 64-bit whole number; ``7.0`` is one."""
    return sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS BIGINT) END", v=text, p=_WHOLE)


def number(text: Node) -> Node:
    """A finite number."""
    cast = sql("CASE WHEN regexp_full_match(:v, :p) THEN TRY_CAST(:v AS DOUBLE) END", v=text, p=_NUMBER)
    return sql("CASE WHEN isfinite(:n) THEN :n END", n=cast)


def date(text: Node, layout: str | None = None) -> Node:
    """A date between :data:`FIRST_DAY` and :data:`LAST_DAY`; ISO 8601 where no ``strptime`` layout is given."""
    if layout is None:
        found = sql(
            "CASE WHEN regexp_full_match(:v, :iso) THEN TRY_CAST(left(:v, 10) AS DATE)"
            " WHEN regexp_full_match(:v, '[0-9]{8}') THEN CAST(try_strptime(:v, '%Y%m%d') AS DATE) END",
            v=text,
            iso=f"{_DATE}({_TIME})?",
        )
    else:
        found = sql("CAST(try_strptime(:v, :layout) AS DATE)", v=text, layout=layout)
    return within(found)


def within(day: Node) -> Node:
    """``day`` where it is between :data:`FIRST_DAY` and :data:`LAST_DAY`, else null."""
    limits = {"first": FIRST_DAY, "last": LAST_DAY}
    return sql("CASE WHEN :d BETWEEN CAST(:first AS DATE) AND CAST(:last AS DATE) THEN :d END", d=day, **limits)


def _id(text: Node) -> Node:
    return sql("CASE WHEN :n BETWEEN 0 AND :most THEN :n END", n=whole(text), most=LARGEST_ID)


def _int(text: Node) -> Node:
    return sql("TRY_CAST(:n AS INTEGER)", n=whole(text))


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
