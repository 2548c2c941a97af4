"""Characterise, behind the glass: a site's exact answer."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vitrail.disclosure.result import Raw, RawAttrition, RawCount, RawMoments, RawRate, RawTable, Result
from vitrail.omop.engines import CohortRows, Engine
from vitrail.stats import persons
from vitrail.stats.newton import Floats
from vitrail.study.analyses.characterise import AGE_GROUP, SEX, Characterise, CharacteriseAsk, Incidence
from vitrail.study.covariates import Covariate

_ALWAYS = (Covariate(name="age", age=True), Covariate(name="female", sex="female"), Covariate(name="male", sex="male"))

AGE_GROUPS = (*(f"{low}-{low + 9}" for low in range(0, 90, 10)), "90 and over")
NOT_RECORDED = "not recorded"


def run(specification: Characterise, ask: CharacteriseAsk, engine: Engine, study_id: str, site: str) -> Result:
    """The exact answer of a site: there is one question, the same for every study and site."""
    del ask, study_id, site
    return Result((
        *(_attrition(name, engine) for name in specification.cohorts),
        *(row for name in specification.cohorts for row in _table(name, specification.table, engine)),
        *(_rate(incidence, engine) for incidence in specification.incidence),
    ))  # fmt: skip


def _attrition(name: str, engine: Engine) -> RawAttrition:
    return RawAttrition(name, tuple((step.label, step.persons) for step in engine.attrition(name)))


def _table(name: str, covariates: Sequence[Covariate], engine: Engine) -> Iterator[Raw]:
    """Table 1 of a cohort, each person at the first row."""
    rows = engine.cohort(name)
    first = np.zeros(len(rows), dtype=bool)
    first[persons.starts(rows.person)] = True
    values = engine.covariates(rows.where(first), (*_ALWAYS, *covariates))
    yield _age_groups(name, values[:, 0])
    yield _sexes(name, values[:, 1] > 0, values[:, 2] > 0)
    for covariate, column in zip(covariates, values[:, len(_ALWAYS) :].T, strict=True):
        if covariate.has is not None:
            yield _cells(covariate.name, name, {"yes": column > 0, "no": ~(column > 0)})
        elif covariate.sex is None:
            yield _moments(covariate.name, name, column)


def _age_groups(cohort: str, age: Floats) -> RawTable:
    known = age >= 0
    group = np.minimum(np.where(known, age, 0) // 10, len(AGE_GROUPS) - 1)
    cells = {label: known & (group == number) for number, label in enumerate(AGE_GROUPS)}
    return _cells(AGE_GROUP, cohort, {**cells, NOT_RECORDED: ~known})


def _sexes(cohort: str, female: NDArray[np.bool_], male: NDArray[np.bool_]) -> RawTable:
    return _cells(SEX, cohort, {"female": female, "male": male, NOT_RECORDED: ~(female | male)})


def _cells(name: str, cohort: str, members: dict[str, NDArray[np.bool_]]) -> RawTable:
    return RawTable(name, cohort, "persons", tuple((label, _count(mask)) for label, mask in members.items()))


def _count(mask: NDArray[np.bool_]) -> RawCount:
    """A count of persons, one row each."""
    number = int(np.count_nonzero(mask))
    return RawCount(number, number)


def _moments(name: str, cohort: str, column: Floats) -> RawMoments:
    """Mean and SD (n - 1) of the recorded values; not a number where there are too few."""
    missing = np.isnan(column)
    values = column[~missing]
    _, having = np.unique(values, return_counts=True)
    mean = float(np.mean(values)) if len(values) else np.nan
    return RawMoments(
        name=name,
        of=cohort,
        present=_count(~missing),
        missing=_count(missing),
        mean=mean,
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else np.nan,
        largest_share=persons.largest_share(np.abs(values - mean), np.arange(len(values))),
        minority=len(values) - int(np.max(having, initial=0)),
        distinct=len(having),
        rarest=int(np.min(having)) if len(having) else 0,
    )


def _rate(incidence: Incidence, engine: Engine) -> RawRate:
    """First outcome starts and days at risk, as :class:`Incidence` defines them.

    A person whose first outcome start lies before a row is not at risk in it, so only that first start matters.
    """
    rows, outcome = engine.cohort(incidence.population), engine.cohort(incidence.outcome)
    start, end, first = _day(rows.start), _day(rows.end), _first_start(rows, outcome)
    at_risk = (first > start) & (end > start)
    event = at_risk & (first <= end)
    days = np.minimum(first, end) - start
    return RawRate(
        name=incidence.name,
        persons=persons.distinct(rows.person[at_risk]),
        events=int(np.count_nonzero(event)),
        days_at_risk=int(np.sum(days[at_risk])),
        of=incidence.population,
    )


def _day(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return dates.astype("datetime64[D]").astype(np.int64)


def _first_start(rows: CohortRows, outcome: CohortRows) -> NDArray[np.int64]:
    """The day of the first ``outcome`` start of each row's person; the largest integer where there is none."""
    never = np.iinfo(np.int64).max
    first = persons.starts(outcome.person)
    people, days = np.append(outcome.person[first], never), np.append(_day(outcome.start[first]), never)
    place = np.searchsorted(people, rows.person)
    return np.where(people[place] == rows.person, days[place], never)
