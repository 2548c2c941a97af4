"""Surrogates keep kind, origin, gender and layout, and one person has the same in all notes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.deid.text.lexicon import ORIGINS, lexicon, names_of
from vitrail.deid.text.surrogates import DATE_MARK, Draw, surrogate

DRAW = Draw(b"k" * 32, "7")


def test_the_same_key_and_person_give_the_same_and_others_give_others() -> None:
    name = "Maria Gonzalez"
    assert surrogate(name, "NAME", DRAW, None) == surrogate(name, "NAME", Draw(b"k" * 32, "7"), None)
    others = {surrogate(name, "NAME", Draw(b"k" * 32, str(person)), None) for person in range(40)}
    keys = {surrogate(name, "NAME", Draw(bytes([key]) * 32, "7"), None) for key in range(40)}
    assert len(others) > 30
    assert len(keys) > 30


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("gender", ["f", "m"])
def test_origin_and_gender_stay(origin: str, gender: str) -> None:
    own = [name for name in names_of(f"{origin}:{gender}") if lexicon().given[name.lower()] == (f"{origin}:{gender}",)][
        :20
    ]
    for name in own:
        (last,) = [each for each in names_of(f"{origin}:s") if lexicon().surname[each.lower()] == (origin,)][:1]
        first, surname = surrogate(f"{name} {last}", "NAME", DRAW, None).split()
        assert f"{origin}:{gender}" in lexicon().given[first.lower()]
        assert origin in lexicon().surname[surname.lower()]


@given(st.sampled_from(["{f} {l}", "{l}, {f}", "Dr. {l}", "{f}", "{F} {L}", "{f} {i}. {l}", "{f}'s", "Mrs. {l}"]))
def test_the_form_of_a_name_stays(form: str) -> None:
    made = surrogate(form.format(f="Priya", l="Desai", F="PRIYA", L="DESAI", i="K"), "NAME", DRAW, None)
    pattern = (
        re.escape(form).replace(r"\{f\}", "[A-Z][a-z]+").replace(r"\{l\}", "[A-Z][a-z]+").replace(r"\{i\}", "[A-Z]")
    )
    assert re.fullmatch(pattern.replace(r"\{F\}", "[A-Z]+").replace(r"\{L\}", "[A-Z]+"), made)
    assert not {"priya", "desai"} & set(re.findall(r"[a-z]+", made.lower()))


def test_every_mention_of_a_person_agrees() -> None:
    draw = Draw(b"k" * 32, "7", ("robert", "smith"))
    first, last = surrogate("Robert Smith", "NAME", draw, None).split()
    assert surrogate("Mr. Smith", "NAME", draw, None) == f"Mr. {last}"
    assert surrogate("Bob", "NAME", draw, None) == first
    assert surrogate("Smiht", "NAME", draw, None) == last
    assert surrogate("R. Smith", "NAME", draw, None) == f"{first[0]}. {last}"
    assert surrogate("SMITH, ROBERT", "NAME", draw, None) == f"{last}, {first}".upper()


@given(st.from_regex(r"[A-Z]{0,3}-?[0-9]{4,9}", fullmatch=True))
def test_an_identifier_keeps_its_layout_and_no_digit(text: str) -> None:
    made = surrogate(text, "ID", DRAW, None)
    assert re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", made)) == re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", text))
    assert not any(old == new for old, new in zip(text, made, strict=True) if old.isdigit())


def test_a_phone_becomes_one_that_nobody_has() -> None:
    assert re.fullmatch(r"\(\d{3}\) 555-01\d\d", surrogate("(312) 867-5309", "CONTACT", DRAW, None))
    assert surrogate("a.b@c.com", "CONTACT", DRAW, None).endswith("@example.org")
    assert surrogate("10.1.2.3", "CONTACT", DRAW, None).startswith("192.0.2.")


def test_a_place_keeps_its_head_word() -> None:
    assert surrogate("Mercy Hospital", "LOCATION", DRAW, None).endswith(" Hospital")
    made = surrogate("123 Maple St, Springfield, IL 62704", "LOCATION", DRAW, None)
    assert re.match(r"\d{3} \w+ St", made)
    assert not {"Maple", "Springfield", "123", "62704"} & set(re.findall(r"\w+", made))


def test_a_date_moves_with_its_person_or_becomes_a_mark() -> None:
    assert surrogate("3/4/2020", "DATE", DRAW, 10) == "3/14/2020"
    assert surrogate("3/4/2020", "DATE", DRAW, None) == DATE_MARK
    assert surrogate("Christmas", "DATE", DRAW, 10) == DATE_MARK
    assert surrogate("92-year-old", "AGE", DRAW, 10) == "90 or older"
