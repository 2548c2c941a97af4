"""Characterise: what a site counts, and what all sites say together."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vitrail.analyses.characterise import pool
from vitrail.analyses.characterise.run import run
from vitrail.disclosure.result import RawCount, RawRate, Result
from vitrail.omop.engines.memory import MemoryEngine
from vitrail.study.analyses.characterise import CharacteriseAsk, CharacteriseEvidence
from vitrail.study.release import Attrition, Cell, CountTable, Estimate, Moments, Rate, Release
from vitrail.study.study import Question, Round, Study

HASH = "sha256:" + "0" * 64
START = date(2010, 1, 1)


def study(**changes: object) -> Study:
    """Visits of persons observed from day 0 to 200, followed for 50 days each; the outcome is condition 2."""
    analysis = {
        "kind": "characterise",
        "cohorts": ["visits"],
        "table": [
            {"name": "years", "age": True},
            {"name": "had c", "has": {"condition": "c"}, "days": [None, 0]},
            {"name": "a man", "sex": "male"},
            {"name": "m", "last": {"measurement": "m"}, "days": [None, 0], "centre": 9.0, "if_missing": 9.0},
        ],
        "incidence": [{"name": "o", "population": "visits", "outcome": "o"}],
    }
    concept_sets = {name: {"concepts": [{"concept": number}]} for name, number in (("o", 2), ("c", 3), ("m", 4))}
    return Study.model_validate_json(json.dumps({
        "vitrail": "study/1", "title": "t", "purpose": "characterisation", "question": "q", "protocol": "p",
        "authors": ["a"], "concept_sets": concept_sets, "analyses": {"a": {**analysis, **changes}},
        "cohorts": {
            "visits": {"entry": [{"visit": "any"}], "observed": {"after": 20}, "exit": {"days_after_start": 50}},
            "o": {"entry": [{"condition": "o"}], "exit": {"days_after_start": 0}},
        },
    }))  # fmt: skip


def tables(people: Sequence[dict[str, object]]) -> dict[str, list[dict[str, object]]]:
    """OMOP rows of people with a birth year, a sex, and the days of visits, outcomes, conditions 3, measurements."""
    found: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("person", "observation_period", "visit_occurrence", "condition_occurrence", "measurement")
    }
    for person, each in enumerate(people, start=7):
        found["person"].append({"person_id": person, "year_of_birth": each["born"], "gender_concept_id": each["sex"]})
        found["observation_period"].append({
            "observation_period_id": person, "person_id": person,
            "observation_period_start_date": START, "observation_period_end_date": START + timedelta(days=200),
        })  # fmt: skip
        for table, kind, concept in (
            ("visit_occurrence", "visit", 1),
            ("condition_occurrence", "outcome", 2),
            ("condition_occurrence", "c", 3),
            ("measurement", "m", 4),
        ):
            stem = table.removesuffix("_occurrence")
            date_name = f"{stem}_date" if stem == "measurement" else f"{stem}_start_date"
            for number in each[kind]:
                found[table].append({
                    f"{table}_id": len(found[table]), "person_id": person, f"{stem}_concept_id": concept,
                    date_name: START + timedelta(days=number), "value_as_number": float(number),
                })  # fmt: skip
    return found


days = st.lists(st.integers(0, 200), max_size=4, unique=True)
people = st.lists(
    st.fixed_dictionaries({
        "born": st.integers(1905, 2009), "sex": st.sampled_from([8507, 8532, 0]),
        "visit": days, "outcome": days, "c": days, "m": days,
    }),
    max_size=6,
)  # fmt: skip


def result(everyone: Sequence[dict[str, object]]) -> Result:
    given_study = study()
    engine = MemoryEngine(given_study, tables(everyone))
    return run(given_study.analyses["a"], CharacteriseAsk(), engine, given_study.id, "s")


def rows_of(visits: list[int]) -> list[tuple[int, int]]:
    """Cohort rows of one person: visits up to day 180, 50 days each to day 200 at most, overlaps merged."""
    rows: list[tuple[int, int]] = []
    for start in sorted(day for day in visits if day <= 180):
        end = min(start + 50, 200)
        if rows and start <= rows[-1][1]:
            rows[-1] = (rows[-1][0], max(rows[-1][1], end))
        else:
            rows.append((start, end))
    return rows


@settings(max_examples=60)
@given(people)
def test_table_1_speaks_of_each_persons_first_row(everyone):
    attrition, ages, sexes, years, had_c, m, _ = result(everyone).estimates
    firsts = [(each, rows_of(each["visit"])[0][0]) for each in everyone if rows_of(each["visit"])]
    assert attrition.steps == (
        ("entry events", sum(bool(each["visit"]) for each in everyone)),
        ("observed", len(firsts)),
    )
    found = {label: count.count for label, count in ages.cells}
    expected = dict.fromkeys(found, 0)
    for each, start in firsts:
        age = (START + timedelta(days=start)).year - each["born"]
        expected["90 and over" if age >= 90 else f"{age // 10 * 10}-{age // 10 * 10 + 9}"] += 1
    assert found == expected
    assert [label for label, _ in ages.cells[:2]] == ["0-9", "10-19"]
    assert {label: count.count for label, count in sexes.cells} == {
        label: sum(each["sex"] == concept for each, _ in firsts)
        for label, concept in (("female", 8532), ("male", 8507), ("not recorded", 0))
    }
    having = sum(any(day <= start for day in each["c"]) for each, start in firsts)
    without = len(firsts) - having
    assert had_c.cells == (("yes", RawCount(having, having)), ("no", RawCount(without, without)))
    measured = [[day for day in each["m"] if day <= start] for each, start in firsts]
    values = [max(each) for each in measured if each]
    assert (m.present.count, m.missing.count) == (len(values), len(firsts) - len(values))
    assert m.mean == pytest.approx(np.mean(values) if values else np.nan, nan_ok=True)
    assert m.sd == pytest.approx(np.std(values, ddof=1) if len(values) > 1 else np.nan, nan_ok=True)
    deviations = np.abs(np.array(values) - np.mean(values)) if values else np.zeros(0)
    share = deviations.max() / deviations.sum() if deviations.sum() > 0 else 1.0
    assert m.largest_share == pytest.approx(share)
    having = Counter(values).values()
    assert (m.minority, m.distinct, m.rarest) == (
        len(values) - max(having, default=0), len(having), min(having, default=0)
    )  # fmt: skip
    assert years.present.count == len(firsts)
    assert all(count.persons == count.count for _, count in (*ages.cells, *sexes.cells, *had_c.cells))


@settings(max_examples=100)
@given(people)
def test_incidence_counts_day_by_day(everyone):
    """A person is at risk on each day after a row's start up to its end, until the first outcome ever."""
    persons, events, at_risk = 0, 0, 0
    for each in everyone:
        first = min(each["outcome"], default=10**6)
        days = [day for start, end in rows_of(each["visit"]) for day in range(start + 1, end + 1) if day <= first]
        persons += bool(days)
        at_risk += len(days)
        events += first in days
    rate = result(everyone).estimates[-1]
    assert rate == RawRate(name="o", persons=persons, events=events, days_at_risk=at_risk, of="visits")


