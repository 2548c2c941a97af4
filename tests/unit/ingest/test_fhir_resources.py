"""What each FHIR resource becomes, one line for each rule; docs/reference/fhir.md says why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clinical_sources import OMB, Resource, attachment, coded
from vitrail.ingest.fhir_elements import References, Unfit, day
from vitrail.ingest.fhir_identity import known_identifiers, merges
from vitrail.ingest.fhir_reading import Reading, judge_status
from vitrail.ingest.fhir_resources import READ

PATIENT = {"subject": {"reference": "Patient/p"}}
CODE = coded("SNOMED", "1")
ORDER = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    **PATIENT,
    "medicationCodeableConcept": coded("RxNorm", "2"),
    "authoredOn": "2020-05-06",
}
CONDITION = {"resourceType": "Condition", **PATIENT, "code": CODE, "recordedDate": "2020-05-06"}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    **PATIENT,
    "code": coded("LOINC", "3"),
    "effectiveDateTime": "2020-05-06",
}
DOCUMENT = {"resourceType": "DocumentReference", "status": "current", **PATIENT, "date": "2020-05-06T01:02:03.456Z"}
PROCEDURE = {
    "resourceType": "Procedure",
    "status": "completed",
    **PATIENT,
    "code": CODE,
    "performedDateTime": "2020-05-06",
}
PERSON = {"resourceType": "Patient", "id": "p", "birthDate": "1950-06-07"}
OMB_EXTENSION = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def category(code: str) -> Resource:
    return {
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]}
        ]
    }


def omb(name: str, *codes: str) -> Resource:
    inside = [{"url": "ombCategory", "valueCoding": {"system": OMB, "code": code}} for code in codes]
    return {"extension": [{"url": f"{OMB_EXTENSION}{name}", "extension": inside}]}


def made(resource: Resource) -> list[dict[str, Any]]:
    """The records of a resource, without what is null."""
    judge_status(resource)
    _, rows = READ[resource["resourceType"]]({"id": "x", **resource}, Reading())
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


BECOMES: list[tuple[str, Resource, dict[str, Any]]] = [
    (
        "the sex at birth goes before the gender",
        PERSON | {"gender": "other", "extension": [{"url": f"{OMB_EXTENSION}birthsex", "valueCode": "F"}]},
        {"gender": "F"},
    ),
    ("a gender alone", PERSON | {"gender": "male"}, {"gender": "male"}),
    ("one race", PERSON | omb("race", "2106-3"), {"race": "2106-3"}),
    ("several races are none of them", PERSON | omb("race", "2106-3", "2028-9"), {"race": None}),
    (
        "an address in use",
        PERSON
        | {
            "address": [
                {"use": "old", "postalCode": "1"},
                {"postalCode": "2", "period": {"end": "2001"}},
                {"postalCode": "3"},
            ]
        },
        {"zip": "3"},
    ),
    ("a year of birth is enough", PERSON | {"birthDate": "1950"}, {"birth": "1950-01-01"}),
    ("a death in a month was on its last day", PERSON | {"deceasedDateTime": "2004-02"}, {"death": "2004-02-29"}),
    ("a death in a year was on its last day", PERSON | {"deceasedDateTime": "2004"}, {"death": "2004-12-31"}),
    ("dead, but not when", PERSON | {"deceasedBoolean": True}, {"death": None}),
    ("onset goes before record", CONDITION | {"onsetDateTime": "2019-01"}, {"start": "2019-01-01"}),
    (
        "onset as a period",
        CONDITION | {"onsetPeriod": {"start": "2018", "end": "2019-03"}},
        {"start": "2018-01-01", "end": "2019-03-31"},
    ),
    ("abatement", CONDITION | {"abatementDateTime": "2021"}, {"end": "2021-12-31"}),
    ("a record alone", CONDITION, {"start": "2020-05-06", "codes": "SNOMED\t1", "type": "32817"}),
    (
        "a problem list",
        CONDITION
        | {
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                            "code": "problem-list-item",
                        }
                    ]
                }
            ]
        },
        {"type": "32840"},
    ),
    (
        "the local day as it was written",
        CONDITION | {"onsetDateTime": "2020-12-31T23:59:59-11:00"},
        {"start": "2020-12-31"},
    ),
    ("words alone are concept 0", CONDITION | {"code": {"text": "made words"}}, {"codes": "\t"}),
    (
        "the coding that a person chose stands first",
        CONDITION
        | {
            "code": {
                "coding": [
                    {"system": "urn:own", "code": "a"},
                    {"system": "http://snomed.info/sct", "code": "b", "userSelected": True},
                ]
            }
        },
        {"codes": "SNOMED\tb\nurn:own\ta"},
    ),
    (
        "supply in weeks",
        ORDER
        | {
            "dispenseRequest": {
                "expectedSupplyDuration": {"value": 2, "code": "wk"},
                "numberOfRepeatsAllowed": 3,
                "quantity": {"value": 28},
            }
        },
        {"days": "14", "refills": "3", "quantity": "28"},
    ),
    (
        "a supply in hours says nothing",
        ORDER | {"dispenseRequest": {"expectedSupplyDuration": {"value": 2, "code": "h"}}},
        {"days": None},
    ),
    (
        "the dosage's bounds go before the order's day",
        ORDER
        | {
            "dosageInstruction": [
                {"timing": {"repeat": {"boundsPeriod": {"start": "2020-06-01", "end": "2020-06-09"}}}}
            ]
        },
        {"start": "2020-06-01", "end": "2020-06-09"},
    ),
    (
        "a contained medication",
        {name: each for name, each in ORDER.items() if name != "medicationCodeableConcept"}
        | {
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": coded("RxNorm", "9")}],
        },
        {"codes": "RxNorm\t9", "product_id": None},
    ),
    (
        "a medication elsewhere",
        {name: each for name, each in ORDER.items() if name != "medicationCodeableConcept"}
        | {"medicationReference": {"reference": "Medication/m"}},
        {"codes": None, "product_id": "Medication/m"},
    ),
    (
        "a number with its unit and range",
        OBSERVATION
        | {
            "valueQuantity": {
                "value": 1.5,
                "comparator": "<",
                "unit": "words",
                "system": "http://unitsofmeasure.org",
                "code": "mg/dL",
            },
            "referenceRange": [{"low": {"value": 1}, "high": {"value": 2}}],
        },
        {"number": "1.5", "operator": "<", "unit": "UCUM\tmg/dL", "low": "1", "high": "2", "kind": "measurement"},
    ),
    (
        "a printed unit is taken for UCUM",
        OBSERVATION | {"valueQuantity": {"value": 1, "unit": "kg"}},
        {"unit": "UCUM\tkg"},
    ),
    ("a coded value", OBSERVATION | {"valueCodeableConcept": CODE}, {"value": "SNOMED\t1", "kind": "observation"}),
    (
        "laboratory texts are measurements",
        OBSERVATION | category("laboratory") | {"valueString": "made"},
        {"words": "made", "kind": "measurement", "type": "32856"},
    ),
    (
        "survey numbers are observations",
        OBSERVATION | category("survey") | {"valueInteger": 7},
        {"number": "7", "kind": "observation"},
    ),
    ("yes and no", OBSERVATION | {"valueBoolean": False}, {"words": "false"}),
    ("no result", OBSERVATION | {"dataAbsentReason": CODE}, {"codes": "LOINC\t3", "number": None}),
    (
        "an instant",
        {name: each for name, each in OBSERVATION.items() if name != "effectiveDateTime"}
        | {"effectiveInstant": "2020-01-02T03:04:05Z"},
        {"start": "2020-01-02"},
    ),
    (
        "a note is as it is",
        DOCUMENT | {"content": [{"attachment": attachment("<b>made</b>", "text/html")}]},
        {"words": "<b>made</b>", "start": "2020-05-06"},
    ),
    (
        "of several formats the first that is text",
        DOCUMENT
        | {
            "content": [
                {"attachment": attachment("%PDF", "application/pdf")},
                {"attachment": attachment("{\\rtf1 made}", "application/rtf")},
            ]
        },
        {"words": "{\\rtf1 made}"},
    ),
    (
        "a note in Latin-1",
        DOCUMENT | {"content": [{"attachment": {"contentType": "text/plain; charset=ISO-8859-1", "data": "6Q=="}}]},
        {"words": "é"},
    ),
    (
        "an allergy asks its question",
        {
            "resourceType": "AllergyIntolerance",
            "patient": PATIENT["subject"],
            "code": coded("RxNorm", "2"),
            "recordedDate": "2020",
            "category": ["medication"],
        },
        {"question": "SNOMED\t416098002", "start": "2020-01-01"},
    ),
    (
        "a patient by an identifier",
        CONDITION | {"subject": {"identifier": {"system": "s", "value": "v"}}},
        {"person_id": "Patient?s|v"},
    ),
    (
        "a patient by a search",
        CONDITION | {"subject": {"reference": "Patient?identifier=s|v"}},
        {"person_id": "Patient?s|v"},
    ),
    ("a patient's version", CONDITION | {"subject": {"reference": "Patient/p/_history/2"}}, {"person_id": "p"}),
    (
        "a patient on a server",
        CONDITION | {"subject": {"reference": "https://made.example/fhir/Patient/p"}},
        {"person_id": "p"},
    ),
]


@pytest.mark.parametrize(("resource", "expected"), [each[1:] for each in BECOMES], ids=[each[0] for each in BECOMES])
def test_what_a_resource_becomes(resource: Resource, expected: dict[str, Any]) -> None:
    (row,) = made(resource)
    assert {name: row.get(name) for name in expected} == expected


REFUSED: list[tuple[str, Resource, str]] = [
    ("in error", OBSERVATION | {"status": "entered-in-error"}, "its status is entered-in-error"),
    ("not done", PROCEDURE | {"status": "not-done"}, "its status is not-done"),
    ("cancelled", ORDER | {"status": "cancelled"}, "its status is cancelled"),
    (
        "refuted",
        CONDITION
        | {
            "verificationStatus": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]
            }
        },
        "its status is refuted",
    ),
    ("a status that FHIR does not know", PROCEDURE | {"status": "SECRET"}, "its status is not as FHIR has it"),
    ("no status", {**PROCEDURE, "status": None}, "its status is not as FHIR has it"),
    ("a plan", ORDER | {"intent": "plan"}, "it is no order"),
    ("what not to do", ORDER | {"doNotPerform": True}, "it says what not to do"),
    ("of a group", PROCEDURE | {"subject": {"reference": "Group/SECRET"}}, "it is of no Patient"),
    (
        "of a contained patient",
        PROCEDURE | {"subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient", "id": "p"}]},
        "it is of no Patient",
    ),
    ("contained, but not there", PROCEDURE | {"subject": {"reference": "#p"}}, "a contained resource is not there"),
    ("no code", CONDITION | {"code": None}, "a code is missing"),
    ("a code with a line break", CONDITION | {"code": coded("SNOMED", "SEC\nRET")}, "a code is not as FHIR has it"),
    ("a code that is a number", CONDITION | {"code": {"coding": [{"code": 7}]}}, "code is no text"),
    ("a concept that is a list", CONDITION | {"code": ["SECRET"]}, "code is not as FHIR has it"),
    ("a day that is none", CONDITION | {"onsetDateTime": "2020-02-30"}, "onsetDateTime is no date"),
    ("a day in words", CONDITION | {"onsetDateTime": "SECRET"}, "onsetDateTime is no date"),
    ("a number in words", OBSERVATION | {"valueQuantity": {"value": "SECRET"}}, "value is no number"),
    ("a number that is true", OBSERVATION | {"valueInteger": True}, "valueInteger is no number"),
    ("a number out of range", OBSERVATION | {"valueQuantity": {"value": 1e300}}, "value is out of range"),
    (
        "a comparator",
        OBSERVATION | {"valueQuantity": {"value": 1, "comparator": "SECRET"}},
        "comparator is not as FHIR has it",
    ),
    (
        "a group of Observations",
        OBSERVATION | {"hasMember": [{"reference": "Observation/1"}]},
        "it only groups other Observations",
    ),
    (
        "a note elsewhere",
        DOCUMENT | {"content": [{"attachment": {"contentType": "text/plain", "url": "https://SECRET"}}]},
        "the note is elsewhere, and not in the source",
    ),
    ("a picture", DOCUMENT | {"content": [{"attachment": attachment("SECRET", "image/png")}]}, "the note is no text"),
    (
        "broken base64",
        DOCUMENT | {"content": [{"attachment": {"contentType": "text/plain", "data": "SECRET!"}}]},
        "the note cannot be decoded",
    ),
    (
        "not in its encoding",
        DOCUMENT | {"content": [{"attachment": {"contentType": "text/plain", "data": "/w=="}}]},
        "the note cannot be decoded",
    ),
    (
        "an encoding that is not known",
        DOCUMENT | {"content": [{"attachment": attachment("x", "text/plain; charset=SECRET")}]},
        "the note is in an encoding that is not known",
    ),
    (
        "results alone",
        {"resourceType": "DiagnosticReport", "status": "final", **PATIENT},
        "its results are Observations of their own",
    ),
    ("no id", PERSON | {"id": "SECRET SECRET"}, "the resource has no id"),
]


@pytest.mark.parametrize(("resource", "reason"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_is_not_loaded_and_why(resource: Resource, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        made(resource)
    assert caught.value.reason == reason
    assert "SECRET" not in reason


def test_components_are_records_of_their_own_and_a_panel_is_none() -> None:
    parts = [{"code": coded("LOINC", str(n)), "valueQuantity": {"value": n}} for n in (1, 2)]
    assert [row["codes"] for row in made(OBSERVATION | {"component": parts})] == ["LOINC\t1", "LOINC\t2"]
    assert [row["number"] for row in made(OBSERVATION | {"component": parts, "valueInteger": 3})] == ["3", "1", "2"]


def test_ids_of_a_second_server_are_refused() -> None:
    references = References()
    assert references.key({"subject": {"reference": "https://a/fhir/Patient/1"}}, "subject", "Patient") == "1"
    assert references.of_url("https://a/fhir/Patient/1") is None
    with pytest.raises(Unfit, match="another server"):
        references.key({"subject": {"reference": "https://b/fhir/Patient/1"}}, "subject", "Patient")


def test_who_stands_for_whom() -> None:
    links = [
        {"type": kind, "other": {"reference": f"Patient/{kind}"}} for kind in ("replaced-by", "replaces", "seealso")
    ]
    assert list(merges({"link": links}, "p", References())) == [("p", "replaced-by"), ("replaces", "p")]


def test_what_could_stand_in_a_note() -> None:
    person = PERSON | {
        "identifier": [{"value": "MRN 7"}],
        "name": [{"family": "Quill", "given": ["Ada", "B."], "text": "Ada B. Quill"}],
        "telecom": [{"system": "email", "value": "ada@made.example"}],
        "address": [{"line": ["9 Elm"], "city": "Madeton", "state": "ME", "postalCode": "01234"}],
        "contact": [{"name": {"family": "Sedge"}, "telecom": [{"value": "555-0100"}], "address": {"city": "Otherton"}}],
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Rusk"},
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Borntown"}},
        ],
    }
    found: dict[str, set[str]] = {}
    for kind, text in known_identifiers(person):
        found.setdefault(kind, set()).add(text)
    assert found == {
        "name": {"Quill", "Ada", "B.", "Ada B. Quill", "Sedge", "Rusk"},
        "date": {"1950-06-07"},
        "id": {"p", "MRN 7"},
        "phone": {"ada@made.example", "555-0100"},
        "address": {"9 Elm", "Madeton", "01234", "Otherton", "Borntown"},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=5,
)
WHOLE = [each[1] for each in BECOMES]


@given(st.sampled_from(WHOLE), st.data())
def test_whatever_stands_in_an_element_a_resource_becomes_texts_or_is_refused(
    resource: Resource, data: st.DataObject
) -> None:
    """An element of any resource is replaced by any JSON, at any depth."""
    changed = dict(resource)
    at: Any = changed
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()) or key == "resourceType":
            break
        at[key] = at = inner.copy()
    if key != "resourceType":
        at[key] = data.draw(JSON)
    try:
        rows = made(changed)
    except Unfit as unfit:
        assert len(unfit.reason) < 80  # noqa: PT017
    else:
        assert all(isinstance(value, str) for row in rows for value in row.values())


@given(st.dates())
def test_any_day_is_read_as_it_is(when: Any) -> None:
    assert day({"on": f"{when}T23:59:59.9+14:00"}, "on") == day({"on": str(when)}, "on") == str(when)
