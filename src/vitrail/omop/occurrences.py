"""Occurrences in SQL: what each domain's table gives for the events that are wanted of it, in one pass.

========================  ===========================================================================================
``wanted``                event, concept_set, source_set (null: any), and what limits the event: of one domain
``cohort_row``            cohort, person, start, finish, id: the rows of cohorts that are events of others
``occurrence``            the columns of :data:`OCCURRENCE`: every occurrence of every event
========================  ===========================================================================================
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from vitrail.omop.attributes import ABNORMAL, COLUMNS, TABLE
from vitrail.omop.events import BESIDE, col, concept_column, day_number, looked_up, table, year_of
from vitrail.omop.limits import attributes, day, fitting
from vitrail.omop.sql import select, sql
from vitrail.omop.tables import TABLES
from vitrail.study.attributes import Domain

OCCURRENCE = {
    "event": "BIGINT", "person": "BIGINT", "start": "INT", "finish": "INT", "id": "BIGINT", "concept": "BIGINT",
    "visit": "BIGINT", "detail": "BIGINT", "number": "DOUBLE",
}  # fmt: skip
"""The columns of ``occurrence``: the event, whose, when, the record, what was recorded, in which visit; and, where some
event needs them (``extra``), the detail of a visit and the number that is kept."""

FIRST_DAY, LAST_DAY = day(date.min), day(date.max)
"""The calendar: an event that is moved out of it is none."""


@dataclass(frozen=True)
class Form:
    """Which conditions a domain's query needs, by what is wanted of the domain.

    ``by``: whether some events take a set of concepts, of source concepts, or any, or the rows of a cohort. ``both``:
    whether some take a set of each. ``first``: whether some take each person's first. ``limits``: the columns of limits
    in ``wanted``. ``numbers``: the attributes that are kept as ``number``. ``detail``: whether details of visits are
    counted. ``extra``: see :data:`OCCURRENCE`. ``repeated``: whether what is looked up may have several values.
    """

    domain: Domain
    by: tuple[str, ...]
    both: bool = False
    first: bool = False
    limits: tuple[str, ...] = ()
    abnormal: bool = False
    moved: bool = False
    period: bool = False
    numbers: tuple[str, ...] = ()
    detail: bool = False
    extra: tuple[str, ...] = ()
    repeated: bool = False


def columns_of(extra: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of ``occurrence`` where only those extra ones are needed."""
    return tuple(name for name in OCCURRENCE if name not in ("detail", "number") or name in extra)


def no_occurrences(extra: tuple[str, ...]) -> exp.Select:
    """``occurrence`` before anything is found."""
    columns = [exp.cast(exp.null(), OCCURRENCE[name]).as_(name) for name in columns_of(extra)]
    return exp.select(*columns).where(exp.false())


def occurrences(form: Form) -> exp.Query:
    """The rows of ``occurrence`` that one domain's table gives for the events in ``wanted``.

    A set of concepts is joined first; a person's first is taken of what that leaves, before all other limits.
    """
    queries = [_shaped(form, by) for by in form.by]
    found: exp.Query = queries[0] if len(queries) == 1 else exp.union(*queries, distinct=False, copy=False)
    if form.first:
        found = _firsts(found)
    if form.moved:
        found = _moved(found)
    return _limited(form, found)


def _shaped(form: Form, by: str) -> exp.Select:
    """The records that events take by a set of concepts, by one of source concepts alone, by their cohort, or all."""
    query = exp.select(col("event", "w"), *(col(name, "r") for name in _carried(form)))
    if form.first:
        query = query.select(col("first", "w"), copy=False)
    query = query.from_(_records(form).subquery("r", copy=False))
    if by == "any":
        return query.join(
            table("wanted", "w"), on=exp.and_(_null("concept_set", "w"), _null("source_set", "w")), copy=False
        )
    if by == "cohort":
        return query.join(table("wanted", "w"), on=col("concept_set", "w").eq(col("concept", "r")), copy=False)
    held = "concept" if by == "concept" else "source"
    query = query.join(table("member", "m"), on=col("concept", "m").eq(col(held, "r")), copy=False)
    same = col("concept_set" if by == "concept" else "source_set", "w").eq(col("concept_set", "m"))
    if by == "source":
        return query.join(table("wanted", "w"), on=exp.and_(same, _null("concept_set", "w")), copy=False)
    query = query.join(table("wanted", "w"), on=same, copy=False)
    if not form.both:
        return query
    source = exp.and_(col("concept_set", "s").eq(col("source_set", "w")), col("concept", "s").eq(col("source", "r")))
    query = query.join(table("member", "s"), on=source, join_type="left", copy=False)
    return query.where(exp.or_(_null("source_set", "w"), exp.not_(_null("concept", "s"))), copy=False)


def _null(name: str, of: str) -> exp.Expr:
    return col(name, of).is_(exp.null())


