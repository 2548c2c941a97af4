"""Sources of a few hundred made people with canaries (:mod:`tests.canaries`) in every kind of place that a format has.

A line of a list below names a place and what is planted there. ``#`` behind it plants a number, ``*`` one canary with
many people, so that it is not rare; text behind these is what surrounds the canary.
"""

import base64
import copy
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.canaries import KINDS, Aviary
from tests.clinical_sources import attachment, coded, refer, write_ndjson, write_vocabulary

Resource = dict[str, Any]

PEOPLE = 60
"""People whose records have canaries; those whose own record has one come on top."""

MANY = 25
"""So many people share a canary that is not rare."""

DAY = "2016-05-04"


@dataclass(frozen=True)
class Place:
    """Where a canary is planted, and how: a kind, whether as a number or with many people, and what surrounds it."""

    of: str
    at: str
    kind: str
    number: bool
    shared: bool
    around: str

    def value(self, text: str) -> str | int:
        return int(text.replace("-", "")) if self.number else self.around.replace("{}", text) or text

    @property
    def name(self) -> str:
        return (
            f"{self.of} {self.at}"
            + (" of many people" if self.shared else "")
            + (" as a number" if self.number else "")
        )


def places(listed: str) -> list[Place]:
    """The places that a list names, with the table or type that stands before the colon."""
    found, of = [], ""
    for line in listed.strip().splitlines():
        head, colon, rest = line.strip().partition(": ")
        of, rest = (head, rest) if colon and " " not in head else (of, line.strip())
        at, kind, *around = rest.split(" ", 2)
        found.append(Place(of, at, kind.rstrip("#*"), "#" in kind, "*" in kind, around[0] if around else ""))
    return found


