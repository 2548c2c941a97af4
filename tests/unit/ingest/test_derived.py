"""Periods, eras, ends and merges as a person would work them out by hand, and as a naive program does."""

import csv
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.eras import derive_condition_eras, derive_drug_eras
from vitrail.ingest.extract import Extract, open_schemas
from vitrail.ingest.merges import read_merges, resolve_merges
from vitrail.ingest.periods import merge_periods
from vitrail.ingest.source import ingest

PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id\n"
PEOPLE = PERSON + "1,8507,1950,0,0\n2,8532,1960,0,0\n3,8507,1970,0,0\n"
VISIT = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_type_concept_id\n"
DRUG = "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,drug_exposure_end_date,days_supply,"
DRUG += "drug_type_concept_id\n"
DEATH = "person_id,death_date,death_type_concept_id,cause_concept_id\n"
PERIOD = "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,"
PERIOD += "period_type_concept_id\n"
CONCEPT = "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,"
CONCEPT += "valid_start_date,valid_end_date\n"


def load(folder: Path, files: dict[str, str], merges: str | None = None) -> tuple[Extract, duckdb.DuckDBPyConnection]:
    for name, text in {"person": PEOPLE, **files}.items():
        (folder / f"{name}.csv").write_text(text)
    db = duckdb.connect(config={"temp_directory": str(folder / "scratch")})
    if merges is not None:
        (folder / "merges.txt").write_text(merges)
    of = folder / "merges.txt" if merges is not None else None
    return ingest(db, folder, "omop", None, None, wanted(), lambda _: None, merges=of), db


def rows(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return [tuple(str(value) for value in row) for row in db.execute(query).fetchall()]


def test_a_source_without_observation_periods_gets_them_from_events(tmp_path: Path) -> None:
    """From the first event to the last; visits count to their end; nothing before birth counts; no event, no period."""
    files = {
        "visit_occurrence": VISIT + "1,1,9201,2012-01-01,2012-02-01,0\n2,1,9202,2010-05-05,2010-05-05,0\n"
                                    "3,2,9202,1900-01-01,1900-01-01,0\n4,2,9202,2011-01-01,2011-01-01,0\n",
        "drug_exposure": DRUG + "1,1,7,2011-01-01,2019-01-01,,0\n",
        "death": DEATH + "3,2015-01-01,0,0\n",
    }  # fmt: skip
    extract, db = load(tmp_path, files)
    found = rows(db, "SELECT * FROM extract.observation_period ORDER BY person_id")
    assert found == [("1", "1", "2010-05-05", "2012-02-01", "32880"), ("2", "2", "2011-01-01", "2011-01-01", "32880")]
    assert extract.periods == "events/1"
    assert extract.derived["observation periods made from events"] == 2
    assert extract.derived["visit_occurrence: rows outside observation periods"] == 1


def test_periods_that_overlap_or_touch_are_one(tmp_path: Path) -> None:
    given_periods = ["5,1,2010-01-01,2010-12-31,1", "4,1,2011-01-01,2011-06-30,2", "6,1,2010-03-01,2010-04-01,3",
                     "7,1,2011-07-02,2011-12-31,4", "8,2,2010-01-01,2010-01-01,5"]  # fmt: skip
    extract, db = load(tmp_path, {"observation_period": PERIOD + "\n".join(given_periods)})
    assert rows(db, "SELECT * FROM extract.observation_period ORDER BY person_id, observation_period_start_date") == [
        ("5", "1", "2010-01-01", "2011-06-30", "1"),
        ("7", "1", "2011-07-02", "2011-12-31", "4"),
        ("8", "2", "2010-01-01", "2010-01-01", "5"),
    ]
    assert extract.derived["observation periods merged into others"] == 2
    assert extract.rows_loaded["observation_period"] == 5
    assert extract.periods == "given"


SPANS = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 40), st.integers(0, 9)), max_size=20)
EPOCH = date(2010, 1, 1)


