"""Circe's JSON, field by field: what each means in our words, what is refused, and how it is told."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from vitrail.errors import StudyError
from vitrail.study.attributes import ATTRIBUTES
from vitrail.study.circe import parse_circe, read_circe, write_circe
from vitrail.study.circe.names import fitted
from vitrail.study.circe.table import CRITERIA, DEMOGRAPHIC, Attribute, Kind
from vitrail.study.cohort import Around, Cohort, DayLimits, Event, Group, Limits, Moved, Rule, Span, Wording
from vitrail.study.concepts import Coded, ConceptItem
from vitrail.study.definition import Definition

Json = dict[str, Any]

SETS = [
    {"id": number, "name": name, "expression": {"items": [{"concept": {"CONCEPT_ID": concept}}]}}
    for number, name, concept in ((0, "gout", 1), (7, "drug", 2))
]


def expression(criterion: Json, **more: Any) -> Json:
    """The smallest definition around a criterion."""
    primary = {"CriteriaList": [criterion], "ObservationWindow": {}, "PrimaryCriteriaLimit": {"Type": "All"}}
    return {"PrimaryCriteria": primary, "ConceptSets": SETS, "ExpressionLimit": {"Type": "All"}, **more}


def read(criterion: Json, **more: Any) -> Definition:
    return read_circe(expression(criterion, **more), "1")


def entry(criterion: Json) -> Event:
    return read(criterion).cohort.entry[0]


def correlated(**more: Any) -> Json:
    """A criterion around an index: at least one drug from 30 days before to that day."""
    window = {"Start": {"Days": 30, "Coeff": -1}, "End": {"Days": 0, "Coeff": 1}}
    return {
        "Criteria": {"DrugExposure": {"CodesetId": 7}}, "StartWindow": window, "Occurrence": {"Type": 2, "Count": 1},
        **more,
    }  # fmt: skip


def rule(**more: Any) -> Rule:
    """The rule that such a criterion becomes."""
    group = {"Type": "ALL", "CriteriaList": [correlated(**more)]}
    also = read({"Death": {}}, AdditionalCriteria=group).cohort.also
    assert also is not None
    return also.rules[0]


def refused(data: object) -> StudyError:
    with pytest.raises(StudyError) as caught:
        read_circe(data, "1")
    return caught.value


CONCEPTS = [{"CONCEPT_ID": 3, "CONCEPT_NAME": "three"}, {"CONCEPT_ID": 4}]
IN, NOT_IN = ({"CodesetId": 7, "IsExclusion": flag} for flag in (False, True))
LISTED = [({"": CONCEPTS}, Coded(any_of=(3, 4))), ({"": []}, None), ({"": None}, None)]
CHOSEN = [
    ({"CS": IN}, Coded(within="drug")), ({"CS": NOT_IN}, Coded(outside="drug")), ({"CS": {}}, Coded(recorded=True)),
    ({"CS": {"CodesetId": None}}, Coded(recorded=True)),
]  # fmt: skip
NONE = ({"CS": {"IsExclusion": True}}, Coded(recorded=False))
BOTH = [({"": CONCEPTS, "CS": NOT_IN}, Coded(any_of=(3, 4), outside="drug"))]
TURNED = [({"": CONCEPTS, "Exclude": True}, Coded(none_of=(3, 4))), ({"Exclude": True}, None)]
DAY, OTHER = date(2010, 1, 5), date(2011, 12, 31)
SAMPLES: dict[Kind, list[tuple[Json, Any]]] = {
    Kind.FLAG: [({"": True}, True), ({"": False}, None), ({"": None}, None)],
    Kind.DATES: [
        ({"": {"Op": op, "Value": "2010-01-05", "Extent": "2011-12-31"}}, DayLimits(**said))
        for op, said in (
            ("lt", {"before": DAY}), ("lte", {"until": DAY}), ("gt", {"after": DAY}), ("gte", {"since": DAY}),
            ("eq", {"since": DAY, "until": DAY}), ("!eq", {"outside": (DAY, DAY)}),
            ("bt", {"since": DAY, "until": OTHER}), ("!bt", {"outside": (DAY, OTHER)}),
        )
    ],
    Kind.WHOLE: [
        ({"": {"Op": op, "Value": 18, "Extent": 65}}, Limits(**said))
        for op, said in (
            ("lt", {"below": 18}), ("lte", {"at_most": 18}), ("gt", {"above": 18}), ("gte", {"at_least": 18}),
            ("eq", {"at_least": 18, "at_most": 18}), ("!eq", {"outside": (18.0, 18.0)}),
            ("bt", {"at_least": 18, "at_most": 65}), ("!bt", {"outside": (18.0, 65.0)}),
        )
    ] + [({"": {"Op": "gt", "Value": 18.9}}, Limits(above=18)), ({"": {"Op": "gt", "Value": -0.5}}, Limits(above=0))],
    Kind.NUMBER: [
        ({"": {"Op": "lt", "Value": 1.23456}}, Limits(below=1.2346)),
        ({"": {"Op": "bt", "Value": 0.00005, "Extent": "1.5"}}, Limits(at_least=0.0001, at_most=1.5)),
        ({"": {"Op": "!bt", "Value": 1, "Extent": 2}}, Limits(outside=(1.0, 2.0))),
    ],
    Kind.CODED: LISTED + CHOSEN + BOTH,
    Kind.TYPED: LISTED + CHOSEN + BOTH + TURNED,
    Kind.SELECTED: CHOSEN,
    Kind.SET: [({"": 7}, Coded(within="drug")), ({"": None}, None)],
    Kind.SOURCE: [({"": 7}, "drug"), ({"": None}, None)],
    Kind.TEXT: [
        ({"": {"Op": op, "Text": "abc"}}, Wording(**{word: "abc"}))
        for op, word in (
            ("startsWith", "starts_with"), ("endsWith", "ends_with"), ("contains", "contains"),
            ("!startsWith", "not_starting_with"), ("!endsWith", "not_ending_with"), ("!contains", "not_containing"),
        )
    ] + [({"": {"Op": "contains"}}, Wording(contains="")), ({"": {"Op": "!endsWith", "Text": None}}, Wording(
        not_ending_with=""))],
    Kind.PERIOD: [
        ({"": {"StartDate": "2010-01-05"}}, Span(start=DAY)), ({"": {"EndDate": "2010-1-5"}}, Span(end=DAY)),
        ({"": {}}, None),
    ],
    Kind.UNHEARD: [({"": 7}, None)],
}  # fmt: skip
"""For each kind: what may be written after the field's name, and what it means."""


