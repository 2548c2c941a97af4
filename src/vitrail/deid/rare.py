"""What few people share: concepts are made less exact, values drawn in, texts left out.

Each function says what becomes of one column of the rows ``t`` of a table, as a :class:`Lookup`, from what
:mod:`vitrail.deid.sharing` has learnt of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from vitrail.deid.columns import OWN, K
from vitrail.deid.sharing import BASIS, Asked, bounded, bounds, known, shared
from vitrail.omop.sql import Node, column, run, sql, table

DIGITS = 4
"""Significant digits of a value that stay. Laboratories report no more, and with more a value is somebody's own."""

Climb = Mapping[int, list[int]]
"""For each concept its ancestors, the nearest first."""


@dataclass(frozen=True)
class Lookup:
    """What becomes of a column: ``value`` of a row ``t`` that is joined with ``join``, where that is needed.

    ``changed`` is how many values that changes; None where it has not been counted. ``of`` is a column, made of the row
    and what is joined, that the value speaks of instead of the join.
    """

    value: Node
    join: tuple[Node, Node] | None = None
    changed: int | None = 0
    of: Node | None = None

    @property
    def constant(self) -> bool:
        """Whether all rows get the same value."""
        return self.value.find(exp.Column) is None


def joined(query: exp.Select, rows: Node, lookups: Mapping[str, Lookup]) -> exp.Select:
    """``query`` of ``rows``, called ``t``, with what is looked up for each.

    What a value is worked out of stands in ``t`` by then: DuckDB works it out anew wherever it stands within a CASE.
    """
    made = {name: each.of for name, each in lookups.items() if each.of is not None}
    if made:
        within = exp.select("t.*", *made.values()).from_(exp.alias_(rows.copy(), "t", table=True))
        rows = _looked_up(within, [lookups[name] for name in made]).subquery()
    query = query.from_(exp.alias_(rows.copy(), "t", table=True))
    return _looked_up(query, [each for name, each in lookups.items() if name not in made])


def _looked_up(query: exp.Select, lookups: Sequence[Lookup]) -> exp.Select:
    for each in lookups:
        if each.join is not None:
            query = query.join(each.join[0].copy(), on=each.join[1].copy(), join_type="left")
    return query


def as_it_is(of: str) -> Lookup:
    """A column that stays."""
    return Lookup(column(of, "t"))


def generalise(db: duckdb.DuckDBPyConnection, of: str, whole: bool) -> Lookup:
    """Replace each concept that fewer than k people have by the nearest ancestor that k then have, else by 0."""
    query = (
        "SELECT list(DISTINCT person_id), :c FROM :b WHERE :c <> 0 AND :unsure GROUP BY :c"
        " HAVING count(DISTINCT person_id) < :k"
    )
    parts = {"c": column(of), "b": BASIS, "unsure": _unsure(of, whole)}
    rare = {int(concept): set(people) for people, concept in run(db, query, k=K, **parts)}
    if not rare:
        return as_it_is(of)
    ancestors = _ancestors(db, list(rare))
    replaced = climbed(rare, ancestors, _common(db, of, whole) - rare.keys() if ancestors else set())
    found = pa.table({"concept": list(replaced), "by": pa.array(replaced.values(), pa.int32())})
    name, into = f"{of} replaced", table(f"{of} replaced", "ruled")
    db.register("found", found)
    run(db, "CREATE TABLE :made AS SELECT * FROM found", made=into)
    db.unregister("found")
    changed = run(db, "SELECT count(*) FROM :b WHERE :c IN (SELECT concept FROM :r)", b=BASIS, c=column(of), r=into)
    value = sql("coalesce(:by, :c)", by=column("by", name), c=column(of, "t"))
    return Lookup(value, _joined(into, name, "concept", of), int(changed[0][0]))


def _unsure(of: str, whole: bool) -> Node:
    """Whether a value in the basis is none that k people share for certain."""
    return exp.true() if whole else sql(":c NOT IN (SELECT value FROM :s)", c=column(of), s=shared(of))


def _joined(by: Node, name: str, key: str, of: str) -> tuple[Node, Node]:
    same = exp.EQ(this=column(key, name), expression=column(of, "t"))
    return exp.alias_(by.copy(), exp.to_identifier(name, quoted=True), table=True), same


def _common(db: duckdb.DuckDBPyConnection, of: str, whole: bool) -> set[int]:
    """The concepts that somebody has."""
    found = {int(each) for (each,) in run(db, "SELECT DISTINCT :c FROM :b WHERE :c <> 0", c=column(of), b=BASIS)}
    sure = [] if whole else run(db, "SELECT value FROM :s WHERE value <> 0", s=shared(of))
    return found | {int(each) for (each,) in sure}


