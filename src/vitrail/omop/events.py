"""Events in SQL: concept sets, observation periods and the occurrences of each event, as SQLGlot expressions.

What a study says travels as rows of small tables, never as SQL text, so the queries are the same for every study:

========================  ===========================================================================================
``concept_item``          concept_set, concept, descendants, exclude: the study's concept sets as written
``member``                concept_set, concept: what they come to
``wanted``                event, concept_set (null: any), value_set, at_least, above, at_most, below: of one domain
``occurrence``            event, person, day, id, number: every occurrence of every event that the study speaks of
``period``                person, first, last, since: observation periods; see :func:`periods`
========================  ===========================================================================================

Days are whole numbers (day 0 is 1970-01-01), for arithmetic on whole numbers means the same in every database.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from vitrail.omop.tables import EVENT_TABLE, TABLES, Column, Type
from vitrail.study.cohort import ANY, Domain, Event
from vitrail.study.concepts import ConceptSet

col = exp.column

UNBOUNDED = 2**30
"""In place of a bound that is not given, in days or in events."""

VALUED = ("measurement", "observation")
"""The domains whose records hold values."""

_SQL_TYPE: dict[Type, str] = {"id": "BIGINT", "int": "BIGINT", "date": "DATE", "float": "DOUBLE"}
_READ = {
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "observation_period": ("person_id", "observation_period_start_date", "observation_period_end_date"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
}


@dataclass(frozen=True)
class Item:
    """A row of ``concept_item``."""

    concept_set: int
    concept: int
    descendants: bool
    exclude: bool


@dataclass(frozen=True)
class Wanted:
    """A row of ``wanted``."""

    event: int
    concept_set: int | None
    value_set: int | None
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None


def bare(event: Event) -> Event:
    """The event without the rules around it, so that equal events are found once."""
    return Event(**{name: getattr(event, name) for name in Event.model_fields})


def concept_items(concept_sets: Mapping[str, ConceptSet]) -> list[Item]:
    """The rows of ``concept_item``; a concept set's number is its place."""
    return [
        Item(place, item.concept, item.descendants, item.exclude)
        for place, concept_set in enumerate(concept_sets.values())
        for item in concept_set.concepts
    ]


def wanted(number: int, event: Event, concept_sets: Sequence[str]) -> Wanted:
    """The row of ``wanted`` for an event; a concept set's number is its place in ``concept_sets``."""
    return Wanted(
        number,
        None if event.of == ANY else concept_sets.index(event.of),
        None if event.value_concepts is None else concept_sets.index(event.value_concepts),
        **({} if event.value is None else event.value.model_dump()),
    )


def columns_read(table: str) -> tuple[Column, ...]:
    """The columns of an OMOP table that cohorts and covariates read."""
    found = TABLES[table]
    values = ("value_as_number", "value_as_concept_id")
    names = _READ.get(table, (found.key, "person_id", found.concept, found.start, *values))
    return tuple(column for column in found.columns if column.name in names)


TABLES_READ = (*_READ, *EVENT_TABLE.values())
"""The OMOP tables that cohorts and covariates read."""


def typed(table: str, path: str | None, present: tuple[str, ...]) -> exp.Select:
    """An OMOP table in a Parquet file, with exactly the columns that are read, in their types; or an empty one.

    ``present`` are the columns that the file has; one that it lacks is null.
    """
    columns = [
        exp.cast(col(each.name) if each.name in present else exp.null(), _SQL_TYPE[each.type]).as_(each.name)
        for each in columns_read(table)
    ]
    query = exp.select(*columns)
    return query.where(exp.false()) if path is None else query.from_(_parquet(path))


def _parquet(path: str) -> exp.Expr:
    return exp.func("read_parquet", exp.Literal.string(path))


def day_number(date: exp.Expr) -> exp.Expr:
    """Days from 1970-01-01 to ``date``."""
    return exp.cast(exp.DateDiff(this=date, expression=_epoch(), unit=exp.Var(this="DAY")), "INT")


def year_of(day: exp.Expr) -> exp.Expr:
    """The calendar year of a day number."""
    return exp.Year(this=exp.DateAdd(this=_epoch(), expression=day, unit=exp.Var(this="DAY")))


def _epoch() -> exp.Expr:
    return exp.cast(exp.Literal.string("1970-01-01"), "DATE")


def table(name: str, alias: str) -> exp.Expr:
    """A table under a short name."""
    return exp.to_table(name).as_(alias)


def maximum_before(column: str, *order: exp.Expr) -> exp.Expr:
    """The largest value of ``column`` among the rows of the same person that come earlier; null for the first."""
    earlier = exp.WindowSpec(
        kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end=exp.Literal.number(1), end_side="PRECEDING"
    )
    ordered = exp.Order(expressions=list(order))
    return exp.Window(this=exp.Max(this=col(column)), partition_by=[col("person")], order=ordered, spec=earlier)


def members() -> exp.Select:
    """``member`` from ``concept_item`` and ``concept_ancestor``: included concepts less excluded ones, never 0."""
    written = exp.select(col("concept_set"), col("concept"), col("exclude")).from_(exp.to_table("concept_item"))
    below = (
        exp.select(col("concept_set", "i"), col("descendant_concept_id", "a").as_("concept"), col("exclude", "i"))
        .from_(table("concept_item", "i"))
        .join(table("concept_ancestor", "a"), on=col("ancestor_concept_id", "a").eq(col("concept", "i")))
        .where(col("descendants", "i"))
    )
    return (
        exp.select(col("concept_set"), col("concept"))
        .from_(exp.union(written, below, distinct=False).subquery("named"))
        .where(col("concept").neq(0))
        .group_by(col("concept_set"), col("concept"))
        .having(exp.not_(exp.LogicalOr(this=col("exclude"))))
    )


