"""Results: what an analysis computed at a site, exact, with the support of each number.

A Result crosses no process and no code path writes it out: it refuses to be pickled or copied to JSON, and only the
gate reads it. After a crash it is computed again. There is one raw shape for each family of
``vitrail.study.release``; *persons* is always the number of distinct people behind a count.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NoReturn, SupportsIndex

import numpy as np
from numpy.typing import NDArray


class Raw:
    """An exact estimate with its support; never leaves the process."""

    family: ClassVar[str]

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Result crosses no process")


@dataclass(frozen=True)
class RawCount(Raw):
    """``count`` persons or index dates that belong to ``persons`` distinct people."""

    persons: int
    count: int


@dataclass(frozen=True)
class RawTable(Raw):
    """Cells that partition ``of``: each member is in exactly one cell.

    Every label that the study allows is there, empty or not: a label chosen by the data would tell that it occurs.
    """

    family = "count_table"
    name: str
    of: str
    unit: Literal["persons", "index dates"]
    cells: tuple[tuple[str, RawCount], ...]


@dataclass(frozen=True)
class RawAttrition(Raw):
    """Persons left after each step, in order; never increasing."""

    family = "attrition"
    cohort: str
    steps: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RawMoments(Raw):
    """Mean and sample standard deviation of the values that are there.

    * ``largest_share``: the largest person's share of the sum of absolute deviations from the mean;
    * ``minority``: persons whose value is not the one that the most have;
    * ``distinct``: how many different values there are;
    * ``rarest``: persons with the value that the fewest have.

    The last three are as if unknown where they are 0: then the gate takes the numbers to tell of few people.
    """

    family = "moments"
    name: str
    of: str
    present: RawCount
    missing: RawCount
    mean: float
    sd: float
    largest_share: float
    minority: int = 0
    distinct: int = 0
    rarest: int = 0


@dataclass(frozen=True)
class RawRate(Raw):
    """First events among persons at risk, and their days at risk.

    ``of`` is the cohort of which the persons at risk are a part; where it is not given, the gate takes them to be a
    part of every cohort.
    """

    family = "rate"
    name: str
    persons: int
    events: int
    days_at_risk: int
    of: str = ""


@dataclass(frozen=True)
class RawModelUpdate(Raw):
    """One site's share of a Newton round, with everything the gate needs to judge it.

    With n rows and p columns (column 0 the intercept):

    * ``gradient`` (p,), ``information`` (p, p) symmetric, ``log_likelihood``;
    * ``rows``, ``events``: all rows, and rows with the outcome;
    * ``columns``: the p names; ``binary`` (p,) bool: 0/1 columns other than the intercept;
    * ``level_persons`` (p, 2, 2) int: for binary column j, distinct persons by its value (0, 1) and the outcome (0, 1);
      zeros for other columns;
    * ``pair_persons`` (p, p, 2, 2) int: for two different binary columns i, j, distinct persons by both values;
      zeros elsewhere;
    * ``effective_weight``: Kish's (Σw)²/Σw² with w = p(1-p);
    * ``largest_share``: over columns, the largest person's share of Σ|x_j (y - p)| or of Σ w x_j²;
    * ``rarest_pattern``: distinct persons with the joint values of all columns and outcome that the fewest have; only
      needed where three or more columns, and no others, are binary.
    """

    family = "model_update"
    fit: str
    rows: RawCount
    events: RawCount
    log_likelihood: float
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]
    columns: tuple[str, ...]
    binary: NDArray[np.bool_]
    level_persons: NDArray[np.int64]
    pair_persons: NDArray[np.int64]
    effective_weight: float
    largest_share: float
    rarest_pattern: int = 0


@dataclass(frozen=True)
class RawDiscrimination(Raw):
    """AUROC and its 95 % CI; not a number where one class is empty."""

    family = "discrimination"
    fit: str
    group: str
    positives: RawCount
    negatives: RawCount
    auroc: float
    low: float
    high: float


@dataclass(frozen=True)
class RawCalibration(Raw):
    """O:E, calibration in the large, and slope; not a number where they do not exist."""

    family = "calibration"
    fit: str
    group: str
    rows: RawCount
    events: RawCount
    observed_expected: float
    intercept: float
    intercept_se: float
    slope: float
    slope_se: float


@dataclass(frozen=True)
class RawRiskBins(Raw):
    """A fine grid of predicted risk, not yet merged: edges (b + 1), and per bin counts and the sum of risks (b).

    The edges are fixed before any data are seen. ``rows_per_person`` is the most rows that one person has, and
    ``events_per_person`` the most with the outcome; where neither is given (0), the gate takes the people of
    neighbouring bins to be the same.
    """

    family = "risk_bins"
    fit: str
    group: str
    edges: tuple[float, ...]
    positives: tuple[RawCount, ...]
    negatives: tuple[RawCount, ...]
    risk_sums: tuple[float, ...]
    rows_per_person: int = 0
    events_per_person: int = 0


@dataclass(frozen=True)
class RawThresholds(Raw):
    """For each threshold the true and false positives and negatives, in the order tp, fp, fn, tn.

    ``rows_per_person`` and ``events_per_person`` are as in :class:`RawRiskBins`.
    """

    family = "thresholds"
    fit: str
    group: str
    rows: tuple[tuple[float, RawCount, RawCount, RawCount, RawCount], ...]
    rows_per_person: int = 0
    events_per_person: int = 0


@dataclass(frozen=True)
class Result(Raw):
    """Everything that one answer computed. The gate turns it into a Release or refuses."""

    family = "result"
    estimates: tuple[Raw, ...]
