"""Events in SQL: concept sets, people, observation periods and the occurrences of each event, as SQLGlot expressions.

What a study says travels as rows of small tables, never as SQL text, so the queries are the same for every study:

========================  ===========================================================================================
``concept_item``          concept_set, concept, descendants, exclude, mapped, listed: concept sets as written
``member``                concept_set, concept: what they come to
``wanted``                event, concept_set, source_set (null: any), and what limits the event: of one domain
``occurrence``            event and the columns of :data:`OCCURRENCE`: every occurrence of every event
``period``                person, opens, closes, since: observation periods; see :func:`periods`
========================  ===========================================================================================

Days are whole numbers (day 0 is 1970-01-01), for arithmetic on whole numbers means the same in every database.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from vitrail.omop.attributes import ABNORMAL, COLUMNS, TABLE
from vitrail.omop.limits import attributes, day, fitting
from vitrail.omop.sql import Node, sql
from vitrail.omop.tables import TABLES, Column, Type
from vitrail.study.attributes import Domain
from vitrail.study.cohort import Event

col = exp.column

Numbers = Callable[[Event], int]
"""The number under which the occurrences of an event are found."""

OCCURRENCE = {
    "event": "BIGINT", "person": "BIGINT", "start": "INT", "finish": "INT", "id": "BIGINT", "concept": "BIGINT",
    "visit": "BIGINT", "detail": "BIGINT", "number": "DOUBLE",
}  # fmt: skip
"""The columns of ``occurrence``: the event, whose, when, the record, what was recorded, in which visit; and, where some
event needs them (``extra``), the detail of a visit and the number that is kept."""

FIRST_DAY, LAST_DAY = day(date.min), day(date.max)
"""The calendar: an event that is moved out of it is none."""

_SQL_TYPE: dict[Type, str] = {"id": "BIGINT", "int": "BIGINT", "date": "DATE", "float": "DOUBLE", "str": "VARCHAR"}
_READ = {
    "person": (
        "person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id"
    ),
    "observation_period": (
        "observation_period_id", "person_id", "observation_period_start_date", "observation_period_end_date",
        "period_type_concept_id",
    ),
    "concept": ("concept_id", "invalid_reason"),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
    "provider": ("provider_id", "specialty_concept_id"),
    "care_site": ("care_site_id", "place_of_service_concept_id"),
}  # fmt: skip
_OF_PERSON = {"provider", "care_site", "concept", "concept_ancestor", "concept_relationship"}
_MAY_LACK = {
    "race_concept_id", "ethnicity_concept_id", "period_type_concept_id", "observation_period_id", "gender_concept_id",
    "year_of_birth", "relationship_id", "invalid_reason",
}  # fmt: skip
_CONCEPT = {"observation_period": "period_type_concept_id"}

TABLES_READ = tuple(dict.fromkeys((*_READ, *TABLE.values())))
"""The OMOP tables that cohorts and covariates read."""


@dataclass(frozen=True)
class Form:
    """Which conditions a domain's query needs, by what is wanted of the domain.

    ``by``: whether some events take a set of concepts, of source concepts, or any. ``both``: whether some take a set of
    each. ``first``: whether some take each person's first. ``limits``: the columns of limits in ``wanted``.
    ``numbers``: the attributes that are kept as ``number``. ``detail``: whether details of visits are counted.
    ``repeated``: whether what is looked up may have several values.
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


def bare(event: Event) -> Event:
    """The event without the rules around it, so that equal events are found once."""
    return Event(**{name: getattr(event, name) for name in Event.model_fields} | {"where": None})


def concept_column(table: str) -> str:
    """The column of a table of events that says what happened."""
    return _CONCEPT.get(table) or str(TABLES[table].concept)


def columns_read(table: str) -> tuple[Column, ...]:
    """The columns of an OMOP table that cohorts and covariates read."""
    found = TABLES[table]
    names = set(_READ.get(table, ()))
    for domain, of in TABLE.items():
        if of == table:
            main = (found.key, "person_id", concept_column(table), found.start, found.end)
            names |= {*COLUMNS[domain].values(), *(name for name in main if name)}
    return tuple(column for column in found.columns if column.name in names)


def columns_needed(table: str) -> tuple[Column, ...]:
    """The columns that a table must have, for nothing could be said without them."""
    found = TABLES[table]
    names = _READ.get(table) or (found.key, "person_id", found.concept, found.start)
    return tuple(each for each in found.columns if each.name in names and each.required and each.name not in _MAY_LACK)


def typed(
    table: str, path: str | None, present: tuple[str, ...], persons: tuple[int, int] | None = None
) -> exp.Select:
    """An OMOP table in a Parquet file, with exactly the columns that are read, in their types; or an empty one.

    ``present`` are the columns that the file has; one that it lacks is null. ``persons`` are the first and the last
    person that are read.
    """
    columns = [
        exp.cast(col(each.name) if each.name in present else exp.null(), _SQL_TYPE[each.type]).as_(each.name)
        for each in columns_read(table)
    ]
    if path is None:
        return exp.select(*columns).where(exp.false())
    query = exp.select(*columns).from_(_parquet(path))
    if persons is None or table in _OF_PERSON:
        return query
    return query.where(col("person_id").between(*persons))


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
    return exp.to_table(name, alias=alias)


