"""Notes: documents, and reports that are a text."""

from vitrail.ingest.fhir_elements import Element, Unfit, codes, day, note_text, part, parts, period, text
from vitrail.ingest.fhir_reading import Made, Reading, Row
from vitrail.ingest.standard import (
    NOTE,
)

RESULTS = "its results are Observations of their own"


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
        "visit_id": reading.first(context, "encounter", "Encounter"),
        "provider_id": reading.first(resource, "author", "Practitioner"),
        "type": str(NOTE),
    }
    return "note", [row]


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
        "provider_id": reading.first(resource, "performer", "Practitioner"),
        "type": str(NOTE),
    }
    return "note", [row]


def _first_text(held: list[Element]) -> str:
    found = next((words for each in held if (words := note_text(each))), None)
    if found is None:
        raise Unfit("the note is no text")
    return found
