"""Definitions of cohorts in any number, no two alike, for engines to be measured on.

How often each feature is used follows OHDSI's PhenotypeLibrary (1,100 definitions): more than one entry event in a
fifth of them, rules in a quarter, an end after so many days in two thirds, an era of exposure in six of a hundred.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from vitrail.study.attributes import Domain
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.definition import Definition

Concepts = Mapping[Domain, Sequence[int]]
"""The concepts that records have, by domain; one without records is left out."""

_ENTRY: Mapping[Domain, int] = {"condition": 70, "drug": 10, "measurement": 8, "observation": 6, "visit": 6}
DOMAINS = tuple(_ENTRY)


def definitions(count: int, concepts: Concepts, seed: int = 1) -> list[Definition]:
    """So many definitions of concepts that are there; the same arguments give the same ones."""
    found: dict[str, Definition] = {}
    chance = Random(seed)
    while len(found) < count:
        made = _definition(str(len(found) + 1), concepts, chance)
        said = repr((made.cohort, made.concept_sets))
        found.setdefault(said, made)
    return list(found.values())


def _definition(id: str, concepts: Concepts, chance: Random) -> Definition:
    sets: dict[str, ConceptSet] = {}
    entry = [_event(sets, concepts, chance, first=0.15) for _ in range(chance.choice((1, 1, 1, 1, 2)))]
    rules = chance.randint(1, 4) if chance.random() < 0.25 else 0
    said: dict[str, Any] = {
        "entry": entry,
        "observed": {"before": chance.choice((0,) * 8 + (180, 365)), "after": chance.choice((0,) * 30 + (1,))},
        "keep": chance.choice(("every", "every", "first")),
        "rules": [_rule(f"rule {i}", sets, concepts, chance) for i in range(rules)],
        "limit": chance.choice(("every", "every", "first")),
        "exit": _exit(sets, concepts, chance),
        "era_pad": chance.choice((0, 0, 0, 7, 30, 90)),
    }
    if chance.random() < 0.02:
        said["censor"] = [_event(sets, concepts, chance)]
    return Definition(id, Cohort.model_validate_json(json.dumps(said)), sets)


def _event(sets: dict[str, ConceptSet], concepts: Concepts, chance: Random, first: float = 0.0) -> dict[str, Any]:
    domain = chance.choices(tuple(concepts), tuple(_ENTRY[each] for each in concepts))[0]
    event: dict[str, Any] = {domain: _set(sets, concepts[domain], chance)}
    if chance.random() < first:
        event["first"] = True
    if chance.random() < 0.3:
        event["age"] = {"at_least": chance.randint(18, 80)}
    return event


def _set(sets: dict[str, ConceptSet], of: Sequence[int], chance: Random) -> str:
    chosen = chance.sample(list(of), min(len(of), chance.randint(1, 4)))
    items = tuple(ConceptItem(concept=each, exclude=bool(i and chance.random() < 0.2)) for i, each in enumerate(chosen))
    name = f"set {len(sets)}"
    sets[name] = ConceptSet(concepts=items)
    return name


def _rule(name: str, sets: dict[str, ConceptSet], concepts: Concepts, chance: Random) -> dict[str, Any]:
    low = chance.choice((None, -365, -180, -30, -7, 0, 1))
    high = chance.choice((None, 0, 7, 30, 365)) if low != 1 else None
    counts: dict[str, int] = chance.choice(({"at_most": 0}, {"at_most": 0}, {"at_least": 1}, {"at_least": 2}))
    return {"name": name, "of": _event(sets, concepts, chance), "days": [low, high], **counts}


def _exit(sets: dict[str, ConceptSet], concepts: Concepts, chance: Random) -> dict[str, Any]:
    way = chance.random()
    if way < 0.26:
        return {}
    if way < 0.34:
        return {"days_after_start": chance.randint(0, 365)}
    if way < 0.94:
        return {"days_after_end": chance.choice((0, 1, 7, 14, 30, 90, 365))}
    drug = _set(sets, concepts["drug"], chance)
    return {"exposed_to": {"drug": drug, "gap": chance.choice((30, 60)), "offset": chance.choice((0, 7))}}