# Concept sets and people


def members() -> exp.Query:
    """``member``: included concepts less excluded ones, never 0; and the concepts that are listed, as they are.

    A concept that is named counts where CONCEPT has it, or where there is no CONCEPT at all; a descendant where it is
    valid; a concept that maps to one of these, where the relationship is valid.
    """
    return sql(_MEMBERS)


_MEMBERS = """
WITH known AS (SELECT concept_id AS concept, COUNT(*) > COUNT(invalid_reason) AS valid
  FROM concept GROUP BY concept_id),
every AS (SELECT COUNT(*) AS n FROM known),
named AS (
  SELECT i.concept_set, i.concept, i.exclude, i.mapped, FALSE AS beneath
  FROM concept_item AS i WHERE NOT i.listed
  UNION ALL
  SELECT i.concept_set, a.descendant_concept_id, i.exclude, i.mapped, TRUE
  FROM concept_item AS i JOIN concept_ancestor AS a ON a.ancestor_concept_id = i.concept
  WHERE i.descendants AND NOT i.listed
),
real AS (
  SELECT n.concept_set, n.concept, n.exclude, n.mapped
  FROM named AS n CROSS JOIN every AS e LEFT JOIN known AS k ON k.concept = n.concept
  WHERE e.n = 0 OR (k.concept IS NOT NULL AND (k.valid OR NOT n.beneath))
),
found AS (
  SELECT concept_set, concept, exclude FROM real
  UNION ALL
  SELECT r.concept_set, m.concept_id_1, r.exclude
  FROM real AS r JOIN concept_relationship AS m ON m.concept_id_2 = r.concept
  WHERE r.mapped AND m.relationship_id = 'Maps to' AND m.invalid_reason IS NULL
)
SELECT concept_set, concept FROM found WHERE concept <> 0
GROUP BY concept_set, concept HAVING MAX(CASE WHEN exclude THEN 1 ELSE 0 END) = 0
UNION ALL
SELECT concept_set, concept FROM concept_item WHERE listed
"""


@dataclass(frozen=True)
class Beside:
    """A table beside the events, in which an attribute is looked up: its name, and the columns by which it is found."""

    name: str
    table: str
    keys: tuple[tuple[str, str], ...]
    column: str


_PERSON = (("person", "person_id"),)
BESIDE = {
    "age": Beside("born", "person", _PERSON, "year_of_birth"),
    "gender": Beside("genders", "person", _PERSON, "gender_concept_id"),
    "race": Beside("races", "person", _PERSON, "race_concept_id"),
    "ethnicity": Beside("ethnicities", "person", _PERSON, "ethnicity_concept_id"),
    "specialty": Beside("specialties", "provider", (("provider", "provider_id"),), "specialty_concept_id"),
    "place_of_service": Beside("places", "care_site", (("care_site", "care_site_id"),), "place_of_service_concept_id"),
    "visit_type": Beside(
        "visit_types", "visit_occurrence", (("visit", "visit_occurrence_id"), *_PERSON), "visit_concept_id"
    ),
}  # fmt: skip
"""Where the attributes are looked up that a record does not hold itself."""


def looked_up(attributes: Iterable[str]) -> dict[str, Beside]:
    """The tables that attributes are looked up in; both ages are reckoned from one year of birth."""
    asked = ["age" if each == "age_at_end" else each for each in attributes]
    return {each: BESIDE[each] for each in BESIDE if each in asked}


def beside(of: Beside) -> exp.Query:
    """A table beside the events: every value (of years of birth, the earliest) that the rows of one key hold."""
    keys = [col(column).as_(name) for name, column in of.keys]
    named = [exp.not_(col(column).is_(exp.null())) for column in (*(column for _, column in of.keys), of.column)]
    query = exp.select(*keys).from_(exp.to_table(of.table)).where(*named)
    value = exp.Min(this=col(of.column)) if of.name == "born" else col(of.column)
    query = query.select(value.as_("value"))
    return query.group_by(*(col(column) for _, column in of.keys)) if of.name == "born" else query.distinct()


def repeated(of: Beside) -> exp.Query:
    """One row where some key has several values, else none."""
    keys = [col(name) for name, _ in of.keys]
    query = exp.select(exp.Literal.number(1).as_("n")).from_(exp.to_table(of.name)).group_by(*keys)
    return query.having(exp.Count(this=exp.Star()) > 1).limit(1)


def periods() -> exp.Query:
    """``period`` from ``observation_period``: one row each, and ``since``, the first day whose events belong to it.

    Where periods overlap, an event belongs to the one that starts earliest: a period's own days begin after the
    last day of all that start before it. So each day belongs to one period at most, and one join finds it; and of two
    periods with days of their own, the one that starts first ends first.
    """
    first, last = (day_number(col(f"observation_period_{end}_date")) for end in ("start", "end"))
    return sql(
        """
        SELECT person, opens, closes, CASE WHEN covered >= opens THEN covered + 1 ELSE opens END AS since
        FROM (
          SELECT person, opens, closes, MAX(closes) OVER (
            PARTITION BY person ORDER BY opens, closes DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
          FROM (SELECT person_id AS person, :first AS opens, :last AS closes FROM observation_period) AS found
          WHERE NOT person IS NULL AND NOT opens IS NULL AND NOT closes IS NULL
        ) AS covered WHERE covered IS NULL OR covered < closes""",
        first=first,
        last=last,
    )


