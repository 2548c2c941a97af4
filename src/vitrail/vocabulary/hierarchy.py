"""The hierarchy of concepts: from each concept's parents to all its ancestors."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from vitrail.errors import SourceError


@dataclass(frozen=True)
class Ancestry:
    """One row of OMOP's CONCEPT_ANCESTOR: the fewest and the most steps from ancestor down to descendant."""

    ancestor: int
    descendant: int
    least: int
    most: int


def closure(parents: Mapping[int, Collection[int]]) -> list[Ancestry]:
    """All ancestors of every concept, itself included at 0 steps, sorted.

    ``parents`` has every concept. Raises SourceError where one is its own ancestor or a parent is no concept.
    """
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for concept in _parents_first(parents):
        levels = {concept: (0, 0)}
        for parent in parents[concept]:
            for ancestor, (least, most) in found[parent].items():
                low, high = levels.get(ancestor, (least + 1, most + 1))
                levels[ancestor] = (min(low, least + 1), max(high, most + 1))
        found[concept] = levels
    rows = [Ancestry(a, d, least, most) for d, levels in found.items() for a, (least, most) in levels.items()]
    return sorted(rows, key=lambda row: (row.ancestor, row.descendant))


def _parents_first(parents: Mapping[int, Collection[int]]) -> list[int]:
    """The concepts, each after its parents (Kahn 1962, Commun ACM 5:558-62)."""
    children: dict[int, list[int]] = {concept: [] for concept in parents}
    waiting = {concept: len(set(above)) for concept, above in parents.items()}
    for concept, above in parents.items():
        for parent in set(above):
            if parent not in children:
                raise SourceError(f"The parent of concept {concept} is no concept.", "Add it, or correct the parent.")
            children[parent].append(concept)
    ready = [concept for concept, above in waiting.items() if above == 0]
    for concept in ready:
        for child in children[concept]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if len(ready) < len(parents):
        raise SourceError("A concept is its own ancestor.", "Remove a parent from the circle.")
    return ready
