"""From coded texts to standard concepts, by OHDSI's conventions and the site's own list.

Of the codings of one thing the first that leads to a standard concept counts; else the first that the vocabulary
knows; else the first. A coding leads to a standard concept by the site's ``source_to_concept_map.csv``, else by the
relationship ``Maps to`` of the concept with its code, one row for each concept that it maps to, else by being standard
itself (https://ohdsi.github.io/TheBookOfOhdsi/StandardizedVocabularies.html). A value that is part of the code comes by
``Maps to value`` (https://ohdsi.github.io/CommonDataModel/cdm54.html#observation). What leads nowhere is concept 0.

Concepts and relationships with an ``invalid_reason`` lead nowhere, but an invalid concept may still map on.
"""

from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.fields import WANTED, parsed, present
from vitrail.ingest.omop import stage_table
from vitrail.ingest.records import ROWS, Account, Field, Lookup, Record, load_rows
from vitrail.ingest.source_records import named
from vitrail.omop.sql import column, run, sql, table
from vitrail.omop.tables import Column, Table

SITE_MAP = "source_to_concept_map"
UNKNOWN_TARGET = "the target is no valid standard concept of the vocabulary"
MOST_STEPS = 5
"""How far ``Maps to`` is followed from one concept that is not standard to the next."""

MOST_TARGETS = 4096

_MAP = Table(
    SITE_MAP,
    (
        Column("line", "id", True),  # made here: a code may stand in several lines, once for each target
        Column("source_code", "str", True),
        Column("source_vocabulary_id", "str", True),
        Column("target_concept_id", "int", True),
        Column("invalid_reason", "str", False),
    ),
)
"""The columns of OMOP's table that are read; https://ohdsi.github.io/CommonDataModel/cdm54.html#source_to_concept_map"""


def load_site_map(db: duckdb.DuckDBPyConnection, path: Path | None) -> tuple[Account, ...]:
    """Make ``lookup.site_map`` (vocabulary, code, concept) of the site's own list, if it has one.

    Raises SourceError where the list cannot be read.
    """
    if path is None or not path.is_file():
        run(db, "CREATE TABLE lookup.site_map (vocabulary_id VARCHAR, code VARCHAR, target INTEGER)")
        return ()
    staged = stage_table(db, SITE_MAP, path)
    names = {each.lower(): each for each in staged.columns}
    missing = [each.name for each in _MAP.columns[1:] if each.required and each.name not in names]
    if missing:
        raise SourceError(f"{path} lacks {', '.join(missing)}.", "Write OMOP's columns in its first line.")
    line = Field(_MAP.columns[0], sql("cleaned.rowid + 1"))
    fields = (line, *(_field(each, names[each.name]) for each in _MAP.columns[1:] if each.name in names))
    targets = named(table("concept", "extract"), "target")
    target = parsed(column(names["target_concept_id"], ROWS), "int")
    found = sql("target.concept_id = :v", v=target)
    standard = sql("target.standard_concept = 'S' AND target.invalid_reason IS NULL")
    unknown = sql("(:v) IS NOT NULL AND (:s) IS NOT TRUE", v=target.copy(), s=standard)
    record = Record(_MAP, fields, None, ((unknown, UNKNOWN_TARGET),))
    account = load_rows(db, staged, [record], (), [Lookup(targets, found)])
    invalid = column("r0_invalid_reason") if "invalid_reason" in names else exp.null()
    run(
        db,
        "CREATE TABLE lookup.site_map AS SELECT DISTINCT r0_source_vocabulary_id AS vocabulary_id,"
        " r0_source_code AS code, r0_target_concept_id AS target FROM :t AS t ANTI JOIN :f AS f ON f.row = t.row"
        " WHERE (:invalid) IS NULL",
        f=table(SITE_MAP, "faulty"),
        t=table(SITE_MAP, "typed"),
        invalid=invalid,
    )
    return (account,)


def _field(of: Column, name: str) -> Field:
    given = column(name, ROWS)
    return Field(of, parsed(present(given), of.type), given, f"{of.name} is not {WANTED[of.type]}")


