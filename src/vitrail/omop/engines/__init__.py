"""Engines: where a study's cohorts and covariates are computed. All give the same answer.

An engine is made for one study and one set of tables. ``memory`` is deliberately naive and defines the meaning;
``duckdb`` is the default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrail.study.covariates import Covariate
from vitrail.study.definition import Definition

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


@dataclass(frozen=True)
class Origins:
    """The entry event that began each row of a cohort: three arrays as long as the rows. They never leave a site.

    Where several entry events became one row, it is the first of them. ``domain`` is the place in
    :data:`vitrail.study.attributes.DOMAINS`, ``event`` the key in the domain's table (of a cohort's row, its place
    among that cohort's rows, from 0), ``concept`` the concept recorded, 0 where there is none.
    """

    domain: NDArray[np.int64]
    event: NDArray[np.int64]
    concept: NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """What an engine says of one definition. All counts are exact: they are for the gate, not for anybody's eyes.

    Bit ``i`` (value ``2 ** i``) of a mask says that the cohort's rule ``i`` holds. The masks of the events that were
    judged (those left after ``keep``, ``also`` and ``qualified``): ``events_by_mask`` counts all of them,
    ``persons_by_mask`` the best of each person: the one for which most rules hold; of these the one whose first rule
    that holds is the earliest; of these the first. A cohort without rules has the mask 0 alone. Masks that nobody has
    are left out. (They are Circe's ``cohort_inclusion_result`` in modes 0 and 1.)

    ``clipped`` counts the persons who had rows before ``clip`` and have none after (Circe's ``lost_count``).
    """

    rows: CohortRows
    attrition: tuple[Step, ...]
    origins: Origins
    events_by_mask: Mapping[int, int]
    persons_by_mask: Mapping[int, int]
    clipped: int


class BatchEngine(Protocol):
    """An engine that answers many definitions at once; definitions of one batch may refer to each other by id."""

    def run(self, definitions: Sequence[Definition]) -> Mapping[str, Answer]:
        """The answer to each definition, by its id."""
        ...


class Engine(Protocol):
    """What an analysis may ask of a site's data.

    The steps of attrition, and their labels: ``vitrail.omop.attrition``.
    """

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        ...

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        ...

    def answer(self, name: str) -> Answer:
        """All that is known of one of the study's cohorts."""
        ...

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing.

        ``centre``, ``per`` and ``if_missing`` are not applied: the values are as recorded.
        """
        ...
