"""How far each person's days are moved, and which of them are kept.

The edges of an extract tell the true calendar: whoever is still observed when it ends would show, by their last day,
how far they were moved. So the edges are trimmed. Under ``shift`` everything is cut that, once moved, lies within
:data:`REACH` of either end: everybody who is still observed ends on the same day. Under ``count`` each person loses a
part of the first and last year of the extract that only the key tells.
"""

from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
from numpy.typing import NDArray

from vitrail.deid.columns import K
from vitrail.deid.crosswalk import NO_ANCHOR
from vitrail.deid.keys import draws
from vitrail.deid.profile import Profile
from vitrail.errors import SourceError
from vitrail.omop.sql import run

WEEKS = 26
"""Days are moved by 1 to this many whole weeks, forwards or backwards: weekdays stay, so that nothing is learnt from
them that the design does not say already."""

REACH = 7 * WEEKS
"""The furthest that days are moved."""

CUT = 365
"""Under ``count`` fewer than this many days are cut at either end."""

MANY = 20
"""Among so many people one day may be a mistake, among twice as many two, up to k."""

EPOCH = date(2000, 1, 1)
"""The day on which everybody's observation begins under ``count``. It says nothing of any calendar."""

_DAY0 = date(1970, 1, 1)
FOREVER = 10**6

Days = NDArray[np.int64]


@dataclass(frozen=True)
class Moves:
    """For each person: ``shift``, the days by which theirs are moved; ``first`` and ``last``, the true days kept.

    Days are counted from 1970-01-01. ``anchor`` is the true day that became the epoch, :data:`NO_ANCHOR` without one.
    """

    shift: Days
    first: Days
    last: Days
    anchor: Days


@dataclass(frozen=True)
class Extent:
    """The first and the last day on which people are observed, in days from 1970-01-01.

    A day that a few people alone are observed on may be a mistake: of many people, the k-th counts.
    """

    first: int
    last: int


def extent(db: duckdb.DuckDBPyConnection) -> Extent:
    """The extent of the extract. Raises SourceError where fewer than k people are observed."""
    people = int(run(db, "SELECT count(DISTINCT person_id) FROM extract.observation_period")[0][0])
    if people < K:
        what = f"Fewer than {K} people are observed, too few to hide among."
        raise SourceError(what, "Load more people, or data that are deidentified already.")
    first, last = run(
        db,
        "SELECT min(first, :some)[-1], max(last, :some)[-1] FROM ("
        " SELECT min(observation_period_start_date) - DATE '1970-01-01' AS first,"
        " max(observation_period_end_date) - DATE '1970-01-01' AS last"
        " FROM extract.observation_period GROUP BY person_id) AS o",
        some=min(K, 1 + people // MANY),
    )[0]
    return Extent(int(first), int(last))


def moves(profile: Profile, keys: tuple[bytes, bytes], persons: Days, starts: Days, anchors: Days, of: Extent) -> Moves:
    """The moves of ``persons``.

    ``keys`` draw shifts and cuts. ``starts`` are the days on which their observation begins; ``anchors`` those that
    became the epoch in an earlier load, which stay.
    """
    none = np.full(len(persons), NO_ANCHOR)
    if profile.days == "keep":
        return Moves(np.zeros(len(persons), int), np.full(len(persons), -FOREVER), np.full(len(persons), FOREVER), none)
    if profile.days == "shift":
        shift = shifts(keys[0], persons)
        return Moves(shift, of.first + REACH - shift, of.last - REACH - shift, none)
    early, late = cuts(keys[1], persons)
    first = of.first + early
    anchor = np.where(anchors == NO_ANCHOR, np.maximum(starts, first), anchors)
    return Moves((EPOCH - _DAY0).days - anchor, np.maximum(first, anchor), of.last - late, anchor)


def shifts(key: bytes, persons: Days) -> Days:
    """The days by which each person's are moved: any of the 52 with equal chance."""
    drawn = (draws(key, persons) % np.uint64(2 * WEEKS)).astype(np.int64) - WEEKS
    return 7 * np.where(drawn >= 0, drawn + 1, drawn)


def cuts(key: bytes, persons: Days) -> tuple[Days, Days]:
    """How many days each person loses at the beginning and at the end of the extract."""
    drawn = draws(key, persons)
    early, late = drawn % np.uint64(CUT), (drawn >> np.uint64(32)) % np.uint64(CUT)
    return early.astype(np.int64), late.astype(np.int64)