FHIR = """
Patient: name[].text name
    name[].family name
    name[].given[] name
    name[].extension[].valueString name
    _birthDate.extension[].valueDateTime time
    birthDate date
    identifier[].value mrn
    identifier[].system name urn:of:{}
    identifier[].assigner.display name
    telecom[].value phone
    telecom[].value email
    address[].line[] address
    address[].text address
    address[].city name
    address[].district name
    address[].state name
    address[].postalCode phone
    text.div name <div xmlns="http://www.w3.org/1999/xhtml">Seen: <b>{}</b></div>
    text.div mrn <div>MRN {}</div>
    extension[].valueString name
    extension[].extension[].extension[].valueString mrn
    extension[].url name http://made.example/{}
    extension[].valueAddress.text address
    modifierExtension[].valueString name
    contained[].name[].text name
    contained[].telecom[].value phone
    photo[].title name
    photo[].url name https://made.example/{}.jpg
    contact[].name.text name
    contact[].telecom[].value phone
    contact[].address.line[] address
    communication[].language.text name
    generalPractitioner[].display name
    managingOrganization.display name
    link[].other.display name
    meta.tag[].display name
    meta.source name urn:{}
    meta.lastUpdated time {}Z
    maritalStatus.text name
    gender name
    deceasedDateTime time {}Z
    multipleBirthInteger mrn#
    id mrn
    id name
    madeElement.inside[].again name
Encounter: identifier[].value mrn
    text.div name <div>{}</div>
    class.code name
    class.display name
    type[].text name
    type[].coding[].code phone
    reasonCode[].text name
    participant[].individual.display name
    location[].location.display name
    serviceProvider.display name
    period.start time {}Z
    hospitalization.destination.display address
    length.value mrn#
Condition: code.text name
    code.coding[].display name
    code.coding[].code name
    code.coding[].code mrn*
    code.coding[].code phone
    code.coding[].system name urn:own:{}
    code.coding[].version name
    note[].text name
    note[].time time {}Z
    recordedDate time {}Z
    abatementString name
    asserter.display name
    evidence[].detail[].display name
    bodySite[].text name
    bodySite[].coding[].code name
    stage[].summary.text name
    id mrn
Observation: valueString name
    valueString phone*
    valueString time
    valueString email
    valueInteger mrn#
    valueDateTime time {}Z
    valueQuantity.value mrn#
    valueQuantity.unit name
    valueQuantity.code name*
    valueCodeableConcept.text name
    valueCodeableConcept.coding[].code name
    valueCodeableConcept.coding[].code mrn*
    valueCodeableConcept.coding[].display address
    valueAttachment.title name
    component[].code.text name
    component[].valueString mrn
    referenceRange[].text name
    referenceRange[].low.value mrn#
    referenceRange[].high.value phone#
    method.text name
    device.display mrn
    specimen.display mrn
    interpretation[].text name
    performer[].display name
    effectiveDateTime time {}Z
    note[].text name
MedicationRequest: medicationCodeableConcept.text name
    medicationCodeableConcept.coding[].code name
    dosageInstruction[].text name
    dosageInstruction[].patientInstruction name
    dosageInstruction[].route.coding[].code name
    dispenseRequest.quantity.value mrn#
    dispenseRequest.numberOfRepeatsAllowed mrn#
    dispenseRequest.performer.display name
    requester.display name
    identifier[].value mrn
    authoredOn time {}Z
    contained[].name[].text name
Procedure: code.coding[].code name
    outcome.text name
    complication[].text name
    usedReference[].display mrn
    performer[].actor.display name
    performedDateTime time {}Z
Immunization: lotNumber mrn
    note[].text name
    doseQuantity.value mrn#
    performer[].actor.display name
AllergyIntolerance: note[].text name
    reaction[].description name
    code.text name
    code.coding[].code name
Device: udiCarrier[].carrierHRF mrn
    serialNumber mrn
    deviceName[].name name
    owner.display name
Practitioner: name[].text name
    identifier[].value mrn
    telecom[].value phone
    address[].line[] address
    qualification[].code.text name
    id name
PractitionerRole: specialty[].coding[].code name
    telecom[].value phone
Organization: name name
    alias[] name
    telecom[].value phone
    address[].line[] address
Location: name name
    address.line[] address
    position.longitude mrn#
RelatedPerson: name[].text name
    telecom[].value phone
    birthDate date
Appointment: description name
    participant[].actor.display name
Claim: patient.display name
    billablePeriod.start time {}Z
DocumentReference: description name
    content[].attachment.title name
    content[].attachment.url name https://made.example/{}.pdf
    masterIdentifier.value mrn
    authenticator.display name
    date time {}Z
    type.text name
DiagnosticReport: conclusion name
    presentedForm[].title name
    code.coding[].code name
Zymograph: name name
"""
"""Places of FHIR: ``[]`` is a new element of a list."""

BASE: dict[str, Resource] = {
    "Patient": {"gender": "female", "birthDate": "1958-06-15"},
    "Encounter": {"status": "finished", "class": {"code": "AMB"}, "period": {"start": DAY, "end": DAY}},
    "Condition": {"code": coded("SNOMED", "c-one"), "onsetDateTime": DAY},
    "Observation": {"status": "final", "code": coded("LOINC", "o-one"), "effectiveDateTime": DAY},
    "MedicationRequest": {"status": "active", "intent": "order", "medicationCodeableConcept": coded("RxNorm", "d-one"),
                          "authoredOn": DAY},
    "Procedure": {"status": "completed", "code": coded("SNOMED", "p-one"), "performedDateTime": DAY},
    "Immunization": {"status": "completed", "vaccineCode": coded("CVX", "v-one"), "occurrenceDateTime": DAY},
    "AllergyIntolerance": {"code": coded("SNOMED", "c-one"), "recordedDate": DAY},
    "Device": {"type": coded("SNOMED", "x-one")},
    "DocumentReference": {"status": "current", "date": DAY, "content": [{"attachment": attachment("No complaint.")}]},
    "DiagnosticReport": {"status": "final", "effectiveDateTime": DAY, "presentedForm": [attachment("All is well.")]},
}  # fmt: skip
"""What a resource needs beside its canary to be loaded."""

OF_PATIENT = ("Immunization", "AllergyIntolerance", "RelatedPerson")
NOBODYS = ("Patient", "Practitioner", "PractitionerRole", "Organization", "Location", "Device", "Zymograph")


