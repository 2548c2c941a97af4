"""The evidence report: one HTML page per study that a clinician reads and a statistician trusts.

The same study and evidence make the same bytes.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from vitrail.pages.frame import rendered, templates
from vitrail.reports import asked, incidence, model, plots, provenance, table_one, validation, withheld
from vitrail.reports.blocks import Figure, Pane, Table, panes
from vitrail.reports.flow import PANE, WIDTH, flows
from vitrail.reports.headline import headline
from vitrail.reports.wording import level, plural, visible
from vitrail.study.analyses.characterise import Characterise, CharacteriseEvidence
from vitrail.study.analyses.predict import Predict, PredictEvidence
from vitrail.study.evidence import Evidence
from vitrail.study.release import SUPPRESSED
from vitrail.study.study import Study

Views = dict[str, Any]

_ROOM = "vitrail.reports"


def render(study: Study, evidence: Evidence) -> str:
    """The evidence report of ``study`` as one HTML page. Raises EvidenceError where the two do not belong together."""
    asked.check(study, evidence)
    look = panes(*_sites(evidence))
    return rendered(
        _environment(),
        _ROOM,
        "evidence",
        study=study,
        evidence=evidence,
        panes=look,
        headline=headline(study, evidence, look),
        characterisations=[_characterisation(*each, look) for each in asked.characterisations(study, evidence)],
        predictions=[_prediction(*each, look) for each in asked.predictions(study, evidence)],
        suppressed=withheld.suppressed_table(evidence, look),
        suppressed_total=withheld.suppressed_total(evidence),
        refusals=withheld.refusals_table(evidence),
        cuts=provenance.cuts_table(evidence, look),
        releases=provenance.releases_table(evidence, look),
        evidence_hash=provenance.evidence_hash(evidence),
    )


@cache
def _environment() -> Environment:
    """The templates, compiled once."""
    words = {"SUPPRESSED": SUPPRESSED, "PANE": PANE, "WIDTH": WIDTH, "colour": plots.colour}
    return templates(_ROOM, {**words, "plural": plural, "level": level}, finalize=_plain)


def _plain(value: object) -> object:
    """Whatever a template prints: text shows its unseen characters, markup of the page itself stays as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sites(evidence: Evidence) -> tuple[set[str], set[str]]:
    """The sites that answered something, and those that answered nothing."""
    everyone, answered = {each.site for each in evidence.sources}, set()
    for finding in evidence.findings.values():
        everyone |= {*finding.refused}
        if isinstance(finding, CharacteriseEvidence):
            answered |= {*finding.sites, *finding.attrition, *finding.counts, *finding.moments, *finding.rates}
        else:
            answered |= {*finding.index_dates, *(site for fit in finding.fits for site in fit.sites)}
            answered |= {each.site for each in finding.validations}
    return answered, everyone - answered


def _characterisation(
    name: str, specification: Characterise, finding: CharacteriseEvidence, look: Mapping[str, Pane]
) -> Views:
    names = incidence.names(finding)
    return {
        "name": name,
        "flows": flows(finding.attrition, look),
        "tables_one": table_one.tables_one(specification, finding, look),
        "incidence": [_incidence(each, finding, look) for each in names],
    }


def _incidence(name: str, finding: CharacteriseEvidence, look: Mapping[str, Pane]) -> tuple[Figure, Table]:
    figure = incidence.figure(name, finding, look)
    return figure, incidence.table(name, finding, look)


def _prediction(name: str, specification: Predict, finding: PredictEvidence, look: Mapping[str, Pane]) -> Views:
    fitted = [fit for fit in finding.fits if fit.coefficients]
    return {
        "name": name,
        "specification": specification,
        "horizon": model.horizon(specification),
        "index_dates": model.index_dates_table(finding, look),
        "fits": model.fits_table(finding, look) if finding.fits else None,
        "fitted": [model.mark(fit, look) for fit in fitted],
        "odds_figure": model.odds_figure(fitted, look) if fitted else None,
        "odds": model.odds_table(specification, fitted[0]) if fitted else None,
        "other_odds": model.other_odds_table(specification, fitted[1:], look) if fitted[1:] else None,
        "summary": validation.summary_table(finding, look) if finding.validations else None,
        "summary_figures": validation.summary_figures(finding, look) if finding.validations else (),
        "panels": validation.panels(finding, look),
    }
