"""Dates are found in every layout and come back in the same one, moved."""

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vitrail.deid.text.dates import find_dates, read_date, shifted
from vitrail.deid.text.page import page

LAYOUTS = [
    "{m}/{d}/{y}",
    "{m:02d}/{d:02d}/{y}",
    "{y}-{m:02d}-{d:02d}",
    "{month} {d}, {y}",
    "{d} {short} {y}",
    "{d:02d}-{short}-{y}",
    "{y}{m:02d}{d:02d}",
    "{short} {d} {y}",
    "{m:02d}.{d:02d}.{y}",
    "{d}{th} of {month} {y}",
    "{month} {d}{th}, {y}",
]


def written(layout: str, day: date) -> str:
    th = "th" if 10 <= day.day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return layout.format(m=day.month, d=day.day, y=day.year, month=f"{day:%B}", short=f"{day:%b}", th=th)


@given(st.sampled_from(LAYOUTS), st.dates(date(1920, 1, 1), date(2030, 12, 31)), st.integers(-364, 364))
def test_a_date_in_any_layout_is_found_and_moves_in_it(layout: str, day: date, days: int) -> None:
    assume(day.month != 5 and (day + timedelta(days=days)).month != 5)  # nor May whether it is short
    assume(min(day.month, day.day) < 10)  # 10/11 does not tell whether it would write 09 or 9
    text = written(layout, day)
    sentence = f"Seen on {text} for cough."
    (span,) = find_dates(page(sentence))
    assert sentence[span.start : span.end] == text
    assert shifted(text, days) == written(layout, day + timedelta(days=days))


FOUND = [
    "March 5th",
    "the 4th of July",
    "on 5/3",
    "Aug 10, '23",
    "10/2020",
    "in March",
    "last December",
    "next Tuesday",
    "summer of 2019",
    "Thanksgiving",
    "Monday, March 5, 2023",
    "04MAR1952",
    "MARCH 4, 1952",
    "2023-01-05T10:22:00Z",
    "Sept. 5th 2020",
]
KEPT = [
    "120/80",
    "5/5 strength",
    "1/2 tablet",
    "2/6 systolic murmur",
    "in 2019",
    "7-10 days",
    "20 mg",
    "may need 5 mg",
    "marching 5 miles",
    "L4-L5",
    "pain 8/10",
    "in the fall",
    "temp 98.6",
    "a 5-0 suture",
    "1.5-2.0",
    "since 2015",
    "24/7",
]


@pytest.mark.parametrize("text", FOUND)
def test_dates_finer_than_a_year_are_found(text: str) -> None:
    assert list(find_dates(page(f"Patient was here {text} again.")))


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_date_stays(text: str) -> None:
    assert list(find_dates(page(f"Patient had {text} again."))) == []


def test_the_weekday_moves_with_its_date() -> None:
    assert shifted("Monday, March 5, 2018", 3) == "Thursday, March 8, 2018"
    assert shifted("Fri 3/4/22", 5) == "Wed 3/9/22"


def test_a_date_without_its_year_moves_in_a_common_year() -> None:
    assert shifted("March 5", 30) == "April 4"
    assert shifted("5/3", 10) == "5/13"


def test_what_cannot_be_read_does_not_move() -> None:
    assert shifted("Thanksgiving", 3) is None
    assert shifted("summer of 2019", 3) is None
    assert shifted("2/30/2020", 1) is None
    assert read_date("13/13/2020") is None
