"""Attacks on cleaned notes: identifiers garbled, hidden or split so that a search passes them by.

Each attack succeeds with the lever off that answers it: without that, it would show nothing.
"""

import random
import re
import time
import unicodedata

import pytest

from tests.planted import EXACT, MUTATED, covered, person, planted
from vitrail.deid.text.clean import LONGEST, TOO_LONG, Cleaner
from vitrail.deid.text.folding import Mapped
from vitrail.deid.text.known import matcher
from vitrail.deid.text.spans import Known

KEY = b"k" * 32
NOTE = (
    "He reports that the pain in the left knee began three weeks ago after a fall. On exam there is mild swelling "
    "and no warmth. Range of motion is full. We will continue ibuprofen as needed and see him again in two weeks."
)
OTHERS = ("dictionaries", "rules", "tagger")


def missed(levers: tuple[str, ...], kinds: list[str], times: int = 12) -> dict[str, int]:
    """How often each kind of mention gets by, over people of many origins."""
    dice = random.Random(11)
    cleaner = Cleaner(KEY, levers=levers)
    out = dict.fromkeys(kinds, 0)
    for at in range(times):
        who = person(("anglo", "hispanic", "indian", "slavic", "african", "greek")[at % 6], dice)
        for kind in kinds:
            text, start, end = planted(NOTE, {**EXACT, **MUTATED}[kind](who, dice), dice)
            out[kind] += not covered(text, start, end, cleaner.clean(text, who.known, 1, 7).spans)
    return out


@pytest.mark.parametrize("kind", ["one edit", "OCR", "broken", "lower case", "run together"])
def test_a_garbled_name_does_not_get_by(kind: str) -> None:
    assert missed(("known", *OTHERS), [kind])[kind] == 0
    assert missed(("dictionaries", "rules"), [kind])[kind] > 0, "the control finds no leak, so the attack shows nothing"


@pytest.mark.parametrize("kind", ["look-alikes", "invisible", "accents"])
def test_letters_that_only_look_the_same_do_not_hide_a_name(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missed(("known",), [kind])[kind] == 0
    monkeypatch.setattr("vitrail.deid.text.clean.folded", lambda text: Mapped(text))
    assert missed(("known",), [kind])[kind] > 6


def test_a_nickname_does_not_hide_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missed(("known",), ["nickname"])["nickname"] == 0
    monkeypatch.setattr("vitrail.deid.text.known._with_nicknames", lambda parts, words: parts)
    monkeypatch.setattr("vitrail.deid.text.clean._matcher", matcher)
    assert missed(("known",), ["nickname"], 60)["nickname"] > 3


NUMBERS = ["record number in groups", "record number misread", "phone bare", "street in capitals"]


def test_numbers_in_another_layout_do_not_get_by() -> None:
    assert sum(missed(("known", *OTHERS), NUMBERS).values()) == 0
    assert sum(missed((), NUMBERS).values()) == 12 * len(NUMBERS)


UNKNOWN = [
    "Dr. Oyelaran saw her at Quillhaven Hospital on 3/4/2020.",
    "MRN: 4471902. Call 312-555-0199. Her son Tadeusz lives at 12 Wexham Street.",
    "Electronically signed by Ifeoma Adeyemi, MD, 03/04/2020",
]
SECRETS = [
    "Oyelaran",
    "Quillhaven",
    "3/4/2020",
    "4471902",
    "312-555-0199",
    "Tadeusz",
    "Wexham",
    "Adeyemi",
    "03/04/2020",
]


def leaks(texts: list[str], levers: tuple[str, ...]) -> list[str]:
    cleaner = Cleaner(KEY, levers=levers)
    out = " ".join(cleaner.clean(text, None, 1, 9).text for text in texts)
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", out) if not unicodedata.combining(each) and each != "\u200b"
    )
    return [secret for secret in SECRETS if secret.lower() in plain.lower()]


