"""The answer in plain words. Every sentence is computed from the numbers; where there is no number it says so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vitrail.reports import asked
from vitrail.reports import validation as checks
from vitrail.reports.blocks import Card, Pane
from vitrail.reports.model import STOPPED, horizon, main_fit
from vitrail.reports.wording import (
    CI,
    decimal,
    interval,
    level,
    listed,
    percent,
    plural,
    quoted,
    significant,
    span,
    whole,
)
from vitrail.study.analyses.characterise import CharacteriseEvidence, Incidence
from vitrail.study.analyses.predict import WITHOUT, Predict, PredictEvidence, Validation
from vitrail.study.evidence import Evidence
from vitrail.study.release import SUPPRESSED, ThresholdRow
from vitrail.study.study import Study


@dataclass(frozen=True)
class Headline:
    """``lead`` in large letters, a card for each site, ``more`` sentences, and ``warnings`` that nobody must miss."""

    lead: str
    cards: tuple[Card, ...]
    more: tuple[str, ...]
    warnings: tuple[str, ...]


def headline(study: Study, evidence: Evidence, panes: Mapping[str, Pane]) -> Headline:
    """The answer of a study: its prediction leads where it has one, then its incidence, then its cohorts."""
    predicted, described = asked.predictions(study, evidence), asked.characterisations(study, evidence)
    said = [_ranked(specification, _chosen(finding)) for _, specification, finding in predicted]
    said += [_incidence(each, finding) for _, specification, finding in described for each in specification.incidence]
    said += [sentence for _, _, finding in described for sentence in _included(finding)]
    lead, *more = said or ["No site released a number that answers this question."]
    cards = tuple(_card(s, finding, each, panes) for _, s, finding in predicted for each in _chosen(finding))
    unfinished = (warning for _, _, finding in predicted for warning in _unfinished(finding))
    return Headline(lead, cards, tuple(more), (*unfinished, *_silent(evidence, panes)))


def _chosen(finding: PredictEvidence) -> list[Validation]:
    """One validation for each site: where the site took no part in the fit if there is one, else of the main fit."""
    part = {fit.name: fit.sites for fit in finding.fits}
    chosen: dict[str, Validation] = {}
    main = main_fit(finding)
    for each in finding.validations:
        external = each.site not in part.get(each.fit, ())
        if external or (each.site not in chosen and main is not None and each.fit == main.name):
            chosen[each.site] = each
    return [chosen[site] for site in sorted(chosen)]


def _ranked(specification: Predict, chosen: Sequence[Validation]) -> str:
    known = [value for each in chosen if isinstance(value := checks.auroc(each)[0], float)]
    outcome = quoted(specification.outcome)
    if not known:
        return f"No site released how well the model foretells {outcome}."
    low, high = percent(min(known), 0), percent(max(known), 0)
    share = low if low == high else span(f"{100 * min(known):.0f}", high)
    return (
        f"Of two people, one for whom {outcome} began {horizon(specification)} and one for whom it did not, "
        f"{_models(chosen)} gave the higher risk to the first in {share} of pairs. Chance would be {percent(0.5, 0)}. "
        f"Tried at {plural(len(known), 'site')}, only on people that the model tried was not fitted on."
    )


def _models(chosen: Sequence[Validation]) -> str:
    """What was tried: one model, or a different one at each site, which must not be told as one."""
    tried = [each for each in chosen if isinstance(checks.auroc(each)[0], float)]
    if all(each.fit == WITHOUT + each.site for each in tried):
        one = len(tried) == 1
        return f"{'a model' if one else 'models'} made without the site {'it was' if one else 'they were'} tested at"
    return "the model" if len({each.fit for each in tried}) == 1 else "a different model at each site"


def _card(specification: Predict, finding: PredictEvidence, each: Validation, panes: Mapping[str, Pane]) -> Card:
    row = _row(specification, each)
    figures = [
        _figure("AUROC: pairs ranked rightly", checks.auroc(each)),
        _figure("O:E: happened per event predicted", checks.ratio(each)),
    ]
    if row is not None:
        figures.append((f"to evaluate per outcome found, from a risk of {level(row.threshold)}", *checks.needed(row)))
    sentences = (_told_apart(each), _calibrated(each), *(() if row is None else (_acted(row),)))
    return Card(panes[each.site], checks.people(each, finding), tuple(figures), sentences)


def _figure(name: str, estimate: checks.Estimate) -> tuple[str, str, str]:
    value, low, high = estimate
    limits = interval(low, high) if isinstance(low, float) and isinstance(high, float) else ""
    return name, "not released" if value is None else decimal(value), limits


def _told_apart(each: Validation) -> str:
    value, low, _ = checks.auroc(each)
    if not isinstance(value, float):
        return f"How well the model ranks people here is {'not released' if value is None else SUPPRESSED}."
    if isinstance(low, float) and low <= 0.5:
        return "Its ranking cannot be told from chance here."
    if not isinstance(low, float):
        return "No interval was released, so whether it ranks people better than chance is open."
    return "It ranks people better than chance here."


def _calibrated(each: Validation) -> str:
    """Whether more or fewer events happened than predicted, said only where the interval says so."""
    value, low, high = checks.ratio(each)
    if not isinstance(value, float):
        return f"Whether its risks are right on average is {'not released' if value is None else SUPPRESSED}."
    happened = f"For every 100 events it predicted, {100 * value:.0f} happened"
    if not isinstance(low, float) or not isinstance(high, float):
        return f"{happened}."
    happened += f" ({CI} {interval(100 * low, 100 * high, 0)})"
    if low > 1:
        return f"{happened}: its risks are too low here."
    return f"{happened}: its risks are too high here." if high < 1 else f"{happened}."


def _row(specification: Predict, each: Validation) -> ThresholdRow | None:
    """The first threshold that the study names, else the first released."""
    rows = () if each.thresholds is None else each.thresholds.rows
    first = next(iter(specification.thresholds), None)
    return next((row for row in rows if row.threshold == first), next(iter(rows), None))


def _acted(row: ThresholdRow) -> str:
    """What a threshold would mean."""
    at = f"If all with a predicted risk of {level(row.threshold)} or more were evaluated"
    flagged = checks.flagged(row)
    if flagged == SUPPRESSED or not isinstance(row.sensitivity, float):
        return f"{at}: what would follow is suppressed."
    return f"{at}: {flagged} index dates, among them {percent(row.sensitivity)} of those that the outcome follows."


def _unfinished(finding: PredictEvidence) -> Iterator[str]:
    for fit in finding.fits:
        if not fit.converged:
            why = STOPPED.get(fit.stopped, fit.stopped)
            yield f"The fit {quoted(fit.name)} did not converge after {plural(fit.rounds, 'round')}: {why}."


def _incidence(incidence: Incidence, finding: CharacteriseEvidence) -> str:
    subject = f"{quoted(incidence.outcome)} among people in {quoted(incidence.population)}"
    pooled = next((each for each in finding.pooled_rates if each.name == incidence.name), None)
    if pooled is None:
        return f"How often {subject} began was not released by any site."
    limits = f"{CI} {span(significant(pooled.low), significant(pooled.high))}"
    over = f"{whole(pooled.events)} first events in {decimal(pooled.person_years, 0)} person-years"
    return (
        f"{subject} began at a rate of {significant(pooled.rate)} per 1,000 person-years ({limits}): {over} at "
        f"{plural(len(pooled.sites), 'site')}{_by_site(incidence, finding)}."
    )


def _by_site(incidence: Incidence, finding: CharacteriseEvidence) -> str:
    rates = {s: r.rate for s in finding.sites for r in finding.rates.get(s, ()) if r.name == incidence.name}
    if len(rates) < 2:
        return ""
    return "; " + listed([f"{decimal(rate, 1)} at {site}" for site, rate in rates.items()])


def _included(finding: CharacteriseEvidence) -> Iterator[str]:
    """How many people were left at the end of each cohort's flow."""
    for cohort in dict.fromkeys(each.cohort for flows in finding.attrition.values() for each in flows):
        left = {s: f.steps[-1].count for s, flows in finding.attrition.items() for f in flows
                if f.cohort == cohort and f.steps}  # fmt: skip
        if left:
            told = listed([f"{whole(count)} people at {site}" for site, count in sorted(left.items())])
            yield f"{quoted(cohort)} holds {told}."


def _silent(evidence: Evidence, panes: Mapping[str, Pane]) -> Iterator[str]:
    """Who refused: a reader must know that the rest was answered without them."""
    sites = {each.site for each in evidence.sources if each.refused is not None}
    sites |= {site for finding in evidence.findings.values() for site in finding.refused}
    if sites and all(pane.silent for pane in panes.values()):
        yield "Every site that was asked refused, so nothing was found."
    elif sites:
        yield f"{listed(sorted(sites))} refused at least one question. What is shown rests on the answers given."
