"""Each type of FHIR resource as source records. What docs/reference/fhir.md lists, and nothing else, is read.

A resource becomes records of one kind, or raises :class:`vitrail.ingest.fhir_elements.Unfit` with the reason for which
it is not loaded.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from vitrail.ingest.fhir_elements import (
    Element,
    References,
    Unfit,
    codes,
    coding_of,
    contained,
    day,
    extension,
    flag,
    note_text,
    number,
    own_id,
    part,
    parts,
    period,
    text,
    texts,
    unit,
)
from vitrail.ingest.fhir_types import INTENTS, STATUSES
from vitrail.ingest.standard import (
    ADMINISTRATION,
    ALLERGY_TO,
    DISPENSING,
    EHR,
    LAB,
    NOTE,
    PRESCRIPTION,
    PROBLEMS,
    REPORTED,
)

Row = dict[str, str | None]
"""The texts of one record, by column."""

Made = tuple[str, list[Row]]
"""The kind of a resource's records, and the records."""

CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
PROBLEM_LIST = "http://terminology.hl7.org/CodeSystem/condition-category"
CONDITION_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_STATUS = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
OMB = "urn:oid:2.16.840.1.113883.6.238"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"

NO_SUBJECT = "it is of no Patient"
GROUPS = "it only groups other Observations"
RESULTS = "its results are Observations of their own"


@dataclass
class Reading:
    """What is known while a source is read: what its references mean."""

    references: References = field(default_factory=References)

    def person(self, resource: Element, name: str = "subject") -> str:
        """The key of the Patient that a resource is of. Raises Unfit."""
        if contained(resource, resource, name):
            raise Unfit(NO_SUBJECT)
        key = self.references.key(resource, name, "Patient")
        if key is None:
            raise Unfit(NO_SUBJECT)
        return key

    def visit(self, resource: Element, name: str = "encounter") -> str | None:
        """The key of the Encounter that a resource belongs to; many belong to none."""
        return self.references.key(resource, name, "Encounter")

    def clinician(self, resource: Element, *names: str) -> str | None:
        """The key of the first Practitioner among several elements."""
        keys = (self.references.key(resource, name, "Practitioner") for name in names)
        return next((key for key in keys if key), None)

    def actor(self, resource: Element, name: str, element: str = "actor") -> str | None:
        """The key of the first Practitioner among those who took part."""
        found = (self.references.key(each, element, "Practitioner") for each in parts(resource, name))
        return next((key for key in found if key), None)


def judge_status(resource: Element) -> None:
    """A status must say that it happened. Raises Unfit with the status, which is a word of the specification."""
    kind = str(resource.get("resourceType"))
    if kind not in STATUSES:
        return
    happened, not_happened = STATUSES[kind]
    status = text(resource, "status")
    if status in not_happened:
        raise Unfit(f"its status is {status}")
    if status not in happened and not (kind == "SupplyDelivery" and status is None):
        raise Unfit("its status is not as FHIR has it")


def _verified(resource: Element, system: str) -> None:
    status = coding_of([part(resource, "verificationStatus")], system)
    if status in ("refuted", "entered-in-error"):
        raise Unfit(f"its status is {status}")


def patient(resource: Element, reading: Reading) -> Made:
    """A person. Of several addresses the first that is in use counts."""
    address = _address(resource)
    row: Row = {
        "person_id": own_id(resource),
        "birth": day(resource, "birthDate"),
        "death": day(resource, "deceasedDateTime", last=True),
        "gender": _sex(resource),
        "race": _omb(resource, "race"),
        "ethnicity": _omb(resource, "ethnicity"),
        "zip": text(address, "postalCode"),
        "state": text(address, "state"),
        "provider_id": next((key for key in _general(resource, reading, "Practitioner")), None),
        "care_site_id": reading.references.key(resource, "managingOrganization", "Organization"),
    }
    return "person", [row]