def samples(attributes: tuple[Attribute, ...]) -> Iterator[tuple[Attribute, Json, Any]]:
    for each in attributes:
        for said, meant in SAMPLES.get(each.kind, ()):
            yield each, {each.name + ending: value for ending, value in said.items()}, meant


@pytest.mark.parametrize("kind", CRITERIA, ids=lambda kind: kind.name)
def test_every_field_of_a_criterion_means_a_limit_and_is_written_again(kind: Any) -> None:
    for attribute, said, meant in samples(kind.attributes):
        definition = read({kind.name: said})
        assert getattr(definition.cohort.entry[0], attribute.field, None) == meant, said
        assert read_circe(write_circe(definition), "1") == definition, said
    unsaid = {name for name in ATTRIBUTES[kind.domain] if name not in {each.field for each in kind.attributes}}
    assert unsaid <= {"source", "age_at_end"}  # of a specimen, Circe has no source; of others, no age at the end


def test_every_field_of_a_person_means_a_limit_and_is_written_again() -> None:
    for attribute, said, meant in samples(DEMOGRAPHIC):
        group = {"Type": "ANY", "DemographicCriteriaList": [said]}
        definition = read({"Death": {}}, AdditionalCriteria=group)
        assert definition.cohort.also is not None
        assert getattr(definition.cohort.also.rules[0].person, attribute.field) == meant
        assert read_circe(write_circe(definition), "1") == definition


