"""Circe's values as frozen, strict models: numbers, days, concepts, ranges and filters.

The names are Circe's own. What the reference implementation takes for a number, a numeral in quotes, is taken here.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasGenerator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel, to_pascal

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


def refused(reason: str) -> Any:
    """The type of a field that may say nothing, and why."""

    def refuse(value: object) -> None:
        if not (value is None or value is False or value == [] or value == {}):
            raise ValueError(f"{reason}; leave this out, or ask for something else")

    return Annotated[Any, AfterValidator(refuse)]


def one_of(*words: str) -> Callable[[object], object]:
    """One of some words in any letter case, as it is written here."""
    known = {word.upper(): word for word in words}
    return lambda value: known.get(value.upper(), value) if isinstance(value, str) else value


def _text(value: object) -> object:
    return "" if value is None else value


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
    """A concept set as the limit of a concept; without one, that there is a concept, or is none."""

    codeset_id: Whole | None = None
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
        BeforeValidator(_text),
        Field(max_length=1000, pattern=r"^[^%_\x00]*$", description="text of at most 1,000 characters without % and _"),
    ] = ""
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

    start_with: Annotated[Literal["START_DATE", "END_DATE"], BeforeValidator(one_of("START_DATE", "END_DATE"))] = (
        "START_DATE"
    )
    start_offset: Whole | None = None
    end_with: Annotated[Literal["START_DATE", "END_DATE"], BeforeValidator(one_of("START_DATE", "END_DATE"))] = (
        "END_DATE"
    )
    end_offset: Whole | None = None
