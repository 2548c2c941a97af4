"""Concept sets: the codes a question speaks of, with descendants and exclusions, as in OHDSI."""

from typing import Annotated

from pydantic import Field

from vitrail.study.word import Word

ConceptId = Annotated[int, Field(ge=0, le=2_147_483_647)]


class ConceptItem(Word):
    """One concept of a concept set.

    ``descendants`` takes the concept's descendants in the vocabulary's hierarchy along; ``exclude`` takes the
    concept (and descendants) out, whatever else the set includes.
    """

    concept: ConceptId
    descendants: bool = True
    exclude: bool = False


class ConceptSet(Word):
    """The included concepts less the excluded ones. Its name is its key in the study."""

    concepts: Annotated[tuple[ConceptItem, ...], Field(min_length=1, max_length=2000)]
