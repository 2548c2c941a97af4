"""A random sample of cleaned notes for two people to read, and what their labels say of all notes.

The file is CSV: ``number`` of the note in the snapshot, ``text``, and a column for each reviewer, who writes ``leak``
or ``clean``. It holds notes, so it stays inside the glass.
"""

import csv
import os
import random
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pyarrow import parquet

from vitrail.deid.risk import found_by_either, kappa, upper_bound
from vitrail.errors import SourceError
from vitrail.omop.sql import run

REVIEWERS = ("reviewer_1", "reviewer_2")
LABELS = {"leak": True, "clean": False}
MAX_NOTE = 10 * 1024 * 1024


@dataclass(frozen=True)
class Reviewed:
    """What the labels say: notes read by both, notes with a leak that either found, the reviewers' agreement (Cohen's
    kappa, NaN where both always say the same) and estimated joint sensitivity, and the upper 95 % bound of the share of
    notes with a leak."""

    notes: int
    leaks: int
    kappa: float
    sensitivity: float
    bound: float


def write_sample(snapshot: Path, count: int, out: Path) -> int:
    """Write a random sample of at most ``count`` notes of a snapshot's directory; how many there are.

    The file is readable by its owner alone, and an existing one is not replaced. Raises SourceError.
    """
    path = snapshot / "note.parquet"
    rows = parquet.read_metadata(path).num_rows if path.exists() else 0
    if rows == 0:
        raise SourceError("The snapshot holds no notes.", "Load a source that has some.")
    chosen = random.SystemRandom().sample(range(rows), min(count, rows))
    with duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}) as db:
        query = "SELECT note_id, note_text FROM read_parquet(:p, file_row_number = true) WHERE file_row_number IN :rows"
        found = run(db, query.replace(":rows", f"({', '.join(map(str, chosen))})"), p=str(path))
    random.SystemRandom().shuffle(found)
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as file:
            csv.writer(file).writerows([("number", "text", *REVIEWERS), *((*row, "", "") for row in found)])
    except OSError as error:
        raise SourceError(f"{out} cannot be written.", "Name a file that is not there yet.") from error
    return len(found)


def read_labels(path: Path) -> Reviewed:
    """What two reviewers' labels say. Raises SourceError that names the line where one is missing or no label."""
    csv.field_size_limit(MAX_NOTE)
    labels: tuple[list[bool], list[bool]] = ([], [])
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), 1):
                for reviewer, given in zip(REVIEWERS, labels, strict=True):
                    given.append(_label(row.get(reviewer), number, reviewer))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read.", "Name the file that the reviewers filled in.") from error
    leaks, sensitivity = found_by_either(*labels)
    count = len(labels[0])
    return Reviewed(count, leaks, kappa(*labels), sensitivity, upper_bound(leaks, count, sensitivity))


def _label(text: str | None, number: int, reviewer: str) -> bool:
    word = (text or "").strip().lower()
    if word not in LABELS:
        raise SourceError(f"Note {number} of the file has no label in {reviewer}.", "Write leak or clean.")
    return LABELS[word]
