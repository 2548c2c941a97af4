"""What k people share, of every column of a table, learnt in two passes over its rows.

Most values are shared among the first rows already. Of all rows, only those are looked at again that hold something
which is not: the *odd* ones. Whatever k people do not share stands in odd rows alone, so what is learnt of these is
exact.

Everything is made in the schema ``ruled`` of the staging database, anew for each table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
from sqlglot import exp

from vitrail.deid.columns import OWN, K
from vitrail.omop.sql import Node, any_of, column, run, sql, table

SURELY = 3 * K
"""Where an approximate count of people (HyperLogLog, standard error below 5 %) says so many, k share it for certain."""

FIRST = 500_000
"""So many rows are looked at first for what k people share; of large tables, the sixteenth part."""

FEW = 8
"""So many values are compared with one after the other; more are looked up."""

NONE = -(2**62)
"""Stands for no concept or no unit where values are compared within them."""

BASIS = table("basis", "ruled")
"""``person_id`` and the columns asked for, of all rows that hold something odd; of a small table, of all rows."""

_FIRST = table("first", "ruled")


@dataclass(frozen=True)
class Asked:
    """A column whose rule asks what k people share, by its name.

    A ``value`` is a concept or number that k people share, or not; a ``text`` one of those that k people must share
    *and* the vocabulary must know; a ``number`` one between what k people have at either end, ``within`` the columns
    of its concept and its unit.
    """

    name: str
    kind: Literal["value", "text", "number"]
    within: tuple[Node, Node] | None = None


def renew(db: duckdb.DuckDBPyConnection) -> None:
    """Forget what was learnt of the table before."""
    run(db, "DROP SCHEMA IF EXISTS ruled CASCADE")
    run(db, "CREATE SCHEMA ruled")


def everything(rows: Node) -> exp.Select:
    """All of ``rows``: for :func:`learn`, those that have been moved already."""
    return exp.select("*").from_(exp.alias_(rows.copy(), "t", table=True))


def learn(
    db: duckdb.DuckDBPyConnection,
    given: Node,
    moved: Callable[[Node], exp.Select],
    asked: Sequence[Asked],
    count: int,
    published: bool = False,
) -> bool:
    """Make :data:`BASIS` of the rows ``given``, ``count`` of them; whether it has all of them.

    ``moved`` gives of some of these rows those that are in the snapshot, with their ``person_id`` there. As it has to
    look every person up, the odd rows are told before.
    ``published`` says that names and codes of the site's own concepts do not count as known.
    For each text there is then the table :func:`known`; where the basis has not all rows, for each column but numbers
    the table :func:`shared`.
    """
    for each in asked:
        if each.kind == "text":
            _list_known(db, given, each, published)
    held = exp.select(*_held(asked))
    if count <= FIRST:
        run(db, "CREATE TABLE :b AS :q", b=BASIS, q=held.from_(moved(given).subquery("m")))
        return True
    first = held.from_(moved(given).subquery("m")).limit(max(FIRST, count // 16))
    run(db, "CREATE TABLE :f AS :q", f=_FIRST, q=first)
    odd = _odd_rows(db, given, asked).subquery()
    run(db, "CREATE TABLE :b AS :q", b=BASIS, q=held.from_(moved(odd).subquery("m")))
    run(db, "DROP TABLE :f", f=_FIRST)
    return False


def _odd_rows(db: duckdb.DuckDBPyConnection, given: Node, asked: Sequence[Asked]) -> exp.Select:
    """The rows that hold something which, among the first rows, k people do not share for certain."""
    odd = exp.select("t.*").from_(exp.alias_(given.copy(), "t", table=True))
    conditions = []
    for each in asked:
        if each.kind == "number":
            odd = odd.join(*_first_bounds(db, each), join_type="left")
        conditions.append(_odd(db, each))
    return odd.where(any_of(conditions))


def _held(asked: Sequence[Asked]) -> list[Node]:
    """The columns of the basis, each once."""
    names = ["person_id"]
    for each in asked:
        names += [each.name, *(column.name for part in each.within or () for column in part.find_all(exp.Column))]
    return [column(name) for name in dict.fromkeys(names)]


def known(of: str) -> Node:
    """The table of the words (``word``) of a text that stand on k rows of the source and that the vocabulary knows."""
    return table(f"{of} known", "ruled")


def shared(of: str) -> Node:
    """The table of the values (``value``) of a column that k people share for certain."""
    return table(f"{of} shared", "ruled")


def _list_known(db: duckdb.DuckDBPyConnection, rows: Node, of: Asked, published: bool) -> None:
    """First what stands on k rows, then what the vocabulary knows: texts may be millions, and names of people."""
    query = (
        "CREATE TABLE :k AS SELECT word FROM (SELECT :c AS word FROM :t WHERE :c IS NOT NULL GROUP BY :c"
        " HAVING count(*) >= :n) AS w WHERE word IN (SELECT concept_code FROM extract.concept WHERE :counts)"
        " OR word IN (SELECT concept_name FROM extract.concept WHERE :counts)"
    )
    counts = sql("concept_id < :own", own=OWN) if published else exp.true()
    run(db, query, counts=counts, k=known(of.name), c=column(of.name), t=rows, n=K)


def _odd(db: duckdb.DuckDBPyConnection, of: Asked) -> Node:
    """Whether a row ``t`` holds something of the column that k people do not share for certain."""
    if of.kind == "number":
        low, high = column("low", f"of {of.name}"), column("high", f"of {of.name}")
        return sql(":v <= :low OR :v >= :high OR (:low IS NULL AND :v IS NOT NULL)", v=_of(of), low=low, high=high)
    query = "SELECT :c AS value FROM :f WHERE :c IS NOT NULL GROUP BY :c HAVING approx_count_distinct(person_id) >= :n"
    sure = shared(of.name)
    run(db, f"CREATE TABLE :s AS {query}", s=sure, c=column(of.name), f=_FIRST, n=SURELY)
    if of.kind == "text":
        unsure = "SELECT word FROM :k WHERE word NOT IN (SELECT value FROM :s)"
        if not run(db, f"{unsure} LIMIT 1", k=known(of.name), s=sure):
            return exp.false()
        return sql(f":c IN ({unsure})", c=_of(of), k=known(of.name), s=sure)
    few = [value for (value,) in run(db, "SELECT value FROM :s LIMIT :n", s=sure, n=FEW + 1)]
    if not few:
        return sql(":c IS NOT NULL", c=_of(of))
    if len(few) <= FEW:
        return exp.and_(*(sql(":c <> :v", c=_of(of), v=value) for value in few))
    return sql(":c IS NOT NULL AND :c NOT IN (SELECT value FROM :s)", c=_of(of), s=sure)


def _of(of: Asked) -> Node:
    return column(of.name, "t")


def _first_bounds(db: duckdb.DuckDBPyConnection, of: Asked) -> tuple[Node, Node]:
    """What k people have at either end among the first rows: the ends among all rows lie no further in."""
    first = table(f"{of.name} first", "ruled")
    bounds(db, _FIRST, of, first)
    return bounded(of, first)


def bounds(db: duckdb.DuckDBPyConnection, rows: Node, of: Asked, into: Node) -> None:
    """Make a table of the k-th person's smallest and largest value, by concept and unit; null where there is none."""
    query = (
        "CREATE TABLE :made AS SELECT concept, unit, CASE WHEN count(*) >= :k THEN min(lowest, :k)[-1] END AS low,"
        " CASE WHEN count(*) >= :k THEN max(highest, :k)[-1] END AS high"
        " FROM (SELECT :c AS concept, :u AS unit, person_id, min(:v) AS lowest, max(:v) AS highest"
        " FROM :t AS t WHERE :v IS NOT NULL GROUP BY ALL) AS p GROUP BY ALL"
    )
    concept, unit = (_key(each) for each in of.within or (exp.null(), exp.null()))
    run(db, query, made=into, c=concept, u=unit, v=column(of.name), t=rows, k=K)


def bounded(of: Asked, by: Node) -> tuple[Node, Node]:
    """A join with a table of bounds, as ``of <name>``."""
    name = f"of {of.name}"
    concept, unit = (_key(_in_t(each)) for each in of.within or (exp.null(), exp.null()))
    on = sql(":c = :bc AND :u = :bu", c=concept, u=unit, bc=column("concept", name), bu=column("unit", name))
    return exp.alias_(by.copy(), exp.to_identifier(name, quoted=True), table=True), on


def _key(part: Node) -> Node:
    """A concept or unit as something that equals itself where there is none: much faster than to compare nulls."""
    return sql("coalesce(CAST(:p AS BIGINT), :none)", p=part, none=NONE)


def _in_t(part: Node) -> Node:
    return column(part.name, "t") if isinstance(part, exp.Column) else part.copy()
