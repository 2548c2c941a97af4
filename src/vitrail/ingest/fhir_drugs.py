"""Drugs: ordered, dispensed, given, reported; and vaccines."""

from vitrail.ingest.fhir_elements import (
    Element,
    Unfit,
    codes,
    contained,
    day,
    flag,
    number,
    own_id,
    part,
    parts,
    period,
    text,
)
from vitrail.ingest.fhir_reading import NO_CODE, Made, Reading, Row, event, needed
from vitrail.ingest.fhir_types import INTENTS, NO_ORDERS
from vitrail.ingest.standard import ADMINISTRATION, DISPENSING, PRESCRIPTION, REPORTED

NO_ORDER = "it is no order"
NOT_TO_DO = "it says what not to do"


def _medication(resource: Element, reading: Reading) -> Row:
    """What was given: told as a code, or as a Medication that is contained or stands elsewhere."""
    inside = contained(resource, resource, "medicationReference")
    found = codes(part(resource, "medicationCodeableConcept")) or (codes(part(inside, "code")) if inside else None)
    told = reading.references.key(resource, "medicationReference", "Medication")
    if found is None and told is None:
        raise Unfit(NO_CODE)
    return {"codes": found, "product_id": product(told, "Medication") if found is None and told else None}


_DAYS = {"d": 1, "wk": 7, "mo": 30, "a": 365}


def _supply(duration: Element) -> str | None:
    """Days of a Duration in days, weeks, months of 30 or years of 365; others say nothing."""
    value, per = number(duration, "value"), _DAYS.get(text(duration, "code") or text(duration, "unit") or "")
    return str(round(float(value) * per)) if value is not None and per is not None else None


def _whole(count: str | None) -> str | None:
    return str(round(float(count))) if count is not None else None


def medication_request(resource: Element, reading: Reading) -> Made:
    """An order for a drug, from the day that its dosage says, else of the order itself."""
    intent = text(resource, "intent")
    if intent not in INTENTS:
        raise Unfit(NO_ORDER if intent in NO_ORDERS else "intent is not as FHIR has it")
    if flag(resource, "doNotPerform"):
        raise Unfit(NOT_TO_DO)
    supply = part(resource, "dispenseRequest")
    dosage = next(iter(parts(resource, "dosageInstruction")), {})
    begun, ended = period(part(part(dosage, "timing"), "repeat"), "boundsPeriod")
    row = event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
        "start": begun or day(resource, "authoredOn"),
        "end": ended,
        "days": _supply(part(supply, "expectedSupplyDuration")),
        "refills": _whole(number(supply, "numberOfRepeatsAllowed")),
        "quantity": number(part(supply, "quantity"), "value"),
        "route": codes(part(dosage, "route")),
        "provider_id": reading.clinician(resource, "requester"),
        "type": str(PRESCRIPTION),
    }  # fmt: skip
    return "event", [row]


def medication_dispense(resource: Element, reading: Reading) -> Made:
    """A drug handed over."""
    dosage = next(iter(parts(resource, "dosageInstruction")), {})
    row = event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
        "visit_id": reading.visit(resource, "context"),
        "start": day(resource, "whenHandedOver") or day(resource, "whenPrepared"),
        "days": _supply(part(resource, "daysSupply")),
        "quantity": number(part(resource, "quantity"), "value"),
        "route": codes(part(dosage, "route")),
        "provider_id": reading.actor(resource, "performer"),
        "type": str(DISPENSING),
    }  # fmt: skip
    return "event", [row]


def _taken(resource: Element, reading: Reading, type_: int, *, of: str) -> Row:
    begun, ended = period(resource, "effectivePeriod")
    return event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
        "visit_id": reading.visit(resource, "context"),
        "start": day(resource, "effectiveDateTime") or begun or (day(resource, of) if of else None),
        "end": ended,
        "type": str(type_),
    }  # fmt: skip


def medication_administration(resource: Element, reading: Reading) -> Made:
    """A drug given."""
    dosage = part(resource, "dosage")
    row = _taken(resource, reading, ADMINISTRATION, of="") | {
        "quantity": number(part(dosage, "dose"), "value"),
        "route": codes(part(dosage, "route")),
        "provider_id": reading.actor(resource, "performer"),
    }
    return "event", [row]


def medication_statement(resource: Element, reading: Reading) -> Made:
    """A drug that somebody says was taken."""
    return "event", [_taken(resource, reading, REPORTED, of="dateAsserted")]


def immunization(resource: Element, reading: Reading) -> Made:
    """A vaccine given."""
    row = event(resource, reading, "drug_exposure", "patient") | {
        "codes": needed(codes(part(resource, "vaccineCode"))),
        "start": day(resource, "occurrenceDateTime"),
        "quantity": number(part(resource, "doseQuantity"), "value"),
        "route": codes(part(resource, "route")),
        "provider_id": reading.actor(resource, "performer"),
        "type": str(ADMINISTRATION),
    }
    return "event", [row]


def product(key: str, kind: str) -> str:
    """The key of a product: a Medication and a Device may have one id."""
    return f"{kind}/{key}" if not key.startswith(("urn:", f"{kind}?")) else key


def medication(resource: Element, _: Reading) -> Made:
    """What a drug is, for those who refer to it."""
    return "product", [
        {"product_id": product(own_id(resource), "Medication"), "codes": needed(codes(part(resource, "code")))}
    ]
