"""What each type of check asks, what its failure means for a study, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Category = Literal["conformance", "completeness", "plausibility"]


@dataclass(frozen=True)
class Meaning:
    """A type of check in words. ``asks`` is a sentence of what is right; ``own`` where it is none of DQD's."""

    name: str
    category: Category
    asks: str
    study: str
    do: str
    own: bool = False


_CONFORMANCE = (
    Meaning(
        "cdmTable", "conformance", "The table is there.",
        "A study that needs the table stops or finds nobody.",
        "Report it: a load writes every table, an empty one where the source has none.",
    ),
    Meaning(
        "cdmField", "conformance", "The field is there.",
        "A study that needs the field stops.",
        "Report it: a load writes every field that deidentification keeps.",
    ),
    Meaning(
        "cdmDatatype", "conformance", "Every value has the field's type.",
        "Rows whose value could not be read are quarantined: those they speak of have too few records.",
        "Correct the values in the extract; the manifest names the first such row of each file.",
    ),
    Meaning(
        "rowsQuarantined", "conformance", "Few rows of the file are quarantined.",
        "Counts are too low, and rates are biased where the rows that are lost are unlike the others.",
        "Look at the reasons below, and correct the commonest in the extract or in the mapping file.",
        own=True,
    ),
    Meaning(
        "isRequired", "conformance", "A required value is never missing.",
        "Cohorts and covariates pass over such a record without a word, or stop.",
        "Report it: a load quarantines rows without it, so none should have come so far.",
    ),
    Meaning(
        "isPrimaryKey", "conformance", "No two records have one key.",
        "Records are counted twice, and a visit may belong to two people.",
        "Report it: a load numbers records anew.",
    ),
    Meaning(
        "isForeignKey", "conformance", "What a record refers to is there.",
        "Without its person a record is nobody's. An unknown visit or clinician is dropped. A concept that the "
        "vocabulary lacks is below no other, so concept sets with descendants do not find it.",
        "Extract visits and clinicians over the time of the events; load the vocabulary of the source's mapping.",
    ),
    Meaning(
        "fkDomain", "conformance", "The concept is of the field's domain.",
        "The record is in the wrong table: a cohort that looks for a condition does not look among procedures.",
        "Send each record to the table that its standard concept's domain names.",
    ),
    Meaning(
        "fkClass", "conformance", "The concept is of the field's class.",
        "Drug eras of products and not of ingredients split one exposure into several.",
        "Derive eras from ingredients, or leave the era tables out: a load derives them.",
    ),
    Meaning(
        "isStandardValidConcept", "conformance", "The concept is standard and valid.",
        "Concept sets hold standard concepts; a record with another is not found.",
        "Map again with the vocabulary of today, by its “Maps to” relationships.",
    ),
)  # fmt: skip

_COMPLETENESS = (
    Meaning(
        "measurePersonCompleteness", "completeness", "Persons have a record in the table.",
        "A person without an observation period is in no cohort. Tables that speak of few people cannot carry a study.",
        "Compare with what the source holds; look for a file that was left out, or for person ids that do not match.",
    ),
    Meaning(
        "measureConditionEraCompleteness", "completeness", "Persons with a condition have a condition era.",
        "Studies by era miss people whom studies by occurrence find.",
        "Leave the era tables out: a load derives them from occurrences.",
    ),
    Meaning(
        "measureValueCompleteness", "completeness", "How often the field is empty.",
        "Nothing by itself: OMOP does not require the field. A study that needs it learns here how often it is there.",
        "Look for a field that became empty since the snapshot before.",
    ),
    Meaning(
        "standardConceptRecordCompleteness", "completeness", "The record has a standard concept.",
        "A record with concept 0 is found by no concept set: prevalence is too low, and controls are not free of the "
        "disease.",
        "Map the commonest codes of `unmapped.csv` in `source_to_concept_map.csv`, and load again.",
    ),
    Meaning(
        "sourceConceptRecordCompleteness", "completeness", "The record has a source concept.",
        "Little: studies use standard concepts. Without the source's concept a mapping cannot be checked.",
        "Give the source's code its vocabulary in the mapping.",
    ),
    Meaning(
        "sourceValueCompleteness", "completeness", "The source's codes are mapped.",
        "Whole codes are invisible, however many records each has.",
        "Map the commonest codes of `unmapped.csv` in `source_to_concept_map.csv`, and load again.",
    ),
)  # fmt: skip