def test_concepts_and_source_concepts() -> None:
    assert entry({"ConditionOccurrence": {"CodesetId": 0}}).condition == "gout"
    assert entry({"ConditionOccurrence": {"CodesetId": None}}).condition == "any"
    both = entry({"ConditionOccurrence": {"CodesetId": 0, "ConditionSourceConcept": 7}})
    assert (both.condition, both.source) == ("gout", "drug")
    said = {"concept": {"CONCEPT_ID": 5}, "isExcluded": True, "includeDescendants": True, "includeMapped": True}
    sets = [{"id": 3, "name": "x", "expression": {"items": [said]}}, {"id": 4, "expression": {"items": []}}]
    found = read({"Death": {}}, ConceptSets=sets).concept_sets
    assert found["x"].concepts == (ConceptItem(concept=5, descendants=True, exclude=True, mapped=True),)
    assert found["concept set 4"].concepts == (ConceptItem(concept=0, descendants=False, exclude=True),)  # none


def test_where_the_reference_reads_a_field_otherwise_so_do_we() -> None:
    early = {"Op": "lt", "Value": "2010-01-05"}
    late = {"Op": "gte", "Value": "2009-01-05"}
    drug = read({"DrugExposure": {"OccurrenceStartDate": late, "OccurrenceEndDate": early}})
    assert drug.cohort.entry[0].starts == DayLimits(since=date(2009, 1, 5), before=DAY)
    assert drug.cohort.entry[0].ends is None
    assert read_circe(write_circe(drug), "1") == drug
    assert entry({"VisitDetail": {"Age": {"Op": "gt", "Value": 3}}}).age_at_end == Limits(above=3)
    adjusted = {"StartWith": "END_DATE", "StartOffset": 1, "EndWith": "START_DATE", "EndOffset": 2}
    assert entry({"Measurement": {"DateAdjustment": adjusted}}).moved == Moved(
        start_from="end", start_days=1, end_from="start", end_days=2
    )
    notes: list[str] = []
    death = read_circe(expression({"Death": {"DateAdjustment": adjusted}}), "1", notes.append)
    assert death.cohort.entry[0].moved == Moved(start_days=1, end_days=2)
    specimen = read_circe(
        expression({"Specimen": {"DateAdjustment": adjusted, "SpecimenSourceConcept": 7}}), "1", notes.append
    )
    assert specimen.cohort.entry[0].moved is specimen.cohort.entry[0].source is None
    assert len(notes) == 3


def test_windows() -> None:
    assert (rule().days, rule().windows) == ((-30, 0), None)
    unbounded = {"Start": {"Coeff": -1}, "End": {"Days": None, "Coeff": 1}}
    assert rule(StartWindow=unbounded).days == (None, None)
    after_end = {**unbounded, "UseIndexEnd": True, "UseEventEnd": False}
    assert rule(StartWindow=after_end).windows == (Around(days=(None, None), index="end"),)
    assert rule(EndWindow=unbounded).windows == (Around(days=(None, None), event="end"),)  # where it does not say
    assert rule(EndWindow={**unbounded, "UseEventEnd": False}).windows == (Around(days=(None, None)),)
    backwards = {"Start": {"Days": 5, "Coeff": 1}, "End": {"Days": 0, "Coeff": 1}}
    assert rule(StartWindow=backwards).windows == (Around(days=(5, 0)),)
    assert rule(RestrictVisit=True, IgnoreObservationPeriod=True).same_visit
    day = {"Days": 3, "Coeff": 1, "TimeUnit": "day", "TimeUnitValue": 3}
    assert rule(StartWindow={"Start": day, "End": day}).days == (3, 3)


