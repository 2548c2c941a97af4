"""Predict behind the glass: the design, the support of a model update, and what is asked only once."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.analyses.predict.design import Design, IndexDates, counted, design
from vitrail.analyses.predict.run import answer, run
from vitrail.disclosure.result import RawCount, RawModelUpdate
from vitrail.errors import Refusal
from vitrail.omop.engines import CohortRows
from vitrail.omop.engines.memory import MemoryEngine
from vitrail.stats import logistic, persons
from vitrail.study.analyses.predict import Predict, PredictAsk
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

START = date(2010, 1, 1)


def study(**predict: object) -> Study:
    """Every visit is an index date; the outcome is condition 2; condition 3 and measurement 4 are known before."""
    concept_sets = {name: {"concepts": [{"concept": number}]} for name, number in (("o", 2), ("c", 3), ("m", 4))}
    covariates = [
        {"name": "age", "age": True, "centre": 50.0, "per": 10.0},
        {"name": "had c", "has": {"condition": "c"}, "days": [None, 0]},
        {"name": "m", "last": {"measurement": "m"}, "days": [-100, 0], "centre": 1.0, "per": 2.0, "if_missing": 3.0},
        {"name": "strict m", "last": {"measurement": "m"}, "days": [None, 0]},
    ]
    analysis = {"kind": "predict", "target": "visits", "outcome": "o", "horizon": [10, 30], "covariates": covariates}
    return Study.model_validate_json(
        __import__("json").dumps({
            "vitrail": "study/1", "title": "t", "purpose": "early detection", "question": "q", "protocol": "p",
            "authors": ["a"], "concept_sets": concept_sets,
            "cohorts": {
                "visits": {"entry": [{"visit": "any"}], "exit": {"days_after_start": 0}},
                "o": {"entry": [{"condition": "o"}], "exit": {"days_after_start": 0}},
            },
            "analyses": {"a": {**analysis, **predict}},
        })
    )  # fmt: skip


def day(number: int) -> date:
    return START + timedelta(days=number)


def tables(people: Sequence[dict[str, list[int]]]) -> dict[str, list[dict[str, object]]]:
    """OMOP rows of people observed for 100 days, each with the days of visits, outcomes, conditions 3, measurements."""
    found: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("person", "observation_period", "visit_occurrence", "condition_occurrence", "measurement")
    }
    for person, each in enumerate(people, start=7):
        found["person"].append({"person_id": person, "year_of_birth": 1950, "gender_concept_id": 8507})
        found["observation_period"].append({
            "observation_period_id": person, "person_id": person,
            "observation_period_start_date": day(0), "observation_period_end_date": day(100),
        })  # fmt: skip
        for table, kind, concept in (
            ("visit_occurrence", "visit", 1),
            ("condition_occurrence", "outcome", 2),
            ("condition_occurrence", "c", 3),
            ("measurement", "m", 4),
        ):
            stem = table.removesuffix("_occurrence")
            date_name = f"{stem}_date" if stem == "measurement" else f"{stem}_start_date"
            for number in each.get(kind, []):
                found[table].append({
                    f"{table}_id": len(found[table]), "person_id": person, f"{stem}_concept_id": concept,
                    date_name: day(number), "value_as_number": float(number),
                })  # fmt: skip
    return found


days = st.lists(st.integers(0, 100), max_size=4, unique=True)
people = st.lists(st.fixed_dictionaries({"visit": days, "outcome": days, "c": days, "m": days}), max_size=6)


@settings(max_examples=60)
@given(people)
def test_the_design_is_what_the_words_say(everyone):
    given_study = study()
    built = design(given_study.analyses["a"], MemoryEngine(given_study, tables(everyone)), given_study.id)
    rows, lost, missing = [], [], []
    for person, each in enumerate(everyone, start=7):
        for visit in sorted(each["visit"]):
            event = any(visit + 10 <= outcome <= visit + 30 for outcome in each["outcome"])
            measured = [number for number in each["m"] if number <= visit]
            if not event and visit + 30 > 100:
                lost.append(person)
            elif not measured:
                missing.append(person)
            else:
                recent = max(measured) if max(measured) >= visit - 100 else 3
                had = any(number <= visit for number in each["c"])
                rows.append([person, event, 1, (day(visit).year - 2000) / 10, had, (recent - 1) / 2, max(measured)])
    found = np.column_stack([built.dates.person, built.dates.y, built.dates.X])
    np.testing.assert_allclose(found, np.array(rows, dtype=float).reshape(-1, 7), atol=1e-15)
    assert built.lost == RawCount(len(set(lost)), len(lost))
    assert built.missing == RawCount(len(set(missing)), len(missing))
    assert built.columns == ("intercept", "age", "had c", "m", "strict m")
    assert built.binary.tolist() == [False, False, True, False, False]


@st.composite
def designs(draw: st.DrawFn, most: int = 40) -> Design:
    """Any design of three binary columns and one number."""
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    person = np.sort(rng.integers(0, draw(st.integers(1, 20)), n))
    X = np.column_stack([np.ones(n), rng.random((n, 3)) < 0.4, rng.normal(size=n)])
    return made(X, rng.random(n) < 0.4, person, binary=[1, 2, 3])


def made(X: np.ndarray, y: np.ndarray, person: np.ndarray, binary: list[int]) -> Design:
    marks = np.isin(np.arange(X.shape[1]), binary)
    names = ("intercept", *(f"x{number}" for number in range(1, X.shape[1])))
    test = persons.locked("s", person, 0.25)
    return Design(names, marks, IndexDates(np.asfortranarray(X), y, person), test, RawCount(0, 0), RawCount(0, 0))


def asked(coefficients: Sequence[float], **changes: object) -> PredictAsk:
    fit = {"fit": "all sites", "sites": ["s"], "coefficients": list(coefficients)}
    return PredictAsk.model_validate({"fits": [fit], **changes}, strict=False)


def update(built: Design, coefficients: Sequence[float]) -> RawModelUpdate:
    [found] = answer(study().analyses["a"], asked(coefficients), built, "s").estimates
    return found


@settings(max_examples=80)
@given(designs(), st.lists(st.floats(-2, 2), min_size=5, max_size=5))
def test_the_support_of_a_model_update_is_who_is_behind_it(built, coefficients):
    found = update(built, coefficients)
    free = ~built.test
    X, y, person = built.dates.X[free], built.dates.y[free], built.dates.person[free]

    def people_of(mask: np.ndarray) -> int:
        return len(set(person[mask].tolist()))

    assert found.rows == RawCount(people_of(np.ones(len(y), bool)), len(y))
    assert found.events == RawCount(people_of(y), int(y.sum()))
    for i in range(5):
        for u in (0, 1):
            for v in (0, 1):
                level = people_of((X[:, i] == u) & (y == bool(v))) if i in (1, 2, 3) else 0
                assert found.level_persons[i, u, v] == level
                for j in range(5):
                    both = i != j and {i, j} <= {1, 2, 3}
                    pair = people_of((X[:, i] == u) & (X[:, j] == v)) if both else 0
                    assert found.pair_persons[i, j, u, v] == pair
    p = 1 / (1 + np.exp(-X @ coefficients))
    weight = p * (1 - p)
    shares = [0.0]
    for column in X.T:
        for sizes in (np.abs(column * (y - p)), weight * column**2):
            whole = sizes.sum()
            shares += [sizes[person == who].sum() / whole if whole > 0 else 1.0 for who in set(person.tolist())]
    if len(y):
        assert found.effective_weight == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-9)
        assert found.largest_share == pytest.approx(max(shares), rel=1e-9)
    assert found.rarest_pattern == 0


def test_the_rarest_pattern_is_told_where_all_columns_are_binary():
    X = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 1]], dtype=float)
    y, person = np.array([0, 0, 1, 1, 1, 0], bool), np.array([1, 2, 3, 3, 4, 5])
    built = made(X, y, person, [1, 2])
    free = made(X, y, person, [1, 2]).free
    patterns = {row.tobytes() for row in np.column_stack([free.X, free.y])}
    people_of = [
        len({p for p, row in zip(free.person.tolist(), np.column_stack([free.X, free.y]), strict=True)
             if row.tobytes() == pattern})
        for pattern in patterns
    ]  # fmt: skip
    assert update(built, [0.0, 0.0, 0.0]).rarest_pattern == min(people_of)


def test_an_update_is_computed_from_the_free_persons_alone():
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(500), rng.normal(size=500)]), rng.random(500) < 0.3
    built = made(X, y, np.arange(500), [])
    assert 80 < built.test.sum() < 170
    found, free = update(built, [0.1, 0.2]), ~built.test
    point = logistic.evaluate(X[free], y[free], np.array([0.1, 0.2]))
    assert found.log_likelihood == pytest.approx(point.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(found.gradient, point.gradient, rtol=1e-10)
    changed = made(np.where(built.test[:, None], 99.0, X), np.where(built.test, ~y, y), np.arange(500), [])
    np.testing.assert_array_equal(update(changed, [0.1, 0.2]).information, found.information)


def test_test_persons_and_all_persons_are_who_is_validated():
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(900), rng.normal(size=900)]), rng.random(900) < 0.3
    built = made(X, y, np.sort(rng.integers(0, 300, 900)), [])
    for group, mask in (("test persons", built.test), ("all persons", np.ones(900, bool))):
        part = {"fit": "all sites", "sites": ["s"], "group": group, "coefficients": [0.0, 1.0]}
        ask = PredictAsk.model_validate({"validations": [part]}, strict=False)
        given_study = study(thresholds=[0.5])
        found = answer(given_study.analyses["a"], ask, built, "s").estimates
        assert [each.family for each in found] == ["discrimination", "calibration", "risk_bins", "thresholds"]
        discrimination, calibration, bins, thresholds = found
        expected = counted(built.dates.person[mask & built.dates.y])
        assert discrimination.positives == calibration.events == expected
        assert sum(cell.count for cell in (*bins.positives, *bins.negatives)) == mask.sum()
        assert calibration.rows == counted(built.dates.person[mask])
        risk = 1 / (1 + np.exp(-X[:, 1]))
        assert sum(bins.risk_sums) == pytest.approx(risk[mask].sum(), rel=1e-12)
        [(threshold, tp, fp, fn, tn)] = thresholds.rows
        assert threshold == 0.5
        for cell, where in ((tp, y & (risk >= 0.5)), (fp, ~y & (risk >= 0.5)), (fn, y & (risk < 0.5))):
            assert cell == counted(built.dates.person[mask & where])
        assert tp.count + fp.count + fn.count + tn.count == mask.sum()
        most = np.unique(built.dates.person[mask], return_counts=True)[1].max()
        assert bins.rows_per_person == thresholds.rows_per_person == most


def test_each_risk_bin_holds_the_risks_between_its_edges():
    linear = np.linspace(-12, 12, 2001)
    built = made(np.column_stack([np.ones(2001), linear]), linear > 0, np.arange(2001), [])
    part = {"fit": "f", "sites": ["s"], "group": "all persons", "coefficients": [0.0, 1.0]}
    ask = PredictAsk.model_validate({"validations": [part]}, strict=False)
    bins = answer(study().analyses["a"], ask, built, "s").estimates[2]
    risk = 1 / (1 + np.exp(-linear))
    assert bins.edges[0] == 0
    assert bins.edges[-1] == 1
    for number, (low, high) in enumerate(zip(bins.edges, bins.edges[1:], strict=False)):
        inside = (risk >= low) & (risk < high)
        assert bins.positives[number].count == (inside & (linear > 0)).sum()
        assert bins.risk_sums[number] == pytest.approx(risk[inside].sum(), abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, ["lost to follow-up", "missing a value", "locked for test", "used for fitting"]),
        ({"test_share": 0.0}, ["lost to follow-up", "missing a value", "used for fitting"]),
        ({"develop_at": ["other"]}, ["lost to follow-up", "missing a value", "used for validation only"]),
    ],
)
def test_index_dates_are_told_where_they_are_asked_for(changes, labels):
    given_study = study(**changes)
    everyone = [{"visit": [0, 50, 95], "outcome": [20], "m": [40]} for _ in range(30)]
    engine = MemoryEngine(given_study, tables(everyone))
    specification = given_study.analyses["a"]
    ask = asked([0.0] * 5, index_dates=["s"])
    table, _ = run(specification, ask, engine, given_study.id, "s").estimates
    assert [label for label, _ in table.cells] == labels
    cells = dict(table.cells)
    assert cells["lost to follow-up"] == RawCount(30, 30)
    assert cells["missing a value"] == RawCount(30, 30)
    assert sum(count.count for count in cells.values()) == 90
    assert len(run(specification, asked([0.0] * 5), engine, given_study.id, "s").estimates) == 1
    assert run(specification, ask, engine, given_study.id, "elsewhere").estimates == ()


class Counting:
    """The rows and covariates of an engine, counting how often the covariates are computed."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine, self.times = engine, 0
        self.cohort, self.attrition = engine.cohort, engine.attrition

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> np.ndarray:
        self.times += 1
        return self.engine.covariates(rows, covariates)