@settings(max_examples=40)
@given(SPANS)
def test_merged_periods_hold_the_same_days(spans: list[tuple[int, int, int]]) -> None:
    """The oracle is a set of days for each person."""
    days = defaultdict(set)
    with duckdb.connect() as db:
        open_schemas(db)
        db.execute("CREATE TABLE extract.observation_period (observation_period_id BIGINT, person_id BIGINT,"
                   " observation_period_start_date DATE, observation_period_end_date DATE,"
                   " period_type_concept_id INTEGER)")  # fmt: skip
        for number, (person, start, length) in enumerate(spans):
            first, last = EPOCH + timedelta(start), EPOCH + timedelta(start + length)
            db.execute(
                "INSERT INTO extract.observation_period VALUES ($1, $2, $3, $4, 0)", [number, person, first, last]
            )
            days[person] |= {first + timedelta(n) for n in range(length + 1)}
        fewer = merge_periods(db, wanted()["observation_period"])
        found = db.execute("SELECT person_id, observation_period_start_date, observation_period_end_date FROM"
                           " extract.observation_period ORDER BY ALL").fetchall()  # fmt: skip
    assert len(found) == len(spans) - fewer
    held = defaultdict(list)
    for person, first, last in found:
        held[person] += [first + timedelta(n) for n in range((last - first).days + 1)]
    assert {person: sorted(each) for person, each in days.items()} == held
    for (person, _, last), (other, first, _) in pairwise(found):
        assert person != other or (first - last).days > 1


def naive_eras(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int, int, int]]:
    """Person, first and last day, how many, and the days that none covers: one after the other."""
    eras: list[list[int]] = []
    covered: dict[int, set[int]] = {}
    for person, start, length in sorted(spans):
        last = eras[-1] if eras and eras[-1][0] == person and start <= eras[-1][2] + 30 else None
        if last is None:
            eras.append([person, start, start + length, 1])
            covered[len(eras)] = set()
        else:
            last[2], last[3] = max(last[2], start + length), last[3] + 1
        covered[len(eras)] |= set(range(start, start + length + 1))
    return [(*era, era[2] - era[1] + 1 - len(covered[n])) for n, era in enumerate(eras, 1)]  # type: ignore[misc]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 150), st.integers(0, 9)), max_size=50))
def test_eras_are_what_a_naive_program_makes(spans: list[tuple[int, int, int]]) -> None:
    with duckdb.connect() as db:
        open_schemas(db)
        db.execute("CREATE TABLE extract.drug_exposure (person_id BIGINT, drug_concept_id INTEGER,"
                   " drug_exposure_start_date DATE, drug_exposure_end_date DATE)")  # fmt: skip
        db.execute("CREATE TABLE extract.condition_occurrence (person_id BIGINT, condition_concept_id INTEGER,"
                   " condition_start_date DATE, condition_end_date DATE)")  # fmt: skip
        for person, start, length in spans:
            dates = [EPOCH + timedelta(start), EPOCH + timedelta(start + length)]
            db.execute("INSERT INTO extract.drug_exposure VALUES ($1, 11, $2, $3)", [person, *dates])
            db.execute("INSERT INTO extract.condition_occurrence VALUES ($1, 5, $2, $3)", [person, *dates])
            db.execute("INSERT INTO extract.condition_occurrence VALUES ($1, 0, $2, $3)", [person, *dates])
        db.execute("CREATE TABLE extract.concept AS SELECT * FROM (VALUES (10, 'Ingredient', 'RxNorm', 'S'),"
                   " (11, 'Clinical Drug', 'RxNorm', 'S'), (12, 'Ingredient', 'RxNorm', NULL), (13, 'Ingredient',"
                   " 'Own', 'S')) AS t(concept_id, concept_class_id, vocabulary_id, standard_concept)")  # fmt: skip
        db.execute("CREATE TABLE extract.concept_ancestor AS SELECT * FROM (VALUES (10, 11), (11, 11), (12, 11), (13,"
                   " 11)) AS t(ancestor_concept_id, descendant_concept_id)")  # fmt: skip
        for of in ("condition_era", "drug_era"):
            db.execute(f"CREATE TABLE extract.{of} (x INTEGER)")
        columns, expected = wanted(), naive_eras(spans)
        assert derive_drug_eras(db, columns["drug_era"]) == len(expected)
        assert derive_condition_eras(db, columns["condition_era"]) == len(expected)
        drugs = db.execute("SELECT person_id, drug_era_start_date - DATE '2010-01-01', drug_era_end_date -"
                           " DATE '2010-01-01', drug_exposure_count, gap_days FROM extract.drug_era WHERE"
                           " drug_concept_id = 10 ORDER BY drug_era_id").fetchall()  # fmt: skip
        conditions = db.execute("SELECT person_id, condition_era_start_date - DATE '2010-01-01', condition_era_end_date"
                                " - DATE '2010-01-01', condition_occurrence_count FROM extract.condition_era WHERE"
                                " condition_concept_id = 5 ORDER BY condition_era_id").fetchall()  # fmt: skip
    assert drugs == expected
    assert conditions == [each[:4] for each in expected]


