"""Observations, with their components, values, units and ranges."""

from vitrail.ingest.fhir_elements import (
    Element,
    Unfit,
    codes,
    coding_of,
    day,
    flag,
    number,
    part,
    parts,
    period,
    text,
    unit,
)
from vitrail.ingest.fhir_reading import Made, Reading, Row, event, needed
from vitrail.ingest.standard import (
    EHR,
    LAB,
)

CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
GROUPS = "it only groups other Observations"


def observation(resource: Element, reading: Reading) -> Made:
    """A measurement or observation, and each of its components; what only groups others is none."""
    start = day(resource, "effectiveDateTime") or period(resource, "effectivePeriod")[0]
    category = coding_of(parts(resource, "category"), CATEGORIES)
    shared = event(resource, reading, "observation") | {
        "start": start or day(resource, "effectiveInstant") or day(resource, "issued"),
        "provider_id": reading.first(resource, "performer", "Practitioner"),
        "type": str(LAB if category == "laboratory" else EHR),
    }
    found = [resource] if _has_value(resource) else []
    found += [each for each in parts(resource, "component") if _has_value(each) or not found]
    if not found and resource.get("hasMember"):
        raise Unfit(GROUPS)
    return "event", [shared | _answer(each, category) for each in found or [resource]]


_VALUES = ("valueQuantity", "valueCodeableConcept", "valueString", "valueBoolean", "valueInteger")


_OPERATORS = ("<", "<=", ">=", ">")


def _has_value(of: Element) -> bool:
    return any(of.get(name) is not None for name in _VALUES)


def _answer(of: Element, category: str | None) -> Row:
    """The columns that tell what was found. An operator that FHIR does not know is refused."""
    quantity = part(of, "valueQuantity")
    operator = text(quantity, "comparator")
    if operator is not None and operator not in _OPERATORS:
        raise Unfit("comparator is not as FHIR has it")
    value = number(quantity, "value") or number(of, "valueInteger")
    limits = next((each for each in parts(of, "referenceRange") if each.get("low") or each.get("high")), {})
    said = flag(of, "valueBoolean")
    return {
        "codes": needed(codes(part(of, "code"))),
        "kind": measured(category, value is not None),
        "number": value,
        "operator": operator,
        "unit": unit(quantity) if value is not None else None,
        "value": codes(part(of, "valueCodeableConcept")),
        "words": text(of, "valueString") if said is None else str(said).lower(),
        "low": number(part(limits, "low"), "value"),
        "high": number(part(limits, "high"), "value"),
    }


def measured(category: str | None, with_number: bool) -> str:
    """The table of an Observation whose code has no concept that would tell."""
    if category in ("laboratory", "vital-signs"):
        return "measurement"
    return "measurement" if with_number and category not in ("survey", "social-history") else "observation"
