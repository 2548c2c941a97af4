"""The plan of a batch: what many definitions ask, each equal part once, as the rows of small tables.

Concept sets, events, tests and groups are numbered by what they say, not by what they are called, so a part that many
definitions share is one row. Nothing here knows SQL or data; :mod:`vitrail.omop.events`, :mod:`vitrail.omop.rules` and
:mod:`vitrail.omop.cohorts` turn the tables into answers.

An event without rules around it is *bare*: it comes from its domain's table alone. Around others, a *node* is judged:
a test (so many events around the index), limits of the person, or a group of nodes. Each node has its *usual* truth:
what it is where nothing is found. Only where it differs does a row say so, so a rule that wants no event costs nothing
for the many who have none.

The *level* of an event is the stage in which its rows are known: bare events of tables 0, events with rules around
them one more than any event in these, and a cohort's rows one more than the cohort.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vitrail.errors import StudyError
from vitrail.omop.limits import Cell, cells, day
from vitrail.study.attributes import COUNTED, Distinct, Domain
from vitrail.study.cohort import ANY, Around, Cohort, DayLimits, Event, Group, Limits, PersonLimits, Rule, Wording
from vitrail.study.concepts import Coded, ConceptSet
from vitrail.study.definition import Definition, in_order

UNBOUNDED = 2**30
"""In place of a bound that is not given, in days or in events."""

VALUED = ("measurement", "observation")
"""The domains whose ``value`` is kept with each event."""

Sets = Mapping[str, ConceptSet]
Anchors = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Bare:
    """An event of one domain with its own limits: ``cells`` are the columns of its row in ``wanted``."""

    domain: Domain
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Test:
    """Between ``least`` and ``most`` events, or different values ``counted`` of them, around the index.

    ``windows`` are days by anchors: ``ss`` from the index's start to the event's, ``es`` from its end, ``se``, ``ee``
    to the event's end. ``opens`` and ``closes`` want the event's end inside the index's observation period.
    """

    event: int
    windows: tuple[tuple[str, int, int], ...]
    least: int
    most: int
    counted: Distinct | None
    same_visit: bool
    unobserved: bool
    opens: bool
    closes: bool

    @property
    def usual(self) -> bool:
        """Whether it holds where nothing is found."""
        return self.least <= 0 <= self.most


@dataclass(frozen=True)
class People:
    """Limits of the person at the index."""

    cells: tuple[Cell, ...]

    @property
    def usual(self) -> bool:
        """It never holds unless it is found to."""
        return not self.cells


@dataclass(frozen=True)
class Gathered:
    """A group: between ``low`` and ``high`` of its nodes must hold. ``members`` are nodes with how often each counts.

    ``base`` is how many of them hold usually, ``height`` one more than the highest of them.
    """

    low: int
    high: int
    members: tuple[tuple[int, int], ...]
    base: int
    height: int

    @property
    def usual(self) -> bool:
        """Whether it holds where all its nodes are as usual."""
        return self.low <= self.base <= self.high


Node = Test | People | Gathered


@dataclass(frozen=True)
class Judged:
    """An event with a node that must hold around it."""

    bare: int
    node: int


@dataclass(frozen=True)
class Exposed:
    """Eras of exposure: of the drugs in these events, at most ``gap`` days apart."""

    events: tuple[int, ...]
    gap: int
    offset: int
    days_supply: int | None


@dataclass(frozen=True)
class CohortNode:
    """A cohort, its parts by number. ``level`` is the stage after which it can be built."""

    id: str
    number: int
    cohort: Cohort
    entry: tuple[int, ...]
    also: int | None
    rules: tuple[int, ...]
    censor: tuple[int, ...]
    exposed: int | None
    level: int


@dataclass
class Plan:
    """All that a batch asks, each part once, its place in its list being its number.

    ``valued`` keeps the value of measurements and observations with each, for covariates.
    """

    valued: bool = False
    sets: dict[object, int] = field(default_factory=dict)
    events: dict[Bare | Judged, int] = field(default_factory=dict)
    nodes: dict[Node, int] = field(default_factory=dict)
    exposures: dict[Exposed, int] = field(default_factory=dict)
    cohorts: dict[str, CohortNode] = field(default_factory=dict)
    node: list[Node] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    @property
    def referred(self) -> frozenset[object]:
        """The numbers of the cohorts whose rows are events."""
        of_cohorts = [each for each in self.events if isinstance(each, Bare) and each.domain == "cohort"]
        return frozenset(value for each in of_cohorts for name, value in each.cells if name == "concept_set")

    @property
    def extra(self) -> tuple[str, ...]:
        """The columns of ``occurrence`` that some event needs besides those that all have."""
        detail = any(isinstance(each, Test) and each.counted == "visit_detail" for each in self.node)
        number = any(isinstance(each, Bare) and dict(each.cells).get("number") for each in self.events)
        return (*(("detail",) if detail else ()), *(("number",) if number or self.valued else ()))

    # Concept sets

    def set_of(self, sets: Sets, name: str) -> int:
        """The number of a named concept set."""
        if name not in sets:
            raise StudyError("The study defines no concept set of that name.", "Ask for one that it defines.")
        items = frozenset((i.concept, i.descendants, i.exclude, bool(i.mapped)) for i in sets[name].concepts)
        return self.sets.setdefault(items, len(self.sets))

    def coded(self, sets: Sets, limit: Coded, name: str) -> int:
        """The number of the concepts that one limit of a concept names."""
        given = getattr(limit, name)
        if isinstance(given, str):
            return self.set_of(sets, given)
        return self.sets.setdefault(("listed", frozenset(given)), len(self.sets))

    # Events

    def event(self, event: Event, sets: Sets, number: Distinct | None = None) -> int:
        """The number of an event; ``number`` is the value that is kept with it to be counted."""
        bare = self._numbered(Bare(event.domain, tuple(self._cells(event, sets, number))), self._bare_level(event))
        if not event.where:
            return bare
        node = self.gathered([self.rule(rule, sets) for rule in event.where], "all")
        level = 1 + max([self.levels[each] for each in self.events_of(node)], default=0)
        return self._numbered(Judged(bare, node), max(self.levels[bare], level))

    def _numbered(self, event: Bare | Judged, level: int) -> int:
        number = self.events.setdefault(event, len(self.events))
        if number == len(self.levels):
            self.levels.append(level)
        return number

    def _bare_level(self, event: Event) -> int:
        return 1 + self._cohort(event.of).level if event.cohort is not None else 0

    def _cohort(self, id: str) -> CohortNode:
        if id not in self.cohorts:
            raise StudyError("A cohort refers to one that is not there.", "Define that one as well, in the same batch.")
        return self.cohorts[id]

    def _cells(self, event: Event, sets: Sets, number: Distinct | None) -> Iterable[Cell]:
        if event.cohort is not None:
            yield "concept_set", self._cohort(event.of).number
        elif event.of != ANY:
            yield "concept_set", self.set_of(sets, event.of)
        if event.source is not None:
            yield "source_set", self.set_of(sets, event.source)
        if event.first:
            yield "first", True
        kept = number if number in _KEPT else "value" if self.valued and event.domain in VALUED else None
        if kept is not None:
            yield "number", kept
        yield from self._limits(event, sets)

    def _limits(self, event: Event, sets: Sets) -> Iterable[Cell]:
        for name in type(event).model_fields:
            limit = getattr(event, name)
            if isinstance(limit, (Limits, DayLimits, Wording, Coded)):
                yield from cells(name, limit, lambda coded, key: self.coded(sets, coded, key))
        if isinstance(event.value_concepts, str):
            yield "value_concepts__within", self.set_of(sets, event.value_concepts)
        if event.abnormal:
            yield "abnormal", True
        if event.period is not None:
            given = (("period_start", event.period.start), ("period_end", event.period.end))
            yield from ((name, day(date)) for name, date in given if date is not None)
        if event.moved is not None:
            yield from (("moved_" + name, value) for name, value in event.moved.model_dump().items())

    # Nodes

    def rule(self, rule: Rule, sets: Sets) -> int:
        """The number of the node that a rule is."""
        if rule.group is not None:
            return self.group(rule.group, sets)
        if rule.person is not None:
            return self._node(People(tuple(self._person(rule.person, sets))))
        if rule.of is None:
            raise ValueError("a rule is none of of, person, group")
        return self._node(self._test(rule, rule.of, sets))

    def _person(self, person: PersonLimits, sets: Sets) -> Iterable[Cell]:
        for name in type(person).model_fields:
            if (limit := getattr(person, name)) is not None:
                yield from cells(name, limit, lambda coded, key: self.coded(sets, coded, key))

    def _test(self, rule: Rule, of: Event, sets: Sets) -> Test:
        windows = (*(rule.windows or ()), *([Around(days=rule.days)] if rule.days is not None else ()))
        ends = [] if rule.unobserved else [each for each in windows if each.event == "end"]
        return Test(
            event=self.event(of, sets, rule.distinct),
            windows=tuple((anchors, *bounds) for anchors, bounds in sorted(_narrowest(windows).items())),
            least=rule.least,
            most=UNBOUNDED if rule.at_most is None else rule.at_most,
            counted=rule.distinct,
            same_visit=bool(rule.same_visit),
            unobserved=bool(rule.unobserved),
            opens=any(each.days[0] is None for each in ends),
            closes=any(each.days[1] is None for each in ends),
        )

    def group(self, group: Group, sets: Sets) -> int:
        """The number of the node that a group is; a group of one is that one."""
        return self.gathered([self.rule(rule, sets) for rule in group.rules], group.need, group.count or 0)

    def gathered(self, members: Sequence[int], need: str, count: int = 0) -> int:
        """The number of the node that wants ``need`` of ``members``."""
        n = len(members)
        bounds = {"all": (n, n), "any": (1, n), "at_least": (count, n), "at_most": (0, count)}
        low, high = bounds[need] if members else (0, 0)
        if n == low == 1 and high >= 1:
            return members[0]
        base = sum(self.node[each].usual for each in members)
        height = 1 + max((self.height(each) for each in members), default=0)
        return self._node(Gathered(low, high, tuple(sorted(Counter(members).items())), base, height))

    def height(self, node: int) -> int:
        """How many groups lie one within another down from a node: 0 for a test."""
        found = self.node[node]
        return found.height if isinstance(found, Gathered) else 0

    def _node(self, node: Node) -> int:
        number = self.nodes.setdefault(node, len(self.nodes))
        if number == len(self.node):
            self.node.append(node)
        return number

    def under(self, node: int) -> frozenset[int]:
        """A node and all that it is made of."""
        found = self.node[node]
        below = [self.under(each) for each, _ in found.members] if isinstance(found, Gathered) else []
        return frozenset({node}).union(*below)

    def events_of(self, node: int) -> frozenset[int]:
        """The events that a node counts."""
        return frozenset(test.event for each in self.under(node) if isinstance(test := self.node[each], Test))

    # Cohorts

    def add(self, definition: Definition) -> None:
        """Take a definition into the plan, after those that it refers to."""
        cohort, sets = definition.cohort, definition.concept_sets
        entry = tuple(self.event(event, sets) for event in cohort.entry)
        also = None if cohort.also is None else self.group(cohort.also, sets)
        rules = tuple(self.rule(rule, sets) for rule in cohort.rules)
        censor = tuple(self.event(event, sets) for event in cohort.censor or ())
        exposed = self._exposed(cohort, sets)
        used = {*entry, *censor, *(each for node in _given(also, rules) for each in self.events_of(node))}
        level = max(self.levels[event] for event in used)
        number = len(self.cohorts)
        node = CohortNode(definition.id, number, cohort, entry, also, rules, censor, exposed, level)
        self.cohorts[definition.id] = node

    def _exposed(self, cohort: Cohort, sets: Sets) -> int | None:
        exposure = cohort.exit.exposed_to
        if exposure is None:
            return None
        drugs = (Event(drug=exposure.drug), Event(drug=ANY, source=exposure.drug))
        events = tuple(self.event(drug, sets) for drug in drugs)
        return self.exposures.setdefault(
            Exposed(events, exposure.gap, exposure.offset, exposure.days_supply), len(self.exposures)
        )


_KEPT = frozenset(
    {name for counted in COUNTED.values() for name in counted}
    - {"start", "end", "concept", "visit", "visit_detail", "duration"}
)
"""What is counted apart and is a number of the record."""


def _narrowest(windows: Iterable[Around]) -> dict[str, tuple[int, int]]:
    """The days within all windows of the same anchors."""
    found: dict[str, tuple[int, int]] = {}
    for each in windows:
        low, high = each.days
        before = found.get(anchors := each.index[0] + each.event[0], (-UNBOUNDED, UNBOUNDED))
        found[anchors] = (
            max(before[0], -UNBOUNDED if low is None else low),
            min(before[1], UNBOUNDED if high is None else high),
        )
    return found


def _given(also: int | None, rules: Sequence[int]) -> tuple[int, ...]:
    return (*([] if also is None else [also]), *rules)


def plan_of(definitions: Sequence[Definition]) -> Plan:
    """The plan of a batch. StudyError where a definition names what is not there, or some refer in a circle."""
    plan = Plan()
    for definition in in_order(definitions):
        plan.add(definition)
    return plan
