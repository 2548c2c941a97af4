# ruff: noqa: E501  (rows of tables read better whole)
"""One small made population, written as Synthea's CSV files, as FHIR NDJSON and as FHIR bundles.

Every name, number and code is made up here. The codes stand under the names of real vocabularies, because that is what
a source names them by; what they mean is in :func:`write_vocabulary`, in the layout of an Athena download.
"""

import base64
import csv
import gzip
import json
import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

SYSTEM = {
    "SNOMED": "http://snomed.info/sct",
    "LOINC": "http://loinc.org",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "UCUM": "http://unitsofmeasure.org",
}
OMB = "urn:oid:2.16.840.1.113883.6.238"
RACES = {"white": "2106-3", "black": "2054-5", "asian": "2028-9"}
ETHNICITIES = {"hispanic": "2135-2", "nonhispanic": "2186-5"}
CLASSES = {"ambulatory": "AMB", "emergency": "EMER", "inpatient": "IMP", "home": "HH", "virtual": "VR"}
STATES = {"Maine": "ME", "Ohio": "OH"}

Resource = dict[str, Any]

CONCEPTS: Sequence[tuple[int, str, str, str, str]] = [
    # concept, domain, vocabulary, standard, code
    (2100000001, "Condition", "SNOMED", "S", "c-one"),
    (2100000002, "Condition", "SNOMED", "", "c-two"),  # maps to two conditions
    (2100000003, "Condition", "SNOMED", "S", "c-two-a"),
    (2100000004, "Condition", "SNOMED", "S", "c-two-b"),
    (2100000005, "Observation", "SNOMED", "", "c-history"),  # a history of something: maps to a question and a value
    (2100000006, "Observation", "SNOMED", "S", "history of"),
    (2100000007, "Measurement", "SNOMED", "S", "p-test"),  # a procedure that is a measurement
    (2100000008, "Procedure", "SNOMED", "S", "p-one"),
    (2100000009, "Drug", "RxNorm", "S", "d-one"),
    (2100000010, "Drug", "RxNorm", "", "d-old"),  # maps on to another that is not standard, and that to one that is
    (2100000011, "Drug", "RxNorm", "", "d-newer"),
    (2100000012, "Drug", "CVX", "S", "v-one"),
    (2100000013, "Measurement", "LOINC", "S", "m-one"),
    (2100000014, "Observation", "LOINC", "S", "o-one"),
    (2100000015, "Unit", "UCUM", "S", "mg/dL"),
    (2100000016, "Device", "SNOMED", "S", "x-one"),
    (2100000017, "Observation", "SNOMED", "S", "416098002"),
    (2100000018, "Observation", "SNOMED", "S", "419199007"),
    (2100000019, "Condition", "SNOMED", "S", "c-gone"),  # no longer valid, and maps nowhere
]
MAPS = [(2100000002, 2100000003), (2100000002, 2100000004), (2100000005, 2100000006), (2100000010, 2100000011),
        (2100000011, 2100000009)]  # fmt: skip
VALUES = [(2100000005, 2100000001)]

CONDITIONS = ("c-one", "c-two", "c-history", "c-gone", "c-nobody-knows")
DRUGS = ("d-one", "d-old", "d-nobody-knows")
PROCEDURES = ("p-one", "p-test", "p-nobody-knows")


def write_vocabulary(directory: Path) -> Path:
    """The concepts and their relationships, separated by tabs as Athena writes them."""
    directory.mkdir(exist_ok=True)
    concepts = [("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
                 "concept_code", "valid_start_date", "valid_end_date", "invalid_reason")]  # fmt: skip
    for concept, domain, vocabulary, standard, code in CONCEPTS:
        invalid = "D" if code == "c-gone" else ""
        row = (
            str(concept),
            f"made {concept}",
            domain,
            vocabulary,
            "Made",
            standard,
            code,
            "19700101",
            "20991231",
            invalid,
        )
        concepts.append(row)
    relations = [
        ("concept_id_1", "concept_id_2", "relationship_id", "valid_start_date", "valid_end_date", "invalid_reason")
    ]
    for name, pairs in (("Maps to", MAPS), ("Maps to value", VALUES)):
        relations += [(str(a), str(b), name, "19700101", "20991231", "") for a, b in pairs]
    for name, rows in (("CONCEPT", concepts), ("CONCEPT_RELATIONSHIP", relations)):
        (directory / f"{name}.csv").write_text("".join("\t".join(row) + "\n" for row in rows))
    return directory