@pytest.mark.parametrize(("kind", "count", "least", "most"), [
    (0, 0, None, 0), (0, 2, 2, 2), (1, 0, None, 0), (1, 3, None, 3), (2, 0, 0, None), (2, 1, 1, None),
])  # fmt: skip
def test_how_often(kind: int, count: int, least: int | None, most: int | None) -> None:
    found = rule(Occurrence={"Type": kind, "Count": count, "CountColumn": "VISIT_ID"})
    assert (found.at_least, found.at_most, found.distinct) == (least, most, None)
    assert rule(Occurrence={"Type": kind, "Count": count, "IsDistinct": True}).distinct == "concept"
    by_visit = {"Type": kind, "Count": count, "IsDistinct": True, "CountColumn": "VISIT_ID"}
    assert rule(Occurrence=by_visit).distinct == "visit"


def test_groups_rules_and_limits() -> None:
    one = {"Type": "ANY", "CriteriaList": [correlated()]}
    two = {"Type": "at_least", "Count": 1, "CriteriaList": [correlated()], "Groups": [one]}
    nothing = {"Type": "ALL", "CriteriaList": []}
    named = [{"name": name, "expression": group} for name, group in (("é[x]", one), ("é[x]", two), (None, nothing))]
    cohort = read({"Death": {"CorrelatedCriteria": two}}, InclusionRules=named).cohort
    assert [each.name for each in cohort.rules] == ["e x", "e x (2)", "rule 3"]
    assert cohort.rules[0].of is not None
    assert cohort.rules[1].group is not None
    assert (cohort.rules[1].group.need, cohort.rules[1].group.count) == ("at_least", 1)
    assert cohort.rules[2].group == Group()
    assert cohort.entry[0].where == (Rule(group=cohort.rules[1].group),)
    limited = expression({"Death": {}}, AdditionalCriteria=one, QualifiedLimit={"Type": "Last"})
    assert read_circe(limited, "1").cohort.qualified == "last"
    assert read({"Death": {}}, QualifiedLimit={"Type": "Last"}).cohort.qualified is None  # nothing to qualify
    assert read({"Death": {}}, ExpressionLimit={}).cohort.limit == "first"  # as the reference has it


def test_exits() -> None:
    start = read({"Death": {}}, EndStrategy={"DateOffset": {"Offset": 7}}).cohort.exit
    assert start.days_after_start == 7
    end = read({"Death": {}}, EndStrategy={"DateOffset": {"DateField": "EndDate", "Offset": -1}}).cohort.exit
    assert end.days_after_end == -1
    era = {"DrugCodesetId": 7, "GapDays": 30, "Offset": 14, "DaysSupplyOverride": 5, "GapUnit": "day"}
    exposure = read({"Death": {}}, EndStrategy={"CustomEra": era}).cohort.exit.exposed_to
    assert exposure is not None
    assert (exposure.drug, exposure.gap, exposure.offset, exposure.days_supply) == ("drug", 30, 14, 5)
    more = {"CollapseSettings": {"EraPad": 3}, "CensorWindow": {"EndDate": "2010-01-05"}, "CensoringCriteria": []}
    cohort = read({"Death": {}}, **more).cohort
    assert (cohort.era_pad, cohort.clip, cohort.censor) == (3, Span(end=DAY), None)


def test_a_definition_as_webapi_gives_it() -> None:
    saved = {"id": 5, "name": "x", "expressionType": "SIMPLE_EXPRESSION", "expression": expression({"Death": {}})}
    assert read_circe(saved, "1") == read({"Death": {}})
    saved["expression"]["PrimaryCriteria"]["CriteriaList"][0]["Death"]["CodesetId"] = 99
    assert "expression.PrimaryCriteria.CriteriaList[1].Death.CodesetId" in str(refused(saved))


def window(start: Json, end: Json) -> Json:
    return {"Type": "ALL", "CriteriaList": [correlated(StartWindow={"Start": start, "End": end})]}


