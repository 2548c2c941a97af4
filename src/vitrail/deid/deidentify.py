"""From an extract to the deidentified tables of a snapshot: one Parquet file for each OMOP table.

Rows are sorted by person and date under the new person ids, so nothing of the source's order is left; records are
numbered in that order.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from vitrail.deid.columns import action
from vitrail.deid.keys import permuted
from vitrail.errors import SnapshotError
from vitrail.omop.snapshot import File, described
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import TABLES, Column, Table

ROW_GROUP = 122_880
PERSONS = table("person", "crosswalk")
REFERRED = ("location", "care_site", "provider", "visit_occurrence", "visit_detail")
"""Tables whose records others refer to, each after those that it refers to itself."""

UNREADY = ("string", "zip", "note")
"""Rules that cannot be done yet: nothing of such a column goes on."""


def deidentify(
    db: duckdb.DuckDBPyConnection,
    columns: Mapping[str, Sequence[Column]],
    key: bytes,
    into: Path,
    tell: Callable[[str], None],
) -> tuple[File, ...]:
    """Write every table of ``extract`` into the directory ``into``. ``key`` permutes person ids.

    Two loads of one extract write the same bytes. Raises SnapshotError where a record was lost on the way.
    """
    for schema in ("crosswalk", "sorted"):
        run(db, "CREATE SCHEMA :s", s=exp.to_identifier(schema))
    _permute_persons(db, key)
    files = []
    for name in (*REFERRED, *(each for each in TABLES if each not in REFERRED)):
        tell(f"deidentifying {name}")
        files.append(_write(db, TABLES[name], columns[name], into / f"{name}.parquet"))
    return tuple(sorted(files, key=lambda file: list(TABLES).index(file.table)))


def _permute_persons(db: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """``crosswalk.person``: the new id of each person of the source. It lives only as long as the load."""
    found = db.execute("SELECT person_id FROM extract.person ORDER BY person_id").fetchnumpy()["person_id"]
    source = found.astype("int64")
    db.register("persons", pa.table({"source": pa.array(source), "person": pa.array(permuted(key, source))}))
    run(db, "CREATE TABLE :t AS SELECT source, person FROM persons", t=PERSONS)
    db.unregister("persons")


def _write(db: duckdb.DuckDBPyConnection, of: Table, columns: Sequence[Column], path: Path) -> File:
    ordered = table(of.name, "sorted")
    run(db, "CREATE TABLE :t AS :q", t=ordered, q=_sorted(of, columns))
    keyed = action(of.name, of.key) == "key"
    if of.name in REFERRED:
        numbers = "CREATE TABLE :c AS SELECT :key AS source, rowid + 1 AS number FROM :t"
        run(db, numbers, c=table(of.name, "crosswalk"), key=column(of.key), t=ordered)
    rows = "SELECT * REPLACE (rowid + 1 AS :key) FROM :t ORDER BY rowid" if keyed else "SELECT * FROM :t ORDER BY rowid"
    run(
        db,
        f"COPY ({rows}) TO :path (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})",
        t=ordered,
        key=exp.to_identifier(of.key),
        path=str(path),
    )
    run(db, "DROP TABLE :t", t=ordered)
    file = described(of.name, path)
    if file.rows != run(db, "SELECT count(*) FROM :t", t=table(of.name, "extract"))[0][0]:
        raise SnapshotError(f"{of.name}: records were lost on the way.", "Report this as a defect of Vitrail.")
    return file


def _sorted(of: Table, columns: Sequence[Column]) -> exp.Select:
    """The ruled columns of a table, by person, date and the source's key; those without persons by all columns."""
    actions = {each.name: action(of.name, each.name) for each in columns}
    query = exp.select(*(exp.alias_(_ruled(each, actions[each.name]), each.name) for each in columns))
    query = query.from_(exp.alias_(table(of.name, "extract"), "t", table=True))
    if "person" in actions.values():
        query = query.join(exp.alias_(PERSONS.copy(), "p", table=True), on=sql("p.source = t.person_id"))
    for each in columns:
        if actions[each.name] == "ref":
            other = exp.alias_(table(str(each.references), "crosswalk"), _alias(each), table=True)
            same = exp.EQ(this=column("source", _alias(each)), expression=column(each.name, "t"))
            query = query.join(other, on=same, join_type="left")
    if "person" not in actions.values():
        return query.order_by(*(column(name, "t") for name in actions))
    own = [column(name, "t") for name in (of.start, of.key) if name is not None]
    return query.order_by(column("person", "p"), *own)


def _alias(of: Column) -> str:
    return f"of_{of.name}"


def _ruled(of: Column, rule: str) -> Node:
    if rule == "person":
        return column("person", "p")
    if rule == "ref":
        return column("number", _alias(of))
    return sql("CAST(NULL AS VARCHAR)") if rule in UNREADY else column(of.name, "t")