def test_names_that_would_mean_two_things_are_refused():
    flag = {"has": {"condition": "c"}, "days": [None, 0]}
    for changes in (
        {"table": [{"name": "x", **flag}, {"name": "x", "age": True}]},
        {"table": [{"name": "age group", **flag}]},
        {"cohorts": ["visits", "visits"]},
        {"incidence": [{"name": "o", "population": "visits", "outcome": "o"}] * 2},
    ):
        with pytest.raises(ValidationError):
            study(**changes)


# In front of the glass


def table(name: str, cells: dict[str, int | str], total: int | str) -> CountTable:
    of = tuple(Cell(label=label, count=count) for label, count in cells.items())
    return CountTable(name=name, of="visits", unit="persons", cells=of, total=total)


def rate(persons: int, events: int | str, years: float | str) -> Rate:
    known = isinstance(events, int) and isinstance(years, float) and years > 0
    return Rate(name="o", persons=persons, events=events, person_years=years,
                rate=1000 * events / years if known else "suppressed")  # fmt: skip


def moments(mean: float | str, sd: float | str) -> Moments:
    return Moments(name="years", of="visits", count=100, missing=0, mean=mean, sd=sd)


def combined(**sites: Sequence[Estimate] | str) -> CharacteriseEvidence:
    """The evidence of sites that answered with estimates, or refused with a code."""
    given_study = study()
    specification = given_study.analyses["a"]
    ask = pool.ask(specification, list(sites), [])
    question = Question(study=HASH, analysis="a", round=0, sites=tuple(sorted(sites)), follows=(), ask=ask)
    head = {"study": HASH, "analysis": "a", "round": 0, "snapshot": HASH, "policy": HASH, "question": HASH}
    releases = {
        site: Release(**head, site=site, refused=answer)
        if isinstance(answer, str)
        else Release(**head, site=site, estimates=tuple(answer))
        for site, answer in sites.items()
    }
    rounds = [Round(question, releases)]
    assert pool.ask(specification, list(sites), rounds) is None
    return pool.combine(specification, rounds)


