"""Circe's JSON as frozen, strict models: what may stand where, before anything is understood.

The names are Circe's own. What the reference implementation takes for a number, a numeral in quotes, is taken here; a
field that is null is one that is not given; a field that is not known is refused. The criteria are made from the table.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, AliasGenerator, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.alias_generators import to_camel, to_pascal

from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, REFUSED_CRITERIA, Attribute, Kind
from vitrail.study.concepts import ConceptId
from vitrail.study.word import Word

MAX_ITEMS = 20_000
"""Items of one concept set, and parts of any other list."""

_NUMERAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


def _numeral(value: object) -> object:
    """A number, also where it stands in quotes; a whole one as an integer."""
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        value = float(value) if "." in value else int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refused(reason: str) -> Any:
    def refuse(value: object) -> None:
        if not (value is None or value is False or value == [] or value == {}):
            raise ValueError(f"{reason}; leave this out, or ask for something else")

    return Annotated[Any, AfterValidator(refuse)]


def _one_of(*words: str) -> Callable[[object], object]:
    """One of some words in any letter case, as it is written here."""
    known = {word.upper(): word for word in words}
    return lambda value: known.get(value.upper(), value) if isinstance(value, str) else value


def _day_unit(value: object) -> object:
    return "day" if isinstance(value, str) and value.lower() in ("day", "days") else value


Numeral = BeforeValidator(_numeral)
Whole = Annotated[int, Field(ge=-(2**31), lt=2**31), Numeral]
Number = Annotated[float, Field(ge=-1e15, le=1e15), Numeral]
Id = Annotated[ConceptId, Numeral]
Calendar = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$", description="a day as YYYY-MM-DD in quotes")
]
DayUnit = Annotated[
    Literal["day"] | None, BeforeValidator(_day_unit), Field(description="day: no other unit of time is answered")
]
Said = Annotated[str, Field(max_length=100_000)]
"""Text that is for people alone."""
Caption = Annotated[Any, Field(description="a caption")]


class Circe(Word):
    """What all of Circe's objects have in common: its names are capitalised, and unknown ones refused."""

    # deferred: all are built at once, when the first definition is read
    model_config = ConfigDict(alias_generator=AliasGenerator(alias=to_pascal), defer_build=True)


class Concept(Circe):
    """A concept; only its id has a meaning."""

    model_config = ConfigDict(alias_generator=AliasGenerator(alias=str.upper))
    concept_id: Id
    concept_name: Caption = None
    standard_concept: Caption = None
    standard_concept_caption: Caption = None
    invalid_reason: Caption = None
    invalid_reason_caption: Caption = None
    concept_code: Caption = None
    domain_id: Caption = None
    vocabulary_id: Caption = None
    concept_class_id: Caption = None
    valid_start_date: Caption = None
    valid_end_date: Caption = None


class Item(Circe):
    """An item of a concept set."""

    model_config = ConfigDict(alias_generator=AliasGenerator(alias=to_camel))
    concept: Concept
    is_excluded: bool | None = None
    include_descendants: bool | None = None
    include_mapped: bool | None = None


class Items(Circe):
    """The items of a concept set."""

    model_config = ConfigDict(alias_generator=None)
    items: Annotated[list[Item], Field(max_length=MAX_ITEMS)] | None = None


class CodeSet(Circe):
    """A concept set with the number by which criteria name it."""

    model_config = ConfigDict(alias_generator=None)
    id: Whole
    name: Said | None = None
    expression: Items


class Selection(Circe):
    """A concept set as the limit of a concept."""

    codeset_id: Whole
    is_exclusion: bool | None = None


class Range(Circe):
    """A range of numbers. An ``extent`` beside an operator of one number means nothing."""

    value: Number
    op: Literal["lt", "lte", "eq", "!eq", "gt", "gte", "bt", "!bt"]
    extent: Number | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.op.endswith("bt") and self.extent is None:
            raise ValueError("a range between two numbers has one alone; give Extent, too")
        return self


class DateRange(Circe):
    """A range of dates, as :class:`Range` of numbers."""

    value: Calendar
    op: Literal["lt", "lte", "eq", "!eq", "gt", "gte", "bt", "!bt"]
    extent: Calendar | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.op.endswith("bt") and self.extent is None:
            raise ValueError("a range between two dates has one alone; give Extent, too")
        for day in (self.value, self.extent if self.op.endswith("bt") else None):
            if day is not None and as_day(day) is None:
                raise ValueError("the calendar has no such day; write one that it has")
        return self


def as_day(text: str) -> date | None:
    """The day that a date of the form Y-M-D names, or None where the calendar has none such."""
    year, month, day = map(int, text.split("-"))
    try:
        return date(year, month, day)
    except ValueError:
        return None


