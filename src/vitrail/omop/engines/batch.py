"""A batch: the steps by which a database answers a plan, the same for every database.

A stage finds the events of one level and builds the cohorts that need no more than these; see ``vitrail.omop.plan``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from vitrail.omop import cohorts, events, occurrences, rules
from vitrail.omop.attrition import ALSO, ENDED, ENTERED, KEPT, LIMITED, OBSERVED, QUALIFIED, loses_at_the_end
from vitrail.omop.engines import Answer, CohortRows, Dates, Origins, Step
from vitrail.omop.limits import attributes, kind
from vitrail.omop.plan import Bare, CohortNode, Judged, People, Plan, Test
from vitrail.omop.sheets import Kind, Sheet
from vitrail.study.attributes import DOMAINS, Domain
from vitrail.study.cohort import Cohort

P = ParamSpec("P")
Columns = Mapping[str, NDArray[Any]]
"""The answer to a query: its columns by name."""


class Database(Protocol):
    """A database in which tables are made of sheets and of queries; a query is a function that builds it."""

    def hold(self, name: str, rows: Sheet) -> None:
        """Make a table of a sheet, in place of an earlier one of that name."""

    def show(self, name: str, columns: Columns) -> None:
        """Make a table of arrays of numbers, in place of an earlier one of that name."""

    def keep(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Make a table of a query, in place of an earlier one of that name."""

    def add(self, name: str, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add the rows of a query to a table."""

    def rows(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> list[tuple[Any, ...]]:
        """The answer to a query, row by row."""
        ...

    def arrays(self, build: Callable[P, exp.Query], *args: P.args, **kwargs: P.kwargs) -> Columns:
        """The answer to a query, column by column."""
        ...


@dataclass
class Counted:
    """What is counted of one cohort; the counts of several ranges of persons add up."""

    entered: int = 0
    observed: int = 0
    also: int = 0
    furthest: dict[int | None, int] = field(default_factory=dict)
    events: dict[int, int] = field(default_factory=dict)
    persons: dict[int, int] = field(default_factory=dict)
    before_clip: int = 0


@dataclass
class Found:
    """What a range of persons adds to the answers: each cohort's counts, and the rows of all."""

    counts: dict[int, Counted]
    rows: list[Columns] = field(default_factory=list)

    def of_each(self) -> NDArray[np.int64]:
        """The number of rows of each cohort."""
        numbers = [rows["cohort"].astype(np.int64) for rows in self.rows]
        return np.bincount(np.concatenate([np.empty(0, dtype=np.int64), *numbers]), minlength=len(self.counts))


_LARGE = ("occurrence", "entered", "around", "flip", "judged", "included", "exposed", "ended", "era")


def forget(database: Database) -> None:
    """Give back the memory of a range of persons that was not finished."""
    for name in _LARGE:
        database.keep(name, rules.no_flips)


def prepare(database: Database, plan: Plan) -> None:
    """Make what does not depend on persons: the concept sets."""
    database.hold("concept_item", _items(plan))
    database.keep("member", events.members)


def _items(plan: Plan) -> Sheet:
    rows: list[dict[str, object]] = []
    for key, number in plan.sets.items():
        if isinstance(key, tuple):
            rows += [{"concept_set": number, "concept": each, "listed": True} for each in key[1]]
        else:
            names = ("concept", "descendants", "exclude", "mapped")
            rows += [{"concept_set": number, "listed": False, **dict(zip(names, each, strict=True))} for each in key]  # type: ignore[attr-defined]
    flags: dict[str, Kind] = dict.fromkeys(("descendants", "exclude", "mapped", "listed"), "flag")
    return Sheet({"concept_set": "int", "concept": "int", **flags}, rows)


def find_events(database: Database, plan: Plan, cohorts_built: Callable[[int], None] | None = None) -> None:
    """Fill ``occurrence`` with all events of the plan; ``cohorts_built`` is called when those of a level are there."""
    database.keep("period", events.periods)
    repeated = _look_up(database, plan)
    database.keep("occurrence", occurrences.no_occurrences, plan.extra)
    for domain in DOMAINS[:-1]:
        _find(database, plan, domain, 0, repeated)
    for level in range(1 + max([*plan.levels, *(each.level for each in plan.cohorts.values())], default=0)):
        _find(database, plan, "cohort", level, repeated)
        _judge_events(database, plan, level)
        if cohorts_built is not None:
            cohorts_built(level)


def _look_up(database: Database, plan: Plan) -> frozenset[str]:
    """Make the tables in which attributes are looked up; gives the attributes that have several values somewhere."""
    limited = [*plan.events, *plan.node]
    asked = attributes([name for each in limited if isinstance(each, (Bare, People)) for name, _ in each.cells])
    tables = events.looked_up(asked)
    for each in tables.values():
        database.keep(each.name, events.beside, each)
    return frozenset(name for name, each in tables.items() if database.rows(events.repeated, each))


def _find(database: Database, plan: Plan, domain: Domain, level: int, repeated: frozenset[str]) -> None:
    found = {
        number: each
        for each, number in plan.events.items()
        if isinstance(each, Bare) and each.domain == domain and plan.levels[number] == level
    }
    if not found:
        return
    form, wanted = _wanted(plan, domain, found, repeated)
    database.hold("wanted", wanted)
    database.add("occurrence", occurrences.occurrences, form)


def _wanted(
    plan: Plan, domain: Domain, found: Mapping[int, Bare], repeated: frozenset[str]
) -> tuple[occurrences.Form, Sheet]:
    """The form of a domain's query, and its table ``wanted``."""
    rows = [{"event": number, **dict(each.cells)} for number, each in found.items()]
    used = {name for row in rows for name in row}
    limits = tuple(sorted(name for name in used if "__" in name))
    shapes = {("concept_set" in row, "source_set" in row) for row in rows}
    by = (
        {"cohort"}
        if domain == "cohort"
        else {"concept" if concept else "source" if source else "any" for concept, source in shapes}
    )
    counting = {each.event for each in plan.node if isinstance(each, Test) and each.counted == "visit_detail"}
    form = occurrences.Form(
        domain,
        ("cohort",) if domain == "cohort" else tuple(sorted(by)),
        both=(True, True) in shapes,
        first="first" in used,
        limits=limits,
        abnormal="abnormal" in used,
        moved="moved_start_days" in used,
        period=bool(used & {"period_start", "period_end"}),
        numbers=tuple(sorted({str(row["number"]) for row in rows if "number" in row})),
        detail=bool(counting & found.keys()),
        extra=plan.extra,
        repeated=bool(repeated & set(attributes(limits))),
    )
    return form, Sheet({**_WANTED, **{name: kind(name) for name in limits}}, rows)


_WANTED: dict[str, Kind] = {
    "event": "int", "concept_set": "int", "source_set": "int", "first": "flag", "number": "text", "abnormal": "flag",
    "period_start": "int", "period_end": "int", "moved_start_from": "text", "moved_start_days": "int",
    "moved_end_from": "text", "moved_end_days": "int",
}  # fmt: skip


def _judge_events(database: Database, plan: Plan, level: int) -> None:
    """Add the events of a level with rules around them."""
    found = {
        number: each
        for each, number in plan.events.items()
        if isinstance(each, Judged) and plan.levels[number] == level
    }
    if not found:
        return
    rows = [
        {"item": number, "bare": each.bare, "node": each.node, "usual": plan.node[each.node].usual}
        for number, each in found.items()
    ]
    database.hold("item", Sheet({"item": "int", "bare": "int", "node": "int", "usual": "flag"}, rows))
    database.keep("around", rules.index_events, plan.extra)
    _judge(database, rules.judging(plan, {number: [each.node] for number, each in found.items()}))
    database.add("occurrence", rules.passing, plan.extra)


def _judge(database: Database, judging: rules.Judging) -> None:
    """Make ``flip`` for the rows of ``around``."""
    database.keep("flip", rules.no_flips)
    for form, tests in judging.tests:
        database.hold("test", tests)
        database.add("flip", rules.counted, form)
    columns, people = judging.people
    if people:
        database.hold("person_test", people)
        database.add("flip", rules.of_people, columns)
    for part in judging.parts:
        database.hold("part", part)
        database.add("flip", rules.grouped)


# Cohorts


def build_cohorts(database: Database, plan: Plan, before: NDArray[np.int64]) -> Found:
    """All events and cohorts of the plan, for the persons in the tables.

    ``before`` are the rows that each cohort has of the persons before these.
    """
    stages = _stages(plan)
    found = Found({each.number: Counted() for each in plan.cohorts.values()})
    database.hold("cohort_row", Sheet(_COHORT_ROW, []))

    def built(level: int) -> None:
        if level in stages:
            _build(database, plan, stages[level], found.counts)
            found.rows.append(_placed(database.arrays(cohorts.clipped), before))

    find_events(database, plan, built)
    return found


_COHORT_ROW: dict[str, Kind] = dict.fromkeys(("cohort", "person", "start", "finish", "id"), "int")


def _stages(plan: Plan) -> dict[int, list[CohortNode]]:
    """The cohorts by the level after which they are built: as late as can be, so that most are built together."""
    last = max([*plan.levels, *(each.level for each in plan.cohorts.values())], default=0)
    referred = plan.referred
    stages: dict[int, list[CohortNode]] = {}
    for each in plan.cohorts.values():
        stages.setdefault(each.level if each.number in referred else last, []).append(each)
    return stages


def _build(database: Database, plan: Plan, nodes: Sequence[CohortNode], counts: Mapping[int, Counted]) -> None:
    building = cohorts.building(plan, nodes)
    steps = building.steps
    for name in ("entry", "cohort", "root", "rule", "censor", "exposure"):
        rows = getattr(building, name)
        if rows:
            database.hold(name, rows)
    database.keep("entered", cohorts.entered)
    database.keep("around", cohorts.kept, steps)
    if steps.also or steps.rules:
        nodes_of = {each.number: [*([] if each.also is None else [each.also]), *each.rules] for each in nodes}
        _judge(database, rules.judging(plan, nodes_of))
    database.keep("judged", cohorts.judged, steps)
    database.keep("included", cohorts.included, steps)
    if steps.exposed:
        database.keep("exposed", cohorts.exposed)
    database.keep("ended", cohorts.ended, steps)
    database.keep("era", cohorts.eras)
    _count(database, steps, counts)
    if plan.referred & set(counts):
        database.add("cohort_row", cohorts.as_events)


def _placed(rows: Columns, before: NDArray[np.int64]) -> Columns:
    """Rows in which an event that is a cohort's row has its place among all rows of that cohort as its id."""
    of_cohort = rows["domain"] == DOMAINS.index("cohort")
    cohort = np.where(of_cohort, rows["concept"], 0).astype(np.int64)
    return {
        **rows,
        "id": np.where(of_cohort, rows["id"] + before[cohort], rows["id"]),
        "concept": np.where(of_cohort, 0, rows["concept"]),
    }


def _count(database: Database, steps: cohorts.Steps, counts: Mapping[int, Counted]) -> None:
    for cohort, entered, observed in database.rows(cohorts.reached):
        counts[cohort].entered, counts[cohort].observed = entered, observed
    if steps.also:
        for cohort, persons in database.rows(cohorts.persons_judged):
            counts[cohort].also = persons
    for cohort, low, high, n in database.rows(cohorts.events_by_mask):
        counts[cohort].events[_mask(low, high)] = n
    if steps.rules:
        database.keep("mask", cohorts.masks)
    for cohort, low, high, failed, n in database.rows(cohorts.persons_by_mask, steps):
        of, mask = counts[cohort], _mask(low, high)
        of.persons[mask] = of.persons.get(mask, 0) + n
        of.furthest[failed] = of.furthest.get(failed, 0) + n
    for cohort, persons in database.rows(cohorts.before_clip):
        counts[cohort].before_clip = persons


def _mask(low: int, high: int) -> int:
    return int(low) + (int(high) << cohorts.WORD)


# Answers


def answers(plan: Plan, found: Sequence[Found]) -> dict[str, Answer]:
    """The answers that ranges of persons come to, the ranges in order."""
    names = ("cohort", "person", "start", "finish", "observed_until", "domain", "id", "concept")
    parts = [rows for each in found for rows in each.rows]
    whole = {name: np.concatenate([part[name] for part in parts]).astype(np.int64) for name in names}
    order = np.lexsort((whole["start"], whole["person"], whole["cohort"]))
    whole = {name: column[order] for name, column in whole.items()}
    bounds = np.searchsorted(whole["cohort"], np.arange(len(plan.cohorts) + 1))
    result = {}
    for node in plan.cohorts.values():
        rows = {name: column[bounds[node.number] : bounds[node.number + 1]] for name, column in whole.items()}
        result[node.id] = _answer(node.cohort, _sum([each.counts[node.number] for each in found]), rows)
    return result


def _sum(counts: Sequence[Counted]) -> Counted:
    total = Counted()
    for each in counts:
        for name in ("entered", "observed", "also", "before_clip"):
            setattr(total, name, getattr(total, name) + getattr(each, name))
        for name in ("furthest", "events", "persons"):
            of = getattr(total, name)
            for key, n in getattr(each, name).items():
                of[key] = of.get(key, 0) + n
    return total


def _answer(cohort: Cohort, counts: Counted, rows: Mapping[str, NDArray[np.int64]]) -> Answer:
    persons = len(np.unique(rows["person"]))
    dates = (day_dates(rows[name]) for name in ("start", "finish", "observed_until"))
    return Answer(
        rows=CohortRows(rows["person"], *dates),
        attrition=tuple(_steps(cohort, counts, persons)),
        origins=Origins(rows["domain"], rows["id"], rows["concept"]),
        events_by_mask=counts.events,
        persons_by_mask=counts.persons,
        clipped=counts.before_clip - persons,
    )


def _steps(cohort: Cohort, counts: Counted, ended: int) -> Iterable[Step]:
    """The attrition. To keep one event of each person loses nobody, so those steps repeat the number before."""
    yield Step(ENTERED, counts.entered)
    yield Step(OBSERVED, counts.observed)
    if cohort.keep != "every":
        yield Step(KEPT[cohort.keep], counts.observed)
    left = counts.observed
    if cohort.also is not None:
        left = counts.also
        yield Step(ALSO, left)
    if cohort.qualified is not None:
        yield Step(QUALIFIED[cohort.qualified], left)
    for place, rule in enumerate(cohort.rules):
        left = sum(n for failed, n in counts.furthest.items() if failed is None or failed > place)
        yield Step(str(rule.name), left)
    if cohort.limit != "every":
        yield Step(LIMITED[cohort.limit], left)
    if loses_at_the_end(cohort):
        yield Step(ENDED, ended)


def day_dates(days: NDArray[Any]) -> Dates:
    """Day numbers as dates."""
    return days.astype(np.int64).astype("datetime64[D]")
