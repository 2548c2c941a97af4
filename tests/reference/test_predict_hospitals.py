"""Four real hospitals (UCI heart disease): the federated fit is the pooled fit of statsmodels.

Questions come from the protocol and Releases from the gate under the policy for public data. Coefficients and
standard errors must agree within 1e-8, in raw units: a fit stops when no coefficient would move by more, and
the information, its diagonal scaled to 1, has a condition number of 2e3, so solving it loses four of sixteen digits.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from vitrail import wire
from vitrail.analyses import protocol
from vitrail.analyses.predict.design import Design, IndexDates
from vitrail.analyses.predict.run import answer
from vitrail.disclosure import gate
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.disclosure.result import RawCount
from vitrail.errors import Refusal
from vitrail.study.analyses.predict import PredictEvidence
from vitrail.study.study import Question, Round, Study

HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
NUMBERS = {"age": 0, "resting pressure": 3, "cholesterol": 4, "top heart rate": 7, "st depression": 9}
FLAGS = {"male": (1, 1), "pain 2": (2, 2), "pain 3": (2, 3), "pain 4": (2, 4), "high sugar": (5, 1),
         "ecg 1": (6, 1), "ecg 2": (6, 2), "pain on effort": (8, 1)}  # fmt: skip
TEN, OUTCOME = range(10), 13

Hospitals = Mapping[str, tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def hospitals(test_data: Path) -> Hospitals:
    """X and y of each hospital's rows that are complete on FLamby's ten variables."""
    return {name: _read(test_data / f"real/uci_heart/processed.{name}.data") for name in HOSPITALS}


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = [line.split(",") for line in path.read_text().split()]
    kept = [[float(row[n]) for n in (*TEN, OUTCOME)] for row in rows if "?" not in [row[n] for n in TEN]]
    raw = np.array(kept)
    X = [np.ones(len(raw)), *(raw[:, n] for n in NUMBERS.values()), *(raw[:, n] == v for n, v in FLAGS.values())]
    return np.column_stack(X).astype(float), raw[:, -1] > 0


def study(**changes: object) -> Study:
    """The study of these columns; ``changes`` are of its analysis."""
    numbers = [{"name": name, "last": {"measurement": "any"}, "days": [0, 0]} for name in NUMBERS]
    flags = [{"name": name, "has": {"condition": "any"}, "days": [0, 0]} for name in FLAGS]
    analysis = {"kind": "predict", "target": "t", "outcome": "o", "horizon": [0, 0], "test_share": 0.0,
                "covariates": numbers + flags, "leave_one_site_out": True, **changes}  # fmt: skip
    cohorts = {name: {"entry": [{"visit": "any"}]} for name in ("t", "o")}
    return Study.model_validate_json(wire.canonical({
        "vitrail": "study/1", "title": "Hearts", "purpose": "external validation", "question": "q", "protocol": "p",
        "authors": ["a"], "concept_sets": {}, "cohorts": cohorts, "analyses": {"a": analysis},
    }))  # fmt: skip


def design(given: Study, X: np.ndarray, y: np.ndarray) -> Design:
    covariates, none = given.analyses["a"].covariates, RawCount(0, 0)
    binary = np.array([False, *(each.binary for each in covariates)])
    dates = IndexDates(np.asfortranarray(X), y, np.arange(len(y)))
    names = ("intercept", *(each.name for each in covariates))
    return Design(names, binary, dates, np.zeros(len(y), bool), none, none)


def play(given: Study, hospitals: Hospitals, policy: Policy) -> list[Round]:
    """All rounds of the analysis, each answer through the gate."""
    designs, rounds = {name: design(given, *rows) for name, rows in hospitals.items()}, []
    while (question := protocol.next_question(given, "a", list(designs), rounds)) is not None:
        earlier = [release for each in rounds for release in each.releases.values()]
        releases = {}
        for site in question.sites:
            head = _head(question, site, policy)
            try:
                result = answer(given.analyses["a"], question.ask, designs[site], site)
                releases[site] = gate.release(head, result, policy, earlier)
            except Refusal as refusal:
                releases[site] = gate.refused(head, refusal.code)
        rounds.append(Round(question, releases))
    return rounds


def _head(question: Question, site: str, policy: Policy) -> gate.Head:
    return gate.Head(question.study, question.analysis, question.round, site, question.study, policy.id, question.id)


def pooled(hospitals: Hospitals, names: list[str]) -> object:
    X, y = (np.concatenate([hospitals[name][part] for name in names]) for part in (0, 1))
    return sm.Logit(y.astype(float), X).fit(disp=0, method="newton", tol=1e-14, maxiter=100)


@pytest.fixture(scope="module")
def evidence(hospitals: Hospitals) -> PredictEvidence:
    given = study(thresholds=[0.2, 0.5])
    return protocol.combine(given, "a", play(given, hospitals, PUBLIC_DATA))


def test_the_rows_are_flambys(hospitals):
    assert {name: len(y) for name, (_, y) in hospitals.items()} == {
        "cleveland": 303, "hungarian": 261, "switzerland": 46, "va": 130,
    }  # fmt: skip


@pytest.mark.parametrize("left", [None, *HOSPITALS])
def test_coefficients_and_standard_errors_are_those_of_the_pooled_fit(hospitals, evidence, left):
    name = "all sites" if left is None else f"without {left}"
    fit = next(fit for fit in evidence.fits if fit.name == name)
    truth = pooled(hospitals, [each for each in HOSPITALS if each != left])
    assert fit.converged
    assert fit.rounds <= 9
    np.testing.assert_allclose([each.estimate for each in fit.coefficients], truth.params, rtol=0, atol=1e-8)
    np.testing.assert_allclose([each.se for each in fit.coefficients], truth.bse, rtol=0, atol=1e-8)
    assert fit.log_likelihood == pytest.approx(truth.llf, rel=1e-12)


def test_each_hospital_is_validated_by_the_fit_without_it(hospitals, evidence):
    assert [(each.fit, each.site, each.group) for each in evidence.validations] == [
        (f"without {site}", site, "all persons") for site in HOSPITALS
    ]
    for each in evidence.validations:
        X, y = hospitals[each.site]
        risk = pooled(hospitals, [name for name in HOSPITALS if name != each.site]).predict(X)
        wins = (risk[y][:, None] > risk[~y]) + 0.5 * (risk[y][:, None] == risk[~y])
        assert each.discrimination.auroc == pytest.approx(wins.mean(), abs=1e-12)
        assert each.discrimination.positives == y.sum()
        assert each.calibration.observed_expected == pytest.approx(y.sum() / risk.sum(), rel=1e-7)
        row = each.thresholds.rows[1]
        assert (row.true_positives, row.false_positives) == ((y & (risk >= 0.5)).sum(), (~y & (risk >= 0.5)).sum())
    assert {site: table.total for site, table in evidence.index_dates.items()} == {
        site: len(y) for site, (_, y) in hospitals.items()
    }


def test_an_interval_is_not_made_of_one_negative(evidence):
    """Switzerland has one person without the disease: an AUROC, but nothing to tell its uncertainty from."""
    swiss = next(each for each in evidence.validations if each.site == "switzerland")
    assert swiss.discrimination.negatives == 1
    assert swiss.discrimination.low == "suppressed"


FEW = [*NUMBERS, "male", "pain on effort"]


def test_the_default_policy_refuses_the_small_hospitals_and_the_fit_goes_on_without_them(hospitals):
    given = study()
    few = [each for each in given.analyses["a"].covariates if each.name in FEW]
    given = study(covariates=[each.model_dump(mode="json", exclude_none=True) for each in few])
    kept = [0] + [1 + place for place, name in enumerate((*NUMBERS, *FLAGS)) if name in FEW]
    narrow = {name: (X[:, kept], y) for name, (X, y) in hospitals.items()}
    found = protocol.combine(given, "a", play(given, narrow, DEFAULT))
    assert found.refused == {"switzerland": "disclosure", "va": "disclosure"}
    fit = found.fits[0]
    assert (fit.name, fit.sites, fit.converged) == ("all sites", ("cleveland", "hungarian"), True)
    truth = pooled(narrow, ["cleveland", "hungarian"])
    np.testing.assert_allclose([each.estimate for each in fit.coefficients], truth.params, rtol=0, atol=1e-8)
    assert {each.site for each in found.validations} == {"cleveland", "hungarian"}


def test_the_default_policy_refuses_all_hospitals_the_thirteen_covariates(hospitals):
    rounds = play(study(), hospitals, DEFAULT)
    assert len(rounds) == 1
    assert set(protocol.combine(study(), "a", rounds).refused) == set(HOSPITALS)


def test_the_same_rounds_make_the_same_evidence_byte_for_byte(hospitals, evidence):
    given = study(thresholds=[0.2, 0.5])
    again = protocol.combine(given, "a", play(given, hospitals, PUBLIC_DATA))
    assert wire.canonical(again.model_dump(mode="json")) == wire.canonical(evidence.model_dump(mode="json"))
