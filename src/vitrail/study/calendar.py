"""The calendar that a study needs: what the days of a snapshot must say for its answer to be right.

Nearly all words count the days between two records of one person. These are the same however far that person's days
were moved, so any calendar will do. A word that speaks of the day or the year itself needs true dates: a shift by whole
weeks within half a year moves what happens near New Year into another year, and a count from an epoch has no years.
``shifted`` therefore answers no more than ``none``: how far days were moved is not a study's to know.

``age`` is a difference, too: the year of birth is moved as the days are, so an age may be one year more or less.

Nothing is taken for granted: a field that is not listed here, a value that is not, and any date need true dates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from vitrail.study.analyses.characterise import Characterise, Incidence
from vitrail.study.analyses.predict import Predict
from vitrail.study.attributes import DOMAINS
from vitrail.study.cohort import (
    Around,
    Cohort,
    EntryEvent,
    Event,
    Exit,
    Exposure,
    Group,
    Limits,
    Moved,
    Observed,
    PersonLimits,
    Rule,
    Wording,
)
from vitrail.study.concepts import Coded, ConceptItem, ConceptSet
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study
from vitrail.study.word import Part, Word

_EVENT = (
    *DOMAINS,
    "first", "source", "age", "age_at_end", "gender", "type", "visit_type", "specialty", "place_of_service",
    "status", "route", "modifier", "operator", "qualifier", "unit", "anatomic_site", "disease_status", "payer",
    "plan", "sponsor", "stop_reason_concept", "payer_source", "plan_source", "sponsor_source",
    "stop_reason_source", "value", "value_concepts", "value_text", "range_low", "range_high", "range_low_ratio",
    "range_high_ratio", "abnormal", "refills", "quantity", "days_supply", "dose", "length", "occurrences",
    "gap_days", "stop_reason", "lot_number", "unique_device_id", "source_id", "moved", "where",
)  # fmt: skip

ANY_CALENDAR: Mapping[type[Word], tuple[str, ...]] = {
    Study: ("vitrail", "title", "purpose", "question", "protocol", "authors", "concept_sets", "cohorts", "analyses"),
    ConceptSet: ("concepts",),
    ConceptItem: ("concept", "descendants", "exclude", "mapped"),
    Coded: ("any_of", "none_of", "within", "outside", "recorded"),
    Cohort: (
        "entry", "observed", "also", "qualified", "rules", "limit", "exit", "censor", "era_pad",
        "eras_within_observation",
    ),
    Event: _EVENT,
    EntryEvent: _EVENT,
    Limits: ("at_least", "above", "at_most", "below", "outside"),
    Wording: tuple(Wording.model_fields),
    Moved: ("start_from", "start_days", "end_from", "end_days"),
    Around: ("days", "index", "event"),
    Group: ("need", "count", "rules"),
    PersonLimits: ("age", "gender", "race", "ethnicity"),
    Rule: (
        "name", "of", "days", "windows", "at_least", "at_most", "distinct", "same_visit", "unobserved", "person",
        "group",
    ),
    Observed: ("before", "after"),
    Exposure: ("drug", "gap", "offset", "days_supply"),
    Exit: ("days_after_start", "days_after_end", "exposed_to"),
    Covariate: ("name", "age", "sex", "has", "last", "days", "centre", "per", "if_missing"),
    Characterise: ("kind", "cohorts", "table", "incidence", "max_rounds"),
    Incidence: ("name", "population", "outcome"),
    Predict: (
        "kind", "target", "outcome", "horizon", "covariates", "test_share", "develop_at", "leave_one_site_out",
        "thresholds", "tolerance", "max_rounds",
    ),
}  # fmt: skip
"""The fields of each word that mean the same under any calendar: names, prose, concepts, numbers, orders of events and
days between them."""

BY_VALUE: Mapping[tuple[type[Word], str], Mapping[object, bool]] = {
    (Cohort, "keep"): {"first": False, "last": False, "every": False, "first_of_each_year": True},
}
"""Fields of which some values need true dates, and which do."""


@dataclass(frozen=True)
class Need:
    """A place in a study that needs true dates, and what to write there instead."""

    part: Part
    instead: str

    def __str__(self) -> str:
        return ".".join(map(str, self.part))


def calendar_aloud(study: Study) -> str:
    """Which calendar the study needs, in words."""
    found = needs(study)
    if not found:
        return "Calendar: days between records are all it asks for, so sites whose days were moved can answer."
    return f"Calendar: it needs true dates, and sites whose days were moved refuse it, for {listed(found)}."


def listed(found: Sequence[Need]) -> str:
    """The places, each with what would do without true dates."""
    return "; ".join(f"{need} ({need.instead})" for need in found)


def needs(study: Study) -> tuple[Need, ...]:
    """Every place in the study that needs true dates, in order."""
    return tuple(_of_word(study, ()))


def _of_word(word: Word, part: Part) -> Iterator[Need]:
    for field in type(word).model_fields:
        value = getattr(word, field)
        if value is not None:
            yield from _of_field(type(word), field, value, (*part, field))


def _of_field(word: type[Word], field: str, value: object, part: Part) -> Iterator[Need]:
    values = BY_VALUE.get((word, field))
    if values is not None:
        if values.get(value, True):
            fitting = " or ".join(str(each) for each, dated in values.items() if not dated)
            yield Need(part, f"{fitting} would do without")
    elif field in ANY_CALENDAR.get(word, ()):
        yield from _of_value(value, part)
    else:
        yield Need(part, "leave it out to do without")


def _of_value(value: object, part: Part) -> Iterator[Need]:
    if isinstance(value, Word):
        yield from _of_word(value, part)
    elif isinstance(value, date):
        yield Need(part, "leave it out to do without")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _of_value(each, (*part, key))
    elif isinstance(value, tuple | list):
        for place, each in enumerate(value):
            yield from _of_value(each, (*part, place))
