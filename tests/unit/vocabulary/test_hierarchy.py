"""Ancestors against a naive walk over every path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.vocabulary.hierarchy import Ancestry, closure

Parents = dict[int, list[int]]


@st.composite
def hierarchies(draw: st.DrawFn) -> Parents:
    """Parents always have smaller numbers, so there is no circle."""
    size = draw(st.integers(1, 12))
    return {n: draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else [] for n in range(size)}


def paths(parents: Parents, concept: int) -> list[tuple[int, int]]:
    """Every path upwards from a concept: where it ends, and how long it is."""
    return [(concept, 0)] + [(end, steps + 1) for parent in parents[concept] for end, steps in paths(parents, parent)]


@given(hierarchies())
def test_closure_is_every_path(parents: Parents) -> None:
    expected = set()
    for concept in parents:
        walked = paths(parents, concept)
        for ancestor in {end for end, _ in walked}:
            steps = [count for end, count in walked if end == ancestor]
            expected.add(Ancestry(ancestor, concept, min(steps), max(steps)))
    found = closure(parents)
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found == sorted(found, key=lambda row: (row.ancestor, row.descendant))


@pytest.mark.parametrize("parents", [{1: [1]}, {1: [2], 2: [1]}, {1: [], 2: [1, 3], 3: [2]}])
def test_a_circle_is_refused(parents: Parents) -> None:
    with pytest.raises(SourceError, match="its own ancestor"):
        closure(parents)


def test_an_unknown_parent_is_refused() -> None:
    with pytest.raises(SourceError, match="is no concept"):
        closure({1: [2]})
