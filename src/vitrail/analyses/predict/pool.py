"""Predict, in front of the glass: which coefficients to ask for next, and what all Releases say together.

A fit is the points at which exactly its present sites were asked, followed by ``vitrail.stats.newton``. When a site
refuses, the present sites are others, so no point counts any more and the fit starts again from zeros without it; a
fit ``without`` a site that has refused is the fit of all that are left, and is dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vitrail.errors import WireError
from vitrail.stats import newton
from vitrail.study.analyses.predict import (
    ALL_SITES,
    INTERCEPT,
    WITHOUT,
    Coefficient,
    Fit,
    FitAsk,
    Predict,
    PredictAsk,
    PredictEvidence,
    ValidateAsk,
    Validation,
)
from vitrail.study.release import (
    Calibration,
    Count,
    CountTable,
    Discrimination,
    ModelUpdate,
    Release,
    RiskBins,
    Thresholds,
)
from vitrail.study.study import Round

Estimate = TypeVar("Estimate", Discrimination, Calibration, RiskBins, Thresholds)


@dataclass(frozen=True)
class _Progress:
    """How far a fit has come; ``state`` is None before its present sites have answered together."""

    name: str
    sites: tuple[str, ...]
    state: newton.State | None

    @property
    def moving(self) -> bool:
        return self.state is None or self.state.verdict == "moving"

    @property
    def final(self) -> tuple[float, ...] | None:
        """The coefficients, where the fit has converged."""
        if self.state is None or self.state.verdict != "converged":
            return None
        return tuple(self.state.best.coefficients.tolist())


def ask(specification: Predict, sites: Sequence[str], rounds: Sequence[Round]) -> PredictAsk | None:
    """The next question to ``sites``, the members still answering; None where there is nothing left to ask.

    Fits that still move are asked together; when none does, or one question is left, those that have converged are
    validated, once.
    """
    if any(asked.validations for asked, _ in _answered(rounds)):
        return None
    fits = [_progress(specification, name, members, rounds) for name, members in _fits(specification, sites)]
    moving = tuple(_fit_ask(specification, fit) for fit in fits if fit.moving)
    if moving and len(rounds) < specification.max_rounds - 1:
        return PredictAsk(fits=moving, index_dates=_new([site for fit in moving for site in fit.sites], rounds))
    validations = tuple(each for fit in fits for each in _validations(specification, fit, sites))
    if not validations:
        return None
    asked = [site for each in validations for site in each.sites]
    return PredictAsk(validations=validations, index_dates=_new(asked, rounds))


def combine(specification: Predict, rounds: Sequence[Round]) -> PredictEvidence:
    """What all rounds say: each fit as far as it came, each validation, and who refused."""
    fitting = [each for each, (asked, _) in zip(rounds, _answered(rounds), strict=True) if asked.fits]
    refused = _refused(fitting)
    sites = [site for site in (fitting[0].releases if fitting else ()) if site not in refused]
    fits = [_progress(specification, name, members, rounds) for name, members in _fits(specification, sites)]
    return PredictEvidence(
        fits=tuple(_fit(specification, fit, rounds) for fit in fits),
        validations=tuple(each for asked, releases in _answered(rounds) for each in _validated(asked, releases)),
        refused=_refused(rounds),
        index_dates=_index_dates(rounds),
    )


def _answered(rounds: Sequence[Round]) -> Iterator[tuple[PredictAsk, Mapping[str, Release]]]:
    for each in rounds:
        if not isinstance(each.question.ask, PredictAsk):
            raise WireError("A round of a prediction holds the question of another analysis.", "Send the round anew.")
        yield each.question.ask, each.releases


def _refused(rounds: Sequence[Round]) -> dict[str, str]:
    releases = sorted(
        (site, release.refused) for each in rounds for site, release in each.releases.items() if release.refused
    )
    return {site: str(code) for site, code in releases}


def _new(sites: Sequence[str], rounds: Sequence[Round]) -> tuple[str, ...]:
    """Those of ``sites`` that have answered nothing yet, sorted."""
    return tuple(sorted(set(sites).difference(*(each.releases for each in rounds))))


def _fits(specification: Predict, sites: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Each fit's name and its sites, sorted; none without a site."""
    developing = tuple(sorted(site for site in sites if specification.develops(site)))
    fits = [(ALL_SITES, developing)]
    if specification.leave_one_site_out:
        fits += [(WITHOUT + left, tuple(site for site in developing if site != left)) for left in developing]
    return [(name, members) for name, members in fits if members]


def _columns(specification: Predict) -> tuple[str, ...]:
    return (INTERCEPT, *(covariate.name for covariate in specification.covariates))


def _progress(specification: Predict, name: str, sites: tuple[str, ...], rounds: Sequence[Round]) -> _Progress:
    points = [
        newton.total([_point(fit, releases[site]) for site in sites])
        for asked, releases in _answered(rounds)
        for fit in asked.fits
        if fit.fit == name and fit.sites == sites
    ]
    return _Progress(name, sites, newton.follow(points, specification.tolerance) if points else None)


