"""The fitted model: whose index dates it was fitted on, and its odds ratios, per unit."""

import math
from collections.abc import Mapping, Sequence

from scipy.special import expit

from vitrail.reports import plots
from vitrail.reports.blocks import Column, Figure, Pane, Row, Table
from vitrail.reports.intervals import normal
from vitrail.reports.wording import CI, NONE, counted, decimal, percent, plural, significant, span, whole
from vitrail.study.aloud_words import window_aloud
from vitrail.study.analyses.predict import ALL_SITES, INTERCEPT, WITHOUT, Coefficient, Fit, Predict, PredictEvidence
from vitrail.study.covariates import Covariate

BEYOND = math.log(1e6)
"""Log odds ratios beyond this are told as such: nobody reads more from them than that the data do not limit them."""

BASELINE = "the risk where every covariate is 0 or at its centre"

STOPPED = {
    "rounds": "the study allowed no more rounds",
    "singular": "its covariates do not tell their coefficients apart",
    "diverging": "its likelihood has no maximum, as where one covariate alone decides the outcome",
}


def main_fit(finding: PredictEvidence) -> Fit | None:
    """The fit over all developing sites; else the first there is."""
    return next((fit for fit in finding.fits if fit.name == ALL_SITES), next(iter(finding.fits), None))


def horizon(specification: Predict) -> str:
    """When an outcome counts, in words."""
    first, last = specification.horizon
    if first == last:
        return "on the index date" if first == 0 else f"{plural(first, 'day')} after the index date"
    return f"{first:,} to {last:,} days after the index date"


def index_dates_table(finding: PredictEvidence, panes: Mapping[str, Pane]) -> Table | None:
    """What happened to each site's index dates; None where no site said."""
    if not finding.index_dates:
        return None
    sites = sorted(finding.index_dates)
    labels = list(dict.fromkeys(cell.label for site in sites for cell in finding.index_dates[site].cells))
    rows = [Row(label, tuple(_cell(finding, site, label) for site in sites)) for label in labels]
    rows.append(Row("all index dates", tuple(whole(finding.index_dates[site].total) for site in sites)))
    columns = (Column("Index dates"), *(Column(site, panes[site]) for site in sites))
    return Table("Index dates used and left out", columns, tuple(rows))


def _cell(finding: PredictEvidence, site: str, label: str) -> str:
    table = finding.index_dates[site]
    cell = next((each for each in table.cells if each.label == label), None)
    return NONE if cell is None else counted(cell.count, table.total)


def fits_table(finding: PredictEvidence, panes: Mapping[str, Pane]) -> Table:
    """Who took part in each fit, with how many index dates and events, and how the fit ended."""
    sites = sorted({site for fit in finding.fits for site in fit.sites})
    columns = (
        Column("Fit"),
        *(Column(site, panes[site], "index dates (events)") for site in sites),
        *map(Column, ("rounds", "log-likelihood", "ended")),
    )
    return Table("The fits", columns, tuple(_fit_row(fit, sites, panes) for fit in finding.fits))


def _fit_row(fit: Fit, sites: Sequence[str], panes: Mapping[str, Pane]) -> Row:
    ended = "converged" if fit.converged else "not converged: " + STOPPED.get(fit.stopped, fit.stopped)
    cells = (*(_took_part(fit, site) for site in sites), str(fit.rounds), decimal(fit.log_likelihood, 1), ended)
    return Row(fit.name, cells, pane=left_out(fit, panes))


def _took_part(fit: Fit, site: str) -> str:
    if site not in fit.sites:
        return "left out"
    if site not in fit.rows or site not in fit.events:
        return "took part"
    return f"{whole(fit.rows[site])} ({whole(fit.events[site])})"


def left_out(fit: Fit, panes: Mapping[str, Pane]) -> Pane | None:
    """The pane of the one site that a leave-one-site-out fit does without."""
    return panes.get(fit.name.removeprefix(WITHOUT)) if fit.name.startswith(WITHOUT) else None


def mark(fit: Fit, panes: Mapping[str, Pane]) -> Pane:
    """How a fit looks: as the site that it leaves out, else as all sites together."""
    pane = left_out(fit, panes)
    return Pane(fit.name, plots.POOLED if pane is None else pane.number)


def unit(covariate: Covariate | None) -> str:
    """What an odds ratio of this covariate compares."""
    if covariate is None:
        return "per unit as it enters the model"
    told = _compared(covariate)
    if covariate.if_missing is not None:
        told += f"; a missing value counts as {covariate.if_missing:g}"
    return told


