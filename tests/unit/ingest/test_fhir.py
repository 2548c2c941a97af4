"""A FHIR source to OMOP rows: what the conventions of OHDSI make of it, and who stands for whom."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.clinical_sources import Resource, attachment, coded, refer, write_ndjson, write_vocabulary
from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import ingest
from vitrail.synthetic.generate import generate
from vitrail.synthetic.systems import COMMUNITY

COLUMNS = wanted()
OBSERVATIONS = "SELECT observation_concept_id, value_as_concept_id FROM extract.observation"
CLASSES = ("AMB", "EMER", "IMP", "HH", "VR", "SECRET")


def load(source: Path, **changes: Any) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    db = duckdb.connect(config={"threads": 1})
    options = {"format": "fhir", "mapping": None, "vocabulary": None, "columns": COLUMNS, "tell": lambda _: None}
    return ingest(db, source, **(options | changes)), db


def patient(id_: str, **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": id_, "birthDate": "1950-01-02", "gender": "female"} | more


def visit(id_: str, kind: str, start: str, end: str | None, person: str = "p") -> Resource:
    span = {"start": start} | ({"end": end} if end else {})
    return {"resourceType": "Encounter", "id": id_, "status": "finished", "class": {"code": kind},
            "subject": refer("Patient", person), "period": span}  # fmt: skip


def event(kind: str, id_: str, person: str = "p", **more: Any) -> Resource:
    return {"resourceType": kind, "id": id_, "status": "completed", "subject": refer("Patient", person)} | more


def order(id_: str, **more: Any) -> Resource:
    own = {"intent": "order", "medicationCodeableConcept": coded("RxNorm", "d-one"), "authoredOn": "2020-01-10"}
    return event("MedicationRequest", id_, **own) | more


POPULATION: list[Resource] = [
    patient("p", deceasedDateTime="2021"),
    patient("old", name=[{"family": "Oldname"}], link=[{"type": "replaced-by", "other": refer("Patient", "middle")}]),
    patient("middle", link=[{"type": "replaced-by", "other": refer("Patient", "survivor")}]),
    patient("survivor"),
    *(visit(f"v-{kind}", kind, "2020-01-01T10:00:00Z", None) for kind in CLASSES),
    visit("v-last", "AMB", "2020-03-01", "2020-03-04"),
    visit("v-wrong", "AMB", "2020-03-02", "2020-03-01"),
    event("Condition", "c-two", code=coded("SNOMED", "c-two"), onsetDateTime="2020-01-01"),
    event("Condition", "c-history", code=coded("SNOMED", "c-history"), onsetDateTime="2020-01-01"),
    event("Condition", "c-old", "old", code=coded("SNOMED", "c-one"), onsetDateTime="2020-01-01"),
    event("Condition", "c-same", "p", code=coded("SNOMED", "c-gone"), onsetDateTime="2020-01-01"),
    event(
        "Condition",
        "c-same",
        "p",
        code=coded("SNOMED", "c-one"),
        onsetDateTime="2020-02-01",
        meta={"lastUpdated": "2020-05-01T00:00:00Z"},
    ),
    event("Condition", "c-nobody", "nobody", code=coded("SNOMED", "c-one"), onsetDateTime="2020-01-01"),
    event("Condition", "c-no-visit", code=coded("SNOMED", "c-one"), onsetDateTime="2020-01-05"),
    event("Procedure", "p-test", code=coded("SNOMED", "p-test"), performedDateTime="2020-01-01"),
    order("o-bounds", dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": {"end": "2020-01-12"}}}}]),
    order("o-supply", dispenseRequest={"expectedSupplyDuration": {"value": 7, "unit": "d", "code": "d"}}),
    order("o-alone"),
    order("o-elsewhere", medicationCodeableConcept=None, medicationReference=refer("Medication", "m")),
    order("o-nowhere", medicationCodeableConcept=None, medicationReference=refer("Medication", "SECRET")),
    {"resourceType": "Medication", "id": "m", "code": coded("RxNorm", "d-old")},
    {"resourceType": "Medication", "id": "unused", "code": coded("RxNorm", "d-old")},
    event(
        "MedicationAdministration",
        "a",
        medicationCodeableConcept=coded("RxNorm", "d-one"),
        effectiveDateTime="2020-01-10T01:02:03+02:00",
        context=refer("Encounter", "v-IMP"),
    ),
    event(
        "Observation",
        "pressure",
        status="final",
        code=coded("LOINC", "panel"),
        effectiveDateTime="2020-01-01",
        component=[
            {"code": coded("LOINC", "m-one"), "valueQuantity": {"value": n, "comparator": "<", "unit": "mg/dL"}}
            for n in (120, 80)
        ],
    ),
    event(
        "AllergyIntolerance",
        "substance",
        patient=refer("Patient", "p"),
        code=coded("RxNorm", "d-one"),
        category=["medication"],
        recordedDate="2020",
    ),
    event(
        "AllergyIntolerance",
        "finding",
        patient=refer("Patient", "p"),
        code=coded("SNOMED", "c-one"),
        recordedDate="2020",
    ),
    event(
        "DocumentReference",
        "note",
        status="current",
        date="2020-01-01",
        content=[{"attachment": attachment("made words")}],
        context={"encounter": [refer("Encounter", "v-AMB")]},
    ),
    event(
        "DocumentReference",
        "error",
        status="entered-in-error",
        date="2020-01-01",
        content=[{"attachment": attachment("SECRET")}],
    ),
    {"resourceType": "RelatedPerson", "id": "r", "patient": refer("Patient", "p"), "name": [{"family": "Relation"}]},
    {"resourceType": "Claim", "id": "k", "patient": refer("Patient", "p")},
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    directory = tmp_path_factory.mktemp("fhir")
    return load(write_ndjson(POPULATION, directory / "source"), vocabulary=write_vocabulary(directory / "vocabulary"))


Loaded = tuple[Extract, duckdb.DuckDBPyConnection]


def found(loaded: Loaded, query: str) -> list[tuple[Any, ...]]:
    return loaded[1].execute(query).fetchall()


def faults(loaded: Loaded, source: str) -> dict[str, int]:
    return {each.reason: each.rows for each in loaded[0].quarantined if each.source == source}


def test_every_resource_is_loaded_or_counted(loaded: Loaded) -> None:
    extract = loaded[0]
    assert sum(rows for name, rows in extract.rows_in.items() if name.endswith(".000")) == len(POPULATION)
    assert "SECRET" not in repr(extract)


def test_visits_by_their_class_and_their_ends(loaded: Loaded) -> None:
    """One without an end ended on its day; a stay in hospital, on the last day that the source has of a visit."""
    concepts = dict(zip(CLASSES, (9202, 9203, 9201, 581476, 5083, 0), strict=True))
    rows = found(loaded, "SELECT visit_source_value, visit_concept_id, visit_end_date FROM extract.visit_occurrence")
    first, last = date(2020, 1, 1), date(2020, 3, 4)
    expected = [(kind, concept, last if kind == "IMP" else first) for kind, concept in concepts.items()]
    assert sorted(rows) == sorted([*expected, ("AMB", 9202, last)])
    assert faults(loaded, "Encounter.000") == {"end is before start": 1}


def test_a_code_may_map_to_several_concepts_and_to_another_table(loaded: Loaded) -> None:
    conditions = "SELECT condition_concept_id FROM extract.condition_occurrence WHERE condition_source_value = 'c-two'"
    assert found(loaded, f"{conditions} ORDER BY 1") == [(2100000003,), (2100000004,)]
    assert found(loaded, f"{OBSERVATIONS} WHERE observation_source_value = 'c-history'") == [(2100000006, 2100000001)]
    query = "SELECT measurement_concept_id FROM extract.measurement WHERE measurement_source_value = 'p-test'"
    assert found(loaded, query) == [(2100000007,)]


def test_an_allergy_to_a_substance_is_no_exposure(loaded: Loaded) -> None:
    assert found(loaded, f"{OBSERVATIONS} WHERE observation_source_value = 'd-one'") == [(2100000017, 2100000009)]
    counted = "SELECT count(*) FROM extract.condition_occurrence WHERE condition_concept_id = 2100000001"
    assert found(loaded, f"{counted} AND condition_start_date = '2020-01-01'") == [
        (2,)
    ]  # the finding, and what the merged person had


def test_drugs_end_as_the_convention_says(loaded: Loaded) -> None:
    """https://ohdsi.github.io/Themis/drug_end_date_not_in_data.html"""
    query = (
        "SELECT drug_exposure_end_date, drug_type_concept_id, drug_concept_id FROM extract.drug_exposure ORDER BY ALL"
    )
    assert found(loaded, query) == [
        (date(2020, 1, 10), 32818, 2100000009),  # an administration: its day
        (date(2020, 1, 12), 32838, 2100000009),  # told
        (date(2020, 1, 16), 32838, 2100000009),  # seven days' supply
        (date(2020, 2, 8), 32838, 2100000009),  # a prescription: 29 days on
        (date(2020, 2, 8), 32838, 2100000009),  # the Medication that it refers to maps on twice
    ]
    assert faults(loaded, "MedicationRequest.000") == {"what it refers to for its code is not there": 1}
    assert faults(loaded, "Medication.000") == {"nothing that was loaded refers to it": 1}