def some_record(table: str) -> exp.Query:
    """One row where a table has any, else none."""
    return exp.select(exp.Literal.number(1).as_("n")).from_(exp.to_table(table)).limit(1)


def given_rows() -> exp.Query:
    """``cohort_row`` of cohorts that are known already."""
    return select("SELECT cohort, person, start, finish, id FROM given_row")


def _firsts(found: exp.Query) -> exp.Query:
    """Each person's first record of the events that want no other."""
    columns = [col(each.alias_or_name) for each in found.selects]
    ranked = select("""SELECT *, ROW_NUMBER() OVER (PARTITION BY event, person ORDER BY start, id, finish, concept) AS n
        FROM taken WHERE first""")
    every = exp.select(*columns).from_("taken").where(_null("first", "taken"))
    firsts = exp.select(*columns).from_(ranked.subquery("ranked", copy=False)).where(col("n").eq(1))
    # each part of the statement has a name of its own: Spark puts all of them at its beginning
    return exp.union(every, firsts, distinct=False, copy=False).with_("taken", as_=found, copy=False)


def _moved(found: exp.Query) -> exp.Query:
    """The records with the dates that events want instead, less those that would end before they start.

    Those that would leave the calendar are left out, too.
    """
    names = [each.alias_or_name for each in found.selects]
    dates = select("""
        SELECT CASE WHEN w.moved_start_from = 'end' THEN f.finish ELSE f.start END + COALESCE(w.moved_start_days, 0)
            AS start,
          CASE WHEN w.moved_end_from = 'start' THEN f.start ELSE f.finish END + COALESCE(w.moved_end_days, 0) AS finish,
          w.moved_start_days IS NULL AS own
        FROM unmoved AS f JOIN wanted AS w ON w.event = f.event""")
    moved = dates.select(*(col(name, "f") for name in names if name not in ("start", "finish")))
    kept = exp.select(*(col(name) for name in names)).from_(moved.subquery("moved", copy=False))
    possible = sql("own OR (start >= :first AND start <= finish AND finish <= :last)", first=FIRST_DAY, last=LAST_DAY)
    return kept.where(possible).with_("unmoved", as_=found, copy=False)


def _limited(form: Form, found: exp.Query) -> exp.Query:
    """The records that fit all limits of their events, in the columns of ``occurrence``."""
    if form.repeated:
        found = select("SELECT ROW_NUMBER() OVER () AS record, * FROM placed").with_("placed", as_=found, copy=False)
    query: exp.Select = exp.select(col("event", "f"), *_shown(form)).from_(found.subquery("f", copy=False))
    if not (form.limits or form.abnormal or form.period or form.numbers):
        return query
    query = query.join(table("wanted", "w"), on=col("event", "w").eq(col("event", "f")), copy=False)
    query = with_beside(query, attributes(form.limits), "f")
    query = fitting(query, form.limits, "w", lambda attribute: value_of(attribute, "f"))
    if form.abnormal:
        query = query.where(exp.or_(_null("abnormal", "w"), _abnormal()))
    if form.period:
        query = query.where(*(_contains(f"period_{end}") for end in ("start", "end")))
    return _once(query, form) if form.repeated else query


def _once(query: exp.Select, form: Form) -> exp.Query:
    """The records once each, although what is looked up for one has several values."""
    columns = [col(name) for name in columns_of(form.extra)]
    return exp.select(*columns).from_(query.select(col("record", "f")).distinct().subquery("once", copy=False))


def _shown(form: Form) -> list[exp.Expr]:
    start: exp.Expr = col("start", "f")
    finish: exp.Expr = col("finish", "f")
    if form.period:
        start = exp.Coalesce(this=col("period_start", "w"), expressions=[start])
        finish = exp.Coalesce(this=col("period_end", "w"), expressions=[finish])
    shown = [
        col("person", "f"), exp.cast(start, "INT").as_("start"), exp.cast(finish, "INT").as_("finish"),
        *(col(name, "f") for name in ("id", "concept", "visit")),
    ]  # fmt: skip
    return [*shown, *(exp.cast(_extra(form, name), OCCURRENCE[name]).as_(name) for name in form.extra)]


def _extra(form: Form, name: str) -> exp.Expr:
    """The detail of a visit, or the number that the event wants kept."""
    if name == "detail":
        return col("visit_detail", "f") if form.detail else exp.null()
    number = exp.case()
    for attribute in form.numbers:
        number = number.when(col("number", "w").eq(exp.Literal.string(attribute)), col(attribute, "f"))
    return number if form.numbers else exp.null()


def _contains(side: str) -> exp.Expr:
    day = col(side, "w")
    return exp.or_(_null(side, "w"), exp.and_(col("start", "f") <= day, col("finish", "f") >= day))


