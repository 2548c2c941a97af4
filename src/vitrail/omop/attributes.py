"""Where the records of each domain hold what a cohort may ask of them: columns of the Common Data Model.

A column that a site's tables lack is null, and a missing value fits no limit. But for the dose of a drug exposure: the
Common Data Model had it in version 5.0 alone, and who asks for it of records without it is refused (:func:`not_held`).
"""

from collections.abc import Mapping

from vitrail.errors import EngineError
from vitrail.omop.tables import TABLES
from vitrail.study.attributes import Domain

TABLE: Mapping[Domain, str] = {
    "condition": "condition_occurrence",
    "drug": "drug_exposure",
    "procedure": "procedure_occurrence",
    "measurement": "measurement",
    "observation": "observation",
    "device": "device_exposure",
    "visit": "visit_occurrence",
    "death": "death",
    "condition_era": "condition_era",
    "drug_era": "drug_era",
    "dose_era": "dose_era",
    "visit_detail": "visit_detail",
    "specimen": "specimen",
    "observation_period": "observation_period",
    "payer_plan_period": "payer_plan_period",
}
"""The table of each domain but ``cohort``. Key, concept, start and end columns: ``vitrail.omop.tables``."""

_CLINICAL = {"visit": "visit_occurrence_id", "visit_detail": "visit_detail_id", "provider": "provider_id"}
_VALUE = {"value": "value_as_number", "value_concepts": "value_as_concept_id", "unit": "unit_concept_id"}

COLUMNS: Mapping[Domain, Mapping[str, str]] = {
    "condition": {
        **_CLINICAL,
        "source": "condition_source_concept_id",
        "type": "condition_type_concept_id",
        "status": "condition_status_concept_id",
        "stop_reason": "stop_reason",
    },
    "drug": {
        **_CLINICAL,
        "source": "drug_source_concept_id",
        "type": "drug_type_concept_id",
        "stop_reason": "stop_reason",
        "refills": "refills",
        "quantity": "quantity",
        "days_supply": "days_supply",
        "route": "route_concept_id",
        "lot_number": "lot_number",
        "dose": "effective_drug_dose",
        "unit": "dose_unit_concept_id",
    },
    "procedure": {
        **_CLINICAL,
        "source": "procedure_source_concept_id",
        "type": "procedure_type_concept_id",
        "modifier": "modifier_concept_id",
        "quantity": "quantity",
    },
    "measurement": {
        **_CLINICAL,
        **_VALUE,
        "source": "measurement_source_concept_id",
        "type": "measurement_type_concept_id",
        "operator": "operator_concept_id",
        "range_low": "range_low",
        "range_high": "range_high",
    },
    "observation": {
        **_CLINICAL,
        **_VALUE,
        "source": "observation_source_concept_id",
        "type": "observation_type_concept_id",
        "value_text": "value_as_string",
        "qualifier": "qualifier_concept_id",
    },
    "device": {
        **_CLINICAL,
        "source": "device_source_concept_id",
        "type": "device_type_concept_id",
        "unique_device_id": "unique_device_id",
        "quantity": "quantity",
    },
    "visit": {
        "visit": "visit_occurrence_id",
        "provider": "provider_id",
        "care_site": "care_site_id",
        "source": "visit_source_concept_id",
        "type": "visit_type_concept_id",
    },
    "death": {"source": "cause_source_concept_id", "type": "death_type_concept_id"},
    "condition_era": {"occurrences": "condition_occurrence_count"},
    "drug_era": {"occurrences": "drug_exposure_count", "gap_days": "gap_days"},
    "dose_era": {"unit": "unit_concept_id", "dose": "dose_value", "value": "dose_value"},
    "visit_detail": {
        "visit": "visit_occurrence_id",
        "visit_detail": "visit_detail_id",
        "provider": "provider_id",
        "care_site": "care_site_id",
        "source": "visit_detail_source_concept_id",
        "type": "visit_detail_type_concept_id",
    },
    "specimen": {
        "source": "specimen_source_concept_id",
        "type": "specimen_type_concept_id",
        "quantity": "quantity",
        "unit": "unit_concept_id",
        "anatomic_site": "anatomic_site_concept_id",
        "disease_status": "disease_status_concept_id",
        "source_id": "specimen_source_id",
    },
    "observation_period": {"type": "period_type_concept_id"},
    "payer_plan_period": {
        "payer": "payer_concept_id",
        "plan": "plan_concept_id",
        "sponsor": "sponsor_concept_id",
        "stop_reason_concept": "stop_reason_concept_id",
        "payer_source": "payer_source_concept_id",
        "plan_source": "plan_source_concept_id",
        "sponsor_source": "sponsor_source_concept_id",
        "stop_reason_source": "stop_reason_source_concept_id",
    },
}
"""The column of each attribute that a record holds itself."""

ABNORMAL = (4155142, 4155143)
"""Values that say "abnormally high" and "abnormally low" (as circe-be reads ``Abnormal``)."""

SEX_CONCEPT: Mapping[str, int] = {"male": 8507, "female": 8532}
"""The concepts of a person's sex."""


def earlier(domain: Domain) -> Mapping[str, str]:
    """The attributes of a domain whose columns only earlier versions of the Common Data Model have, and these."""
    columns = {each.name for each in TABLES[TABLE[domain]].earlier} if domain in TABLE else set()
    return {attribute: column for attribute, column in COLUMNS.get(domain, {}).items() if column in columns}


def not_held(domain: Domain, column: str) -> EngineError:
    """What is told where a cohort asks for a column of an earlier version that the records do not have."""
    what = f"A cohort limits events by {column}, and the table {TABLE[domain]} has no such column."
    return EngineError(what, "Leave the limit out, or bring the column along.")
