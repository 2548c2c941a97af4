"""The cleaner on material that others made: ASQ-PHI (synthetic queries) and notes of aci-bench and MTS-Dialog.

ASQ-PHI's queries are synthetic: what is reached there is no evidence for clinical notes. Its test part was read by
nobody and by nothing while the cleaner was made; the figures are in docs/reference/text-deidentification.md.
"""

import csv
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.planted import EXACT, MUTATED, covered, person, planted
from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.lexicon import ORIGINS
from vitrail.deid.text.train import Part, read_queries, spans_of

KEY = b"k" * 32
HELD = ("carrier-acibench/clinicalnlp_taskB_test1.csv", "carrier-acibench/clinicalnlp_taskC_test2.csv",
        "carrier-mtsdialog/MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv")  # fmt: skip


@pytest.fixture(scope="module")
def carriers(test_data: Path) -> list[str]:
    """Notes that the tagger was not trained on."""
    found = []
    for name in HELD:
        with (test_data / "deid" / name).open(encoding="utf-8", newline="") as file:
            found += [row.get("note") or row["section_text"] for row in csv.DictReader(file)]
    return found


def scores(data: Path, part: Part) -> dict[str, float]:
    """Recall by entity (all its letters and digits in spans), precision by span (some of it marked), negatives hit."""
    cleaner, count = Cleaner(KEY), Counter[str]()
    for query in read_queries(data / "deid" / "asq-phi" / "queries.txt", part):
        spans, marked = cleaner.clean(query.text, None, 1, None).spans, spans_of(query)
        count["queries without"] += not marked
        count["hit"] += bool(spans) and not marked
        if marked:
            count["marked"] += len(marked)
            count["found"] += sum(covered(query.text, each.start, each.end, spans) for each in marked)
            count["spans"] += len(spans)
            count["right"] += sum(any(a.start < b.end and b.start < a.end for b in marked) for a in spans)
    return {
        "recall": count["found"] / count["marked"],
        "precision": count["right"] / count["spans"],
        "negatives hit": count["hit"] / count["queries without"],
    }


@pytest.mark.parametrize("part", ["dev", "test"])
def test_asq_phi(test_data: Path, part: Part) -> None:
    found = scores(test_data, part)
    assert found["recall"] >= 0.985
    assert found["precision"] >= 0.95
    assert found["negatives hit"] <= 0.25


def shares(carriers: list[str], kinds: dict, levers: tuple[str, ...], times: int) -> tuple[float, dict[str, float]]:  # type: ignore[type-arg]
    """The share of planted mentions that are found: overall, and by origin of the name."""
    dice, cleaner = random.Random(8), Cleaner(KEY, levers=levers)
    notes = [note[:600] for note in carriers if len(note) > 150]
    found, all_ = Counter[str](), Counter[str]()
    for origin in ORIGINS:
        for _ in range(times):
            who = person(origin, dice)
            for make in kinds.values():
                text, start, end = planted(dice.choice(notes), make(who, dice), dice)
                found[origin] += covered(text, start, end, cleaner.clean(text, who.known, 1, None).spans)
                all_[origin] += 1
    return found.total() / all_.total(), {origin: found[origin] / all_[origin] for origin in ORIGINS}


def test_known_identifiers_are_found_in_real_prose(carriers: list[str]) -> None:
    exact, _ = shares(carriers, EXACT, ("known", "dictionaries", "rules", "tagger"), 5)
    garbled, by_origin = shares(carriers, MUTATED, ("known", "dictionaries", "rules", "tagger"), 3)
    without, _ = shares(carriers, MUTATED, ("dictionaries", "rules"), 1)
    assert exact >= 0.999
    assert garbled >= 0.99
    assert max(by_origin.values()) - min(by_origin.values()) <= 0.03
    assert without < 0.8, "the control: without what is known, much is missed"


@pytest.mark.slow
def test_known_identifiers_of_ten_origins_differ_by_a_point_at_most(carriers: list[str]) -> None:
    exact, by_exact = shares(carriers, EXACT, ("known", "dictionaries", "rules", "tagger"), 100)
    garbled, by_origin = shares(carriers, MUTATED, ("known", "dictionaries", "rules", "tagger"), 60)
    print(exact, by_exact, garbled, by_origin)
    assert exact >= 0.999
    assert garbled >= 0.99
    for by in (by_exact, by_origin):
        assert max(by.values()) - min(by.values()) <= 0.01


def test_little_of_a_clean_note_is_taken(carriers: list[str]) -> None:
    """Notes whose few names are fictional: what is taken is mostly these names and dates."""
    cleaner, taken, words = Cleaner(KEY), Counter[str](), 0
    for note in carriers:
        words += len(note.split())
        for span in cleaner.clean(note, None, 1, None).spans:
            taken[span.category] += len(note[span.start : span.end].split())
    assert 1000 * taken.total() / words < 12
    assert 1000 * (taken["ID"] + taken["CONTACT"] + taken["AGE"]) / words < 0.5
