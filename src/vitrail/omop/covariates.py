"""Covariates in SQL: the histories of all index rows in one query, and the matrix that comes of it.

``has`` and ``last`` ask the same thing: which is the latest occurrence in the window before a row's start (or
around it)? So each occurrence is given the days for which it is the answer: from the day on which the window
reaches it, until the window has passed it or a later occurrence takes over. Each row and covariate then meets at most
one occurrence, however long the window, and nothing is left to group or sort.

========================  ===========================================================================================
``index_row``             row, person, start: the rows, by place
``feature``               feature, event, low, high, numbered: ``has`` and ``last`` covariates, by place
========================  ===========================================================================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.omop.attributes import SEX_CONCEPT
from vitrail.omop.events import Numbers, col, table
from vitrail.omop.plan import UNBOUNDED
from vitrail.study.covariates import Covariate


@dataclass(frozen=True)
class Feature:
    """A row of ``feature``: the latest such event from ``low`` to ``high`` days after the row's start.

    ``numbered`` looks at events with a number only.
    """

    feature: int
    event: int
    low: int
    high: int
    numbered: bool


def features(covariates: Sequence[Covariate], number: Numbers) -> list[Feature]:
    """The covariates that look into a history, by place."""
    return [
        Feature(
            place, number(covariate.event),
            -UNBOUNDED if covariate.days[0] is None else covariate.days[0],
            UNBOUNDED if covariate.days[1] is None else covariate.days[1],
            covariate.last is not None,
        )
        for place, covariate in enumerate(covariates)
        if covariate.event is not None and covariate.days is not None
    ]  # fmt: skip


def histories() -> exp.Select:
    """(row, feature, number) for each row and feature that has an occurrence in its window: the latest one's."""
    start = col("start", "i")
    answers = (
        col("person", "s").eq(col("person", "i")), start >= col("since", "s"), start < col("until", "s")
    )  # fmt: skip
    return (
        exp.select(col("row", "i"), col("feature", "s"), col("number", "s"))
        .from_(_spans().subquery("s"))
        .join(table("index_row", "i"), on=exp.and_(*answers))
    )


def _spans() -> exp.Select:
    """Each occurrence with the index days for which it is the latest in its feature's window."""
    day, since = col("start", "o"), col("start", "o") - col("high", "f")
    past = day - col("low", "f") + 1
    ordered = [exp.Ordered(this=col(name, "o")) for name in ("start", "id", "number")]
    following = exp.Window(
        this=exp.Lead(this=day),
        partition_by=[col("feature", "f"), col("person", "o")],
        order=exp.Order(expressions=ordered),
    )
    taken_over = following - col("high", "f")
    until = exp.case().when(taken_over < past, taken_over).else_(past)
    of_a_row = exp.select(col("person")).from_(exp.to_table("index_row"))
    return (
        exp.select(col("feature", "f"), col("person", "o"), col("number", "o"), since.as_("since"), until.as_("until"))
        .from_(table("occurrence", "o"))
        .join(table("feature", "f"), on=col("event", "f").eq(col("event", "o")))
        .where(
            exp.or_(exp.not_(col("numbered", "f")), exp.not_(col("number", "o").is_(exp.null()))),
            exp.In(this=col("person", "o"), query=of_a_row.subquery()),
        )
    )


def people() -> exp.Select:
    """(row, born, female, male) of each row whose person is known; of two records of a person, both count."""
    sexes = [
        exp.Max(this=exp.case().when(col("gender_concept_id").eq(concept), 1).else_(0)).as_(sex)
        for sex, concept in SEX_CONCEPT.items()
    ]
    known = (
        exp.select(col("person_id"), exp.Min(this=col("year_of_birth")).as_("born"), *sexes)
        .from_(exp.to_table("person"))
        .group_by(col("person_id"))
    )
    return (
        exp.select(col("row", "i"), *(col(name, "p") for name in ("born", *SEX_CONCEPT)))
        .from_(table("index_row", "i"))
        .join(known.subquery("p"), on=col("person_id", "p").eq(col("person", "i")))
    )


Columns = Mapping[str, NDArray[np.generic]]
"""A query's answer: its columns by name."""


def matrix(
    covariates: Sequence[Covariate], years: NDArray[np.int64], people: Columns, histories: Columns
) -> NDArray[np.float64]:
    """The (rows, covariates) matrix from the answers to :func:`people` and :func:`histories`.

    ``years`` are the calendar years of the rows' starts.
    """
    absent = [np.nan if covariate.age or covariate.last else 0.0 for covariate in covariates]
    result = np.tile(np.array(absent, dtype=np.float64), (len(years), 1))
    known = people["row"]
    for place, covariate in enumerate(covariates):
        if covariate.age:
            result[known, place] = years[known] - people["born"]
        elif covariate.sex:
            result[known, place] = people[covariate.sex]
    last = np.array([covariate.last is not None for covariate in covariates])
    found = histories["feature"]
    result[histories["row"], found] = np.where(last[found], histories["number"], 1.0)
    return result
