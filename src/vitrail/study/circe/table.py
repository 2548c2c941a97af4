"""Circe's criteria and ours: which field of each criterion is which limit of which domain, and of what kind.

One table for reading, for writing and for the page of documentation. The field names and what they mean are those of
circe-be 1.12 (https://github.com/OHDSI/circe-be, ``org.ohdsi.circe.cohortdefinition``, Apache-2.0) and its query
builders. Where these differ from what a name suggests, a note says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from vitrail.study.attributes import Distinct, Domain


class Kind(Enum):
    """How Circe writes a limit. The value is what the documentation calls it."""

    FLAG = "true or not"
    DATES = "date range"
    WHOLE = "number range, fractions cut off"
    NUMBER = "number range, rounded to 4 decimals"
    CODED = "concepts, or a concept set"
    TYPED = "concepts, or a concept set, or all but these"
    SELECTED = "a concept set"
    SET = "number of a concept set"
    SOURCE = "number of a concept set, for the source concept"
    TEXT = "text filter"
    PERIOD = "span of dates"
    UNHEARD = "left out, with a note"
    REFUSED = "refused"


@dataclass(frozen=True)
class Attribute:
    """A field of a criterion. ``field`` is ours, and empty where there is none: then ``note`` says why."""

    name: str
    field: str
    kind: Kind
    note: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of Circe's that says this limit."""
        own = () if self.kind is Kind.SELECTED else (self.name,)
        chosen = (self.name + "CS",) if self.kind in (Kind.CODED, Kind.TYPED, Kind.SELECTED) else ()
        turned = (self.name + "Exclude",) if self.kind is Kind.TYPED else ()
        return (*own, *chosen, *turned)


@dataclass(frozen=True)
class CriterionKind:
    """A kind of criterion: its name in Circe, our domain, and its fields. Without ``codeset`` it is of any concept.

    ``adjusted`` is what circe-be makes of ``DateAdjustment``: dates as said, the start from the start and the end from
    the end whatever is said, or nothing.
    """

    name: str
    domain: Domain
    attributes: tuple[Attribute, ...]
    codeset: bool = True
    adjusted: Literal["as said", "own ends", "unheard"] = "as said"


ONLY_ONCE = "a column of the Common Data Model 5.0 alone; refused when it is run on drug exposures without"
_NO_SPECIMEN_SOURCE = "circe-be does not look at it, and the Common Data Model has no such column"
_NO_LOCATION = "the Common Data Model 5 has no history of locations"

_FIRST = Attribute("First", "first", Kind.FLAG)
_GENDER = Attribute("Gender", "gender", Kind.CODED)
_AGE = Attribute("Age", "age", Kind.WHOLE)
_STARTS = Attribute("OccurrenceStartDate", "starts", Kind.DATES)
_ENDS = Attribute("OccurrenceEndDate", "ends", Kind.DATES)
_SPECIALTY = Attribute("ProviderSpecialty", "specialty", Kind.CODED)
_VISIT = Attribute("VisitType", "visit_type", Kind.CODED)
_UNIT = Attribute("Unit", "unit", Kind.CODED)
_AGES = (Attribute("AgeAtStart", "age", Kind.WHOLE), Attribute("AgeAtEnd", "age_at_end", Kind.WHOLE))
_PERIOD = (
    Attribute("PeriodStartDate", "starts", Kind.DATES),
    Attribute("PeriodEndDate", "ends", Kind.DATES),
    Attribute("UserDefinedPeriod", "period", Kind.PERIOD),
    Attribute("PeriodLength", "length", Kind.WHOLE),
)
_ERA = (
    Attribute("EraStartDate", "starts", Kind.DATES),
    Attribute("EraEndDate", "ends", Kind.DATES),
    Attribute("EraLength", "length", Kind.WHOLE),
)
_COMMON = (_AGE, _GENDER)
_CLINICAL = (*_COMMON, _SPECIALTY, _VISIT)

