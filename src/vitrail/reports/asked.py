"""What was asked beside what was found, by kind of analysis."""

from vitrail.errors import EvidenceError
from vitrail.study.analyses.characterise import Characterise, CharacteriseEvidence
from vitrail.study.analyses.predict import Predict, PredictEvidence
from vitrail.study.evidence import Evidence
from vitrail.study.study import Study

Prediction = tuple[str, Predict, PredictEvidence]
"""The analysis's name, its specification, its finding."""
Characterisation = tuple[str, Characterise, CharacteriseEvidence]
"""The same of a characterisation."""


def check(study: Study, evidence: Evidence) -> None:
    """Raise EvidenceError unless ``evidence`` answers ``study``, each finding an analysis of its own kind."""
    if evidence.study != study.id:
        raise EvidenceError("The evidence answers another study.", "Show it with the study whose hash it names.")
    kinds = {name: analysis.kind for name, analysis in study.analyses.items()}
    if any(kinds.get(name) != finding.kind for name, finding in evidence.findings.items()):
        raise EvidenceError("The evidence has a finding that the study did not ask for.", "Learn it again at the hub.")


def predictions(study: Study, evidence: Evidence) -> list[Prediction]:
    """The predictions, in the order of the evidence."""
    return [
        (name, specification, finding)
        for name, finding in evidence.findings.items()
        if isinstance(finding, PredictEvidence) and isinstance(specification := study.analyses[name], Predict)
    ]


def characterisations(study: Study, evidence: Evidence) -> list[Characterisation]:
    """The characterisations, in the order of the evidence."""
    return [
        (name, specification, finding)
        for name, finding in evidence.findings.items()
        if isinstance(finding, CharacteriseEvidence) and isinstance(specification := study.analyses[name], Characterise)
    ]
