"""Random studies and small random OMOP tables, in which much coincides: few persons, concepts and days.

``studies()`` draws valid studies (every name defined, no circle), ``tables()`` OMOP rows by table, ``covariates()`` the
covariates that a study's concept sets and cohorts allow. All are plain JSON-like data until the last step, so that
a failing case prints as something one can read.
"""

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from vitrail.omop.tables import EVENT_TABLE, TABLES
from vitrail.study.cohort import DOMAINS
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

SETS = ("A", "B", "C")
COHORTS = ("one", "two", "three")
CONCEPTS = (0, 1, 2, 3, 4, 5)
PERSONS = (1, 2, 3)
DAYS = tuple(date(2011, 12, 27) + timedelta(days=day) for day in (0, 1, 3, 4, 5, 6, 30, 64, 65, 66, 366, 370, 371))
"""The turn of a year, a leap day (2012-02-29 is the eighth), and a year later."""

NUMBERS = (None, float("nan"), 1.0, 2.5, 2.5000000000000004, 7.0)
VALUED = ("measurement", "observation")
RECORDS = tuple(domain for domain in DOMAINS if domain != "cohort")

Json = dict[str, Any]


def maybe(strategy: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[Json]:
    """``{key: …}``, or nothing."""
    return st.one_of(st.just({}), strategy.map(lambda value: {key: value}))


def merged(*parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """The drawn parts as one."""
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


bounds = st.one_of(st.none(), st.sampled_from((-371, -366, -365, -30, -2, -1, 0, 1, 2, 30, 366)))


@st.composite
def windows(draw: st.DrawFn) -> list[int | None]:
    """A window of days whose ends are in order."""
    low, high = draw(bounds), draw(bounds)
    return [high, low] if low is not None and high is not None and low > high else [low, high]


limits = merged(
    *(
        maybe(st.sampled_from((1.0, 2.5, 2.5000000000000004)), name)
        for name in ("at_least", "above", "at_most", "below")
    )
).filter(bool)


@st.composite
def events(draw: st.DrawFn, cohorts: tuple[str, ...], domains: tuple[str, ...] = DOMAINS) -> Json:
    """An event of one of ``domains``; ``cohorts`` are those that it may refer to."""
    domain = draw(st.sampled_from([each for each in domains if each != "cohort" or cohorts]))
    if domain == "cohort":
        return {domain: draw(st.sampled_from(cohorts))}
    event = {domain: draw(st.sampled_from((*SETS, "any")))}
    if domain in VALUED:
        event |= draw(merged(maybe(limits, "value"), maybe(st.sampled_from(SETS), "value_concepts")))
    return event


@st.composite
def rules(draw: st.DrawFn, cohorts: tuple[str, ...], name: str) -> Json:
    """A rule whose counts are in order."""
    counts = draw(merged(maybe(st.integers(0, 3), "at_least"), maybe(st.integers(0, 3), "at_most")))
    if len(counts) == 2:
        counts = dict(zip(counts, sorted(counts.values()), strict=True))
    return {"name": name, "of": draw(events(cohorts)), "days": draw(windows()), **counts}


@st.composite
def rule_lists(draw: st.DrawFn, cohorts: tuple[str, ...], most: int) -> list[Json]:
    """Up to ``most`` rules."""
    return [draw(rules(cohorts, f"rule {place}")) for place in range(draw(st.integers(0, most)))]


@st.composite
def entries(draw: st.DrawFn, cohorts: tuple[str, ...]) -> Json:
    """An entry event, perhaps with rules around it."""
    return draw(events(cohorts)) | draw(maybe(rule_lists(cohorts, 2), "where"))


@st.composite
def cohorts(draw: st.DrawFn, before: tuple[str, ...]) -> Json:
    """A cohort that may refer to those ``before`` it."""
    days = st.sampled_from((0, 1, 3, 366))
    return {
        "entry": draw(st.lists(entries(before), min_size=1, max_size=3)),
        "rules": draw(rule_lists(before, 3)),
    } | draw(
        merged(
            maybe(merged(maybe(days, "before"), maybe(days, "after")), "observed"),
            maybe(st.sampled_from(("first", "every", "first_of_each_year")), "keep"),
            maybe(st.sampled_from(("first", "every")), "limit"),
            maybe(merged(maybe(st.sampled_from((0, 1, 2, 5, 400)), "days_after_start")), "exit"),
        )
    )


concept_sets = st.lists(
    st.fixed_dictionaries(
        {"concept": st.sampled_from(CONCEPTS)}, optional={"descendants": st.booleans(), "exclude": st.booleans()}
    ),
    min_size=1,
    max_size=3,
).map(lambda items: {"concepts": items})


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """A study of three cohorts, of which the later may refer to the earlier."""
    written = {
        "vitrail": "study/1", "title": "Generated", "purpose": "characterisation", "question": "Do engines agree?",
        "protocol": "Generated.", "authors": ["Vitrail"],
        "concept_sets": {name: draw(concept_sets) for name in SETS},
        "cohorts": {name: draw(cohorts(COHORTS[:place])) for place, name in enumerate(COHORTS)},
        "analyses": {"who": {"kind": "characterise", "cohorts": [COHORTS[0]]}},
    }  # fmt: skip
    return Study.model_validate(written, strict=False)


@st.composite
def covariate(draw: st.DrawFn, name: str) -> Covariate:
    """One covariate of any kind."""
    kind = draw(st.sampled_from(("age", "sex", "has", "last", "has", "last")))
    written: Json = {"name": name}
    if kind == "age":
        written["age"] = True
    elif kind == "sex":
        written["sex"] = draw(st.sampled_from(("female", "male")))
    else:
        domains = DOMAINS if kind == "has" else VALUED
        written |= {kind: draw(events(COHORTS, domains)), "days": draw(windows())}
    return Covariate.model_validate(written, strict=False)


@st.composite
def covariates(draw: st.DrawFn) -> list[Covariate]:
    """Up to six covariates."""
    return [draw(covariate(f"covariate {place}")) for place in range(draw(st.integers(0, 6)))]


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
sometimes_missing_person = st.sampled_from((*PERSONS * 4, None))
sometimes_missing_day = st.sampled_from((*DAYS, None))


@st.composite
def periods(draw: st.DrawFn) -> list[Json]:
    """Observation periods, mostly one long one for each person; some short, overlapping, alike or unfinished."""
    long = [(person, DAYS[0], DAYS[-1]) for person in PERSONS if draw(st.booleans())]
    others = draw(
        st.lists(st.tuples(sometimes_missing_person, sometimes_missing_day, sometimes_missing_day), max_size=3)
    )
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    return [
        {"observation_period_id": place, **dict(zip(columns, period, strict=True))}
        for place, period in enumerate((*long, *others))
    ]


@st.composite
def records(draw: st.DrawFn, domain: str) -> list[Json]:
    """Up to ten records of a domain; ids may repeat, and person, start, end, concept and values be missing."""
    table = TABLES[EVENT_TABLE[domain]]
    columns = {
        table.key: st.integers(1, 12),
        "person_id": sometimes_missing_person,
        table.concept: st.sampled_from((*CONCEPTS, None)),
        table.start: sometimes_missing_day,
    }
    if table.end is not None and draw(st.booleans()):
        columns[table.end] = sometimes_missing_day
    if domain in VALUED:
        columns |= {"value_as_number": st.sampled_from(NUMBERS), "value_as_concept_id": st.sampled_from(CONCEPTS)}
    return draw(st.lists(st.fixed_dictionaries(columns), max_size=10))


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Json]]:
    """OMOP tables; some are missing."""
    every: dict[str, st.SearchStrategy[list[Json]]] = {
        "person": people, "observation_period": periods(), "concept_ancestor": ancestors,
        **{EVENT_TABLE[domain]: records(domain) for domain in RECORDS},
    }  # fmt: skip
    return {name: draw(rows) for name, rows in every.items() if draw(st.integers(0, 9)) > 0}
