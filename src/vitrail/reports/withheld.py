"""What is not on the page and why: suppressed numbers, counted; steps and bins that were merged; sites that refused."""

from collections.abc import Iterable, Iterator, Mapping

from vitrail.reports.blocks import Column, Pane, Row, Table
from vitrail.reports.wording import NONE, plural
from vitrail.study.analyses import Finding
from vitrail.study.analyses.predict import PredictEvidence, Validation
from vitrail.study.evidence import Evidence
from vitrail.study.release import (
    SUPPRESSED,
    Attrition,
    Calibration,
    CountTable,
    Discrimination,
    Moments,
    Rate,
    RefusalCode,
    Thresholds,
)

Shown = Attrition | CountTable | Moments | Rate | Discrimination | Calibration | Thresholds

WHY: Mapping[str, tuple[str, str]] = {
    "attrition": ("Steps of the flow", "too few people were left, or a step left out too few to be counted alone"),
    "count_table": ("Counts", "too few people are behind a cell, or the cell could be worked out from its neighbours"),
    "moments": ("Means and standard deviations", "too few people have a value, or one person weighs too much"),
    "rate": ("Incidence", "too few people, or too few of them with the event"),
    "discrimination": ("AUROC", "too few people with the outcome, or too few without"),
    "calibration": ("Calibration", "too few people with the outcome, or too few without"),
    "thresholds": ("Threshold tables", "too few people in one of the four groups at a threshold"),
}
"""For each family what it is called and why its numbers are suppressed."""

NO_BINS = "no merging of risk bins leaves enough people with the outcome and without in each"

CODES: Mapping[RefusalCode, str] = {
    "not_approved": "the site's steward has not approved this study, or the approval has ended",
    "policy": "the site's disclosure policy does not allow this kind of answer",
    "quality": "the site's data fail a check of quality that its answers would rest on",
    "calendar": "the study needs true dates, and the site's days were moved to protect its patients",
    "disclosure": "the answer could have told something about few people",
    "question_differs": "the site computed the question again and found another",
    "too_many_rounds": "the study's approval covers no more rounds",
    "cannot_compute": "the site has not the data that the answer needs",
}
"""What each refusal code means. The reason itself stays with the site's steward."""


def suppressed_table(evidence: Evidence, panes: Mapping[str, Pane]) -> Table | None:
    """How many numbers of each family each site suppressed, of how many it was asked for; None without answers."""
    shown = [each for finding in evidence.findings.values() for each in _shown(finding)]
    sites = sorted({site for site, _ in shown})
    if not sites:
        return None
    rows = [
        Row(name, (*(_told(shown, site, family) for site in sites), why))
        for family, (name, why) in WHY.items()
        if any(each.family == family for _, each in shown)
    ]
    tried = [each for f in evidence.findings.values() if isinstance(f, PredictEvidence) for each in f.validations]
    if tried:
        rows.append(Row("Curves", (*(_without_bins(tried, site) for site in sites), NO_BINS)))
    rows.append(Row("Merged steps", (*(_merged(shown, site) for site in sites), "a step left out too few people")))
    columns = (Column("Numbers suppressed"), *(Column(site, panes[site]) for site in sites), Column("why"))
    return Table("What was suppressed at each site, of all that was asked", columns, tuple(rows))


def _without_bins(tried: Iterable[Validation], site: str) -> str:
    of_site = [each for each in tried if each.site == site]
    return f"{sum(each.bins is None or not each.bins.bins for each in of_site)} of {len(of_site)}"


def suppressed_total(evidence: Evidence) -> tuple[int, int]:
    """Suppressed numbers, and all numbers, over every site."""
    numbers = [n for finding in evidence.findings.values() for _, each in _shown(finding) for n in _numbers(each)]
    return sum(n == SUPPRESSED for n in numbers), len(numbers)


def _shown(finding: Finding) -> Iterator[tuple[str, Shown]]:
    """Every estimate of a site that the page shows."""
    if isinstance(finding, PredictEvidence):
        yield from finding.index_dates.items()
        for validation in finding.validations:
            yield from ((validation.site, each) for each in _parts(validation))
        return
    for by_site in (finding.attrition, finding.counts, finding.moments, finding.rates):
        for site, estimates in by_site.items():
            yield from ((site, each) for each in estimates)


def _parts(validation: Validation) -> Iterator[Shown]:
    for each in (validation.discrimination, validation.calibration, validation.thresholds):
        if each is not None:
            yield each


def _numbers(estimate: Shown) -> tuple[object, ...]:
    """The numbers of an estimate, those that say the same in another way left out."""
    match estimate:
        case Attrition():
            return tuple(step.count for step in estimate.steps)
        case CountTable():
            return tuple(cell.count for cell in estimate.cells)
        case Moments():
            return estimate.mean, estimate.sd, estimate.missing
        case Rate():
            return estimate.persons, estimate.events, estimate.rate
        case Discrimination():
            return estimate.auroc, estimate.positives, estimate.negatives
        case Calibration():
            return estimate.observed_expected, estimate.intercept, estimate.slope
        case Thresholds():
            return tuple(n for r in estimate.rows for n in
                         (r.true_positives, r.false_positives, r.false_negatives, r.true_negatives))  # fmt: skip


def _told(shown: Iterable[tuple[str, Shown]], site: str, family: str) -> str:
    numbers = [number for at, each in shown if (at, each.family) == (site, family) for number in _numbers(each)]
    hidden = sum(number == SUPPRESSED for number in numbers)
    return f"{hidden:,} of {len(numbers):,}" if numbers else "not asked"


def _merged(shown: Iterable[tuple[str, Shown]], site: str) -> str:
    flows = [each for at, each in shown if at == site and isinstance(each, Attrition)]
    return plural(sum(len(steps) for each in flows for steps in each.merged), "step")


def refusals_table(evidence: Evidence) -> Table | None:
    """Each refusal: site, analysis, round, code, and what the code means. None where no site refused."""
    seen = {(each.site, each.analysis) for each in evidence.sources if each.refused is not None}
    rows = [
        Row(each.site, (each.analysis, str(each.round), each.refused, meaning(each.refused)))
        for each in evidence.sources
        if each.refused is not None
    ]
    rows += [
        Row(site, (name, NONE, code, meaning(code)))
        for name, finding in evidence.findings.items()
        for site, code in finding.refused.items()
        if (site, name) not in seen
    ]
    heads = ("Site", "analysis", "round", "code", "what the code means")
    return Table("Refusals", tuple(map(Column, heads)), tuple(rows)) if rows else None


def meaning(code: str) -> str:
    """What a refusal code means; a code of a newer site is named as unknown."""
    return next((told for known, told in CODES.items() if known == code), "this page's version does not know the code")
