"""What becomes of each column of each OMOP table. A column that is not listed here reaches no snapshot.

A load reads whole files, as text, into the staging area in the site's own directory, and removes that area at its end
or at the next load's start. Only the columns that are listed go on from there.

========== ============================================================================================================
``keep``   as it is where enough people share it; what is not shared says who somebody is, whatever the column
``drop``   left in the staging area
``person`` the person's id, by the site's crosswalk
``key``    the record's own id, numbered anew
``ref``    the id of a record of another table, as numbered anew there; of who treated, if enough people share it
``date``   a day, moved as the profile says
``birth``  the year of birth, moved with the person's days; ages of 90 and more are pooled
``concept`` what happened: kept where enough people share it, else its nearest ancestor that enough people share
``number`` a value, drawn in to what enough people share at either end, and rounded
``string`` a text of the source, kept where enough people share it and the vocabulary knows it
``zip``    a ZIP code, cut to three digits where enough people live there
``state``  a state, where enough people live there
``note``   a note's text, cleaned
========== ============================================================================================================

What each rule does under each profile stands in ``docs/reference/deidentification.md``. Always dropped are times of
day, days and months of birth, names, addresses, coordinates, and free text that no rule cleans.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from vitrail.omop.tables import TABLES, Column

Action = Literal[
    "keep", "drop", "person", "key", "ref", "date", "birth", "concept", "number", "string", "zip", "state", "note"
]

K = 11
"""How many people are enough to share a concept, a value or a text: the k of the default disclosure policy."""

OWN = 2_000_000_000
"""From this id on a concept is the site's own: its name and its code are texts that anybody may have written there."""

