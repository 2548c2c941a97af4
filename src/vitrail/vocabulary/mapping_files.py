"""The lists that come with Vitrail: code systems of FHIR, and codes to which OMOP's conventions give a concept.

Neither holds a term of a restricted vocabulary: only addresses, codes that the specifications define themselves, and
concept ids.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources


def _rows(name: str) -> list[dict[str, str]]:
    with resources.files("vitrail.vocabulary").joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def code_systems() -> Mapping[str, str]:
    """The OMOP vocabulary of each code system that FHIR names by an address; ``systems.csv`` has the sources."""
    return {row["system"]: row["vocabulary_id"] for row in _rows("systems.csv")}


@cache
def conventional_concepts(name: str) -> Mapping[str, int]:
    """The concept of each code (in lower case) of one of the lists ``gender``, ``race``, ``ethnicity``, ``visit`` and
    ``operator``; ``conventions.csv`` has the sources. Others are concept 0.
    """
    return {row["code"]: int(row["concept_id"]) for row in _rows("conventions.csv") if row["list"] == name}


@cache
def us_states() -> Mapping[str, str]:
    """The two letters of each state of the United States, by its name in lower case (USPS Publication 28)."""
    return {row["name"]: row["code"] for row in _rows("us_states.csv")}