def _compared(covariate: Covariate) -> str:
    if covariate.age:
        return f"per {plural_years(covariate.per)}, from age {covariate.centre:g}"
    if covariate.sex is not None:
        return f"recorded {covariate.sex}, against all others"
    if covariate.has is not None:
        return f"any, against none, {_when(covariate)}"
    return f"per {covariate.per:g} in the unit recorded, from {covariate.centre:g}; latest, {_when(covariate)}"


def _when(covariate: Covariate) -> str:
    return "" if covariate.days is None else window_aloud(covariate.days).replace("that day", "the index date")


def plural_years(years: float) -> str:
    """``1 year``, ``10 years``."""
    return f"{years:g} year{'' if years == 1 else 's'}"


def odds_table(specification: Predict, fit: Fit) -> Table:
    """Odds ratios of one fit with 95 % CIs, and what a statistician needs to use them again."""
    columns = (Column("Covariate"), *map(Column, (f"odds ratio ({CI})", "log odds ratio", "standard error")))
    rows = tuple(
        _odds_row(each.covariate, specification, (_odds_cell(each), decimal(each.estimate, 4), decimal(each.se, 4)))
        for each in _intercept_last(fit)
    )
    return Table(f"Odds ratios, {fit.name}", columns, rows)


def other_odds_table(specification: Predict, fits: Sequence[Fit], panes: Mapping[str, Pane]) -> Table:
    """Odds ratios of the fits that leave a site out, beside each other."""
    columns = (Column("Covariate"), *(Column(fit.name, left_out(fit, panes), f"odds ratio ({CI})") for fit in fits))
    rows = tuple(
        _odds_row(each.covariate, specification, tuple(_odds_cell(_of(fit, each.covariate)) for fit in fits))
        for each in _intercept_last(fits[0])
    )
    return Table("Odds ratios where a site is left out", columns, rows)


def _intercept_last(fit: Fit) -> list[Coefficient]:
    return sorted(fit.coefficients, key=lambda each: each.covariate == INTERCEPT)


def _of(fit: Fit, covariate: str) -> Coefficient | None:
    return next((each for each in fit.coefficients if each.covariate == covariate), None)


def _odds_row(name: str, specification: Predict, cells: tuple[str, ...]) -> Row:
    covariate = next((each for each in specification.covariates if each.name == name), None)
    return Row(name, cells, BASELINE if name == INTERCEPT else unit(covariate))


def _odds_cell(coefficient: Coefficient | None) -> str:
    if coefficient is None:
        return NONE
    if coefficient.covariate == INTERCEPT:
        return f"risk {percent(float(expit(coefficient.estimate)))}"
    return odds(coefficient.estimate, coefficient.se)


def odds(estimate: float, se: float) -> str:
    """An odds ratio and its 95 % CI."""
    low, high = normal(estimate, se)
    return f"{_exponent(estimate)} ({span(_exponent(low), _exponent(high))})"


def _exponent(log_odds: float) -> str:
    if abs(log_odds) < BEYOND:
        return decimal(math.exp(log_odds)) if -2.3 < log_odds < 4.6 else significant(math.exp(log_odds))
    return "over 1,000,000" if log_odds > 0 else "under 0.000001"


def odds_figure(fits: Sequence[Fit], panes: Mapping[str, Pane]) -> Figure:
    """A forest plot of the odds ratios of every fit, the one over all sites in ink."""
    marks = [
        plots.Mark(each.covariate, mark(fit, panes).number, *_limits(each.estimate, each.se))
        for name in dict.fromkeys(each.covariate for fit in fits for each in fit.coefficients)
        for fit in fits
        for each in fit.coefficients
        if each.covariate == name != INTERCEPT
    ]
    svg = plots.forest(marks, reference=1.0, log=True)
    told = "; ".join(f"{each.covariate} {odds(each.estimate, each.se)}" for each in fits[0].coefficients
                     if each.covariate != INTERCEPT)  # fmt: skip
    return Figure(svg, "Odds ratios", f"Forest plot of odds ratios with {CI}, {fits[0].name}: {told}.")


def _limits(estimate: float, se: float) -> tuple[float, float, float]:
    """Odds ratio and CI, kept within what a drawing can hold."""
    low, high = normal(estimate, se)
    value, low, high = (math.exp(min(max(each, -BEYOND), BEYOND)) for each in (estimate, low, high))
    return value, low, high
