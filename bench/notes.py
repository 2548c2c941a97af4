"""`python -m bench.notes DIRECTORY`: how fast notes are cleaned, on one core, by each way.

``DIRECTORY`` has CSV files of notes, of which pieces of 2,000 characters are taken. Prints a Markdown table: notes and
megabytes in a second of CPU, all threads counted, of the first 400 notes that a process cleans and of the 400 after
them, which are others. Each way runs in a process of its own. With known identifiers, 27 texts are known of each
person, who has five notes and is named, with a phone, in each.
"""

import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.lexicon import ORIGINS, names_of
from vitrail.deid.text.spans import Known

PIECE, MOST, WARM, NOTES_OF_ONE = 2_000, 400, 20, 5
WAYS = [(tagger, known) for tagger in (True, False) for known in (True, False)]

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


def measured(notes: list[Note], tagger: bool, known: bool) -> list[float]:
    """CPU seconds for the first and for the second half of the notes; the lists are read before."""
    cleaner = Cleaner(bytes(32), tagger=tagger)
    seconds(cleaner, notes[:WARM], known)
    return [seconds(cleaner, half, known) for half in (notes[WARM : WARM + MOST], notes[WARM + MOST :])]


def read(directory: Path, dice: random.Random) -> list[Note]:
    """Pieces of the files in a random order, each with the person that it is about."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(directory.rglob("*.csv"))]
    pieces = [text[at : at + PIECE] for text in texts for at in range(0, len(text) - PIECE, PIECE)]
    pieces = dice.sample(pieces, WARM + 2 * MOST)
    people = [somebody(dice) for _ in range(0, len(pieces), NOTES_OF_ONE)]
    owners = [people[at // NOTES_OF_ONE] for at in range(len(pieces))]
    return [(f"{who.names[0]} ({who.phones[0]}). {text}", who) for text, who in zip(pieces, owners, strict=True)]


def main() -> None:
    """Read the notes once, then clean them by each way."""
    notes = read(Path(sys.argv[1]), random.Random(7))
    size = sum(len(text) for text, _ in notes) / len(notes) / 1e6
    print("| way | first 400: notes/s | MB/s | later 400: notes/s | MB/s |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for tagger, known in WAYS:
            took = pool.submit(measured, notes, tagger, known).result()
            way = f"with{'' if tagger else 'out'} the tagger, {27 if known else 0} texts known of each person"
            shown = " | ".join(f"{MOST / each:.0f} | {size * MOST / each:.2f}" for each in took)
            print(f"| {way} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
