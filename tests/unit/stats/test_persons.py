"""Rows and the people behind them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitrail.stats import persons


@st.composite
def _rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Flags of some groups, and the persons of the rows, neighbours."""
    person = np.sort(draw(arrays(np.int64, st.integers(0, 40), elements=st.integers(-3, 9))))
    return draw(arrays(np.bool_, (len(person), draw(st.integers(1, 19))))), person


@given(_rows())
def test_shared_counts_the_persons_with_a_row_in_both(rows):
    member, person = rows
    found = persons.shared(member, persons.starts(person))
    for a in range(member.shape[1]):
        for b in range(member.shape[1]):
            assert found[a, b] == len(set(person[member[:, a] & member[:, b]].tolist()))


@given(_rows())
def test_rarest_counts_the_persons_of_each_pattern(rows):
    member, person = rows
    people: dict[bytes, set[int]] = {}
    for flags, who in zip(member, person.tolist(), strict=True):
        people.setdefault(flags.tobytes(), set()).add(who)
    assert persons.rarest(member, person) == min(map(len, people.values()), default=0)


@given(_rows())
def test_persons_are_counted_and_their_rows_added(rows):
    member, person = rows
    everyone = sorted(set(person.tolist()))
    values = member.sum(axis=1) / 8
    first = persons.starts(person)
    assert persons.distinct(person) == len(everyone)
    assert persons.sums(values, first).tolist() == [values[person == who].sum() for who in everyone]
    assert persons.most_rows(person) == max((int(np.sum(person == who)) for who in everyone), default=0)


def test_largest_share_adds_a_persons_rows():
    assert persons.largest_share(np.array([1.0, 2.0, 1.0]), np.array([0, 2])) == 0.75


def test_a_sum_of_nothing_is_called_one_persons():
    assert persons.largest_share(np.zeros(3), np.arange(3)) == 1
    assert persons.largest_share(np.zeros(0), np.arange(0)) == 1


def test_effective_number_is_the_number_of_rows_where_all_weigh_alike():
    assert persons.effective_number(np.full(7, 0.2)) == pytest.approx(7, rel=1e-15)
    assert persons.effective_number(np.array([1.0, 0.0, 0.0])) == 1
    assert persons.effective_number(np.zeros(3)) == 0


def test_the_locked_share_is_as_large_as_asked_and_another_in_another_study():
    people = np.arange(100_000)
    first, second = persons.locked("one", people, 0.25), persons.locked("two", people, 0.25)
    assert first.mean() == pytest.approx(0.25, abs=0.005)  # 3.6 standard errors
    assert (first & second).mean() == pytest.approx(0.0625, abs=0.003)
    assert not persons.locked("one", people, 0.0).any()


def test_the_locked_share_is_a_matter_of_the_person_alone():
    people = np.array([5, 5, 9, 11, 11, 11])
    assert (persons.locked("one", people, 0.5) == persons.locked("one", people[::-1], 0.5)[::-1]).all()
    assert persons.locked("one", people, 0.5)[0] == persons.locked("one", np.array([5]), 0.5)[0]


@given(st.integers(0, 10**9), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_larger_share_takes_nobody_out(person, first, second):
    low, high = sorted((first, second))
    assert persons.locked("s", np.array([person]), low)[0] <= persons.locked("s", np.array([person]), high)[0]


def test_rarest_takes_more_than_eight_columns_in_any_order_of_memory():
    member = np.asfortranarray(np.eye(12, dtype=bool)[[0, 0, 0, 11, 11]])
    assert persons.rarest(member, np.array([1, 2, 3, 4, 4])) == 1
