"""Each check finds what was planted for it, tolerates as much as it should, and is not applicable without records."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.unit.quality.cuts import (
    CHILD,
    DEAD,
    GLUCOSE,
    ILL,
    MG_DL,
    OLD,
    TESTED,
    WOMENS_ILL,
    WOMENS_ILL_TOO,
    Found,
    Rows,
    checks,
    day,
    good,
    lost,
)
from vitrail.omop.snapshot import Check
from vitrail.quality import conformance

DIED, NOW = "2019-12-31", "2026-01-01"


@dataclass(frozen=True)
class Plant:
    """What is done to so many rows of a table, from the row ``first`` on, and how many of them are ``tolerated``.

    ``given`` is what the source said in those rows, where the load has put it right.
    """

    check: str
    table: str
    field: str | None
    change: dict[str, Any]
    tolerated: int
    first: int = 1
    given: dict[str, Any] = field(default_factory=dict)
    concept: int | None = None
    unit: int | None = None
    rows: int = 100

    def into(self, rows: Rows, source: Rows, number: int) -> None:
        """Plant so many."""
        chosen = slice(self.first - 1, self.first - 1 + number)
        for held, changes in ((rows, self.change), (source, {**self.change, **self.given})):
            for row in held[self.table][chosen]:
                row.update(changes)

    def of(self, found: Found) -> Check:
        """The check that it is planted for."""
        return found[self.check, self.table, self.field, self.concept, self.unit]


PLANTS = (
    Plant("isRequired", "visit_occurrence", "visit_concept_id", {"visit_concept_id": None}, 0),
    Plant("isForeignKey", "episode", "person_id", {"person_id": 999}, 0),
    Plant("isForeignKey", "device_exposure", "visit_occurrence_id", {"visit_occurrence_id": None}, 0,
          given={"visit_occurrence_id": 999}),
    Plant("isForeignKey", "dose_era", "unit_concept_id", {"unit_concept_id": 555}, 0),
    Plant("fkDomain", "drug_exposure", "route_concept_id", {"route_concept_id": ILL}, 0),
    Plant("fkClass", "drug_era", "drug_concept_id", {"drug_concept_id": ILL}, 0),
    Plant("isStandardValidConcept", "specimen", "specimen_concept_id", {"specimen_concept_id": OLD}, 0),
    Plant("standardConceptRecordCompleteness", "device_exposure", "device_concept_id", {"device_concept_id": 0}, 5),
    Plant("standardConceptRecordCompleteness", "measurement", "unit_concept_id", {"unit_concept_id": None}, 5),
    Plant("sourceConceptRecordCompleteness", "procedure_occurrence", "procedure_source_concept_id",
          {"procedure_source_concept_id": 0}, 10),
    Plant("sourceValueCompleteness", "drug_exposure", "drug_source_value", {"drug_concept_id": 0}, 10),
    Plant("plausibleValueLow", "drug_exposure", "days_supply", {"days_supply": 0}, 1),
    Plant("plausibleValueLow", "device_exposure", "device_exposure_start_date",
          {"device_exposure_start_date": "1949-12-31"}, 1),
    Plant("plausibleValueLow", "person", "year_of_birth", {"year_of_birth": 1849}, 1),
    Plant("plausibleValueHigh", "drug_exposure", "refills", {"refills": 25}, 1),
    Plant("plausibleValueHigh", "note", "note_date", {"note_date": day(NOW, 2)}, 1),
    Plant("plausibleTemporalAfter", "observation", "observation_date", {"observation_date": "1950-05-31"}, 1, first=20),
    Plant("plausibleTemporalAfter", "visit_detail", "visit_detail_end_date",
          {"visit_detail_end_date": "2015-06-14"}, 1),
    Plant("plausibleDuringLife", "procedure_occurrence", "procedure_date", {"procedure_date": day(DIED, 61)}, 0,
          first=DEAD, rows=1),
    Plant("plausibleBeforeDeath", "drug_era", "drug_era_end_date", {"drug_era_end_date": day(DIED, 61)}, 0,
          first=DEAD, rows=1),
    Plant("plausibleAfterBirth", "specimen", "specimen_date", {"specimen_date": "1949-12-31"}, 1, first=20),
    Plant("plausibleStartBeforeEnd", "condition_occurrence", "condition_start_date",
          {"condition_start_date": "2015-06-16"}, 3, rows=300),
    Plant("withinVisitDates", "drug_exposure", "drug_exposure_start_date",
          {"drug_exposure_start_date": "2015-06-23"}, 5),
    Plant("plausibleUnitConceptIds", "measurement", "measurement_concept_id", {"unit_concept_id": MG_DL}, 5, first=50,
          concept=TESTED),
    Plant("plausibleValueLow", "observation", "observation_concept_id", {"value_as_number": 49}, 5,
          concept=GLUCOSE, unit=MG_DL),
    Plant("plausibleValueHigh", "observation", "observation_concept_id", {"value_as_number": 501}, 5, first=50,
          concept=GLUCOSE, unit=MG_DL),
    Plant("measurePersonCompleteness", "measurement", None, {"person_id": 99}, 95),
    Plant("measureConditionEraCompleteness", "condition_era", None, {"person_id": 99}, 0),
    Plant("withinObservationPeriod", "episode", "episode_start_date", {"episode_start_date": "2009-12-31"}, 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Found]:
    """The checks of good records, of all plants together as far as each is tolerated, and of one more of each."""
    runs = {}
    for more in (0, 1):
        rows, source = good(), good()
        for plant in PLANTS:
            plant.into(rows, source, plant.tolerated + more)
        runs[more] = checks(tmp_path_factory.mktemp("planted"), rows, source)
    return {-1: checks(tmp_path_factory.mktemp("good"), good()), **runs}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.check} of {plant.table}.{plant.field}")
def test_what_is_planted_is_found(found: dict[int, Found], plant: Plant) -> None:
    clean, tolerated, beyond = (plant.of(found[run]) for run in (-1, 0, 1))
    assert (clean.outcome, clean.violations) == ("passed", 0)
    assert (tolerated.outcome, tolerated.violations) == ("passed", plant.tolerated)
    assert (beyond.outcome, beyond.violations) == ("failed", plant.tolerated + 1)
    assert clean.rows == tolerated.rows == beyond.rows == plant.rows


def test_references_are_followed_alike_where_keys_are_far_apart(
    tmp_path: Path, found: dict[int, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    plants = [plant for plant in PLANTS if plant.check == "isForeignKey"]
    rows, source = good(), good()
    for plant in plants:
        plant.into(rows, source, plant.tolerated + 1)
    monkeypatch.setattr(conformance, "WIDEST", 1)
    far = checks(tmp_path, rows, source)
    for plant in plants:
        assert plant.of(far) == plant.of(found[1])


def test_good_records_pass(found: dict[int, Found]) -> None:
    assert not [each for each in found[-1].values() if each.outcome == "failed"]


def test_nothing_to_check_is_not_passed(tmp_path: Path) -> None:
    """Only that the tables and fields are there can be said of empty tables."""
    passed = {each.name for each in checks(tmp_path, {}).values() if each.outcome != "not applicable"}
    assert passed == {"cdmTable", "cdmField"}


def test_a_threshold_that_nothing_can_cross_is_never_passed(found: dict[int, Found]) -> None:
    everything = [each for run in found.values() for each in run.values()]
    assert {each.outcome for each in everything if each.threshold == 1} == {"measured"}
    assert {each.threshold == 1 for each in everything if each.outcome == "measured"} == {True}


def test_what_is_missing_is_measured(tmp_path: Path) -> None:
    rows = good("drug_exposure")
    for row in rows["drug_exposure"][:40]:
        row["refills"] = None
    refills = checks(tmp_path, rows)["measureValueCompleteness", "drug_exposure", "refills", None, None]
    assert (refills.outcome, refills.violations, refills.rows) == ("measured", 40, 100)


@pytest.mark.parametrize(("men", "outcomes"), [(2, ("passed", "passed")), (3, ("failed", "passed")),
                                               (5, ("failed", "passed")), (6, ("failed", "failed"))])  # fmt: skip
def test_conditions_of_women_in_men(tmp_path: Path, men: int, outcomes: tuple[str, str]) -> None:
    """2 % are tolerated where all concepts below one are looked at, 5 % where it is one concept."""
    rows = good("condition_occurrence")
    for row in rows["person"][:men]:
        row["gender_concept_id"] = 8507
    found = checks(tmp_path, rows)
    name, fields = "condition_occurrence", "condition_concept_id"
    below = found["plausibleGenderUseDescendants", name, fields, WOMENS_ILL_TOO, None]
    itself = found["plausibleGender", name, fields, WOMENS_ILL, None]
    assert (below.outcome, itself.outcome) == outcomes
    assert (below.violations, below.rows) == (itself.violations, itself.rows) == (men, 100)
    assert ("plausibleGender", name, fields, CHILD, None) not in found


def test_two_records_with_one_key(tmp_path: Path) -> None:
    rows = good("note")
    rows["note"][0]["note_id"] = 2
    key = checks(tmp_path, rows)["isPrimaryKey", "note", "note_id", None, None]
    assert (key.outcome, key.violations, key.rows, key.hard) == ("failed", 2, 100, True)


def test_the_order_of_keys_means_nothing(tmp_path: Path) -> None:
    rows = good("note")
    rows["note"].reverse()
    assert checks(tmp_path, rows)["isPrimaryKey", "note", "note_id", None, None].outcome == "passed"


@pytest.mark.parametrize(
    ("ends", "begins", "outcome"),
    [
        ("2015-12-31", "2016-01-02", "passed"),
        ("2015-12-31", "2016-01-01", "failed"),
        ("2016-03-01", "2016-01-01", "failed"),
    ],
)
def test_observation_periods_need_a_day_between(tmp_path: Path, ends: str, begins: str, outcome: str) -> None:
    rows = good("note")
    first, second = rows["observation_period"][:2]
    first["observation_period_end_date"] = ends
    second.update(person_id=1, observation_period_start_date=begins)
    found = checks(tmp_path, rows)
    overlap = found["measureObservationPeriodOverlap", "observation_period", None, None, None]
    assert (overlap.outcome, overlap.rows, overlap.hard) == (outcome, 99, True)
    nobody = found["measurePersonCompleteness", "observation_period", None, None, None]
    assert (nobody.outcome, nobody.violations) == ("failed", 1)


def test_between_two_observation_periods_nothing_is_observed(tmp_path: Path) -> None:
    rows = good("note")
    first, second = rows["observation_period"][:2]
    first["observation_period_end_date"] = "2014-12-31"
    second.update(person_id=1, observation_period_start_date="2016-01-01")
    for row in rows["note"][1:]:
        row["person_id"] = 1
    outside = checks(tmp_path, rows)["withinObservationPeriod", "note", "note_date", None, None]
    assert (outside.outcome, outside.violations) == ("failed", 100)


def test_a_period_that_ends_before_it_starts_is_hard(tmp_path: Path) -> None:
    rows = good("note")
    rows["observation_period"][0]["observation_period_end_date"] = "2009-12-31"
    ends = ("plausibleStartBeforeEnd", "observation_period", "observation_period_start_date", None, None)
    found = checks(tmp_path, rows)[ends]
    assert (found.outcome, found.violations, found.hard) == ("failed", 1, True)


def test_sixty_days_after_death_are_allowed(tmp_path: Path) -> None:
    rows = good("drug_era")
    rows["drug_era"][DEAD - 1]["drug_era_end_date"] = day(DIED, 60)
    late = checks(tmp_path, rows)["plausibleBeforeDeath", "drug_era", "drug_era_end_date", None, None]
    assert (late.outcome, late.rows) == ("passed", 1)


def test_nobody_is_born_after_next_year(tmp_path: Path) -> None:
    rows = good("note")
    for row, year in zip(rows["person"], (2027, 2028, 2028), strict=False):
        row["year_of_birth"] = year
    born = checks(tmp_path, rows)["plausibleValueHigh", "person", "year_of_birth", None, None]
    assert (born.outcome, born.violations) == ("failed", 2)


@pytest.mark.parametrize("calendar", ["none", "shifted"])
def test_days_that_were_moved_are_not_held_against_the_calendar(tmp_path: Path, calendar: str) -> None:
    """What compares two days of a person is still checked."""
    found = checks(tmp_path, good("note", "drug_exposure"), calendar=calendar)
    outcomes = {(each.name, each.table, each.field): each.outcome for each in found.values() if each.concept is None}
    for check in ("plausibleValueLow", "plausibleValueHigh"):
        assert outcomes[check, "note", "note_date"] == "not applicable"
        assert outcomes[check, "person", "year_of_birth"] == "not applicable"
        assert outcomes[check, "drug_exposure", "days_supply"] == "passed"
    assert outcomes["plausibleAfterBirth", "note", "note_date"] == "passed"
    assert outcomes["plausibleBeforeDeath", "note", "note_date"] == "passed"


@pytest.mark.parametrize(("calendar", "violations"), [("true", 2), ("shifted", 0)])
def test_a_birth_may_be_a_year_early_where_days_were_moved(tmp_path: Path, calendar: str, violations: int) -> None:
    rows = good("note")
    for row in rows["note"][:2]:
        row["note_date"] = "1949-12-31"
    birth = checks(tmp_path, rows, calendar=calendar)["plausibleAfterBirth", "note", "note_date", None, None]
    assert birth.violations == violations


@pytest.mark.parametrize(("calendar", "violations"), [("true", 1), ("shifted", 0), ("none", 0)])
def test_the_pool_of_the_oldest_is_not_judged_by_birth(tmp_path: Path, calendar: str, violations: int) -> None:
    """Deidentification makes nobody older than 90, so early records of the very old come before their year of birth."""
    rows = good("note")
    rows["person"][0]["year_of_birth"] = 2020 - 90
    rows["note"][0]["note_date"] = "1922-01-01"
    birth = checks(tmp_path, rows, calendar=calendar)["plausibleAfterBirth", "note", "note_date", None, None]
    assert (birth.violations, birth.rows) == (violations, 99 + violations)


def test_without_a_vocabulary_no_concept_is_wrong(tmp_path: Path) -> None:
    found = checks(tmp_path, {**good(), "concept": [], "concept_ancestor": []})
    asked = {"fkDomain", "fkClass", "isStandardValidConcept", "plausibleGenderUseDescendants"}
    assert {each.outcome for each in found.values() if each.name in asked} == {"not applicable"}
    keys = {each.outcome for each in found.values() if each.name == "isForeignKey" and "concept" in str(each.field)}
    assert keys == {"not applicable"}


def test_a_table_and_a_field_that_are_missing(tmp_path: Path) -> None:
    """What is missing fails once; its other checks have nothing to check."""
    found = checks(tmp_path, good(), change=lambda db: (db.execute("DROP TABLE cut.note"),
                                                        db.execute("ALTER TABLE cut.drug_era DROP gap_days"),
                                                        db.execute("DROP TABLE cut.observation_period")))  # fmt: skip
    assert found["cdmTable", "note", None, None, None].outcome == "failed"
    assert not found["cdmTable", "note", None, None, None].hard
    assert found["cdmTable", "observation_period", None, None, None].hard
    assert found["cdmField", "drug_era", "gap_days", None, None].outcome == "failed"
    assert found["cdmField", "note", "note_date", None, None].outcome == "not applicable"
    assert {each.name for each in found.values() if each.table == "note"} == {"cdmTable", "cdmField"}


def test_a_field_of_another_type(tmp_path: Path) -> None:
    """A snapshot that keeps a day as text is of no use; rows of the source that were no days are not in it."""
    reason = "gap_days is not a whole number"
    found = checks(
        tmp_path,
        good("note", "drug_era"),
        change=lambda db: db.execute("ALTER TABLE cut.note ALTER note_type_concept_id TYPE VARCHAR"),
        quarantined=[lost("drug_era", reason, 3), lost("another file", reason, 9)],
    )
    kept = found["cdmDatatype", "note", "note_type_concept_id", None, None]
    assert (kept.outcome, kept.violations, kept.hard) == ("failed", 100, True)
    source = found["cdmDatatype", "drug_era", "gap_days", None, None]
    assert (source.outcome, source.violations, source.rows, source.hard) == ("failed", 3, 103, False)
    assert found["cdmDatatype", "drug_era", "drug_era_id", None, None].outcome == "passed"


@pytest.mark.parametrize(("rows", "outcome"), [(0, "passed"), (5, "passed"), (6, "failed")])
def test_rows_that_were_quarantined(tmp_path: Path, rows: int, outcome: str) -> None:
    """Rows that somebody left out on purpose are neither lost nor counted."""
    quarantined = [lost("labs", "value is not a number", rows), lost("labs", "left out", 800)]
    found = checks(tmp_path, {}, rows_in={"labs": 900}, quarantined=quarantined, meant=["left out"])
    source = found["rowsQuarantined", "labs", None, None, None]
    assert (source.outcome, source.violations, source.rows) == (outcome, rows, 100)


ALONE = {
    "cdmTable": test_a_table_and_a_field_that_are_missing,
    "cdmField": test_a_table_and_a_field_that_are_missing,
    "cdmDatatype": test_a_field_of_another_type,
    "isPrimaryKey": test_two_records_with_one_key,
    "measureObservationPeriodOverlap": test_observation_periods_need_a_day_between,
    "measureValueCompleteness": test_what_is_missing_is_measured,
    "plausibleGender": test_conditions_of_women_in_men,
    "plausibleGenderUseDescendants": test_conditions_of_women_in_men,
    "rowsQuarantined": test_rows_that_were_quarantined,
}
"""The tests of checks that have one of their own."""


def test_every_check_has_its_plant(found: dict[int, Found]) -> None:
    names = {each.name for each in found[-1].values()} | {"rowsQuarantined"}
    assert names == {plant.check for plant in PLANTS} | ALONE.keys()


def test_a_check_of_an_earlier_version_is_read_and_keeps_its_bytes() -> None:
    """The id of a snapshot is the hash of its manifest, so what is read must be written as it was."""
    said = {"name": "conformance: keys are unique", "table": "person", "outcome": "passed", "violations": 0, "rows": 9,
            "hard": True}  # fmt: skip
    assert Check.model_validate(said).model_dump(mode="json", exclude_none=True) == said