def test_a_condition_without_an_end_lasts_to_the_next_day(tmp_path: Path) -> None:
    """So an occurrence 31 days after another belongs to its era, and one 32 days after does not."""
    header = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date,"
    header += "condition_type_concept_id\n"
    text = header + "1,1,5,2010-01-01,,0\n2,1,5,2010-02-01,,0\n3,2,5,2010-01-01,,0\n4,2,5,2010-02-02,,0\n"
    extract, db = load(tmp_path, {"condition_occurrence": text})
    query = "SELECT person_id, condition_era_start_date, condition_era_end_date FROM extract.condition_era ORDER BY ALL"
    assert rows(db, query) == [("1", "2010-01-01", "2010-02-02"), ("2", "2010-01-01", "2010-01-02"),
                               ("2", "2010-02-02", "2010-02-03")]  # fmt: skip
    assert extract.derived["condition eras made"] == 3


def test_eras_of_the_source_stay(tmp_path: Path) -> None:
    header = "condition_era_id,person_id,condition_concept_id,condition_era_start_date,condition_era_end_date\n"
    extract, db = load(tmp_path, {"condition_era": header + "9,1,5,2010-01-01,2010-01-01\n"})
    assert rows(db, "SELECT condition_era_id FROM extract.condition_era") == [("9",)]
    assert "condition eras made" not in extract.derived


@pytest.mark.parametrize(
    ("supply", "kind", "end"),
    [
        ("10", "32838", "2010-01-10"),
        ("1", "32838", "2010-01-01"),
        ("0", "32838", "2010-01-30"),
        ("", "38000177", "2010-01-30"),
        ("", "38000176", "2010-03-31"),
        ("", "32818", "2010-01-01"),
        ("-5", "38000180", "2010-01-01"),
        ("", "0", "2010-01-01"),
        ("99999", "0", "2010-01-01"),
    ],
)
def test_a_drug_without_an_end_ends_by_the_convention(tmp_path: Path, supply: str, kind: str, end: str) -> None:
    extract, db = load(tmp_path, {"drug_exposure": DRUG + f"1,1,7,2010-01-01,,{supply},{kind}\n"
                                                          f"2,1,7,2010-01-01,2010-01-05,{supply},{kind}\n"
                                                          f"3,1,7,2010-01-01,soon,{supply},{kind}\n"})  # fmt: skip
    query = "SELECT drug_exposure_end_date FROM extract.drug_exposure ORDER BY drug_exposure_id"
    assert rows(db, query) == [(end,), ("2010-01-05",)]
    assert extract.derived["drug_exposure: end dates inferred"] == 1
    assert sum(each.rows for each in extract.quarantined) == 1


def test_a_visit_without_an_end_ends_on_its_day_and_a_long_stay_with_its_month(tmp_path: Path) -> None:
    text = VISIT + "1,1,9202,2010-02-05,,0\n2,1,9201,2010-02-05,,0\n3,1,42898160,2012-02-05,,0\n4,1,9202,,,0\n"
    extract, db = load(tmp_path, {"visit_occurrence": text})
    query = "SELECT visit_end_date FROM extract.visit_occurrence ORDER BY visit_occurrence_id"
    assert rows(db, query) == [("2010-02-05",), ("2010-02-05",), ("2012-02-29",)]
    assert extract.derived["visit_occurrence: end dates inferred"] == 3
    assert [each.reason for each in extract.quarantined] == ["visit_start_date is missing"]


def test_the_latest_death_of_a_person_is_kept(tmp_path: Path) -> None:
    text = DEATH + "1,2010-01-01,0,11\n1,2012-01-01,0,12\n1,2012-01-01,0,13\n2,2011-01-01,0,14\n"
    extract, db = load(tmp_path, {"death": text})
    assert rows(db, "SELECT person_id, cause_concept_id FROM extract.death ORDER BY ALL") == [("1", "12"), ("2", "14")]
    assert [(each.reason, each.rows, each.first_row) for each in extract.quarantined] == [
        ("death: another record of the person's death is kept", 2, 1)
    ]


MERGES = "old_person_id,person_id\n"