@dataclass(frozen=True)
class Patient:
    id: str
    birth: date
    death: date | None
    sex: str
    race: str
    ethnicity: str
    state: str
    zip: str
    ssn: str
    first: str
    last: str
    street: str


@dataclass(frozen=True)
class Visit:
    id: str
    patient: str
    kind: str
    start: date
    end: date
    provider: str
    organization: str


@dataclass(frozen=True)
class Event:
    """``kind`` names Synthea's file; ``more`` has what only that kind has."""

    kind: str
    patient: str
    visit: str
    code: str
    start: date
    end: date | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Population:
    patients: list[Patient]
    visits: list[Visit]
    events: list[Event]
    providers: list[tuple[str, str, str, str]]  # id, organization, sex, speciality
    organizations: list[str]


def population(seed: int, persons: int = 12) -> Population:
    draw = random.Random(seed)

    def new_id() -> str:
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    organizations = [new_id() for _ in range(3)]
    providers = [(new_id(), draw.choice(organizations), draw.choice("MF"), "MADE PRACTICE") for _ in range(5)]
    patients = [_patient(draw, new_id()) for _ in range(persons)]
    visits, events = [], []
    for patient in patients:
        for _ in range(draw.randrange(4)):
            start = patient.birth + timedelta(days=draw.randrange(20_000))
            kind = draw.choice(list(CLASSES))
            end = start + timedelta(days=draw.randrange(9) if kind == "inpatient" else 0)
            provider = draw.choice(providers)
            visits.append(Visit(new_id(), patient.id, kind, start, end, provider[0], provider[1]))
            events += [_event(draw, visits[-1]) for _ in range(draw.randrange(6))]
    return Population(patients, visits, events, providers, organizations)


def _patient(draw: random.Random, id_: str) -> Patient:
    birth = date(1930, 1, 1) + timedelta(days=draw.randrange(25_000))
    death = birth + timedelta(days=25_000 + draw.randrange(5_000)) if draw.random() < 0.3 else None
    return Patient(
        id_, birth, death, draw.choice("MF"), draw.choice(list(RACES)), draw.choice(list(ETHNICITIES)),
        draw.choice(list(STATES)), f"{draw.randrange(100_000):05d}", f"999-{draw.randrange(90) + 10}-1234",
        draw.choice(["Avila", "Bertok", "Chandan"]), draw.choice(["Quill", "Rusk", "Sedge"]), f"{draw.randrange(99)} Elm",
    )  # fmt: skip


def _event(draw: random.Random, visit: Visit) -> Event:
    kind = draw.choice(["conditions", "medications", "immunizations", "procedures", "observations", "texts", "allergies",
                        "devices", "supplies"])  # fmt: skip
    start = visit.start
    later = start + timedelta(days=draw.randrange(200)) if draw.random() < 0.6 else None
    shared = (visit.patient, visit.id)
    match kind:
        case "conditions":
            return Event(kind, *shared, draw.choice(CONDITIONS), start, later)
        case "medications":
            return Event(kind, *shared, draw.choice(DRUGS), start, later, {"dispenses": draw.randrange(1, 5)})
        case "immunizations":
            return Event(kind, *shared, draw.choice(["v-one", "v-nobody-knows"]), start)
        case "procedures":
            return Event(kind, *shared, draw.choice(PROCEDURES), start, later)
        case "observations":
            category = draw.choice(["laboratory", "vital-signs", "survey"])
            value = draw.choice([round(draw.random() * 100, 1), draw.randrange(300)])
            unit = draw.choice(["mg/dL", "{made}"])
            return Event(kind, *shared, draw.choice(["m-one", "o-one", "m-nobody-knows"]), start, None,
                         {"category": category, "value": value, "unit": unit})  # fmt: skip
        case "texts":
            return Event(kind, *shared, draw.choice(["o-one", "o-nobody-knows"]), start, None,
                         {"category": "survey", "value": draw.choice(["Never", "Often"])})  # fmt: skip
        case "allergies":
            category, code = draw.choice(
                [("medication", "d-one"), ("environment", "c-one"), ("food", "f-nobody-knows")]
            )
            return Event(kind, *shared, code, start, None, {"category": category})
        case "devices":
            return Event(kind, *shared, "x-one", start, later)
        case _:
            return Event("supplies", *shared, "x-nobody-knows", start, None, {"quantity": draw.randrange(1, 9)})


