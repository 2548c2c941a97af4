"""Random studies and small random OMOP tables, in which much coincides: few persons, concepts and days.

``studies()`` draws valid studies (every name defined, no circle), ``tables()`` OMOP rows by table, ``covariates()`` the
covariates that such a study allows, ``cases()`` all three about the same few domains, so that questions meet data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from vitrail.omop.tables import EVENT_TABLE, TABLES
from vitrail.study.cohort import DOMAINS
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

SETS = ("A", "B", "C")
COHORTS = ("one", "two", "three")
CONCEPTS = (1, 1, 1, 1, 2, 2, 2, 3, 0)
PERSONS = (1, 2, 3)
DAYS = tuple(date(2011, 12, 27) + timedelta(days=day) for day in (0, 3, 4, 5, 6, 64, 65, 366, 370, 371))
"""The turn of a year, the end of a leap February (2012-02-29 and the day after), and a year later."""

NUMBERS = (2.5, 1.0, 2.5000000000000004, 2.5, 7.0, None, float("nan"))
VALUED = ("measurement", "observation")
RECORDS = tuple(domain for domain in DOMAINS if domain != "cohort")
PLAIN = tuple(domain for domain in RECORDS if domain not in VALUED)

Json = dict[str, Any]


def maybe(strategy: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[Json]:
    """``{key: …}``, or nothing."""
    return st.one_of(st.just({}), strategy.map(lambda value: {key: value}))


def merged(*parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """The drawn parts as one."""
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


bounds = st.sampled_from((0, None, -61, -1, None, 1, 61, -366, 366))


@st.composite
def windows(draw: st.DrawFn) -> list[int | None]:
    """A window of days whose ends are in order."""
    low, high = draw(bounds), draw(bounds)
    return [high, low] if low is not None and high is not None and low > high else [low, high]


lower = st.sampled_from(({}, {"above": 1.0}, {"at_least": 2.5}, {"at_least": 2.5, "above": 1.0}))
upper = st.sampled_from(({}, {"below": 7.0}, {"at_most": 2.5}, {"at_most": 7.0, "below": 8.0}))
limits = merged(lower, upper).filter(bool)


@st.composite
def events(draw: st.DrawFn, domains: Sequence[str], cohorts: Sequence[str]) -> Json:
    """An event of one of ``domains``, or of one of ``cohorts``."""
    domain = draw(st.sampled_from((*domains, *(("cohort",) if cohorts else ()))))
    if domain == "cohort":
        return {domain: draw(st.sampled_from(cohorts))}
    event = {domain: draw(st.sampled_from((*SETS, "any")))}
    if domain in VALUED:
        values = draw(st.sampled_from(("any", "limits", "limits", "limits", "concepts")))
        event |= {"value": draw(limits)} if values == "limits" else {}
        event |= {"value_concepts": draw(st.sampled_from(SETS))} if values == "concepts" else {}
    return event


COUNTS = ({}, {"at_least": 1}, {"at_least": 2}, {"at_most": 0}, {"at_most": 2}, {"at_least": 0, "at_most": 1},
          {"at_least": 2, "at_most": 3})  # fmt: skip


@st.composite
def rules(draw: st.DrawFn, domains: Sequence[str], cohorts: Sequence[str], most: int) -> list[Json]:
    """Up to ``most`` rules."""
    return [
        {"name": f"rule {place}", "of": draw(events(domains, cohorts)), "days": draw(windows())}
        | draw(st.sampled_from(COUNTS))
        for place in range(draw(st.integers(0, most)))
    ]


@st.composite
def entries(draw: st.DrawFn, domains: Sequence[str], cohorts: Sequence[str]) -> Json:
    """An entry event, perhaps with rules around it."""
    return draw(events(domains, cohorts)) | draw(maybe(rules(domains, cohorts, 2), "where"))


@st.composite
def cohorts(draw: st.DrawFn, domains: Sequence[str], before: Sequence[str]) -> Json:
    """A cohort that may refer to those ``before`` it."""
    days = st.sampled_from((0, 1, 3, 60))
    return {
        "entry": draw(st.lists(entries(domains, before), min_size=1, max_size=3)),
        "rules": draw(rules(domains, before, 2)),
        "observed": draw(merged(maybe(days, "before"), maybe(days, "after"))),
        "keep": draw(st.sampled_from(("first", "every", "first_of_each_year"))),
        "limit": draw(st.sampled_from(("first", "every"))),
        "exit": draw(maybe(st.sampled_from((0, 1, 2, 5, 400)), "days_after_start")),
    }


items = st.fixed_dictionaries(
    {"concept": st.sampled_from(CONCEPTS)},
    optional={"descendants": st.booleans(), "exclude": st.sampled_from((False, False, False, True))},
)
concept_sets = st.lists(items, min_size=1, max_size=3).map(lambda items: {"concepts": items})


@st.composite
def studies(draw: st.DrawFn, domains: Sequence[str] = RECORDS) -> Study:
    """A study of three cohorts, of which the later may refer to the earlier."""
    written = {
        "vitrail": "study/1", "title": "Generated", "purpose": "characterisation", "question": "Do engines agree?",
        "protocol": "Generated.", "authors": ["Vitrail"],
        "concept_sets": {name: draw(concept_sets) for name in SETS},
        "cohorts": {name: draw(cohorts(domains, COHORTS[:place])) for place, name in enumerate(COHORTS)},
        "analyses": {"who": {"kind": "characterise", "cohorts": [COHORTS[0]]}},
    }  # fmt: skip
    return Study.model_validate(written, strict=False)


@st.composite
def covariate(draw: st.DrawFn, name: str, domains: Sequence[str]) -> Covariate:
    """One covariate of any kind."""
    valued = [domain for domain in domains if domain in VALUED]
    kind = draw(st.sampled_from(("has", "has", "last", "last", "age", "sex") if valued else ("has", "age", "sex")))
    written: Json = {"name": name}
    if kind == "age":
        written["age"] = True
    elif kind == "sex":
        written["sex"] = draw(st.sampled_from(("female", "male")))
    elif kind == "has":
        written |= {"has": draw(events(domains, COHORTS)), "days": draw(windows())}
    else:
        written |= {"last": draw(events(valued, ())), "days": draw(windows())}
    return Covariate.model_validate(written, strict=False)


@st.composite
def covariates(draw: st.DrawFn, domains: Sequence[str] = RECORDS) -> list[Covariate]:
    """Four to six covariates."""
    return [draw(covariate(f"covariate {place}", domains)) for place in range(draw(st.integers(4, 6)))]


people = st.lists(
    st.fixed_dictionaries({
        "person_id": st.sampled_from(PERSONS),
        "gender_concept_id": st.sampled_from((8507, 8532, 0)),
        "year_of_birth": st.sampled_from((1950, 1951, 2012, None)),
    }),
    max_size=4,
)  # fmt: skip
ancestors = st.lists(
    st.fixed_dictionaries({
        "ancestor_concept_id": st.sampled_from(CONCEPTS), "descendant_concept_id": st.sampled_from(CONCEPTS)
    }),
    max_size=5,
)  # fmt: skip
persons = st.sampled_from((*PERSONS * 5, None))
days = st.sampled_from((*DAYS, None))
concepts = st.sampled_from((*CONCEPTS, None))
unusual_periods = st.tuples(persons, days, days)


@st.composite
def periods(draw: st.DrawFn) -> list[Json]:
    """Observation periods: mostly a long one for each person; some short, overlapping, alike or unfinished."""
    long = [(person, DAYS[0], DAYS[-1]) for person in PERSONS if draw(st.integers(0, 4)) < 4]
    others = draw(st.lists(unusual_periods, max_size=3))
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    return [
        {"observation_period_id": place, **dict(zip(columns, period, strict=True))}
        for place, period in enumerate((*long, *others))
    ]


@st.composite
def records(draw: st.DrawFn, domain: str) -> list[Json]:
    """Three to ten records of a domain; ids may repeat, and person, start, end, concept and values be missing."""
    table = TABLES[EVENT_TABLE[domain]]
    columns = {table.key: st.integers(1, 12), "person_id": persons, table.concept: concepts, table.start: days}
    if table.end is not None and draw(st.booleans()):
        columns[table.end] = days
    if domain in VALUED:
        columns |= {"value_as_number": st.sampled_from(NUMBERS), "value_as_concept_id": concepts}
    return draw(st.lists(st.fixed_dictionaries(columns), min_size=3, max_size=10))


@st.composite
def tables(draw: st.DrawFn, domains: Sequence[str] = RECORDS) -> dict[str, list[Json]]:
    """OMOP tables; now and then one is missing."""
    every: dict[str, st.SearchStrategy[list[Json]]] = {
        **{EVENT_TABLE[domain]: records(domain) for domain in domains},
        "person": people, "concept_ancestor": ancestors, "observation_period": periods(),
    }  # fmt: skip
    missing = draw(st.sampled_from((*[None] * 20, *every)))
    return {name: draw(rows) for name, rows in every.items() if name != missing}


@dataclass(frozen=True)
class Case:
    """A question and data to ask it of."""

    study: Study
    covariates: list[Covariate]
    tables: dict[str, list[Json]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A study, covariates and tables about one domain with values and one without."""
    domains = [draw(st.sampled_from(VALUED)), draw(st.sampled_from(PLAIN))]
    return Case(draw(studies(domains)), draw(covariates(domains)), draw(tables(domains)))
