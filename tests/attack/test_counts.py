"""Attacks on counts. Each succeeds with the defence off, so that its failure with it on means something."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.releases import UNROUNDED, cells, people, released, table
from vitrail.disclosure import attrition, gate, moments, rates
from vitrail.disclosure.attacks import Knowledge, Name, Range, knowledge, people_by_value
from vitrail.disclosure.gate import Rule
from vitrail.disclosure.partitions import Decision, Partition, decide
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.disclosure.result import Raw, RawAttrition, RawCount, RawMoments, RawRate, RawTable
from vitrail.errors import Refusal
from vitrail.study.release import SUPPRESSED, Cell, CountTable


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The defence off: small counts are suppressed and the others rounded, each by itself."""

    def withheld(partitions: list[Partition], policy: Policy) -> Decision:
        persons = decide(partitions, PUBLIC_DATA).persons
        return Decision(frozenset(key for key, each in persons.items() if 1 <= each < policy.threshold), persons)

    monkeypatch.setattr(gate, "decide", withheld)
    return monkeypatch


def finds(known: Knowledge, name: Name) -> bool:
    """Whether the attacker learns that a count is one of 1 to 10, or which one it is."""
    reached = known.ranges([name])[name]
    return reached.within(1, 10) or reached.low == reached.high


def whole(persons: int, cohort: str = "cohort") -> RawAttrition:
    return RawAttrition(cohort, (("all", persons),))


def number(values: list[int], missing: int = 0) -> RawMoments:
    """A number that so many people have, one value each."""
    numbers = np.array(values, dtype=float)
    _, having = np.unique(numbers, return_counts=True)
    away = np.abs(numbers - numbers.mean())
    return RawMoments(
        name="number",
        of="cohort",
        present=people(len(values)),
        missing=people(missing),
        mean=float(numbers.mean()),
        sd=float(numbers.std(ddof=1)),
        largest_share=float(away.max() / away.sum()) if away.sum() else 0.0,
        minority=len(values) - int(having.max()),
        distinct=len(having),
        rarest=int(having.min()),
    )


def cell(table_name: str, label: str, of: str = "cohort") -> Name:
    return ("cell", of, "persons", table_name, label)


# A small cell is read off.


def test_a_small_cell_is_read_where_the_data_are_public() -> None:
    assert cells(released(table("sex", 5, 995), policy=PUBLIC_DATA).estimates[0]) == [5, 995]


@pytest.mark.parametrize("small", range(1, 13))
def test_a_small_cell_is_suppressed_and_is_never_zero(small: int) -> None:
    printed = cells(released(table("kind", small, 500, 600)).estimates[0])
    assert printed == [SUPPRESSED, SUPPRESSED, 600]


def test_a_cell_of_thirteen_prints_as_fifteen() -> None:
    assert cells(released(table("kind", 13, 500, 600)).estimates[0]) == [15, 500, 600]


# A suppressed cell is derived from the margin.


@pytest.mark.usefixtures("one_by_one")
def test_the_margin_gives_away_a_lone_suppressed_cell() -> None:
    release = released(whole(1000), table("sex", 5, 995), policy=UNROUNDED)
    assert finds(knowledge([release], 1), cell("sex", "a"))


@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED])
def test_the_margin_gives_nothing_away(policy: Policy) -> None:
    release = released(whole(1000), table("sex", 5, 995), table("kind", 4, 6, 490, 500), policy=policy)
    known = knowledge([release], policy.rounding)
    for name in (cell("sex", "a"), cell("kind", "a"), cell("kind", "b")):
        assert not finds(known, name)
        assert known.ranges([name])[name].high >= 13


# Rounded margins of many tables pin the total, and with it the cell of another table.

OTHERS = (table("all rounded up", 203, 203, 203, 203, 188), table("all rounded down", 202, 202, 202, 202, 192))


@pytest.mark.usefixtures("one_by_one")
def test_margins_of_other_tables_give_away_a_suppressed_cell_in_spite_of_rounding() -> None:
    release = released(*OTHERS, table("sex", 5, 995))
    assert finds(knowledge([release], 5), cell("sex", "a"))


def test_margins_of_other_tables_give_nothing_away() -> None:
    release = released(*OTHERS, table("sex", 5, 995))
    assert not finds(knowledge([release], 5), cell("sex", "a"))


# The same small cell is padded by many others, and each padded total is printed rounded.

PADS = tuple(100 + each for each in range(20))


def test_twenty_padded_totals_give_away_the_cell_where_totals_are_rounded_by_themselves() -> None:
    """A gate that printed each table's true total, rounded: the residues of twenty of them pin the cell."""
    known = Knowledge(5)
    for pad in PADS:
        padded = known.count(("total", pad), DEFAULT.rounded(7 + pad))
        known.bounds["pad", pad] = (pad, pad)  # who pads knows by how many
        known.adds_up(padded, ("small",), ("pad", pad))
    assert known.ranges([("small",)])[("small",)].within(7, 7)


