"""Limits of events and persons in SQL: what a study wants travels as columns of a row, null where it wants nothing.

A limit's column is its attribute and its comparison, as in ``age__at_least``: a number for limits of numbers and of
days, a text for limits of texts, the number of a concept set for limits of concepts, true or false for whether there
must be one. Only the columns that somebody
uses are there, and only their conditions are written.
"""

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp

from vitrail.omop.sheets import Kind
from vitrail.study.cohort import DayLimits, Limits, Wording
from vitrail.study.concepts import Coded

Cell = tuple[str, float | int | str | bool]
"""A column of a limit and what stands in it."""

_NUMBERS = {"at_least": exp.GTE, "above": exp.GT, "at_most": exp.LTE, "below": exp.LT}
_DAYS = {"since": "at_least", "after": "above", "until": "at_most", "before": "below"}
_CONCEPTS = ("any_of", "within", "none_of", "outside")
_TEXTS = (
    "starts_with", "ends_with", "contains", "not_starting_with", "not_ending_with", "not_containing"
)  # fmt: skip
_EPOCH = 719_163  # the ordinal of 1970-01-01


def cells(
    attribute: str, limit: Limits | DayLimits | Wording | Coded, number: Callable[[Coded, str], int]
) -> list[Cell]:
    """The cells of one limit; ``number`` tells the number of a concept set that the limit names."""
    given = [(name, value) for name in type(limit).model_fields if (value := getattr(limit, name)) is not None]
    return [cell for name, value in given for cell in _cells(attribute, limit, name, value, number)]


def _cells(
    attribute: str, limit: object, name: str, value: object, number: Callable[[Coded, str], int]
) -> Iterator[Cell]:
    if isinstance(value, bool):
        yield f"{attribute}__{name}", value
    elif isinstance(limit, Coded):
        yield f"{attribute}__{name}", number(limit, name)
    elif isinstance(limit, Wording):
        yield f"{attribute}__{name}", str(value)
    elif isinstance(value, tuple):
        yield f"{attribute}__outside_low", _number(value[0])
        yield f"{attribute}__outside_high", _number(value[1])
    else:
        yield f"{attribute}__{_DAYS.get(name, name)}", _number(value)


def day(date: object) -> int:
    """The number of a day: 0 is 1970-01-01."""
    return int(date.toordinal()) - _EPOCH  # type: ignore[attr-defined]


def _number(value: object) -> float:
    return float(day(value)) if hasattr(value, "toordinal") else float(value)  # type: ignore[arg-type]


def kind(column: str) -> Kind:
    """What a limit's column holds."""
    comparison = column.partition("__")[2]
    if comparison == "recorded":
        return "flag"
    return "text" if comparison in _TEXTS else "int" if comparison in _CONCEPTS else "number"


def attributes(columns: Sequence[str]) -> tuple[str, ...]:
    """The attributes that the columns of limits speak of."""
    return tuple(dict.fromkeys(column.partition("__")[0] for column in columns))


def fitting(query: exp.Select, columns: Sequence[str], wanted: str, value: Callable[[str], exp.Expr]) -> exp.Select:
    """The rows of ``query`` that fit the limits in the ``columns`` of its table ``wanted``; changes ``query``.

    ``value`` gives what an attribute is.
    """
    for column in columns:
        attribute, _, comparison = column.partition("__")
        limit, held = exp.column(column, wanted), value(attribute)
        if comparison in _CONCEPTS:
            query, fits = _concept(query, column, comparison, limit, held)
        elif comparison == "recorded":
            fits = limit.eq(exp.paren(exp.not_(exp.Is(this=held, expression=exp.null()))))
        elif comparison in _TEXTS:
            fits = _text(comparison, limit, held)
        elif comparison == "outside_low":
            fits = exp.or_(held < limit, held.copy() > exp.column(f"{attribute}__outside_high", wanted))
        elif comparison == "outside_high":
            continue
        else:
            fits = _NUMBERS[comparison](this=held, expression=limit)
        query.where(exp.or_(exp.Is(this=limit.copy(), expression=exp.null()), fits, copy=False), copy=False)
    return query


def _concept(
    query: exp.Select, column: str, comparison: str, limit: exp.Expr, held: exp.Expr
) -> tuple[exp.Select, exp.Expr]:
    """The query with the members of the concept set that a limit names, and whether the held concept fits."""
    same = exp.and_(exp.column("concept_set", column).eq(limit), exp.column("concept", column).eq(held))
    query.join(exp.to_table("member", alias=column), on=same, join_type="left", copy=False)
    found = exp.column("concept", column).is_(exp.null())
    if comparison in ("any_of", "within"):
        return query, exp.not_(found)
    return query, exp.and_(found, exp.not_(held.copy().is_(exp.null())))


def _text(comparison: str, text: exp.Expr, held: exp.Expr) -> exp.Expr:
    length = exp.Length(this=text.copy())
    fits: exp.Expr
    if comparison in ("starts_with", "not_starting_with"):
        fits = exp.Left(this=held, expression=length).eq(text)
    elif comparison in ("ends_with", "not_ending_with"):
        fits = exp.Right(this=held, expression=length).eq(text)
    else:
        fits = exp.StrPosition(this=held, substr=text) > 0
    return exp.not_(exp.paren(fits)) if comparison.startswith("not_") else fits