class TextFilter(Circe):
    """A filter of a text. The reference gives % and _ to the database, which reads them as wildcards."""

    text: Annotated[
        str,
        Field(max_length=1000, pattern=r"^[^%_\x00]*$", description="text of at most 1,000 characters without % and _"),
    ]
    op: Literal["startsWith", "endsWith", "contains", "!startsWith", "!endsWith", "!contains"]


class Period(Circe):
    """A span of dates."""

    start_date: Calendar | None = None
    end_date: Calendar | None = None

    @model_validator(mode="after")
    def _days(self) -> Self:
        if any(day is not None and as_day(day) is None for day in (self.start_date, self.end_date)):
            raise ValueError("the calendar has no such day; write one that it has")
        return self


class DateAdjustment(Circe):
    """Other dates for an event."""

    start_with: Annotated[Literal["START_DATE", "END_DATE"], BeforeValidator(_one_of("START_DATE", "END_DATE"))] = (
        "START_DATE"
    )
    start_offset: Whole | None = None
    end_with: Annotated[Literal["START_DATE", "END_DATE"], BeforeValidator(_one_of("START_DATE", "END_DATE"))] = (
        "END_DATE"
    )
    end_offset: Whole | None = None


class Timed(Circe):
    """Numbers of days that later versions of Circe may say again with a unit; only the day is answered."""

    TIMES: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if any(getattr(self, again) not in (None, getattr(self, days) or 0) for again, days in self.TIMES.items()):
            raise ValueError("a number with a unit differs from the number of days beside it; give the days alone")
        return self


class Endpoint(Timed):
    """An end of a window: ``days`` before (``coeff`` -1) or after (1) the anchor; without days, as far as it goes."""

    TIMES = {"time_unit_value": "days"}
    days: Whole | None = None
    coeff: Annotated[Literal[-1, 1], Numeral]
    time_unit: DayUnit = None
    time_unit_value: Whole | None = None


class Window(Circe):
    """A window of days from the start or end of an index to the start or end of an event."""

    start: Endpoint
    end: Endpoint
    use_index_end: bool | None = None
    use_event_end: bool | None = None


class Occurrence(Circe):
    """How many: exactly (0), at most (1) or at least (2)."""

    type: Annotated[Literal[0, 1, 2], Numeral]
    count: Annotated[int, Field(ge=0, le=10_000), Numeral]
    is_distinct: bool | None = None
    count_column: Literal[tuple(COUNT_COLUMNS)] | None = None  # type: ignore[valid-type]


class Criterion(Circe):
    """A criterion of any kind; the fields of each kind are those of the table."""

    correlated_criteria: "Group | None" = None
    date_adjustment: DateAdjustment | None = None


