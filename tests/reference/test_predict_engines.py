"""A tiny study end to end: tables, engine, analysis, gate, rounds, evidence; both engines, two sites.

The rows are made by a logistic model of conditions in tables, so the expected fit is that of statsmodels on rows put
together here without any engine.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import statsmodels.api as sm

from vitrail import wire
from vitrail.analyses import protocol
from vitrail.analyses.characterise.run import run as characterise
from vitrail.analyses.predict.run import run as predict
from vitrail.disclosure import gate
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.errors import Refusal
from vitrail.omop.engines import Engine
from vitrail.omop.engines.duckdb import DuckDBEngine
from vitrail.omop.engines.memory import MemoryEngine
from vitrail.omop.tables import TABLES
from vitrail.stats import persons
from vitrail.study.release import Release
from vitrail.study.study import Question, Round, Study

RUNS = {"characterise": characterise, "predict": predict}
START, YEAR = date(2010, 1, 1), timedelta(days=365)
TYPES = {
    "id": pa.int64(),
    "int": pa.int32(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "float": pa.float64(),
    "str": pa.string(),
}
CONCEPTS = {"smoking": 11, "gout": 12, "kidney disease": 13}
SITES = {"north": 1, "south": 2, "west": 3}

Tables = dict[str, list[dict[str, object]]]


def study() -> Study:
    has = [{"name": name, "has": {"condition": name}, "days": [None, 0]} for name in ("smoking", "gout")]
    covariates = [{"name": "age", "age": True, "centre": 60.0, "per": 10.0}, {"name": "male", "sex": "male"}, *has]
    entry = {"entry": [{"visit": "any"}], "keep": "first_of_each_year", "exit": {"days_after_start": 200}}
    return Study.model_validate_json(
        wire.canonical(
            {
                "vitrail": "study/1",
                "title": "Kidneys",
                "purpose": "early detection",
                "question": "q",
                "protocol": "p",
                "authors": ["a"],
                "concept_sets": {name: {"concepts": [{"concept": number}]} for name, number in CONCEPTS.items()},
                "cohorts": {
                    "visits": entry,
                    "kidney disease": {"entry": [{"condition": "kidney disease"}], "keep": "first"},
                },
                "analyses": {
                    "who": {
                        "kind": "characterise",
                        "cohorts": ["visits"],
                        "table": covariates,
                        "incidence": [{"name": "i", "population": "visits", "outcome": "kidney disease"}],
                    },
                    "risk": {
                        "kind": "predict",
                        "target": "visits",
                        "outcome": "kidney disease",
                        "horizon": [1, 300],
                        "covariates": covariates,
                        "develop_at": ["north", "south"],
                        "thresholds": [0.1, 0.3],
                    },
                },
            }
        )
    )


def made(seed: int) -> tuple[Tables, np.ndarray]:
    """Tables of 700 people, and the index dates that have an outcome or follow-up: person, outcome, covariates."""
    rng = np.random.default_rng(seed)
    found: Tables = {name: [] for name in ("person", "observation_period", "visit_occurrence", "condition_occurrence")}
    rows: list[list[float]] = []
    for person in (int(each) for each in rng.permutation(10_000)[:700]):
        end = START + 2 * YEAR if rng.random() < 0.9 else START + timedelta(days=500)
        rows += _live(rng, found, person, end)
    for name, of in found.items():
        for number, row in enumerate(of):
            row[f"{name}_id"] = row["person_id"] if name == "person" else number
    return found, np.array(sorted(rows), dtype=float)


def _live(rng: np.random.Generator, found: Tables, person: int, end: date) -> list[list[float]]:
    """One person: a visit in each of two years until the outcome, which comes by a logistic model."""
    born, male = int(rng.integers(1930, 1975)), bool(rng.random() < 0.5)
    smoking, gout = rng.random() < 0.4, rng.random() < 0.3
    _record(found, "person", person, year_of_birth=born, gender_concept_id=8507 if male else 8532)
    days = {"observation_period_start_date": START, "observation_period_end_date": end}
    _record(found, "observation_period", person, **days)
    for name, had in (("smoking", smoking), ("gout", gout)):
        if had:
            _condition(found, person, name, START)
    rows: list[list[float]] = []
    for year in (0, 1):
        visit = START + year * YEAR + timedelta(days=int(rng.integers(5, 40)))
        _record(found, "visit_occurrence", person, visit_concept_id=1, visit_start_date=visit, visit_end_date=visit)
        x = [1, (visit.year - born - 60) / 10, male, smoking, gout]
        if rng.random() < 1 / (1 + np.exp(-np.dot(x, [-1.2, 0.5, 0.3, 0.8, -0.4]))):
            _condition(found, person, "kidney disease", visit + timedelta(days=90))
            return [*rows, [person, True, *x]]
        if visit + timedelta(days=300) <= end:
            rows.append([person, False, *x])
    return rows


def _condition(found: Tables, person: int, name: str, day: date) -> None:
    _record(found, "condition_occurrence", person, condition_concept_id=CONCEPTS[name], condition_start_date=day)


def _record(found: Tables, table: str, person: int, **values: object) -> None:
    """A row; concepts that OMOP requires and nobody here asks for are 0."""
    required = {column.name: 0 for column in TABLES[table].columns if column.required}
    found[table].append({**required, "person_id": person, **values})


def written(tables: Tables, path: Path) -> dict[str, Path]:
    files = {}
    for name, rows in tables.items():
        schema = pa.schema([(column.name, TYPES[column.type]) for column in TABLES[name].columns])
        files[name] = path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), files[name])
    return files


@pytest.fixture(scope="module")
def tables() -> Mapping[str, tuple[Tables, np.ndarray]]:
    return {site: made(seed) for site, seed in SITES.items()}


@pytest.fixture(scope="module")
def engines(tables, tmp_path_factory) -> Mapping[str, Mapping[str, Engine]]:
    """Of both kinds, an engine for each site."""
    given, duck = study(), {}
    for site, (found, _) in tables.items():
        duck[site] = DuckDBEngine(given, written(found, tmp_path_factory.mktemp(site)), threads=1)
    yield {"memory": {site: MemoryEngine(given, found) for site, (found, _) in tables.items()}, "duckdb": duck}
    for engine in duck.values():
        engine.close()


def play(engines: Mapping[str, Engine], analysis: str, policy: Policy = PUBLIC_DATA) -> list[Round]:
    given, rounds = study(), []
    while (question := protocol.next_question(given, analysis, list(engines), rounds)) is not None:
        earlier = [release for each in rounds for release in each.releases.values()]
        releases = {site: answered(given, question, site, engines[site], policy, earlier) for site in question.sites}
        rounds.append(Round(question, releases))
    return rounds


def answered(
    given: Study, question: Question, site: str, engine: Engine, policy: Policy, earlier: list[Release]
) -> Release:
    specification = given.analyses[question.analysis]
    head = gate.Head(given.id, question.analysis, question.round, site, given.id, policy.id, question.id)
    try:
        result = RUNS[specification.kind](specification, question.ask, engine, given.id, site)
        return gate.release(head, result, policy, earlier)
    except Refusal as refusal:
        return gate.refused(head, refusal.code)


@pytest.mark.parametrize("kind", ["memory", "duckdb"])
def test_the_fit_is_that_of_the_free_rows_of_the_developing_sites(tables, engines, kind):
    given = study()
    evidence = protocol.combine(given, "risk", play(engines[kind], "risk"))
    rows = np.concatenate([tables[site][1] for site in ("north", "south")])
    free = ~persons.locked(given.id, rows[:, 0].astype(np.int64), 0.25)
    truth = sm.Logit(rows[free, 1], rows[free, 2:]).fit(disp=0, method="newton", tol=1e-14)
    [fit] = evidence.fits
    assert (fit.name, fit.sites, fit.converged) == ("all sites", ("north", "south"), True)
    np.testing.assert_allclose([each.estimate for each in fit.coefficients], truth.params, rtol=0, atol=1e-8)
    np.testing.assert_allclose([each.se for each in fit.coefficients], truth.bse, rtol=0, atol=1e-8)
    assert [(each.site, each.group) for each in evidence.validations] == [
        ("north", "test persons"),
        ("south", "test persons"),
        ("west", "all persons"),
    ]
    west = tables["west"][1]
    [validation] = [each for each in evidence.validations if each.site == "west"]
    risk = truth.predict(west[:, 2:])
    assert validation.calibration.rows == len(west)
    assert validation.calibration.observed_expected == pytest.approx(west[:, 1].sum() / risk.sum(), rel=1e-7)
    assert sum(each.positives + each.negatives for each in validation.bins.bins) == len(west)
    cells = {cell.label: cell.count for cell in evidence.index_dates["north"].cells}
    assert cells["used for fitting"] == fit.rows["north"]
    assert cells["used for fitting"] + cells["locked for test"] == len(tables["north"][1])
    assert cells["lost to follow-up"] > 0


def test_who_was_included_adds_up(tables, engines):
    evidence = protocol.combine(study(), "who", play(engines["memory"], "who"))
    assert evidence.sites == ("north", "south", "west")
    people = {site: len(found["person"]) for site, (found, _) in tables.items()}
    totals = {(table.name): table.total for table in evidence.pooled_counts}
    assert totals == dict.fromkeys(("age group", "sex", "smoking", "gout"), sum(people.values()))
    smoking = [
        row
        for found, _ in tables.values()
        for row in found["condition_occurrence"]
        if row["condition_concept_id"] == CONCEPTS["smoking"]
    ]
    [yes] = [each.cells[0] for each in evidence.pooled_counts if each.name == "smoking"]
    assert (yes.label, yes.count) == ("yes", len(smoking))
    [rate] = evidence.pooled_rates
    cases = [
        row
        for found, _ in tables.values()
        for row in found["condition_occurrence"]
        if row["condition_concept_id"] == CONCEPTS["kidney disease"]
    ]
    assert rate.events == len(cases)
    assert rate.low < rate.rate < rate.high


@pytest.mark.parametrize("analysis", ["who", "risk"])
@pytest.mark.parametrize("policy", [PUBLIC_DATA, DEFAULT], ids=lambda policy: policy.name)
def test_both_engines_release_the_same_bytes(engines, analysis, policy):
    memory, duck = (play(engines[kind], analysis, policy) for kind in ("memory", "duckdb"))
    assert [each.question.id for each in memory] == [each.question.id for each in duck]
    assert [{s: r.id for s, r in each.releases.items()} for each in memory] == [
        {s: r.id for s, r in each.releases.items()} for each in duck
    ]


def test_the_default_policy_lets_these_sites_answer(engines):
    evidence = protocol.combine(study(), "risk", play(engines["duckdb"], "risk", DEFAULT))
    assert evidence.refused == {}
    assert evidence.fits[0].converged
    assert all(isinstance(each.discrimination.auroc, float) for each in evidence.validations)
    assert all(count % 5 == 0 for count in evidence.fits[0].rows.values())
