"""Predict: a risk model over all sites without moving rows, and its validation where it was not trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.covariates import Covariate
from vitrail.study.release import Calibration, Discrimination, RiskBins, Thresholds
from vitrail.study.word import Name, SiteName, Word

ALL_SITES = "all sites"
WITHOUT = "without "  # a leave-one-site-out fit is called "without <site>"


class Predict(Word):
    """Logistic regression of an outcome in a window after an index date, by exact Newton rounds over the sites.

    * Each row of the ``target`` cohort is an index date. ``horizon`` is the window of days after it in which a start
      of the ``outcome`` cohort counts as an event. A row without an event whose observation period ends
      before the horizon does is left out and counted, and so is a row that lacks a value.
    * ``test_share`` of the persons, chosen by a hash of study and person before anything is fitted, are never used for
      fitting; the others are never used for the ``test persons`` validation.
    * ``develop_at`` names the sites that fit; the others only validate. All sites where it is empty.
    * ``leave_one_site_out`` adds a fit without each developing site, validated at that site on all its rows.
    * Newton rounds stop when the largest step is at most ``tolerance``, or after ``max_rounds`` questions in all.
    """

    kind: Literal["predict"]
    target: Name
    outcome: Name
    horizon: tuple[Annotated[int, Field(ge=0, le=36_525)], Annotated[int, Field(ge=0, le=36_525)]]
    covariates: Annotated[tuple[Covariate, ...], Field(min_length=1, max_length=200)]
    test_share: Annotated[float, Field(ge=0, le=0.9)] = 0.25
    develop_at: tuple[SiteName, ...] = ()
    leave_one_site_out: bool = False
    thresholds: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(max_length=20)] = ()
    tolerance: Annotated[float, Field(gt=0, le=0.01)] = 1e-8
    max_rounds: Annotated[int, Field(ge=2, le=60)] = 25

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.horizon[0] > self.horizon[1]:
            raise ValueError("the horizon ends before it starts")
        names = [covariate.name for covariate in self.covariates]
        if len(set(names)) != len(names):
            raise ValueError("two covariates have the same name")
        return self


class FitAsk(Word):
    """The coefficients at which the developing sites ``sites`` are asked for their model updates."""

    fit: Name
    sites: tuple[SiteName, ...]
    coefficients: tuple[float, ...]


class ValidateAsk(Word):
    """Final coefficients to validate at ``sites``.

    ``group`` is ``test persons`` (the locked share) or ``all persons`` (a site that took no part in the fit).
    """

    fit: Name
    sites: tuple[SiteName, ...]
    group: Literal["test persons", "all persons"]
    coefficients: tuple[float, ...]


class PredictAsk(Word):
    """One round: model updates for ``fits`` still moving, or the last round's ``validations``. Never both."""

    kind: Literal["predict"] = "predict"
    fits: tuple[FitAsk, ...] = ()
    validations: tuple[ValidateAsk, ...] = ()


class Coefficient(Word):
    """A log odds ratio per unit of the covariate as it enters the model, with its standard error."""

    covariate: str
    estimate: float
    se: float


class Fit(Word):
    """A fitted model: who took part, what came out, and whether it converged."""

    name: str
    sites: tuple[SiteName, ...]
    rounds: int
    converged: bool
    log_likelihood: float
    coefficients: tuple[Coefficient, ...]


class Validation(Word):
    """One model at one site."""

    site: SiteName
    fit: str
    group: str
    discrimination: Discrimination | None
    calibration: Calibration | None
    bins: RiskBins | None
    thresholds: Thresholds | None


class PredictEvidence(Word):
    """Fits with their coefficients, and each validation. ``refused`` are sites that gave no answer, by code."""

    kind: Literal["predict"] = "predict"
    fits: tuple[Fit, ...]
    validations: tuple[Validation, ...]
    refused: dict[SiteName, str]
