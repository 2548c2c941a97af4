"""New users of celecoxib and of diclofenac, and who bleeds: OHDSI's CohortMethod on Eunomia GiBleed, in our words.

The numbers are CohortMethod's own (``oracle/cohortmethod_gibleed``: attrition, persons, days at risk and outcomes of
analysis 1). What a person must have is said by the cohorts; the period in which both drugs were in use is looked up in
the data first, as CohortMethod does, and then written into the cohorts as two dates.
"""

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest
import yaml

from tests.circe_cases import read_cdm
from tests.engines import assert_same_answer, memory_batch
from vitrail.omop.engines import Answer
from vitrail.omop.engines.duckdb import DuckDBBatch
from vitrail.study.cohort import Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.definition import Definition

WORDS = """
concept_sets:
  celecoxib: {{concepts: [{{concept: 1118084}}]}}
  diclofenac: {{concepts: [{{concept: 1124300}}]}}
  bleeding: {{concepts: [{{concept: 192671}}]}}
cohorts:
  {drug}:
    entry: [{{drug_era: {drug}, first: true}}]
    rules:
      - {{name: of one drug only, of: {{drug_era: {other}}}, days: [null, null], unobserved: true, at_most: 0}}
      - {{name: observed for 183 days, of: {{observation_period: any}}, days: [null, -183]}}
      - {{name: while both drugs were in use, person: {{starts: {{since: {since}, until: {until}}}}}}}
      - {{name: no bleeding before, of: {{condition: bleeding}}, days: [null, -1], at_most: 0}}
    exit: {{days_after_end: 30}}
    censor: [{{condition: bleeding}}]
  {drug} and bleeding:
    entry: [{{cohort: {drug}}}]
    rules:
      - name: bleeds
        of: {{condition: bleeding}}
        windows: [{{days: [0, null]}}, {{days: [null, 0], index: end, event: start}}]
    exit: {{days_after_start: 0}}
"""
DRUGS = {"celecoxib": 1118084, "diclofenac": 1124300}


@pytest.fixture(scope="module")
def cdm(test_data: Path) -> Path:
    return test_data / "omop" / "gibleed_cdm53"


def in_use(cdm: Path) -> tuple[date, date]:
    """The first and the last day on which somebody began the one drug, and somebody no later or earlier the other."""
    found = duckdb.execute(
        "SELECT min(drug_era_start_date), max(drug_era_start_date) FROM read_parquet($1) WHERE drug_concept_id IN $2"
        " GROUP BY drug_concept_id",
        [str(cdm / "drug_era.parquet"), list(DRUGS.values())],
    ).fetchall()
    return max(first for first, _ in found), min(last for _, last in found)


def definitions(cdm: Path) -> list[Definition]:
    since, until = in_use(cdm)
    found = []
    for drug, other in (("celecoxib", "diclofenac"), ("diclofenac", "celecoxib")):
        said = yaml.safe_load(WORDS.format(drug=drug, other=other, since=since, until=until))
        sets = {name: ConceptSet.model_validate(each, strict=False) for name, each in said["concept_sets"].items()}
        found += [
            Definition(name, Cohort.model_validate(each, strict=False), sets) for name, each in said["cohorts"].items()
        ]
    return found


@pytest.fixture(scope="module")
def answers(cdm: Path) -> Mapping[str, Answer]:
    with DuckDBBatch({path.stem: path for path in cdm.glob("*.parquet")}) as engine:
        return engine.run(definitions(cdm))


def theirs(test_data: Path, name: str) -> list[dict[str, str]]:
    with (test_data / "oracle" / "cohortmethod_gibleed" / name).open() as file:
        return list(csv.DictReader(file))


def test_attrition_is_that_of_cohortmethod(test_data: Path, answers: Mapping[str, Answer]) -> None:
    """Who begins a drug while nobody observes is lost to us a step earlier: the 183 days before lose nobody else."""
    compared = theirs(test_data, "cm_attrition_analysis_1.csv")
    written = [row for row in compared if row["target_comparator_id"] == "894409308"]
    for drug, number in (("celecoxib", "1"), ("diclofenac", "2")):
        left = [int(row["subjects"]) for row in written if row["exposure_id"] == number and row["outcome_id"] == "3"]
        steps = {step.label: step.persons for step in answers[drug].attrition}
        assert list(dict.fromkeys(left)) == list(dict.fromkeys(steps.values()))
        labels = ("entry events", "observed for 183 days", "while both drugs were in use", "no bleeding before")
        assert [steps[label] for label in labels] == [left[0], left[3], left[4], left[5]]
    assert [step.persons for step in answers["celecoxib"].attrition][::3] == [1844, 1800, 1797]
    assert answers["diclofenac"].attrition[0].persons == 850


def test_persons_days_at_risk_and_outcomes_are_those_of_cohortmethod(
    test_data: Path, answers: Mapping[str, Answer]
) -> None:
    [right] = [row for row in theirs(test_data, "cm_result_analysis_1.csv")
               if row["outcome_id"] == "3" and row["target_comparator_id"] == "894409308"]  # fmt: skip
    for drug, side in (("celecoxib", "target"), ("diclofenac", "comparator")):
        rows, bleeding = answers[drug].rows, answers[f"{drug} and bleeding"].rows
        days = int(((rows.end - rows.start) / np.timedelta64(1, "D") + 1).sum())
        assert [len(rows), len(bleeding)] == [int(right[f"{side}_{name}"]) for name in ("subjects", "outcomes")]
        assert days == int(right[f"{side}_days"])


@pytest.mark.slow
def test_the_naive_engine_counts_the_same(cdm: Path, answers: Mapping[str, Answer]) -> None:
    with memory_batch(read_cdm(cdm)) as engine:
        for id, answer in engine.run(definitions(cdm)).items():
            assert_same_answer(answers[id], answer)
