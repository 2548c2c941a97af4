"""SQL from templates: what is written at once is what the tree would give, and values stay values."""

import duckdb
import pytest
from sqlglot import exp

from vitrail.omop.sql import _text, column, run, sql, table

PARTS = {
    "t": table("person", "extract"),
    "c": column("a b", "t"),
    "q": exp.select("x").from_("y"),
    "v": "it's :c; $c",
    "n": 7,
    "f": 0.5,
    "l": ["a", "b"],
    "b": True,
}


@pytest.mark.parametrize(
    "template",
    [
        "SELECT count(:c), :v AS said FROM :t AS t WHERE :c IS NOT NULL AND :c = :n GROUP BY :c HAVING count(*) >= :n",
        "CREATE TABLE :t AS :q",
        "SELECT 1 AS one WHERE list_contains(:l, :v) AND NOT :b OR regexp_matches(:v, '^[$]c$') LIMIT :n",
        "UPDATE :t SET x = CASE WHEN :c > :f THEN :v END",
        "SELECT 1 AS one FROM (SELECT * FROM :t) AS t",
    ],
)
def test_what_is_written_at_once_is_what_the_tree_would_give(template: str) -> None:
    used = {name: part for name, part in PARTS.items() if f":{name}" in template}
    assert _text(template, used) == sql(template, **used).sql(dialect="duckdb")


@pytest.mark.parametrize("value", ["it's", "'; DROP TABLE x; --", ":v $v", "$vitrail_part_v", "\\n", "\u202e"])
def test_a_value_stays_a_value(value: str) -> None:
    with duckdb.connect() as db:
        assert run(db, "SELECT CAST(:v AS TEXT) AS said, :n AS n", v=value, n=1) == [(value, 1)]
