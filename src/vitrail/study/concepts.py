"""Concept sets: the codes a question speaks of, with descendants, mapped codes and exclusions, as in OHDSI."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.word import Name, Word

ConceptId = Annotated[int, Field(ge=0, le=2_147_483_647)]

Ids = Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=10_000)]


class ConceptItem(Word):
    """One concept of a concept set.

    ``descendants`` takes the concept's valid descendants in the vocabulary's hierarchy along; ``mapped`` takes along
    the concepts that "Maps to" any of these; ``exclude`` takes all of them out, whatever else the set includes.
    """

    concept: ConceptId
    descendants: bool = True
    exclude: bool = False
    mapped: Literal[True] | None = None


class ConceptSet(Word):
    """The included concepts less the excluded ones. Its name is its key in the study."""

    concepts: Annotated[tuple[ConceptItem, ...], Field(min_length=1, max_length=20_000)]


class Coded(Word):
    """Limits of a concept. All that are given must hold; a missing concept never fits.

    ``any_of`` and ``none_of`` name concepts themselves, ``within`` and ``outside`` a concept set. ``recorded`` wants a
    concept, whichever it is (also 0), or none.
    """

    any_of: Ids | None = None
    none_of: Ids | None = None
    within: Name | None = None
    outside: Name | None = None
    recorded: bool | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("no concepts are given; give at least one of any_of, none_of, within, outside, recorded")
        if self.recorded is False and self.model_dump(exclude_none=True).keys() != {"recorded"}:
            raise ValueError(
                "no concept may be recorded, and yet some are limited; give recorded alone, or leave it out"
            )
        return self
