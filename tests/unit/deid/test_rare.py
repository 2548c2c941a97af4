"""What few people share is made less exact, in a real database."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.deid.columns import K
from vitrail.deid.places import COUNTED, SMALL, known_state, three_digits
from vitrail.deid.rare import climbed, draw_in, generalise, keep_common, keep_known, keep_shared
from vitrail.omop.sql import column, run, sql, table

ROWS = table("measurement", "sorted")


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for schema in ("sorted", "extract"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(
            "CREATE TABLE sorted.measurement (person_id INT, concept INT, unit INT, value DOUBLE, word TEXT)"
        )
        connection.execute("CREATE TABLE extract.concept (concept_code TEXT, concept_name TEXT)")
        connection.execute(
            "CREATE TABLE extract.concept_ancestor"
            " (ancestor_concept_id INT, descendant_concept_id INT, min_levels_of_separation INT)"
        )
        yield connection


def insert(db: duckdb.DuckDBPyConnection, rows: list[tuple[object, ...]], into: str = "sorted.measurement") -> None:
    db.executemany(f"INSERT INTO {into} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def found(db: duckdb.DuckDBPyConnection, columns: str) -> set[tuple[object, ...]]:
    return set(db.execute(f"SELECT {columns} FROM sorted.measurement").fetchall())


def test_a_rare_concept_becomes_its_nearest_shared_ancestor(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, None, None, None) for n in range(K)])  # enough people
    insert(db, [(n, 11, None, None, None) for n in range(K - 1)])  # one too few: goes up to 1, which nobody else has
    insert(db, [(50, 12, None, None, None), (50, 13, None, None, None)])
    above = [(1, 11, 1), (1, 12, 1), (2, 11, 2), (10, 13, 1), (2, 13, 2), (2, 12, 2), (11, 11, 0)]
    insert(db, above, "extract.concept_ancestor")
    assert generalise(db, ROWS, column("concept")) == K + 1
    assert found(db, "concept, count(*) OVER (PARTITION BY concept)") == {(10, K + 1), (1, K)}


def test_a_rare_concept_without_a_shared_ancestor_becomes_0(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 11, None, None, None) for n in range(K - 1)] * 40)  # many rows of few people
    insert(db, [(2, 11, 1)], "extract.concept_ancestor")
    assert generalise(db, ROWS, column("concept")) == 40 * (K - 1)
    assert found(db, "concept") == {(0,)}


@given(
    st.dictionaries(st.integers(1, 12), st.sets(st.integers(0, 30), min_size=1, max_size=K - 1), max_size=12),
    st.dictionaries(st.integers(1, 12), st.lists(st.integers(13, 18), max_size=4), max_size=12),
)
def test_nobody_is_left_with_what_fewer_than_k_have(persons: dict[int, set[int]], above: dict[int, list[int]]) -> None:
    replaced = climbed(persons, above, common=set())
    assert replaced.keys() == persons.keys()
    groups: dict[int, set[int]] = {}
    for concept, by in replaced.items():
        groups.setdefault(by, set()).update(persons[concept])
        assert by == 0 or by in above[concept]
    assert all(len(people) >= K for concept, people in groups.items() if concept != 0)


def test_extreme_values_are_drawn_in_to_the_kth_person(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, 5, float(n), None) for n in range(100)])
    insert(db, [(0, 10, 5, 1000.0 + n, None) for n in range(200)])  # one person, many extremes
    insert(db, [(n, 10, 6, -float(n), None) for n in range(K - 1)])  # too few in this unit
    draw_in(db, ROWS, column("value"), column("concept"), column("unit"))
    low, high = K - 1, 100 - (K - 1)  # person 0 is the most extreme at both ends
    held = [value for (value,) in db.execute("SELECT value FROM sorted.measurement WHERE unit = 5").fetchall()]
    assert (min(held), max(held)) == (low, high)
    for end in (low, high):
        people = db.execute(
            "SELECT count(DISTINCT person_id) FROM sorted.measurement WHERE value = ?", [end]
        ).fetchone()
        assert people is not None
        assert people[0] >= K
    assert found(db, "value") - {(float(n),) for n in range(100)} == {(None,)}


def test_no_value_is_kept_where_the_ends_cross(db: duckdb.DuckDBPyConnection) -> None:
    """Of 2k - 2 people the k-th from below is above the k-th from above: all would have the value of one of them."""
    insert(db, [(n, 10, 5, float(n), None) for n in range(2 * K - 2)])
    insert(db, [(n, 11, 5, float(n), None) for n in range(2 * K - 1)])
    draw_in(db, ROWS, column("value"), column("concept"), column("unit"))
    assert found(db, "concept, value") == {(10, None), (11, float(K - 1))}


def test_values_without_a_unit_are_a_group_of_their_own(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, None, float(n), None) for n in range(3 * K)])
    assert draw_in(db, ROWS, column("value"), column("concept"), column("unit")) == 2 * (K - 1)


def test_a_text_is_kept_where_enough_share_it_and_the_vocabulary_knows_it(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [("E11", "mild"), ("rare", "rare")], "extract.concept")
    for word, people in (("E11", K), ("mild", K), ("rare", K - 1), ("Dr. Smith", 60), ("555-0100", 60)):
        insert(db, [(n, 0, None, None, word) for n in range(people)])
    insert(db, [(1, 0, None, None, "rare")] * 100)
    keep_common(db, ROWS, column("word"))
    assert found(db, "word") == {("E11",), ("mild",), (None,)}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("02139", "021"), (" 02139 ", "021"), ("02139-1234", "021"), ("021391234", "021"),
        ("03601", "000"), ("20301", "000"), ("00000", "000"), ("99", "000"), ("K1A 0B1", "000"), ("2139", "000"),
        ("02139-12", "000"), ("", "000"), (None, None), ("34001", "000"), ("02139\n", "000"),
    ],
)  # fmt: skip
def test_zip_codes(db: duckdb.DuckDBPyConnection, given: str | None, want: str | None) -> None:
    db.execute("CREATE TABLE place AS SELECT CAST(? AS VARCHAR) AS zip", [given])
    tree = three_digits(column("zip"))
    assert db.execute(f"SELECT {tree.sql('duckdb')} FROM place").fetchone() == (want,)


def test_small_prefixes_never_stay(db: duckdb.DuckDBPyConnection) -> None:
    assert len(SMALL) == 23
    db.execute("CREATE TABLE place AS SELECT unnest(?) || '01' AS zip", [sorted(SMALL)])
    tree = three_digits(column("zip"))
    assert set(db.execute(f"SELECT {tree.sql('duckdb')} FROM place").fetchall()) == {("000",)}


def test_only_prefixes_under_which_people_are_counted_may_stay() -> None:
    """894 have tabulation areas. Among those that have none are offices in Holtsville, Philadelphia and Memphis,
    military mail, the Virgin Islands and Guam."""
    assert len(COUNTED) == 894
    assert COUNTED.isdisjoint(("000", "005", "008", "055", "090", "192", "340", "375", "649", "733", "962", "969"))
    assert COUNTED > SMALL


def test_states(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("CREATE TABLE place AS SELECT unnest(['ma', 'MA ', 'Massachusetts', 'XX', NULL]) AS state")
    tree = known_state(column("state"))
    assert db.execute(f"SELECT {tree.sql('duckdb')} FROM place").fetchall() == [
        ("MA",),
        ("MA",),
        (None,),
        (None,),
        (None,),
    ]
    assert run(db, "SELECT 1 AS one") == [(1,)]


@given(st.lists(st.tuples(st.integers(1, 3 * K), st.integers(0, 4) | st.none()), max_size=200))
def test_a_number_stays_where_k_people_share_it(rows: list[tuple[int, int | None]]) -> None:
    """The law, by a program of another kind; 0 stands for nothing, and nothing stays nothing."""
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA sorted")
        db.execute("CREATE TABLE sorted.measurement (person_id INT, unit INT)")
        if rows:
            insert(db, rows)
        people = {value: {person for person, other in rows if other == value} for _, value in rows}
        expected = [(person, value if value is None or len(people[value]) >= K else 0) for person, value in rows]
        changed = keep_shared(db, ROWS, column("unit"), sql("0"))
        assert db.execute("SELECT * FROM sorted.measurement").fetchall() == expected
        assert changed == sum(before != after for before, after in zip(rows, expected, strict=True))


def test_of_places_and_clinicians_what_the_vocabulary_knows_stays(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("ALTER TABLE extract.concept ADD COLUMN concept_id INT")
    insert(db, [("a", "b", 38004458)], "extract.concept")
    insert(db, [(None, 1, 38004458, None, None), (None, 1, 1834415113, None, None), (None, 1, None, None, None)])
    insert(db, [(None, 1, 7, None, None)] * K)
    assert keep_known(db, ROWS, column("unit"), sql("0")) == 1
    assert found(db, "unit") == {(38004458,), (0,), (None,), (7,)}
