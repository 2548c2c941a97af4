"""Questions and Releases: what travels to a site, and the only thing that leaves it.

Each estimate belongs to a *family*; the gate has one rule per family and refuses any other. A suppressed number is
the word ``suppressed``, never 0.
"""

from typing import Annotated, Literal

from pydantic import Field

from vitrail import wire
from vitrail.study.word import Digest, Name, SiteName, Word

SUPPRESSED: Literal["suppressed"] = "suppressed"
Count = Annotated[int, Field(ge=0)] | Literal["suppressed"]
Number = float | Literal["suppressed"]

RefusalCode = Literal[
    "not_approved",
    "policy",
    "quality",
    "calendar",
    "disclosure",
    "question_differs",
    "too_many_rounds",
    "cannot_compute",
]
"""All that a requester learns of a refusal; the reason stays with the steward."""


class Cell(Word):
    """One cell of a table: its label and its count."""

    label: str
    count: Count


class CountTable(Word):
    """Counts that partition ``of``: every member of ``of`` is in exactly one cell.

    ``unit`` is what is counted. ``total`` is the sum of the cells as printed, or suppressed where a cell is.
    """

    family: Literal["count_table"] = "count_table"
    name: str
    of: str
    unit: Literal["persons", "index dates"]
    cells: tuple[Cell, ...]
    total: Count


class Attrition(Word):
    """Persons left after each step of a cohort, in order. A step that excluded too few is merged into the next.

    ``merged`` names the steps that are not shown on their own, in order, before each shown step.
    """

    family: Literal["attrition"] = "attrition"
    cohort: str
    steps: tuple[Cell, ...]
    merged: tuple[tuple[str, ...], ...]


class Moments(Word):
    """Mean and standard deviation (n - 1) of a number over ``count`` persons or index dates of ``of``."""

    family: Literal["moments"] = "moments"
    name: str
    of: str
    count: Count
    missing: Count
    mean: Number
    sd: Number


class Rate(Word):
    """Events and person-years at risk, and events per 1,000 person-years derived from the two as printed."""

    family: Literal["rate"] = "rate"
    name: str
    persons: Count
    events: Count
    person_years: Number
    rate: Number


class ModelUpdate(Word):
    """One site's share of one Newton round of a logistic model.

    ``gradient`` has p numbers, X'(y - p); ``information`` the p(p+1)/2 numbers of the upper triangle of X'WX, row by
    row; ``log_likelihood`` is at the same coefficients. Column 0 is the intercept. ``rows`` and ``events`` are
    printed as counts are.
    """

    family: Literal["model_update"] = "model_update"
    fit: str
    rows: Count
    events: Count
    log_likelihood: float
    gradient: tuple[float, ...]
    information: tuple[float, ...]


class Discrimination(Word):
    """AUROC with a 95 % CI (DeLong, clustered by person) of a model on one group of people."""

    family: Literal["discrimination"] = "discrimination"
    fit: str
    group: str
    positives: Count
    negatives: Count
    auroc: Number
    low: Number
    high: Number


class Calibration(Word):
    """How predicted risks fit what happened.

    ``observed_expected`` is events over the sum of predicted risks; ``intercept`` (calibration in the large, slope
    fixed at 1) and ``slope`` with standard errors from logistic recalibration.
    """

    family: Literal["calibration"] = "calibration"
    fit: str
    group: str
    rows: Count
    events: Count
    observed_expected: Number
    intercept: Number
    intercept_se: Number
    slope: Number
    slope_se: Number


class RiskBin(Word):
    """People whose predicted risk is in [low, high): how many had the outcome and how many had not."""

    low: float
    high: float
    positives: Annotated[int, Field(ge=0)]
    negatives: Annotated[int, Field(ge=0)]
    mean_risk: float


class RiskBins(Word):
    """Neighbouring risk bins, merged until each has enough people with and without the outcome.

    They draw the calibration plot and the binned ROC curve.
    """

    family: Literal["risk_bins"] = "risk_bins"
    fit: str
    group: str
    bins: tuple[RiskBin, ...]


class ThresholdRow(Word):
    """What happens if everyone with a predicted risk of at least ``threshold`` is called positive."""

    threshold: float
    true_positives: Count
    false_positives: Count
    false_negatives: Count
    true_negatives: Count
    sensitivity: Number
    specificity: Number
    ppv: Number
    npv: Number


class Thresholds(Word):
    """A threshold table; every rate is derived from the counts as printed."""

    family: Literal["thresholds"] = "thresholds"
    fit: str
    group: str
    rows: tuple[ThresholdRow, ...]


Estimate = Annotated[
    CountTable | Attrition | Moments | Rate | ModelUpdate | Discrimination | Calibration | RiskBins | Thresholds,
    Field(discriminator="family"),
]


class Release(Word):
    """The only thing that leaves a site. Made by ``vitrail.disclosure.gate`` alone, then signed by the site.

    It holds no time and no random number, so a site that computes it again after a crash makes the same bytes.
    ``question`` is the content hash of what it answers. Where ``refused`` is set there are no estimates.
    """

    study: Digest
    analysis: Name
    round: Annotated[int, Field(ge=0)]
    site: SiteName
    snapshot: Digest
    policy: Digest
    question: Digest
    estimates: tuple[Estimate, ...] = ()
    refused: RefusalCode | None = None

    @property
    def id(self) -> Digest:
        """The content hash of the Release's canonical JSON."""
        return wire.digest_of(self.model_dump(mode="json", exclude_none=True))
