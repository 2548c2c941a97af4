"""Notes as JSON lines: read, cleaned, and written all at once or not at all."""

import json
import os
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from vitrail.deid.text.clean import Cleaner, Job, clean_all
from vitrail.deid.text.spans import Cleaned, Known
from vitrail.errors import SourceError

LONGEST = 16 * 2**20
"""Bytes of a line. A note of 16 million characters is a mistake."""

Progress = Callable[[int, int], None]
"""Told now and then: bytes of the notes that were read, and of all."""


@dataclass(frozen=True)
class Note:
    """One line of a file of notes."""

    note_id: str | int
    person_id: str | int
    text: str


@dataclass(frozen=True)
class Tally:
    """What became of the lines: read = written + malformed. ``quarantined`` counts, by reason, the written notes that
    a person should look at, and ``malformed`` the lines that are no note, with the numbers of the first ten."""

    read: int
    written: int
    quarantined: dict[str, int]
    malformed: dict[str, int]
    lines: tuple[int, ...]


def clean_file(
    notes: Path, out: Path, known: Path | None, cleaner: Cleaner, processes: int = 1, progress: Progress | None = None
) -> Tally:
    """Clean the notes of a file into another, which appears when it is complete.

    The text of a note that the residual scan finds fault with is withheld: its line has an empty text and the reason
    under ``quarantine``. A line that is no note is passed over and counted. Raises SourceError where a file cannot be
    read or written, or where what is known cannot be read: notes would be cleaned worse than promised.
    """
    if out.resolve() in {path.resolve() for path in (notes, known) if path is not None}:
        raise SourceError("The output is one of the inputs.", "Name another file with --out.")
    persons = read_known(known) if known else {}
    bad: list[tuple[int, str]] = []
    waiting: deque[Note] = deque()
    quarantined: Counter[str] = Counter()
    written = 0
    with appearing(out) as file:
        for cleaned in clean_all(cleaner, _jobs(notes, persons, bad, waiting, progress), processes):
            file.write(_line(waiting.popleft(), cleaned))
            written += 1
            quarantined.update([cleaned.quarantine] if cleaned.quarantine else [])
    malformed = Counter(reason for _, reason in bad)
    return Tally(written + len(bad), written, dict(quarantined), dict(malformed), tuple(line for line, _ in bad[:10]))


def _jobs(
    path: Path, persons: dict[str, Known], bad: list[tuple[int, str]], waiting: deque[Note], progress: Progress | None
) -> Iterator[Job]:
    for number, found in _objects(path, progress):
        note = found if isinstance(found, str) else _note(found)
        if isinstance(note, str):
            bad.append((number, note))
        else:
            waiting.append(note)
            yield Job(note.text, note.person_id, persons.get(str(note.person_id)))


def _note(fields: dict[str, Any]) -> Note | str:
    """The note that an object is, or why it is none."""
    for name in ("note_id", "person_id"):
        if isinstance(fields.get(name), bool) or not isinstance(fields.get(name), int | str):
            return f"{name} is missing or neither a number nor a text"
    if not isinstance(fields.get("text"), str):
        return "text is missing or no text"
    if extra := fields.keys() - {"note_id", "person_id", "text"}:
        return f"{len(extra)} fields beside note_id, person_id and text"
    return Note(fields["note_id"], fields["person_id"], fields["text"])


def read_known(path: Path) -> dict[str, Known]:
    """What is known, by person; several lines of one person add up. Raises SourceError, which names the line."""
    persons: dict[str, Known] = {}
    for number, found in _objects(path, None):
        wrong = found if isinstance(found, str) else _wrong_known(found)
        if wrong or isinstance(found, str):
            raise SourceError(f"Line {number} of {path} cannot be used: {wrong}.", "Correct the line.")
        person = str(found["person_id"])
        before = persons.get(person, Known())
        persons[person] = Known(*(getattr(before, name) + tuple(found.get(name, ())) for name in KNOWN))
    return persons


KNOWN = ("names", "dates", "ids", "phones", "addresses")


def _wrong_known(fields: dict[str, Any]) -> str:
    if isinstance(fields.get("person_id"), bool) or not isinstance(fields.get("person_id"), int | str):
        return "person_id is missing or neither a number nor a text"
    if fields.keys() - {"person_id", *KNOWN}:
        return f"it has fields beside person_id, {', '.join(KNOWN)}"
    for name in KNOWN:
        value = fields.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            return f"{name} is no list of texts"
    return ""


def _objects(path: Path, progress: Progress | None) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line that is not empty, by its number: the object on it, or why there is none."""
    try:
        size, read = path.stat().st_size, 0
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), 1):
                read += len(line)
                if progress is not None:
                    progress(read, size)
                if len(line) > LONGEST:
                    raise SourceError(f"Line {number} of {path} is longer than {LONGEST} bytes.", "Split the note.")
                if line.strip():
                    yield number, _object(line)
    except OSError as error:
        raise SourceError(f"{path} cannot be read.", "Name a file of JSON lines.") from error


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except (ValueError, RecursionError):
        return "it is not JSON"
    return found if isinstance(found, dict) else "it is no JSON object"


def _line(note: Note, cleaned: Cleaned) -> str:
    spans = [
        {"start": each.start, "end": each.end, "category": each.category, "method": each.method}
        for each in cleaned.spans
    ]
    said: dict[str, Any] = {"note_id": note.note_id, "text": "" if cleaned.quarantine else cleaned.text, "spans": spans}
    if cleaned.quarantine:
        said["quarantine"] = cleaned.quarantine
    return json.dumps(said) + "\n"


@contextmanager
def appearing(path: Path) -> Iterator[TextIO]:
    """A file beside ``path``, for its owner alone, that takes its place when it is complete and vanishes otherwise."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written.", "Name a file in a directory that exists and is yours."
        ) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written.", "See that there is room, and that it is no directory."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
