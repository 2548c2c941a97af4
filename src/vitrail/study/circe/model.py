"""Circe's JSON as frozen, strict models: what may stand where, before anything is understood.

The names are Circe's own. What the reference implementation takes for a number, a numeral in quotes, is taken here; a
field that is null is one that is not given; a field that is not known is refused. The criteria are made from the table.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AliasGenerator, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.alias_generators import to_camel

from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, REFUSED_CRITERIA, Attribute, Kind
from vitrail.study.circe.values import (
    MAX_ITEMS,
    Caption,
    Circe,
    CodeSet,
    Concept,
    DateAdjustment,
    DateRange,
    DayUnit,
    Numeral,
    Period,
    Range,
    Said,
    Selection,
    TextFilter,
    Whole,
    one_of,
    refused,
)


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
                fields[name] = (refused(attribute.note), Field(None, alias=name))
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
        **{name: (refused(why), Field(None, alias=name)) for name, why in REFUSED_CRITERIA.items()},
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
            Literal["ALL", "ANY", "AT_LEAST", "AT_MOST"], BeforeValidator(one_of("ALL", "ANY", "AT_LEAST", "AT_MOST"))
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

    type: Annotated[Literal["All", "First", "Last"], BeforeValidator(one_of("All", "First", "Last"))] = "First"


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
