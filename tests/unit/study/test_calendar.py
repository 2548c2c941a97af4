"""Every field of a study is known to need true dates or not to, and what is not known needs them."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from tests.alliances import STUDY
from vitrail.study.calendar import ANY_CALENDAR, BY_VALUE, calendar_aloud, needs
from vitrail.study.cohort import Cohort, DayLimits, EntryEvent, Event, PersonLimits, Span
from vitrail.study.reader import parse_study, read_study
from vitrail.study.study import Study
from vitrail.study.word import Word

DATED: Mapping[type[Word], tuple[str, ...]] = {
    Cohort: ("clip",),
    Event: ("starts", "ends", "period"),
    EntryEvent: ("starts", "ends", "period"),
    PersonLimits: ("starts", "ends"),
    DayLimits: tuple(DayLimits.model_fields),
    Span: tuple(Span.model_fields),
}
"""The fields that speak of days or years themselves."""


def words(of: type[Word]) -> set[type[Word]]:
    """A word and every word that its fields can hold."""
    found, waiting = set[type[Word]](), [of]
    while waiting:
        word = waiting.pop()
        if word not in found:
            found.add(word)
            waiting += [each for field in word.model_fields.values() for each in held(field.annotation)]
    return found


def held(annotation: Any) -> Iterator[type[Word]]:
    if isinstance(annotation, type) and issubclass(annotation, Word):
        yield annotation
    for inner in get_args(annotation):
        yield from held(inner)


def small() -> Study:
    return parse_study(STUDY.encode())


def with_cohort(cohort: Cohort) -> Study:
    return small().model_copy(update={"cohorts": {"visitors": cohort}})


def test_every_field_of_every_word_was_judged() -> None:
    """Who adds a word or a field says here which calendar it needs; until then every site but those with true dates
    refuses it."""
    by_value: dict[type[Word], set[str]] = {}
    for word, field in BY_VALUE:
        by_value.setdefault(word, set()).add(field)
    found = words(Study)
    assert found == {*ANY_CALENDAR, *DATED}
    for word in found:
        judged = (*ANY_CALENDAR.get(word, ()), *by_value.get(word, set()), *DATED.get(word, ()))
        assert sorted(judged) == sorted(word.model_fields), word


@pytest.mark.parametrize(("word", "field"), BY_VALUE)
def test_every_value_was_judged(word: type[Word], field: str) -> None:
    assert set(BY_VALUE[word, field]) == set(get_args(word.model_fields[field].annotation))


@pytest.mark.parametrize(
    ("keep", "found"), [("first", []), ("every", []), ("first_of_each_year", ["cohorts.visitors.keep"])]
)
def test_only_years_need_true_dates(keep: str, found: list[str]) -> None:
    study = with_cohort(small().cohorts["visitors"].model_copy(update={"keep": keep}))
    assert [str(need) for need in needs(study)] == found


def test_it_says_where_and_what_would_do() -> None:
    """And says it in a cohort that only another one speaks of, too: a study is asked as a whole."""
    text = calendar_aloud(with_cohort(small().cohorts["visitors"].model_copy(update={"keep": "first_of_each_year"})))
    assert "cohorts.visitors.keep (first or last or every would do without)" in text
    assert "sites whose days were moved can answer" in calendar_aloud(small())


class DatedCohort(Cohort):
    """As a later version may have it."""

    since: date


class Seasonal(Cohort):
    """A known field with more values than are known."""

    keep: Literal["first_of_each_season"] = "first_of_each_season"  # type: ignore[assignment]


@pytest.mark.parametrize("word", [DatedCohort, Seasonal])
def test_what_is_not_known_needs_true_dates(word: type[Cohort]) -> None:
    visitors = small().cohorts["visitors"]
    unknown = word.model_construct(**{**dict(visitors), "since": date(2020, 1, 1), "keep": "first_of_each_season"})
    assert "cohorts.visitors.keep" in {str(need) for need in needs(with_cohort(unknown))}


def test_a_value_that_is_not_known_needs_true_dates() -> None:
    odd = small().cohorts["visitors"].model_copy(update={"keep": "first_of_each_season"})
    assert [str(need) for need in needs(with_cohort(odd))] == ["cohorts.visitors.keep"]


def test_a_date_needs_true_dates_wherever_it_stands() -> None:
    odd = small().cohorts["visitors"].model_copy(update={"entry": (date(2020, 1, 1),)})
    assert [str(need) for need in needs(with_cohort(odd))] == ["cohorts.visitors.entry.0"]


def test_of_the_example_studies_one_needs_true_dates(root: Path) -> None:
    found = {path.parent.name for path in root.glob("studies/*/study.yaml") if needs(read_study(path))}
    assert found == {"early-ckd"}
