"""What becomes of each column of each OMOP table. A column that is not listed here reaches no snapshot.

A load reads whole files, as text, into the staging area in the site's own directory, and removes that area at its end
or at the next load's start. Only the columns that are listed go on from there.

``keep``: as it is. ``drop``: left in the staging area. ``person``: the person's id, permuted. ``key``: the record's
own id, numbered anew. ``visit``: the id of a visit, as numbered anew.

Under the profile ``already-deidentified`` the source's owner vouches for dates and years of birth. What no study needs
yet is dropped all the same: times of day, days and months of birth, free text, and ids of tables that are not loaded.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from vitrail.omop.tables import TABLES, Column

Action = Literal["keep", "drop", "person", "key", "visit"]

_TEXT = {
    "person": """
        person: person_id
        keep: gender_concept_id year_of_birth race_concept_id ethnicity_concept_id gender_source_concept_id
              race_source_concept_id ethnicity_source_concept_id
        drop: month_of_birth day_of_birth birth_datetime location_id provider_id care_site_id person_source_value
              gender_source_value race_source_value ethnicity_source_value
    """,
    "observation_period": """
        key: observation_period_id
        person: person_id
        keep: observation_period_start_date observation_period_end_date period_type_concept_id
    """,
    "visit_occurrence": """
        key: visit_occurrence_id
        person: person_id
        keep: visit_concept_id visit_start_date visit_end_date visit_type_concept_id visit_source_concept_id
              admitted_from_concept_id discharged_to_concept_id
        drop: visit_start_datetime visit_end_datetime provider_id care_site_id visit_source_value
              admitted_from_source_value discharged_to_source_value preceding_visit_occurrence_id
    """,
    "condition_occurrence": """
        key: condition_occurrence_id
        person: person_id
        visit: visit_occurrence_id
        keep: condition_concept_id condition_start_date condition_end_date condition_type_concept_id
              condition_status_concept_id condition_source_concept_id
        drop: condition_start_datetime condition_end_datetime stop_reason provider_id visit_detail_id
              condition_source_value condition_status_source_value
    """,
    "drug_exposure": """
        key: drug_exposure_id
        person: person_id
        visit: visit_occurrence_id
        keep: drug_concept_id drug_exposure_start_date drug_exposure_end_date drug_type_concept_id refills quantity
              days_supply route_concept_id drug_source_concept_id
        drop: drug_exposure_start_datetime drug_exposure_end_datetime verbatim_end_date stop_reason sig lot_number
              provider_id visit_detail_id drug_source_value route_source_value dose_unit_source_value
    """,
    "procedure_occurrence": """
        key: procedure_occurrence_id
        person: person_id
        visit: visit_occurrence_id
        keep: procedure_concept_id procedure_date procedure_end_date procedure_type_concept_id modifier_concept_id
              quantity procedure_source_concept_id
        drop: procedure_datetime procedure_end_datetime provider_id visit_detail_id procedure_source_value
              modifier_source_value
    """,
    "device_exposure": """
        key: device_exposure_id
        person: person_id
        visit: visit_occurrence_id
        keep: device_concept_id device_exposure_start_date device_exposure_end_date device_type_concept_id quantity
              device_source_concept_id unit_concept_id unit_source_concept_id
        drop: device_exposure_start_datetime device_exposure_end_datetime unique_device_id production_id provider_id
              visit_detail_id device_source_value unit_source_value
    """,
    "measurement": """
        key: measurement_id
        person: person_id
        visit: visit_occurrence_id
        keep: measurement_concept_id measurement_date measurement_type_concept_id operator_concept_id value_as_number
              value_as_concept_id unit_concept_id range_low range_high measurement_source_concept_id
              unit_source_concept_id
        drop: measurement_datetime measurement_time provider_id visit_detail_id measurement_source_value
              unit_source_value value_source_value measurement_event_id meas_event_field_concept_id
    """,
    "observation": """
        key: observation_id
        person: person_id
        visit: visit_occurrence_id
        keep: observation_concept_id observation_date observation_type_concept_id value_as_number value_as_concept_id
              qualifier_concept_id unit_concept_id observation_source_concept_id
        drop: observation_datetime value_as_string provider_id visit_detail_id observation_source_value
              unit_source_value qualifier_source_value value_source_value observation_event_id
              obs_event_field_concept_id
    """,
    "death": """
        person: person_id
        keep: death_date death_type_concept_id cause_concept_id cause_source_concept_id
        drop: death_datetime cause_source_value
    """,
    "concept": """
        keep: concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code
              valid_start_date valid_end_date invalid_reason
    """,
    "concept_ancestor": """
        keep: ancestor_concept_id descendant_concept_id min_levels_of_separation max_levels_of_separation
    """,
    "concept_relationship": """
        keep: concept_id_1 concept_id_2 relationship_id valid_start_date valid_end_date invalid_reason
    """,
}


def _read(text: str) -> dict[str, Action]:
    """The action of each column that ``text`` lists."""
    actions: dict[str, Action] = {}
    action: Action = "drop"
    for word in text.split():
        if word.endswith(":"):
            action = next(each for each in get_args(Action) if each == word[:-1])
        else:
            actions[word] = action
    return actions


ACTIONS: Mapping[str, Mapping[str, Action]] = {table: _read(text) for table, text in _TEXT.items()}
"""The action for each column of each table."""


def action(table: str, column: str) -> Action:
    """What becomes of a column: ``drop`` where it is not listed."""
    return ACTIONS.get(table, {}).get(column, "drop")


def wanted() -> dict[str, tuple[Column, ...]]:
    """The columns of each table that go on from the staging area."""
    return {
        name: tuple(column for column in table.columns if action(name, column.name) != "drop")
        for name, table in TABLES.items()
    }
