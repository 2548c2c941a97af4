"""A definition in a file: Circe's JSON as ATLAS exports it, or a cohort with its concept sets in YAML."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from vitrail.study.circe import parse_circe
from vitrail.study.circe.meaning import Notes, unheard
from vitrail.study.circe.names import fitted
from vitrail.study.circe.text import MAX_BYTES
from vitrail.study.cohort import ANY, Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.definition import Definition
from vitrail.study.naming import concept_sets_named
from vitrail.study.reader import content_of, parse_word
from vitrail.study.word import Name, PartError, Word

YAML = (".yaml", ".yml")
NO_CONCEPT_SET = "this names no concept set of the file; write the name of one under concept_sets, or define it there"


class CohortFile(Word):
    """A cohort with the concept sets that it names. Events of domain ``cohort`` name other definitions by id."""

    concept_sets: Annotated[dict[Name, ConceptSet], Field(max_length=500)] = {}
    cohort: Cohort

    @model_validator(mode="after")
    def _names_defined(self) -> Self:
        if ANY in self.concept_sets:
            raise ValueError("a concept set is called any, the word for every concept; give it another name")
        named = concept_sets_named(self.cohort)
        undefined = tuple((("cohort", *way), NO_CONCEPT_SET) for way, name in named if name not in self.concept_sets)
        if undefined:
            raise PartError(undefined)
        return self


def read_definition(path: Path, notes: Notes = unheard) -> Definition:
    """The definition in the file at ``path``, called by :func:`id_of`; YAML by its ending, else JSON.

    StudyFileError where there is no such file, StudyError where it is wrong or cannot be answered.
    """
    content = content_of(path, MAX_BYTES, "definition")
    if path.suffix.lower() not in YAML:
        return parse_circe(content, id_of(path), notes)
    said = parse_word(content, CohortFile, "definition")
    return Definition(id_of(path), said.cohort, said.concept_sets)


def id_of(path: Path) -> str:
    """The first number in a file's name, without leading zeros; the name itself, made to fit, where it has none."""
    number = re.search(r"[0-9]{1,18}", path.stem)
    return str(int(number[0])) if number else fitted(path.stem, "cohort", ())
