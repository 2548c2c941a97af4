"""Who is in a snapshot: the new id of each person, how far their days are moved, and their year of birth.

``crosswalk.person`` of the staging database: source (the id in the extract), person (the id in the snapshot), shift
(days), first and last (the true days kept), birth (the year of birth in the snapshot). It lives as long as the load.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.deid.crosswalk import NO_ANCHOR, Crosswalk
from vitrail.deid.days import FOREVER, Moves, extent, moves
from vitrail.deid.keys import CROSSWALK, CUTS, PERSON_NUMBERS, PERSON_ORDER, SHIFTS, sub_key
from vitrail.deid.profile import Profile
from vitrail.errors import SourceError
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import CLINICAL, TABLES

PERSONS = table("person", "crosswalk")

OPTED_OUT = table("opted_out", "crosswalk")
"""The ids in the source of the persons who opted out."""

OLD = 90
"""Ages of 90 and more are one category: 45 CFR 164.514(b)(2)(i)(C)."""


@dataclass(frozen=True)
class Keys:
    """The sub-keys that persons are drawn by."""

    order: bytes
    numbers: bytes
    crosswalk: bytes
    shifts: bytes
    cuts: bytes

    @staticmethod
    def of(secret: Path) -> "Keys":
        """The keys of a site. Raises NodeError where its secret cannot be read."""
        purposes = (PERSON_ORDER, PERSON_NUMBERS, CROSSWALK, SHIFTS, CUTS)
        return Keys(*(sub_key(secret, purpose) for purpose in purposes))


@dataclass(frozen=True)
class _Found:
    """The persons of the extract: their ids, and the first and last day on which they are observed.

    Days are counted from 1970-01-01; persons that are never observed have :data:`FOREVER` and its opposite.
    """

    source: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def number_persons(db: duckdb.DuckDBPyConnection, profile: Profile, keys: Keys, crosswalk: Crosswalk) -> Crosswalk:
    """Make ``crosswalk.person``, and give the crosswalk with all persons of the extract in it.

    Persons who opted out are not in the table, nor, where days are moved, those of whose observation nothing is left.
    Raises SourceError where
    nobody is left.
    """
    found = _observed(db)
    known = crosswalk.extended(keys.order, found.source)
    places = known.places(found.source)
    if profile.days == "keep":
        moved = _unmoved(found)
    else:
        anchors = known.entries["anchor"][places].astype(np.int64)
        moved = moves(profile, (keys.shifts, keys.cuts), found.source, found.starts, anchors, extent(db))
    stays = np.maximum(found.starts, moved.first) <= np.minimum(found.ends, moved.last)
    stays |= profile.days == "keep"
    stays &= ~known.entries["out"][places]
    _write(db, found.source, known.numbers(keys.numbers, found.source), moved, stays)
    _write_those_out(db, found.source[known.entries["out"][places]])
    if profile.days != "keep":
        _check_somebody(stays)
        _pool_the_old(db)
    anchored = known.entries.copy()
    anchored["anchor"][places[stays]] = moved.anchor[stays]
    return Crosswalk(anchored)


def _observed(db: duckdb.DuckDBPyConnection) -> _Found:
    query = (
        "SELECT p.person_id AS source, coalesce(min(o.observation_period_start_date) - DATE '1970-01-01', :never)"
        " AS starts, coalesce(max(o.observation_period_end_date) - DATE '1970-01-01', -:never) AS ends"
        " FROM extract.person AS p LEFT JOIN extract.observation_period AS o USING (person_id)"
        " GROUP BY p.person_id ORDER BY p.person_id"
    )
    found = db.execute(sql(query, never=FOREVER).sql("duckdb")).fetchnumpy()
    return _Found(*(np.asarray(found[each], dtype=np.int64) for each in ("source", "starts", "ends")))


def _unmoved(found: _Found) -> Moves:
    count = len(found.source)
    never, always = np.full(count, -FOREVER), np.full(count, FOREVER)
    return Moves(np.zeros(count, np.int64), never, always, np.full(count, NO_ANCHOR))


def _write(
    db: duckdb.DuckDBPyConnection,
    source: NDArray[np.int64],
    numbers: NDArray[np.int32],
    moved: Moves,
    stays: NDArray[np.bool_],
) -> None:
    given: dict[str, NDArray[Any]] = {
        "source": source, "person": numbers, "shift": moved.shift, "first": moved.first, "last": moved.last,
    }  # fmt: skip
    db.register("numbered", pa.table({name: pa.array(values[stays]) for name, values in given.items()}))
    run(db, "CREATE SCHEMA crosswalk")
    run(
        db,
        "CREATE TABLE :t AS SELECT n.source, n.person, CAST(n.shift AS INTEGER) AS shift,"
        " DATE '1970-01-01' + CAST(n.first AS INTEGER) AS first, DATE '1970-01-01' + CAST(n.last AS INTEGER) AS last,"
        # Born in the middle of the year, as far as anybody knows.
        " year(make_date(p.year_of_birth, 7, 2) + CAST(n.shift AS INTEGER)) AS birth"
        " FROM numbered AS n JOIN extract.person AS p ON p.person_id = n.source ORDER BY n.person",
        t=PERSONS,
    )
    db.unregister("numbered")


def _write_those_out(db: duckdb.DuckDBPyConnection, source: NDArray[np.int64]) -> None:
    db.register("opted", pa.table({"source": source}))
    run(db, "CREATE TABLE :t AS SELECT source FROM opted", t=OPTED_OUT)
    db.unregister("opted")


def _check_somebody(stays: NDArray[np.bool_]) -> None:
    if not stays.any():
        what = "The extract is so short that nothing is left of it when its edges are trimmed."
        raise SourceError(what, "Load an extract of more years, or data that are deidentified already.")


def _pool_the_old(db: duckdb.DuckDBPyConnection) -> None:
    """Nobody is older than 90 on the last day of which anything is kept: then no pair of dates tells more."""
    run(
        db,
        "UPDATE :p AS p SET birth = greatest(birth, year(l.day + p.shift) - :old) FROM :last"
        " WHERE l.person_id = p.source",
        p=PERSONS,
        old=OLD,
        last=_last_days().subquery("l"),
    )


def _last_days() -> exp.Query:
    """The last kept day of each person who may be 90 by then."""
    old = exp.select("source", "last").from_(PERSONS.copy()).where(sql("year(last + shift) - birth >= :old", old=OLD))
    days = [part for name in CLINICAL for part in _days(name)]
    kept = exp.select("d.person_id", exp.alias_(sql("max(least(d.day, o.last))"), "day"))
    return (
        kept.from_(exp.union(*days, distinct=False).subquery("d"))
        .join(old.subquery("o"), on=sql("o.source = d.person_id"))
        .group_by("d.person_id")
    )


def _days(name: str) -> list[exp.Select]:
    of = TABLES[name]
    days: list[Node] = [column(each) for each in (of.start, of.end) if each is not None]
    return [exp.select("person_id", exp.alias_(day, "day")).from_(table(name, "extract")) for day in days]