def periods() -> exp.Select:
    """``period`` from ``observation_period``: one row each, and ``since``, the first day whose events belong to it.

    Where periods overlap, an event belongs to the one that starts earliest: a period's own days begin after the
    last day of all that start before it. So each day belongs to one period at most, and one join finds it; and of two
    periods with days of their own, the one that starts first ends first.
    """
    first, last = (day_number(col(f"observation_period_{end}_date")) for end in ("start", "end"))
    found = exp.select(col("person_id").as_("person"), first.as_("first"), last.as_("last"))
    before = maximum_before("last", col("first"), exp.Ordered(this=col("last"), desc=True))
    covered = exp.select(exp.Star(), before.as_("covered")).from_(
        found.from_(exp.to_table("observation_period")).subquery("found")
    )
    covered = covered.where(*(exp.not_(col(name).is_(exp.null())) for name in ("person", "first", "last")))
    after = exp.case().when((col("covered") >= col("first")), col("covered") + 1).else_(col("first"))
    return exp.select(col("person"), col("first"), col("last"), after.as_("since")).from_(covered.subquery("covered"))


def occurrences(domain: Domain, *, of_sets: bool, of_any: bool) -> exp.Query:
    """The rows of ``occurrence`` that one domain's table gives for the events in ``wanted``.

    ``of_sets`` and ``of_any`` say whether some of these take the concepts of a set, and some any. The table is read
    once for the first, where its concept is a wanted one, and once for the others.
    """
    by_concept = (
        _occurrences(domain)
        .join(table("member", "m"), on=col("concept", "m").eq(col("concept", "r")))
        .join(table("wanted", "w"), on=col("concept_set", "w").eq(col("concept_set", "m")))
    )
    by_any = _occurrences(domain).join(table("wanted", "w"), on=col("concept_set", "w").is_(exp.null()))
    queries = [query for query, some in ((by_concept, of_sets), (by_any, of_any)) if some]
    fitting = [_of_value(query) if domain in VALUED else query for query in queries]
    return fitting[0] if len(fitting) == 1 else exp.union(*fitting, distinct=False)


def no_occurrences() -> exp.Select:
    """``occurrence`` before anything is found."""
    types = {"event": "BIGINT", "person": "BIGINT", "day": "INT", "id": "BIGINT", "number": "DOUBLE"}
    return exp.select(*(exp.cast(exp.null(), kind).as_(name) for name, kind in types.items())).where(exp.false())


def of_cohort() -> exp.Select:
    """The rows of ``occurrence`` that cohorts give, from ``cohort_row`` (event, person, start)."""
    start, nothing = exp.cast(col("start"), "INT").as_("day"), exp.cast(exp.null(), "DOUBLE").as_("number")
    columns = (col("event"), col("person"), start, exp.Literal.number(0).as_("id"), nothing)
    return exp.select(*columns).from_(exp.to_table("cohort_row"))


def _occurrences(domain: Domain) -> exp.Select:
    names = [col(name, "r") for name in ("person", "day", "id", "number")]
    return exp.select(col("event", "w"), *names).from_(_records(domain).subquery("r"))


def _records(domain: Domain) -> exp.Select:
    """A domain's table under the names that all domains share."""
    found = TABLES[EVENT_TABLE[domain]]
    number = _finite(col("value_as_number")) if domain in VALUED else exp.cast(exp.null(), "DOUBLE")
    value = col("value_as_concept_id") if domain in VALUED else exp.cast(exp.null(), "BIGINT")
    return (
        exp.select(
            col("person_id").as_("person"),
            day_number(col(str(found.start))).as_("day"),
            exp.Coalesce(this=col(found.key), expressions=[exp.Literal.number(0)]).as_("id"),
            col(str(found.concept)).as_("concept"),
            number.as_("number"),
            value.as_("value_concept"),
        )
        .from_(exp.to_table(found.name))
        .where(exp.not_(col("person_id").is_(exp.null())), exp.not_(col(str(found.start)).is_(exp.null())))
    )


def _finite(number: exp.Column) -> exp.Expr:
    """The number, or null where it is infinite or NaN (which databases order above every number)."""
    greatest = exp.cast(exp.Literal.string(repr(sys.float_info.max)), "DOUBLE")
    return exp.case().when(exp.Abs(this=number) <= greatest, number)


def _of_value(query: exp.Select) -> exp.Select:
    """Only the records whose number and value concept are as ``wanted`` says."""
    number = col("number", "r")
    comparisons = {
        "at_least": number >= col("at_least", "w"),
        "above": number > col("above", "w"),
        "at_most": number <= col("at_most", "w"),
        "below": number < col("below", "w"),
    }
    same = (col("concept_set", "v").eq(col("value_set", "w")), col("concept", "v").eq(col("value_concept", "r")))
    value_fits = exp.or_(col("value_set", "w").is_(exp.null()), exp.not_(col("concept", "v").is_(exp.null())))
    limits = [exp.or_(col(name, "w").is_(exp.null()), fits) for name, fits in comparisons.items()]
    return query.join(table("member", "v"), on=exp.and_(*same), join_type="left").where(value_fits, *limits)