def write_synthea(made: Population, directory: Path) -> Path:
    """As Synthea's CSV files."""
    directory.mkdir(exist_ok=True)
    _csv(
        directory, "patients",
        "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,MIDDLE,LAST,SUFFIX,MAIDEN,RACE,ETHNICITY,GENDER,ADDRESS,STATE,ZIP",
        [(p.id, p.birth, p.death, p.ssn, "", "", "", p.first, "", p.last, "", "", p.race, p.ethnicity, p.sex, p.street,
          p.state, p.zip) for p in made.patients],
    )  # fmt: skip
    _csv(directory, "organizations", "Id,NAME", [(each, "Made Hospital") for each in made.organizations])
    _csv(directory, "providers", "Id,ORGANIZATION,NAME,GENDER,SPECIALITY",
         [(id_, site, "Dr. Made", sex, special) for id_, site, sex, special in made.providers])  # fmt: skip
    _csv(
        directory, "encounters", "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,PAYER,ENCOUNTERCLASS,CODE",
        [(v.id, f"{v.start}T08:00:00Z", f"{v.end}T09:00:00Z", v.patient, v.organization, v.provider, "", v.kind, "e-one")
         for v in made.visits],
    )  # fmt: skip
    for name, (header, row) in _ROWS.items():
        kinds = ("observations", "texts") if name == "observations" else (name,)
        _csv(directory, name, header, [row(each) for each in made.events if each.kind in kinds])
    return directory


_ROWS: Mapping[str, Any] = {
    "conditions": ("START,STOP,PATIENT,ENCOUNTER,CODE", lambda e: (e.start, e.end, e.patient, e.visit, e.code)),
    "medications": ("START,STOP,PATIENT,PAYER,ENCOUNTER,CODE,DISPENSES",
                    lambda e: (_time(e.start), _time(e.end), e.patient, "", e.visit, e.code, e.more["dispenses"])),
    "immunizations": ("DATE,PATIENT,ENCOUNTER,CODE", lambda e: (_time(e.start), e.patient, e.visit, e.code)),
    "procedures": ("START,STOP,PATIENT,ENCOUNTER,CODE",
                   lambda e: (_time(e.start), _time(e.end), e.patient, e.visit, e.code)),
    "observations": ("DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,VALUE,UNITS,TYPE",
                     lambda e: (_time(e.start), e.patient, e.visit, e.more["category"], e.code, e.more["value"],
                                e.more.get("unit", ""), "text" if e.kind == "texts" else "numeric")),
    "allergies": ("START,STOP,PATIENT,ENCOUNTER,CODE,SYSTEM,CATEGORY",
                  lambda e: (e.start, "", e.patient, e.visit, e.code, _allergy_system(e), e.more["category"])),
    "devices": ("START,STOP,PATIENT,ENCOUNTER,CODE", lambda e: (_time(e.start), _time(e.end), e.patient, e.visit, e.code)),
    "supplies": ("DATE,PATIENT,ENCOUNTER,CODE,QUANTITY",
                 lambda e: (e.start, e.patient, e.visit, e.code, e.more["quantity"])),
}  # fmt: skip


def _allergy_system(event: Event) -> str:
    return "RxNorm" if event.more["category"] == "medication" else "SNOMED-CT"


def _time(day: date | None) -> str:
    return f"{day}T08:30:00Z" if day else ""


def _csv(directory: Path, name: str, header: str, rows: Iterable[Sequence[object]]) -> None:
    with (directory / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [header.split(","), *([each if each is not None else "" for each in row] for row in rows)]
        )


def coded(vocabulary: str, code: str) -> Resource:
    """A CodeableConcept."""
    return {"coding": [{"system": SYSTEM.get(vocabulary, vocabulary), "code": code, "display": "made"}]}


