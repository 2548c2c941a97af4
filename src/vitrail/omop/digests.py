"""Content hashes of the parts of a plan: the same for parts that say the same, whatever they are called.

What a cohort comes to depends on three things alone: what it says, the vocabulary and the records. So its hash, the
digest of the vocabulary and the id of the snapshot name its rows; where none has changed, they need no new computing.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import cache

from vitrail import wire
from vitrail.omop.limits import Cell, kind
from vitrail.omop.plan import Bare, CohortNode, Judged, Node, People, Plan, Test
from vitrail.study.cohort import Cohort
from vitrail.study.word import Digest

_PARTS = {"entry", "also", "rules", "censor", "exit"}
"""The fields of a cohort that name concept sets or other cohorts."""


class Digests:
    """The content hashes of a plan's parts, by number."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sets = [wire.digest_of(_set(key)) for key in plan.sets]
        self._events = list(plan.events)
        self._cohorts = {each.number: each for each in plan.cohorts.values()}
        self.of_event, self.of_node, self.of_cohort = cache(self._event), cache(self._node), cache(self._cohort)

    def _event(self, number: int) -> Digest:
        """The hash of an event."""
        event = self._events[number]
        if isinstance(event, Judged):
            return wire.digest_of(["judged", self.of_event(event.bare), self.of_node(event.node)])
        return wire.digest_of([event.domain, self._cells(event.cells, event)])

    def _cells(self, cells: Iterable[Cell], of: Bare | None = None) -> wire.Json:
        return [[name, self._value(name, value, of)] for name, value in sorted(cells)]

    def _value(self, name: str, value: float | int | str | bool, of: Bare | None) -> wire.Json:
        if name == "concept_set" and of is not None and of.domain == "cohort":
            return self.of_cohort(int(value))
        if name in ("concept_set", "source_set") or ("__" in name and kind(name) == "int"):
            return self._sets[int(value)]
        return value

    def _node(self, number: int) -> Digest:
        """The hash of a node."""
        return wire.digest_of(self._said(self._plan.node[number]))

    def _said(self, node: Node) -> wire.Json:
        if isinstance(node, Test):
            said = {each.name: getattr(node, each.name) for each in fields(node) if each.name != "event"}
            return ["test", self.of_event(node.event), said | {"windows": [list(each) for each in node.windows]}]
        if isinstance(node, People):
            return ["people", self._cells(node.cells)]
        members = sorted([self.of_node(each), times] for each, times in node.members)
        return ["group", node.low, node.high, members]

    def _cohort(self, number: int) -> Digest:
        """The hash of a cohort: its parts by their hashes, all else as it is written."""
        node = self._cohorts[number]
        said = node.cohort.model_dump(mode="json", exclude_none=True, exclude=_PARTS)
        return wire.digest_of(said | self._parts(node) | {"exit": self._exit(node.cohort, node.exposed)})

    def _parts(self, node: CohortNode) -> dict[str, wire.Json]:
        names = [rule.name for rule in node.cohort.rules]
        return {
            "entry": sorted(self.of_event(each) for each in node.entry),
            "also": None if node.also is None else self.of_node(node.also),
            "rules": [[name, self.of_node(rule)] for name, rule in zip(names, node.rules, strict=True)],
            "censor": sorted(self.of_event(each) for each in node.censor),
        }

    def _exit(self, cohort: Cohort, exposed: int | None) -> wire.Json:
        said: wire.Json = cohort.exit.model_dump(mode="json", exclude_none=True, exclude={"exposed_to": {"drug"}})
        drugs = [] if exposed is None else [self.of_event(each) for each in list(self._plan.exposures)[exposed].events]
        return [said, drugs]


def _set(key: object) -> wire.Json:
    """What a concept set says, in an order of its own."""
    if isinstance(key, tuple):
        return ["listed", sorted(key[1])]
    return ["items", sorted([list(item) for item in key])]  # type: ignore[attr-defined]


def of_cohorts(plan: Plan) -> dict[str, Digest]:
    """The content hash of each cohort of a plan, by its id."""
    digests = Digests(plan)
    return {each.id: digests.of_cohort(each.number) for each in plan.cohorts.values()}
