"""From Circe's JSON to our words: the same question, or a refusal that names the place.

Where circe-be itself leaves a limit out, so that its rows are not what the definition says, it is left out here, and
whoever reads is told (:data:`Notes`). What carries no meaning is left behind: captions of concepts, descriptions of
rules, an extent beside an operator of one number, a column to count by where nothing is counted apart. Everything else
is read, or refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vitrail.study.circe import limits, model
from vitrail.study.circe.names import fitted
from vitrail.study.circe.refusals import Refused, at
from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, ONLY_ONCE, Attribute, CriterionKind, Kind
from vitrail.study.circe.values import CodeSet, Concept, DateAdjustment, Item, Selection
from vitrail.study.cohort import (
    ANY,
    Around,
    Cohort,
    DayLimits,
    EntryEvent,
    Event,
    Exit,
    Exposure,
    Group,
    Moved,
    Observed,
    PersonLimits,
    Rule,
    Side,
)
from vitrail.study.concepts import Coded, ConceptItem, ConceptSet
from vitrail.study.definition import Definition
from vitrail.study.word import Name

_KINDS: Mapping[str, CriterionKind] = {kind.name: kind for kind in CRITERIA}
_LIMITS = {"All": "every", "First": "first", "Last": "last"}
EMPTY = ConceptItem(concept=0, descendants=False, exclude=True)
"""What a concept set without items becomes: nothing, less the concept 0."""

E = TypeVar("E", bound=Event)

Notes = Callable[[str], None]
"""Takes what a reader should know of the definition: sentences without anything of the file."""


def unheard(_: str) -> None:
    """Notes that nobody wants."""


def definition(said: model.Expression, id: str, notes: Notes) -> Definition:
    """The definition that an expression says."""
    sets = _concept_sets(said.concept_sets or [])
    names = {number: name for number, (name, _) in sets.items()}
    return Definition(id, _Reader(names, notes).cohort(said), dict(sets.values()))


def _concept_sets(said: Sequence[CodeSet]) -> dict[int, tuple[Name, ConceptSet]]:
    found: dict[int, tuple[Name, ConceptSet]] = {}
    taken: set[str] = set()
    for place, each in enumerate(said):
        with at("ConceptSets", place):
            if each.id in found:
                raise Refused("two concept sets have one id", "Give each an id of its own.", ("id",))
            name = fitted(each.name, f"concept set {each.id}", taken)
            items = tuple(map(_item, each.expression.items or ())) or (EMPTY,)
            taken.add(name)
            found[each.id] = name, ConceptSet(concepts=items)
    return found


def _item(item: Item) -> ConceptItem:
    return ConceptItem(
        concept=item.concept.concept_id,
        descendants=bool(item.include_descendants),
        exclude=bool(item.is_excluded),
        mapped=True if item.include_mapped else None,
    )


@dataclass(frozen=True)
class _Reader:
    """Reads what names concept sets by their numbers; ``names`` are their names."""

    names: Mapping[int, Name]
    notes: Notes

    def cohort(self, said: model.Expression) -> Cohort:
        """The cohort of an expression."""
        with at("PrimaryCriteria"):
            entry, observed = self._entry(said.primary_criteria)
        also = None
        if said.additional_criteria is not None:
            with at("AdditionalCriteria"):
                also = self.group(said.additional_criteria)
        qualified = said.qualified_limit.type.lower()
        return Cohort(
            entry=entry,
            observed=observed,
            keep=_LIMITS[said.primary_criteria.primary_criteria_limit.type],  # type: ignore[arg-type]
            also=also,
            qualified=qualified if also is not None and qualified != "all" else None,  # type: ignore[arg-type]
            rules=self._rules(said.inclusion_rules or []),
            limit=_LIMITS[said.expression_limit.type],  # type: ignore[arg-type]
            exit=self._exit(said.end_strategy),
            censor=self._events("CensoringCriteria", said.censoring_criteria or [], Event) or None,
            era_pad=self._era_pad(said.collapse_settings),
            clip=limits.span(said.censor_window),
        )

    def _entry(self, said: model.Primary) -> tuple[tuple[EntryEvent, ...], Observed]:
        entry = self._events("CriteriaList", said.criteria_list, EntryEvent)
        with at("ObservationWindow"):
            window = said.observation_window
            return entry, Observed(before=window.prior_days or 0, after=window.post_days or 0)

    def _events(self, field: str, said: Sequence[model.Wrapped], type: type[E]) -> tuple[E, ...]:
        found = []
        for place, each in enumerate(said):
            with at(field, place):
                found.append(self.event(each, type))
        return tuple(found)

    def event(self, said: model.Wrapped, type: type[E]) -> E:
        """The event that a criterion asks for."""
        kind, criterion = _KINDS[said.kind], said.criterion
        with at(kind.name):
            fields = self._limits(kind.attributes, criterion)
            number = criterion.CodesetId if kind.codeset else None
            fields[kind.domain] = ANY if number is None else self._name(number, "CodesetId")
            fields["moved"] = self._moved(kind, criterion.date_adjustment)
            group = criterion.correlated_criteria
            if group is not None and not group.empty:
                with at("CorrelatedCriteria"):
                    fields["where"] = self._where(group)
            return type(**fields)

    def _moved(self, kind: CriterionKind, said: DateAdjustment | None) -> Moved | None:
        if said is None:
            return None
        if kind.adjusted == "unheard":
            self.notes(f"{kind.name}.DateAdjustment is left out: circe-be does not look at it.")
            return None
        with at("DateAdjustment"):
            moved = limits.moved(said)
        if kind.adjusted == "own ends" and (moved.start_from, moved.end_from) != ("start", "end"):
            self.notes(f"{kind.name}.DateAdjustment counts from the start to the start and from the end to the end: "
                       "circe-be does not look at StartWith and EndWith.")  # fmt: skip
            return Moved(start_days=moved.start_days, end_days=moved.end_days)
        return moved

    def _where(self, said: model.Group) -> tuple[Rule, ...]:
        group = self.group(said)
        return group.rules if group.need == "all" and len(group.rules) <= 100 else (Rule(group=group),)

    def _limits(self, attributes: Sequence[Attribute], said: Any) -> dict[str, Any]:
        """What the fields of a criterion limit, by our fields."""
        found: dict[str, Any] = {}
        for attribute in attributes:
            if said.model_fields_set.isdisjoint(attribute.fields):
                continue
            with at(attribute.fields[0]):
                limit = self._limit(attribute, said)
                if limit is None:
                    continue
                if attribute.field in found and attribute.kind is Kind.DATES:
                    limit = limits.both(found[attribute.field], limit)
                    if limit is None:
                        raise Refused("two ranges that both leave dates out", "Give one of them.")
                found[attribute.field] = limit
                if attribute.note == ONLY_ONCE:
                    self.notes(f"{attribute.name} asks for {attribute.note}.")
        days = {name: DayLimits(**each) for name, each in found.items() if isinstance(each, dict)}
        return {**found, **days}

    def _limit(self, attribute: Attribute, said: Any) -> Any:
        """One limit, or None where nothing is asked. A date range is as yet a dict, for two may be one."""
        value = None if attribute.kind is Kind.SELECTED else getattr(said, attribute.name)
        if attribute.kind in (Kind.CODED, Kind.TYPED, Kind.SELECTED):
            turned = attribute.kind is Kind.TYPED and getattr(said, attribute.name + "Exclude")
            return self._coded(attribute, value, turned, getattr(said, attribute.name + "CS"))
        if value is None or attribute.kind is Kind.REFUSED:
            return None
        if attribute.kind is Kind.UNHEARD:
            self.notes(f"{attribute.name} is left out: {attribute.note}.")
            return None
        if attribute.kind in (Kind.SET, Kind.SOURCE):
            name = self._name(value)
            return name if attribute.kind is Kind.SOURCE else Coded(within=name)
        if attribute.kind is Kind.TEXT and not value.text:
            self.notes(f"{attribute.name} has no text to look for: it asks only that the record has one.")
        return _PLAIN[attribute.kind](value)

    def _coded(
        self, attribute: Attribute, listed: list[Concept] | None, turned: bool, chosen: Selection | None
    ) -> Coded | None:
        """Limits of a concept. circe-be looks for the kind of visit among the visits alone."""
        number = None if chosen is None else chosen.codeset_id
        if chosen is not None and number is None and chosen.is_exclusion and attribute.field == "visit_type":
            raise Refused("a visit without a concept, which no visit is", "Leave this out.")
        name = None if number is None else self._name(number, "CodesetId")
        return limits.coded(listed, turned, chosen, name)

    def _name(self, number: int, *way: str) -> Name:
        if number not in self.names:
            raise Refused("this names no concept set of the file", "Write the id of one under ConceptSets.", way)
        return self.names[number]

    def group(self, said: model.Group) -> Group:
        """A group of rules."""
        rules = []
        for place, each in enumerate(said.criteria_list or ()):
            with at("CriteriaList", place):
                rules.append(self.rule(each))
        for place, person in enumerate(said.demographic_criteria_list or ()):
            with at("DemographicCriteriaList", place):
                rules.append(Rule(person=PersonLimits(**self._limits(DEMOGRAPHIC, person))))
        for place, inner in enumerate(said.groups or ()):
            with at("Groups", place):
                rules.append(Rule(group=self.group(inner)))
        need = (said.type or "ALL").lower()
        counted = need.startswith("at_") and rules
        return Group(
            need=need if rules else "all",  # type: ignore[arg-type]
            count=said.count if counted else None,
            rules=tuple(rules),
        )

    def rule(self, said: model.Correlated) -> Rule:
        """A criterion around an index."""
        with at("Criteria"):
            event = self.event(said.criteria, Event)
        days, windows = _days_apart(_windows(said))
        with at("Occurrence"):
            return Rule(
                of=event,
                days=days,
                windows=windows or None,
                unobserved=True if said.ignore_observation_period else None,
                same_visit=True if said.restrict_visit else None,
                **_times(said.occurrence),
            )

    def _rules(self, said: Sequence[model.InclusionRule]) -> tuple[Rule, ...]:
        found: list[Rule] = []
        taken: set[str] = set()
        for place, each in enumerate(said):
            name = fitted(each.name, f"rule {place + 1}", taken)
            taken.add(name)
            with at("InclusionRules", place, "expression"):
                found.append(_named(name, self.group(each.expression)))
        return tuple(found)

    def _exit(self, said: model.EndStrategy | None) -> Exit:
        with at("EndStrategy"):
            if said is not None and said.date_offset is not None:
                offset = said.date_offset.offset or 0
                from_start = said.date_offset.date_field == "StartDate"
                return Exit(days_after_start=offset) if from_start else Exit(days_after_end=offset)
            if said is not None and said.custom_era is not None:
                with at("CustomEra"):
                    return Exit(exposed_to=self._exposure(said.custom_era))
        return Exit()

    def _exposure(self, era: model.CustomEra) -> Exposure:
        return Exposure(
            drug=self._name(era.drug_codeset_id, "DrugCodesetId"),
            gap=era.gap_days or 0,
            offset=era.offset or 0,
            days_supply=era.days_supply_override,
        )

    def _era_pad(self, said: model.Collapse) -> int | None:
        pad = said.era_pad or 0
        if pad < 0:
            with at("CollapseSettings", "EraPad"):
                raise Refused("a pad of less than 0 days", "Write a number of at least 0.")
        return pad or None


_PLAIN: Mapping[Kind, Any] = {
    Kind.FLAG: lambda value: True if value else None,
    Kind.DATES: limits.day_limits,
    Kind.WHOLE: limits.whole_limits,
    Kind.NUMBER: limits.number_limits,
    Kind.TEXT: limits.wording,
    Kind.PERIOD: limits.span,
}


def _windows(said: model.Correlated) -> list[Around]:
    found = []
    for name, window, event_end in (("StartWindow", said.start_window, False), ("EndWindow", said.end_window, True)):
        if window is not None:
            with at(name):
                observed = not said.ignore_observation_period
                found.append(_around(window, event_end=event_end, observed=observed))
    return found


def _around(window: model.Window, *, event_end: bool, observed: bool) -> Around:
    """A window; ``event_end`` is what it is anchored to where it does not say."""
    for name, end, beyond in (("Start", window.start, 1), ("End", window.end, -1)):
        if observed and end.days is None and end.coeff == beyond:
            raise Refused(
                "a window that begins after all days or ends before all days", "Give a number of days.", (name,)
            )
    used = window.use_event_end
    index: Side = "end" if window.use_index_end else "start"
    event: Side = "end" if (event_end if used is None else used) else "start"
    return Around(days=(_days(window.start), _days(window.end)), index=index, event=event)


def _days(end: model.Endpoint) -> int | None:
    return None if end.days is None else end.days * end.coeff


def _days_apart(around: Sequence[Around]) -> tuple[Any, tuple[Around, ...]]:
    """The first window as ``days`` where that can say it, and the others."""
    first, *others = around
    low, high = first.days
    backwards = low is not None and high is not None and low > high
    if first.index == first.event == "start" and not backwards:
        return first.days, tuple(others)
    return None, tuple(around)


def _times(said: model.Occurrence) -> dict[str, Any]:
    exactly, at_most = said.type == 0, said.type == 1
    distinct = (COUNT_COLUMNS[said.count_column] if said.count_column else "concept") if said.is_distinct else None
    return {
        "at_least": None if at_most or (exactly and said.count == 0) else said.count,
        "at_most": said.count if exactly or at_most else None,
        "distinct": distinct,
    }


def _named(name: Name, group: Group) -> Rule:
    """A rule of the cohort: the one rule of its group where there is but one, else the group."""
    if group.need in ("all", "any") and len(group.rules) == 1:
        only = group.rules[0]
        return only.model_copy(update={"name": name}) if only.group is None else _named(name, only.group)
    return Rule(name=name, group=group)