def first_persons(ranges: int) -> exp.Query:
    """The first person of each of so many ranges of observed persons."""
    return sql(
        """SELECT MIN(person) FROM (
          SELECT person_id AS person, NTILE(:ranges) OVER (ORDER BY person_id) AS part
          FROM (SELECT DISTINCT person_id FROM observation_period WHERE NOT person_id IS NULL) AS persons) AS parts
        GROUP BY part""",
        ranges=ranges,
    )


# Occurrences


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
    found = queries[0] if len(queries) == 1 else exp.union(*queries, distinct=False, copy=False)
    if form.first:
        found = _firsts(found)
    if form.moved:
        found = _moved(found)
    return _limited(form, found)


def _shaped(form: Form, by: str) -> exp.Select:
    """The records that events take by a set of concepts, by a set of source concepts alone, or all."""
    query = exp.select(col("event", "w"), *(col(name, "r") for name in _carried(form)))
    if form.first:
        query = query.select(col("first", "w"), copy=False)
    query = query.from_(_records(form).subquery("r", copy=False))
    if by == "any":
        return query.join(table("wanted", "w"), on=exp.and_(_null("concept_set", "w"), _null("source_set", "w")), copy=False)
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


def given_rows() -> exp.Query:
    """``cohort_row`` of cohorts that are known already."""
    return sql("SELECT cohort, person, start, finish, id FROM given_row")


def of_cohorts(form: Form) -> exp.Query:
    """The rows of ``occurrence`` that cohorts give, from ``cohort_row`` (cohort, person, start, finish, id)."""
    found = exp.select(col("event", "w"), *(col(name, "r") for name in _carried(form)))
    if form.first:
        found = found.select(col("first", "w"), copy=False)
    found = found.from_(_records(form).subquery("r", copy=False)).join(
        table("wanted", "w"), on=col("concept_set", "w").eq(col("concept", "r"))
    )
    found = _firsts(found) if form.first else found
    return _limited(form, _moved(found) if form.moved else found)


def _firsts(found: exp.Query) -> exp.Query:
    """Each person's first record of the events that want no other."""
    columns = [col(each.alias_or_name) for each in found.selects]
    ranked = sql("""SELECT *, ROW_NUMBER() OVER (PARTITION BY event, person ORDER BY start, id, finish, concept) AS n
        FROM found WHERE first""")
    every = exp.select(*columns).from_("found").where(_null("first", "found"))
    firsts = exp.select(*columns).from_(ranked.subquery("ranked", copy=False)).where(col("n").eq(1))
    return exp.union(every, firsts, distinct=False, copy=False).with_("found", as_=found, copy=False)


def _moved(found: exp.Query) -> exp.Query:
    """The records with the dates that events want instead; those that would end
    before they start, or leave the calendar, are left out.
    """
    names = [each.alias_or_name for each in found.selects]
    dates = sql("""
        SELECT CASE WHEN w.moved_start_from = 'end' THEN f.finish ELSE f.start END + COALESCE(w.moved_start_days, 0)
            AS start,
          CASE WHEN w.moved_end_from = 'start' THEN f.start ELSE f.finish END + COALESCE(w.moved_end_days, 0) AS finish,
          w.moved_start_days IS NULL AS own
        FROM found AS f JOIN wanted AS w ON w.event = f.event""")
    moved = dates.select(*(col(name, "f") for name in names if name not in ("start", "finish")))
    kept = exp.select(*(col(name) for name in names)).from_(moved.subquery("moved", copy=False))
    possible = sql("own OR (start >= :first AND start <= finish AND finish <= :last)", first=FIRST_DAY, last=LAST_DAY)
    return kept.where(possible).with_("found", as_=found, copy=False)


def _limited(form: Form, found: exp.Query) -> exp.Query:
    """The records that fit all limits of their events, in the columns of ``occurrence``."""
    if form.repeated:
        found = sql("SELECT ROW_NUMBER() OVER () AS record, * FROM found").with_("found", as_=found, copy=False)
    query = exp.select(col("event", "f"), *_shown(form)).from_(found.subquery("f", copy=False))
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
    start, finish = col("start", "f"), col("finish", "f")
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
        return exp.paren(exp.Div(this=col("value", of), expression=by))
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
        return sql("""SELECT person, start, finish, id, cohort AS concept, CAST(NULL AS BIGINT) AS visit
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
    column = TABLES[table].column(name)
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


def _finite(number: exp.Column) -> exp.Expr:
    """The number, or null where it is infinite or NaN (which databases order above every number)."""
    greatest = exp.cast(exp.Literal.string(repr(sys.float_info.max)), "DOUBLE")
    return exp.case().when(exp.Abs(this=number) <= greatest, number)
