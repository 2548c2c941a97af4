"""What cohorts are made of in SQL: OMOP tables as they are read, concept sets, observation periods, and what is looked
up beside the events, as SQLGlot expressions.

What a study says travels as rows of small tables, never as SQL text, so the queries are the same for every study:

========================  ===========================================================================================
``concept_item``          concept_set, concept, descendants, exclude, mapped, listed: concept sets as written
``member``                concept_set, concept: what they come to
``period``                person, opens, closes, since: observation periods; see :func:`periods`
========================  ===========================================================================================

Days are whole numbers (day 0 is 1970-01-01), for arithmetic on whole numbers means the same in every database.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from vitrail.omop.attributes import COLUMNS, TABLE
from vitrail.omop.sql import select
from vitrail.omop.tables import TABLES, Column, Type
from vitrail.study.cohort import Event

col = exp.column

Numbers = Callable[[Event], int]
"""The number under which the occurrences of an event are found."""

SQL_TYPE: dict[Type, str] = {"id": "BIGINT", "int": "BIGINT", "date": "DATE", "float": "DOUBLE", "str": "VARCHAR"}
_READ = {
    "person": (
        "person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id"
    ),
    "observation_period": (
        "observation_period_id", "person_id", "observation_period_start_date", "observation_period_end_date",
        "period_type_concept_id",
    ),
    "concept": (
        "concept_id", "invalid_reason", "concept_name", "domain_id", "vocabulary_id", "concept_class_id",
        "standard_concept", "concept_code",
    ),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id", "min_levels_of_separation"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"),
    "provider": ("provider_id", "specialty_concept_id"),
    "care_site": ("care_site_id", "place_of_service_concept_id"),
}  # fmt: skip
OF_NOBODY = {"provider", "care_site", "concept", "concept_ancestor", "concept_relationship"}
_MAY_LACK = {
    "race_concept_id", "ethnicity_concept_id", "period_type_concept_id", "observation_period_id", "gender_concept_id",
    "year_of_birth", "relationship_id", "invalid_reason", "concept_name", "domain_id", "vocabulary_id",
    "concept_class_id", "standard_concept", "concept_code", "min_levels_of_separation",
}  # fmt: skip
_CONCEPT = {"observation_period": "period_type_concept_id"}

TABLES_READ = tuple(dict.fromkeys((*_READ, *TABLE.values())))
"""The OMOP tables that cohorts and covariates read."""


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
    return tuple(column for column in (*found.columns, *found.earlier) if column.name in names)


def columns_needed(table: str) -> tuple[Column, ...]:
    """The columns that a table must have, for nothing could be said without them."""
    found = TABLES[table]
    names = _READ.get(table) or (found.key, "person_id", found.concept, found.start)
    return tuple(each for each in found.columns if each.name in names and each.required and each.name not in _MAY_LACK)


def typed(
    table: str,
    path: str | None,
    present: tuple[str, ...],
    persons: tuple[int, int] | None = None,
    single: tuple[str, ...] = (),
) -> exp.Select:
    """An OMOP table in a Parquet file, with exactly the columns that are read, in their types; or an empty one.

    ``present`` are the columns that the file has; one that it lacks is null. ``persons`` are the first and the last
    person that are read. ``single`` are columns of single precision.
    """
    return of_table(table, None if path is None else _parquet(path), present, persons, single)


def of_table(
    table: str,
    source: exp.Expr | None,
    present: tuple[str, ...],
    persons: tuple[int, int] | None = None,
    single: tuple[str, ...] = (),
) -> exp.Select:
    """The same of an OMOP table that ``source`` is."""
    columns = [
        _cast(_written(each.name, single) if each.name in present else exp.null(), SQL_TYPE[each.type]).as_(each.name)
        for each in columns_read(table)
    ]
    if source is None:
        return exp.select(*columns).where(exp.false())
    query = exp.select(*columns).from_(source)
    if persons is None or table in OF_NOBODY:
        return query
    return query.where(col("person_id").between(*persons))


def _written(name: str, single: tuple[str, ...]) -> exp.Expr:
    """A column; a number of single precision as it is written: 48.1, not the nearest double to the nearest float."""
    return _cast(col(name), "VARCHAR") if name in single else col(name)


def _cast(value: exp.Expr, kind: str) -> exp.Expr:
    """What ``exp.cast`` gives, without a parser for the name of the type."""
    return exp.Cast(this=value, to=exp.DataType(this=exp.DType[kind]))


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
    """``member``: included concepts less excluded ones; and the concepts that are listed, as they are.

    A concept that is named counts where CONCEPT has it, or where there is no CONCEPT at all; a descendant where it is
    valid; a concept that maps to one of these, where the relationship is valid.
    """
    return select(_MEMBERS)


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
SELECT concept_set, concept FROM (
  SELECT concept_set, concept FROM found
  GROUP BY concept_set, concept HAVING MAX(CASE WHEN exclude THEN 1 ELSE 0 END) = 0
  UNION ALL
  SELECT concept_set, concept FROM concept_item WHERE listed) AS members
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
    return select(
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
    return select(
        """SELECT MIN(person) FROM (
          SELECT person_id AS person, NTILE(:ranges) OVER (ORDER BY person_id) AS part
          FROM (SELECT DISTINCT person_id FROM observation_period WHERE NOT person_id IS NULL) AS persons) AS parts
        GROUP BY part""",
        ranges=ranges,
    )
