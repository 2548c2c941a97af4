"""Whether what identifies people is still somewhere in a snapshot: a search by other means than the rules.

Every text of every table is broken into words; the identifiers that the structured record knows are looked for among
runs of these words. It finds what a rule that failed would leave, whoever's identifier it is and wherever it stands.
It is part of the proof of a load. Each note is scanned before it is kept, too: :mod:`vitrail.deid.text.residual`.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from vitrail.omop.sql import column, run, sql
from vitrail.omop.tables import TABLES, VOCABULARY

LONGEST = 6
"""Identifiers of more words than this are looked for by their first six."""

SHORTEST = 5
"""A single word of fewer letters, or any of letters alone, is too common to say who is meant."""

SAMPLE = 200_000
BATCH = 5_000
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case: runs of letters and digits."""
    return tuple(_WORD.findall(text.casefold()))


def telling(text: str) -> tuple[str, ...] | None:
    """The words by which an identifier is looked for, None where they would tell nothing."""
    found = words(text)[:LONGEST]
    alone = len(found) == 1 and (len(found[0]) < SHORTEST or found[0].isalpha())
    return None if not found or alone else found


def sought(db: duckdb.DuckDBPyConnection) -> set[tuple[str, ...]]:
    """What to look for: what ``extract.known_identifier`` holds, at most :data:`SAMPLE` of it, by chance."""
    query = "SELECT DISTINCT text FROM extract.known_identifier WHERE kind <> 'date' ORDER BY hash(text) LIMIT :n"
    found = (telling(str(text)) for (text,) in run(db, query, n=SAMPLE))
    return {each for each in found if each is not None}


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of up to :data:`LONGEST` words of a text."""
    found = words(text)
    for start in range(len(found)):
        for end in range(start + 1, min(start + LONGEST, len(found)) + 1):
            yield found[start:end]


def texts(db: duckdb.DuckDBPyConnection, snapshot: Path) -> Iterator[str]:
    """Every text of a snapshot's directory, the vocabulary's aside, each once in a table."""
    for name, table in TABLES.items():
        path = snapshot / f"{name}.parquet"
        if name in VOCABULARY or not path.exists():
            continue
        held = {row[0] for row in run(db, sql("DESCRIBE SELECT * FROM read_parquet(:p)", p=str(path)))}
        for each in table.columns:
            if each.type == "str" and each.name in held:
                distinct = "SELECT DISTINCT :c FROM read_parquet(:p) WHERE :c IS NOT NULL"
                query = sql(distinct, c=column(each.name), p=str(path))
                reader = db.cursor().execute(query.sql("duckdb"))
                while batch := reader.fetchmany(BATCH):
                    yield from (str(text) for (text,) in batch)


def found_in(held: Iterable[str], wanted: set[tuple[str, ...]]) -> int:
    """In how many of the texts one of ``wanted`` stands."""
    return sum(any(each in wanted for each in runs(text)) for text in held)