_PLAUSIBILITY = (
    Meaning(
        "measureObservationPeriodOverlap", "plausibility", "Observation periods of a person are apart.",
        "Days in two periods count twice in the time at risk, so rates are too low.",
        "Merge periods that overlap or follow each other without a day between, as OMOP asks.",
    ),
    Meaning(
        "withinObservationPeriod", "plausibility", "Events lie inside an observation period.",
        "Cohorts do not use events outside; whoever has only such events is in none.",
        "Derive observation periods from the same extract as the events.",
        own=True,
    ),
    Meaning(
        "plausibleValueLow", "plausibility", "The value is not too low.",
        "A wrong unit or a placeholder (0, 1900-01-01) moves means and makes durations senseless.",
        "Look for placeholders, and write them as missing; check units.",
    ),
    Meaning(
        "plausibleValueHigh", "plausibility", "The value is not too high.",
        "A wrong unit, a placeholder (9999-12-31) or a day in the future moves means and follow-up.",
        "Look for placeholders, and write them as missing; check units.",
    ),
    Meaning(
        "plausibleTemporalAfter", "plausibility", "The day is after the day that it must follow.",
        "Durations are negative, or events come before birth.",
        "Look for swapped columns and for years of birth that are guesses.",
    ),
    Meaning(
        "plausibleDuringLife", "plausibility", "Nothing happens more than 60 days after death.",
        "Deaths that are wrong end follow-up too early; records of the wrong person are in somebody's history.",
        "Look for merged records and for dates of entry in the place of dates of events.",
    ),
    Meaning(
        "plausibleAfterBirth", "plausibility", "Nothing happens before birth.",
        "Ages are negative, and such people fall out of every age band.",
        "Look for a mother's records in her child's, and for placeholders among dates.",
    ),
    Meaning(
        "plausibleBeforeDeath", "plausibility", "Nothing happens more than 60 days after death.",
        "Deaths that are wrong end follow-up too early; records of the wrong person are in somebody's history.",
        "Look for merged records and for dates of entry in the place of dates of events.",
    ),
    Meaning(
        "plausibleStartBeforeEnd", "plausibility", "The start is not after the end.",
        "Durations and time at risk are negative.",
        "Look for swapped columns. A load quarantines such rows.",
    ),
    Meaning(
        "withinVisitDates", "plausibility", "The record is within a week of its visit.",
        "What is counted during a stay, as complications are, is counted in the wrong stay or in none.",
        "Check how events are tied to visits, and dates of entry against dates of events.",
    ),
    Meaning(
        "plausibleGender", "plausibility", "The person's gender goes with the concept.",
        "Codes or genders are wrong, or records of two people are one.",
        "Look at the mapping of gender first, then for merged records.",
    ),
    Meaning(
        "plausibleGenderUseDescendants", "plausibility", "The person's gender goes with the concept and those below.",
        "Codes or genders are wrong, or records of two people are one.",
        "Look at the mapping of gender first, then for merged records.",
    ),
    Meaning(
        "plausibleUnitConceptIds", "plausibility", "The unit can be that of the measurement.",
        "Values in two units look like two populations; thresholds cut at the wrong place.",
        "Map units by the laboratory's own list; convert nothing by guess.",
    ),
)  # fmt: skip

MEANINGS: Mapping[str, Meaning] = {each.name: each for each in (*_CONFORMANCE, *_COMPLETENESS, *_PLAUSIBILITY)}
"""Every type of check, by name."""

CATEGORIES: Mapping[Category, str] = {
    "conformance": "Are the tables what OMOP says, and do their records fit together?",
    "completeness": "How much is there, and how much of it has a meaning?",
    "plausibility": "Can it have happened, and when it is said to have happened?",
}
"""The categories of Kahn et al. (eGEMs 2016;4:1244)."""


def meaning(name: str) -> Meaning:
    """What a check asks. A check of an earlier version of Vitrail is known by its name alone."""
    unknown = "This check is one of an earlier version."
    return MEANINGS.get(name) or Meaning(name, "conformance", f"{name}.", unknown, "Load the source again.", own=True)