WRAPPED = {
    "RTF": lambda text: r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 " + text + r"\par}",
    "RTF escapes": lambda text: (
        r"{\rtf1 " + "".join(rf"\u{ord(each)}?" if each.isalnum() else each for each in text) + "}"
    ),
    "HTML": lambda text: f"<html><body><p>{text}</p></body></html>",
    "HTML tags in words": lambda text: "<p>" + re.sub(r"(\w\w)(\w+)", r"\1<b>\2</b>", text) + "</p>",
    "HTML entities": lambda text: "<p>" + "".join(f"&#{ord(each)};" for each in text) + "</p>",
    "XML": lambda text: f"<?xml version='1.0'?><section><text>{text}</text></section>",
    "invisible": lambda text: re.sub(r"(\w)(\w)", "\\1\u200b\\2", text),
    "wide digits": lambda text: text.translate({48 + at: 0xFF10 + at for at in range(10)}),
    "spaces": lambda text: text.replace(" ", "\u00a0"),
    "capitals": str.upper,
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_a_format_hides_nothing(wrap: str) -> None:
    texts = [WRAPPED[wrap](text) for text in UNKNOWN]
    assert leaks(texts, ("known", *OTHERS)) == []


def test_the_control_without_levers_leaks_all() -> None:
    assert leaks(UNKNOWN, ()) == SECRETS
    assert leaks([WRAPPED["HTML entities"](text) for text in UNKNOWN], ()) == SECRETS


def test_what_every_lever_misses_is_quarantined() -> None:
    """The second look is another method: with all levers off, it still stops what is known."""
    dice = random.Random(4)
    for origin in ("anglo", "greek", "african", "slavic"):
        who = person(origin, dice)
        for kind in ("full name", "capitals", "invisible", "broken", "record number in groups", "phone in dots"):
            text, _, _ = planted(NOTE, {**EXACT, **MUTATED}[kind](who, dice), dice)
            assert Cleaner(KEY, levers=()).clean(text, who.known, 1, 7).quarantine, kind
    assert Cleaner(KEY, levers=()).clean(NOTE, who.known, 1, 7).quarantine is None


def test_surrogates_do_not_tell_what_they_replaced_without_the_key() -> None:
    """Who cleans the same name with other keys does not come upon the same surrogate."""
    cleaned = Cleaner(KEY).clean("We saw Robert Hargreaves.", Known(names=("Robert Hargreaves",)), 1, None).text
    guesses = {
        other: Cleaner(other).clean("We saw Robert Hargreaves.", Known(names=("Robert Hargreaves",)), 1, None).text
        for other in (bytes([at]) * 32 for at in range(50))
    }
    assert cleaned not in guesses.values()
    assert Cleaner(KEY).clean("We saw Robert Hargreaves.", Known(names=("Robert Hargreaves",)), 1, None).text == cleaned


@pytest.mark.parametrize(
    "unit",
    ["a", "1", " ", "\n", "(", "<", "<!--", "&", "1-", "A. ", "Aa ", "@", "a@", "a.", "mrn ", "Dr. ", "St. ", "call ",
     "S. M. ", "1 Oak Street, ", "\u200b", "jo-\n", "Mercy of ", "jan 1 ", "http://", "{\\rtf1", "{\\rtf1 {",
     "<p><b>", "&#x41;", "e\u0301\u0316", "j", "l0l0 ", "12345678 ", "3/4/1952 "],
)  # fmt: skip
def test_a_hostile_note_costs_no_more_than_its_length(unit: str) -> None:
    """Four times the text takes about four times the work: nothing is searched again and again."""
    known = Known(("John Smith",), ("1952-03-04",), ("12345678",), ("312-555-9876",), ("12 Oak Street, Maplewood",))
    times = []
    for size in (4_000, 16_000):
        text = (unit * size)[:size]
        times.append(min(_seconds(text, known) for _ in range(2)))
    assert times[1] < 9 * times[0] + 0.1


def _seconds(text: str, known: Known) -> float:
    before = time.process_time()
    Cleaner(KEY).clean(text, known, 1, 3)
    return time.process_time() - before


def test_a_note_that_is_too_long_is_withheld_unread() -> None:
    cleaned = Cleaner(KEY).clean("a" * (LONGEST + 1), None, 1, 3)
    assert (cleaned.text, cleaned.spans, cleaned.quarantine) == ("", (), TOO_LONG)
    assert Cleaner(KEY, levers=()).clean(" " * LONGEST, None, 1, 3).quarantine is None
