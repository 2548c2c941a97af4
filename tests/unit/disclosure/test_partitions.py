"""The decision which counts may be known, on generated trees of partitions."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.disclosure.partitions import Key, Part, Partition, decide
from vitrail.disclosure.policy import DEFAULT

counts = st.one_of(st.just(0), st.integers(1, 12), st.integers(13, 40), st.integers(41, 400))


@st.composite
def trees(draw: st.DrawFn) -> list[Partition]:
    """Several partitions of one whole, some parts of which are divided in turn."""
    first = draw(st.lists(counts, min_size=2, max_size=5))
    whole = Part(("whole",), sum(first), sum(first))
    found = [partition(whole, first, ("first",))]
    for number in range(draw(st.integers(0, 3))):
        found.append(partition(whole, divided(draw, whole.count), ("other", number)))
    for part in list(found[-1].parts):
        if draw(st.booleans()):
            found.append(partition(part, divided(draw, part.count), ("below", *part.key)))
    return found


def divided(draw: st.DrawFn, count: int) -> list[int]:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        parts.append(min(count, draw(counts)))
        count -= parts[-1]
    return [*parts, count]


def partition(whole: Part, each: list[int], name: Key) -> Partition:
    return Partition(whole, tuple(Part((*name, place), one, one) for place, one in enumerate(each)), disjoint=True)


@settings(max_examples=400)
@given(trees())
def test_what_is_withheld_of_a_known_whole_is_nothing_or_of_many(partitions: list[Partition]) -> None:
    decision = decide(partitions, DEFAULT)
    for each in partitions:
        hidden = [part for part in each.parts if part.key in decision.withheld]
        if each.whole.key in decision.withheld:
            assert hidden == list(each.parts)
        elif each.whole.count > 0:
            assert all(part.key in decision.withheld for part in each.parts if 1 <= part.count <= 12)
            assert not hidden or (len(hidden) >= 2 and sum(part.count for part in hidden) >= 13)
            if each.whole.count < DEFAULT.class_minimum:
                assert all(part in hidden for part in each.parts if part.count == 0)


@settings(max_examples=100)
@given(trees())
def test_the_decision_does_not_depend_on_the_order(partitions: list[Partition]) -> None:
    assert decide(partitions, DEFAULT).withheld == decide(partitions[::-1], DEFAULT).withheld


def test_a_count_is_withheld_with_the_smallest_that_protects_it() -> None:
    decision = decide([partition(Part(("w",), 1070, 1070), [5, 400, 15, 650, 0], ("p",))], DEFAULT)
    assert decision.withheld == {("p", 0), ("p", 2)}


def test_where_the_others_are_known_the_whole_gives_way() -> None:
    parts = tuple(Part((place,), each, each) for place, each in enumerate((5, 400, 300)))
    fixed = Partition(Part(("w",), 705, 705), parts, disjoint=True, fixed=frozenset({(1,), (2,)}))
    assert decide([fixed], DEFAULT).withheld == {("w",), (0,)}


def test_index_dates_of_the_same_people_do_not_add_up_to_more_people() -> None:
    parts = tuple(Part((place,), each, 50) for place, each in enumerate((7, 7, 20)))
    assert decide([Partition(Part(("w",), 20, 150), parts, disjoint=False)], DEFAULT).withheld == {(0,), (1,), (2,)}
    assert decide([Partition(Part(("w",), 34, 150), parts, disjoint=True)], DEFAULT).withheld == {(0,), (1,)}


def test_a_count_that_is_withheld_in_one_whole_is_not_derived_from_another() -> None:
    shared = Part(("shared",), 100, 100)
    one = Partition(Part(("w",), 105, 105), (shared, Part(("few",), 5, 5)), disjoint=True)
    other = Partition(Part(("v",), 400, 400), (shared, Part(("rest",), 300, 300)), disjoint=True)
    assert decide([one, other], DEFAULT).withheld == {("shared",), ("few",), ("rest",)}