def test_components_carry_their_numbers(loaded: Loaded) -> None:
    query = "SELECT value_as_number, operator_concept_id, unit_concept_id FROM extract.measurement"
    assert found(loaded, f"{query} WHERE unit_concept_id > 0 ORDER BY 1") == [
        (80, 4171756, 2100000015),
        (120, 4171756, 2100000015),
    ]


def test_of_two_versions_the_later_is_loaded(loaded: Loaded) -> None:
    query = "SELECT condition_start_date FROM extract.condition_occurrence WHERE condition_start_date = '2020-02-01'"
    assert len(found(loaded, query)) == 1
    told = {"the key of an earlier row": 1, "the person is not among those loaded": 1}
    assert faults(loaded, "Condition.000") == told


def test_a_person_for_whom_another_stands(loaded: Loaded) -> None:
    """Chains are followed; the records and the names of the old person are the survivor's."""
    assert found(loaded, "SELECT count(*) FROM extract.person") == [(2,)]
    assert faults(loaded, "Patient.000") == {"merged into another person": 2}
    query = "SELECT person_id FROM extract.known_identifier WHERE text = 'Oldname'"
    (survivor,) = found(loaded, query)
    rows = found(loaded, "SELECT DISTINCT person_id FROM extract.condition_occurrence ORDER BY 1")
    assert survivor in rows
    assert len(rows) == 2


