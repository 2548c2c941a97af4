"""Notes on their way into a snapshot: cleaned, with what the structured record knows of each person; or held back.

The method is :mod:`vitrail.deid.text`; here is how notes pass through it. A note that the residual scan doubts is held
back, as one that is too long: it stays in the source, and is counted under the reason.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

import duckdb
import pyarrow as pa

from vitrail.deid.persons import PERSONS
from vitrail.deid.text.clean import TOO_LONG, Cleaner, Job, clean_all
from vitrail.deid.text.spans import Known
from vitrail.omop.sql import Node, run, sql, table

HELD = "a scan by other means found what may identify somebody in the note"
BATCH = 1_000
MANY = 2_000
"""From so many notes on, it pays to clean them in several processes."""

_CLEANED = table("note", "cleaned")
_KINDS = {"name": "names", "date": "dates", "id": "ids", "phone": "phones", "address": "addresses"}


def clean_notes(db: duckdb.DuckDBPyConnection, rows: Node, cleaner: Cleaner) -> tuple[int, Mapping[str, int]]:
    """Clean ``note_text`` of ``rows``, and remove the rows that are held back; how many were changed, and held why."""
    count = int(run(db, "SELECT count(*) FROM :t", t=rows)[0][0])
    run(db, "CREATE SCHEMA IF NOT EXISTS cleaned")
    run(db, "CREATE TABLE :c (note BIGINT, text VARCHAR, held BOOLEAN)", c=_CLEANED)
    processes = (os.cpu_count() or 1) if count >= MANY else 1
    waiting, places, why = _jobs(db, rows), [], Counter[str]()

    def jobs() -> Iterator[Job]:
        for place, job in waiting:
            places.append(place)
            yield job

    done = clean_all(cleaner, jobs(), processes)
    at = 0
    while batch := list(islice(done, BATCH)):
        numbers = places[at : at + len(batch)]
        at += len(batch)
        texts, held = [each.text for each in batch], [each.quarantine is not None for each in batch]
        why.update(TOO_LONG if each.quarantine == TOO_LONG else HELD for each in batch if each.quarantine is not None)
        db.register("batch", pa.table({"note": numbers, "text": texts, "held": held}))
        run(db, "INSERT INTO :c SELECT * FROM batch", c=_CLEANED)
        db.unregister("batch")
    same = "SELECT count(*) FROM :t AS t JOIN :c AS c ON t.rowid = c.note WHERE t.note_text = c.text AND NOT c.held"
    untouched = int(run(db, same, t=rows, c=_CLEANED)[0][0])
    run(db, "UPDATE :t AS t SET note_text = c.text FROM :c AS c WHERE t.rowid = c.note", t=rows, c=_CLEANED)
    run(db, "DELETE FROM :t WHERE rowid IN (SELECT note FROM :c WHERE held)", t=rows, c=_CLEANED)
    run(db, "DROP TABLE :c", c=_CLEANED)
    return count - untouched - why.total(), why


def _jobs(db: duckdb.DuckDBPyConnection, rows: Node) -> Iterator[tuple[int, Job]]:
    """Each note with its row, person, shift, and what is known of the person, a few at a time."""
    query = sql(
        "SELECT t.rowid, p.source, p.shift, t.note_text, k.known FROM :t AS t JOIN :p AS p ON p.person = t.person_id"
        " LEFT JOIN (SELECT person_id, list(kind || ':' || text) AS known FROM extract.known_identifier"
        " GROUP BY person_id) AS k ON k.person_id = p.source ORDER BY t.rowid",
        t=rows,
        p=PERSONS,
    )
    reader = db.cursor().execute(query.sql("duckdb"))
    while batch := reader.fetchmany(BATCH):
        for row, person, shift, text, known in batch:
            yield int(row), Job(str(text), int(person), _known(known or []), int(shift))


def _known(said: list[str]) -> Known:
    parts: dict[str, list[str]] = {name: [] for name in _KINDS.values()}
    for each in said:
        kind, _, text = each.partition(":")
        parts[_KINDS[kind]].append(text)
    return Known(**{name: tuple(sorted(texts)) for name, texts in parts.items()})
