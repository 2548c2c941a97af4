"""The generator's promises: the same people however they are made, sound OMOP tables, and differences as declared."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.omop.tables import TABLES, VOCABULARY
from vitrail.synthetic.generate import RECORDS, generate, windows
from vitrail.synthetic.systems import COMMUNITY, REFERRAL, REGIONAL, SYSTEMS, System
from vitrail.synthetic.truth import Truth

PERSONS = 3_000
EGFR, HBA1C, ALBUMIN, BMI, PRESSURE = 2000002001, 2000002002, 2000002003, 2000002011, 2000002012
Made = Mapping[str, pd.DataFrame]


def _read(directory: Path) -> dict[str, pa.Table]:
    return {path.stem: pq.read_table(path) for path in directory.glob("*.parquet")}


@pytest.fixture(scope="module", params=sorted(SYSTEMS))
def system(request: pytest.FixtureRequest) -> System:
    return SYSTEMS[request.param]


@pytest.fixture(scope="module")
def made(system: System, tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp(system.name)
    generate(directory / "omop", system, persons=PERSONS, seed=5, truth_persons=directory / "truth_persons.parquet")
    return {name: table.to_pandas() for name, table in (_read(directory / "omop") | _read(directory)).items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "omop"
    generate(directory, REFERRAL, persons=150, seed=9)
    return directory


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunk=st.integers(10, 200))
def test_a_persons_records_do_not_depend_on_the_chunk(
    chunk: int, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = tmp_path_factory.mktemp("chunks") / "omop"
    truth = generate(again, REFERRAL, persons=150, seed=9, chunk=chunk)
    assert _read(again) == _read(whole)
    stored = Truth.model_validate_json((whole / "truth.json").read_bytes())
    means = truth.case_mix.mean  # sums of floats, in another order
    assert means == pytest.approx(stored.case_mix.mean, rel=1e-12)


def test_fewer_people_are_the_first_of_more(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path / "omop", REFERRAL, persons=40, seed=9)
    for name, table in _read(tmp_path / "omop").items():
        expected = _read(whole)[name]
        if name not in VOCABULARY:
            expected = expected.filter(pa.compute.less_equal(expected["person_id"], 40))
        assert table == expected, name


def test_the_same_bytes_every_time(whole: Path, tmp_path: Path) -> None:
    generate(tmp_path / "omop", REFERRAL, persons=150, seed=9)
    for path in whole.iterdir():
        assert (tmp_path / "omop" / path.name).read_bytes() == path.read_bytes(), path.name


def test_another_seed_and_another_system_give_other_people() -> None:
    first, second = (windows(REFERRAL, persons=500, seed=seed) for seed in (1, 2))
    assert first != second
    twin = REFERRAL.model_copy(update={"name": "referral-two"})
    assert windows(twin, persons=500, seed=1) != first


def test_tables_are_omop(made: Made) -> None:
    for name in (*RECORDS, *VOCABULARY):
        table, frame = TABLES[name], made[name]
        required = {column.name for column in table.columns if column.required}
        assert required <= set(frame.columns) <= {column.name for column in table.columns}
        assert not frame[sorted(required)].isna().any().any()
        if name not in VOCABULARY:
            assert frame[table.key].is_unique, name
            assert frame["person_id"].isin(made["person"]["person_id"]).all()


def test_everything_lies_in_observation(made: Made) -> None:
    period = made["observation_period"].set_index("person_id")
    for name in RECORDS:
        table, frame = TABLES[name], made[name]
        if name in ("person", "observation_period") or table.start is None:
            continue
        start = frame["person_id"].map(period["observation_period_start_date"])
        end = frame["person_id"].map(period["observation_period_end_date"])
        assert ((frame[table.start] >= start) & (frame[table.start] <= end)).all(), name
        if table.end is not None and table.end in frame:
            assert ((frame[table.end] >= frame[table.start]) & (frame[table.end] <= end)).all(), name
    died = made["death"].set_index("person_id")["death_date"]
    assert (died == period["observation_period_end_date"].loc[died.index]).all()


def test_events_belong_to_visits_of_their_person_and_day(made: Made) -> None:
    visits = made["visit_occurrence"].set_index("visit_occurrence_id")
    for name in ("condition_occurrence", "drug_exposure", "measurement", "observation"):
        frame = made[name].dropna(subset=["visit_occurrence_id"])
        visit = visits.loc[frame["visit_occurrence_id"]]
        assert (visit["person_id"].to_numpy() == frame["person_id"].to_numpy()).all()
        assert (visit["visit_start_date"].to_numpy() == frame[TABLES[name].start].to_numpy()).all()


def test_every_concept_used_is_in_the_vocabulary(made: Made) -> None:
    known = set(made["concept"]["concept_id"])
    for name in RECORDS:
        for column in made[name].filter(regex="concept_id$"):
            assert set(made[name][column].dropna()) <= known, (name, column)


def test_the_hierarchy_is_sound(made: Made) -> None:
    pairs = made["concept_ancestor"]
    up = set(zip(pairs["ancestor_concept_id"], pairs["descendant_concept_id"], strict=True))
    concepts = set(made["concept"]["concept_id"]) - {0}
    assert {(each, each) for each in concepts} <= up
    assert not any((lower, upper) in up for upper, lower in up if upper != lower)
    assert all((top, below) in up for top, middle in up for upper, below in up if middle == upper)
    assert {(2000000010, 2000000013), (2000000001, 2000000013), (2000001000, 2000001003)} <= up
    local = made["concept"][made["concept"]["vocabulary_id"] == "Local"]
    assert len(local) > 50
    assert (local["concept_id"] >= 2_000_000_000).all()


def _share_fits(hits: int, of: int, declared: float) -> bool:
    """Within five standard errors; seeds are fixed."""
    return of > 50 and abs(hits / of - declared) < 5 * np.sqrt(declared * (1 - declared) / of)


def test_what_is_left_unrecorded_is_as_declared(made: Made, system: System) -> None:
    measured, visits = made["measurement"], made["visit_occurrence"]
    reviews = visits[visits["visit_occurrence_id"] % 1000 % 20 == 10]
    for concept, declared in ((BMI, system.bmi_recorded), (PRESSURE, system.pressure_recorded)):
        assert _share_fits((measured["measurement_concept_id"] == concept).sum(), len(reviews), declared)
    assert _share_fits(len(made["observation"]), len(reviews), system.smoking_recorded)
    at_review = measured["visit_occurrence_id"].isin(reviews["visit_occurrence_id"])
    egfr, albumin = ((at_review & (measured["measurement_concept_id"] == each)).sum() for each in (EGFR, ALBUMIN))
    assert _share_fits(albumin, egfr, system.albumin_recorded)
    assert _share_fits((made["person"]["race_concept_id"] > 0).sum(), PERSONS, system.race_recorded)


def test_coding_habits_are_as_declared(made: Made, system: System) -> None:
    coded = made["condition_occurrence"]
    diabetes = coded[coded["condition_concept_id"].between(2000000010, 2000000014)]
    coders = diabetes.groupby("person_id")["condition_concept_id"].min()
    assert _share_fits((coders > 2000000010).sum(), len(coders), system.specific_codes)
    truth = made["truth_persons"]
    onset = truth[truth["ckd_onset"] > truth["registered"]].set_index("person_id")["ckd_onset"]
    kidney = coded[coded["condition_concept_id"].between(2000000031, 2000000034)]
    first_code = kidney.groupby("person_id")["condition_start_date"].min().reindex(onset.index)
    low = made["measurement"].query("measurement_concept_id == @EGFR and value_as_number < 60")
    low = low[low["measurement_date"] <= low["person_id"].map(onset)]
    by_laboratory = onset.index.isin(low["person_id"])
    assert ((first_code == onset) | (first_code.isna() & by_laboratory)).all()
    assert _share_fits((first_code.isna()).sum(), len(onset), system.ckd_by_laboratory)
    assert _share_fits((~by_laboratory).sum(), len(onset), system.ckd_by_code)


def test_the_systems_differ_as_they_should() -> None:
    referral, community, regional = (
        windows(each, persons=PERSONS, seed=3).to_pandas() for each in (REFERRAL, COMMUNITY, REGIONAL)
    )
    assert len(referral) > 1.5 * len(community)
    assert referral["egfr"].mean() + 3 < community["egfr"].mean()
    assert referral["hba1c"].mean() > community["hba1c"].mean() + 0.3
    assert regional["age"].mean() > referral["age"].mean() + 2
    for each in (referral, community, regional):
        assert 0.03 < each["event"].mean() < 0.07


def test_truth_json_says_what_was_returned(tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    truth = generate(tmp_path / "omop", COMMUNITY, persons=250, seed=1, chunk=100, progress=lambda *it: said.append(it))
    assert Truth.model_validate_json((tmp_path / "omop" / "truth.json").read_bytes()) == truth
    assert truth.case_mix.persons == 250
    assert said == [(100, 250), (200, 250), (250, 250)]


@pytest.mark.parametrize(("persons", "seed"), [(0, 1), (-1, 1), (10**9, 1), (10, -1), (10, 2**32)])
def test_numbers_out_of_range_are_refused(persons: int, seed: int, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="out of range"):
        generate(tmp_path / "omop", REFERRAL, persons=persons, seed=seed)
    with pytest.raises(SourceError, match="out of range"):
        windows(REFERRAL, persons=persons, seed=seed)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    for taken in (tmp_path, tmp_path / "kept.txt"):
        with pytest.raises(SourceError, match="already holds something"):
            generate(taken, REFERRAL, persons=10, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
