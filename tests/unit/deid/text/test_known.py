"""What is known of a person is found however it is written, and little else is."""

from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.planted import EXACT, MUTATED, covered, person, planted
from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.known import FUNCTION_WORDS
from vitrail.deid.text.lexicon import ORIGINS
from vitrail.deid.text.slips import alike, by_forms, off_by_one
from vitrail.deid.text.spans import Known

CARRIER = (
    "He reports that the pain in the left knee began three weeks ago after a fall. On exam there is mild swelling. "
    "Range of motion is full. We will continue ibuprofen 400 mg as needed and see him again in two weeks. "
)


def distance(first: str, second: str) -> int:
    """Optimal string alignment distance, by its definition."""
    table = {(at, 0): at for at in range(len(first) + 1)} | {(0, at): at for at in range(len(second) + 1)}
    for i, j in product(range(1, len(first) + 1), range(1, len(second) + 1)):
        table[i, j] = min(
            table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (first[i - 1] != second[j - 1])
        )
        if i > 1 and j > 1 and first[i - 2 : i] == second[j - 2 : j][::-1]:
            table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(first), len(second)]


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_off_by_one_is_a_distance_of_at_most_one(first: str, second: str) -> None:
    assert off_by_one(first, second) == (distance(first, second) <= 1)


@given(st.text("abc", min_size=1, max_size=6), st.lists(st.text("abc", min_size=1, max_size=6), max_size=5))
def test_looking_forms_up_finds_what_comparing_with_each_finds(word: str, others: list[str]) -> None:
    found = {other for other, _ in alike(word, by_forms([(other, "NAME") for other in others]))}
    assert found == {other for other in others if off_by_one(word, other)}


@given(st.sampled_from(ORIGINS), st.sampled_from(sorted(EXACT)), st.randoms(use_true_random=False))
def test_an_identifier_as_it_is_on_record_is_found(origin: str, kind: str, dice: object) -> None:
    who = person(origin, dice)  # type: ignore[arg-type]
    mention = EXACT[kind](who, dice)  # type: ignore[arg-type]
    assume(mention.lower() not in FUNCTION_WORDS)  # 'To' at the beginning of a sentence may be anything
    text, start, end = planted(CARRIER, mention, dice)  # type: ignore[arg-type]
    assert covered(text, start, end, Cleaner(bytes(32)).clean(text, who.known, 1, None).spans)


def test_garbled_identifiers_are_found() -> None:
    """Each way to garble, for each origin; the shares over many are measured in tests/reference."""
    import random

    dice = random.Random(3)
    missed = []
    for origin in ORIGINS:
        who = person(origin, dice)
        for kind, make in MUTATED.items():
            text, start, end = planted(CARRIER, make(who, dice), dice)
            if not covered(text, start, end, Cleaner(bytes(32)).clean(text, who.known, 1, None).spans):
                missed.append(kind)
    assert len(missed) <= 3, missed


def test_names_that_are_words_do_not_take_the_words() -> None:
    known = Known(names=("Will Brown", "May Long", "Rose White"))
    text = (
        "He will take it in may. No long walks. White count is normal and the skin is brown. Sputum rose to two cups."
    )
    spans = Cleaner(bytes(32), levers=("known",)).clean(text, known, 1, None).spans
    assert [text[each.start : each.end] for each in spans] in ([], ["White"])
    assert Cleaner(bytes(32), levers=("known",)).clean("We saw Will Brown.", known, 1, None).spans


def test_what_is_known_of_nobody_finds_nothing() -> None:
    assert Cleaner(bytes(32), levers=("known",)).clean(CARRIER, Known(), 1, None).spans == ()
    odd = Known(names=("", "--", "Dr."), dates=("", "soon"), ids=("", "7"), phones=("",), addresses=("", "the"))
    assert Cleaner(bytes(32), levers=("known",)).clean(CARRIER, odd, 1, None).spans == ()


def test_a_name_with_digits_in_it_is_found() -> None:
    """As the makers of test patients write them; a name that had not been found would be held back with its note."""
    text = "History of Present Illness\nDonetta1 Ondricka197\n is a 58 year-old. then Ondricka197 was seen."
    known = Known(names=("Donetta1", "Ondricka197"))
    found = Cleaner(bytes(32)).clean(text, known, 1, 7)
    assert [text[span.start : span.end] for span in found.spans] == ["Donetta1 Ondricka197", "Ondricka197"]
    assert "197" not in found.text
    assert found.quarantine is None