def fhir(made: Population) -> list[Resource]:
    """As FHIR resources, with relative references."""
    resources: list[Resource] = [{"resourceType": "Organization", "id": each} for each in made.organizations]
    for id_, site, sex, special in made.providers:
        resources.append({"resourceType": "Practitioner", "id": id_, "gender": "male" if sex == "M" else "female",
                          "identifier": [{"system": "urn:made:npi", "value": id_[:8]}]})  # fmt: skip
        resources.append({"resourceType": "PractitionerRole", "id": f"role-{id_}", "practitioner": refer("Practitioner", id_),
                          "organization": refer("Organization", site),
                          "specialty": [coded("Synthea speciality", special)]})  # fmt: skip
    resources += [_fhir_patient(each) for each in made.patients]
    resources += [_fhir_visit(each) for each in made.visits]
    for number, event in enumerate(made.events):
        resources += _fhir_event(event, f"event-{number}")
    return resources


def refer(kind: str, id_: str) -> Resource:
    """A reference."""
    return {"reference": f"{kind}/{id_}"}


def _fhir_patient(patient: Patient) -> Resource:
    resource: Resource = {
        "resourceType": "Patient", "id": patient.id, "birthDate": str(patient.birth),
        "gender": "male" if patient.sex == "M" else "female",
        "extension": [_omb("race", RACES[patient.race]), _omb("ethnicity", ETHNICITIES[patient.ethnicity])],
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": patient.ssn}],
        "name": [{"use": "official", "family": patient.last, "given": [patient.first]}],
        "address": [{"line": [patient.street], "state": STATES[patient.state], "postalCode": patient.zip}],
    }  # fmt: skip
    return resource | ({"deceasedDateTime": f"{patient.death}T10:00:00+01:00"} if patient.death else {})


def _omb(name: str, code: str) -> Resource:
    inside = [{"url": "ombCategory", "valueCoding": {"system": OMB, "code": code}}]
    return {"url": f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}", "extension": inside}


def _fhir_visit(visit: Visit) -> Resource:
    return {
        "resourceType": "Encounter", "id": visit.id, "status": "finished", "class": {"code": CLASSES[visit.kind]},
        "subject": refer("Patient", visit.patient), "serviceProvider": refer("Organization", visit.organization),
        "participant": [{"individual": refer("Practitioner", visit.provider)}],
        "period": {"start": f"{visit.start}T08:00:00Z", "end": f"{visit.end}T09:00:00Z"},
    }  # fmt: skip


def _period(event: Event) -> Resource:
    return {"start": str(event.start)} | ({"end": str(event.end)} if event.end else {})


def _fhir_event(event: Event, id_: str) -> list[Resource]:
    shared: Resource = {
        "id": id_,
        "subject": refer("Patient", event.patient),
        "encounter": refer("Encounter", event.visit),
    }
    of_patient = {("patient" if name == "subject" else name): value for name, value in shared.items()}
    match event.kind:
        case "conditions":
            own: Resource = {
                "resourceType": "Condition",
                "code": coded("SNOMED", event.code),
                "onsetDateTime": str(event.start),
            }
            return [shared | own | ({"abatementDateTime": str(event.end)} if event.end else {})]
        case "medications":
            own = {"resourceType": "MedicationRequest", "status": "active", "intent": "order",
                   "medicationCodeableConcept": coded("RxNorm", event.code), "authoredOn": str(event.start),
                   "dispenseRequest": {"numberOfRepeatsAllowed": event.more["dispenses"] - 1},
                   "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": _period(event)}}}]}  # fmt: skip
            return [shared | own]
        case "immunizations":
            return [of_patient | {"resourceType": "Immunization", "status": "completed", "vaccineCode": coded("CVX", event.code),
                                  "occurrenceDateTime": str(event.start)}]  # fmt: skip
        case "procedures":
            return [shared | {"resourceType": "Procedure", "status": "completed", "code": coded("SNOMED", event.code),
                              "performedPeriod": _period(event)}]  # fmt: skip
        case "observations" | "texts":
            return [shared | _fhir_observation(event)]
        case "allergies":
            vocabulary = "RxNorm" if event.more["category"] == "medication" else "SNOMED"
            return [of_patient | {"resourceType": "AllergyIntolerance", "code": coded(vocabulary, event.code),
                                  "recordedDate": str(event.start), "category": [event.more["category"]]}]  # fmt: skip
        case "devices":
            device = {"resourceType": "Device", "id": f"device-{id_}", "type": coded("SNOMED", event.code)}
            use = {"resourceType": "DeviceUseStatement", "status": "active", "device": refer("Device", f"device-{id_}"),
                   "timingPeriod": _period(event)}  # fmt: skip
            return [device, shared | use]
        case _:
            item = {"itemCodeableConcept": coded("SNOMED", event.code), "quantity": {"value": event.more["quantity"]}}
            return [of_patient | {"resourceType": "SupplyDelivery", "status": "completed", "suppliedItem": item,
                                  "occurrenceDateTime": str(event.start)}]  # fmt: skip


