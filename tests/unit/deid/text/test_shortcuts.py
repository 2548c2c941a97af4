"""What is passed over for speed holds nothing: each short cut beside the plain definition that it stands for."""

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.deid.text import codes, dates, known_numbers
from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.known import _ALONE, _LETTERS
from vitrail.deid.text.page import _ASCII_WORD, _WORD, page
from vitrail.deid.text.spans import Known
from vitrail.deid.text.tagger import REACH, ROWS, Tagger, features, keys, shipped_tagger

LETTERS = st.text("abijlmnorsz|0123456789 .,-/()+:\n", max_size=60)


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_words_of_ascii_are_cut_as_all_words_are(text: str) -> None:
    assert _ASCII_WORD.split(text) == _WORD.split(text)


@given(st.text(max_size=80))
def test_every_word_stands_where_it_is_said_to(text: str) -> None:
    sight = page(text)
    assert [match.start() for match in _WORD.finditer(text)] == sight.starts
    assert [match.group() for match in _WORD.finditer(text)] == sight.raw


@settings(max_examples=300)
@given(LETTERS)
def test_numbers_in_groups_are_those_that_the_whole_text_has(text: str) -> None:
    every = {each.span() for each in known_numbers._NUMBER.finditer(text) if sum(map(str.isdigit, each[0])) > 3}
    assert every <= {each.span() for each in known_numbers._grouped(text)}


@settings(max_examples=300)
@given(LETTERS)
def test_letters_read_as_digits_are_those_of_words_with_a_digit(text: str) -> None:
    def read(match: re.Match[str]) -> str:
        return match[0] if match[0].isdigit() else match[0].translate(known_numbers.MISREAD_DIGITS)

    digital = re.compile(r"(?<![a-z0-9|/.\-])[a-z|/.\-]{0,10}\d[a-z\d|/.\-]{0,20}")
    assert known_numbers._digits_read(text) == digital.sub(read, text)


@given(LETTERS)
def test_spelled_names_have_letters_alone(text: str) -> None:
    assert _ALONE.search(text) or not _LETTERS.search(text)


BY_DIGIT = [dates._NUMERIC, dates._DAY_MONTH, dates._SPACED, dates._COMPACT, dates._COMPACT_US, dates._MONTH_YEAR,
            dates._YEAR_MONTH, dates._PARTIAL, *known_numbers._BY_NUMBER]  # fmt: skip


@pytest.mark.parametrize("pattern", BY_DIGIT, ids=range(len(BY_DIGIT)))
@settings(max_examples=40)
@given(st.data())
def test_no_date_begins_otherwise(pattern: re.Pattern[str], data: st.DataObject) -> None:
    written = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII), fullmatch=True))
    assert dates.LIKE_A_DATE.match(written.lstrip("'"))


SEVERAL = [*(pattern for pattern, _ in codes._NUMBERS), codes._GROUPS, codes._RUN]


@pytest.mark.parametrize("pattern", SEVERAL, ids=range(len(SEVERAL)))
@settings(max_examples=40)
@given(st.data())
def test_no_number_of_several_groups_begins_otherwise(pattern: re.Pattern[str], data: st.DataObject) -> None:
    written = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII), fullmatch=True))
    assert written[0] not in "0123456789" or codes._SEVERAL.match(written)


@pytest.mark.parametrize("pattern", [codes._STRONG, codes._CALL], ids=["identifier", "contact"])
@settings(max_examples=25)
@given(st.data())
def test_what_is_announced_has_its_digits_near(pattern: re.Pattern[str], data: st.DataObject) -> None:
    written = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII), fullmatch=True))
    digit = re.search(r"\d", written)
    assert digit is None or digit.start() < codes.FARTHEST
    assert page(written).digits_within(0, codes.FARTHEST) == (digit is not None)


@pytest.mark.parametrize("count", [1, 2, ROWS - 1, ROWS, ROWS + 1, 5000])
def test_scores_are_those_of_the_plain_formula(count: int) -> None:
    """Window by window, without groups: Collobert et al. 2011, section 3.3.1."""
    sight, weights = page(" ".join(f"word{at % 700}\n" for at in range(count))), shipped_tagger().weights
    vectors = [weights.words[features(key)].sum(axis=0) for key in keys(sight)]
    nothing = [np.zeros_like(vectors[0])] * REACH
    around = [*nothing, *vectors, *nothing]
    windows = np.array([np.concatenate(around[at : at + 2 * REACH + 1]) for at in range(count)], np.float64)
    plain = np.maximum(windows @ weights.inner + weights.inner_bias, 0) @ weights.outer + weights.outer_bias
    fresh = Tagger(weights)
    for _ in ("words never met", "words met before"):
        assert np.allclose(fresh.scores(sight), plain, atol=1e-3)


def test_a_note_takes_one_thread() -> None:
    """Threads that OpenBLAS starts for a small product cost more than they save, and every core has its worker.

    In a process of its own: elsewhere threads of an earlier test may still spin.
    """
    measured = """
import time
from vitrail.deid.text.clean import Cleaner
cleaner, text = Cleaner(b"k" * 32), "Seen by Dr. Maria Ruiz in Boston on 3/4/2020 for a cough. " * 60
cleaner.clean(text, None, 1, None)
all_threads, this_thread = time.process_time(), time.thread_time()
for _ in range(5):
    cleaner.clean(text, None, 1, None)
print((time.process_time() - all_threads) / (time.thread_time() - this_thread))
"""
    said = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True, timeout=120)
    assert float(said.stdout) < 1.2


@pytest.mark.parametrize("zero", ["\u0660", "\u06f0", "\u0966", "\uff10"])
def test_a_number_in_the_digits_of_another_script_is_found(zero: str) -> None:
    said = "".join(chr(ord(zero) + int(digit)) for digit in "4471902")
    cleaned = Cleaner(b"k" * 32, levers=("known",)).clean(
        f"His number {said} is on file.", Known(ids=("4471902",)), 1, 3
    )
    assert [(span.start, span.end, span.category) for span in cleaned.spans] == [(11, 18, "ID")]
