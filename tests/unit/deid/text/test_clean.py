"""The whole way: what comes out fits what went in, whatever it was."""

import contextlib
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.deid.text.clean import Cleaner, Job, clean_all
from vitrail.deid.text.dictionaries import dictionaries, read_terms
from vitrail.deid.text.residual import residual
from vitrail.deid.text.spans import CATEGORIES, Known, Span
from vitrail.errors import SourceError, VitrailError

KNOWN = Known(("Ana Ruiz",), ("1952-03-04",), ("884512",), ("312-555-9876",), ("12 Oak Street, Maplewood",))
PIECES = [
    "Ana",
    "Ruiz",
    "3/4/1952",
    "312-555-9876",
    "Dr.",
    "Lee",
    "Mercy Hospital",
    "MRN",
    "884512",
    "\n",
    "-\n",
    "<b>",
    "&amp;",
    "é",
    "\u200b",
    "12",
    "Oak",
    "St",
    "@",
    "'s",
    "J.",
    "92",
    "year-old",
    "pain",
    ",",
    ":",
    "#",
    "(",
    "{\\rtf1",
    "March 5",
    "\ud800",
    "İ",
]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from(["", " "]), st.integers(-300, 300) | st.none())
def test_spans_are_in_order_within_the_text_and_the_same_again(
    pieces: list[str], between: str, shift: int | None
) -> None:
    text = between.join(pieces)
    cleaned = Cleaner(b"k" * 32).clean(text, KNOWN, 1, shift)
    assert all(0 <= span.start < span.end <= len(text) and span.category in CATEGORIES for span in cleaned.spans)
    assert all(first.end <= second.start for first, second in zip(cleaned.spans, cleaned.spans[1:], strict=False))
    assert cleaned == Cleaner(b"k" * 32).clean(text, KNOWN, 1, shift)


def test_a_note_reads_on() -> None:
    text = "Ana Ruiz (DOB 3/4/1952, MRN 884512) was seen by Dr. Lee at Mercy Hospital on March 5, 2021. BP 120/80."
    cleaned = Cleaner(b"k" * 32).clean(text, KNOWN, 1, 30)
    assert cleaned.quarantine is None
    assert "DOB 4/3/1952" in cleaned.text
    assert "April 4, 2021. BP 120/80." in cleaned.text
    assert not [word for word in ("Ana", "Ruiz", "884512", "Lee", "Mercy") if word in cleaned.text]
    assert {span.method for span in cleaned.spans} >= {"known", "rule"}


def test_cleaning_in_processes_gives_the_same_in_order() -> None:
    dice = random.Random(1)
    jobs = [Job(f"{dice.choice(('Ana', 'Bob'))} Ruiz came on 3/{at + 1}/2020.", at % 3, KNOWN, at) for at in range(25)]
    cleaner = pickle.loads(pickle.dumps(Cleaner(b"k" * 32)))
    assert list(clean_all(cleaner, iter(jobs), processes=2, batch=4)) == list(clean_all(Cleaner(b"k" * 32), jobs))


def _workers() -> list[int]:
    """The processes that this one started and that work for a pool."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"--multiprocessing-fork" in (path.parent / "cmdline").read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_worker_is_a_typed_error_and_leaves_no_orphan() -> None:
    done = clean_all(Cleaner(b"k" * 32, tagger=False), (Job("no pain", 1) for _ in iter(int, 1)), 2, batch=1)
    next(done)
    os.kill(_workers()[0], signal.SIGKILL)
    with pytest.raises(VitrailError, match="killed"):
        list(done)
    assert _workers() == []


ENDLESS = """
from vitrail.deid.text.clean import Cleaner, Job, clean_all
if __name__ == "__main__":
    for number, _ in enumerate(clean_all(Cleaner(bytes(32), tagger=False), (Job("no", 1) for _ in iter(int, 1)), 2)):
        if number == 200:
            print("works", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"works\n"
    workers = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.kill()
    parent.communicate(timeout=30)
    ends = time.monotonic() + 30
    while any(Path(f"/proc/{each}").exists() for each in workers) and time.monotonic() < ends:
        time.sleep(0.1)
    assert len(workers) >= 2
    assert not [each for each in workers if Path(f"/proc/{each}").exists()]


def test_a_site_adds_terms(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "clinicians.txt"
    file.write_text("# ours\nVanterpool\n\nZed Quux\n")
    text = "discussed with vanterpool and ZED QUUX about it"
    cleaner = Cleaner(b"k" * 32, dictionaries({"NAME": read_terms(file)}), tagger=False)
    assert [text[each.start : each.end] for each in cleaner.clean(text, None, 1, None).spans] == [
        "vanterpool",
        "ZED QUUX",
    ]
    assert Cleaner(b"k" * 32, tagger=False).clean(text, None, 1, None).spans == ()


def test_a_list_that_cannot_be_read_is_said(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xff\xfe\x00 Ruiz")
    with pytest.raises(SourceError, match="UTF-8") as said:
        read_terms(file)
    assert "Ruiz" not in str(said.value)


LEFT = [
    ("we saw ruiz again", KNOWN, "known"),
    ("we saw R u i z z and Maplewood Ru iz", Known(names=("Marizol",)), None),
    ("we saw r-u-i-z-o-l-a again", Known(names=("Ana Ruizola",)), "known"),
    ("the cholesterol is high", Known(names=("Ester Olo",)), None),
    ("number 88 45 12 99 here", Known(ids=("88451299",)), "known"),
    ("write to x@y.org", None, "address"),
    ("it was 123 456 789 012 then", None, "number"),
    ("we told Xavi Qorbonel that", None, "capital"),
    ("no acute distress, BP 120/80", KNOWN, None),
]


@pytest.mark.parametrize(("text", "known", "reason"), LEFT)
def test_the_second_look_sees_what_was_left(text: str, known: Known | None, reason: str | None) -> None:
    said = residual(text, [], known, frozenset({"we", "told", "that"}))
    assert (said is None) == (reason is None)
    assert (reason or "") in (said or "")


def test_the_second_look_does_not_read_across_what_was_taken_out() -> None:
    text = "saw Rui" + "XXXX" + "zola"
    assert residual(text, [Span(7, 11, "NAME", "rule")], Known(names=("Ruizola",)), frozenset()) is None
    assert residual(text.replace("XXXX", ""), [], Known(names=("Ruizola",)), frozenset())