def test_twenty_padded_totals_give_nothing_away() -> None:
    """A total is the sum of the cells as printed, and suppressed where one of them is."""
    padded = [table(f"padded by {pad}", 7, pad, of=f"cohort {pad}") for pad in PADS]
    release = released(*padded)
    for each in release.estimates:
        assert isinstance(each, CountTable)
        assert each.total == SUPPRESSED
    known = Knowledge(5)
    for pad, each in zip(PADS, release.estimates, strict=True):
        assert isinstance(each, CountTable)
        known.bounds["pad", pad] = (pad, pad)
        known.adds_up(known.count(("total", pad), each.total), ("small",), ("pad", pad))
    assert not known.ranges([("small",)])[("small",)].within(0, 10_000)


# Twenty pairs of cohorts differ by the same few people.

PAIRS = tuple(whole(300 + 37 * each + extra, f"{each} {extra}") for each in range(20) for extra in (0, 7))


def few(known: Knowledge) -> Knowledge:
    for each in range(20):
        known.adds_up(("cohort", f"{each} 7", "persons"), ("cohort", f"{each} 0", "persons"), ("few",))
    return known


@pytest.mark.usefixtures("one_by_one")
def test_twenty_padded_pairs_of_cohorts_give_away_their_difference_in_spite_of_rounding() -> None:
    assert finds(few(knowledge([released(*PAIRS)], 5)), ("few",))


@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED])
def test_twenty_padded_pairs_of_cohorts_give_nothing_away(policy: Policy) -> None:
    assert not finds(few(knowledge([released(*PAIRS, policy=policy)], policy.rounding)), ("few",))


# An attrition's steps differ by few people.

STEPS = RawAttrition("cohort", (("entered", 1000), ("adults", 995), ("with a laboratory value", 600)))
MINORS: Name = ("rest", "step", "cohort", "entered", "less", "step", "cohort", "adults")


def test_a_difference_of_steps_gives_away_who_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attrition, "_shown", lambda raw, *_: set(range(len(raw.steps))))
    assert finds(knowledge([released(STEPS)], 5), MINORS)


def test_a_step_that_leaves_out_few_is_merged_into_the_next() -> None:
    (estimate,) = released(STEPS).estimates
    assert estimate.steps == (Cell(label="adults", count=995), Cell(label="with a laboratory value", count=600))
    assert estimate.merged == (("entered",), ())


# Two cohorts differ by few people at a step, though their totals are far apart.

ADULTS = RawAttrition("first", (("entered", 1000), ("adults", 500), ("with a laboratory value", 400)))
INSURED = RawAttrition("second", (("entered", 1000), ("insured adults", 497), ("with a visit", 300)))
FOLLOWED = RawAttrition("third", (("insured adults", 497),))
UNINSURED: Name = ("rest", "step", "first", "adults", "less", "step", "second", "insured adults")


def uninsured(second: RawAttrition, policy: Policy) -> Knowledge:
    known = knowledge([released(ADULTS, second, policy=policy)], policy.rounding)
    known.contains(("step", "first", "adults"), ("step", second.cohort, "insured adults"))
    return known


def name_of(second: RawAttrition) -> Name:
    return tuple(second.cohort if each == "second" else each for each in UNINSURED)


@pytest.mark.parametrize("second", [INSURED, FOLLOWED], ids=["step", "total"])
@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_steps_of_two_cohorts_give_away_their_difference(
    second: RawAttrition, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attrition, "_apart", lambda *_: True)
    assert finds(uninsured(second, policy), name_of(second))


@pytest.mark.parametrize("second", [INSURED, FOLLOWED], ids=["step", "total"])
@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_steps_of_two_cohorts_give_nothing_away(second: RawAttrition, policy: Policy) -> None:
    assert not finds(uninsured(second, policy), name_of(second))


def test_of_two_steps_that_differ_by_few_one_is_shown_and_no_total_is_lost() -> None:
    first, second = released(ADULTS, INSURED).estimates
    assert [each.count for each in first.steps] == [1000, 500, 400]
    assert [each.count for each in second.steps] == [1000, 300]
    assert second.merged == ((), ("insured adults",))
    first, total = released(ADULTS, FOLLOWED).estimates
    assert [each.count for each in first.steps] == [1000, 400]
    assert [each.count for each in total.steps] == [495]


# All of a few people go on to the next step, or none.

