"""What every FHIR resource that is read has in common: whose it is, when it counts, what its references mean."""

from dataclasses import dataclass, field

from vitrail.ingest.fhir_elements import (
    Element,
    References,
    Unfit,
    contained,
    parts,
    text,
)
from vitrail.ingest.fhir_types import STATUSES

Row = dict[str, str | None]
"""The texts of one record, by column."""

Made = tuple[str, list[Row]]
"""The kind of a resource's records, and the records."""

NO_SUBJECT = "it is of no Patient"
NO_CODE = "a code is missing"


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

    def first(self, of: Element, name: str, kind: str) -> str | None:
        """The key of the first ``kind`` of resource in a list of references."""
        found = (self.references.key({"of": each}, "of", kind) for each in parts(of, name))
        return next((key for key in found if key), None)

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


def event(resource: Element, reading: Reading, kind: str, of: str = "subject") -> Row:
    """The columns that every event has. ``kind`` is the table of an event whose code has no concept. Raises Unfit."""
    return {"kind": kind, "person_id": reading.person(resource, of), "visit_id": reading.visit(resource)}


def needed(concept: str | None) -> str:
    """The coded text. Raises Unfit where there is none."""
    if concept is None:
        raise Unfit(NO_CODE)
    return concept
