"""Small random OMOP tables in which every analysis of features finds something."""

import random
from datetime import date, timedelta
from typing import Any

from tests.naive_features import BROAD, CHADS2, CHARLSON, DCSI, VASC, Row

Tables = dict[str, list[dict[str, Any]]]

UNITS = (None, 0, 8876, 8840)
MEASURED = (3000963, 3004249, 3048564, 4302666)
DAY = date(2015, 6, 15)


def _concept(key: int, name: str, domain: str, vocabulary: str, kind: str, code: str, invalid: bool = False) -> Any:
    return {
        "concept_id": key, "concept_name": name, "domain_id": domain, "vocabulary_id": vocabulary,
        "concept_class_id": kind, "standard_concept": "S", "concept_code": code,
        "invalid_reason": "D" if invalid else None,
    }  # fmt: skip


def _link(above: int, below: int, levels: int) -> dict[str, Any]:
    return {
        "ancestor_concept_id": above, "descendant_concept_id": below, "min_levels_of_separation": levels,
        "max_levels_of_separation": levels,
    }  # fmt: skip


def roots() -> list[int]:
    """The concepts that scores and groups name."""
    scores = [concepts for _, *sets in (*CHARLSON, *CHADS2, *VASC) for concepts in sets]
    return sorted({441840, *BROAD}.union(*scores))


def vocabulary(chance: random.Random) -> Tables:
    """Conditions below all roots, drugs with ATC classes, codes that map, persons' concepts."""
    names = ("Gout", "Disorder of toe", "Toe finding", "Toe by site", "Pain of specific body structure of toe", "Ache")
    concepts, links, maps = [], [], []
    for place, key in enumerate(roots()):
        child = 36_000_000 + place
        for each in (key, child):
            concepts.append(
                _concept(each, chance.choice(names), "Condition", "SNOMED", "Disorder", str(each), each % 7 == 0)
            )
            links += [_link(each, each, 0)] + ([_link(441840, each, chance.randint(1, 4))] if each != 441840 else [])
        links.append(_link(key, child, 1))
        links += [_link(other, child, 2) for other in chance.sample(roots(), 2) if other not in (key, 441840)]
    codes = sorted({code for pair in DCSI.values() for side in pair for code in side} | {"354.*", "001.*", "355.9"})
    for place, code in enumerate(codes):
        source, target = 44_000_000 + place, 36_000_000 + place
        plain = code.replace("?*", "1").replace("*", chance.choice(("", "9")))
        concepts.append(_concept(source, "A code", "Condition", "ICD9CM", "code", plain))
        maps.append({"concept_id_1": source, "concept_id_2": target, "relationship_id": "Maps to"})
    for place in range(8):
        drug, classes = 1_100_000 + place, (1, 3, 4, 5, 7)
        concepts.append(
            _concept(drug, f"Drug {place}", "Drug", "RxNorm", chance.choice(("Ingredient", "Brand")), str(drug))
        )
        links.append(_link(drug, drug, 0))
        for size in classes:
            above = 21_600_000 + 10 * (place // 2) + size
            concepts.append(_concept(above, f"Class {above}", "Drug", "ATC", "ATC", "M01AB12"[:size]))
            links.append(_link(above, drug, size))
    for key, kind in ((8527, "Race"), (8515, "Race"), (38003564, "Ethnicity"), (8532, "Gender"), (8507, "Gender")):
        concepts.append(_concept(key, f"{kind} {key}", kind, kind, kind, "x"))
    once = {each["concept_id"]: each for each in concepts}
    only = {(each["ancestor_concept_id"], each["descendant_concept_id"]): each for each in reversed(links)}
    return {"concept": list(once.values()), "concept_ancestor": list(only.values()), "concept_relationship": maps}


def records(seed: int, persons: int = 40) -> tuple[Tables, list[Row]]:
    """OMOP tables, and the rows to ask about: a person and an index date."""
    chance = random.Random(seed)
    tables = vocabulary(chance)
    conditions = [each["concept_id"] for each in tables["concept"] if each["vocabulary_id"] == "SNOMED"]
    tables["person"] = [
        {
            "person_id": person, "gender_concept_id": chance.choice((8532, 8507, 0)),
            "year_of_birth": chance.randint(1925, 2012), "race_concept_id": chance.choice((8527, 8515, 0, 38003564)),
            "ethnicity_concept_id": chance.choice((38003564, 0, 8527)),
        }
        for person in range(1, persons + 1)
    ]  # fmt: skip

    def when() -> date:
        return DAY + timedelta(days=chance.choice((-800, -366, -365, -364, -100, -31, -30, -29, -1, 0, 1, 40)))

    def some(table: str, each: int) -> list[dict[str, Any]]:
        return [
            {f"{table}_id": key, "person_id": chance.randint(1, persons)} for key in range(1, each * persons + 1)
        ]  # fmt: skip

    for table, what, choices in (
        ("condition_era", "condition", [*conditions, 0]), ("drug_era", "drug", [*range(1_100_000, 1_100_008), 0]),
        ("visit_occurrence", "visit", (9201, 9202, 0)),
    ):  # fmt: skip
        stem = table.removesuffix("_occurrence")
        tables[table] = [
            each | {f"{what}_concept_id": chance.choice(choices), f"{stem}_start_date": (start := when()),
                    f"{stem}_end_date": start + timedelta(days=chance.choice((0, 1, 30, 400)))}
            for each in some(table, 6)
        ]  # fmt: skip
    for table, what, day in (
        ("procedure_occurrence", "procedure", "procedure_date"), ("measurement", "measurement", "measurement_date"),
        ("device_exposure", "device", "device_exposure_start_date"), ("observation", "observation", "observation_date"),
    ):  # fmt: skip
        tables[table] = [
            each | {f"{what}_concept_id": chance.choice((*MEASURED, 0)), day: when()} for each in some(table, 6)
        ]
    for each in (*tables["measurement"], *tables["observation"]):
        each["value_as_concept_id"] = chance.choice((None, 0, 4083207, 4084765))
        each["value_as_number"] = chance.choice((None, 1.0, 2.5, -3.0, 1e6))
        each["unit_concept_id"] = chance.choice(UNITS)
    for each in tables["measurement"]:
        each["range_low"], each["range_high"] = chance.choice(((None, None), (0.0, 2.0), (None, 2.0), (1.0, 1.0)))
    rows = [(person, DAY + timedelta(days=chance.choice((0, 0, 1, 200)))) for person in range(1, persons + 2)]
    return tables, rows + rows[:5]