def test_deaths_notes_and_relatives(loaded: Loaded) -> None:
    assert found(loaded, "SELECT death_date FROM extract.death") == [(date(2021, 12, 31),)]
    assert found(loaded, "SELECT note_text, visit_occurrence_id IS NOT NULL FROM extract.note") == [
        ("made words", True)
    ]
    assert faults(loaded, "DocumentReference.000") == {"its status is entered-in-error": 1}
    assert found(loaded, "SELECT count(*) FROM extract.known_identifier WHERE text = 'Relation'") == [(1,)]
    assert faults(loaded, "RelatedPerson.000") == {
        "no snapshot holds resources of its type; its names guard the notes": 1
    }
    assert faults(loaded, "Claim.000") == {"no snapshot holds resources of its type": 1}


def test_a_record_without_a_visit_is_kept(loaded: Loaded) -> None:
    query = "SELECT visit_occurrence_id FROM extract.condition_occurrence WHERE condition_start_date = '2020-01-05'"
    assert found(loaded, query) == [(None,)]


def test_what_the_site_adds_is_read_by_the_next_load(tmp_path: Path) -> None:
    source = write_ndjson(
        [patient("p"), event("Condition", "c", code=coded("urn:own", "x"), onsetDateTime="2020-01-01")],
        tmp_path / "source",
    )
    vocabulary = write_vocabulary(tmp_path / "vocabulary")
    before = load(source, vocabulary=vocabulary)
    assert found(before, "SELECT * FROM extract.unmapped") == [("condition_occurrence", "urn:own", "x", 1, 1)]
    own = tmp_path / "source_to_concept_map.csv"
    own.write_text("source_code,source_vocabulary_id,target_concept_id\nx,urn:own,2100000001\n")
    after = load(source, vocabulary=vocabulary, site_map=own)
    assert found(after, "SELECT * FROM extract.unmapped") == []
    assert found(after, "SELECT condition_concept_id FROM extract.condition_occurrence") == [(2100000001,)]
    assert after[0].rows_loaded["source_to_concept_map"] == 1


