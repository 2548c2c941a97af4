"""The tables and columns of the OMOP Common Data Model v5.4 that Vitrail reads.

Source: https://ohdsi.github.io/CommonDataModel/cdm54.html. ``_datetime`` columns are kept as dates' companions only
where a source has them. Types: ``id`` (64-bit integer), ``int`` (32-bit), ``date``, ``datetime``, ``float``, ``str``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Type = Literal["id", "int", "date", "datetime", "float", "str"]


@dataclass(frozen=True)
class Column:
    """A column: its OMOP name, its type, and whether OMOP requires it."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True)
class Table:
    """A table: its OMOP name, its columns in OMOP's order, and, for events, the columns that tell what and when."""

    name: str
    columns: tuple[Column, ...]
    concept: str | None = None
    start: str | None = None
    end: str | None = None

    @property
    def key(self) -> str:
        """The name of the first column, the primary key (``person_id`` for person and death)."""
        return self.columns[0].name

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from ``name:type`` words; ``!`` marks the required ones."""
    words = (word.split(":") for word in text.split())
    return tuple(Column(name, kind.rstrip("!"), kind.endswith("!")) for name, kind in words)  # type: ignore[arg-type]


_TABLES = (
    Table("person", _columns(
        "person_id:id! gender_concept_id:int! year_of_birth:int! month_of_birth:int day_of_birth:int"
        " birth_datetime:datetime race_concept_id:int! ethnicity_concept_id:int! location_id:id provider_id:id"
        " care_site_id:id person_source_value:str gender_source_value:str gender_source_concept_id:int"
        " race_source_value:str race_source_concept_id:int ethnicity_source_value:str"
        " ethnicity_source_concept_id:int")),
    Table("observation_period", _columns(
        "observation_period_id:id! person_id:id! observation_period_start_date:date!"
        " observation_period_end_date:date! period_type_concept_id:int!"),
        start="observation_period_start_date", end="observation_period_end_date"),
    Table("visit_occurrence", _columns(
        "visit_occurrence_id:id! person_id:id! visit_concept_id:int! visit_start_date:date!"
        " visit_start_datetime:datetime visit_end_date:date! visit_end_datetime:datetime visit_type_concept_id:int!"
        " provider_id:id care_site_id:id visit_source_value:str visit_source_concept_id:int"
        " admitted_from_concept_id:int admitted_from_source_value:str discharged_to_concept_id:int"
        " discharged_to_source_value:str preceding_visit_occurrence_id:id"),
        "visit_concept_id", "visit_start_date", "visit_end_date"),
    Table("condition_occurrence", _columns(
        "condition_occurrence_id:id! person_id:id! condition_concept_id:int! condition_start_date:date!"
        " condition_start_datetime:datetime condition_end_date:date condition_end_datetime:datetime"
        " condition_type_concept_id:int! condition_status_concept_id:int stop_reason:str provider_id:id"
        " visit_occurrence_id:id visit_detail_id:id condition_source_value:str condition_source_concept_id:int"
        " condition_status_source_value:str"),
        "condition_concept_id", "condition_start_date", "condition_end_date"),
    Table("drug_exposure", _columns(
        "drug_exposure_id:id! person_id:id! drug_concept_id:int! drug_exposure_start_date:date!"
        " drug_exposure_start_datetime:datetime drug_exposure_end_date:date! drug_exposure_end_datetime:datetime"
        " verbatim_end_date:date drug_type_concept_id:int! stop_reason:str refills:int quantity:float days_supply:int"
        " sig:str route_concept_id:int lot_number:str provider_id:id visit_occurrence_id:id visit_detail_id:id"
        " drug_source_value:str drug_source_concept_id:int route_source_value:str dose_unit_source_value:str"),
        "drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date"),
    Table("procedure_occurrence", _columns(
        "procedure_occurrence_id:id! person_id:id! procedure_concept_id:int! procedure_date:date!"
        " procedure_datetime:datetime procedure_end_date:date procedure_end_datetime:datetime"
        " procedure_type_concept_id:int! modifier_concept_id:int quantity:int provider_id:id visit_occurrence_id:id"
        " visit_detail_id:id procedure_source_value:str procedure_source_concept_id:int modifier_source_value:str"),
        "procedure_concept_id", "procedure_date", "procedure_end_date"),
    Table("device_exposure", _columns(
        "device_exposure_id:id! person_id:id! device_concept_id:int! device_exposure_start_date:date!"
        " device_exposure_start_datetime:datetime device_exposure_end_date:date device_exposure_end_datetime:datetime"
        " device_type_concept_id:int! unique_device_id:str production_id:str quantity:int provider_id:id"
        " visit_occurrence_id:id visit_detail_id:id device_source_value:str device_source_concept_id:int"
        " unit_concept_id:int unit_source_value:str unit_source_concept_id:int"),
        "device_concept_id", "device_exposure_start_date", "device_exposure_end_date"),
    Table("measurement", _columns(
        "measurement_id:id! person_id:id! measurement_concept_id:int! measurement_date:date!"
        " measurement_datetime:datetime measurement_time:str measurement_type_concept_id:int! operator_concept_id:int"
        " value_as_number:float value_as_concept_id:int unit_concept_id:int range_low:float range_high:float"
        " provider_id:id visit_occurrence_id:id visit_detail_id:id measurement_source_value:str"
        " measurement_source_concept_id:int unit_source_value:str unit_source_concept_id:int value_source_value:str"
        " measurement_event_id:id meas_event_field_concept_id:int"),
        "measurement_concept_id", "measurement_date"),
    Table("observation", _columns(
        "observation_id:id! person_id:id! observation_concept_id:int! observation_date:date!"
        " observation_datetime:datetime observation_type_concept_id:int! value_as_number:float value_as_string:str"
        " value_as_concept_id:int qualifier_concept_id:int unit_concept_id:int provider_id:id visit_occurrence_id:id"
        " visit_detail_id:id observation_source_value:str observation_source_concept_id:int unit_source_value:str"
        " qualifier_source_value:str value_source_value:str observation_event_id:id obs_event_field_concept_id:int"),
        "observation_concept_id", "observation_date"),
    Table("death", _columns(
        "person_id:id! death_date:date! death_datetime:datetime death_type_concept_id:int cause_concept_id:int"
        " cause_source_value:str cause_source_concept_id:int"),
        "cause_concept_id", "death_date"),
    Table("concept", _columns(
        "concept_id:int! concept_name:str! domain_id:str! vocabulary_id:str! concept_class_id:str! standard_concept:str"
        " concept_code:str! valid_start_date:date! valid_end_date:date! invalid_reason:str")),
    Table("concept_ancestor", _columns(
        "ancestor_concept_id:int! descendant_concept_id:int! min_levels_of_separation:int!"
        " max_levels_of_separation:int!")),
    Table("concept_relationship", _columns(
        "concept_id_1:int! concept_id_2:int! relationship_id:str! valid_start_date:date! valid_end_date:date!"
        " invalid_reason:str")),
)  # fmt: skip

TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}
"""Every table that Vitrail reads, by its OMOP name."""

VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")
"""Tables of the vocabulary: the same for everybody, without persons."""

CLINICAL = tuple(name for name in TABLES if name not in VOCABULARY)
"""Tables that speak of persons."""

EVENT_TABLE = {
    "condition": "condition_occurrence",
    "drug": "drug_exposure",
    "procedure": "procedure_occurrence",
    "measurement": "measurement",
    "observation": "observation",
    "device": "device_exposure",
    "visit": "visit_occurrence",
    "death": "death",
}
"""The table that holds a domain's events."""