def test_a_design_is_built_once_for_an_engine():
    first, second = study(), study(test_share=0.5)
    engine = Counting(MemoryEngine(first, tables([{"visit": [0], "m": [0]}])))
    for given_study, times in ((first, 1), (first, 1), (second, 2), (first, 2)):
        run(given_study.analyses["a"], asked([0.0] * 5), engine, given_study.id, "s")
        assert engine.times == times


def test_a_question_of_another_shape_is_refused():
    built = made(np.ones((3, 1)), np.ones(3, bool), np.arange(3), [])
    with pytest.raises(Refusal) as caught:
        update(built, [0.0, 0.0])
    assert caught.value.code == "cannot_compute"


def test_nobody_gives_an_update_of_nothing():
    given_study = study()
    engine = MemoryEngine(given_study, tables([]))
    [found] = run(given_study.analyses["a"], asked([0.0] * 5), engine, given_study.id, "s").estimates
    assert found.rows == RawCount(0, 0)
    assert not found.information.any()
    assert found.largest_share == 1


def test_nobody_to_validate_gives_numbers_that_are_not():
    given_study = study(thresholds=[0.1])
    part = {"fit": "all sites", "sites": ["s"], "group": "all persons", "coefficients": [0.0] * 5}
    ask = PredictAsk.model_validate({"validations": [part]}, strict=False)
    engine = MemoryEngine(given_study, tables([]))
    found = run(given_study.analyses["a"], ask, engine, given_study.id, "s").estimates
    assert np.isnan([found[0].auroc, found[1].slope, found[1].observed_expected]).all()
    assert set(found[2].positives) == {RawCount(0, 0)}


def test_the_specification_is_a_key():
    assert hash(study().analyses["a"]) == hash(study().analyses["a"])
    assert isinstance(study().analyses["a"], Predict)
