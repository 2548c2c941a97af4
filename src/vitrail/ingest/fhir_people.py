"""Persons, clinicians, places, visits and plans."""

from vitrail.ingest.fhir_elements import Element, Unfit, codes, day, extension, own_id, part, parts, period, text
from vitrail.ingest.fhir_reading import Made, Reading, Row

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


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
        "provider_id": reading.first(resource, "generalPractitioner", "Practitioner"),
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


def coverage(resource: Element, reading: Reading) -> Made:
    """A plan that pays."""
    start, end = period(resource, "period")
    person = reading.person(resource, "beneficiary")
    return "coverage", [{"person_id": person, "start": start, "end": end, "codes": codes(part(resource, "type"))}]
