"""Cohorts in SQL: each step of ``vitrail.study.cohort`` as one SQLGlot query over the tables of ``omop.events``.

All that a cohort's later steps can tell of an entry event is its person and its start: its observation period follows
from these two, rules count around the start, and the row's end is reckoned from it. So two entry events of one
person and day are one row in the end, and the order of events within a day changes nothing.

Rules travel as rows, too (``rule``: item, rule, event, low, high, least, most), and all rules of a step are judged
in one join. The ``item`` is the entry event whose ``where`` rules they are; see :func:`entries`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from vitrail.omop.events import UNBOUNDED, col, maximum_before, table, year_of
from vitrail.study.cohort import Cohort, Event, Observed, Rule

ENTERED = "entry events"
OBSERVED = "observed"
KEPT = {"first": "first event", "first_of_each_year": "first event of each year"}
LIMITED = "limited to the first"
"""The labels of the steps of attrition that are not rules."""


@dataclass(frozen=True)
class Entry:
    """A row of ``entry``: an event that lets people in, and the number of the rules around it."""

    item: int
    event: int


@dataclass(frozen=True)
class RuleRow:
    """A row of ``rule``: between ``least`` and ``most`` such events from ``low`` to ``high`` days after the index."""

    item: int
    rule: int
    event: int
    low: int
    high: int
    least: int
    most: int


_INDEX = ("item", "person", "start", "first", "last")
"""An index event: whose, when, and the observation period that rules around it keep to."""

Numbers = Callable[[Event], int]
"""The number under which the occurrences of an event are found."""


def entries(cohort: Cohort, number: Numbers) -> tuple[list[Entry], list[RuleRow]]:
    """The entry events and the ``where`` rules around them; all entry events without rules are item 0."""
    found: list[Entry] = []
    rules: list[RuleRow] = []
    for place, entry in enumerate(cohort.entry, start=1):
        item = place if entry.where else 0
        found.append(Entry(item, number(entry)))
        rules += rule_rows(entry.where, number, item)
    return found, rules


def rule_rows(rules: Sequence[Rule], number: Numbers, item: int = 0) -> list[RuleRow]:
    """Rules as rows, numbered in their order."""
    return [
        RuleRow(
            item, place, number(rule.of),
            -UNBOUNDED if rule.days[0] is None else rule.days[0],
            UNBOUNDED if rule.days[1] is None else rule.days[1],
            rule.least,
            UNBOUNDED if rule.at_most is None else rule.at_most,
        )
        for place, rule in enumerate(rules)
    ]  # fmt: skip


def candidates(*, distinct: bool) -> exp.Select:
    """Entry events (item, person, start) with the observation period that each starts in, null where in none.

    ``distinct`` makes events of one item, person and day one, which saves judging ``where`` rules twice.
    """
    starts = (
        exp.select(col("item", "n"), col("person", "o"), col("day", "o").as_("start"))
        .distinct(distinct=distinct)
        .from_(table("occurrence", "o"))
        .join(table("entry", "n"), on=col("event", "n").eq(col("event", "o")))
    )
    day = col("start", "s")
    inside = (col("person", "p").eq(col("person", "s")), day >= col("since", "p"), day <= col("last", "p"))
    return (
        exp.select(col("item", "s"), col("person", "s"), day, col("first", "p"), col("last", "p"))
        .from_(starts.subquery("s"))
        .join(table("period", "p"), on=exp.and_(*inside), join_type="left")
    )


def judged(index: str) -> exp.Select:
    """The rows of ``index`` with ``failed``: the number of the first rule that fails, ``UNBOUNDED`` where none does."""
    keys = ("item", "person", "start")
    failures = (
        exp.select(*(col(key) for key in keys), exp.Min(this=col("rule")).as_("failed"))
        .from_(_broken(index).subquery("broken"))
        .group_by(*(col(key) for key in keys))
    )
    failed = exp.Coalesce(this=col("failed", "f"), expressions=[exp.Literal.number(UNBOUNDED)])
    return (
        exp.select(*(col(name, "i") for name in _INDEX), failed.as_("failed"))
        .from_(table(index, "i"))
        .join(failures.subquery("f"), on=_same(keys, "f", "i"), join_type="left")
    )


def _broken(index: str) -> exp.Select:
    """Every row of ``index`` and rule of its item that do not fit: too few or too many events around it."""
    start, day, events = col("start", "i"), col("day", "o"), exp.Count(this=col("day", "o"))
    around = (
        _same(("event",), "o", "r"), _same(("person",), "o", "i"),
        day >= col("first", "i"), day <= col("last", "i"),
        day >= start + col("low", "r"), day <= start + col("high", "r"),
    )  # fmt: skip
    shown = [col("item", "i"), col("person", "i"), start, col("rule", "r")]
    return (
        exp.select(*shown)
        .from_(table(index, "i"))
        .join(table("rule", "r"), on=_same(("item",), "r", "i"))
        .join(table("occurrence", "o"), on=exp.and_(*around), join_type="left")
        .group_by(*shown, col("least", "r"), col("most", "r"))
        .having(exp.or_(events < col("least", "r"), events > col("most", "r")))
    )


def passing(judged: str) -> exp.Select:
    """The rows of the table ``judged`` for which every rule holds."""
    return exp.select(*_columns(*_INDEX)).from_(exp.to_table(judged)).where(col("failed").eq(UNBOUNDED))


def observed(index: str, need: Observed, *, distinct: bool) -> exp.Select:
    """The rows of ``index`` with the observation time that they need; ``distinct`` leaves one per person and start."""
    return (
        exp.select(exp.Literal.number(0).as_("item"), *_columns("person", "start", "first", "last"))
        .distinct(distinct=distinct)
        .from_(exp.to_table(index))
        .where(col("start") - need.before >= col("first"), col("start") + need.after <= col("last"))
    )


def first_of_each(index: str, *, year: bool) -> exp.Select:
    """The rows of ``index`` that are the first of their person, or of their person and calendar year.

    An earlier event of a person belongs to a period that starts and ends no later (see ``events.periods``), so the
    smallest start, first and last of a group belong together.
    """
    smallest = [exp.Min(this=col(name)).as_(name) for name in ("start", "first", "last")]
    group = [col("person"), *([year_of(col("start"))] if year else [])]
    return (
        exp.select(exp.Literal.number(0).as_("item"), col("person"), *smallest)
        .from_(exp.to_table(index))
        .group_by(*group)
    )


def persons(index: str) -> exp.Select:
    """The number of persons in ``index``."""
    return exp.select(exp.Count(this=exp.Distinct(expressions=[col("person")]))).from_(exp.to_table(index))


def furthest(judged: str) -> exp.Select:
    """The number of persons by the rule at which their best entry event fails: (rule or ``UNBOUNDED``, persons)."""
    best = exp.select(exp.Max(this=col("failed")).as_("failed")).from_(exp.to_table(judged)).group_by(col("person"))
    return exp.select(col("failed"), exp.Count(this=exp.Star())).from_(best.subquery("best")).group_by(col("failed"))


def left_after(rules: int, furthest: Mapping[int, int]) -> list[int]:
    """The persons left after each of so many rules: those whose best entry event fails a later rule, or none."""
    return [sum(persons for failed, persons in furthest.items() if failed > rule) for rule in range(rules)]


def rows(index: str, days_after_start: int | None) -> exp.Select:
    """A cohort's rows (person, start, finish, observed_until), sorted: exits set, overlapping rows made one."""
    columns = _columns("person", "start", "last")
    ends = exp.select(*columns, _exit(days_after_start).as_("finish")).from_(exp.to_table(index))
    fresh = exp.case().when(maximum_before("finish", col("start")) >= col("start"), 0).else_(1)
    marked = exp.select(*columns, col("finish"), fresh.as_("fresh")).from_(ends.subquery("ends"))
    merged = exp.Window(
        this=exp.Sum(this=col("fresh")), partition_by=[col("person")], order=exp.Order(expressions=[col("start")])
    )
    numbered = exp.select(*columns, col("finish"), col("fresh"), merged.as_("merged")).from_(marked.subquery("marked"))
    first_last = exp.Max(this=exp.case().when(col("fresh").eq(1), col("last")))
    return (
        exp.select(
            col("person"),
            exp.Min(this=col("start")).as_("start"),
            exp.Max(this=col("finish")).as_("finish"),
            first_last.as_("observed_until"),
        )
        .from_(numbered.subquery("numbered"))
        .group_by(col("person"), col("merged"))
        .order_by(col("person"), col("start"))
    )


def _exit(days_after_start: int | None) -> exp.Expr:
    if days_after_start is None:
        return col("last")
    after = col("start") + days_after_start
    return exp.case().when(after < col("last"), after).else_(col("last"))


def _columns(*names: str) -> list[exp.Column]:
    return [col(name) for name in names]


def _same(names: Sequence[str], left: str, right: str) -> exp.Condition:
    return exp.and_(*(col(name, left).eq(col(name, right)) for name in names))