REFUSED: list[tuple[Json, str, str]] = [
    (expression({"Death": {"Colour": 1}}), "the field Colour is not known here", "Death"),
    (expression({"Death": {}}, Weather=1), "the field Weather is not known here", ""),
    (expression({"Death": {"First": True}}), "the field First is not known here", "Death"),
    (expression({"ObservationPeriod": {"CodesetId": 0}}), "CodesetId is not known here", "ObservationPeriod"),
    (
        expression({"DrugExposure": {"VisitTypeCS": {"IsExclusion": True}}}), "a visit without a concept",
        "DrugExposure.VisitType",
    ),
    (expression({"VisitOccurrence": {"PlaceOfServiceLocation": 0}}), "history of locations", "PlaceOfServiceLocation"),
    (expression({"LocationRegion": {}}), "not exactly one criterion", "CriteriaList[1]"),
    (expression({"LocationRegion": {"CodesetId": 0}}), "history of locations", "LocationRegion"),
    (expression({"Death": {}, "Specimen": {}}), "not exactly one criterion", "CriteriaList[1]"),
    (expression({"Death": {"CodesetId": 1}}), "names no concept set", "Death.CodesetId"),
    (expression({"Death": {"GenderCS": {"CodesetId": 1}}}), "names no concept set", "Death.Gender.CodesetId"),
    (expression({"Death": {"Age": {"Op": "bt", "Value": 1}}}), "give Extent, too", "Age"),
    (expression({"Death": {"Age": {"Op": "like", "Value": 1}}}), "does not fit", "Age.Op"),
    (expression({"Death": {"Age": {"Op": "gt"}}}), "this field is missing", "Age.Value"),
    (expression({"Death": {"OccurrenceStartDate": {"Op": "gt", "Value": "2010-02-30"}}}), "no such day", "Date"),
    (expression({"ConditionOccurrence": {"StopReason": {"Op": "contains", "Text": "5%"}}}), "does not fit", "Text"),
    (expression({"Death": {}}, AdditionalCriteria=window({"Coeff": 1}, {"Coeff": 1})), "after all days", "Start"),
    (expression({"Death": {}}, AdditionalCriteria=window({"Coeff": -1}, {"Coeff": -1})), "before all days", "End"),
    (
        expression({"Death": {}}, AdditionalCriteria=window({"Coeff": -1, "TimeUnit": "hour"}, {"Coeff": 1})),
        "does not fit. Write day", "TimeUnit",
    ),
    (expression({"Death": {}}, AdditionalCriteria={"CriteriaList": [correlated()]}), "how many must hold", "Criteria"),
    (
        expression({"Death": {}}, AdditionalCriteria={"Type": "AT_MOST", "CriteriaList": [correlated()]}),
        "give Count, too", "AdditionalCriteria",
    ),
    (
        expression({"Death": {}}, AdditionalCriteria={
            "Type": "ALL", "CriteriaList": [correlated(Occurrence={"Type": 0, "Count": 1, "IsDistinct": True,
                                                                   "CountColumn": "GAP_DAYS"})]}),
        "no such values", "Occurrence",
    ),
    (expression({"Death": {}}, CollapseSettings={"EraPad": -1}), "less than 0 days", "EraPad"),
    (expression({"Death": {}}, CollapseSettings={"CollapseType": "NO_COLLAPSE"}), "Write ERA", "CollapseType"),
    (expression({"Death": {}}, EndStrategy={"CustomEra": {"GapDays": 1}}), "is missing", "DrugCodesetId"),
    (expression({"Death": {}}, ConceptSets=[*SETS, SETS[0]]), "two concept sets have one id", "ConceptSets[3].id"),
    (expression({"Death": {}}, ExpressionLimit={"Type": None}), "does not fit", "ExpressionLimit.Type"),
    ({}, "this field is missing", "PrimaryCriteria"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "what", "where"), REFUSED)
def test_what_is_refused_is_told_by_name_and_place(data: Json, what: str, where: str) -> None:
    error = refused(data)
    assert what.lower() in str(error).lower()
    assert where in str(error)


