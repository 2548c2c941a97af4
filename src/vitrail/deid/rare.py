"""What few people share: concepts are made less exact, values drawn in, texts left out.

Each function changes one column of a table ``sorted.<table>`` of the staging database, which has ``person_id``, and
gives how many values it changed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from vitrail.deid.columns import K
from vitrail.omop.sql import Node, run

SURELY = 3 * K
"""Where an approximate count of people (HyperLogLog, standard error below 5 %) says so many, k share it for certain."""

FIRST = 200_000
"""So many rows are looked at first for what k people share."""

EXTREMES = 4 * K
"""So many of the largest values are looked at first: those of k people are nearly always among them."""

Bound = tuple[int, int | None, float | None, float | None]
"""A concept, its unit, and the k-th person's smallest and largest value; none where fewer than k people have one."""

Climb = Mapping[int, list[int]]
"""For each concept its ancestors, the nearest first."""


@contextmanager
def _given(db: duckdb.DuckDBPyConnection, name: str, **columns: Sequence[Any]) -> Iterator[None]:
    """Let queries see lists as the columns ``given_<name>`` of a table."""
    arrays = {f"given_{each}": pa.array(values, _KIND[each]) for each, values in columns.items()}
    db.register(name, pa.table(arrays))
    try:
        yield
    finally:
        db.unregister(name)


_KIND = {
    "concept": pa.int64(),
    "unit": pa.int64(),
    "by": pa.int64(),
    "word": pa.string(),
    "value": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
}


def generalise(db: duckdb.DuckDBPyConnection, rows: Node, of: Node) -> int:
    """Replace each concept that fewer than k people have by the nearest ancestor that k then have, else by 0."""
    counts = run(
        db,
        "SELECT approx_count_distinct(person_id), :c AS concept FROM :t WHERE :c <> 0 GROUP BY :c",
        c=of,
        t=rows,
    )
    maybe = [concept for people, concept in counts if people < SURELY]
    persons = _persons(db, rows, of, maybe)
    rare = {concept: people for concept, people in persons.items() if len(people) < K}
    if not rare:
        return 0
    common = {int(concept) for _, concept in counts} - rare.keys()
    replaced = climbed(rare, _ancestors(db, list(rare)), common)
    with _given(db, "replaced", concept=list(replaced), by=list(replaced.values())):
        query = "UPDATE :t SET :c = given_by FROM replaced WHERE :c = given_concept"
        return int(run(db, query, t=rows, c=of)[0][0])


def _persons(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, concepts: list[int]) -> dict[int, set[int]]:
    """Who has each of ``concepts``."""
    persons: dict[int, set[int]] = defaultdict(set)
    with _given(db, "maybe", concept=concepts):
        query = "SELECT DISTINCT given_concept, person_id FROM :t AS t JOIN maybe ON :c = given_concept"
        for concept, person in run(db, query, c=of, t=rows):
            persons[concept].add(person)
    return persons


def _ancestors(db: duckdb.DuckDBPyConnection, concepts: list[int]) -> Climb:
    found: dict[int, list[int]] = defaultdict(list)
    with _given(db, "rare", concept=concepts):
        for concept, ancestor in run(
            db,
            "SELECT given_concept, ancestor_concept_id FROM extract.concept_ancestor JOIN rare"
            " ON descendant_concept_id = given_concept WHERE min_levels_of_separation > 0"
            " ORDER BY given_concept, min_levels_of_separation, ancestor_concept_id",
        ):
            found[concept].append(ancestor)
    return found


def climbed(persons: Mapping[int, set[int]], ancestors: Climb, common: set[int]) -> dict[int, int]:
    """What each rare concept becomes, given who has it.

    In each round every concept that has not arrived goes to its next ancestor; those that meet at one which k people
    have by then, or which is ``common``, have arrived. Who runs out of ancestors becomes 0.
    """
    arrived: dict[int, int] = {}
    level = 0
    while waiting := [concept for concept in sorted(persons) if concept not in arrived]:
        meeting: dict[int, list[int]] = defaultdict(list)
        for concept in waiting:
            above = ancestors.get(concept, [])
            if level < len(above):
                meeting[above[level]].append(concept)
            else:
                arrived[concept] = 0
        for ancestor, concepts in meeting.items():
            together = set().union(*(persons[concept] for concept in concepts))
            if ancestor in common or len(together) >= K:
                arrived |= dict.fromkeys(concepts, ancestor)
        level += 1
    return arrived


def draw_in(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, concept: Node, unit: Node) -> int:
    """Draw values in to the k-th person's at either end; none is kept where fewer than k people have one.

    Nor where the two ends cross, for all would get the value of one person. Values compare within a concept and a unit.
    """
    found = [_uncrossed(each) for each in _bounds(db, rows, of, concept, unit)]
    concepts, units, lows, highs = _columns(found, 4)
    with _given(db, "bounds", concept=concepts, unit=units, low=lows, high=highs):
        query = (
            "UPDATE :t SET :v = CASE WHEN given_low IS NOT NULL THEN least(greatest(:v, given_low), given_high) END"
            " FROM bounds WHERE :c = given_concept AND :u IS NOT DISTINCT FROM given_unit AND :v IS NOT NULL"
            " AND (given_low IS NULL OR :v < given_low OR :v > given_high)"
        )
        return int(run(db, query, t=rows, v=of, c=concept, u=unit)[0][0])


def _uncrossed(bound: Bound) -> Bound:
    concept, unit, low, high = bound
    return bound if low is None or high is None or low <= high else (concept, unit, None, None)


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [[row[at] for row in rows] for at in range(count)]


