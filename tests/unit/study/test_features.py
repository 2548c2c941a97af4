"""The words for features: what they refuse, and what they come to."""

from typing import Any

import pytest
from pydantic import ValidationError

from vitrail.study.features import Features, analyses


def test_left_alone_they_are_featureextractions_defaults() -> None:
    assert len(Features().asked()) == 29
    assert [each.id for each in Features().asked()][:6] == [1, 3, 4, 5, 6, 7]
    assert Features().asked() == tuple(each for each in Features().asked() if each.default)


def test_what_speaks_of_the_calendar_is_told() -> None:
    assert Features().calendar_analyses() == ("DemographicsIndexYear", "DemographicsIndexMonth")
    assert Features(analyses=("CharlsonIndex",)).calendar_analyses() == ()


def test_windows_are_those_of_the_words() -> None:
    features = Features(long_days=-730, end_day=-1)
    spans = {each.name: features.span(each) for each in features.asked()}
    assert spans["ConditionGroupEraLongTerm"] == (-730, -1)
    assert spans["DrugGroupEraOverlapping"] == (-1, -1)
    assert spans["CharlsonIndex"] == (None, -1)


def test_ids_are_told_apart() -> None:
    for temporal in (False, True):
        known = analyses(temporal).values()
        assert len({each.id for each in known}) == len(known)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"analyses": ("Hfrs",)}, "no analysis that can be asked for"),
        ({"analyses": ("CareSiteId",)}, "no analysis that can be asked for"),
        ({"analyses": ("ConditionOccurrencePrimaryInpatientLongTerm",)}, "no analysis that can be asked for"),
        ({"analyses": ("ConditionEraOverlap",)}, "no analysis that can be asked for"),
        ({"analyses": ("Dcsi", "Dcsi")}, "named twice"),
        ({"windows": ((1, 0),)}, "ends before it starts"),
        ({"end_day": -40}, "ends before it starts"),
        ({"own": ({"name": "a", "age": True}, {"name": "a", "sex": "female"})}, "one name"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Features.model_validate(wrong)
