"""What is wrong deep inside a cohort is told at its place, once, in the words of the schema."""

import pytest

from vitrail.errors import StudyError
from vitrail.study.definition_file import CohortFile
from vitrail.study.reader import parse_word

PLACES = [
    ("{measurement: any, value_concepts: {any_of: [x]}}", "value_concepts.any_of[1]: what stands here does not fit"),
    ("{measurement: any, value_concepts: {anyof: [1]}}", "value_concepts: this field is not known here. Is it any_of?"),
    ("{measurement: any, value_concepts: 7}", "value_concepts: what stands here does not fit. Write a name"),
    ("{measurement: any, value_concepts: none}", "value_concepts: this names no concept set of the file"),
    ("{drug: any, route: {within: none}}", "route.within: this names no concept set of the file"),
    ("{drug: any, source: none}", "source: this names no concept set of the file"),
    ("{device: any, dose: {above: 1}}", "cohort.entry[1].dose: events of this domain have no such attribute"),
    ("{drug: any, where: [{group: {rules: [{of: {death: any}, days: [1, 0]}]}}]}",
     "where[1].group.rules[1]: the window ends before it starts"),
    ("{drug: any, where: [{group: {rules: [{group: {rules: [{of: {drug: any, quantity: {atleast: 1}}}]}}]}}]}",
     "where[1].group.rules[1].group.rules[1].of.quantity: this field is not known here. Is it at_least?"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "told"), PLACES)
def test_the_place_and_the_word(entry: str, told: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_word(f"cohort: {{entry: [{entry}]}}".encode(), CohortFile, "definition")
    assert len(caught.value.problems) == 1
    assert told in str(caught.value)


def test_an_exit_and_a_person_name_concept_sets_as_well() -> None:
    for cohort in ("exit: {exposed_to: {drug: none}}", "also: {rules: [{person: {race: {outside: none}}}]}"):
        with pytest.raises(StudyError, match="names no concept set"):
            parse_word(f"cohort: {{entry: [{{death: any}}], {cohort}}}".encode(), CohortFile, "definition")
