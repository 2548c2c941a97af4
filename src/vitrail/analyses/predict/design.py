"""The index dates of a prediction at one site: who they are, what is known of them, and what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vitrail.disclosure.result import RawCount
from vitrail.omop.engines import CohortRows, Engine
from vitrail.stats import persons
from vitrail.stats.newton import Floats
from vitrail.study.analyses.predict import INTERCEPT, Predict
from vitrail.study.covariates import Covariate

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class IndexDates:
    """n index dates with p columns, sorted by person.

    ``X`` (n, p), column 0 of ones, columns contiguous; ``y`` (n,) whether the outcome occurred; ``person`` (n,).
    """

    X: Floats
    y: Mask
    person: NDArray[np.int64]

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """Each person's first row."""
        return persons.starts(self.person)

    def where(self, mask: Mask) -> "IndexDates":
        """The index dates that ``mask`` keeps."""
        return IndexDates(np.asfortranarray(self.X[mask]), self.y[mask], self.person[mask])

    def count(self, mask: Mask | None = None) -> RawCount:
        """How many there are, of those that ``mask`` keeps, and of how many people."""
        return counted(self.person if mask is None else self.person[mask])


@dataclass(frozen=True, eq=False)
class Design:
    """A prediction's index dates at one site.

    ``columns`` (p) are named, ``binary`` (p,) marks the 0/1 columns other than the intercept. ``test`` (n,) marks the
    index dates of persons locked for testing. ``lost`` and ``missing`` count those that were left out.
    """

    columns: tuple[str, ...]
    binary: Mask
    dates: IndexDates
    test: Mask
    lost: RawCount
    missing: RawCount

    @cached_property
    def free(self) -> IndexDates:
        """The index dates that a fit may use."""
        return self.dates.where(~self.test)

    @cached_property
    def free_shared(self) -> NDArray[np.int64]:
        """For the free index dates ``vitrail.stats.persons.shared`` of 2b + 2 groups.

        The groups are each of the b binary columns at 0 and at 1, in order, then the outcome at 0 and at 1.
        """
        flags = self._free_flags()
        sides = np.stack([~flags, flags], axis=2).reshape(len(flags), 2 * flags.shape[1])
        return persons.shared(sides, self.free.first)

    @cached_property
    def free_rarest(self) -> int:
        """The distinct persons of the rarest joint value of binary columns and outcome, in the free index dates."""
        return persons.rarest(self._free_flags(), self.free.person)

    def _free_flags(self) -> Mask:
        """The binary columns and the outcome, (n, b + 1)."""
        return np.column_stack([self.free.X[:, self.binary] > 0, self.free.y])


def counted(person: NDArray[np.int64]) -> RawCount:
    """The count of rows and of distinct people, the rows of a person being neighbours."""
    return RawCount(persons.distinct(person), len(person))


def design(specification: Predict, engine: Engine, study_id: str) -> Design:
    """The design that every round of the prediction uses.

    An index date without an event whose observation ends before the horizon does is lost; of the others, those that
    lack a value are missing. Nothing here depends on what was asked.
    """
    rows = engine.cohort(specification.target)
    event = _event(rows, engine.cohort(specification.outcome), specification.horizon)
    followed = event | (rows.observed_until >= rows.start + np.timedelta64(specification.horizon[1], "D"))
    kept, y = rows.where(followed), event[followed]
    values = _values(engine.covariates(kept, specification.covariates), specification.covariates)
    whole = ~np.isnan(values).any(axis=1)
    X = np.asfortranarray(np.column_stack([np.ones(np.count_nonzero(whole)), values[whole]]))
    person = kept.person[whole]
    return Design(
        columns=(INTERCEPT, *(covariate.name for covariate in specification.covariates)),
        binary=np.array([False, *(covariate.binary for covariate in specification.covariates)]),
        dates=IndexDates(X, y[whole], person),
        test=persons.locked(study_id, person, specification.test_share),
        lost=counted(rows.person[~followed]),
        missing=counted(kept.person[~whole]),
    )


def _event(rows: CohortRows, outcome: CohortRows, horizon: tuple[int, int]) -> Mask:
    """Whether a start of ``outcome`` lies in the horizon after each row's start, both ends included."""
    _, rank = np.unique(np.concatenate([rows.person, outcome.person]), return_inverse=True)
    day = np.concatenate([rows.start, outcome.start]).astype("datetime64[D]").astype(np.int64)
    place = rank * 2**32 + day  # persons one after the other, each one's days in order
    index, starts = place[: len(rows)], np.sort(place[len(rows) :])
    first = np.searchsorted(starts, index + horizon[0], "left")
    return np.searchsorted(starts, index + horizon[1], "right") > first


def _values(recorded: Floats, covariates: Sequence[Covariate]) -> Floats:
    """Values as they enter the model: ``if_missing`` filled in, centred and scaled; a copy."""
    values = np.array(recorded, dtype=np.float64)
    for column, covariate in enumerate(covariates):
        if covariate.if_missing is not None:
            values[np.isnan(values[:, column]), column] = covariate.if_missing
        values[:, column] = (values[:, column] - covariate.centre) / covariate.per
    return values
