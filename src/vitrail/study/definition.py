"""A cohort with all that it names: what an engine computes, whether it stands in a study or alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.word import Name


@dataclass(frozen=True)
class Definition:
    """A cohort, the concept sets that it names, and the id under which others of one batch may name it."""

    id: str
    cohort: Cohort
    concept_sets: Mapping[Name, ConceptSet] = field(default_factory=dict)
