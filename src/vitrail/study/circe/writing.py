"""From our words to Circe's JSON, for ATLAS and every other tool that reads it; what Circe cannot say is refused."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vitrail.errors import StudyError
from vitrail.study.attributes import Domain
from vitrail.study.circe import limits
from vitrail.study.circe.limits import Unsaid
from vitrail.study.circe.meaning import EMPTY
from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, Attribute, CriterionKind, Kind
from vitrail.study.cohort import ANY, Around, Cohort, Event, Exit, Group, Moved, PersonLimits, Rule
from vitrail.study.concepts import Coded, ConceptItem, ConceptSet
from vitrail.study.definition import Definition
from vitrail.study.word import Name, Word

Json = dict[str, Any]

_KINDS: Mapping[Domain, CriterionKind] = {kind.domain: kind for kind in CRITERIA}
_LIMITS = {"every": "All", "first": "First", "last": "Last"}
_COLUMNS = {ours: theirs for theirs, ours in COUNT_COLUMNS.items()}


def write_circe(definition: Definition) -> Json:
    """The definition as ATLAS imports it. StudyError, by what it is, where Circe cannot say it.

    Names of rules inside groups are left behind, for Circe has no place for them.
    """
    try:
        numbers = {name: number for number, name in enumerate(definition.concept_sets)}
        sets = [_concept_set(numbers[name], name, each) for name, each in definition.concept_sets.items()]
        return {**_Writer(numbers).cohort(definition.cohort), "ConceptSets": sets}
    except Unsaid as unsaid:
        raise StudyError(
            f"Circe cannot say {unsaid.what}.", "Run the definition as it is, or ask in a way that Circe knows."
        ) from None


def _concept_set(number: int, name: Name, concepts: ConceptSet) -> Json:
    items = [] if concepts.concepts == (EMPTY,) else [_item(item) for item in concepts.concepts]
    return {"id": number, "name": name, "expression": {"items": items}}


def _item(item: ConceptItem) -> Json:
    return {
        "concept": {"CONCEPT_ID": item.concept},
        "isExcluded": item.exclude,
        "includeDescendants": item.descendants,
        "includeMapped": bool(item.mapped),
    }


@dataclass(frozen=True)
class _Writer:
    """Writes what names concept sets by their numbers."""

    numbers: Mapping[Name, int]

    def cohort(self, cohort: Cohort) -> Json:
        """A cohort as Circe's expression."""
        if cohort.keep == "first_of_each_year":
            raise Unsaid("the first event of each year")
        if cohort.eras_within_observation:
            raise Unsaid("that rows are made one within an observation period only")
        return {
            "cdmVersionRange": ">=5.0.0",
            "PrimaryCriteria": {
                "CriteriaList": [self.event(each) for each in cohort.entry],
                "ObservationWindow": {"PriorDays": cohort.observed.before, "PostDays": cohort.observed.after},
                "PrimaryCriteriaLimit": {"Type": _LIMITS[cohort.keep]},
            },
            **({} if cohort.also is None else {"AdditionalCriteria": self.group(cohort.also)}),
            "QualifiedLimit": {"Type": _LIMITS[cohort.qualified or "every"]},
            "ExpressionLimit": {"Type": _LIMITS[cohort.limit]},
            "InclusionRules": [{"name": rule.name, "expression": self._expression(rule)} for rule in cohort.rules],
            **self._exit(cohort.exit),
            "CensoringCriteria": [self.event(each) for each in cohort.censor or ()],
            "CollapseSettings": {"CollapseType": "ERA", "EraPad": cohort.era_pad or 0},
            "CensorWindow": limits.period(cohort.clip),
        }

    def _expression(self, rule: Rule) -> Json:
        return self.group(rule.group if rule.group is not None else Group(rules=(rule,)))

    def event(self, event: Event) -> Json:
        """An event as a criterion."""
        kind = _KINDS.get(event.domain)
        if kind is None:
            raise Unsaid("that a cohort's row is an event")
        said: Json = {}
        if event.of != ANY:
            if not kind.codeset:
                raise Unsaid("a concept set for periods")
            said["CodesetId"] = self._number(event.of)
        said |= self._limits(kind.attributes, event, beside={*_DOMAINS, "where", "moved"})
        if event.moved is not None:
            said["DateAdjustment"] = _adjustment(kind, event.moved)
        if event.where:
            said["CorrelatedCriteria"] = self._where(event.where)
        return {kind.name: said}

    def _where(self, rules: tuple[Rule, ...]) -> Json:
        only = rules[0].group if len(rules) == 1 else None
        return self.group(only or Group(rules=rules))

    def _limits(self, attributes: tuple[Attribute, ...], word: Word, beside: set[str]) -> Json:
        """The limits of an event or a person as fields; every one that is given must have a place."""
        said: Json = {}
        written: set[str] = set(beside)
        for attribute in attributes:
            limit = getattr(word, attribute.field, None)
            if limit is not None and attribute.field not in written:
                same = [each for each in attributes if each.field == attribute.field]
                said |= dict(self._fields(same, limit))
                written.add(attribute.field)
        for name in type(word).model_fields:
            if getattr(word, name) not in (None, ()) and name not in written:
                raise Unsaid(f"{name} of this kind of event")
        return said

    def _fields(self, attributes: list[Attribute], limit: Any) -> Iterator[tuple[str, Any]]:
        """The fields that say one limit; ``attributes`` are those that may say it, of one kind."""
        name, kind = attributes[0].name, attributes[0].kind
        if kind in (Kind.DATES, Kind.WHOLE, Kind.NUMBER):
            dates = kind is Kind.DATES
            found = limits.day_ranges(limit) if dates else limits.number_ranges(limit, whole=kind is Kind.WHOLE)
            if len(found) > len(attributes):
                raise Unsaid(f"several limits of {attributes[0].field} at once")
            yield from zip((each.name for each in attributes), found, strict=False)
        elif kind in (Kind.CODED, Kind.TYPED, Kind.SELECTED, Kind.SET):
            yield from self._coded(name, kind, Coded(within=limit) if isinstance(limit, str) else limit)
        elif kind is Kind.SOURCE:
            yield name, self._number(limit)
        else:
            yield name, _PLAIN[kind](limit)

    def _coded(self, name: str, kind: Kind, limit: Coded) -> Iterator[tuple[str, Any]]:
        if kind is Kind.SET:
            if limit.within is None or limit.model_dump(exclude_none=True).keys() != {"within"}:
                raise Unsaid("anything but one concept set to limit a plan or payer")
            yield name, self._number(limit.within)
            return
        if limit.recorded is False and name == "VisitType" and kind is Kind.CODED:
            raise Unsaid("that no kind of visit is recorded")
        if (limit.any_of and limit.none_of) or [limit.within, limit.outside, limit.recorded].count(None) < 2:
            raise Unsaid("concepts to have and concepts not to have in one limit")
        listed = limit.any_of or limit.none_of
        if (listed and kind is Kind.SELECTED) or (limit.none_of and kind is Kind.CODED):
            raise Unsaid("a list of concepts here that is not a concept set")
        if listed:
            yield name, [{"CONCEPT_ID": concept} for concept in listed]
        if limit.none_of:
            yield name + "Exclude", True
        if limit.recorded is not None:
            yield name + "CS", {"CodesetId": None, "IsExclusion": not limit.recorded}
        chosen = limit.within or limit.outside
        if chosen:
            yield name + "CS", {"CodesetId": self._number(chosen), "IsExclusion": limit.outside is not None}

    def _number(self, name: Name) -> int:
        if name not in self.numbers:
            raise StudyError("The definition names a concept set that it does not define.", "Define it.")
        return self.numbers[name]

    def group(self, group: Group) -> Json:
        """A group of rules."""
        return {
            "Type": group.need.upper(),
            **({} if group.count is None else {"Count": group.count}),
            "CriteriaList": [self.rule(rule, rule.of) for rule in group.rules if rule.of is not None],
            "DemographicCriteriaList": [self._person(rule.person) for rule in group.rules if rule.person is not None],
            "Groups": [self.group(rule.group) for rule in group.rules if rule.group is not None],
        }

    def _person(self, person: PersonLimits) -> Json:
        return self._limits(DEMOGRAPHIC, person, beside=set())

    def rule(self, rule: Rule, event: Event) -> Json:
        """A rule that counts events."""
        around = (*(() if rule.days is None else (Around(days=rule.days),)), *(rule.windows or ()))
        if len(around) > 2:
            raise Unsaid("three windows for one event")
        windows = dict(zip(("StartWindow", "EndWindow"), map(_window, around), strict=False))
        return {
            "Criteria": self.event(event),
            **windows,
            "Occurrence": _times(rule),
            "RestrictVisit": bool(rule.same_visit),
            "IgnoreObservationPeriod": bool(rule.unobserved),
        }

    def _exit(self, exit: Exit) -> Json:
        strategy: Json = {}
        if exit.days_after_start is not None:
            strategy = {"DateOffset": {"DateField": "StartDate", "Offset": exit.days_after_start}}
        elif exit.days_after_end is not None:
            strategy = {"DateOffset": {"DateField": "EndDate", "Offset": exit.days_after_end}}
        elif exit.exposed_to is not None:
            era = exit.exposed_to
            days = {} if era.days_supply is None else {"DaysSupplyOverride": era.days_supply}
            drug = self._number(era.drug)
            strategy = {"CustomEra": {"DrugCodesetId": drug, "GapDays": era.gap, "Offset": era.offset, **days}}
        return {"EndStrategy": strategy} if strategy else {}