def _point(fit: FitAsk, release: Release) -> newton.Point:
    """A site's update as a point. Raises WireError where the Release does not hold what was asked."""
    update = _update(fit.fit, release)
    size = len(fit.coefficients)
    if update is None or len(update.gradient) != size or len(update.information) != size * (size + 1) // 2:
        raise WireError(
            "A Release does not hold the model update that its question asked for.", "Ask that site to answer again."
        )
    information = np.zeros((size, size))
    information[np.triu_indices(size)] = update.information
    information = information + np.triu(information, 1).T
    return newton.Point(np.array(fit.coefficients), update.log_likelihood, np.array(update.gradient), information)


def _update(fit: str, release: Release) -> ModelUpdate | None:
    return next((each for each in release.estimates if isinstance(each, ModelUpdate) and each.fit == fit), None)


def _fit_ask(specification: Predict, fit: _Progress) -> FitAsk:
    """The question of a fit that moves: its proposal, or zeros where it starts."""
    zeros = (0.0,) * len(_columns(specification))
    coefficients = zeros if fit.state is None else tuple(fit.state.proposal.tolist())
    return FitAsk(fit=fit.name, sites=fit.sites, coefficients=coefficients)


def _validations(specification: Predict, fit: _Progress, sites: Sequence[str]) -> Iterator[ValidateAsk]:
    """Where a converged fit is validated, by group of persons; only where there is a site."""
    if fit.final is None:
        return
    if fit.name != ALL_SITES:
        left = fit.name.removeprefix(WITHOUT)
        yield ValidateAsk(fit=fit.name, sites=(left,), group="all persons", coefficients=fit.final)
        return
    others = tuple(sorted(site for site in sites if not specification.develops(site)))
    if specification.test_share > 0:
        yield ValidateAsk(fit=fit.name, sites=fit.sites, group="test persons", coefficients=fit.final)
    if others:
        yield ValidateAsk(fit=fit.name, sites=others, group="all persons", coefficients=fit.final)


def _fit(specification: Predict, fit: _Progress, rounds: Sequence[Round]) -> Fit:
    asked = [releases for asked, releases in _answered(rounds) if any(each.fit == fit.name for each in asked.fits)]
    updates = {site: _update(fit.name, asked[-1][site]) for site in fit.sites} if asked else {}
    verdict = "rounds" if fit.state is None or fit.state.verdict == "moving" else fit.state.verdict
    return Fit(
        name=fit.name,
        sites=fit.sites,
        rounds=len(asked),
        converged=verdict == "converged",
        log_likelihood=None if fit.state is None else fit.state.best.log_likelihood,
        coefficients=_coefficients(specification, fit),
        stopped=verdict,
        rows=_printed({site: each.rows for site, each in updates.items() if each is not None}),
        events=_printed({site: each.events for site, each in updates.items() if each is not None}),
    )


def _printed(counts: Mapping[str, Count]) -> dict[str, Count]:
    return {site: counts[site] for site in sorted(counts)}


def _coefficients(specification: Predict, fit: _Progress) -> tuple[Coefficient, ...]:
    """Estimates with standard errors from the inverse information, where the fit has converged."""
    covariance = None if fit.state is None or fit.final is None else newton.invert(fit.state.best.information)
    if covariance is None or fit.final is None:
        return ()
    errors = np.sqrt(np.diag(covariance)).tolist()
    return tuple(
        Coefficient(covariate=name, estimate=estimate, se=error)
        for name, estimate, error in zip(_columns(specification), fit.final, errors, strict=True)
    )


def _validated(asked: PredictAsk, releases: Mapping[str, Release]) -> Iterator[Validation]:
    for part in asked.validations:
        for site in part.sites:
            if releases[site].refused is None:
                yield _validation(part, site, releases[site])


def _validation(part: ValidateAsk, site: str, release: Release) -> Validation:
    return Validation(
        site=site,
        fit=part.fit,
        group=part.group,
        discrimination=_of(Discrimination, part, release),
        calibration=_of(Calibration, part, release),
        bins=_of(RiskBins, part, release),
        thresholds=_of(Thresholds, part, release),
    )


def _of(family: type[Estimate], part: ValidateAsk, release: Release) -> Estimate | None:
    """The estimate of a family that a site gives of one fit in one group, or None."""
    return next(
        (
            each
            for each in release.estimates
            if isinstance(each, family) and each.fit == part.fit and each.group == part.group
        ),
        None,
    )


def _index_dates(rounds: Sequence[Round]) -> dict[str, CountTable]:
    tables = {
        site: each
        for _, releases in _answered(rounds)
        for site, release in releases.items()
        for each in release.estimates
        if isinstance(each, CountTable)
    }
    return {site: tables[site] for site in sorted(tables)}
