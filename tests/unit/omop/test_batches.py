"""What every engine refuses of a batch of definitions, and what it says of an empty one."""

from datetime import date
from typing import Any

import pytest

from tests.engines import BATCHES, Tables
from vitrail.errors import EngineError, StudyError
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.definition import Definition, in_order

ASTHMA = {"asthma": ConceptSet(concepts=(ConceptItem(concept=11),))}
TABLES: Tables = {
    "observation_period": [
        {
            "observation_period_id": 1, "person_id": 1, "observation_period_start_date": date(2010, 1, 1),
            "observation_period_end_date": date(2019, 12, 31), "period_type_concept_id": 0,
        }
    ],
    "condition_occurrence": [
        {
            "condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 11,
            "condition_start_date": date(2015, 1, 1),
        }
    ],
}  # fmt: skip


def definition(id: str, **entry: object) -> Definition:
    cohort: dict[str, Any] = {"entry": [entry or {"condition": "asthma"}]}
    return Definition(id, Cohort.model_validate(cohort, strict=False), ASTHMA)


REFUSED = {
    "one id": [definition("a"), definition("a")],
    "is not there": [definition("a", cohort="b")],
    "in a circle": [definition("a", cohort="b"), definition("b", cohort="a")],
    "concept set": [definition("a", condition="cough")],
}


@pytest.mark.parametrize("engine", BATCHES)
@pytest.mark.parametrize("why", REFUSED)
def test_a_batch_that_names_what_is_not_there_is_refused(engine: str, why: str) -> None:
    with BATCHES[engine](TABLES) as opened, pytest.raises(StudyError, match=why):
        opened.run(REFUSED[why])


@pytest.mark.parametrize("engine", BATCHES)
def test_definitions_are_answered_in_any_order_and_nothing_is_asked_of_nobody(engine: str) -> None:
    definitions = [definition("of a", cohort="a"), definition("a")]
    with BATCHES[engine](TABLES) as opened:
        assert opened.run([]) == {}
        answers = opened.run(definitions)
    assert {id: answer.rows.person.tolist() for id, answer in answers.items()} == {"a": [1], "of a": [1]}
    with BATCHES[engine]({}) as opened:
        answer = opened.run(definitions)["a"]
    assert (len(answer.rows), answer.events_by_mask, answer.persons_by_mask, answer.clipped) == (0, {}, {}, 0)


def test_definitions_stand_after_those_they_refer_to() -> None:
    definitions = [definition("c", cohort="b"), definition("b", cohort="a"), definition("a"), definition("z")]
    assert [each.id for each in in_order(definitions)] == ["a", "z", "b", "c"]


@pytest.mark.parametrize("engine", BATCHES)
def test_a_dose_is_asked_for_only_of_exposures_that_have_one(engine: str) -> None:
    """To find nobody would let in whom a cohort excludes; where there is no exposure, nobody is found."""
    dosed = definition("dosed", drug="any", dose={"above": 1.0})
    exposure = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 31,
                "drug_exposure_start_date": date(2015, 1, 1)}  # fmt: skip
    for exposures, found in (([], 0), ([exposure | {"effective_drug_dose": 2.0}], 1)):
        with BATCHES[engine]({**TABLES, "drug_exposure": exposures}) as opened:
            assert len(opened.run([dosed])["dosed"].rows) == found
    with BATCHES[engine](TABLES) as opened:
        assert len(opened.run([dosed])["dosed"].rows) == 0
    with (
        BATCHES[engine]({**TABLES, "drug_exposure": [exposure]}) as opened,
        pytest.raises(EngineError, match="the table drug_exposure has no such column"),
    ):
        opened.run([definition("free of it", condition="any"), dosed])
