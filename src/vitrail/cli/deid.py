"""`vitrail deid`: clinical notes in, notes without identifiers out."""

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.notes import Progress, Tally, clean_file

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)

MANY = 1_000_000
"""Bytes of notes from which on every core takes part."""


@app.command()
def text(
    notes: Annotated[Path, typer.Option(help='JSON lines: {"note_id", "person_id", "text"}.', show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the cleaned notes go.", show_default=False)],
    known: Annotated[
        Path | None,
        typer.Option(
            help='JSON lines: {"person_id", "names", "dates", "ids", "phones", "addresses"}.', show_default=False
        ),
    ] = None,
) -> None:
    """Take names, dates, places, numbers, contacts and ages of 90 and more out of notes.

    Names and numbers become others of their kind; the same within this run for one person, and others in the next run,
    since no key is kept. Dates become [DATE].
    """
    # A fresh key: surrogates that anybody could draw again would tell what they replaced.
    cleaner = Cleaner(secrets.token_bytes(32))
    large = notes.is_file() and notes.stat().st_size > MANY
    tally = clean_file(notes, out, known, cleaner, (os.cpu_count() or 1) if large else 1, _shown())
    for line in _told(tally):
        typer.echo(line, err=True)
    if tally.malformed:
        raise typer.Exit(1)


def _shown() -> Progress:
    """Tells every two seconds how far it is, and how long it will take."""
    began = said = time.monotonic()

    def show(read: int, of: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= 2:
            said = now
            left = (now - began) * (of - read) / max(read, 1)
            typer.echo(f"{read / max(of, 1):.0%} of the notes read, about {left:.0f} s left", err=True)

    return show


def _told(tally: Tally) -> list[str]:
    lines = [f"{tally.read} notes read, {tally.written} written."]
    for reason, count in sorted(tally.quarantined.items()):
        lines.append(f"Of these, the text of {count} is withheld: {reason}. A person should look at them.")
    for reason, count in sorted(tally.malformed.items()):
        lines.append(f"{count} passed over: {reason}.")
    if tally.lines:
        lines.append(
            f"The first of these are on line {', '.join(map(str, tally.lines))}. Correct them, and clean them again."
        )
    return lines