def test_the_place_in_a_file_is_told() -> None:
    content = json.dumps(expression({"Death": {"Age": {"Op": "gt", "Value": "Zq1"}}}), indent=1).encode()
    with pytest.raises(StudyError) as caught:
        parse_circe(content, "1")
    (problem,) = caught.value.problems
    line = next(number for number, text in enumerate(content.decode().splitlines(), 1) if "Zq1" in text)
    assert (problem.line, problem.field) == (line, "PrimaryCriteria.CriteriaList[1].Death.Age.Value")
    assert "Zq1" not in str(caught.value)


WHOLE = json.dumps(expression({"Death": {}}))


@pytest.mark.parametrize("content", [
    b"", b"null", b"[]", b"{", b"\xff", WHOLE.encode("utf-16"), (WHOLE + "}").encode(),
    b'{"PrimaryCriteria": 1, "PrimaryCriteria": 2}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5_000 + b"}",
    b"[" * 1_000_000, b'{"a":' * 1_000_000, b" " * (16 * 1024 * 1024 + 1),
    WHOLE.replace('"CONCEPT_ID": 1', '"CONCEPT_ID": ' + "9" * 30).encode(),
])  # fmt: skip
def test_hostile_files_are_refused(content: bytes) -> None:
    with pytest.raises(StudyError):
        parse_circe(content, "1")


def test_a_million_concepts_are_refused_soon() -> None:
    item = '{"concept":{"CONCEPT_ID":1}}'
    for many in (30_000, 1_000_000):
        sets = f'[{{"id":1,"name":"x","expression":{{"items":[{",".join([item] * many)}]}}}}]'
        content = WHOLE.replace('"ConceptSets": [', f'"ConceptSets": {sets[:-1]},', 1).encode()
        with pytest.raises(StudyError):
            parse_circe(content, "1")


def test_names_are_made_to_fit() -> None:
    assert fitted("Type 2 diabetes", "x", ()) == "Type 2 diabetes"
    assert fitted("[W] Ménière's disease & “more”", "x", ()) == "W Meniere's disease more"
    assert fitted("any", "x", ()) == "any (2)"
    assert fitted("", "rule 1", ()) == fitted(None, "rule 1", ()) == fitted("日本", "rule 1", ()) == "rule 1"
    long = fitted("a" * 500, "x", ["a" * 80])
    assert (len(long), long[-4:]) == (80, " (2)")


UNSAID: list[tuple[Json, str]] = [
    ({"keep": "first_of_each_year"}, "the first event of each year"),
    ({"eras_within_observation": True}, "within an observation period"),
    ({"entry": [{"cohort": "other"}]}, "a cohort's row"),
    ({"entry": [{"drug": "any", "ends": {"since": "2010-01-01"}}]}, "ends of this kind of event"),
    ({"entry": [{"visit_detail": "any", "age": {"above": 1}}]}, "age of this kind of event"),
    ({"entry": [{"death": "any", "first": True}]}, "first of this kind of event"),
    ({"entry": [{"payer_plan_period": "gout"}]}, "a concept set for periods"),
    ({"entry": [{"death": "any", "age": {"above": 1, "below": 3}}]}, "several limits of age at once"),
    ({"entry": [{"death": "any", "age": {"above": 1.5}}]}, "not a whole number"),
    ({"entry": [{"measurement": "any", "value": {"above": 1.23456}}]}, "more than four decimals"),
    ({"entry": [{"death": "any", "gender": {"none_of": [1]}}]}, "a list of concepts here"),
    ({"entry": [{"device": "any", "unique_device_id": {"contains": "_"}}]}, "wildcards"),
    ({"rules": [{"name": "x", "of": {"death": "any"}, "days": [0, 1], "at_least": 1, "at_most": 3}]}, "one count"),
]


@pytest.mark.parametrize(("said", "what"), UNSAID)
def test_what_circe_cannot_say_is_told(said: Json, what: str) -> None:
    cohort = Cohort.model_validate({"entry": [{"death": "any"}], **said}, strict=False)
    with pytest.raises(StudyError, match=what):
        write_circe(Definition("1", cohort, read({"Death": {}}).concept_sets))
