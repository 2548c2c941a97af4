"""What a steward reads is all that a steward signs: change any part of a study, and it is read aloud differently."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.generative import studies
from tests.generative.definitions import wider
from vitrail.study.aloud import definition_aloud
from vitrail.study.attributes import ANYWHERE, ATTRIBUTES, COUNTED, DOMAINS
from vitrail.study.cohort import (
    Around,
    Cohort,
    DayLimits,
    Event,
    Exit,
    Exposure,
    Group,
    Limits,
    Moved,
    Observed,
    PersonLimits,
    Rule,
    Span,
    Wording,
)
from vitrail.study.concepts import Coded, ConceptItem
from vitrail.study.definition import Definition
from vitrail.study.definition_file import CohortFile
from vitrail.study.reader import read_study
from vitrail.study.study import Study
from vitrail.study.word import Word

Way = tuple[Any, ...]

PROSE = {"vitrail", "title", "purpose", "question", "protocol", "authors"}
"""Shown beside, in its own words."""
ADDED = {
    "at_least": 1, "at_most": 9, "above": 0.5, "below": 9.5, "value_concepts": "", "if_missing": 3.25,
    "days_after_start": 7,
}  # fmt: skip
"""Fields that may be absent, and a value for each."""
WORDS = ("first", "every", "first_of_each_year", "female", "male", "any", "another-one")
EVERY_FIELD = {
    "concept", "descendants", "exclude", "entry", "where", "observed", "before", "after", "keep", "rules", "limit",
    "days_after_start", "name", "days", "at_least", "at_most", "above", "below", "value_concepts", "sex", "centre",
    "per", "if_missing", "cohorts", "table", "incidence", "population", "outcome", "target", "horizon", "covariates",
    "test_share", "develop_at", "leave_one_site_out", "thresholds", "tolerance", "max_rounds", "concepts",
}  # fmt: skip


def ways(data: Any, at: Way = ()) -> list[Way]:
    """The way to every part of what is asked, and to every absent field that might be there."""
    if isinstance(data, dict):
        keys = [key for key in (*data, *(ADDED.keys() - data.keys())) if at or key not in PROSE]
        return [way for key in keys for way in ((*at, key), *ways(data.get(key), (*at, key)))]
    if isinstance(data, list):
        return [way for i, part in enumerate(data) for way in ((*at, i), *ways(part, (*at, i)))]
    return []


def another(chance: random.Random, value: Any, key: Any, words: list[str]) -> Any:
    """Another value in the place of ``value``."""
    match value:
        case None:
            return words[0] if key == "value_concepts" else ADDED.get(key, 3)
        case bool():
            return not value
        case int():
            return chance.choice((value + 1, value - 1, None))
        case float():
            return chance.choice((math.nextafter(value, 1e300), math.nextafter(value, -1e300), value / 2))
        case "female" | "male" | "first" | "every":
            return {"female": "male", "male": "female", "first": "every", "every": "first"}[value]
        case str():
            return chance.choice((*words, *words, *WORDS, f"{value}x"))
        case list():
            return chance.choice((value[1:], value[::-1], [*value, *value[:1]], [*value, "a-site"], [*value, 0.5]))
    return {}


def changed(study: Study, chance: random.Random) -> Iterator[tuple[str, Study]]:
    """The study with one part changed, for each part where that is a study still, and the field that was changed."""
    data: Any = study.canonical()
    words = [*data["concept_sets"], *data["cohorts"]]
    for way in ways(data):
        copy = deepcopy(data)
        *above, last = way
        part = copy
        for step in above:
            part = part[step]
        part[last] = another(chance, part[last] if isinstance(part, list) else part.get(last), last, words)
        with suppress(ValidationError):
            changed = Study.model_validate(copy, strict=False)
            yield next(step for step in reversed(way) if isinstance(step, str)), changed


def meaning(study: Study) -> Any:
    """What is asked, as data. ``at_least`` is filled in, since leaving it out means a number too."""
    return _filled({key: part for key, part in study.canonical().items() if key not in PROSE})


def _filled(data: Any) -> Any:
    if isinstance(data, list):
        return [_filled(each) for each in data]
    if not isinstance(data, dict):
        return data
    rule = {"of", "days"} <= data.keys()
    default = {"at_least": 0 if "at_most" in data else 1} if rule else {}
    return {**default, **{key: _filled(part) for key, part in data.items()}}


def heard_of(study: Study, seed: int) -> Counter[str]:
    """The fields in which a change changes the meaning; each such change must be heard."""
    heard: Counter[str] = Counter()
    asked, said = meaning(study), study.aloud()
    for field, other in changed(study, random.Random(seed)):
        if meaning(other) != asked:
            heard[field] += 1
            assert other.aloud() != said, field
    return heard


def test_whatever_is_changed_is_heard(root: Path) -> None:
    flagship = read_study(root / "studies" / "early-ckd" / "study.yaml")
    heard = sum((heard_of(flagship, seed) for seed in range(20)), Counter[str]())  # each field by chance, surely

    @settings(max_examples=40, database=None, derandomize=True, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(studies.good(), st.integers(0, 2**32))
    def each(data: studies.Data, seed: int) -> None:
        heard.update(heard_of(Study.model_validate(data, strict=False), seed))

    each()
    assert heard.total() > 1_000
    assert sorted(field for field in EVERY_FIELD if not heard[field]) == []


LIMITS, DATES, CODES = {"at_least": 1.0}, {"since": "2010-01-01"}, {"any_of": [1]}
EVENT, RULE = {"drug": "A"}, {"of": {"drug": "A"}, "days": [0, 1]}
OTHERS: dict[type[Word], dict[str, list[Any]]] = {
    Limits: {name: [1.0, 2.0] for name in ("at_least", "above", "at_most", "below")} | {"outside": [[1, 2], [1, 3]]},
    DayLimits: {name: ["2010-01-01", "2010-01-02"] for name in ("since", "after", "until", "before")}
    | {"outside": [["2010-01-01", "2010-01-02"], ["2010-01-01", "2010-01-03"]]},
    Wording: {name: ["x", "x”", "\u202e"] for name in Wording.model_fields},
    Coded: {"any_of": [[1], [1, 2]], "none_of": [[1], [2]], "within": ["A", "B"], "outside": ["A", "B"],
            "recorded": [True, False]},
    Moved: {"start_from": ["end"], "start_days": [1, -1], "end_from": ["start"], "end_days": [1, -1]},
    Span: {"start": ["2010-01-01", "2010-01-02"], "end": ["2011-01-01", "2011-01-02"]},
    PersonLimits: {name: [LIMITS] for name in ("age",)} | {name: [CODES] for name in ("gender", "race", "ethnicity")}
    | {name: [DATES] for name in ("starts", "ends")},
    Around: {"days": [[0, 1], [0, 2], [1, 0], [None, None]], "index": ["end"], "event": ["end"]},
    Group: {"need": ["any"], "count": [1, 2], "rules": [[RULE], [RULE, RULE], []]},
    Rule: {
        "name": ["x", "y"], "of": [EVENT, {"drug": "B"}], "days": [[0, 1], [None, 1], [1, None], [1, 1]],
        "windows": [[{"days": [0, 1]}], [{"days": [0, 1]}] * 2], "at_least": [0, 1, 2], "at_most": [0, 3],
        "distinct": list(COUNTED["drug"]), "same_visit": [True], "unobserved": [True],
        "person": [{}, {"age": LIMITS}], "group": [{}, {"need": "any"}],
    },
    Exposure: {"drug": ["A", "B"], "gap": [0, 1], "offset": [0, 1], "days_supply": [0, 1]},
    Exit: {
        "days_after_start": [0, 1, -1], "days_after_end": [0, 1, -1],
        "exposed_to": [{"drug": "A"}, {"drug": "B"}],
    },
    Observed: {"before": [0, 1], "after": [0, 1]},
    Cohort: {
        "entry": [[EVENT], [EVENT, EVENT]], "observed": [{}, {"before": 1}], "also": [{}, {"rules": [RULE]}],
        "keep": ["first", "last", "every", "first_of_each_year"], "qualified": ["first", "last"],
        "rules": [[], [{**RULE, "name": "x"}]], "limit": ["first", "last", "every"],
        "exit": [{}, {"days_after_start": 1}],
        "censor": [[EVENT], [EVENT, EVENT]], "era_pad": [1, 2], "eras_within_observation": [True],
        "clip": [{"start": "2010-01-01"}],
    },
    ConceptItem: {"concept": [1, 2], "descendants": [True, False], "exclude": [True, False], "mapped": [True]},
}  # fmt: skip
"""For each word, every field with values that mean different things."""
PLACES: dict[type[Word], tuple[Any, Any]] = {
    Limits: ({}, lambda it: {"entry": [{"measurement": "any", "age": it}]}),
    DayLimits: ({}, lambda it: {"entry": [{**EVENT, "ends": it}]}),
    Wording: ({}, lambda it: {"entry": [{**EVENT, "lot_number": it}]}),
    Coded: ({}, lambda it: {"entry": [{**EVENT, "route": it}]}),
    Moved: ({}, lambda it: {"entry": [{**EVENT, "moved": it}]}),
    Span: ({}, lambda it: {"clip": it}),
    PersonLimits: ({}, lambda it: {"also": {"rules": [{"person": it}]}}),
    Around: ({"days": [2, 3]}, lambda it: {"also": {"rules": [{"of": EVENT, "windows": [it]}]}}),
    Group: ({"need": "at_least", "count": 3}, lambda it: {"also": it}),
    Rule: ({}, lambda it: {"also": {"rules": [it]}}),
    Exposure: ({"drug": "A", "gap": 5, "offset": 5}, lambda it: {"exit": {"exposed_to": it}}),
    Exit: ({}, lambda it: {"exit": it}),
    Observed: ({}, lambda it: {"observed": it}),
    Cohort: ({}, lambda it: it),
}
"""Where a word stands in a cohort, and what else it needs there."""
SETS = {"A": {"concepts": [{"concept": 1}]}, "B": {"concepts": [{"concept": 2}]}}


def said(cohort: Any, sets: Any = SETS) -> tuple[Definition, tuple[str, ...]]:
    file = CohortFile.model_validate({"concept_sets": sets, "cohort": {"entry": [EVENT], **cohort}}, strict=False)
    definition = Definition("1", file.cohort, file.concept_sets)
    return definition, definition_aloud(definition)


def told_apart(cohorts: list[Any]) -> int:
    """How many of the cohorts mean something; each that means something else must be heard."""
    heard: dict[tuple[str, ...], Any] = {}
    for cohort in cohorts:
        with suppress(ValidationError):
            definition, told = said(cohort)
            assert heard.setdefault(told, filled(definition)) == filled(definition), cohort
    return len(heard)


def filled(definition: Definition) -> Any:
    return _filled({"cohort": definition.cohort.model_dump(mode="json", exclude_none=True)})


def test_every_field_of_every_word_is_heard() -> None:
    for word, others in OTHERS.items():
        assert set(others) == set(word.model_fields), word
        if word is ConceptItem:
            continue
        needed, place = PLACES[word]
        for field, values in others.items():
            rest = {"of": EVENT, "days": [5, 6]} if word is Rule and field not in ("of", "person", "group") else {}
            rest |= {"days": [5, 6]} if word is Rule and field == "of" else {}
            rest |= {"also": {"rules": [RULE]}} if field == "qualified" else {}
            told = told_apart([place({**needed, **rest, field: value}) for value in values])
            assert told >= len(values) - (word is Group and field == "need"), (word, field)
    concepts = [
        {"concept": 1, "descendants": True, "exclude": False, field: value}
        for field, values in OTHERS[ConceptItem].items()
        for value in values
    ]
    assert len({said({}, {**SETS, "C": {"concepts": [each]}})[1] for each in concepts}) == 5


def test_every_attribute_of_every_domain_is_heard() -> None:
    samples = {"DayLimits": DATES, "Limits": LIMITS, "Coded": CODES, "Wording": {"contains": "x"}, "Moved":
               {"end_days": 3}, "Span": {"start": "2010-01-01"}, "Rule": [RULE], "True": True, "Name": "A"}  # fmt: skip
    for domain in DOMAINS:
        told = [said({"entry": [{domain: "other" if domain == "cohort" else "any"}]})[1]]
        names = (*ANYWHERE, *ATTRIBUTES[domain])
        for name in names:
            kind = str(Event.model_fields[name].annotation)
            value = "B" if name == "source" else next(value for key, value in samples.items() if key in kind)
            told.append(said({"entry": [{domain: "other" if domain == "cohort" else "any", name: value}]})[1])
        assert len(set(told)) == 1 + len(names), domain


def test_whatever_is_changed_in_a_definition_is_heard() -> None:
    heard: Counter[str] = Counter()

    @settings(max_examples=12, database=None, derandomize=True, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(wider(), st.integers(0, 2**32))
    def each(definition: Definition, seed: int) -> None:
        chance = random.Random(seed)
        data = {"cohort": definition.cohort.model_dump(mode="json", exclude_none=True)}
        asked, told = _filled(data), definition_aloud(definition)
        everywhere = ways(data)
        for way in chance.sample(everywhere, min(120, len(everywhere))):
            copy = deepcopy(data)
            part = copy
            for step in way[:-1]:
                part = part[step]
            last = way[-1]
            part[last] = another(chance, part[last] if isinstance(part, list) else part.get(last), last, ["A", "B"])
            with suppress(ValidationError):
                cohort = Cohort.model_validate(copy["cohort"], strict=False)
                if _filled({"cohort": cohort.model_dump(mode="json", exclude_none=True)}) != asked:
                    heard[next(step for step in reversed(way) if isinstance(step, str))] += 1
                    assert definition_aloud(Definition("1", cohort, definition.concept_sets)) != told, way

    each()
    assert heard.total() > 100
