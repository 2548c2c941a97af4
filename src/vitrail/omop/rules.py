"""Rules in SQL: tests, limits of persons and groups, judged around the rows of ``around`` for all definitions at once.

========================  ===========================================================================================
``around``                place, item, person, start, finish, visit, opens, closes: the index events, each of an item
``test``                  item, node, event, windows, least, most, ...: what is counted around the rows of an item
``person_test``           item, node and limits of the person
``part``                  item, node, parent, times, base, low, high: the nodes of the groups of one height
``flip``                  place, item, node: the nodes that are not what they usually are
========================  ===========================================================================================
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from vitrail.omop.events import col
from vitrail.omop.limits import attributes, fitting, kind
from vitrail.omop.occurrences import value_of, with_beside
from vitrail.omop.plan import UNBOUNDED, Gathered, People, Plan, Test
from vitrail.omop.sheets import Kind, Sheet
from vitrail.omop.sql import select, sql

_ANCHORS = {
    "ss": ("start", "start"),
    "es": ("finish", "start"),
    "se": ("start", "finish"),
    "ee": ("finish", "finish"),
}
_WHOLE = {
    "start": "o.start", "end": "o.finish", "concept": "o.concept", "visit": "o.visit", "visit_detail": "o.detail",
    "duration": "o.finish - o.start",
}  # fmt: skip
_PART: dict[str, Kind] = dict.fromkeys(("item", "node", "parent", "times", "base", "low", "high"), "int")
_TEST: dict[str, Kind] = dict.fromkeys(("item", "node", "event", "least", "most"), "int")


@dataclass(frozen=True)
class Counting:
    """Which conditions the query of tests needs: windows by anchors, and so on; see ``vitrail.omop.plan.Test``."""

    anchors: tuple[str, ...]
    distinct: tuple[str, ...]
    unobserved: bool
    same_visit: bool
    edges: bool


@dataclass(frozen=True)
class Judging:
    """What is judged around some items: tests and limits of persons with their queries' forms, groups by height."""

    tests: tuple[tuple[Counting, Sheet], ...]
    people: tuple[tuple[str, ...], Sheet]
    parts: tuple[Sheet, ...]


def judging(plan: Plan, items: Mapping[int, Iterable[int]]) -> Judging:
    """What is judged for items, each with its nodes."""
    under = {item: sorted(frozenset().union(*map(plan.under, nodes))) for item, nodes in items.items()}
    pairs = [(item, node, plan.node[node]) for item, nodes in under.items() for node in nodes]
    tests = [(item, node, found) for item, node, found in pairs if isinstance(found, Test)]
    plain = [each for each in tests if each[2].counted is None]
    distinct = [each for each in tests if each[2].counted is not None]
    counted = tuple(_tests(each) for each in (plain, distinct) if each)
    people = [(item, node, found) for item, node, found in pairs if isinstance(found, People)]
    groups = [(item, node, found) for item, node, found in pairs if isinstance(found, Gathered)]
    heights = sorted({found.height for _, _, found in groups})
    parts = [_parts(plan, [each for each in groups if each[2].height == height]) for height in heights]
    return Judging(counted, _people(people), tuple(each for each in parts if each))


def _tests(tests: Sequence[tuple[int, int, Test]]) -> tuple[Counting, Sheet]:
    found = [test for _, _, test in tests]
    form = Counting(
        tuple(anchors for anchors in _ANCHORS if any(anchors == each[0] for test in found for each in test.windows)),
        distinct=tuple(sorted({test.counted for test in found if test.counted is not None})),
        unobserved=any(test.unobserved for test in found),
        same_visit=any(test.same_visit for test in found),
        edges=any(test.opens or test.closes for test in found),
    )
    rows = [_test_row(item, node, test, form.anchors) for item, node, test in tests]
    bounds: dict[str, Kind] = {f"{anchors}_{side}": "int" for anchors in form.anchors for side in ("low", "high")}
    flags: dict[str, Kind] = dict.fromkeys(("same_visit", "unobserved", "opens", "closes"), "flag")
    return form, Sheet({**_TEST, **bounds, **flags, "counted": "text"}, rows)


def _test_row(item: int, node: int, test: Test, anchors: Sequence[str]) -> dict[str, object]:
    windows = dict.fromkeys(anchors, (-UNBOUNDED, UNBOUNDED)) | {each[0]: each[1:] for each in test.windows}
    bounds = {f"{each}_{side}": windows[each][i] for each in anchors for i, side in enumerate(("low", "high"))}
    flags = {name: getattr(test, name) for name in ("same_visit", "unobserved", "opens", "closes")}
    whole = {"item": item, "node": node, "event": test.event, "least": test.least, "most": test.most}
    return {**whole, **bounds, **flags, "counted": test.counted}


def _people(people: Sequence[tuple[int, int, People]]) -> tuple[tuple[str, ...], Sheet]:
    columns = tuple(sorted({name for _, _, found in people for name, _ in found.cells}))
    rows = [{"item": item, "node": node, **dict(found.cells)} for item, node, found in people]
    return columns, Sheet({"item": "int", "node": "int", **{name: kind(name) for name in columns}}, rows)


