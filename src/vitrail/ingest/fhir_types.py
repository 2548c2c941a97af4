"""The resource types of FHIR R4 (https://hl7.org/fhir/R4/resourcelist.html), and what a load makes of each status."""

from collections.abc import Mapping

RESOURCE_TYPES = frozenset(
    """
    Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
    BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
    ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest
    CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
    CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement
    DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
    EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
    FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization
    ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List
    Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
    MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction
    MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical
    MedicinalProductUndesirableEffect MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder
    Observation ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation
    Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole
    Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition
    ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule
    SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription
    Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation
    SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport
    TestScript ValueSet VerificationResult VisionPrescription
    """.split()  # noqa: SIM905
)

_STATUS = """
    Encounter: arrived triaged in-progress onleave finished unknown | planned cancelled entered-in-error
    MedicationRequest: active on-hold completed stopped unknown | draft cancelled entered-in-error
    MedicationAdministration: in-progress completed stopped unknown | not-done on-hold entered-in-error
    MedicationStatement: active completed stopped on-hold unknown | intended not-taken entered-in-error
    MedicationDispense: completed unknown stopped | preparation in-progress cancelled on-hold declined entered-in-error
    Observation: final amended corrected preliminary unknown | registered cancelled entered-in-error
    Procedure: in-progress on-hold stopped completed unknown | preparation not-done entered-in-error
    Immunization: completed | not-done entered-in-error
    DocumentReference: current superseded | entered-in-error
    DiagnosticReport: final amended corrected appended partial preliminary unknown | registered cancelled
        entered-in-error
    DeviceUseStatement: active completed stopped | intended on-hold entered-in-error
    ImagingStudy: available unknown | registered cancelled entered-in-error
    SupplyDelivery: in-progress completed | abandoned entered-in-error
    Coverage: active cancelled | draft entered-in-error
"""


def _read() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    found, name = dict[str, list[str]](), ""
    for word in _STATUS.split():
        name = word.removesuffix(":") if word.endswith(":") else name
        found.setdefault(name, []).extend([] if word.endswith(":") else [word])
    return {name: _halves(words) for name, words in found.items()}


def _halves(words: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    middle = words.index("|")
    return frozenset(words[:middle]), frozenset(words[middle + 1 :])


STATUSES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = _read()
"""By resource type: the statuses of what happened, and those of what did not happen, not yet, or in error."""

INTENTS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
"""The intents of a MedicationRequest that is an order, and no proposal, plan or option."""

NO_ORDERS = frozenset({"proposal", "plan", "option"})
"""The other intents that FHIR has (https://hl7.org/fhir/R4/valueset-medicationrequest-intent.html)."""
