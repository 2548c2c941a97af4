"""What a cohort may ask of the records of each domain: the attributes of OHDSI's cohort definitions (Circe).

Only dates, concepts and numbers are named here; where a record holds them is said by ``vitrail.omop.attributes``.
"""

from collections.abc import Mapping
from typing import Literal

Domain = Literal[
    "condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death", "condition_era",
    "drug_era", "dose_era", "visit_detail", "specimen", "observation_period", "payer_plan_period", "cohort",
]  # fmt: skip
DOMAINS: tuple[Domain, ...] = (
    "condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death", "condition_era",
    "drug_era", "dose_era", "visit_detail", "specimen", "observation_period", "payer_plan_period", "cohort",
)  # fmt: skip
"""The domains of an event; also the order in which ties are broken."""

ANYWHERE = ("first", "starts", "ends", "age", "gender", "moved", "where")
"""The attributes that events of every domain have."""

_SINGLE = ("source", "type", "specialty", "visit_type")

ATTRIBUTES: Mapping[Domain, tuple[str, ...]] = {
    "condition": (*_SINGLE, "status", "stop_reason"),
    "drug": (*_SINGLE, "stop_reason", "refills", "quantity", "days_supply", "route", "lot_number", "dose", "unit"),
    "procedure": (*_SINGLE, "modifier", "quantity"),
    "measurement": (
        *_SINGLE, "operator", "value", "value_concepts", "unit", "range_low", "range_high", "range_low_ratio",
        "range_high_ratio", "abnormal",
    ),
    "observation": (*_SINGLE, "value", "value_text", "value_concepts", "qualifier", "unit"),
    "device": (*_SINGLE, "unique_device_id", "quantity"),
    "visit": ("source", "type", "specialty", "place_of_service", "length"),
    "death": ("source", "type"),
    "condition_era": ("occurrences", "length", "age_at_end"),
    "drug_era": ("occurrences", "length", "gap_days", "age_at_end"),
    "dose_era": ("unit", "dose", "length", "age_at_end"),
    "visit_detail": ("source", "type", "specialty", "place_of_service", "length", "age_at_end"),
    "specimen": ("source", "type", "quantity", "unit", "anatomic_site", "disease_status", "source_id"),
    "observation_period": ("type", "period", "length", "age_at_end"),
    "payer_plan_period": (
        "period", "length", "age_at_end", "payer", "plan", "sponsor", "stop_reason_concept", "payer_source",
        "plan_source", "sponsor_source", "stop_reason_source",
    ),
    "cohort": ("length", "age_at_end"),
}  # fmt: skip
"""The attributes that the events of each domain have besides those that all have."""

Distinct = Literal[
    "start", "end", "concept", "visit", "visit_detail", "duration", "days_supply", "quantity", "refills", "occurrences",
    "gap_days", "value", "unit", "range_low", "range_high",
]  # fmt: skip
"""What may be counted apart instead of events (Circe's ``CountColumn``)."""

_COUNTED: tuple[Distinct, ...] = ("start", "end", "concept", "visit", "duration")

COUNTED: Mapping[Domain, tuple[Distinct, ...]] = {
    "condition": (*_COUNTED, "visit_detail"),
    "drug": (*_COUNTED, "visit_detail", "days_supply", "quantity", "refills"),
    "procedure": (*_COUNTED, "visit_detail", "quantity"),
    "measurement": (*_COUNTED, "visit_detail", "value", "unit", "range_low", "range_high"),
    "observation": (*_COUNTED, "visit_detail", "value", "unit"),
    "device": (*_COUNTED, "visit_detail", "quantity"),
    "visit": _COUNTED,
    "death": _COUNTED,
    "condition_era": (*_COUNTED, "occurrences"),
    "drug_era": (*_COUNTED, "occurrences", "gap_days"),
    "dose_era": (*_COUNTED, "value", "unit"),
    "visit_detail": (*_COUNTED, "visit_detail"),
    "specimen": (*_COUNTED, "quantity", "unit"),
    "observation_period": _COUNTED,
    "payer_plan_period": _COUNTED,
    "cohort": ("start", "end", "duration"),
}
"""What may be counted apart in each domain."""