def map_codes(db: duckdb.DuckDBPyConnection, texts: exp.Query) -> None:
    """Make ``lookup.concept_of`` for the coded texts that ``texts`` selects as ``codes``.

    Its columns: ``codes``, ``nth`` (from 0: a text may map to several concepts), ``concept_id``, ``domain_id``,
    ``value_concept_id``, ``source_concept_id``, ``vocabulary_id``, ``code``.
    """
    run(
        db,
        "CREATE TABLE lookup.coding AS SELECT codes, place, split_part(line, chr(9), 1) AS vocabulary_id,"
        " split_part(line, chr(9), 2) AS code FROM (SELECT codes, unnest(string_split(codes, chr(10))) AS line,"
        " generate_subscripts(string_split(codes, chr(10)), 1) AS place FROM (SELECT DISTINCT codes FROM :t"
        " WHERE codes IS NOT NULL) AS d) AS l",
        t=texts.subquery("given"),
    )
    _find_source_concepts(db)
    _follow_maps(db)
    _choose(db)
    found = run(db, "SELECT coalesce(max(nth), 0) FROM lookup.concept_of")[0][0]
    if found >= MOST_TARGETS:
        raise SourceError(f"A code maps to more than {MOST_TARGETS} concepts.", "Check the vocabulary's relationships.")


def _find_source_concepts(db: duckdb.DuckDBPyConnection) -> None:
    """``lookup.source_concept``: the concept with the code of each coding; of several a valid, standard one."""
    db.execute(
        "CREATE TABLE lookup.source_concept AS SELECT p.vocabulary_id, p.code, c.concept_id FROM"
        " (SELECT DISTINCT vocabulary_id, code FROM lookup.coding) AS p JOIN extract.concept AS c"
        " ON c.vocabulary_id = p.vocabulary_id AND c.concept_code = p.code QUALIFY row_number() OVER (PARTITION BY"
        " p.vocabulary_id, p.code ORDER BY c.invalid_reason IS NOT NULL, c.standard_concept IS DISTINCT FROM 'S',"
        " c.concept_id) = 1"
    )


def _follow_maps(db: duckdb.DuckDBPyConnection) -> None:
    """``lookup.target``: the standard concepts to which each coding leads."""
    run(
        db,
        "CREATE TABLE lookup.target AS WITH RECURSIVE standard AS (SELECT concept_id FROM extract.concept WHERE"
        " standard_concept = 'S' AND invalid_reason IS NULL), walk(source, concept, steps) AS (SELECT DISTINCT"
        " concept_id, concept_id, 0 FROM lookup.source_concept UNION SELECT w.source, r.concept_id_2, w.steps + 1"
        " FROM walk AS w JOIN extract.concept_relationship AS r ON r.concept_id_1 = w.concept AND"
        " r.relationship_id = 'Maps to' AND r.invalid_reason IS NULL AND r.concept_id_2 <> r.concept_id_1"
        " WHERE w.steps < :most AND w.concept NOT IN (SELECT concept_id FROM standard))"
        " SELECT s.vocabulary_id, s.code, w.concept AS target FROM lookup.source_concept AS s"
        " JOIN walk AS w ON w.source = s.concept_id WHERE w.concept IN (SELECT concept_id FROM standard)"
        " AND NOT EXISTS (SELECT 1 FROM lookup.site_map AS m WHERE m.vocabulary_id = s.vocabulary_id"
        " AND m.code = s.code) UNION SELECT vocabulary_id, code, target FROM lookup.site_map",
        most=MOST_STEPS,
    )


def _choose(db: duckdb.DuckDBPyConnection) -> None:
    """``lookup.concept_of``: the concepts of the coding that counts."""
    db.execute(
        "CREATE TABLE lookup.concept_of AS WITH chosen AS (SELECT c.codes, c.vocabulary_id, c.code, s.concept_id AS"
        " source FROM lookup.coding AS c LEFT JOIN lookup.source_concept AS s USING (vocabulary_id, code)"
        " LEFT JOIN (SELECT DISTINCT vocabulary_id, code FROM lookup.target) AS t USING (vocabulary_id, code)"
        " QUALIFY row_number() OVER (PARTITION BY c.codes ORDER BY t.code IS NULL, s.concept_id IS NULL, c.place) = 1),"
        " of_value AS (SELECT r.concept_id_1 AS source, min(r.concept_id_2) AS concept FROM"
        " extract.concept_relationship AS r JOIN extract.concept AS v ON v.concept_id = r.concept_id_2 AND"
        " v.invalid_reason IS NULL WHERE r.relationship_id = 'Maps to value' AND r.invalid_reason IS NULL"
        " GROUP BY r.concept_id_1)"
        " SELECT h.codes, row_number() OVER (PARTITION BY h.codes ORDER BY t.target) - 1 AS nth,"
        " coalesce(t.target, 0) AS concept_id, k.domain_id, v.concept AS value_concept_id,"
        " coalesce(h.source, 0) AS source_concept_id, h.vocabulary_id, nullif(h.code, '') AS code FROM chosen AS h"
        " LEFT JOIN lookup.target AS t USING (vocabulary_id, code) LEFT JOIN extract.concept AS k"
        " ON k.concept_id = t.target LEFT JOIN of_value AS v ON v.source = h.source"
    )