CRITERIA: tuple[CriterionKind, ...] = (
    CriterionKind("ConditionOccurrence", "condition", (
        _FIRST, _STARTS, _ENDS, *_CLINICAL,
        Attribute("ConditionType", "type", Kind.TYPED),
        Attribute("StopReason", "stop_reason", Kind.TEXT),
        Attribute("ConditionSourceConcept", "source", Kind.SOURCE),
        Attribute("ConditionStatus", "status", Kind.CODED),
    )),
    CriterionKind("DrugExposure", "drug", (
        _FIRST, _STARTS,
        Attribute("OccurrenceEndDate", "starts", Kind.DATES, "circe-be limits the start by it, not the end"),
        *_CLINICAL,
        Attribute("DrugType", "type", Kind.TYPED),
        Attribute("StopReason", "stop_reason", Kind.TEXT),
        Attribute("Refills", "refills", Kind.WHOLE),
        Attribute("Quantity", "quantity", Kind.NUMBER),
        Attribute("DaysSupply", "days_supply", Kind.WHOLE),
        Attribute("RouteConcept", "route", Kind.CODED),
        Attribute("LotNumber", "lot_number", Kind.TEXT),
        Attribute("DrugSourceConcept", "source", Kind.SOURCE),
        Attribute("EffectiveDrugDose", "dose", Kind.NUMBER, ONLY_ONCE),
        Attribute("DoseUnit", "unit", Kind.CODED, ONLY_ONCE),
    )),
    CriterionKind("ProcedureOccurrence", "procedure", (
        _FIRST, _STARTS, *_CLINICAL,
        Attribute("ProcedureType", "type", Kind.TYPED),
        Attribute("Modifier", "modifier", Kind.CODED),
        Attribute("Quantity", "quantity", Kind.WHOLE),
        Attribute("ProcedureSourceConcept", "source", Kind.SOURCE),
    )),
    CriterionKind("Measurement", "measurement", (
        _FIRST, _STARTS, *_CLINICAL, _UNIT,
        Attribute("MeasurementType", "type", Kind.TYPED),
        Attribute("Operator", "operator", Kind.CODED),
        Attribute("ValueAsNumber", "value", Kind.NUMBER),
        Attribute("ValueAsConcept", "value_concepts", Kind.CODED),
        Attribute("RangeLow", "range_low", Kind.NUMBER),
        Attribute("RangeHigh", "range_high", Kind.NUMBER),
        Attribute("RangeLowRatio", "range_low_ratio", Kind.NUMBER),
        Attribute("RangeHighRatio", "range_high_ratio", Kind.NUMBER),
        Attribute("Abnormal", "abnormal", Kind.FLAG),
        Attribute("MeasurementSourceConcept", "source", Kind.SOURCE),
    )),
    CriterionKind("Observation", "observation", (
        _FIRST, _STARTS, *_CLINICAL, _UNIT,
        Attribute("ObservationType", "type", Kind.TYPED),
        Attribute("ValueAsNumber", "value", Kind.NUMBER),
        Attribute("ValueAsString", "value_text", Kind.TEXT),
        Attribute("ValueAsConcept", "value_concepts", Kind.CODED),
        Attribute("Qualifier", "qualifier", Kind.CODED),
        Attribute("ObservationSourceConcept", "source", Kind.SOURCE),
    )),
    CriterionKind("DeviceExposure", "device", (
        _FIRST, _STARTS, _ENDS, *_CLINICAL,
        Attribute("DeviceType", "type", Kind.TYPED),
        Attribute("UniqueDeviceId", "unique_device_id", Kind.TEXT),
        Attribute("Quantity", "quantity", Kind.WHOLE),
        Attribute("DeviceSourceConcept", "source", Kind.SOURCE),
    )),
    CriterionKind("VisitOccurrence", "visit", (
        _FIRST, _STARTS, _ENDS, *_COMMON, _SPECIALTY,
        Attribute("VisitType", "type", Kind.TYPED, "the type of the visit's record, not what kind of visit it was"),
        Attribute("VisitSourceConcept", "source", Kind.SOURCE),
        Attribute("VisitLength", "length", Kind.WHOLE),
        Attribute("PlaceOfService", "place_of_service", Kind.CODED),
        Attribute("PlaceOfServiceLocation", "", Kind.REFUSED, _NO_LOCATION),
    )),
    CriterionKind("Death", "death", (
        _STARTS, *_COMMON,
        Attribute("DeathType", "type", Kind.TYPED),
        Attribute("DeathSourceConcept", "source", Kind.SOURCE),
    ), adjusted="own ends"),
    CriterionKind("ConditionEra", "condition_era", (
        _FIRST, *_ERA, *_AGES, _GENDER,
        Attribute("OccurrenceCount", "occurrences", Kind.WHOLE),
    )),
    CriterionKind("DrugEra", "drug_era", (
        _FIRST, *_ERA, *_AGES, _GENDER,
        Attribute("OccurrenceCount", "occurrences", Kind.WHOLE),
        Attribute("GapDays", "gap_days", Kind.WHOLE),
    )),
    CriterionKind("DoseEra", "dose_era", (
        _FIRST, *_ERA, *_AGES, _GENDER, _UNIT,
        Attribute("DoseValue", "dose", Kind.NUMBER),
    )),
    CriterionKind("VisitDetail", "visit_detail", (
        _FIRST,
        Attribute("VisitDetailStartDate", "starts", Kind.DATES),
        Attribute("VisitDetailEndDate", "ends", Kind.DATES),
        Attribute("VisitDetailType", "type", Kind.SELECTED),
        Attribute("VisitDetailSourceConcept", "source", Kind.SOURCE),
        Attribute("VisitDetailLength", "length", Kind.WHOLE),
        Attribute("Age", "age_at_end", Kind.WHOLE, "circe-be reckons it at the end"),
        Attribute("Gender", "gender", Kind.SELECTED),
        Attribute("ProviderSpecialty", "specialty", Kind.SELECTED),
        Attribute("PlaceOfService", "place_of_service", Kind.SELECTED),
        Attribute("PlaceOfServiceLocation", "", Kind.REFUSED, _NO_LOCATION),
    )),
    CriterionKind("Specimen", "specimen", (
        _FIRST, _STARTS, *_COMMON, _UNIT,
        Attribute("SpecimenType", "type", Kind.TYPED),
        Attribute("Quantity", "quantity", Kind.NUMBER),
        Attribute("AnatomicSite", "anatomic_site", Kind.CODED),
        Attribute("DiseaseStatus", "disease_status", Kind.CODED),
        Attribute("SourceId", "source_id", Kind.TEXT),
        Attribute("SpecimenSourceConcept", "", Kind.UNHEARD, _NO_SPECIMEN_SOURCE),
    ), adjusted="unheard"),
    CriterionKind("ObservationPeriod", "observation_period", (
        _FIRST, *_PERIOD, *_AGES,
        Attribute("PeriodType", "type", Kind.CODED),
    ), codeset=False),
    CriterionKind("PayerPlanPeriod", "payer_plan_period", (
        _FIRST, *_PERIOD, *_AGES, _GENDER,
        Attribute("PayerConcept", "payer", Kind.SET),
        Attribute("PlanConcept", "plan", Kind.SET),
        Attribute("SponsorConcept", "sponsor", Kind.SET),
        Attribute("StopReasonConcept", "stop_reason_concept", Kind.SET),
        Attribute("PayerSourceConcept", "payer_source", Kind.SET),
        Attribute("PlanSourceConcept", "plan_source", Kind.SET),
        Attribute("SponsorSourceConcept", "sponsor_source", Kind.SET),
        Attribute("StopReasonSourceConcept", "stop_reason_source", Kind.SET),
    ), codeset=False),
)  # fmt: skip
"""Every kind of criterion that is answered."""

REFUSED_CRITERIA: Mapping[str, str] = {"LocationRegion": _NO_LOCATION}
"""Kinds of criteria that exist in Circe and are not answered, and why."""

DEMOGRAPHIC: tuple[Attribute, ...] = (
    _AGE, _GENDER,
    Attribute("Race", "race", Kind.CODED),
    Attribute("Ethnicity", "ethnicity", Kind.CODED),
    _STARTS, _ENDS,
)  # fmt: skip
"""The fields of a demographic criterion, which limits the person at an index."""

COUNT_COLUMNS: Mapping[str, Distinct] = {
    "START_DATE": "start", "END_DATE": "end", "DOMAIN_CONCEPT": "concept", "VISIT_ID": "visit",
    "VISIT_DETAIL_ID": "visit_detail", "DURATION": "duration", "DAYS_SUPPLY": "days_supply", "QUANTITY": "quantity",
    "REFILLS": "refills", "ERA_OCCURRENCES": "occurrences", "GAP_DAYS": "gap_days", "VALUE_AS_NUMBER": "value",
    "UNIT": "unit", "RANGE_LOW": "range_low", "RANGE_HIGH": "range_high",
}  # fmt: skip
"""What may be counted apart instead of events."""
