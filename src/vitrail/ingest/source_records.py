"""Source records: what FHIR and Synthea have in common, before any code is mapped.

Each source brings its rows as texts into the tables that this page lists; from there on there is one way to OMOP. A
row of a file gives one record, or, as the components of an Observation, several of one kind; all of a row's records
are loaded or none.

A *coded text* holds the codings of one thing, the preferred first: one line each, vocabulary and code with a tab
between. A *key* is the text by which a record is referred to; ids are made of keys.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import SQL_TYPE, WANTED, parsed
from vitrail.ingest.mapped import hashed
from vitrail.ingest.merges import resolve_merges
from vitrail.ingest.reading import Staged
from vitrail.ingest.records import DUPLICATE, ROWS, Account, Faulty, Field, Lookup, Record, load_rows
from vitrail.omop.sql import column, run, sql, table
from vitrail.omop.tables import Column, Table, Type

UNCODED = "\t"
"""The coded text of what is told in words alone."""


def coded(vocabulary: str, code: str) -> str:
    """One line of a coded text."""
    return f"{vocabulary}\t{code}"


_TEXT = """
    person: person_id:key! birth:date! death:date gender:str race:str ethnicity:str zip:str state:str provider_id:key
        care_site_id:key
    visit: visit_id:key! person_id:key! start:date! end:date class:str provider_id:key care_site_id:key
    event: person_id:key! kind:str! start:date! end:date codes:str question:str product_id:key visit_id:key
        provider_id:key type:int! number:float operator:str value:str words:str unit:str low:float high:float
        quantity:float days:int refills:int route:str
    note: person_id:key! start:date! codes:str words:str! visit_id:key provider_id:key type:int!
    coverage: person_id:key! start:date! end:date codes:str
    product: product_id:key! codes:str!
    provider: provider_id:key! gender:str codes:str care_site_id:key
    role: provider_id:key! codes:str care_site_id:key
    care_site: care_site_id:key!
    place: zip:str state:str
"""
"""The kinds of source records, with the type of each column: ``key`` is a text from which an id is made."""


_KEYED = ("person", "visit", "product", "provider", "care_site")
"""The kinds of which each record has a key of its own, in its first column: no two may be the same."""


@dataclass(frozen=True)
class Kind:
    """A kind of source records: its table when typed, and the columns that are keys.

    The table has ``file`` and ``line``, which say where the record is from. As text it also has ``key``, which tells
    whether two rows are versions of one thing, and ``updated``, which is larger in the later version.
    """

    table: Table
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.table.name

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of its records as text."""
        return (*(each.name for each in self.table.columns), "key", "updated")


def _kind(name: str, words: Sequence[str]) -> Kind:
    columns, keys = [], list[str]()
    for word in words:
        column_name, _, type_ = word.removesuffix("!").partition(":")
        keys += [column_name] if type_ == "key" else []
        kind: Type = "id" if type_ == "key" else type_  # type: ignore[assignment]
        columns.append(Column(column_name, kind, word.endswith("!")))
    period = ("start", "end") if {"start", "end"} <= {each.name for each in columns} else (None, None)
    return Kind(Table(name, tuple(columns), None, *period), tuple(keys))


def _read() -> dict[str, Kind]:
    found, name = dict[str, list[str]](), ""
    for word in _TEXT.split():
        name = word.removesuffix(":") if word.endswith(":") else name
        found.setdefault(name, []).extend([] if word.endswith(":") else [word])
    place = ["file:int!", "line:id!"]
    return {
        name: _kind(name, [*words, *place] if name in _KEYED else [*place, *words]) for name, words in found.items()
    }


KINDS: Mapping[str, Kind] = _read()
"""Every kind of source record, by name."""

ALIAS = table("alias", "given")
"""Other names of a key: ``alias`` and ``key``."""

IDENTIFIER = table("identifier", "staged")
"""What the structured record says of each person that could stand in a note: ``person`` (key), ``kind``, ``text``."""

MERGE = table("merge", "staged")
"""Persons for whom another stands: the keys ``old`` and ``survivor``."""

NO_CODE = "a code is missing"


def open_records(db: duckdb.DuckDBPyConnection) -> None:
    """Make the tables ``staged.<kind>`` of text, and those of aliases, identifiers and merges as text."""
    for kind in KINDS.values():
        _make(db, table(kind.name, "staged"), kind.texts)
    _make(db, ALIAS, ("alias", "key"))
    _make(db, IDENTIFIER, ("person", "kind", "text"))
    _make(db, MERGE, ("old", "survivor"))


