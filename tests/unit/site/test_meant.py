"""A row that is left out because somebody said so is no damage, and is no part of the share that may be quarantined."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.clinical_sources import Resource, coded, refer, write_ndjson
from vitrail.deid.columns import wanted
from vitrail.ingest.source import ingest
from vitrail.quality.source import checks
from vitrail.site.load import MEANT

DRUG = {"medicationCodeableConcept": coded("RxNorm", "d"), "authoredOn": "2020-01-01", "status": "active"}
ILL = {"code": coded("SNOMED", "c"), "onsetDateTime": "2020-01-01"}


def of(kind: str, id_: str, **more: Any) -> Resource:
    return {"resourceType": kind, "id": id_, "subject": refer("Patient", "p")} | more


def verified(status: str) -> Resource:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {"verificationStatus": {"coding": [{"system": system, "code": status}]}}


HELD: list[Resource] = [
    {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-02", "gender": "male"},
    {"resourceType": "Patient", "id": "old", "link": [{"type": "replaced-by", "other": refer("Patient", "p")}],
     "birthDate": "1950-01-02", "gender": "male"},
    {"resourceType": "Medication", "id": "unused", "code": coded("RxNorm", "d")},
    {"resourceType": "Basic", "id": "b"},
    of("Condition", "c-refuted", **ILL, **verified("refuted")),
    of("Condition", "c-wrong", **ILL, **verified("entered-in-error")),
    of("Condition", "c", **ILL),
    of("MedicationRequest", "m-plan", intent="plan", **DRUG),
    of("MedicationRequest", "m-not", intent="order", doNotPerform=True, **DRUG),
    of("MedicationRequest", "m-cancelled", intent="order", **(DRUG | {"status": "cancelled"})),
    of("MedicationRequest", "m", intent="order", **DRUG),
]  # fmt: skip


def outcomes(held: list[Resource], where: Path) -> dict[str, tuple[str, int]]:
    """Of each file the outcome of rowsQuarantined, and the rows that it counts."""
    source = write_ndjson(held, where)
    entry = {"request": {"method": "DELETE", "url": "Patient/x"}}
    (source / "gone.json").write_text(json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [entry]}))
    with duckdb.connect(config={"threads": 1, "temp_directory": str(where / "spill")}) as db:
        extract = ingest(db, source, "fhir", None, None, wanted(), lambda _: None)
    found = checks(extract.rows_in, extract.quarantined, MEANT)
    return {each.table: (each.outcome, each.rows) for each in found}


def test_what_is_meant_does_not_fail_the_check(tmp_path: Path) -> None:
    assert outcomes(HELD, tmp_path / "source") == {
        "Patient.000": ("passed", 1),
        "Condition.000": ("passed", 1),
        "MedicationRequest.000": ("passed", 1),
        "Medication.000": ("not applicable", 0),
        "Basic.000": ("not applicable", 0),
        "bundles": ("not applicable", 0),
    }


@pytest.mark.parametrize(
    "damaged",
    [
        of("MedicationRequest", "m-2", **DRUG),
        of("MedicationRequest", "m-2", intent="whim", **DRUG),
        of("MedicationRequest", "m-2", intent="order", **(DRUG | {"authoredOn": "soon"})),
    ],
)
def test_what_is_damaged_does(tmp_path: Path, damaged: Resource) -> None:
    assert outcomes([*HELD, damaged], tmp_path / "source")["MedicationRequest.000"] == ("failed", 2)