ALL_GO_ON = RawAttrition("cohort", (("entered", 500), ("with the condition", 20), ("treated", 20)))
NONE_GOES_ON = RawAttrition("cohort", (("entered", 500), ("with the condition", 20), ("treated", 0)))
TREATED = ("step", "cohort", "treated")
UNTREATED: Name = ("rest", "step", "cohort", "with the condition", "less", *TREATED)


def test_that_all_of_a_few_go_on_is_told_where_no_minimum_is_set() -> None:
    policy = UNROUNDED.model_copy(update={"class_minimum": 0})
    known = knowledge([released(ALL_GO_ON, policy=policy)], 1)
    assert known.ranges([UNTREATED])[UNTREATED] == Range(0, 0)
    known = knowledge([released(NONE_GOES_ON, policy=policy)], 1)
    assert known.ranges([TREATED])[TREATED] == Range(0, 0)
    assert ("step", "cohort", "with the condition") in known.bounds


@pytest.mark.parametrize(("raw", "last"), [(ALL_GO_ON, 20), (NONE_GOES_ON, 0)])
def test_that_all_or_none_of_a_few_go_on_is_not_told(raw: RawAttrition, last: int) -> None:
    (estimate,) = released(raw).estimates
    assert estimate.steps == (Cell(label="entered", count=500), Cell(label="treated", count=last))
    assert estimate.merged == ((), ("with the condition",))


def test_that_all_go_on_is_told_of_many() -> None:
    (estimate,) = released(RawAttrition("cohort", (("entered", 500), ("adults", 100), ("treated", 100)))).estimates
    assert [each.count for each in estimate.steps] == [500, 100, 100]


# People at risk are nearly the cohort; events are nearly the people at risk.


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("of", ["cohort", ""])
def test_people_at_risk_give_away_who_is_not(of: str) -> None:
    release = released(whole(1000), RawRate("ckd", 995, 300, 10**6, of))
    known = knowledge([release], 5, {"ckd": "cohort"})
    assert finds(known, ("rest", "cohort", "cohort", "persons", "less", "at risk", "ckd"))


@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
@pytest.mark.parametrize("of", ["cohort", ""])
@pytest.mark.parametrize(("at_risk", "events"), [(995, 300), (995, 985), (700, 695), (995, 995), (20, 15), (700, 5)])
def test_people_at_risk_and_events_give_nobody_away(policy: Policy, of: str, at_risk: int, events: int) -> None:
    release = released(whole(1000), RawRate("ckd", at_risk, events, 10**6, of), policy=policy)
    known = knowledge([release], policy.rounding, {"ckd": "cohort"})
    true: dict[Name, int] = {
        ("rest", "cohort", "cohort", "persons", "less", "at risk", "ckd"): 1000 - at_risk,
        ("rest", "at risk", "ckd", "less", "events", "ckd"): at_risk - events,
        ("rest", "cohort", "cohort", "persons", "less", "events", "ckd"): 1000 - events,
        ("events", "ckd"): events,
    }
    small = [name for name, count in true.items() if 1 <= count <= 10]
    assert small
    assert not any(finds(known, name) for name in small)


def test_person_years_are_suppressed_with_the_events() -> None:
    """100 people followed for a year each and 96 person-years would be about eight events halfway."""
    (_, rate) = released(whole(1000), RawRate("ckd", 100, 8, 35_040, "cohort")).estimates
    assert (rate.persons, rate.events, rate.person_years, rate.rate) == (100, *[SUPPRESSED] * 3)


# Where all are followed for a year, person-years count the people, printed or not.


def not_at_risk() -> tuple[int | str, float | str]:
    """What is printed of the people at risk, and of their time: 995 of 1000, of whom 300 have an event at the end."""
    (_, rate) = released(whole(1000), RawRate("ckd", 995, 300, round(995 * 365.25), "cohort")).estimates
    return rate.persons, rate.person_years


def test_person_years_give_away_the_few_who_are_not_at_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_time_is_safe", lambda place, bundle: bundle.known(rates.with_event(place)))
    assert not_at_risk() == (SUPPRESSED, 995.0)


def test_person_years_are_suppressed_with_the_people_at_risk() -> None:
    assert not_at_risk() == (SUPPRESSED, SUPPRESSED)


# What is true of a whole small group is told of each of its members.


@pytest.mark.parametrize("counts", [(0, 60), (60, 0), (0, 30, 30)])
def test_nobody_and_everybody_are_told_only_of_large_groups(counts: tuple[int, ...]) -> None:
    small = cells(released(whole(60), table("died", *counts)).estimates[1])
    assert [each for each, true in zip(small, counts, strict=True) if true == 0] == [SUPPRESSED]
    assert small.count(SUPPRESSED) >= 2
    large = cells(released(table("died", *(10 * each for each in counts))).estimates[0])
    assert large == [10 * each for each in counts]
    assert cells(released(table("died", *counts), policy=PUBLIC_DATA).estimates[0]) == list(counts)