class Wrapped(Circe):
    """One criterion under the name of its kind."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.kind not in _KINDS or self.criterion is None:
            raise ValueError(f"not exactly one criterion is given; give one of {', '.join(_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        """The name of its kind in Circe."""
        return type(self).model_fields[next(iter(self.model_fields_set))].alias or ""

    @property
    def criterion(self) -> Any:
        """The criterion itself, a model of its kind."""
        return getattr(self, next(iter(self.model_fields_set)))


_TYPES: dict[Kind, Any] = {
    Kind.FLAG: bool, Kind.DATES: DateRange, Kind.WHOLE: Range, Kind.NUMBER: Range, Kind.SET: Whole,
    Kind.SOURCE: Whole, Kind.UNHEARD: Whole, Kind.TEXT: TextFilter, Kind.PERIOD: Period,
    Kind.CODED: Annotated[list[Concept], Field(max_length=MAX_ITEMS)],
    Kind.TYPED: Annotated[list[Concept], Field(max_length=MAX_ITEMS)],
}  # fmt: skip


def _fields(attributes: tuple[Attribute, ...]) -> dict[str, Any]:
    """The fields of a model for some rows of the table."""
    fields: dict[str, Any] = {}
    for attribute in attributes:
        for name in attribute.fields:
            if attribute.kind is Kind.REFUSED:
                fields[name] = (_refused(attribute.note), Field(None, alias=name))
                continue
            own: dict[str, Any] = {attribute.name: _TYPES.get(attribute.kind), attribute.name + "Exclude": bool}
            fields[name] = (own.get(name, Selection) | None, Field(None, alias=name))
    return fields


_CODESET: dict[str, Any] = {"CodesetId": (Whole | None, Field(None, alias="CodesetId"))}
_KINDS: dict[str, type[Criterion]] = {
    kind.name: create_model(
        kind.name,
        __base__=Criterion,
        __module__=__name__,
        **(_CODESET if kind.codeset else {}),
        **_fields(kind.attributes),
    )
    for kind in CRITERIA
}

if TYPE_CHECKING:
    Criteria = Wrapped
    Demographic = Circe
else:
    Criteria = create_model(
        "Criteria",
        __base__=Wrapped,
        __module__=__name__,
        **{name: (kind | None, Field(None, alias=name)) for name, kind in _KINDS.items()},
        **{name: (_refused(why), Field(None, alias=name)) for name, why in REFUSED_CRITERIA.items()},
    )
    Demographic = create_model("Demographic", __base__=Circe, __module__=__name__, **_fields(DEMOGRAPHIC))


class Correlated(Circe):
    """A criterion around an index: in which windows, how often."""

    criteria: Criteria
    start_window: Window
    end_window: Window | None = None
    occurrence: Occurrence
    restrict_visit: bool | None = None
    ignore_observation_period: bool | None = None


class Group(Circe):
    """Criteria of which all, any, or at least or at most ``count`` must hold."""

    type: (
        Annotated[
            Literal["ALL", "ANY", "AT_LEAST", "AT_MOST"], BeforeValidator(_one_of("ALL", "ANY", "AT_LEAST", "AT_MOST"))
        ]
        | None
    ) = None
    count: Annotated[int, Field(ge=0, le=10_000), Numeral] | None = None
    criteria_list: Annotated[list[Correlated], Field(max_length=500)] | None = None
    demographic_criteria_list: Annotated[list[Demographic], Field(max_length=500)] | None = None
    groups: "Annotated[list[Group], Field(max_length=500)] | None" = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.empty:
            return self
        if self.type is None:
            raise ValueError("a group does not say how many must hold; give Type: ALL, ANY, AT_LEAST or AT_MOST")
        if self.type.startswith("AT_") and self.count is None:
            raise ValueError("a group does not say how many must hold; give Count, too")
        return self

    @property
    def empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.criteria_list or self.demographic_criteria_list or self.groups)


class Limit(Circe):
    """Which events stay."""

    type: Annotated[Literal["All", "First", "Last"], BeforeValidator(_one_of("All", "First", "Last"))] = "First"


class Observation(Circe):
    """Days of observation around an event."""

    prior_days: Whole | None = None
    post_days: Whole | None = None


class Primary(Circe):
    """The events that let people in."""

    criteria_list: Annotated[list[Criteria], Field(min_length=1, max_length=100)]
    observation_window: Observation
    primary_criteria_limit: Limit = Limit()


class InclusionRule(Circe):
    """A group with a name."""

    model_config = ConfigDict(alias_generator=None)
    name: Said | None = None
    description: Said | None = None
    expression: Group


class DateOffset(Timed):
    """So many days after the start or end of the event."""

    TIMES = {"offset_unit_value": "offset"}
    date_field: Literal["StartDate", "EndDate"] = "StartDate"
    offset: Whole | None = None
    offset_unit: DayUnit = None
    offset_unit_value: Whole | None = None


class CustomEra(Timed):
    """The end of an era of exposure."""

    TIMES = {"gap_unit_value": "gap_days", "offset_unit_value": "offset"}
    drug_codeset_id: Whole
    gap_days: Whole | None = None
    gap_unit: DayUnit = None
    gap_unit_value: Whole | None = None
    offset: Whole | None = None
    offset_unit: DayUnit = None
    offset_unit_value: Whole | None = None
    days_supply_override: Whole | None = None


class EndStrategy(Circe):
    """One of two ends."""

    date_offset: DateOffset | None = None
    custom_era: CustomEra | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.date_offset is None) == (self.custom_era is None):
            raise ValueError("not exactly one end is given; give one of DateOffset, CustomEra")
        return self


class Collapse(Timed):
    """How rows become one."""

    TIMES = {"era_pad_unit_value": "era_pad"}
    collapse_type: Literal["ERA"] = "ERA"
    era_pad: Whole | None = None
    era_pad_unit: DayUnit = None
    era_pad_unit_value: Whole | None = None


class Expression(Circe):
    """A cohort definition as ATLAS exports it."""

    cdm_version_range: Annotated[Said | None, Field(alias="cdmVersionRange")] = None
    title: Said | None = None
    primary_criteria: Primary
    additional_criteria: Group | None = None
    concept_sets: Annotated[list[CodeSet], Field(max_length=5_000)] | None = None
    qualified_limit: Limit = Limit()
    expression_limit: Limit = Limit()
    inclusion_rules: Annotated[list[InclusionRule], Field(max_length=100)] | None = None
    end_strategy: EndStrategy | None = None
    censoring_criteria: Annotated[list[Criteria], Field(max_length=100)] | None = None
    collapse_settings: Collapse = Collapse()
    censor_window: Period | None = None


class Saved(Circe):
    """A definition as OHDSI's WebAPI gives it: the expression among what is said about it."""

    model_config = ConfigDict(alias_generator=AliasGenerator(alias=to_camel))
    expression: Expression
    id: Caption = None
    name: Caption = None
    description: Caption = None
    expression_type: Literal["SIMPLE_EXPRESSION"] | None = None
    created_by: Caption = None
    created_date: Caption = None
    modified_by: Caption = None
    modified_date: Caption = None
    has_write_access: Caption = None
    has_read_access: Caption = None
    tags: Caption = None
