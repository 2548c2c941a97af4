"""Text becomes a value of its column's type, or null; never another value."""

import math
import re
from datetime import date

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from vitrail.ingest.fields import date_by, days_from, parsed, present
from vitrail.omop.sql import Node
from vitrail.omop.tables import Type

DB = duckdb.connect(config={"threads": 1})


def value(expression: Node) -> object:
    return DB.execute(exp.select(expression).sql(dialect="duckdb")).fetchall()[0][0]


def of(kind: Type, text: str | None) -> object:
    return value(parsed(exp.Literal.string(text) if text is not None else exp.null(), kind))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "7", 7), ("int", "7.0", 7), ("int", "-7.", -7), ("int", "+5", 5), ("int", "1.5", None),
        ("int", "0x1F", None), ("int", "1_000", None), ("int", "1e3", None), ("int", "2147483648", None),
        ("int", "99999999999999999999", None), ("int", "", None), ("int", None, None),
        ("id", "999999999999999999", 10**18 - 1), ("id", "-1", None), ("id", "1000000000000000000", None),
        ("float", ".7", 0.7), ("float", "1e3", 1000.0), ("float", "-2.50", -2.5), ("float", "nan", None),
        ("float", "inf", None), ("float", "1e400", None), ("float", "1,5", None), ("float", "1_0", None),
        ("float", "<5", None), ("float", "9" * 201, None),
        ("date", "2020-02-29", date(2020, 2, 29)), ("date", "2021-02-29", None),
        ("date", "20200229", date(2020, 2, 29)),
        ("date", "2020-01-01 00:00:00", date(2020, 1, 1)), ("date", "2020-01-01T10:11:12.5Z", date(2020, 1, 1)),
        ("date", "2020-01-01 junk", None), ("date", "infinity", None), ("date", "epoch", None),
        ("date", "1799-12-31", None), ("date", "2200-01-01", None), ("date", "12/31/2020", None),
        ("date", "2020-1-1", None), ("date", "2020-01-01 (BC)", None),
        ("str", "text", "text"),
    ],
)  # fmt: skip
def test_parsed(kind: Type, text: str | None, expected: object) -> None:
    assert of(kind, text) == expected


@settings(max_examples=80)
@given(st.text(st.sampled_from("0123456789+-.eE _x"), max_size=12))
def test_whole_numbers_and_numbers_agree_with_their_grammar(text: str) -> None:
    """The oracle is Python's own reading, where the text has the grammar of a number at all."""
    whole = re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", text)
    expected = int(float(text)) if whole and abs(float(text)) < 2**31 - 1 else None
    if whole is None or abs(float(text)) < 2**31 - 1:
        assert of("int", text) == expected
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", text):
        assert math.isclose(float(text), of("float", text), rel_tol=1e-15)  # type: ignore[arg-type]
    else:
        assert of("float", text) is None


@settings(max_examples=40)
@given(st.dates(date(1700, 1, 1), date(2300, 1, 1)))
def test_dates_in_range_are_read(day: date) -> None:
    assert of("date", day.isoformat()) == (day if 1800 <= day.year < 2200 else None)


def test_dates_by_layout_and_by_days() -> None:
    assert value(date_by("%d/%m/%Y", exp.Literal.string("31/12/2020"))) == date(2020, 12, 31)
    assert value(date_by("%d/%m/%Y", exp.Literal.string("12/31/2020"))) is None
    assert value(date_by("%d/%m/%y", exp.Literal.string("x"))) is None
    assert value(days_from("2000-01-01", exp.Literal.string("-366"))) == date(1998, 12, 31)
    assert value(days_from("2000-01-01", exp.Literal.string("999999"))) is None
    assert value(days_from("2000-01-01", exp.Literal.string("99999999999"))) is None


def test_marks_of_nothing() -> None:
    marks = ("?", "NA", "-9")
    found = [value(present(exp.Literal.string(text), marks)) for text in ("?", " NA ", "-9", "", "  ", "-90", " x ")]
    assert found == [None, None, None, None, None, "-90", "x"]