def test_everybody_having_the_same_value_is_told_only_of_large_groups() -> None:
    assert released(number(60 * [4])).estimates[0].mean == SUPPRESSED
    assert released(number(100 * [4])).estimates[0].mean == 4.0


# A mean of zeros and ones is a count; of a number with three values, mean and standard deviation are two.

FEW_ONES = (*[(n - c) * [0] + c * [1] for n, c in ((150, 5), (150, 10), (1000, 10), (60, 8))],)
FEW_OF_SOME = (*FEW_ONES, 75 * [0] + 70 * [1] + 5 * [2], 10 * [0] + 400 * [1], 100 * [0] + 100 * [1] + 6 * [4])


def by_value(values: list[int], policy: Policy) -> list[tuple[int, Range]]:
    """For each value of a number how many truly have it, and how many an attacker finds."""
    (estimate,) = released(number(values), policy=policy).estimates
    different = sorted(set(values))
    found = people_by_value(estimate, different, policy.rounding, 3)
    return [(values.count(value), reached) for value, reached in zip(different, found, strict=True)]


@pytest.mark.parametrize("values", FEW_OF_SOME)
@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_moments_give_away_the_few_with_another_value(
    values: list[int], policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "_tell_of_many", lambda *_: True)
    assert any(reached.within(1, 10) for true, reached in by_value(values, policy) if 1 <= true <= 10)


@pytest.mark.parametrize("values", FEW_OF_SOME)
@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_moments_tell_nothing_of_the_few_with_another_value(values: list[int], policy: Policy) -> None:
    assert not any(reached.within(0, 12) for _, reached in by_value(values, policy))


@pytest.mark.parametrize("others", [range(1, 7), range(1, 13)])
def test_moments_tell_nothing_where_nearly_all_have_one_value(others: range) -> None:
    raw = number([*150 * [0], *others])
    assert released(raw).estimates[0].mean == SUPPRESSED
    assert released(number([*150 * [0], *range(1, 14)])).estimates[0].mean == 0.56


def test_moments_of_which_it_is_unknown_how_many_differ_are_suppressed() -> None:
    raw = RawMoments("age", "cohort", people(500), people(0), 60.0, 9.0, 0.01)
    assert released(raw).estimates[0].mean == SUPPRESSED


def test_moments_of_zeros_and_ones_are_told_where_enough_have_either() -> None:
    (estimate,) = released(number(137 * [0] + 13 * [1])).estimates
    assert estimate.mean == 0.087


def test_a_mean_is_not_told_where_one_person_dominates_it() -> None:
    raw = RawMoments("cost", "cohort", people(50), people(50), 900.0, 4000.0, 0.6, 40, 40, 1)
    assert released(raw).estimates[0].mean == SUPPRESSED
    assert released(raw, policy=PUBLIC_DATA).estimates[0].mean == 900.0


# Index dates of few people look like many.


def test_many_index_dates_of_few_people_are_a_small_cell() -> None:
    raw = RawTable("visits", "cohort", "index dates", (("clinic", RawCount(300, 900)), ("home", RawCount(3, 200))))
    assert cells(released(raw).estimates[0]) == [SUPPRESSED, SUPPRESSED]
    assert cells(released(raw, policy=PUBLIC_DATA).estimates[0]) == [900, 200]


# Something that no rule knows.


@dataclass(frozen=True)
class RawRanks(Raw):
    family = "ranks"
    values: tuple[float, ...]


@dataclass(frozen=True)
class Disguised(RawTable):
    """A table by inheritance, with more in it."""

    values: tuple[float, ...] = ()


@pytest.mark.parametrize("policy", [DEFAULT, PUBLIC_DATA])
@pytest.mark.parametrize("raw", [RawRanks((61.5,)), Disguised("x", "cohort", "persons", (("a", people(100)),))])
def test_an_unknown_family_is_refused(raw: Raw, policy: Policy) -> None:
    with pytest.raises(Refusal) as refusal:
        released(table("sex", 500, 500), raw, policy=policy)
    assert refusal.value.code == "disclosure"
    assert "61" not in str(refusal.value)


def test_an_unknown_family_leaves_where_a_rule_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def let(_: int, raw: RawRanks, __: object) -> CountTable:
        return CountTable(name=str(raw.values), of="x", unit="persons", cells=(), total=0)

    monkeypatch.setitem(gate.RULES, RawRanks, Rule(lambda *_: [], let))  # type: ignore[misc]
    assert "61.5" in released(RawRanks((61.5,))).model_dump_json()