def test_counts_are_added_where_all_sites_printed_them():
    evidence = combined(
        b=[table("sex", {"female": 40, "male": 60}, 100), table("had c", {"yes": 20, "no": 80}, 100)],
        a=[table("sex", {"female": 15, "male": "suppressed"}, "suppressed")],
        c="disclosure",
    )
    assert evidence.sites == ("a", "b")
    assert evidence.refused == {"c": "disclosure"}
    sex, had_c = evidence.pooled_counts
    assert [(cell.label, cell.count) for cell in sex.cells] == [("female", 55), ("male", "suppressed")]
    assert sex.total == "suppressed"
    assert [cell.count for cell in had_c.cells] == ["suppressed", "suppressed"]


def test_rates_are_pooled_over_the_sites_that_printed_both_parts():
    evidence = combined(
        a=[rate(500, 20, 400.0)],
        b=[rate(900, 30, 600.0)],
        c=[rate(50, "suppressed", 40.0)],
        d=[rate(50, 15, "suppressed")],
    )
    [found] = evidence.pooled_rates
    assert (found.sites, found.events, found.person_years, found.rate) == (("a", "b"), 50, 1000.0, 50.0)
    assert (found.low, found.high) == pytest.approx((37.111, 65.919), abs=5e-4)  # Garwood's limits for 50 events


def test_no_person_years_give_no_pooled_rate():
    assert combined(a=[rate(0, 0, 0.0)], b=[rate(5, "suppressed", "suppressed")]).pooled_rates == ()


def test_sites_differ_row_by_row():
    evidence = combined(
        a=[
            table("sex", {"female": 40, "male": 60}, 100),
            table("had c", {"yes": 30, "no": 70}, 100),
            moments(60.0, 10.0),
        ],
        b=[
            table("sex", {"female": 50, "male": 50}, 100),
            table("had c", {"yes": 40, "no": 160}, 200),
            moments(55.0, 12.0),
        ],
    )
    found = {each.row: each.value for each in evidence.differences}
    assert found == {
        "sex: female": pytest.approx(-0.1 / np.sqrt((0.24 + 0.25) / 2)),
        "sex: male": pytest.approx(0.1 / np.sqrt((0.24 + 0.25) / 2)),
        "had c": pytest.approx(0.1 / np.sqrt((0.21 + 0.16) / 2)),
        "years": pytest.approx(5 / np.sqrt(122)),
    }
    assert {(each.cohort, each.first, each.second) for each in evidence.differences} == {("visits", "a", "b")}


def test_a_difference_from_what_is_suppressed_is_none():
    evidence = combined(
        a=[
            table("had c", {"yes": "suppressed", "no": "suppressed"}, "suppressed"),
            moments("suppressed", "suppressed"),
        ],
        b=[table("had c", {"yes": 40, "no": 160}, 200), moments(55.0, 12.0)],
        c=[table("had c", {"yes": 0, "no": 0}, 0), moments(55.0, 12.0)],
    )
    values = {(each.row, each.first, each.second): each.value for each in evidence.differences}
    assert len(values) == 6
    assert values.pop(("years", "b", "c")) == 0.0
    assert set(values.values()) == {None}


def test_what_sites_released_stands_as_released():
    attrition = Attrition(cohort="visits", steps=(Cell(label="x", count=20),), merged=((),))
    given_table, given_rate, given_moments = table("sex", {"female": 40}, 40), rate(5, 20, 1.0), moments(1.0, 2.0)
    evidence = combined(a=[attrition, given_table, given_rate, given_moments], b=[])
    assert evidence.attrition == {"a": (attrition,), "b": ()}
    assert (evidence.counts["a"], evidence.moments["a"], evidence.rates["a"]) == (
        (given_table,), (given_moments,), (given_rate,),
    )  # fmt: skip


def test_nobody_answers():
    assert combined(a="policy", b="not_approved").pooled_counts == ()