def _parts(plan: Plan, groups: Sequence[tuple[int, int, Gathered]]) -> Sheet:
    rows = [
        {
            "item": item, "node": node, "parent": parent, "times": -times if plan.node[node].usual else times,
            "base": found.base, "low": found.low, "high": found.high,
        }
        for item, parent, found in groups
        for node, times in found.members
    ]  # fmt: skip
    return Sheet(_PART, rows)


def no_flips() -> exp.Query:
    """``flip`` before anything is judged."""
    return select("SELECT CAST(0 AS BIGINT) AS place, CAST(0 AS BIGINT) AS item, CAST(0 AS BIGINT) AS node WHERE FALSE")


def counted(form: Counting) -> exp.Query:
    """The tests that are not what they usually are: those with so many events around them."""
    number = _distinct(form.distinct) if form.distinct else sql("COUNT(*)")
    around = (
        select("""SELECT a.place, t.item, t.node, t.least, t.most FROM around AS a
        JOIN test AS t ON t.item = a.item
        JOIN occurrence AS o ON o.event = t.event AND o.person = a.person""")
        .select(number.as_("found"))
        .where(*_within(form))
        .group_by("a.place, t.item, t.node, t.least, t.most")
    )
    query = select("""SELECT place, item, node FROM counted
        WHERE (found >= least AND found <= most) <> (least <= 0)""")
    return query.with_("counted", as_=around, copy=False)


def _within(form: Counting) -> Iterable[exp.Expr]:
    observed = sql("o.start >= a.opens AND o.start <= a.closes")
    yield exp.or_(exp.paren(observed), col("unobserved", "t")) if form.unobserved else observed
    for anchors in form.anchors:
        index, event = (col(side, of) for side, of in zip(_ANCHORS[anchors], ("a", "o"), strict=True))
        yield event >= index + col(f"{anchors}_low", "t")
        yield event.copy() <= index.copy() + col(f"{anchors}_high", "t")
    if form.same_visit:
        yield sql("NOT t.same_visit OR o.visit = a.visit")
    if form.edges:
        yield sql("NOT t.opens OR o.finish >= a.opens")
        yield sql("NOT t.closes OR o.finish <= a.closes")


def _distinct(names: tuple[str, ...]) -> exp.Expr:
    """How many different values there are of what each test counts; of a test, all but one count are 0."""
    whole, number = exp.case(), exp.case()
    for name in names:
        asked = col("counted", "t").eq(exp.Literal.string(name))
        if name in _WHOLE:
            whole = whole.when(asked, sql(_WHOLE[name]))
        else:
            number = number.when(asked, col("number", "o"))
    counts = [exp.Count(this=exp.Distinct(expressions=[each])) for each in (whole, number) if each.args["ifs"]]
    return exp.paren(counts[0] + counts[1]) if len(counts) > 1 else counts[0]


def of_people(columns: tuple[str, ...]) -> exp.Query:
    """The limits of persons that hold."""
    query = select("SELECT DISTINCT a.place, t.item, t.node FROM around AS a JOIN person_test AS t ON t.item = a.item")
    query = with_beside(query, attributes(columns), "a")
    return fitting(query, columns, "t", lambda attribute: value_of(attribute, "a"))


def grouped() -> exp.Query:
    """The groups of one height that are not what they usually are."""
    return select("""
        SELECT place, item, parent AS node FROM (
          SELECT f.place, f.item, p.parent, p.base, p.low, p.high, p.base + SUM(p.times) AS held
          FROM flip AS f JOIN part AS p ON p.item = f.item AND p.node = f.node
          GROUP BY f.place, f.item, p.parent, p.base, p.low, p.high) AS held
        WHERE (held >= low AND held <= high) <> (base >= low AND base <= high)""")


# Events with rules around them


def index_events(extra: tuple[str, ...]) -> exp.Query:
    """``around`` for the events in ``item`` (item, bare, node, usual), each with its own observation period."""
    return select("""
        SELECT ROW_NUMBER() OVER () AS place, i.item, o.person, o.start, o.finish, o.id, o.concept, o.visit,
          p.opens, p.closes
        FROM occurrence AS o JOIN item AS i ON i.bare = o.event
        JOIN period AS p ON p.person = o.person AND o.start >= p.since AND o.start <= p.closes""").select(
        *(col(name, "o") for name in extra), copy=False
    )


def passing(extra: tuple[str, ...]) -> exp.Query:
    """The rows of ``occurrence`` that index events give for which their node holds."""
    return select("""
        SELECT a.item AS event, a.person, a.start, a.finish, a.id, a.concept, a.visit
        FROM around AS a JOIN item AS i ON i.item = a.item
        LEFT JOIN flip AS f ON f.place = a.place AND f.node = i.node
        WHERE (f.place IS NULL) = i.usual""").select(*(col(name, "a") for name in extra), copy=False)