def test_rows_of_a_merged_person_go_to_the_survivor(tmp_path: Path) -> None:
    """Chains are followed; deaths and periods of the two are judged as one person's."""
    files = {
        "observation_period": PERIOD + "1,1,2010-01-01,2010-12-31,0\n2,2,2011-01-01,2011-12-31,0\n"
                                       "3,3,2012-01-01,2013-01-01,0\n",
        "death": DEATH + "1,2014-01-01,0,0\n3,2013-01-01,0,0\n",
        "drug_exposure": DRUG + "1,2,7,2010-01-01,2010-01-01,,0\n2,9,7,2010-01-01,2010-01-01,,0\n",
    }  # fmt: skip
    extract, db = load(tmp_path, files, MERGES + "2,3\n3,1\n")
    assert rows(db, "SELECT person_id, year_of_birth FROM extract.person") == [("1", "1950")]
    assert rows(db, "SELECT person_id, observation_period_end_date FROM extract.observation_period") == [
        ("1", "2013-01-01")
    ]
    assert rows(db, "SELECT person_id, death_date FROM extract.death") == [("1", "2014-01-01")]
    assert rows(db, "SELECT drug_exposure_id, person_id FROM extract.drug_exposure") == [("1", "1")]
    assert [(each.source, each.reason, each.rows) for each in extract.quarantined] == [
        ("person", "merged into another person", 2),
        ("drug_exposure", "the person is not among those loaded", 1),
        ("death", "death: another record of the person's death is kept", 1),
    ]


def test_an_old_person_stands_for_a_survivor_who_is_not_there(tmp_path: Path) -> None:
    extract, db = load(tmp_path, {}, MERGES + "2,77\n3,77\n")
    assert rows(db, "SELECT person_id, year_of_birth FROM extract.person ORDER BY ALL") == [
        ("1", "1950"),
        ("77", "1960"),
    ]
    assert [(each.reason, each.rows) for each in extract.quarantined] == [("merged into another person", 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MERGES + "1,2\n2,3\n3,1\n", "in a circle"),
        (MERGES + "1,1\n", "in a circle"),
        (MERGES + "1,2\n1,3\n", "into two others"),
        (MERGES + "1,SECRET\n", "row 1, does not hold two person ids"),
        (MERGES + "1,2\n3\n", "lines that are no merges"),
        ("SECRET,2\n1,2\n", "no list of merges"),
        ("", "no header line"),
    ],
)
def test_a_list_of_merges_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        load(tmp_path, {}, text)
    assert "SECRET" not in str(caught.value)


@settings(max_examples=30)
@given(st.permutations(range(8)), st.integers(1, 7))
def test_a_chain_ends_at_its_survivor_in_whatever_order_it_is_told(order: list[int], length: int) -> None:
    with duckdb.connect() as db:
        open_schemas(db)
        chain = list(pairwise(order[: length + 1]))
        db.executemany("INSERT INTO given.merge VALUES ($1, $2)", sorted(chain))
        resolve_merges(db)
        found = dict(db.execute("SELECT * FROM given.merge").fetchall())
    assert found == {old: chain[-1][1] for old, _ in chain}


def test_merges_of_texts_are_those_of_their_hashes(tmp_path: Path) -> None:
    (tmp_path / "merges.csv").write_text(MERGES + "a-1, b-2 \n")
    with duckdb.connect() as db:
        open_schemas(db)
        read_merges(db, tmp_path / "merges.csv", text_ids=True)
        hashes = db.execute("SELECT CAST('0x' || left(sha256(t), 15) AS BIGINT) FROM (VALUES ('a-1'), ('b-2')) AS v(t)")
        assert [row[0] for row in hashes.fetchall()] == list(db.execute("SELECT * FROM given.merge").fetchall()[0])