_DOMAINS = tuple(kind.domain for kind in CRITERIA)
_PLAIN: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: bool,
    Kind.TEXT: limits.text_filter,
    Kind.PERIOD: limits.period,
}


def _adjustment(kind: CriterionKind, moved: Moved) -> Json:
    own_ends = (moved.start_from, moved.end_from) == ("start", "end")
    if kind.adjusted == "unheard" or (kind.adjusted == "own ends" and not own_ends):
        raise Unsaid("other dates for this kind of event")
    return limits.date_adjustment(moved)


def _window(around: Around) -> Json:
    low, high = around.days
    return {
        "Start": _endpoint(low, -1),
        "End": _endpoint(high, 1),
        "UseIndexEnd": around.index == "end",
        "UseEventEnd": around.event == "end",
    }


def _endpoint(days: int | None, beyond: int) -> Json:
    if days is None:
        return {"Coeff": beyond}
    return {"Days": abs(days), "Coeff": beyond if days == 0 else -1 if days < 0 else 1}


def _times(rule: Rule) -> Json:
    least, most = rule.least, rule.at_most
    if most is None:
        kind, count = 2, least
    elif least == most:
        kind, count = 0, most
    elif least == 0:
        kind, count = 1, most
    else:
        raise Unsaid("at least and at most in one count, but where they are alike")
    distinct = {} if rule.distinct is None else {"CountColumn": _COLUMNS[rule.distinct]}
    return {"Type": kind, "Count": count, "IsDistinct": rule.distinct is not None, **distinct}
