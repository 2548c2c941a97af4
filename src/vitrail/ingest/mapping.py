"""The mapping file: how the columns of any CSV become OMOP records. Written by people, in YAML, checked strictly.

``docs/reference/mapping.md`` explains every field with a full example; the words here say what each means.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vitrail.omop.tables import VOCABULARY
from vitrail.study.concepts import ConceptId
from vitrail.study.word import Name, Part, PartError, Text, Word

MAX_FILES = 100
MAX_RECORDS = 500

ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
"""The name of a column of a file, exactly as its first line has it."""


def _calendar_date(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("this is no date; write year-month-day in quotes") from error
    if not 1800 <= day.year < 2200:
        raise ValueError("this date is not between 1800 and 2200; write year-month-day in quotes")
    return text


def _plain_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or "\\" in text or any(part in ("", ".", "..") for part in parts):
        raise ValueError("this leads elsewhere; write the path of a file inside the source")
    return text


CalendarDate = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_calendar_date)]
InsidePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_plain_path)]


class Declared(Word):
    """Where the data come from. ``public`` data are those that anybody may have.

    ``calendar``: ``none`` where dates are days from an epoch that was chosen, ``shifted`` where each person's dates
    were moved, ``true`` where they are as they were.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    licence: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    citation: Text | None = None
    public: bool
    calendar: Literal["none", "shifted", "true"]


class Id(Word):
    """Who a row is about, or which visit it belongs to: a column's whole number (or text), or the row's number."""

    column: ColumnName | None = None
    text: bool = False
    row_number: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.column is None) == (self.row_number is None):
            raise ValueError("this needs exactly one of column and row_number; write one of the two")
        return self


class Day(Word):
    """A date: a column's (``layout`` in strptime's words; else year-month-day), days from the epoch, or the epoch."""

    column: ColumnName | None = None
    layout: Annotated[str, Field(min_length=2, max_length=40)] | None = None
    days_from_epoch: ColumnName | None = None
    epoch: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.column, self.days_from_epoch, self.epoch]
        if sum(each is not None for each in given) != 1:
            raise ValueError("this needs exactly one of column, days_from_epoch, epoch; write one of the three")
        if self.layout is not None and self.column is None:
            raise ValueError("layout belongs to a column of dates; remove it")
        return self


class Codes(Word):
    """A column of local codes, and the concept of each.

    ``as_numbers`` compares codes as numbers, so that 1 and 1.0 are one. ``others``: what becomes of a row with a
    code that is not listed: ``quarantine`` it, ``skip`` this record, or ``zero``: record it with concept 0.
    """

    column: ColumnName
    codes: Annotated[dict[Annotated[str, Field(max_length=200)], ConceptId], Field(min_length=1, max_length=50_000)]
    as_numbers: bool = False
    others: Literal["quarantine", "skip", "zero"] = "quarantine"

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        if self.as_numbers:
            if not all(map(_is_number, self.codes)):
                raise PartError(((("codes",), "a code is no number; remove as_numbers or write numbers"),))
            if len(set(map(float, self.codes))) < len(self.codes):
                raise PartError(((("codes",), "two codes are the same number; keep one of them"),))
        return self


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip("0123456789.+-") == ""


class When(Word):
    """A condition on a column, which a row must fit to give the record. An empty column never fits."""

    column: ColumnName
    one_of: tuple[str, ...] = ()
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.one_of and not self.limits:
            raise ValueError("this condition says nothing; give one_of, at_least, above, at_most or below")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are given."""
        given = {"at_least": self.at_least, "above": self.above, "at_most": self.at_most, "below": self.below}
        return {name: limit for name, limit in given.items() if limit is not None}


class BirthYear(Word):
    """A year of birth: from a column, or the year of ``on`` less an age in full years."""

    column: ColumnName | None = None
    age: ColumnName | None = None
    on: Day | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.age is None) != (self.on is None):
            raise ValueError("age and on belong together; say on which day the age was taken")
        if (self.column is None) == (self.age is None):
            raise ValueError("this needs exactly one of column and age; write one of the two")
        return self


class PersonRecord(Word):
    """A person. Race and ethnicity are 0, not known, where they are not mapped."""

    sex: Codes
    birth_year: BirthYear
    race: Codes | None = None
    ethnicity: Codes | None = None


class PeriodRecord(Word):
    """A person's observation period.

    With ``first_event`` it begins with the person's first record of any kind where that is earlier than ``start`` or
    ``start`` is absent; likewise ``last_event`` and ``end``.
    """

    start: Day | None = None
    end: Day | None = None
    first_event: bool = False
    last_event: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.start is None and not self.first_event:
            raise ValueError("the period has no start; give start or first_event")
        if self.end is None and not self.last_event:
            raise ValueError("the period has no end; give end or last_event")
        return self


class EventRecord(Word):
    """A record of something that happened; the list that it stands in says which kind.

    Exactly one of ``concept`` and ``concept_from``. A row whose ``value`` or ``value_from`` column is empty gives no
    such record. ``date`` is that of the file where it is absent; ``end`` is the date where it is absent.
    """

    concept: ConceptId | None = None
    concept_from: Codes | None = None
    date: Day | None = None
    end: Day | None = None
    value: ColumnName | None = None
    value_from: Codes | None = None
    unit: ConceptId | None = None
    unit_from: Codes | None = None
    when: tuple[When, ...] = ()

    @model_validator(mode="after")
    def _one_concept(self) -> Self:
        if (self.concept is None) == (self.concept_from is None):
            raise ValueError("this needs exactly one of concept and concept_from; write one of the two")
        if self.unit is not None and self.unit_from is not None:
            raise ValueError("unit and unit_from exclude each other; remove one of them")
        return self

    @property
    def valued(self) -> bool:
        """Whether it speaks of a value or unit."""
        return any(each is not None for each in (self.value, self.value_from, self.unit, self.unit_from))


class DeathRecord(Word):
    """A person's death."""

    date: Day
    when: tuple[When, ...] = ()