def put(into: Resource, path: str, value: object) -> None:
    """Set what ``path`` names; ``[]`` is a new element of a list, or the first where it goes on."""
    at: Any = into
    *heads, last = path.split(".")
    for name in heads:
        if name.endswith("[]"):
            held = at.setdefault(name[:-2], [])
            held.append({}) if not held or name in ("name[]", "extension[]", "contained[]") else None
            at = held[-1] if name in ("name[]", "extension[]", "contained[]") else held[0]
        else:
            at = at.setdefault(name, {})
    if last.endswith("[]"):
        at.setdefault(last[:-2], []).append(value)
    else:
        at[last] = value


def fhir(birds: Aviary, each: int) -> list[Resource]:
    """Resources with ``each`` canaries in every place of :data:`FHIR`, and in every kind of note."""
    made = [_resource("Patient", f"p{n}", n) for n in range(PEOPLE)]
    for place in places(FHIR):
        shared = birds.hatch(place.name, place.kind) if place.shared else None
        for _ in range(MANY if shared else each):
            new = _resource(place.of, f"r{len(made)}", len(made))
            put(new, place.at, place.value(shared or birds.hatch(place.name, place.kind)))
            made.append(new)
    made += _noted(birds, each)
    persons = [new for new in made if new["resourceType"] == "Patient"]
    made += [_of(_resource("Encounter", f"v{n}-{at}", n), person["id"], _later(300 * at + n % 200))
             for n, person in enumerate(persons) for at in range(-3, 4)]  # fmt: skip
    return made


def _later(days: int) -> str:
    return str(date(2016, 5, 4) + timedelta(days=days))


def _of(visit: Resource, person: str, day: str) -> Resource:
    return visit | {"subject": refer("Patient", person), "period": {"start": day, "end": day}}


def _resource(type_: str, id_: str, number: int) -> Resource:
    new = {"resourceType": type_, "id": id_, **copy.deepcopy(BASE.get(type_, {}))}
    if type_ not in NOBODYS:
        new["patient" if type_ in OF_PATIENT else "subject"] = refer("Patient", f"p{number % PEOPLE}")
    return new


KNOWN = {
    "name": ("name[].text", "{} came with a cough. No fever."),
    "mrn": ("identifier[].value", "Record {} was opened. Lungs clear."),
    "date": ("birthDate", "The patient was born {} and feels well."),
    "phone": ("telecom[].value", "Call {} with the results of the labs."),
    "address": ("address[].line[]", "Lives at {} with a dog."),
    "email": ("telecom[].value", "Results go to {} next week."),
}
"""What a note says that the person's own record knows, too."""

UNKNOWN = {
    "name": "Seen by Dr. {}, who agrees.",
    "mrn": "MRN: {}. Lungs clear.",
    "date": "Admitted on {} with a cough.",
    "time": "Signed {}.",
    "phone": "Call the pharmacy at {}.",
    "address": "The brother lives at {}.",
    "email": "Write to {}.",
}
"""What a note says of others, or of what no record knows."""


def _rtf(text: str) -> Resource:
    return attachment(r"{\rtf1\ansi{\fonttbl{\f0 Times;}}\f0\b Note\b0\par " + text + r"\par}", "application/rtf")


def _html(text: str) -> Resource:
    words = re.sub(r"\. ", ".</p><p>", text)
    return attachment(f"<html><body><!-- draft --><p>{words}</p></body></html>", "text/html")


def _latin(text: str) -> Resource:
    data = base64.b64encode(f"Caf\xe9. {text}".encode("latin-1")).decode()
    return {"contentType": "text/plain; charset=iso-8859-1", "data": data}


WRITTEN: dict[str, Callable[[str], Resource]] = {
    "a text": attachment, "RTF": _rtf, "HTML": _html, "Latin letters": _latin,
    "capitals": lambda text: attachment(text.upper()),
    "PDF": lambda text: attachment(text, "application/pdf"),
}  # fmt: skip


