"""Conditions, procedures, allergies, devices and supplies."""

from vitrail.ingest.fhir_drugs import product
from vitrail.ingest.fhir_elements import (
    Element,
    Unfit,
    codes,
    coding_of,
    contained,
    day,
    number,
    own_id,
    part,
    parts,
    period,
    texts,
)
from vitrail.ingest.fhir_reading import Made, Reading, event, needed
from vitrail.ingest.standard import (
    ALLERGY_TO,
    EHR,
    PROBLEMS,
)

PROBLEM_LIST = "http://terminology.hl7.org/CodeSystem/condition-category"
CONDITION_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
UNTRUE = ("refuted", "entered-in-error")
"""What may be said of a condition or an allergy that the person does not have."""

ALLERGY_STATUS = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


def _verified(resource: Element, system: str) -> None:
    status = coding_of([part(resource, "verificationStatus")], system)
    if status in UNTRUE:
        raise Unfit(f"its status is {status}")


def condition(resource: Element, reading: Reading) -> Made:
    """A condition begins with its onset, else on the day it was recorded."""
    _verified(resource, CONDITION_STATUS)
    begun, ended = period(resource, "onsetPeriod")
    problem = coding_of(parts(resource, "category"), PROBLEM_LIST) == "problem-list-item"
    row = event(resource, reading, "condition_occurrence") | {
        "codes": needed(codes(part(resource, "code"))),
        "start": day(resource, "onsetDateTime") or begun or day(resource, "recordedDate"),
        "end": day(resource, "abatementDateTime", last=True) or period(resource, "abatementPeriod")[1] or ended,
        "provider_id": reading.clinician(resource, "recorder", "asserter"),
        "type": str(PROBLEMS if problem else EHR),
    }
    return "event", [row]


def procedure(resource: Element, reading: Reading) -> Made:
    """Something done."""
    begun, ended = period(resource, "performedPeriod")
    row = event(resource, reading, "procedure_occurrence") | {
        "codes": needed(codes(part(resource, "code"))),
        "start": day(resource, "performedDateTime") or begun,
        "end": ended,
        "provider_id": reading.actor(resource, "performer"),
        "type": str(EHR),
    }
    return "event", [row]


def imaging_study(resource: Element, reading: Reading) -> Made:
    """Images taken, told by their procedure."""
    found = (codes(each) for each in parts(resource, "procedureCode"))
    row = event(resource, reading, "procedure_occurrence") | {
        "codes": needed(next((each for each in found if each), None)),
        "start": day(resource, "started"),
        "type": str(EHR),
    }
    return "event", [row]


def allergy(resource: Element, reading: Reading) -> Made:
    """An allergy, on the day of its onset, else of its record."""
    _verified(resource, ALLERGY_STATUS)
    row = event(resource, reading, "observation", "patient") | {
        "codes": needed(codes(part(resource, "code"))),
        "question": _allergy_to(next(iter(texts(resource, "category")), None)),
        "start": day(resource, "onsetDateTime") or day(resource, "recordedDate"),
        "provider_id": reading.clinician(resource, "recorder"),
        "type": str(EHR),
    }
    return "event", [row]


def _allergy_to(category: object) -> str:
    """The question that an allergy of a category answers."""
    return ALLERGY_TO[{"medication": "drug", "food": "food"}.get(str(category), "")]


def device(resource: Element, _: Reading) -> Made:
    """What a device is; that it is there says nothing of when it was used."""
    return "product", [
        {"product_id": product(own_id(resource), "Device"), "codes": needed(codes(part(resource, "type")))}
    ]


def device_use(resource: Element, reading: Reading) -> Made:
    """A device in use."""
    begun, ended = period(resource, "timingPeriod")
    inside = contained(resource, resource, "device")
    told = reading.references.key(resource, "device", "Device")
    row = event(resource, reading, "device_exposure") | {
        "codes": codes(part(inside, "type")) if inside else None,
        "product_id": product(told, "Device") if told else None,
        "start": day(resource, "timingDateTime") or begun or day(resource, "recordedOn"),
        "end": ended,
        "provider_id": reading.clinician(resource, "source"),
        "type": str(EHR),
    }
    return "event", [row]


def supply(resource: Element, reading: Reading) -> Made:
    """Things handed over."""
    item = part(resource, "suppliedItem")
    begun, ended = period(resource, "occurrencePeriod")
    row = event(resource, reading, "device_exposure", "patient") | {
        "codes": needed(codes(part(item, "itemCodeableConcept"))),
        "quantity": number(part(item, "quantity"), "value"),
        "start": day(resource, "occurrenceDateTime") or begun,
        "end": ended,
        "type": str(EHR),
    }
    return "event", [row]
