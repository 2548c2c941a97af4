"""Predict, behind the glass: a site's exact answer to one question."""

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vitrail.analyses.predict.design import Design, IndexDates, design
from vitrail.analyses.predict.validation import validate
from vitrail.disclosure.result import Raw, RawCount, RawModelUpdate, RawTable, Result
from vitrail.errors import Refusal
from vitrail.omop.engines import Engine
from vitrail.stats import logistic, persons
from vitrail.stats.newton import Floats
from vitrail.study.analyses.predict import (
    FITTED,
    INDEX_DATES,
    LOCKED,
    LOST,
    MISSING,
    VALIDATED,
    FitAsk,
    Predict,
    PredictAsk,
    ValidateAsk,
)

_designs: WeakKeyDictionary[Engine, dict[tuple[str, Predict], Design]] = WeakKeyDictionary()
"""The designs of each engine that still lives: who keeps the engine between rounds builds a design once."""


def run(specification: Predict, ask: PredictAsk, engine: Engine, study_id: str, site: str) -> Result:
    """The exact answer of ``site``. Raises Refusal where the question does not fit the design."""
    kept = _designs.setdefault(engine, {})
    if (study_id, specification) not in kept:
        kept[study_id, specification] = design(specification, engine, study_id)
    return answer(specification, ask, kept[study_id, specification], site)


def answer(specification: Predict, ask: PredictAsk, built: Design, site: str) -> Result:
    """The exact answer of ``site``, whose design is ``built``."""
    estimates: list[Raw] = []
    if site in ask.index_dates:
        estimates.append(index_dates(specification, built, site))
    estimates += [_update(fit, built) for fit in ask.fits if site in fit.sites]
    for part in ask.validations:
        if site in part.sites:
            _check(part, built)
            dates = _group(part, built)
            estimates += validate(part.fit, part.group, part.coefficients, dates, specification.thresholds)
    return Result(tuple(estimates))


def index_dates(specification: Predict, built: Design, site: str) -> RawTable:
    """What happened to the site's index dates."""
    used: tuple[tuple[str, RawCount], ...] = ((VALIDATED, built.dates.count()),)
    if specification.develops(site):
        used = ((FITTED, built.dates.count(~built.test)),)
        if specification.test_share > 0:
            used = ((LOCKED, built.dates.count(built.test)), *used)
    left_out = ((LOST, built.lost), (MISSING, built.missing))
    return RawTable(INDEX_DATES, specification.target, "index dates", (*left_out, *used))


def _group(part: ValidateAsk, built: Design) -> IndexDates:
    return built.dates if part.group == "all persons" else built.dates.where(built.test)


def _check(asked: FitAsk | ValidateAsk, built: Design) -> None:
    if len(asked.coefficients) != len(built.columns):
        raise Refusal(
            "cannot_compute", "A question has not one coefficient for each column.", "Ask the hub to ask anew."
        )


def _update(fit: FitAsk, built: Design) -> RawModelUpdate:
    """The site's share of a Newton round: sums over the free index dates, and who is behind them."""
    _check(fit, built)
    dates, coefficients = built.free, np.array(fit.coefficients)
    point = logistic.evaluate(dates.X, dates.y, coefficients)
    linear = logistic.linear(dates.X, coefficients)
    weights = logistic.weights(linear)
    level_persons, pair_persons = _support(built)
    return RawModelUpdate(
        fit=fit.fit,
        rows=dates.count(),
        events=dates.count(dates.y),
        log_likelihood=point.log_likelihood,
        gradient=point.gradient,
        information=point.information,
        columns=built.columns,
        binary=built.binary,
        level_persons=level_persons,
        pair_persons=pair_persons,
        effective_weight=persons.effective_number(weights),
        rarest_pattern=built.free_rarest if built.binary[1:].all() else 0,
        largest_share=_largest_share(dates, logistic.residuals(dates.y, linear), weights),
    )


def _support(built: Design) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct persons by level and outcome (p, 2, 2), and by the levels of two columns (p, p, 2, 2)."""
    columns = np.flatnonzero(built.binary)
    size, b = len(built.columns), len(columns)
    shared = built.free_shared.reshape(b + 1, 2, b + 1, 2).transpose(0, 2, 1, 3)
    level_persons = np.zeros((size, 2, 2), dtype=np.int64)
    level_persons[columns] = shared[:b, b]
    pair_persons = np.zeros((size, size, 2, 2), dtype=np.int64)
    pair_persons[np.ix_(columns, columns)] = np.where(np.eye(b, dtype=bool)[:, :, None, None], 0, shared[:b, :b])
    return level_persons, pair_persons


def _largest_share(dates: IndexDates, residuals: Floats, weights: Floats) -> float:
    """The largest share that a person has in any column's Σ|x(y - p)| or Σ w x²."""
    return max(
        persons.largest_share(sizes, dates.first)
        for column in dates.X.T
        for sizes in (np.abs(column * residuals), weights * column * column)
    )