def _sex(resource: Element) -> str | None:
    """OMOP asks for the sex at birth (https://ohdsi.github.io/CommonDataModel/cdm54.html#person)."""
    at_birth = text(extension(resource, f"{US_CORE}birthsex"), "valueCode")
    return at_birth if at_birth in ("M", "F") else text(resource, "gender")


def _omb(resource: Element, name: str) -> str | None:
    """The category of a US Core extension, where there is one alone: OMOP has no concept for several."""
    inside = parts(extension(resource, f"{US_CORE}{name}"), "extension")
    found = {text(part(each, "valueCoding"), "code") for each in inside if each.get("url") == "ombCategory"}
    return found.pop() if len(found) == 1 else None


def _address(resource: Element) -> Element:
    given = [each for each in parts(resource, "address") if text(each, "use") not in ("old", "billing", "temp")]
    return next((each for each in given if not part(each, "period").get("end")), {})


def _general(resource: Element, reading: Reading, kind: str) -> Iterator[str]:
    for each in parts(resource, "generalPractitioner"):
        key = reading.references.key({"of": each}, "of", kind)
        if key:
            yield key


def practitioner(resource: Element, _: Reading) -> Made:
    """A clinician."""
    return "provider", [{"provider_id": own_id(resource), "gender": text(resource, "gender")}]


def role(resource: Element, reading: Reading) -> Made:
    """What a clinician does, and where."""
    key = reading.references.key(resource, "practitioner", "Practitioner")
    if key is None:
        raise Unfit("it is of no Practitioner")
    special = next((found for each in parts(resource, "specialty") if (found := codes(each))), None)
    site = reading.references.key(resource, "organization", "Organization")
    return "role", [{"provider_id": key, "codes": special, "care_site_id": site}]


def organization(resource: Element, _: Reading) -> Made:
    """A place of care."""
    return "care_site", [{"care_site_id": own_id(resource)}]


def location(resource: Element, _: Reading) -> Made:
    """An address."""
    address = part(resource, "address")
    return "place", [{"zip": text(address, "postalCode"), "state": text(address, "state")}]


def encounter(resource: Element, reading: Reading) -> Made:
    """A visit."""
    start, end = period(resource, "period")
    row: Row = {
        "visit_id": own_id(resource),
        "person_id": reading.person(resource),
        "start": start,
        "end": end,
        "class": text(part(resource, "class"), "code"),
        "provider_id": reading.actor(resource, "participant", "individual"),
        "care_site_id": reading.references.key(resource, "serviceProvider", "Organization"),
    }
    return "visit", [row]


def _event(resource: Element, reading: Reading, kind: str, of: str = "subject") -> Row:
    return {"kind": kind, "person_id": reading.person(resource, of), "visit_id": reading.visit(resource)}


def _needed(concept: str | None) -> str:
    if concept is None:
        raise Unfit("a code is missing")
    return concept


def condition(resource: Element, reading: Reading) -> Made:
    """A condition begins with its onset, else on the day it was recorded."""
    _verified(resource, CONDITION_STATUS)
    begun, ended = period(resource, "onsetPeriod")
    problem = coding_of(parts(resource, "category"), PROBLEM_LIST) == "problem-list-item"
    row = _event(resource, reading, "condition_occurrence") | {
        "codes": _needed(codes(part(resource, "code"))),
        "start": day(resource, "onsetDateTime") or begun or day(resource, "recordedDate"),
        "end": day(resource, "abatementDateTime", last=True) or period(resource, "abatementPeriod")[1] or ended,
        "provider_id": reading.clinician(resource, "recorder", "asserter"),
        "type": str(PROBLEMS if problem else EHR),
    }
    return "event", [row]


