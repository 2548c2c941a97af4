"""The true course of disease in every synthetic health system, and what a generated directory says about it.

In each window of 365 days after a yearly review, the log odds of an event are a sum over what is recorded at
the review: ``intercept + Σ log_odds_ratio (x - centre) / per``. That is the model that the flagship study fits, in the
study's own parametrisation, so its coefficients can be held against these numbers.
"""

from typing import Annotated, Literal

from pydantic import Field

from vitrail.study.word import Name, SiteName, Word
from vitrail.synthetic.systems import System


class Term(Word):
    """One covariate of a risk: its log odds ratio per ``per`` units above ``centre``."""

    log_odds_ratio: float
    centre: float = 0.0
    per: Annotated[float, Field(gt=0)] = 1.0


class Risk(Word):
    """The log odds of an event within 365 days: an intercept and terms by covariate."""

    intercept: float
    terms: dict[Name, Term]


class Albumin(Word):
    """Urine albumin-creatinine ratio, log2 of mg/g: normal, and higher by ``log2_rise`` in the year before CKD.

    Given everything else, log2 of the ratio is therefore a covariate of CKD with the log odds ratio
    ``log2_rise / log2_sd²`` per doubling (two normal distributions with one variance have linear log odds).
    """

    log2_mean: float
    log2_sd: float
    log2_rise: float

    @property
    def log_odds_ratio(self) -> float:
        """The log odds ratio of CKD per doubling."""
        return self.log2_rise / self.log2_sd**2


CKD = Risk(
    intercept=-3.9,
    terms={
        "age": Term(log_odds_ratio=0.25, centre=60.0, per=10.0),
        "female": Term(log_odds_ratio=-0.2),
        "hypertension": Term(log_odds_ratio=0.5),
        "HbA1c": Term(log_odds_ratio=0.3, centre=7.0),
        "eGFR": Term(log_odds_ratio=-0.55, centre=90.0, per=10.0),
        "nefrovian": Term(log_odds_ratio=-0.5),
        "veltimol": Term(log_odds_ratio=0.0),
    },
)
"""Confirmation of chronic kidney disease in people with diabetes. Veltimol is the null; nefrovian, which protects, is
given to those whose kidneys are worse, so that without adjustment it seems to harm."""

CKD_WITHOUT_DIABETES = -2.3
"""What stands in place of the HbA1c term in people without diabetes."""

HEART_FAILURE = Risk(
    intercept=-5.3,
    terms={
        "age": Term(log_odds_ratio=0.6, centre=60.0, per=10.0),
        "hypertension": Term(log_odds_ratio=0.6),
        "diabetes": Term(log_odds_ratio=0.6),
        "ckd": Term(log_odds_ratio=0.7),
        "cardivane with hypertension": Term(log_odds_ratio=-0.7),
        "cardivane without hypertension": Term(log_odds_ratio=0.0),
    },
)
"""First heart failure. Cardivane protects people with hypertension and nobody else."""

DEATH = Risk(
    intercept=-5.2,
    terms={
        "age": Term(log_odds_ratio=0.85, centre=60.0, per=10.0),
        "smoking": Term(log_odds_ratio=0.5),
        "ckd": Term(log_odds_ratio=0.6),
        "heart failure": Term(log_odds_ratio=0.9),
    },
)
"""Death within the window."""

ALBUMIN = Albumin(log2_mean=3.6, log2_sd=1.5, log2_rise=1.0)
"""The early signal. No system records it of everybody, and no risk depends on it."""


class Treatment(Word):
    """What a drug truly does. ``given_for`` are the causes of the outcome that also lead to the drug."""

    drug: Name
    outcome: Name
    subgroup: Name
    log_odds_ratio: float
    given_for: tuple[Name, ...]


TREATMENTS = (
    Treatment(
        drug="nefrovian",
        outcome="chronic kidney disease",
        subgroup="everybody",
        log_odds_ratio=CKD.terms["nefrovian"].log_odds_ratio,
        given_for=("eGFR", "hypertension"),
    ),
    Treatment(
        drug="veltimol",
        outcome="chronic kidney disease",
        subgroup="everybody",
        log_odds_ratio=CKD.terms["veltimol"].log_odds_ratio,
        given_for=("hypertension",),
    ),
    Treatment(
        drug="cardivane",
        outcome="heart failure",
        subgroup="with hypertension",
        log_odds_ratio=HEART_FAILURE.terms["cardivane with hypertension"].log_odds_ratio,
        given_for=("age",),
    ),
    Treatment(
        drug="cardivane",
        outcome="heart failure",
        subgroup="without hypertension",
        log_odds_ratio=HEART_FAILURE.terms["cardivane without hypertension"].log_odds_ratio,
        given_for=("age",),
    ),
)
"""One effect confounded by indication, one null, one that differs by subgroup."""


class CaseMix(Word):
    """What came out in one generated directory.

    ``with_diabetes``, ``with_ckd``, ``with_heart_failure``, ``died`` count persons. ``windows`` and ``events`` are the
    flagship study's index dates and outcomes, ``windows_persons`` the people behind them; the means are over windows.
    ``nefrovian_crude_odds_ratio`` is without adjustment; None where a cell is empty.
    """

    persons: int
    with_diabetes: int
    with_ckd: int
    with_heart_failure: int
    died: int
    windows: int
    windows_persons: int
    events: int
    mean: dict[Name, float]
    nefrovian_crude_odds_ratio: float | None = None


class Truth(Word):
    """What ``truth.json`` says: how the people were made, and what is true of them."""

    vitrail: Literal["truth/1"] = "truth/1"
    site: SiteName
    persons: int
    seed: int
    horizon: tuple[int, int] = (1, 365)
    ckd: Risk = CKD
    ckd_without_diabetes: float = CKD_WITHOUT_DIABETES
    heart_failure: Risk = HEART_FAILURE
    death: Risk = DEATH
    albumin: Albumin = ALBUMIN
    treatments: tuple[Treatment, ...] = TREATMENTS
    system: System
    case_mix: CaseMix
