"""Which rows of a file cannot be loaded: by their own fault, by a key that another row has, by an unknown person.

The rows are those of ``typed.<name>``, a table or a view. What is found goes to the table ``faulty.<name>``: the row's
number and its reason. Each later check passes over what an earlier one found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from sqlglot import exp

from vitrail.omop.sql import Node, all_of, column, run, sql, table

UNKNOWN_PERSON = "the person is not among those loaded"
WIDEST = 2**28
"""The widest range of keys for which a mark per key is kept: 256 MB."""
AT_ONCE = 2**24
"""How many keys are compared at once where their range is wider."""


@dataclass(frozen=True)
class Rows:
    """The judged rows of a file, by its name in the staging database."""

    name: str

    @property
    def typed(self) -> exp.Table:
        """The table or view of all rows."""
        return table(self.name, "typed")

    @property
    def faulty(self) -> exp.Table:
        """The table of those that are quarantined: ``row`` and ``fault``."""
        return table(self.name, "faulty")


def collect(db: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    """Make ``faulty.<name>`` of the rows that are faulty by themselves."""
    run(db, "CREATE TABLE :f AS SELECT row, fault FROM :t WHERE fault IS NOT NULL", f=rows.faulty, t=rows.typed)


def any_faulty(db: duckdb.DuckDBPyConnection, rows: Rows) -> bool:
    """Whether a row is quarantined."""
    return bool(run(db, "SELECT count(*) FROM :f", f=rows.faulty)[0][0])


def good(db: duckdb.DuckDBPyConnection, rows: Rows) -> exp.Select:
    """A query's beginning over the rows that are not quarantined, without columns yet. The rows are called ``t``."""
    query = exp.Select().from_(exp.alias_(rows.typed, "t", table=True))
    if not any_faulty(db, rows):
        return query
    return query.join(exp.alias_(rows.faulty, "f", table=True), on=sql("f.row = t.row"), join_type="anti")


def quarantine_repeated(
    db: duckdb.DuckDBPyConnection, rows: Rows, key: Node, applies: Node, order: Sequence[Node], told: Node
) -> None:
    """Of several rows with one ``key`` the first by ``order`` is kept, for which of them is right cannot be known.

    ``told`` is the reason of the others.
    """
    keyed = good(db, rows).where(applies)
    if not repeated(db, keyed.select(exp.alias_(key.copy(), "key"))):
        return
    keys = keyed.select(exp.alias_(key.copy(), "key")).group_by(key.copy()).having(sql("count(*) > 1"))
    place = exp.Window(
        this=exp.RowNumber(), partition_by=[key.copy()], order=exp.Order(expressions=[*order, column("row", "t")])
    )
    ranked = keyed.select("t.row", exp.alias_(told, "fault"), exp.alias_(place, "place"))
    run(
        db,
        "INSERT INTO :f SELECT row, fault FROM :ranked AS r WHERE place > 1",
        f=rows.faulty,
        ranked=ranked.where(exp.In(this=key.copy(), query=keys.subquery())).subquery(),
    )


def quarantine_unknown_persons(db: duckdb.DuckDBPyConnection, rows: Rows, person: Node, applies: Node) -> None:
    """Rows of persons who are not in ``extract.person``."""
    persons = exp.alias_(table("person", "extract"), "p", table=True)
    unknown = good(db, rows).join(persons, on=sql("p.person_id = :p", p=person), join_type="anti").where(applies)
    told = exp.Literal.string(UNKNOWN_PERSON)
    unknown = unknown.select("t.row", exp.alias_(told, "fault"))
    run(db, "INSERT INTO :f SELECT * FROM :q AS q", f=rows.faulty, q=unknown.subquery())


def repeated(db: duckdb.DuckDBPyConnection, keys: exp.Select) -> bool:
    """Whether a key of ``keys``, a query with one column ``key``, is there twice.

    Keys are mostly dense, so a mark for each of their range is the cheapest exact way. Where the range is too wide,
    parts of the keys are compared one after the other, so that memory is bounded.
    """
    found = run(db, "SELECT count(key), min(key), max(key) FROM :k AS k", k=keys.subquery())[0]
    count, low, high = int(found[0]), found[1], found[2]
    if count < 2:
        return False
    if high - low < WIDEST:
        return _marked(db, keys, int(low), int(high)) < count
    return any(_collide(db, keys, part, 1 + count // AT_ONCE) for part in range(1 + count // AT_ONCE))


def _marked(db: duckdb.DuckDBPyConnection, keys: exp.Select, low: int, high: int) -> int:
    """How many different keys there are."""
    seen = np.zeros(high - low + 1, dtype=bool)
    query = sql("SELECT key FROM :k AS k WHERE key IS NOT NULL", k=keys.subquery())
    for batch in db.execute(query.sql(dialect="duckdb")).to_arrow_reader(1_000_000):
        seen[batch.column(0).to_numpy() - low] = True
    return int(np.count_nonzero(seen))


def _collide(db: duckdb.DuckDBPyConnection, keys: exp.Select, part: int, parts: int) -> bool:
    """Whether two keys of one part are the same; ``hash`` spreads them over the parts."""
    query = "SELECT count(*) > count(DISTINCT key) FROM :k AS k WHERE key IS NOT NULL AND hash(key) % :parts = :part"
    return bool(run(db, query, k=keys.subquery(), parts=parts, part=part)[0][0])


def mark(db: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    """Where ``typed.<name>`` is a table, write each row's reason there too."""
    if any_faulty(db, rows):
        found = "UPDATE :t AS t SET fault = f.fault FROM :f AS f WHERE f.row = t.row AND t.fault IS NULL"
        run(db, found, t=rows.typed, f=rows.faulty)


def counted(db: duckdb.DuckDBPyConnection, rows: Rows) -> list[tuple[str, int, int]]:
    """Each reason with its rows and the first of them, in the order of the reasons."""
    found = run(db, "SELECT fault, count(*), min(row) FROM :f GROUP BY fault ORDER BY fault", f=rows.faulty)
    return [(str(fault), int(count), int(first)) for fault, count, first in found]


def count_good(db: duckdb.DuckDBPyConnection, rows: Rows, *conditions: Node) -> int:
    """How many rows are not quarantined, and meet all ``conditions``."""
    query = good(db, rows).select(sql("count(*)"))
    return int(run(db, query.where(all_of(conditions)) if conditions else query)[0][0])
