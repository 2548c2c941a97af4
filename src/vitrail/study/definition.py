"""A cohort with all that it names: what an engine computes, whether it stands in a study or alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vitrail.errors import StudyError
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.word import Name


@dataclass(frozen=True)
class Definition:
    """A cohort, the concept sets that it names, and the id under which others of one batch may name it."""

    id: str
    cohort: Cohort
    concept_sets: Mapping[Name, ConceptSet] = field(default_factory=dict)

    @property
    def refers_to(self) -> frozenset[str]:
        """The ids of the cohorts whose rows are events of this one."""
        return frozenset(event.of for event in self.cohort.events() if event.domain == "cohort")


def in_order(definitions: Sequence[Definition]) -> tuple[Definition, ...]:
    """The definitions, each after those it refers to, otherwise as they were given.

    StudyError where two have one id, where one refers to a cohort that is not among them, or some refer to each other
    in a circle.
    """
    by_id = {each.id: each for each in definitions}
    waiting = {each.id: each.refers_to for each in definitions}
    if len(by_id) < len(definitions):
        raise StudyError("Two cohorts have one id.", "Give each an id of its own.")
    if any(not needed <= by_id.keys() for needed in waiting.values()):
        raise StudyError("A cohort refers to one that is not there.", "Define that one as well, in the same batch.")
    ordered: list[Definition] = []
    while waiting:
        ready = [id for id, needed in waiting.items() if not needed & waiting.keys()]
        if not ready:
            raise StudyError("Cohorts refer to each other in a circle.", "Let one be defined without the others.")
        ordered += [by_id[id] for id in ready]
        for id in ready:
            del waiting[id]
    return tuple(ordered)