def _fhir_observation(event: Event) -> Resource:
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": event.more["category"]}
    own = {"resourceType": "Observation", "status": "final", "code": coded("LOINC", event.code),
           "category": [{"coding": [category]}], "effectiveDateTime": f"{event.start}T23:30:00-05:00"}  # fmt: skip
    if event.kind == "texts":
        return own | {"valueString": event.more["value"]}
    unit = event.more["unit"]
    quantity = {"value": event.more["value"], "unit": unit, "system": SYSTEM["UCUM"], "code": unit}
    return own | {"valueQuantity": quantity}


def write_ndjson(resources: Iterable[Resource], directory: Path, packed: bool = False) -> Path:
    """As bulk NDJSON, one file for each type."""
    directory.mkdir(exist_ok=True)
    by_type: dict[str, list[Resource]] = {}
    for each in resources:
        by_type.setdefault(each["resourceType"], []).append(each)
    for kind, held in by_type.items():
        text = "".join(json.dumps(each) + "\n" for each in held).encode()
        name = f"{kind}.000.ndjson"
        (directory / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(text) if packed else text)
    return directory


def write_bundles(made: Population, directory: Path) -> Path:
    """As transaction bundles: one of places and clinicians, one for each patient, referring by ``urn:uuid:``."""
    directory.mkdir(exist_ok=True)
    resources, npi = fhir(made), {id_: id_[:8] for id_, *_ in made.providers}
    places = ("Organization", "Practitioner", "PractitionerRole")
    _bundle(directory / "hospitals.json", [each for each in resources if each["resourceType"] in places], npi)
    for number, patient in enumerate(made.patients):
        _bundle(
            directory / f"patient {number}.json",
            [each for each in resources if _is_of(each, patient.id, resources)],
            npi,
        )
    return directory


def _is_of(resource: Resource, patient: str, resources: list[Resource]) -> bool:
    if resource["resourceType"] == "Device":
        users = [each for each in resources if each.get("device") == refer("Device", resource["id"])]
        return any(_is_of(each, patient, resources) for each in users)
    subject = resource.get("subject") or resource.get("patient") or {}
    return (resource["resourceType"] == "Patient" and resource["id"] == patient) or subject == refer("Patient", patient)


def _bundle(path: Path, resources: list[Resource], npi: Mapping[str, str]) -> None:
    own = {each["id"] for each in resources}
    entries = [{"fullUrl": f"urn:uuid:{each['id']}", "resource": _as_urn(each, own, npi),
                "request": {"method": "POST", "url": each["resourceType"]}} for each in resources]  # fmt: skip
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}, indent=1))


def _as_urn(value: Any, own: set[str], npi: Mapping[str, str]) -> Any:
    """References inside the bundle by its entries' addresses, those to clinicians outside by their number."""
    if isinstance(value, list):
        return [_as_urn(each, own, npi) for each in value]
    if not isinstance(value, dict):
        return value
    kind, _, id_ = str(value.get("reference", "")).partition("/")
    if id_ in own:
        return {"reference": f"urn:uuid:{id_}"}
    if kind == "Practitioner":
        return {"reference": f"Practitioner?identifier=urn:made:npi|{npi[id_]}"}
    return {name: _as_urn(each, own, npi) for name, each in value.items()}


def attachment(text: str, kind: str = "text/plain; charset=utf-8") -> Resource:
    """A text as an attachment holds it."""
    return {"contentType": kind, "data": base64.b64encode(text.encode()).decode()}
