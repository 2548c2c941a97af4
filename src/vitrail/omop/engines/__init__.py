"""Engines: where a study's cohorts and covariates are computed. All give the same answer.

An engine is made for one study and one set of tables. ``memory`` is deliberately naive and defines the meaning;
``duckdb`` is the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrail.study.covariates import Covariate

Dates = NDArray[np.datetime64]
"""Dates as datetime64[D]."""


@dataclass(frozen=True)
class CohortRows:
    """A cohort's rows, sorted by (person, start): four arrays of one length.

    ``observed_until`` is the end of the observation period in which the row starts.
    """

    person: NDArray[np.int64]
    start: Dates
    end: Dates
    observed_until: Dates

    def __len__(self) -> int:
        return len(self.person)

    def where(self, mask: NDArray[np.bool_]) -> "CohortRows":
        """The rows that ``mask`` keeps."""
        return CohortRows(self.person[mask], self.start[mask], self.end[mask], self.observed_until[mask])


@dataclass(frozen=True)
class Step:
    """One step of a cohort's attrition: its label, and the distinct persons left after it."""

    label: str
    persons: int


class Engine(Protocol):
    """What an analysis may ask of a site's data.

    Attrition steps, in order: ``entry events``, ``observed`` (entry events with the observation time they need),
    ``first event`` or ``first event of each year`` where ``keep`` says so, one step for each rule under its
    name, and ``limited to the first`` where ``limit`` says so.
    """

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        ...

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        ...

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing.

        ``centre``, ``per`` and ``if_missing`` are not applied: the values are as recorded.
        """
        ...