def _medication(resource: Element, reading: Reading) -> Row:
    """What was given: told as a code, or as a Medication that is contained or stands elsewhere."""
    inside = contained(resource, resource, "medicationReference")
    found = codes(part(resource, "medicationCodeableConcept")) or (codes(part(inside, "code")) if inside else None)
    told = reading.references.key(resource, "medicationReference", "Medication")
    if found is None and told is None:
        raise Unfit("a code is missing")
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
    if text(resource, "intent") not in INTENTS:
        raise Unfit("it is no order")
    if flag(resource, "doNotPerform"):
        raise Unfit("it says what not to do")
    supply = part(resource, "dispenseRequest")
    dosage = next(iter(parts(resource, "dosageInstruction")), {})
    begun, ended = period(part(part(dosage, "timing"), "repeat"), "boundsPeriod")
    row = _event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
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
    row = _event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
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
    return _event(resource, reading, "drug_exposure") | _medication(resource, reading) | {
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
    row = _event(resource, reading, "drug_exposure", "patient") | {
        "codes": _needed(codes(part(resource, "vaccineCode"))),
        "start": day(resource, "occurrenceDateTime"),
        "quantity": number(part(resource, "doseQuantity"), "value"),
        "route": codes(part(resource, "route")),
        "provider_id": reading.actor(resource, "performer"),
        "type": str(ADMINISTRATION),
    }
    return "event", [row]


def procedure(resource: Element, reading: Reading) -> Made:
    """Something done."""
    begun, ended = period(resource, "performedPeriod")
    row = _event(resource, reading, "procedure_occurrence") | {
        "codes": _needed(codes(part(resource, "code"))),
        "start": day(resource, "performedDateTime") or begun,
        "end": ended,
        "provider_id": reading.actor(resource, "performer"),
        "type": str(EHR),
    }
    return "event", [row]


def imaging_study(resource: Element, reading: Reading) -> Made:
    """Images taken, told by their procedure."""
    found = (codes(each) for each in parts(resource, "procedureCode"))
    row = _event(resource, reading, "procedure_occurrence") | {
        "codes": _needed(next((each for each in found if each), None)),
        "start": day(resource, "started"),
        "type": str(EHR),
    }
    return "event", [row]


def allergy(resource: Element, reading: Reading) -> Made:
    """An allergy, on the day of its onset, else of its record."""
    _verified(resource, ALLERGY_STATUS)
    row = _event(resource, reading, "observation", "patient") | {
        "codes": _needed(codes(part(resource, "code"))),
        "question": allergy_to(next(iter(texts(resource, "category")), None)),
        "start": day(resource, "onsetDateTime") or day(resource, "recordedDate"),
        "provider_id": reading.clinician(resource, "recorder"),
        "type": str(EHR),
    }
    return "event", [row]


def allergy_to(category: object) -> str:
    """The question that an allergy of a category answers."""
    return ALLERGY_TO[{"medication": "drug", "food": "food"}.get(str(category), "")]


def observation(resource: Element, reading: Reading) -> Made:
    """A measurement or observation, and each of its components; what only groups others is none."""
    start = day(resource, "effectiveDateTime") or period(resource, "effectivePeriod")[0]
    category = coding_of(parts(resource, "category"), CATEGORIES)
    shared = _event(resource, reading, "observation") | {
        "start": start or day(resource, "effectiveInstant") or day(resource, "issued"),
        "provider_id": next(iter(_performers(resource, reading)), None),
        "type": str(LAB if category == "laboratory" else EHR),
    }
    found = [resource] if _has_value(resource) else []
    found += [each for each in parts(resource, "component") if _has_value(each) or not found]
    if not found and resource.get("hasMember"):
        raise Unfit(GROUPS)
    return "event", [shared | _answer(each, category) for each in found or [resource]]


def _performers(resource: Element, reading: Reading) -> Iterator[str]:
    for each in parts(resource, "performer"):
        key = reading.references.key({"of": each}, "of", "Practitioner")
        if key:
            yield key


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
        "codes": _needed(codes(part(of, "code"))),
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


def product(key: str, kind: str) -> str:
    """The key of a product: a Medication and a Device may have one id."""
    return f"{kind}/{key}" if not key.startswith(("urn:", f"{kind}?")) else key


def medication(resource: Element, _: Reading) -> Made:
    """What a drug is, for those who refer to it."""
    return "product", [
        {"product_id": product(own_id(resource), "Medication"), "codes": _needed(codes(part(resource, "code")))}
    ]


def device(resource: Element, _: Reading) -> Made:
    """What a device is; that it is there says nothing of when it was used."""
    return "product", [
        {"product_id": product(own_id(resource), "Device"), "codes": _needed(codes(part(resource, "type")))}
    ]


def device_use(resource: Element, reading: Reading) -> Made:
    """A device in use."""
    begun, ended = period(resource, "timingPeriod")
    inside = contained(resource, resource, "device")
    told = reading.references.key(resource, "device", "Device")
    row = _event(resource, reading, "device_exposure") | {
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
    row = _event(resource, reading, "device_exposure", "patient") | {
        "codes": _needed(codes(part(item, "itemCodeableConcept"))),
        "quantity": number(part(item, "quantity"), "value"),
        "start": day(resource, "occurrenceDateTime") or begun,
        "end": ended,
        "type": str(EHR),
    }
    return "event", [row]


def coverage(resource: Element, reading: Reading) -> Made:
    """A plan that pays."""
    start, end = period(resource, "period")
    person = reading.person(resource, "beneficiary")
    return "coverage", [{"person_id": person, "start": start, "end": end, "codes": codes(part(resource, "type"))}]


def document(resource: Element, reading: Reading) -> Made:
    """A note."""
    if text(resource, "docStatus") == "entered-in-error":
        raise Unfit("its status is entered-in-error")
    held = [part(each, "attachment") for each in parts(resource, "content")]
    context = part(resource, "context")
    row: Row = {
        "person_id": reading.person(resource),
        "start": period(context, "period")[0] or day(resource, "date"),
        "codes": codes(part(resource, "type")),
        "words": _first_text(held),
        "visit_id": next(iter(_encounters(context, reading)), None),
        "provider_id": next(iter(_authors(resource, reading)), None),
        "type": str(NOTE),
    }
    return "note", [row]


def _encounters(context: Element, reading: Reading) -> Iterator[str]:
    for each in parts(context, "encounter"):
        key = reading.visit({"of": each}, "of")
        if key:
            yield key


def _authors(resource: Element, reading: Reading) -> Iterator[str]:
    for each in parts(resource, "author"):
        key = reading.clinician({"of": each}, "of")
        if key:
            yield key


def report(resource: Element, reading: Reading) -> Made:
    """A report that is a text; its results are Observations of their own."""
    held = parts(resource, "presentedForm")
    if not held:
        raise Unfit(RESULTS)
    row: Row = {
        "person_id": reading.person(resource),
        "start": day(resource, "effectiveDateTime")
        or period(resource, "effectivePeriod")[0]
        or day(resource, "issued"),
        "codes": codes(part(resource, "code")),
        "words": _first_text(held),
        "visit_id": reading.visit(resource),
        "provider_id": next(iter(_performers(resource, reading)), None),
        "type": str(NOTE),
    }
    return "note", [row]


def _first_text(held: list[Element]) -> str:
    found = next((words for each in held if (words := note_text(each))), None)
    if found is None:
        raise Unfit("the note is no text")
    return found


READ: Mapping[str, Callable[[Element, Reading], Made]] = {
    "Patient": patient,
    "Practitioner": practitioner,
    "PractitionerRole": role,
    "Organization": organization,
    "Location": location,
    "Encounter": encounter,
    "Condition": condition,
    "MedicationRequest": medication_request,
    "MedicationDispense": medication_dispense,
    "MedicationAdministration": medication_administration,
    "MedicationStatement": medication_statement,
    "Medication": medication,
    "Immunization": immunization,
    "Procedure": procedure,
    "ImagingStudy": imaging_study,
    "AllergyIntolerance": allergy,
    "Observation": observation,
    "Device": device,
    "DeviceUseStatement": device_use,
    "SupplyDelivery": supply,
    "Coverage": coverage,
    "DocumentReference": document,
    "DiagnosticReport": report,
}
"""How each type of resource is read; the others are left out, and counted."""
