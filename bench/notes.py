"""`python -m bench.notes DIRECTORY`: how fast notes are cleaned, on one core, by each way.

``DIRECTORY`` has CSV files of notes, of which pieces of 2,000 characters are taken. Prints a Markdown table: notes and
megabytes in a second of CPU, the first time that the words are met and again. With known identifiers, 27 texts are
known of each person, who has five notes and is named, with a phone, in each.
"""

import random
import sys
import time
from pathlib import Path

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.lexicon import ORIGINS, names_of
from vitrail.deid.text.spans import Known

PIECE, MOST, WARM, NOTES_OF_ONE = 2_000, 400, 20, 5

Note = tuple[str, Known]


def somebody(dice: random.Random) -> Known:
    """What a record holds of a patient: names of three people, twelve dates, numbers, phones and addresses."""
    origin = dice.choice(ORIGINS)
    names = [f"{dice.choice(names_of(f'{origin}:f'))} {dice.choice(names_of(f'{origin}:s'))}" for _ in range(3)]
    dates = [f"{dice.randint(1940, 2024)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}" for _ in range(12)]
    ids = [str(dice.randint(10**6, 10**9)) for _ in range(6)]
    phones = [f"{dice.randint(201, 989)}-{dice.randint(200, 999)}-{dice.randint(0, 9999):04d}" for _ in range(3)]
    addresses = [f"{dice.randint(1, 9999)} Quillhaven Street, Eddleston, OH 44107" for _ in range(3)]
    return Known(*map(tuple, (names, dates, ids, phones, addresses)))


def seconds(cleaner: Cleaner, notes: list[Note], known: bool) -> float:
    """CPU seconds for all notes."""
    began = time.process_time()
    for at, (text, person) in enumerate(notes):
        cleaner.clean(text, person if known else None, at // NOTES_OF_ONE, 3)
    return time.process_time() - began


def main() -> None:
    """Read the notes once, then clean them by each way."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(Path(sys.argv[1]).rglob("*.csv"))]
    pieces = [text[at : at + PIECE] for text in texts for at in range(0, len(text) - PIECE, PIECE)][:MOST]
    dice = random.Random(7)
    people = [somebody(dice) for _ in range(0, len(pieces), NOTES_OF_ONE)]
    owners = [people[at // NOTES_OF_ONE] for at in range(len(pieces))]
    notes = [(f"{who.names[0]} ({who.phones[0]}). {text}", who) for text, who in zip(pieces, owners, strict=True)]
    size = sum(len(text) for text, _ in notes) / 1e6
    print("| way | notes/s | MB/s | again: notes/s | MB/s |\n|---|---|---|---|---|")
    for tagger in (True, False):
        for known in (True, False):
            cleaner = Cleaner(bytes(32), tagger=tagger)
            seconds(cleaner, notes[:WARM], known)
            first, again = seconds(cleaner, notes, known), seconds(cleaner, notes, known)
            way = f"with{'' if tagger else 'out'} the tagger, {27 if known else 0} texts known of each person"
            shown = " | ".join(f"{len(notes) / each:.0f} | {size / each:.2f}" for each in (first, again))
            print(f"| {way} | {shown} |")


if __name__ == "__main__":
    main()