def test_the_concepts_of_the_demonstration_map_its_own_codes(tmp_path: Path) -> None:
    """370 concepts written here, with ids from 2,000,000,000 on: a source that names them by their system is mapped."""
    generate(tmp_path / "demo", COMMUNITY, persons=20, seed=1)
    record = event(
        "Condition", "c", code=coded("https://vitrail.example/fhir/local", "2000000052"), onsetDateTime="2020"
    )
    value = {"value": 120, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    pressure = event("Observation", "o", status="final", code=coded("https://vitrail.example/fhir/local", "2000002012"),
                     effectiveDateTime="2020", valueQuantity=value)  # fmt: skip
    loaded = load(write_ndjson([patient("p"), record, pressure], tmp_path / "source"), vocabulary=tmp_path / "demo")
    assert found(loaded, "SELECT * FROM extract.unmapped") == []
    above = "SELECT count(*) FROM extract.condition_occurrence JOIN extract.concept_ancestor ON descendant_concept_id ="
    assert found(loaded, f"{above} condition_concept_id WHERE ancestor_concept_id = 2000000050") == [(1,)]
    assert found(loaded, "SELECT unit_concept_id FROM extract.measurement") == [(2000004005,)]


@pytest.mark.parametrize("links", [[("a", "b"), ("b", "a")], [("a", "b"), ("a", "c")]])
def test_merges_that_cannot_be_are_refused(tmp_path: Path, links: Sequence[tuple[str, str]]) -> None:
    held: list[Resource] = [patient(each) for each in "abc"]
    for resource in held:
        others = [other for old, other in links if old == resource["id"]]
        resource["link"] = [{"type": "replaced-by", "other": refer("Patient", each)} for each in others]
    with pytest.raises(SourceError):
        load(write_ndjson(held, tmp_path / "source"))


def test_an_ambiguous_identifier_means_nobody(tmp_path: Path) -> None:
    """Two patients with one number: a record that names it is quarantined, not given to either."""
    held = [patient(each, identifier=[{"system": "s", "value": "7"}]) for each in "ab"]
    record = event("Condition", "c", code=coded("SNOMED", "x"), onsetDateTime="2020-01-01")
    record["subject"] = {"reference": "Patient?identifier=s|7"}
    loaded = load(write_ndjson([*held, record], tmp_path / "source"))
    assert faults(loaded, "Condition.000") == {"the person is not among those loaded": 1}


def test_two_loads_give_the_same_rows(tmp_path: Path) -> None:
    source = write_ndjson(POPULATION, tmp_path / "source")
    first, second = load(source), load(source)
    assert first[0] == second[0]
    for name in ("person", "condition_occurrence", "measurement", "observation", "drug_exposure", "note"):
        query = f"SELECT * FROM extract.{name} ORDER BY ALL"
        assert found(first, query) == found(second, query)


def test_no_reason_holds_a_value(tmp_path: Path) -> None:
    """Each element of each resource becomes a canary: in reasons and names of the account there is none."""
    canaries = [json.loads(json.dumps(each)) for each in POPULATION]
    for number, resource in enumerate(canaries):
        _plant(resource, number)
    extract, _ = load(write_ndjson([patient("p"), *canaries], tmp_path / "source"))
    assert "CANARY" not in repr(extract)
    assert sum(each.rows for each in extract.quarantined) > len(POPULATION) / 2


def _plant(value: Any, number: int) -> None:
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if name == "resourceType" or (name == "id" and number % 2):
            continue
        if isinstance(inner, dict | list):
            _plant(inner, number)
        else:
            value[name] = f"CANARY {number}"
    if isinstance(value, dict):
        value[f"CANARY key {number}"] = f"CANARY {number}"