def _bounds(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, concept: Node, unit: Node) -> list[Bound]:
    query = (
        "SELECT max(:v, :n), arg_max(person_id, :v, :n), min(:v, :n), arg_min(person_id, :v, :n), :c AS c, :u AS u"
        " FROM :t WHERE :v IS NOT NULL GROUP BY ALL"
    )
    sure: list[Bound] = []
    unsure: list[tuple[int, int | None]] = []
    for *extremes, c, u in run(db, query, c=concept, u=unit, v=of, n=EXTREMES, t=rows):
        high, low = _kth(extremes[0], extremes[1]), _kth(extremes[2], extremes[3])
        if low is None or high is None:
            unsure.append((c, u))
        else:
            sure.append((c, u, low, high))
    return [*sure, *_exact(db, rows, of, (concept, unit), unsure)]


def _exact(
    db: duckdb.DuckDBPyConnection, rows: Node, of: Node, by: tuple[Node, Node], wanted: list[tuple[int, int | None]]
) -> list[Bound]:
    """The bounds where some people have so many extreme values that those of k were not among the first."""
    concepts, units = _columns(wanted, 2)
    query = (
        "SELECT given_concept, given_unit, CASE WHEN count(*) >= :k THEN min(lowest, :k)[-1] END,"
        " CASE WHEN count(*) >= :k THEN max(highest, :k)[-1] END"
        " FROM (SELECT given_concept, given_unit, person_id, min(:v) AS lowest, max(:v) AS highest"
        " FROM :t AS t JOIN wanted ON :c = given_concept AND :u IS NOT DISTINCT FROM given_unit WHERE :v IS NOT NULL"
        " GROUP BY ALL) AS p GROUP BY ALL"
    )
    with _given(db, "wanted", concept=concepts, unit=units):
        return [(*each,) for each in run(db, query, t=rows, v=of, c=by[0], u=by[1], k=K)]


def _kth(values: list[float], persons: list[int]) -> float | None:
    """The value at which the k-th person appears, from the most extreme inwards."""
    seen: set[int] = set()
    for value, person in zip(values, persons, strict=True):
        seen.add(person)
        if len(seen) == K:
            return value
    return None


def keep_common(db: duckdb.DuckDBPyConnection, rows: Node, of: Node) -> int:
    """Leave out every text that fewer than k people share, or that the vocabulary knows neither as code nor as name.

    Names of clinicians, places and telephones are shared by many people, too; so to be shared is not enough.
    """
    query = (
        "SELECT approx_count_distinct(person_id), :c AS word FROM :t WHERE :c IS NOT NULL GROUP BY :c"
        " HAVING count(*) >= :k AND (:c IN (SELECT concept_code FROM extract.concept)"
        " OR :c IN (SELECT concept_name FROM extract.concept))"
    )
    found = run(db, query, c=of, t=rows, k=K)
    common = [word for people, word in found if people >= SURELY]
    with _given(db, "maybe", word=[word for people, word in found if people < SURELY]):
        query = (
            "SELECT given_word FROM :t AS t JOIN maybe ON :c = given_word GROUP BY ALL"
            " HAVING count(DISTINCT person_id) >= :k"
        )
        common += [word for (word,) in run(db, query, c=of, t=rows, k=K)]
    with _given(db, "common", word=common):
        query = "UPDATE :t SET :c = NULL WHERE :c IS NOT NULL AND :c NOT IN (SELECT given_word FROM common)"
        return int(run(db, query, t=rows, c=of)[0][0])


def keep_shared(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, instead: Node) -> int:
    """Put ``instead`` for every number that fewer than k people share; how many were changed.

    A number in the wrong column may be anybody's: a count, a type or a unit says nothing that k people do not share.
    Nearly all values are shared among the first rows already; only the others are looked for in all.
    """
    query = (
        "SELECT count(DISTINCT person_id), :c AS v FROM (SELECT * FROM :t LIMIT :some) AS t WHERE :c IS NOT NULL"
        " GROUP BY :c HAVING count(DISTINCT person_id) >= :k"
    )
    common = [value for _, value in run(db, query, c=of, t=rows, k=K, some=FIRST)]
    held = run(db, "SELECT DISTINCT :c AS v FROM :t WHERE :c IS NOT NULL", c=of, t=rows)
    others = {value for (value,) in held} - set(common)
    if not others:
        return 0
    with _given(db, "maybe", value=list(others)):
        query = "SELECT given_value FROM :t AS t JOIN maybe ON :c = given_value GROUP BY ALL"
        query += " HAVING count(DISTINCT person_id) >= :k"
        common += [value for (value,) in run(db, query, c=of, t=rows, k=K)]
    return _replace_others(db, rows, of, instead, common)


def keep_known(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, instead: Node) -> int:
    """The same for places and clinicians, whom no person has: a concept stays that the vocabulary knows, or k share."""
    query = (
        "SELECT count(*), :c FROM :t WHERE :c IS NOT NULL GROUP BY :c"
        " HAVING count(*) >= :k OR :c IN (SELECT concept_id FROM extract.concept)"
    )
    return _replace_others(db, rows, of, instead, [value for _, value in run(db, query, c=of, t=rows, k=K)])


def _replace_others(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, instead: Node, common: list[Any]) -> int:
    """Put ``instead`` for what is not ``common``."""
    with _given(db, "common", value=common):
        query = (
            "UPDATE :t SET :c = :i WHERE :c IS NOT NULL AND :c IS DISTINCT FROM :i"
            " AND :c NOT IN (SELECT given_value FROM common)"
        )
        return int(run(db, query, t=rows, c=of, i=instead)[0][0])