def _noted(birds: Aviary, each: int) -> Iterator[Resource]:
    """Documents of every kind with what is known of their person, and with what is not."""
    number = 0
    for how, written in WRITTEN.items():
        for kind in KINDS:
            for _ in range(each):
                number += 1
                person, document = (_resource(type_, f"n{number}", 0) for type_ in ("Patient", "DocumentReference"))
                document["subject"] = refer("Patient", person["id"])
                weight = birds.weight()
                if kind in KNOWN:
                    at, told = KNOWN[kind]
                    text = birds.hatch(f"a note as {how}: the person's own {kind}", kind, beside(kind, weight))
                    put(person, at, text)
                    document["content"] = [{"attachment": written(f"{told.replace('{}', text)} Her {weight} today.")}]
                    yield from (person, document)
                other = document | {"id": f"o{number}"}
                weight = birds.weight()
                text = birds.hatch(f"a note as {how}: a {kind} that no record knows", kind, beside(kind, weight))
                told = f"{UNKNOWN[kind].replace('{}', text)} Her {weight} today."
                other["content"] = [{"attachment": written(told)}]
                yield from (other,) if kind in KNOWN else (person, other)


def write_fhir(birds: Aviary, each: int, directory: Path, packed: bool = False) -> Path:
    """As NDJSON, with what is damaged, and with names of files."""
    write_ndjson(fhir(birds, each), directory, packed)
    for _ in range(each):
        _damage(birds, directory)
    return directory


def write_bundles(birds: Aviary, each: int, directory: Path) -> Path:
    """The same as bundles, each called by a name and a number; some are damaged."""
    directory.mkdir()
    resources = fhir(birds, each)
    for start in range(0, len(resources), 200):
        called = f"{birds.hatch('the name of a bundle', 'name')} {birds.hatch('the name of a bundle', 'mrn')}"
        entries = [{"resource": one} for one in resources[start : start + 200]]
        entries[0]["fullUrl"] = f"urn:uuid:{birds.hatch('the address of an entry', 'mrn')}"
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        (directory / f"{called}.json").write_text(json.dumps(bundle))
    inside = directory / birds.hatch("the name of a directory", "name")
    inside.mkdir()
    (inside / "cut.json").write_text(json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": _resource("Patient", birds.hatch("a bundle that is cut off", "name"), 0)}]})[:-4])  # fmt: skip
    return directory


def beside(kind: str, words: str) -> str:
    """The words that a canary of ``kind`` is only a leak beside, in a note."""
    return words if kind in ("date", "time") else ""


def _damage(birds: Aviary, directory: Path) -> None:
    """Lines that cannot be read, files that are none, and names of files."""
    whole = json.dumps(_resource("Patient", "damaged", 0))
    lines = {
        "a line that is cut off": whole[:-1] + ', "name": [{"text": "{}',
        "a key that stands twice": whole[:-1] + ', "{}": 1, "{}": 2}',
        "a number out of range": '{"resourceType": "Observation", "valueInteger": 1e999, "id": "{}"}',
        "half a character": whole[:-1] + r', "name": [{"text": "{}\ud800"}]}',
        "a line that is no JSON": "<Patient><name>{}</name></Patient>",
        "a line that is no resource": '["{}"]',
        "a type that is none": '{"resourceType": "{}"}',
        "a status that is none": '{"resourceType": "Encounter", "id": "x", "status": "{}"}',
    }
    called = directory / f"Patient.{birds.hatch('the name of an NDJSON file', 'name')}.ndjson"
    text = "\n".join(line.replace("{}", birds.hatch(place, "name")) for place, line in lines.items())
    called.write_bytes(text.encode() + f"\n{birds.hatch('a line in no encoding', 'name')}".encode() + b"\xff\n")
    deep = "[" * 5000 + f'"{birds.hatch("JSON that is nested deeply", "mrn")}"' + "]" * 5000
    (directory / f"{birds.hatch('the name of another file', 'mrn')}.txt").write_text(
        birds.hatch("another file", "name")
    )
    (directory / f"deep {called.stem}.json").write_text(deep)
    packed = gzip.compress(json.dumps(_resource("Patient", birds.hatch("a packed file", "name"), 0)).encode())
    (directory / f"{called.stem} packed.ndjson.gz").write_bytes(packed)


def write_words(directory: Path) -> Path:
    """The vocabulary."""
    return write_vocabulary(directory)