def _ancestors(db: duckdb.DuckDBPyConnection, concepts: list[int]) -> Climb:
    found: dict[int, list[int]] = defaultdict(list)
    db.register("rare", pa.table({"concept": pa.array(concepts, pa.int64())}))
    for concept, ancestor in run(
        db,
        "SELECT concept, ancestor_concept_id FROM extract.concept_ancestor JOIN rare"
        " ON descendant_concept_id = concept WHERE min_levels_of_separation > 0"
        " ORDER BY concept, min_levels_of_separation, ancestor_concept_id",
    ):
        found[concept].append(ancestor)
    db.unregister("rare")
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


def draw_in(db: duckdb.DuckDBPyConnection, of: Asked) -> Lookup:
    """Draw values in to the k-th person's at either end, and round what is left to :data:`DIGITS` significant digits.

    None is kept where fewer than k people have one, nor where the two ends cross, for all would get the value of one
    person. Values compare within a concept and a unit.
    """
    into, name, drawn = table(f"{of.name} bounds", "ruled"), f"of {of.name}", f"{of.name} drawn in"
    within = sql(
        "CASE WHEN :v IS NOT NULL AND :low <= :high THEN least(greatest(:v, :low), :high) END",
        v=column(of.name, "t"),
        low=column("low", name),
        high=column("high", name),
    )
    bounds(db, BASIS, of, into)
    return Lookup(rounded(column(drawn, "t")), bounded(of, into), None, exp.alias_(within, drawn, quoted=True))


def rounded(value: Node) -> Node:
    """A value to :data:`DIGITS` significant digits, to the nearest, halves away from zero."""
    places = sql("CAST(:digits - 1 - floor(log10(abs(:v))) AS INTEGER)", v=value, digits=DIGITS)
    return sql("CASE WHEN :v = 0 THEN 0.0 ELSE round(:v, :places) END", v=value, places=places)


def keep_common(db: duckdb.DuckDBPyConnection, of: str, whole: bool) -> Lookup:
    """Leave out every text that fewer than k people share, or that the vocabulary knows neither as code nor as name.

    Names of clinicians, places and telephones are shared by many people, too; so to be shared is not enough.
    """
    query = (
        "CREATE TABLE :made AS SELECT :c AS word FROM :b WHERE :c IN (SELECT word FROM :known) AND :unsure"
        " GROUP BY :c HAVING count(DISTINCT person_id) >= :k"
    )
    into, name = table(f"{of} common", "ruled"), f"{of} common"
    parts = {"c": column(of), "b": BASIS, "known": known(of), "unsure": _unsure(of, whole)}
    run(db, query, made=into, k=K, **parts)
    if not whole:
        sure = "INSERT INTO :made SELECT value FROM :s WHERE value IN (SELECT word FROM :known)"
        run(db, sure, made=into, s=shared(of), known=known(of))
    if not run(db, "SELECT 1 FROM :t LIMIT 1", t=into):
        return Lookup(sql("CAST(NULL AS TEXT)"), None, None)
    return Lookup(column("word", name), _joined(into, name, "word", of), None)


def keep_shared(db: duckdb.DuckDBPyConnection, of: str, instead: Node, whole: bool) -> Lookup:
    """Put ``instead`` for every number that fewer than k people share.

    A number in the wrong column may be anybody's: a count, a type or a unit says nothing that k people do not share.
    """
    query = (
        "SELECT count(*) AS rows, :c AS value FROM :b WHERE :c IS NOT NULL AND :c IS DISTINCT FROM :i AND :unsure"
        " GROUP BY :c HAVING count(DISTINCT person_id) < :k"
    )
    parts = {"c": column(of), "b": BASIS, "unsure": _unsure(of, whole)}
    return _replaced(db, of, instead, query, i=instead, k=K, **parts)


def keep_known(db: duckdb.DuckDBPyConnection, rows: Node, of: str, instead: Node) -> Lookup:
    """The same for places and clinicians, whom no person has: a concept stays that k of them share, or OMOP knows.

    A concept of the site's own is not OMOP's.
    """
    query = (
        "SELECT count(*) AS rows, :c AS value FROM :t WHERE :c IS NOT NULL AND :c IS DISTINCT FROM :i AND :c NOT IN"
        " (SELECT concept_id FROM extract.concept WHERE concept_id < :own) GROUP BY :c HAVING count(*) < :k"
    )
    return _replaced(db, of, instead, query, c=column(of), t=rows, i=instead, own=OWN, k=K)


def _replaced(db: duckdb.DuckDBPyConnection, of: str, instead: Node, query: str, **parts: Any) -> Lookup:
    """Put ``instead`` for the values of a query, which counts their rows."""
    into, name = table(f"{of} rare", "ruled"), f"{of} rare"
    run(db, f"CREATE TABLE :made AS {query}", made=into, **parts)
    changed = run(db, "SELECT sum(rows) FROM :made", made=into)[0][0]
    if not changed:
        return as_it_is(of)
    value = sql("CASE WHEN :r IS NULL THEN :c ELSE :i END", r=column("value", name), c=column(of, "t"), i=instead)
    return Lookup(value, _joined(into, name, "value", of), int(changed))