def _make(db: duckdb.DuckDBPyConnection, name: exp.Table, columns: Sequence[str]) -> None:
    empty = exp.select(*(exp.alias_(sql("CAST(NULL AS VARCHAR)"), each, quoted=True) for each in columns))
    run(db, "CREATE TABLE :t AS :q", t=name, q=empty.where(exp.false()))


def load_records(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make ``typed.<name>`` of ``staged.<name>``, and the view ``given.good_<name>`` of the rows that can be loaded."""
    rows = int(run(db, "SELECT count(*) FROM :t", t=table(name, "staged"))[0][0])
    if rows:
        _judge(db, KINDS[name], rows)
    else:
        _make_empty(db, KINDS[name])
    run(
        db,
        "CREATE VIEW :v AS SELECT t.* FROM :t AS t ANTI JOIN :f AS f ON f.row = t.row",
        v=table(f"good_{name}", "given"),
        t=table(name, "typed"),
        f=table(name, "faulty"),
    )


def _judge(db: duckdb.DuckDBPyConnection, kind: Kind, rows: int) -> None:
    again = _mark_versions(db, kind)
    lookups = [Lookup(again, sql("again.key = cleaned.key"))]
    aliases = run(db, "SELECT count(*) FROM :a", a=ALIAS)[0][0]
    lookups += [_alias_lookup(key) for key in kind.keys] if aliases else []
    fields = tuple(_field(each, kind, bool(aliases)) for each in kind.table.columns)
    checks = [(sql("again.key IS NOT NULL AND (again.file <> cleaned.file OR again.line <> cleaned.line)"), DUPLICATE)]
    if kind.name == "event":
        checks.append((sql("cleaned.codes IS NULL AND cleaned.product_id IS NULL"), NO_CODE))
    record = Record(kind.table, fields, None, tuple(checks))
    load_rows(db, Staged(kind.name, kind.texts, rows, {}), [record], (), lookups)
    _fault_whole_lines(db, kind.name)


def _make_empty(db: duckdb.DuckDBPyConnection, kind: Kind) -> None:
    """The same for a kind of which the source has no record."""
    types = {"row": "BIGINT", **{f"r0_{each.name}": SQL_TYPE[each.type] for each in kind.table.columns}}
    nothing = [exp.alias_(sql(f"CAST(NULL AS {type_})"), name, quoted=True) for name, type_ in types.items()]
    run(db, "CREATE TABLE :t AS :q", t=table(kind.name, "typed"), q=exp.select(*nothing).where(exp.false()))
    run(db, "CREATE TABLE :t (row BIGINT, fault VARCHAR)", t=table(kind.name, "faulty"))


def _field(of: Column, kind: Kind, aliases: bool) -> Field:
    given = column(of.name, ROWS)
    if of.name in ("file", "line"):
        return Field(of, sql("CAST(:v AS BIGINT)", v=given))
    if of.name in kind.keys:
        known = sql("coalesce(:a, :v)", a=column("key", f"alias_{of.name}"), v=given) if aliases else given
        return Field(of, hashed(known), given)
    return Field(of, parsed(given, of.type), given, f"{of.name} is not {WANTED[of.type]}")


def _alias_lookup(key: str) -> Lookup:
    name = f"alias_{key}"
    return Lookup(named(ALIAS, name), sql(":a = :v", a=column("alias", name), v=column(key, ROWS)))


def named(of: exp.Table, name: str) -> exp.Table:
    """A table under another name."""
    renamed: exp.Table = of.copy()
    renamed.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    return renamed


def _mark_versions(db: duckdb.DuckDBPyConnection, kind: Kind) -> exp.Table:
    """Of each key that stands in several rows, the row that counts: the one updated last, else the first."""
    marked = table(f"{kind.name} again", "lookup")
    run(
        db,
        "CREATE TABLE :m AS SELECT key, file, line FROM :t WHERE key IN (SELECT key FROM :t WHERE key IS NOT NULL"
        " GROUP BY key HAVING count(DISTINCT file || ' ' || line) > 1) QUALIFY row_number() OVER (PARTITION BY key"
        " ORDER BY updated DESC NULLS LAST, CAST(file AS BIGINT), CAST(line AS BIGINT)) = 1",
        m=marked,
        t=table(kind.name, "staged"),
    )
    return named(marked, "again")


def _fault_whole_lines(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """A row of a file is loaded whole: a fault of one of its records is that of all."""
    run(
        db,
        "INSERT INTO :f SELECT t.row, w.fault FROM :t AS t JOIN (SELECT r0_file AS file, r0_line AS line,"
        " min(f.fault) AS fault FROM :f AS f JOIN :t AS t ON t.row = f.row GROUP BY r0_file, r0_line) AS w"
        " ON t.r0_file = w.file AND t.r0_line = w.line WHERE t.row NOT IN (SELECT row FROM :f)",
        t=table(name, "typed"),
        f=table(name, "faulty"),
    )


def resolve_aliases(db: duckdb.DuckDBPyConnection) -> None:
    """Keep the aliases that name one key: whom an ambiguous one means cannot be known."""
    run(
        db,
        "CREATE OR REPLACE TABLE :a AS SELECT alias, min(key) AS key FROM :a GROUP BY alias"
        " HAVING count(DISTINCT key) = 1",
        a=ALIAS,
    )


def fill_merges(db: duckdb.DuckDBPyConnection) -> None:
    """Add the persons of whom the source says that another stands for them to ``given.merge``. Raises SourceError."""
    run(
        db,
        "INSERT INTO given.merge SELECT DISTINCT :old, :survivor FROM :m AS m LEFT JOIN :a AS o ON o.alias = m.old"
        " LEFT JOIN :a AS s ON s.alias = m.survivor",
        old=hashed(sql("coalesce(o.key, m.old)")),
        survivor=hashed(sql("coalesce(s.key, m.survivor)")),
        m=MERGE,
        a=ALIAS,
    )
    resolve_merges(db)


def check_hashes(db: duckdb.DuckDBPyConnection) -> None:
    """No two persons may get one number. Raises SourceError."""
    query = "SELECT count(DISTINCT person_id) - count(DISTINCT :h) FROM :t"
    if run(db, query, h=hashed(column("person_id")), t=table("person", "staged"))[0][0]:
        raise SourceError("Two persons' ids of the source have one hash.", "Number the persons in the source.")


def fill_known_identifiers(db: duckdb.DuckDBPyConnection) -> None:
    """``extract.known_identifier``, of the persons that were loaded."""
    run(
        db,
        "INSERT INTO extract.known_identifier SELECT DISTINCT p.person_id, i.kind, trim(i.text) FROM (SELECT"
        " coalesce(m.survivor, :h) AS person_id, kind, text FROM :i AS i LEFT JOIN :a AS a ON a.alias = i.person"
        " LEFT JOIN given.merge AS m ON m.old = :h) AS i JOIN extract.person AS p USING (person_id)"
        " WHERE trim(i.text) <> '' ORDER BY ALL",
        h=hashed(sql("coalesce(a.key, i.person)")),
        i=IDENTIFIER,
        a=ALIAS,
    )
    run(db, "DROP TABLE :i", i=IDENTIFIER)


@dataclass
class Counts:
    """The rows of each file of a source, by the file's name in the account, and those that became no record."""

    rows: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, int] = field(default_factory=dict)
    faults: dict[tuple[str, str], Faulty] = field(default_factory=dict)

    def row(self, file: str, rows: int = 1) -> int:
        """Count a row, or several; the number of their file."""
        self.rows[file] += rows
        return self.numbers.setdefault(file, len(self.numbers))

    def fault(self, file: str, line: int | None, reason: str, rows: int = 1) -> None:
        """Count rows that become no record."""
        before = self.faults.get((file, reason), Faulty(reason, 0, line))
        self.faults[file, reason] = replace(before, rows=before.rows + rows)

    def accounts(self, db: duckdb.DuckDBPyConnection) -> tuple[Account, ...]:
        """What became of every row of every file. Raises SourceError where a row was lost."""
        loaded, faults, names = (
            Counter[str](),
            dict(self.faults),
            {number: name for name, number in self.numbers.items()},
        )
        for kind in KINDS:
            query = (
                "SELECT r0_file, f.fault, count(DISTINCT r0_line), min(r0_line) FROM :t AS t LEFT JOIN :f AS f"
                " ON f.row = t.row GROUP BY r0_file, f.fault ORDER BY ALL"
            )
            for file, reason, rows, first in run(db, query, t=table(kind, "typed"), f=table(kind, "faulty")):
                if reason is None:
                    loaded[names[file]] += rows
                else:
                    before = faults.get((names[file], reason), Faulty(reason, 0, first))
                    faults[names[file], reason] = replace(before, rows=before.rows + rows)
        return tuple(
            Account(name, rows, loaded[name], tuple(each for (file, _), each in sorted(faults.items()) if file == name))
            for name, rows in sorted(self.rows.items())
        )