def with_beside(query: exp.Select, asked: Iterable[str], of: str) -> exp.Select:
    """The query with the tables in which its limits look up attributes of the rows of the table ``of``."""
    for each in looked_up(asked).values():
        same = [col(name, each.name).eq(col(name, of)) for name, _ in each.keys]
        query = query.join(exp.to_table(each.name), on=exp.and_(*same), join_type="LEFT", copy=False)
    return query


def value_of(attribute: str, of: str) -> exp.Expr:
    """What an attribute is at a row of the table ``of``."""
    if attribute in ("age", "age_at_end"):
        return exp.paren(year_of(col("start" if attribute == "age" else "finish", of)) - col("value", "born"))
    if attribute in BESIDE:
        return col("value", BESIDE[attribute].name)
    if attribute in ("range_low_ratio", "range_high_ratio"):
        by = exp.Nullif(this=col(attribute.removesuffix("_ratio"), of), expression=_zero())
        return exp.paren(_finite(exp.Div(this=col("value", of), expression=by)))
    if attribute == "length":
        return exp.paren(col("finish", of) - col("start", of))
    return col({"starts": "start", "ends": "finish"}.get(attribute, attribute), of)


def _zero() -> exp.Expr:
    return exp.Literal.number(0)


def _abnormal() -> exp.Expr:
    value = col("value", "f")
    outside = (value < col("range_low", "f"), value.copy() > col("range_high", "f"))
    return exp.or_(*outside, col("value_concepts", "f").isin(*ABNORMAL))


def _carried(form: Form) -> tuple[str, ...]:
    """The columns of a record that the query looks at."""
    asked = {*attributes(form.limits), *form.numbers}
    if form.abnormal:
        asked |= {"value", "range_low", "range_high", "value_concepts"}
    if asked & {"range_low_ratio", "range_high_ratio"}:
        asked |= {"value", "range_low", "range_high"}
    for needed_by, held in (("specialty", "provider"), ("place_of_service", "care_site")):
        if needed_by in asked:
            asked.add(held)
    if form.detail:
        asked.add("visit_detail")
    extra = [name for name in COLUMNS.get(form.domain, {}) if name in asked and name not in ("visit", "source")]
    return ("person", "start", "finish", "id", "concept", "visit", *extra)


def _records(form: Form) -> exp.Select:
    """A domain's table under the names that all domains share."""
    if form.domain == "cohort":
        return select("""SELECT person, start, finish, id, cohort AS concept, CAST(NULL AS BIGINT) AS visit
            FROM cohort_row""")
    found, held = TABLES[TABLE[form.domain]], COLUMNS[form.domain]
    start = day_number(col(str(found.start)))
    shown = {
        "person": col("person_id"),
        "start": start,
        "finish": _finish(form.domain, start, found.end),
        "id": exp.Coalesce(this=col(found.key), expressions=[_zero()]),
        "concept": col(concept_column(found.name)),
        "visit": col(held["visit"]) if "visit" in held else exp.cast(exp.null(), "BIGINT"),
    }
    shown |= {name: _held(found.name, held[name]) for name in _carried(form) if name not in shown}
    if {"concept", "source"} & set(form.by) and "source" in held:
        shown["source"] = _held(found.name, held["source"])
    return (
        exp.select(*(value.as_(name) for name, value in shown.items()))
        .from_(exp.to_table(found.name))
        .where(exp.not_(col("person_id").is_(exp.null())), exp.not_(col(str(found.start)).is_(exp.null())))
    )


def _held(table: str, name: str) -> exp.Expr:
    """A column of a table as records show it; one that the Common Data Model does not have is null."""
    column = next((each for each in (*TABLES[table].columns, *TABLES[table].earlier) if each.name == name), None)
    if column is None:
        return exp.cast(exp.null(), "BIGINT")
    return _finite(col(name)) if column.type == "float" else col(name)


def _finish(domain: Domain, start: exp.Expr, end: str | None) -> exp.Expr:
    """The day on which an event of a domain ends, as circe-be reckons where no end is recorded."""
    ends: list[exp.Expr] = []
    if end is not None and domain != "procedure":
        ends.append(day_number(col(end)))
    if domain == "drug":
        ends.append(start.copy() + exp.cast(col("days_supply"), "INT"))
    own = domain in ("visit", "visit_detail", "observation_period", "payer_plan_period") or domain.endswith("_era")
    ends.append(start.copy() if own else start.copy() + 1)
    return exp.cast(exp.Coalesce(this=ends[0], expressions=ends[1:]), "INT") if len(ends) > 1 else ends[0]


def _finite(number: exp.Expr) -> exp.Expr:
    """The number, or null where it is infinite or NaN (which databases order above every number)."""
    greatest = exp.cast(exp.Literal.string(repr(sys.float_info.max)), "DOUBLE")
    return exp.case().when(exp.Abs(this=number) <= greatest, number)
