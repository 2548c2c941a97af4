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
from vitrail.study.reader import read_study
from vitrail.study.study import Study

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

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(studies.good(), st.integers(0, 2**32))
    def each(data: studies.Data, seed: int) -> None:
        heard.update(heard_of(Study.model_validate(data, strict=False), seed))

    each()
    assert heard.total() > 1_000
    assert sorted(field for field in EVERY_FIELD if not heard[field]) == []
