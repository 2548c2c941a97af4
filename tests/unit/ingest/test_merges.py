"""Who stands for whom: chains are followed to their end, over everything that is said of it."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.ingest.merges import resolve_merges

Pairs = list[tuple[int, int]]


def resolved(pairs: Pairs) -> dict[int, int]:
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("CREATE SCHEMA given")
        db.execute("CREATE TABLE given.merge (old BIGINT, survivor BIGINT)")
        if pairs:
            db.executemany("INSERT INTO given.merge VALUES (?, ?)", pairs)
        resolve_merges(db)
        return dict(db.execute("SELECT * FROM given.merge").fetchall())


def test_a_chain_that_two_know_in_part() -> None:
    """A list that was resolved already says 1 to 3; the source says 1 to 2."""
    assert resolved([(2, 3), (1, 3), (1, 2)]) == {1: 3, 2: 3}


@pytest.mark.parametrize("pairs", [[(1, 1)], [(1, 2), (2, 1)], [(1, 2), (2, 3), (3, 2)], [(1, 2), (2, 1), (1, 3)]])
def test_a_circle_is_refused(pairs: Pairs) -> None:
    with pytest.raises(SourceError, match="circle"):
        resolved(pairs)


def test_one_person_into_two_others_is_refused() -> None:
    with pytest.raises(SourceError, match="two others"):
        resolved([(1, 2), (2, 3), (1, 4)])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=14))
def test_each_old_id_has_one_end_and_no_end_is_old(pairs: Pairs) -> None:
    try:
        found = resolved(pairs)
    except SourceError:
        return
    assert set(found) == {old for old, _ in pairs}
    assert not set(found.values()) & set(found)
    assert all(found.get(old, old) == found.get(new, new) for old, new in pairs)