_TEXT = {
    "person": """
        person: person_id
        birth: year_of_birth
        ref: location_id provider_id care_site_id
        keep: gender_concept_id race_concept_id ethnicity_concept_id gender_source_concept_id race_source_concept_id
              ethnicity_source_concept_id
        drop: month_of_birth day_of_birth birth_datetime person_source_value gender_source_value race_source_value
              ethnicity_source_value
    """,
    "observation_period": """
        key: observation_period_id
        person: person_id
        date: observation_period_start_date observation_period_end_date
        keep: period_type_concept_id
    """,
    "visit_occurrence": """
        key: visit_occurrence_id
        person: person_id
        date: visit_start_date visit_end_date
        ref: provider_id care_site_id
        concept: visit_concept_id visit_source_concept_id
        keep: visit_type_concept_id admitted_from_concept_id discharged_to_concept_id
        string: visit_source_value
        drop: visit_start_datetime visit_end_datetime admitted_from_source_value discharged_to_source_value
              preceding_visit_occurrence_id
    """,
    "visit_detail": """
        key: visit_detail_id
        person: person_id
        date: visit_detail_start_date visit_detail_end_date
        ref: provider_id care_site_id visit_occurrence_id
        concept: visit_detail_concept_id visit_detail_source_concept_id
        keep: visit_detail_type_concept_id admitted_from_concept_id discharged_to_concept_id
        string: visit_detail_source_value
        drop: visit_detail_start_datetime visit_detail_end_datetime admitted_from_source_value
              discharged_to_source_value preceding_visit_detail_id parent_visit_detail_id
    """,
    "condition_occurrence": """
        key: condition_occurrence_id
        person: person_id
        date: condition_start_date condition_end_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: condition_concept_id condition_source_concept_id
        keep: condition_type_concept_id condition_status_concept_id
        string: condition_source_value
        drop: condition_start_datetime condition_end_datetime stop_reason condition_status_source_value
    """,
    "drug_exposure": """
        key: drug_exposure_id
        person: person_id
        date: drug_exposure_start_date drug_exposure_end_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: drug_concept_id drug_source_concept_id
        number: quantity
        keep: drug_type_concept_id refills days_supply route_concept_id
        string: drug_source_value
        drop: drug_exposure_start_datetime drug_exposure_end_datetime verbatim_end_date stop_reason sig lot_number
              route_source_value dose_unit_source_value
    """,
    "procedure_occurrence": """
        key: procedure_occurrence_id
        person: person_id
        date: procedure_date procedure_end_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: procedure_concept_id procedure_source_concept_id
        keep: procedure_type_concept_id modifier_concept_id quantity
        string: procedure_source_value
        drop: procedure_datetime procedure_end_datetime modifier_source_value
    """,
    "device_exposure": """
        key: device_exposure_id
        person: person_id
        date: device_exposure_start_date device_exposure_end_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: device_concept_id device_source_concept_id
        keep: device_type_concept_id quantity unit_concept_id unit_source_concept_id
        string: device_source_value
        drop: device_exposure_start_datetime device_exposure_end_datetime unique_device_id production_id
              unit_source_value
    """,
    "measurement": """
        key: measurement_id
        person: person_id
        date: measurement_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: measurement_concept_id measurement_source_concept_id
        number: value_as_number
        keep: measurement_type_concept_id operator_concept_id value_as_concept_id unit_concept_id range_low range_high
              unit_source_concept_id
        string: measurement_source_value unit_source_value
        drop: measurement_datetime measurement_time value_source_value measurement_event_id
              meas_event_field_concept_id
    """,
    "observation": """
        key: observation_id
        person: person_id
        date: observation_date
        ref: provider_id visit_occurrence_id visit_detail_id
        concept: observation_concept_id observation_source_concept_id
        number: value_as_number
        keep: observation_type_concept_id value_as_concept_id qualifier_concept_id unit_concept_id
        string: value_as_string observation_source_value unit_source_value
        drop: observation_datetime qualifier_source_value value_source_value observation_event_id
              obs_event_field_concept_id
    """,
    "death": """
        person: person_id
        date: death_date
        concept: cause_concept_id cause_source_concept_id
        keep: death_type_concept_id
        drop: death_datetime cause_source_value
    """,
    "note": """
        key: note_id
        person: person_id
        date: note_date
        ref: provider_id visit_occurrence_id visit_detail_id
        note: note_text
        keep: note_type_concept_id note_class_concept_id encoding_concept_id language_concept_id
        drop: note_datetime note_title note_source_value note_event_id note_event_field_concept_id
    """,
    "specimen": """
        key: specimen_id
        person: person_id
        date: specimen_date
        concept: specimen_concept_id
        number: quantity
        keep: specimen_type_concept_id unit_concept_id anatomic_site_concept_id disease_status_concept_id
        drop: specimen_datetime specimen_source_id specimen_source_value unit_source_value
              anatomic_site_source_value disease_status_source_value
    """,
    "payer_plan_period": """
        key: payer_plan_period_id
        person: person_id
        date: payer_plan_period_start_date payer_plan_period_end_date
        concept: payer_concept_id payer_source_concept_id plan_concept_id plan_source_concept_id sponsor_concept_id
                 sponsor_source_concept_id
        keep: stop_reason_concept_id stop_reason_source_concept_id
        drop: payer_source_value plan_source_value sponsor_source_value family_source_value stop_reason_source_value
    """,
    "condition_era": """
        key: condition_era_id
        person: person_id
        date: condition_era_start_date condition_era_end_date
        concept: condition_concept_id
        keep: condition_occurrence_count
    """,
    "drug_era": """
        key: drug_era_id
        person: person_id
        date: drug_era_start_date drug_era_end_date
        concept: drug_concept_id
        keep: drug_exposure_count gap_days
    """,
    "dose_era": """
        key: dose_era_id
        person: person_id
        date: dose_era_start_date dose_era_end_date
        concept: drug_concept_id
        number: dose_value
        keep: unit_concept_id
    """,
    "episode": """
        key: episode_id
        person: person_id
        date: episode_start_date episode_end_date
        concept: episode_concept_id episode_object_concept_id episode_source_concept_id
        keep: episode_number episode_type_concept_id
        drop: episode_start_datetime episode_end_datetime episode_parent_id episode_source_value
    """,
    "location": """
        key: location_id
        zip: zip
        state: state
        keep: country_concept_id
        drop: address_1 address_2 city county location_source_value country_source_value latitude longitude
    """,
    "care_site": """
        key: care_site_id
        keep: place_of_service_concept_id
        drop: care_site_name location_id care_site_source_value place_of_service_source_value
    """,
    "provider": """
        key: provider_id
        ref: care_site_id
        keep: specialty_concept_id gender_concept_id
        drop: provider_name npi dea year_of_birth provider_source_value specialty_source_value
              specialty_source_concept_id gender_source_value gender_source_concept_id
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
"""The action for each column of each table that a snapshot holds; of the other tables nothing is kept."""


def action(table: str, column: str) -> Action:
    """What becomes of a column: ``drop`` where it is not listed."""
    return ACTIONS.get(table, {}).get(column, "drop")


def wanted() -> dict[str, tuple[Column, ...]]:
    """The columns of each table that go on from the staging area."""
    return {
        name: tuple(column for column in table.columns if action(name, column.name) != "drop")
        for name, table in TABLES.items()
    }