def test_who_could_be_named_in_a_note(tmp_path: Path) -> None:
    """Everything that a person's rows say of them, the number before a merge too; nothing of it is in the extract."""
    person = (
        "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id,ethnicity_concept_id,"
    )
    person += "person_source_value,location_id\n1234567,8507,1950,2,3,0,0,MRN-1,8\n2345678,8507,1950,,,0,0,MRN-2,\n"
    files = {
        "person": person,
        "location": "location_id,address_1,city,zip,state\n8,1 Main St,Boston,02118,MA\n9,2 Main St,Boston,02118,MA\n",
        "death": DEATH + "1234567,2014-05-06,0,0\n",
    }
    _, db = load(tmp_path, files, MERGES + "2345678,1234567\n")
    assert rows(db, "SELECT kind, text FROM extract.known_identifier WHERE person_id = 1234567 ORDER BY ALL") == [
        ("address", "02118"), ("address", "1 Main St"), ("address", "Boston"), ("date", "1950-02-03"),
        ("date", "2014-05-06"), ("id", "1234567"), ("id", "2345678"), ("id", "MRN-1"), ("id", "MRN-2"),
    ]  # fmt: skip
    held = {str(row[0]) for row in db.execute("DESCRIBE extract.person").fetchall()}
    assert held == {each.name for each in wanted()["person"]}


def test_unmapped_codes_are_counted(tmp_path: Path) -> None:
    header = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,"
    header += "condition_source_value,condition_source_concept_id\n"
    text = (
        header
        + "1,1,0,2010-01-01,0,E11,44\n2,1,0,2010-01-01,0,E11,44\n3,1,0,2010-01-01,0,X,0\n4,1,5,2010-01-01,0,Y,0\n"
    )
    concept = CONCEPT + "44,a,Condition,ICD10CM,3-char,,E11,1970-01-01,2099-12-31\n"
    _, db = load(tmp_path, {"condition_occurrence": text, "concept": concept})
    assert rows(db, "SELECT * FROM extract.unmapped ORDER BY rows DESC") == [
        ("condition_occurrence", "ICD10CM", "E11", "2", "1"), ("condition_occurrence", "None", "X", "1", "1"),
    ]  # fmt: skip


def test_codes_that_the_site_maps_are_mapped(tmp_path: Path) -> None:
    """A target of another domain would put the event into the wrong table; what has a concept keeps it."""
    header = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,"
    header += "condition_source_value,condition_source_concept_id\n"
    events = "1,1,0,2010-01-01,0,E11,44\n2,1,0,2010-01-01,0,X,0\n3,1,45,2010-01-01,0,X,0\n4,1,0,2010-01-01,0,Y,0\n"
    words = (
        CONCEPT
        + "44,a,Condition,ICD10CM,3-char,,E11,1970-01-01,2099-12-31\n"
        + "".join(
            f"{n},b,{domain},SNOMED,x,S,{n},1970-01-01,2099-12-31\n"
            for n, domain in ((45, "Condition"), (46, "Condition"), (47, "Drug"))
        )
    )
    (tmp_path / "source").mkdir()
    listed = tmp_path / "source_to_concept_map.csv"
    listed.write_text("source_code,source_vocabulary_id,target_concept_id\nE11,ICD10CM,45\nX,None,46\nY,None,47\n")
    for name, text in {"person": PEOPLE, "condition_occurrence": header + events, "concept": words}.items():
        (tmp_path / "source" / f"{name}.csv").write_text(text)
    with duckdb.connect(config={"temp_directory": str(tmp_path / "scratch")}) as db:
        extract = ingest(db, tmp_path / "source", "omop", None, None, wanted(), lambda _: None, listed)
        query = "SELECT condition_concept_id FROM extract.condition_occurrence ORDER BY condition_occurrence_id"
        assert rows(db, query) == [("45",), ("46",), ("45",), ("0",)]
        assert rows(db, "SELECT code, rows FROM extract.unmapped") == [("Y", "1")]
        kept = [each.name for each in wanted()["condition_occurrence"]]
        assert [row[0] for row in db.execute("DESCRIBE extract.condition_occurrence").fetchall()] == kept
    assert extract.derived["condition_occurrence: codes mapped by the site's list"] == 2


def test_tables_that_no_snapshot_holds_are_counted_and_not_named_where_they_are_not_omop(tmp_path: Path) -> None:
    with (tmp_path / "SECRET.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], ["1", "two\nlines"], ["3", '"']])
    extract, _ = load(tmp_path, {"note_nlp": "note_nlp_id,snippet\n1,x\n\n2,y", "cost": "cost_id\n"})
    found = [
        (each.source, each.rows_in, each.loaded, [f.reason for f in each.quarantined]) for each in extract.accounts
    ]
    assert found[-3:] == [
        ("cost", 0, 0, []),
        ("note_nlp", 2, 0, ["no snapshot holds this table"]),
        ("other files", 2, 0, ["the file is no table of the Common Data Model"]),
    ]
    assert "SECRET" not in repr(extract)
