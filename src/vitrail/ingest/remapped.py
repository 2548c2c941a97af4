"""The site's own list of what its codes mean, applied to OMOP tables: events of concept 0 get their code's concept.

The code is the source value; its vocabulary that of the source concept, or ``None``, as the list of unmapped codes says
it (:func:`vitrail.ingest.cdm.list_unmapped`). A target counts where its domain is that of the table, for else the event
would belong elsewhere; of several the one with the smallest id, since a row stays one row.
"""

import duckdb
from sqlglot import exp

from vitrail.ingest.extract import Columns
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import CLINICAL, TABLES, Table

NO_VOCABULARY = "None"
"""OMOP's id for having no vocabulary."""


def remap(db: duckdb.DuckDBPyConnection, columns: Columns) -> dict[str, int]:
    """Apply ``lookup.site_map`` to the views of ``extract``; how many rows of each table got a concept."""
    if not run(db, "SELECT count(*) FROM lookup.site_map")[0][0]:
        return {}
    found = {}
    for name in CLINICAL:
        of, held = TABLES[name], {each.name for each in columns[name]}
        if of.concept is not None and f"{stem(of)}_source_value" in held:
            rows = _remap(db, of, held)
            if rows:
                found[f"{name}: codes mapped by the site's list"] = rows
    return found


def stem(of: Table) -> str:
    """What the names of a table's concept, source value and source concept begin with."""
    return str(of.concept).removesuffix("_concept_id")


def vocabulary_of(of: Table, held: set[str]) -> tuple[Node, Node]:
    """The vocabulary of a row's code, and the condition on which ``extract.concept`` as ``s`` tells it."""
    source = f"{stem(of)}_source_concept_id"
    found = column(source, "t") if source in held else sql("CAST(NULL AS INTEGER)")
    return sql("coalesce(s.vocabulary_id, :none)", none=NO_VOCABULARY), sql("s.concept_id = nullif(:c, 0)", c=found)


def _remap(db: duckdb.DuckDBPyConnection, of: Table, held: set[str]) -> int:
    """Put a view of the same name over that of a table."""
    vocabulary, told = vocabulary_of(of, held)
    came, concept = table(f"{of.name} as it came", "extract"), column(str(of.concept), "t")
    same = sql(
        "m.code = :code AND m.vocabulary_id = :vocabulary AND :concept = 0",
        code=column(f"{stem(of)}_source_value", "t"),
        vocabulary=vocabulary,
        concept=concept,
    )
    rows = (
        exp.Select()
        .from_(exp.alias_(came, "t", table=True))
        .join(exp.alias_(table("concept", "extract"), "s", table=True), on=told, join_type="left")
        .join(exp.alias_(_targets(of), "m", table=True), on=same, join_type="left")
    )
    run(db, "ALTER VIEW :v RENAME TO :n", v=table(of.name, "extract"), n=exp.to_identifier(came.name, quoted=True))
    mapped = sql("coalesce(m.target, :c)", c=concept.copy())
    star = exp.Column(this=exp.Star(replace=[exp.alias_(mapped, str(of.concept))]), table=exp.to_identifier("t"))
    run(db, "CREATE VIEW :v AS :q", v=table(of.name, "extract"), q=rows.select(star))
    return int(run(db, rows.select(sql("count(m.target)")))[0][0])


def _targets(of: Table) -> exp.Subquery:
    """The one target of each code that is of the table's domain."""
    domains = (TABLES[of.name].column(str(of.concept)) or TABLES[of.name].columns[0]).domain
    listed = exp.Array(expressions=[exp.Literal.string(each.strip()) for each in (domains or "").split(",") if domains])
    query = sql(
        "SELECT m.vocabulary_id, m.code, min(m.target) AS target FROM lookup.site_map AS m JOIN extract.concept AS c"
        " ON c.concept_id = m.target WHERE len(:domains) = 0 OR list_contains(:domains, c.domain_id)"
        " GROUP BY m.vocabulary_id, m.code",
        domains=listed,
    )
    return exp.Subquery(this=query)
