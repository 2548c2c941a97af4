"""Each type of FHIR resource as source records. What docs/reference/fhir.md lists, and nothing else, is read.

A resource becomes records of one kind, or raises :class:`vitrail.ingest.fhir_elements.Unfit` with the reason for which
it is not loaded.
"""

from collections.abc import Callable, Mapping

from vitrail.ingest.fhir_drugs import (
    immunization,
    medication,
    medication_administration,
    medication_dispense,
    medication_request,
    medication_statement,
)
from vitrail.ingest.fhir_elements import Element
from vitrail.ingest.fhir_events import allergy, condition, device, device_use, imaging_study, procedure, supply
from vitrail.ingest.fhir_notes import document, report
from vitrail.ingest.fhir_observations import observation
from vitrail.ingest.fhir_people import coverage, encounter, location, organization, patient, practitioner, role
from vitrail.ingest.fhir_reading import Made, Reading

READ: Mapping[str, Callable[[Element, Reading], Made]] = {
    "Patient": patient,
    "Practitioner": practitioner,
    "PractitionerRole": role,
    "Organization": organization,
    "Location": location,
    "Encounter": encounter,
    "Condition": condition,
    "MedicationRequest": medication_request,
    "MedicationDispense": medication_dispense,
    "MedicationAdministration": medication_administration,
    "MedicationStatement": medication_statement,
    "Medication": medication,
    "Immunization": immunization,
    "Procedure": procedure,
    "ImagingStudy": imaging_study,
    "AllergyIntolerance": allergy,
    "Observation": observation,
    "Device": device,
    "DeviceUseStatement": device_use,
    "SupplyDelivery": supply,
    "Coverage": coverage,
    "DocumentReference": document,
    "DiagnosticReport": report,
}
"""How each type of resource is read; the others are left out, and counted."""
