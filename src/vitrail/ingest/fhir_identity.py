"""What a Patient says beside OMOP's columns: identifiers that could stand in a note, and persons who are one."""

from collections.abc import Iterator

from vitrail.ingest.fhir_elements import Element, References, extension, part, parts, text, texts

Identifier = tuple[str, str]
"""A kind (``name``, ``date``, ``id``, ``phone``, ``address``) and a text."""

_SD = "http://hl7.org/fhir/StructureDefinition/"


def known_identifiers(resource: Element) -> Iterator[Identifier]:
    """What a Patient or RelatedPerson is known by, contacts and parents included."""
    yield from _of_one(resource)
    yield from _as("id", [text(resource, "id"), *(text(each, "value") for each in parts(resource, "identifier"))])
    yield from _as("date", [text(resource, "birthDate"), (text(resource, "deceasedDateTime") or "")[:10]])
    yield from _as("name", [text(extension(resource, f"{_SD}patient-mothersMaidenName"), "valueString")])
    yield from _address(part(extension(resource, f"{_SD}patient-birthPlace"), "valueAddress"))
    for contact in parts(resource, "contact"):
        yield from _of_one({**contact, "name": [part(contact, "name")], "address": [part(contact, "address")]})
        yield from _as("name", [text(part(contact, "organization"), "display")])


def _of_one(person: Element) -> Iterator[Identifier]:
    for name in parts(person, "name"):
        yield from _as("name", [text(name, "family"), *texts(name, "given"), text(name, "text")])
    yield from _as("phone", [text(each, "value") for each in parts(person, "telecom")])
    for address in parts(person, "address"):
        yield from _address(address)


def _address(address: Element) -> Iterator[Identifier]:
    names = ("text", "city", "district", "postalCode")
    yield from _as("address", [*texts(address, "line"), *(text(address, each) for each in names)])


def _as(kind: str, found: list[str | None]) -> Iterator[Identifier]:
    yield from ((kind, each) for each in found if each)


def merges(resource: Element, key: str, references: References) -> Iterator[tuple[str, str]]:
    """The keys of a person for whom another stands, and of that other.

    https://hl7.org/fhir/R4/patient.html#maintenance
    """
    for link in parts(resource, "link"):
        other = references.key(link, "other", "Patient")
        if other is not None and text(link, "type") == "replaced-by":
            yield key, other
        elif other is not None and text(link, "type") == "replaces":
            yield other, key
