"""Random OMOP tables in which much coincides: few persons, concepts and days, among them those at the edges.

Keys are unique, as in the Common Data Model; anything else may be missing.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from vitrail.omop.attributes import COLUMNS, TABLE
from vitrail.omop.tables import TABLES, Column
from vitrail.study.attributes import Domain
from vitrail.study.cohort import Event

CONCEPTS = (1, 1, 1, 1, 2, 2, 2, 3, 0)
CODES = (1, 2, 3, 0, 8507, 4155142)
PERSONS = (1, 2, 3, 4)
DAYS = tuple(date(2011, 12, 27) + timedelta(days=day) for day in (0, 3, 4, 5, 6, 64, 65, 366, 370, 371))
"""The turn of a year, the end of a leap February (2012-02-29 and the day after), and a year later."""
NUMBERS = (2.5, 1.0, 2.5000000000000004, 2.0, 7.0, 0.0, None, float("nan"))
OF_TYPE: dict[str, Sequence[Any]] = {
    "int": (0, 1, 2, 5, 60, None),
    "float": NUMBERS,
    "str": ("ab", "aB", "b", "%a", "a_b", "", None),
    "date": (*DAYS, None),
    "id": (1, 2, 3, None),
}
NEEDS = {
    "visit_type": {"visit"}, "specialty": {"provider"}, "place_of_service": {"care_site"},
    "abnormal": {"value", "range_low", "range_high", "value_concepts"},
    "range_low_ratio": {"value", "range_low"}, "range_high_ratio": {"value", "range_high"},
}  # fmt: skip
"""The columns of attributes that rest on several."""
ALWAYS = ("visit", "days_supply", "value", "quantity", "range_low", "unit", "occurrences", "gap_days")
"""Columns that rules may count, or look at, whatever the events ask."""

Json = dict[str, Any]


def draw_tables(r: Random, domains: Iterable[Domain], spoken_of: Sequence[Event]) -> dict[str, list[Json]]:
    """OMOP tables for questions that speak of such events; now and then one is missing."""
    visits: set[Domain] = {"visit"} if any(event.visit_type for event in spoken_of) else set()
    tables = {
        TABLE[domain]: _records(r, domain, used_columns(domain, spoken_of))
        for domain in sorted({*domains, *visits} - {"observation_period"})
    }
    tables |= {
        "person": _people(r), "observation_period": _periods(r), "concept": _vocabulary(r),
        "concept_ancestor": [
            {"ancestor_concept_id": r.choice(CONCEPTS), "descendant_concept_id": r.choice(CONCEPTS)}
            for _ in range(r.randint(0, 5))
        ],
        "concept_relationship": _relationships(r),
        "provider": [{"provider_id": key, "specialty_concept_id": _concept(r)} for key in (1, 2, 3)],
        "care_site": [{"care_site_id": key, "place_of_service_concept_id": _concept(r)} for key in (1, 2, 3)],
    }  # fmt: skip
    missing = r.choice((*[None] * 20, *sorted(tables)))
    return {name: rows for name, rows in tables.items() if name != missing}


def _concept(r: Random) -> int | None:
    return r.choice((*CONCEPTS, None))


def _person(r: Random) -> int | None:
    return r.choice((*PERSONS * 5, None))


def _people(r: Random) -> list[Json]:
    """Mostly one row for each person; some none, some two."""
    return [
        {
            "person_id": r.choice((*[person] * 9, *PERSONS)),
            "year_of_birth": r.choice((1950, 1951, 2012, None)), "gender_concept_id": r.choice((8507, 8532, 0, 1)),
            "race_concept_id": _concept(r), "ethnicity_concept_id": _concept(r),
        }
        for person in PERSONS
    ]  # fmt: skip


SPANS = (
    ((DAYS[0], DAYS[-1]),), ((DAYS[0], DAYS[-1]),), ((DAYS[1], DAYS[-2]),), ((DAYS[2], DAYS[6]),),
    ((DAYS[0], DAYS[3]), (DAYS[4], DAYS[-1])), ((DAYS[0], DAYS[4]), (DAYS[6], DAYS[-1])), (),
)  # fmt: skip
"""How long a person is observed: always, mostly, twice, never."""


def _periods(r: Random) -> list[Json]:
    """Observation periods: those of a span for each person; some overlapping, alike or unfinished ones."""
    found = [(person, *span) for person in PERSONS for span in r.choice(SPANS)]
    found += [(_person(r), r.choice(OF_TYPE["date"]), r.choice(OF_TYPE["date"])) for _ in range(r.randint(0, 2))]
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    return [
        {"observation_period_id": key, "period_type_concept_id": _concept(r), **dict(zip(columns, period, strict=True))}
        for key, period in enumerate(found, start=1)
    ]


def _vocabulary(r: Random) -> list[Json]:
    """The concepts that a site knows; half of the sites bring none."""
    known = [concept for concept in (1, 2, 3) if r.random() < 0.8] if r.random() < 0.5 else []
    return [{"concept_id": concept, "invalid_reason": r.choice((None, None, "D"))} for concept in known]


def _relationships(r: Random) -> list[Json]:
    return [
        {
            "concept_id_1": r.choice(CONCEPTS), "concept_id_2": r.choice(CONCEPTS),
            "relationship_id": r.choice(("Maps to", "Maps to", "Mapped from")),
            "invalid_reason": r.choice((None, None, "D")),
        }
        for _ in range(r.randint(0, 5))
    ]  # fmt: skip


def used_columns(domain: Domain, spoken_of: Sequence[Event]) -> set[str]:
    """The columns of a domain's table that matter to events, and some more."""
    events = [event for event in spoken_of if event.domain == domain]
    asked = {name for event in events for name in type(event).model_fields if getattr(event, name)} | {*ALWAYS}
    asked |= {need for name in asked for need in NEEDS.get(name, ())}
    return {column for name, column in COLUMNS[domain].items() if name in asked}


def _records(r: Random, domain: Domain, columns: set[str]) -> list[Json]:
    """Seven to nineteen records of a domain; person, start, end, concept and values may be missing."""
    table = TABLES[TABLE[domain]]
    ends = {table.end} if table.end is not None and r.random() < 0.7 else set()
    named = {str(table.start), *ends, *({table.concept} if table.concept else ()), *columns} - {table.key}
    drawn = [column for column in (*table.columns, *table.earlier) if column.name in named]
    rows = [
        {table.key: key, "person_id": _person(r), **{column.name: _value(r, column, table.concept) for column in drawn}}
        for key in range(1, r.randint(8, 20))
    ]
    if domain != "death":
        return rows
    return list({row["person_id"]: row for row in rows}.values())


def _value(r: Random, column: Column, concept: str | None) -> object:
    """What may stand in a column."""
    if column.name == concept:
        return _concept(r)
    return r.choice((*CODES, None) if column.name.endswith("_concept_id") else OF_TYPE[column.type])
