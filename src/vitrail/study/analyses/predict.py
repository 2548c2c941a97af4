"""Predict: a risk model over all sites without moving rows, and its validation where it was not trained."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.aloud import covariate_aloud
from vitrail.study.aloud_words import number_aloud, percent_aloud
from vitrail.study.covariates import Covariate
from vitrail.study.release import Calibration, Count, CountTable, Discrimination, RiskBins, Thresholds
from vitrail.study.word import Name, Part, SiteName, Word

ALL_SITES = "all sites"
WITHOUT = "without "  # a leave-one-site-out fit is called "without <site>"
INTERCEPT = "intercept"

INDEX_DATES = "index dates"
"""The name of the table that says what happened to a site's index dates; its cells, in order, are these."""
LOST = "lost to follow-up"
MISSING = "missing a value"
LOCKED = "locked for test"
FITTED = "used for fitting"
VALIDATED = "used for validation only"


class Predict(Word):
    """Logistic regression of an outcome in a window after an index date, by exact Newton rounds over the sites.

    * Each row of the ``target`` cohort is an index date. ``horizon`` is the window of days after it in which a start
      of the ``outcome`` cohort counts as an event. A row without an event whose observation period ends
      before the horizon does is left out and counted, and so is a row that lacks a value.
    * ``test_share`` of the persons, chosen by a hash of study and person before anything is fitted, are never used for
      fitting; the others are never used for the ``test persons`` validation.
    * ``develop_at`` names the sites that fit; the others only validate. All sites where it is empty.
    * ``leave_one_site_out`` adds a fit without each developing site, validated at that site on all its rows.
    * Newton rounds stop when the largest step is at most ``tolerance``. Of at most ``max_rounds`` questions in all, the
      last is kept for validation, so a fit may take one fewer.
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
    tolerance: Annotated[float, Field(ge=1e-10, le=0.01)] = 1e-8
    max_rounds: Annotated[int, Field(ge=2, le=60)] = 25

    def aloud(self) -> str:
        """What is asked, all of it."""
        first, last = self.horizon
        when = "that day" if first == last == 0 else f"{first:,} to {last:,} days later"
        where = f"at {', '.join(self.develop_at)}" if self.develop_at else "at all sites together"
        return (
            f"estimate who in “{self.target}” will start “{self.outcome}” {when}, from "
            f"{'; '.join(map(covariate_aloud, self.covariates))}. Fit {where} in at most {self.max_rounds} rounds, "
            f"until no step is larger than {number_aloud(self.tolerance)}{self._tested()}.{self._judged()}"
        )

    def _tested(self) -> str:
        kinds = (
            (self.test_share > 0, f"on {percent_aloud(self.test_share)} of the people, set aside before"),
            (self.leave_one_site_out, "at each site with a model made without it"),
            (bool(self.develop_at), "at the other sites"),
        )
        given = [words for asked, words in kinds if asked]
        return f"; test {', and '.join(given)}" if given else ""

    def _judged(self) -> str:
        return f" Judge it at risks of {', '.join(map(percent_aloud, self.thresholds))}." if self.thresholds else ""

    def cohort_names(self) -> Iterator[tuple[Part, str]]:
        """Every cohort that the analysis names, and the way to it."""
        yield ("target",), self.target
        yield ("outcome",), self.outcome

    def features(self) -> Iterator[tuple[Part, Covariate]]:
        """Every covariate that the analysis uses, and the way to it."""
        yield from ((("covariates", i), covariate) for i, covariate in enumerate(self.covariates))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.horizon[0] > self.horizon[1]:
            raise ValueError("the horizon ends before it starts; write the earlier day first")
        names = [covariate.name for covariate in self.covariates]
        if len(set(names)) != len(names):
            raise ValueError("two covariates have the same name; give each its own")
        if INTERCEPT in names:
            raise ValueError("a covariate is called as the model's intercept is; give it another name")
        return self

    def develops(self, site: SiteName) -> bool:
        """Whether ``site`` takes part in fitting; otherwise it only validates."""
        return not self.develop_at or site in self.develop_at


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
    """One round: model updates for ``fits`` still moving, or the last round's ``validations``. Never both.

    ``index_dates`` names the sites that are asked for the first time: they also say what happened to their index dates.
    """

    kind: Literal["predict"] = "predict"
    fits: tuple[FitAsk, ...] = ()
    validations: tuple[ValidateAsk, ...] = ()
    index_dates: tuple[SiteName, ...] = ()


class Coefficient(Word):
    """A log odds ratio per unit of the covariate as it enters the model, with its standard error."""

    covariate: str
    estimate: float
    se: float


class Fit(Word):
    """A fitted model: who took part, what came out, and whether it converged.

    ``rounds`` are the questions it took. ``stopped`` says why it ended: ``converged``; ``rounds``, there were no more;
    ``singular``, the covariates do not tell their coefficients apart; ``diverging``, the likelihood has no maximum that
    can be told, as where a covariate separates the outcome. Where it has not converged there are no coefficients, and
    ``log_likelihood`` is the best seen, or None where no round was answered by all its sites. ``rows`` and ``events``
    are as each site printed them.
    """

    name: str
    sites: tuple[SiteName, ...]
    rounds: int
    converged: bool
    log_likelihood: float | None = None
    coefficients: tuple[Coefficient, ...]
    stopped: Literal["converged", "rounds", "singular", "diverging"] = "converged"
    rows: dict[SiteName, Count] = {}
    events: dict[SiteName, Count] = {}


class Validation(Word):
    """One model at one site."""

    site: SiteName
    fit: str
    group: str
    discrimination: Discrimination | None = None
    calibration: Calibration | None = None
    bins: RiskBins | None = None
    thresholds: Thresholds | None = None


class PredictEvidence(Word):
    """Fits with their coefficients, and each validation. ``refused`` are sites that gave no answer, by code.

    ``index_dates`` says for each site how many index dates were used and why the others were not.
    """

    kind: Literal["predict"] = "predict"
    fits: tuple[Fit, ...]
    validations: tuple[Validation, ...]
    refused: dict[SiteName, str]
    index_dates: dict[SiteName, CountTable] = {}
