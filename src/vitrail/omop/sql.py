"""SQL from templates: names and values of a source enter as nodes of a syntax tree, never as text.

A template is DuckDB's SQL with ``:placeholders`` for names, values and whole expressions.
"""

import re
from collections.abc import Mapping, Sequence
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
    text = _text(statement, parts) if isinstance(statement, str) else statement.sql(dialect="duckdb")
    return db.execute(text).fetchall()


def _text(template: str, parts: Mapping[str, Any]) -> str:
    """What ``sql(template, **parts).sql()`` would give, without a new tree of the template each time."""
    pieces = _pieces(template)
    if pieces is None:
        return str(sql(template, **parts).sql(dialect="duckdb"))
    written = {name: exp.convert(part).sql(dialect="duckdb") for name, part in parts.items()}
    return "".join(piece if at % 2 == 0 else written[piece] for at, piece in enumerate(pieces))


@cache
def _pieces(template: str) -> tuple[str, ...] | None:
    """The text of a template: what stands between its placeholders, and by turns their names.

    None where SQLGlot writes no placeholder, as for the new name in ``ALTER … RENAME TO``.
    """
    tree = _parsed(template).copy()
    for each in tree.find_all(exp.Placeholder):
        each.set("this", f"{_MARK}{each.name}")
    try:
        return tuple(re.split(rf"\${_MARK}(\w+)", tree.sql(dialect="duckdb")))
    except ValueError:
        return None


_MARK = "vitrail_part_"
