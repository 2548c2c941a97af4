"""SQL from templates: names and values of a source enter as nodes of a syntax tree, never as text.

A template is DuckDB's SQL with ``:placeholders`` for names, values and whole expressions.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

Node = exp.Expr
Rows = list[tuple[Any, ...]]


def sql(template: str, **parts: Any) -> Node:
    """The tree of ``template`` with each ``:part`` replaced; text and numbers become literals."""
    return exp.replace_placeholders(_parsed(template), **parts)


def select(template: str, **parts: Any) -> exp.Select:
    """The tree of a template that is a SELECT."""
    tree = sql(template, **parts)
    if not isinstance(tree, exp.Select):
        raise TypeError("the template is no SELECT")
    return tree


@cache
def _parsed(template: str) -> Node:
    return sqlglot.parse_one(template, dialect="duckdb")


def column(name: str, of: str | None = None) -> Node:
    """A column, of the table ``of`` where that is said."""
    return exp.column(name, table=of, quoted=True)


def table(name: str, schema: str) -> exp.Table:
    """A table of a schema."""
    return exp.table_(name, db=schema, quoted=True)


def any_of(conditions: Sequence[Node]) -> Node:
    """Whether one of ``conditions`` holds; false where there are none."""
    return exp.or_(*conditions) if conditions else exp.false()


def all_of(conditions: Sequence[Node]) -> Node:
    """Whether all ``conditions`` hold; true where there are none."""
    return exp.and_(*conditions) if conditions else exp.true()


def run(db: duckdb.DuckDBPyConnection, statement: str | Node, **parts: Any) -> Rows:
    """Execute a template or a tree, and give the rows that come back."""
    tree = sql(statement, **parts) if isinstance(statement, str) else statement
    return db.execute(tree.sql(dialect="duckdb")).fetchall()
