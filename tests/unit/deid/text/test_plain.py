"""Text from RTF, HTML and XML, and text for matching: every character knows where it came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.deid.text.folding import folded
from vitrail.deid.text.plain import plain

SEEN = [
    (
        r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\info{\author Lee}}Seen by \b Ana\b0  Ruiz\par MRN 77}",
        "Seen by Ana Ruiz\nMRN 77",
    ),
    (r"{\rtf1 caf\'e9 \u8211? M\u252\'fcller}", "café – Müller"),
    ("<p>Jo<b>hn</b> &amp; Mary</p><!-- Smith --><script>var a='Smith'</script>", "\nJohn & Mary\n\n\n"),
    ("<?xml version='1.0'?><name><given>Ana</given><family>Ruiz</family></name>", "\n\n\nAna\n\nRuiz\n\n"),
    ("O&#39;Brien &lt;5 mg", "O'Brien <5 mg"),
    ("BP <120/80, WBC > 5 & rising", "BP <120/80, WBC > 5 & rising"),
]


@pytest.mark.parametrize(("given_text", "seen"), SEEN)
def test_what_a_reader_would_see(given_text: str, seen: str) -> None:
    assert plain(given_text).text == seen


@pytest.mark.parametrize(("given_text", "word"), [(SEEN[0][0], "Ana"), (SEEN[3][0], "Ruiz"), (SEEN[4][0], "Brien")])
def test_a_word_is_told_where_it_stood(given_text: str, word: str) -> None:
    made = plain(given_text)
    at = made.text.index(word)
    start, end = made.back(at, at + len(word))
    assert given_text[start:end] == word


def test_a_name_in_pieces_is_told_with_its_tags() -> None:
    text = "<p>Jo<b>hn</b></p>"
    made = plain(text)
    at = made.text.index("John")
    start, end = made.back(at, at + 4)
    assert text[start:end] == "Jo<b>hn"


@pytest.mark.parametrize(
    ("written", "matched"),
    [
        ("José Müller", "Jose Muller"),
        ("J\u200bo\u00adhn", "John"),
        ("\u0421\u043cith \u0410nn", "Cmith Ann"),
        ("\uff11\uff12\uff13", "123"),
        ("O\u2019Brien\u00a0x", "O'Brien x"),
        ("Jose\u0301", "Jose"),
        ("stra\u00dfe", "strasse"),
    ],
)
def test_accents_lookalikes_and_the_invisible_are_folded(written: str, matched: str) -> None:
    assert folded(written).text == matched


@given(st.text(max_size=200))
def test_the_map_leads_back_in_order_and_lower_case_keeps_places(text: str) -> None:
    made = folded(text)
    assert len(made.text.lower()) == len(made.text)
    ends = [made.back(at, at + 1) for at in range(len(made.text))]
    assert all(0 <= start < end <= len(text) for start, end in ends)
    assert ends == sorted(ends)


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</b>",
                "<!--",
                "-->",
                "&amp;",
                "&#",
                "{",
                "}",
                "\\",
                "\\par",
                "\\u-99999 ",
                "\\'",
                "x<y",
                "é",
                "\n",
            ]
        )
    )
)
def test_damaged_markup_is_read_to_its_end(pieces: list[str]) -> None:
    for text in ("".join(pieces), "{\\rtf1" + "".join(pieces), "<html>" + "".join(pieces)):
        made = plain(text)
        for at in range(len(made.text)):
            start, end = made.back(at, at + 1)
            assert 0 <= start < end <= len(text)
