"""`python -m bench.notes DIRECTORY`: how fast notes are cleaned, on one core, with and without the tagger.

``DIRECTORY`` has text files of notes, of which pieces of 2,000 characters are taken. Prints a Markdown table: notes and
megabytes in a second of CPU.
"""

import sys
import time
from pathlib import Path

from vitrail.deid.text.clean import Cleaner

PIECE, MOST, WARM = 2_000, 400, 20


def main() -> None:
    """Read the notes once, then clean them by each way."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(Path(sys.argv[1]).rglob("*.csv"))]
    notes = [text[at : at + PIECE] for text in texts for at in range(0, len(text) - PIECE, PIECE)][:MOST]
    print("| way | notes/s | MB/s |\n|---|---|---|")
    for name, cleaner in (("with the tagger", Cleaner(bytes(32))), ("without", Cleaner(bytes(32), tagger=False))):
        for note in notes[:WARM]:
            cleaner.clean(note, None, 1, None)
        began = time.process_time()
        for note in notes:
            cleaner.clean(note, None, 1, None)
        seconds = time.process_time() - began
        print(f"| {name} | {len(notes) / seconds:.0f} | {sum(map(len, notes)) / seconds / 1e6:.2f} |")


if __name__ == "__main__":
    main()
