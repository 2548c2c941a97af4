"""Days: how far each person's are moved, what is cut, and that ages beyond 90 cannot be told."""

from datetime import date

import numpy as np
import pytest
from scipy import stats

from vitrail.deid.crosswalk import NO_ANCHOR
from vitrail.deid.days import CUT, EPOCH, REACH, Extent, cuts, moves, shifts
from vitrail.deid.profile import named

KEYS = (bytes(range(32)), bytes(range(1, 33)))
PEOPLE = np.arange(200_000, dtype=np.int64)
OF = Extent(first=10_000, last=16_000)
NOBODY = np.full(len(PEOPLE), NO_ANCHOR)


def test_every_shift_is_whole_weeks_and_equally_likely() -> None:
    found = shifts(KEYS[0], PEOPLE)
    assert not (found % 7).any()
    assert not (found == 0).any()
    values, counts = np.unique(found, return_counts=True)
    assert len(values) == 52
    assert np.abs(values).max() == REACH
    assert stats.chisquare(counts).pvalue > 1e-6


def test_cuts_are_below_a_year_and_uniform_and_apart() -> None:
    early, late = cuts(KEYS[1], PEOPLE)
    for found in (early, late):
        assert found.min() == 0
        assert found.max() == CUT - 1
        assert stats.chisquare(np.bincount(found)).pvalue > 1e-6
    assert abs(stats.spearmanr(early, late).statistic) < 5 / np.sqrt(len(PEOPLE))


def test_under_shift_all_who_are_observed_throughout_show_the_same_days() -> None:
    """Whoever is observed from the first to the last day of the extract is observed, as moved, on the same days."""
    found = moves(named("expert-determination"), KEYS, PEOPLE, np.full(len(PEOPLE), OF.first), NOBODY, OF)
    assert set((found.first + found.shift).tolist()) == {OF.first + REACH}
    assert set((found.last + found.shift).tolist()) == {OF.last - REACH}
    assert (found.first >= OF.first).all()
    assert (found.last <= OF.last).all()


def test_under_count_everybody_begins_on_the_epoch() -> None:
    starts = np.where(PEOPLE % 2 == 0, OF.first, OF.first + 2_000)
    found = moves(named("safe-harbor"), KEYS, PEOPLE, starts, NOBODY, OF)
    epoch = (EPOCH - date(1970, 1, 1)).days
    assert set((np.maximum(starts, found.first) + found.shift).tolist()) == {epoch}
    assert (found.last > OF.last - CUT).all()


def test_under_count_an_anchor_stays() -> None:
    """Earlier days of a person that a later extract brings are left out, not counted from another day."""
    starts = np.full(len(PEOPLE), OF.first + 2_000)
    first = moves(named("safe-harbor"), KEYS, PEOPLE, starts, NOBODY, OF)
    again = moves(named("safe-harbor"), KEYS, PEOPLE, starts - 1_500, first.anchor, Extent(9_000, 17_000))
    assert (first.shift == again.shift).all()
    assert (again.first >= first.anchor).all()


@pytest.mark.parametrize("profile", ["safe-harbor", "expert-determination"])
def test_moves_hang_on_the_person_alone(profile: str) -> None:
    starts = np.full(len(PEOPLE), OF.first)
    everybody = moves(named(profile), KEYS, PEOPLE, starts, NOBODY, OF)
    some = moves(named(profile), KEYS, PEOPLE[5:9], starts[5:9], NOBODY[5:9], OF)
    assert everybody.shift[5:9].tolist() == some.shift.tolist()
    assert everybody.last[5:9].tolist() == some.last.tolist()
