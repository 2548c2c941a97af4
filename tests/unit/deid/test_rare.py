"""What few people share is made less exact, in a real database."""

from collections.abc import Iterator, Sequence

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from vitrail.deid import sharing
from vitrail.deid.columns import OWN, K
from vitrail.deid.places import COUNTED, SMALL, known_state, three_digits
from vitrail.deid.rare import (
    Lookup,
    climbed,
    draw_in,
    generalise,
    joined,
    keep_common,
    keep_known,
    keep_shared,
    rounded,
)
from vitrail.deid.sharing import Asked, everything, learn, renew
from vitrail.omop.sql import column, run, sql, table

ROWS = table("measurement", "moved")

VALUE = Asked("value", "number", (column("concept"), column("unit")))


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for schema in ("moved", "extract"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(
            "CREATE TABLE moved.measurement (person_id INT, concept INT, unit INT, value DOUBLE, word TEXT)"
        )
        connection.execute("CREATE TABLE extract.concept (concept_code TEXT, concept_name TEXT)")
        connection.execute(
            "CREATE TABLE extract.concept_ancestor"
            " (ancestor_concept_id INT, descendant_concept_id INT, min_levels_of_separation INT)"
        )
        yield connection


def insert(db: duckdb.DuckDBPyConnection, rows: Sequence[tuple[object, ...]], into: str = "moved.measurement") -> None:
    db.executemany(f"INSERT INTO {into} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def found(db: duckdb.DuckDBPyConnection, columns: str) -> set[tuple[object, ...]]:
    return set(db.execute(f"SELECT {columns} FROM moved.measurement").fetchall())


@pytest.fixture(params=["all rows", "odd rows"])
def looked_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each law holds where all rows are looked at, and where only those are that hold something odd."""
    if request.param == "odd rows":
        monkeypatch.setattr(sharing, "FIRST", 3 * K)


ways = pytest.mark.usefixtures("looked_at")


def apply(db: duckdb.DuckDBPyConnection, name: str, found: Lookup) -> int:
    """Put what becomes of a column in its place, and give how many values that changes."""
    query = joined(exp.select(exp.alias_(found.value, name, quoted=True), "t.* EXCLUDE " + name), ROWS, {name: found})
    changed = exp.select(sql("count_if(:c IS DISTINCT FROM :v)", c=column(name, "t"), v=found.value))
    changed = joined(changed, ROWS, {name: found})
    counted = int(run(db, changed)[0][0] or 0)
    assert found.changed in (None, counted)
    columns = [row[0] for row in db.execute("DESCRIBE moved.measurement").fetchall()]
    db.execute(f"CREATE TABLE after AS {query.sql('duckdb')}")
    db.execute(f"CREATE OR REPLACE TABLE moved.measurement AS SELECT {', '.join(columns)} FROM after")
    db.execute("DROP TABLE after")
    return counted


def learnt(db: duckdb.DuckDBPyConnection, *asked: Asked) -> bool:
    renew(db)
    count = db.execute("SELECT count(*) FROM moved.measurement").fetchone()
    assert count is not None
    return learn(db, ROWS, everything, asked, count[0])


def generalised(db: duckdb.DuckDBPyConnection) -> int:
    return apply(db, "concept", generalise(db, "concept", learnt(db, Asked("concept", "value"))))


def drawn_in(db: duckdb.DuckDBPyConnection) -> int:
    learnt(db, VALUE)
    return apply(db, "value", draw_in(db, VALUE))


@ways
def test_a_rare_concept_becomes_its_nearest_shared_ancestor(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, None, None, None) for n in range(K)])  # enough people
    insert(db, [(n, 11, None, None, None) for n in range(K - 1)])  # one too few: goes up to 1, which nobody else has
    insert(db, [(50, 12, None, None, None), (50, 13, None, None, None)])
    above = [(1, 11, 1), (1, 12, 1), (2, 11, 2), (10, 13, 1), (2, 13, 2), (2, 12, 2), (11, 11, 0)]
    insert(db, above, "extract.concept_ancestor")
    assert generalised(db) == K + 1
    assert found(db, "concept, count(*) OVER (PARTITION BY concept)") == {(10, K + 1), (1, K)}


@ways
def test_a_rare_concept_without_a_shared_ancestor_becomes_0(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 11, None, None, None) for n in range(K - 1)] * 40)  # many rows of few people
    insert(db, [(2, 11, 1)], "extract.concept_ancestor")
    assert generalised(db) == 40 * (K - 1)
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


@ways
def test_extreme_values_are_drawn_in_to_the_kth_person(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, 5, float(n), None) for n in range(100)])
    insert(db, [(0, 10, 5, 1000.0 + n, None) for n in range(200)])  # one person, many extremes
    insert(db, [(n, 10, 6, -float(n), None) for n in range(K - 1)])  # too few in this unit
    drawn_in(db)
    low, high = K - 1, 100 - (K - 1)  # person 0 is the most extreme at both ends
    held = [value for (value,) in db.execute("SELECT value FROM moved.measurement WHERE unit = 5").fetchall()]
    assert (min(held), max(held)) == (low, high)
    for end in (low, high):
        people = db.execute("SELECT count(DISTINCT person_id) FROM moved.measurement WHERE value = ?", [end]).fetchone()
        assert people is not None
        assert people[0] >= K
    assert found(db, "value") - {(float(n),) for n in range(100)} == {(None,)}


@ways
def test_no_value_is_kept_where_the_ends_cross(db: duckdb.DuckDBPyConnection) -> None:
    """Of 2k - 2 people the k-th from below is above the k-th from above: all would have the value of one of them."""
    insert(db, [(n, 10, 5, float(n), None) for n in range(2 * K - 2)])
    insert(db, [(n, 11, 5, float(n), None) for n in range(2 * K - 1)])
    drawn_in(db)
    assert found(db, "concept, value") == {(10, None), (11, float(K - 1))}


@given(st.floats(1e-90, 1e90) | st.floats(-1e90, -1e-90) | st.just(0.0))
def test_values_keep_four_significant_digits(value: float) -> None:
    """Judged by Python's own formatting, which rounds in decimals; a half may go either way."""
    query = exp.select(rounded(sql("CAST(:v AS DOUBLE)", v=repr(value)))).sql("duckdb")
    (found,) = duckdb.sql(query).fetchall()[0]
    assert float(f"{found:.3e}") == pytest.approx(found, rel=1e-14)
    assert abs(found - value) <= 0.5001e-3 * abs(value)


@ways
def test_values_without_a_unit_are_a_group_of_their_own(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [(n, 10, None, float(n), None) for n in range(3 * K)])
    assert drawn_in(db) == 2 * (K - 1)


@ways
def test_a_text_is_kept_where_enough_share_it_and_the_vocabulary_knows_it(db: duckdb.DuckDBPyConnection) -> None:
    insert(db, [("E11", "mild"), ("rare", "rare")], "extract.concept")
    for word, people in (("E11", K), ("mild", K), ("rare", K - 1), ("Dr. Smith", 60), ("555-0100", 60)):
        insert(db, [(n, 0, None, None, word) for n in range(people)])
    insert(db, [(1, 0, None, None, "rare")] * 100)
    whole = learnt(db, Asked("word", "text"))
    assert apply(db, "word", keep_common(db, "word", whole)) == K - 1 + 120 + 100
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


@ways
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 3 * K), st.integers(0, 4) | st.none()), max_size=200))
def test_a_number_stays_where_k_people_share_it(rows: list[tuple[int, int | None]]) -> None:
    """The law, by a program of another kind; 0 stands for nothing, and nothing stays nothing."""
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA moved")
        db.execute("CREATE TABLE moved.measurement (person_id INT, unit INT)")
        if rows:
            insert(db, rows)
        people = {value: {person for person, other in rows if other == value} for _, value in rows}
        expected = [(person, value if value is None or len(people[value]) >= K else 0) for person, value in rows]
        whole = learnt(db, Asked("unit", "value"))
        changed = apply(db, "unit", keep_shared(db, "unit", sql("0"), whole))
        assert sorted(db.execute("SELECT * FROM moved.measurement").fetchall(), key=repr) == sorted(expected, key=repr)
        assert changed == sum(before != after for before, after in zip(rows, expected, strict=True))


def test_of_places_and_clinicians_what_the_vocabulary_knows_stays(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("ALTER TABLE extract.concept ADD COLUMN concept_id INT")
    insert(db, [("a", "b", 38004458), ("Dr. Smith's", "Dr. Smith's", OWN + 1)], "extract.concept")
    insert(db, [(None, 1, OWN + 1, None, None)])
    insert(db, [(None, 1, 38004458, None, None), (None, 1, 1834415113, None, None), (None, 1, None, None, None)])
    insert(db, [(None, 1, 7, None, None)] * K)
    renew(db)
    assert apply(db, "unit", keep_known(db, ROWS, "unit", sql("0"))) == 2
    assert found(db, "unit") == {(38004458,), (0,), (None,), (7,)}