Events = Annotated[tuple[EventRecord, ...], Field(max_length=MAX_RECORDS)]

EVENT_LISTS = {
    "visits": "visit_occurrence",
    "conditions": "condition_occurrence",
    "drugs": "drug_exposure",
    "procedures": "procedure_occurrence",
    "devices": "device_exposure",
    "measurements": "measurement",
    "observations": "observation",
}
"""The OMOP table of each list of a file."""


class SourceFile(Word):
    """One file, and what each of its rows gives. The one that gives persons gives their observation periods.

    ``file`` is its path inside the source, or absent where the source is one file. ``columns`` names its columns where
    it has no header line.
    """

    file: InsidePath | None = None
    separator: Literal[",", ";", "|", "tab"] = ","
    quotes: bool = True
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=5_000)] | None = None
    person_id: Id
    visit_id: Id | None = None
    date: Day | None = None
    person: PersonRecord | None = None
    observation_period: PeriodRecord | None = None
    death: DeathRecord | None = None
    visits: Events = ()
    conditions: Events = ()
    drugs: Events = ()
    procedures: Events = ()
    devices: Events = ()
    measurements: Events = ()
    observations: Events = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._event_problems(), *self._visit_problems()]
        if (self.observation_period is None) != (self.person is None):
            problems.append(((), "person and observation_period belong together; give both or neither"))
        if not (self.person or self.death or any(self.events.values())):
            problems.append(((), "its rows give no record; say what they give"))
        if problems:
            raise PartError(tuple(problems))
        return self

    def _event_problems(self) -> list[tuple[Part, str]]:
        found: list[tuple[Part, str]] = []
        for name, records in self.events.items():
            for number, record in enumerate(records):
                if record.date is None and self.date is None:
                    found.append(((name, number), "it has no date; give it one, or give the file one"))
                if record.valued and name not in ("measurements", "observations"):
                    found.append(((name, number), "values and units belong to measurements and observations; move it"))
                if record.end is not None and name in ("measurements", "observations"):
                    found.append(((name, number, "end"), "measurements and observations have no end; remove it"))
        return found

    def _visit_problems(self) -> list[tuple[Part, str]]:
        if not self.visits or (self.visit_id is not None and len(self.visits) == 1):
            return []
        return [(("visits",), "a row gives one visit at most, and needs a visit_id for it; add it to the file")]

    @property
    def events(self) -> dict[str, tuple[EventRecord, ...]]:
        """The lists of events, by their names."""
        return {name: getattr(self, name) for name in EVENT_LISTS}


class Only(Word):
    """Take only the rows whose whole number in ``column`` leaves ``remainder`` when divided by ``modulo``."""

    column: ColumnName
    modulo: Annotated[int, Field(ge=2, le=1_000)]
    remainder: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.remainder >= self.modulo:
            raise PartError(((("remainder",), "this never occurs; write a number below modulo"),))
        return self


class Mapping(Word):
    """A whole mapping file.

    ``record_type`` is the concept of OHDSI's vocabulary Type Concept that says what kind of record the source is.
    ``missing`` are the marks that stand for nothing, beside the empty field. Exactly one file gives persons.
    """

    vitrail: Literal["mapping/1"]
    origin: Declared
    epoch: CalendarDate | None = None
    record_type: ConceptId
    missing: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=100)] = ()
    only: Only | None = None
    files: Annotated[dict[Name, SourceFile], Field(min_length=1, max_length=MAX_FILES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [name.lower() for name in self.files]
        if len(set(names)) < len(names) or set(names) & set(VOCABULARY):
            raise PartError(
                ((("files",), "two files, or a file and a table of the vocabulary, have the same name; rename one"),)
            )
        if sum(file.person is not None for file in self.files.values()) != 1:
            raise PartError(((("files",), "exactly one file gives persons; add or remove a person"),))
        if sum(bool(file.visits) for file in self.files.values()) > 1:
            raise PartError(((("files",), "at most one file gives visits; remove the others"),))
        needs_epoch = any(each.epoch or each.days_from_epoch for each in _days(self))
        if needs_epoch and self.epoch is None:
            raise PartError(((("epoch",), "dates count from an epoch that is not given; write one"),))
        if len(self.files) > 1 and any(file.file is None for file in self.files.values()):
            raise PartError(((("files",), "one of several files has no path; add file"),))
        return self


def _days(word: Word) -> Iterator[Day]:
    """Every date that a word speaks of, at any depth."""
    for value in dict(word).values():
        if isinstance(value, Day):
            yield value
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        for part in parts:
            if isinstance(part, Word):
                yield from _days(part)
