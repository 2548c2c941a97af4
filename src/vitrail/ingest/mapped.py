"""From a mapping file's words to the records that each row of a file gives."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.extract import Columns
from vitrail.ingest.fields import WANTED, date, date_by, days_from, number, parsed, whole
from vitrail.ingest.mapping import (
    EVENT_LISTS,
    BirthYear,
    Codes,
    Day,
    DeathRecord,
    EventRecord,
    Id,
    Mapping,
    PeriodRecord,
    PersonRecord,
    SourceFile,
    When,
)
from vitrail.ingest.reading import Staged
from vitrail.ingest.records import ROWS, Field, Lookup, Record
from vitrail.omop.sql import Node, all_of, any_of, column, sql, table
from vitrail.omop.tables import TABLES, Table

LEFT_OUT = "left out by `only`"


@dataclass(frozen=True)
class Value:
    """What a mapping says of one column: its value, the text it is made of, and what is wrong where that is lost.

    ``applies`` is a condition for the record as a whole.
    """

    value: Node
    text: Node | None = None
    complaint: str = ""
    applies: Node | None = None


@dataclass
class Compiler:
    """Makes the records of one file, and collects the code lists in which they look up its columns.

    ``lists`` is that of all files. ``first`` is how many records the files before have: the key of an event is its
    row's number times ``of`` (the records of all files) plus its record's number, so that keys are unique and in the
    file's order.
    """

    mapping: Mapping
    name: str
    file: SourceFile
    staged: Staged
    path: Path
    columns: Columns
    first: int
    of: int
    lists: dict[str, Codes]
    lookups: list[Lookup] = field(default_factory=list)

    def records(self) -> list[Record]:
        """All records of the file, in the order of the words that it may have."""
        records = list(self._records())
        records[0] = replace(records[0], checks=(*self._only(), *records[0].checks))
        return records

    def _records(self) -> Iterator[Record]:
        ordinal = self.first
        if self.file.person is not None:
            yield self._record("person", self._person(self.file.person), [])
        if self.file.observation_period is not None:
            yield self._period(self.file.observation_period)
        if self.file.death is not None:
            yield self._death(self.file.death)
        for name, events in self.file.events.items():
            for event in events:
                yield self._event(TABLES[EVENT_LISTS[name]], event, ordinal)
                ordinal += 1

    def text(self, name: str) -> Node:
        """A column. Raises SourceError where the file has no such column."""
        if name not in self.staged.columns:
            raise SourceError(
                f"The mapping's file '{self.name}' speaks of the column '{name}', which {self.path} does not have.",
                "Write the column's name as the file has it; capital letters count.",
            )
        return column(name, ROWS)  # with its table, for the code lists that it is looked up in have columns too

    def _only(self) -> list[tuple[Node, str]]:
        only = self.mapping.only
        if only is None:
            return []
        text = self.text(only.column)
        rest = sql("((:n % :m) + :m) % :m", n=exp.paren(whole(text)), m=only.modulo)
        return [
            (sql("(:n) IS NULL", n=whole(text)), f"{only.column} is not a whole number"),
            (sql("(:rest) <> :r", rest=rest, r=only.remainder), LEFT_OUT),
        ]

    def _record(self, name: str, values: dict[str, Value], conditions: list[Node]) -> Record:
        """A record of the table ``name``; its conditions are those given and those that its values bring."""
        known = {each.name: each for each in self.columns[name]}
        values = {"person_id": self._id(self.file.person_id), **values}
        fields = [
            Field(known[each], value.value, value.text, value.complaint)
            for each, value in values.items()
            if each in known
        ]
        conditions = [*conditions, *(value.applies for value in values.values() if value.applies is not None)]
        return Record(TABLES[name], tuple(fields), all_of(conditions))

    def _person(self, person: PersonRecord) -> dict[str, Value]:
        return {
            "gender_concept_id": self._concept(person.sex),
            "year_of_birth": self._birth_year(person.birth_year),
            "race_concept_id": self._concept(person.race) if person.race else _constant(0),
            "ethnicity_concept_id": self._concept(person.ethnicity) if person.ethnicity else _constant(0),
        }

    def _birth_year(self, year: BirthYear) -> Value:
        if year.column is not None:
            return self._number_of(year.column, "int")
        if year.age is None or year.on is None:
            raise SourceError("The mapping has a year of birth without an age.", "Check the mapping again.")
        text, on = self.text(year.age), self._day(year.on)
        age = sql("CASE WHEN :n BETWEEN 0 AND 150 THEN :n END", n=number(text))
        value = sql("year(:d) - CAST(floor(:a) AS INTEGER)", d=on.value, a=age)
        return Value(value, text, f"{year.age} is not an age in years")

    def _period(self, period: PeriodRecord) -> Record:
        start = self._day(period.start) if period.start else _absent("DATE")
        end = self._day(period.end) if period.end else _absent("DATE")
        record = self._record(
            "observation_period",
            {
                "observation_period_id": Value(sql("cleaned.rowid + 1")),
                "observation_period_start_date": start,
                "observation_period_end_date": end,
                "period_type_concept_id": _constant(self.mapping.record_type),
            },
            [],
        )
        widened = {
            "observation_period_start_date": period.first_event,
            "observation_period_end_date": period.last_event,
        }
        return replace(record, fields=tuple(_optional(each, widened) for each in record.fields))

    def _death(self, death: DeathRecord) -> Record:
        conditions, checks = self._conditions(death.when)
        values = {"death_date": self._day(death.date), "death_type_concept_id": _constant(self.mapping.record_type)}
        return replace(self._record("death", values, conditions), checks=tuple(checks))

    def _event(self, of: Table, event: EventRecord, ordinal: int) -> Record:
        values = {of.key: self._key(ordinal), **self._what(of, event), **self._when(of, event)}
        if self.file.visit_id is not None:
            values["visit_occurrence_id"] = self._id(self.file.visit_id)
        conditions, checks = self._conditions(event.when)
        return replace(self._record(of.name, values, conditions), checks=tuple(checks))

    def _key(self, ordinal: int) -> Value:
        return Value(sql("cleaned.rowid * :of + :n", of=self.of, n=ordinal))

    def _what(self, of: Table, event: EventRecord) -> dict[str, Value]:
        """The columns that say what happened."""
        values: dict[str, Value] = {}
        if of.concept is not None:
            concept = self._concept(event.concept_from) if event.concept_from else _constant(event.concept)
            values[of.concept] = concept if event.concept_from is None else _needed(concept)
            values[f"{of.concept.removesuffix('_concept_id')}_type_concept_id"] = _constant(self.mapping.record_type)
        if event.value is not None:
            values["value_as_number"] = _needed(self._number_of(event.value, "float"))
        if event.value_from is not None:
            values["value_as_concept_id"] = _needed(self._concept(event.value_from))
        if event.unit is not None or event.unit_from is not None:
            values["unit_concept_id"] = self._concept(event.unit_from) if event.unit_from else _constant(event.unit)
        return values

    def _when(self, of: Table, event: EventRecord) -> dict[str, Value]:
        """The columns that say when it happened. An end that OMOP requires is the start where none is given."""
        day = event.date or self.file.date
        if of.start is None or day is None:
            return {}
        values = {of.start: self._day(day)}
        end = of.column(of.end) if of.end else None
        if end is not None and (event.end is not None or end.required):
            values[end.name] = self._day(event.end or day)
        return values

    def _id(self, of: Id) -> Value:
        if of.column is None:
            return Value(sql("cleaned.rowid + 1"))
        text = self.text(of.column)
        if of.text:
            return Value(hashed(text), text)
        return Value(parsed(text, "id"), text, f"{of.column} is not {WANTED['id']}")

    def _number_of(self, name: str, kind: str) -> Value:
        text = self.text(name)
        if kind == "int":
            return Value(parsed(text, "int"), text, f"{name} is not {WANTED['int']}")
        return Value(parsed(text, "float"), text, f"{name} is not {WANTED['float']}")

    def _day(self, day: Day) -> Value:
        if day.column is not None:
            text = self.text(day.column)
            value = date_by(day.layout, text) if day.layout else date(text)
            return Value(value, text, f"{day.column} is not a date")
        if day.days_from_epoch is None:
            return Value(sql("CAST(:e AS DATE)", e=self.mapping.epoch))
        text = self.text(day.days_from_epoch)
        value = days_from(str(self.mapping.epoch), text)
        return Value(value, text, f"{day.days_from_epoch} is not a number of days")

    def _concept(self, codes: Codes) -> Value:
        text = self.text(codes.column)
        name = f"code list {len(self.lists) + 1}"
        self.lists[name] = codes
        if codes.as_numbers:
            same = sql(":c = :n", c=column("number", name), n=number(text))
        else:
            same = sql(":c = :v", c=column("code", name), v=text)
        self.lookups.append(Lookup(table(name, "lookup"), same))
        found = column("concept", name)
        if codes.others == "zero":
            return Value(sql("CASE WHEN :v IS NOT NULL THEN coalesce(:f, 0) END", v=text, f=found), text)
        if codes.others == "skip":
            return Value(found, applies=sql("(:f) IS NOT NULL", f=found))
        return Value(found, text, f"{codes.column} has a code that the mapping does not list")

    def _conditions(self, when: tuple[When, ...]) -> tuple[list[Node], list[tuple[Node, str]]]:
        conditions, checks = [], []
        for each in when:
            text = self.text(each.column)
            if each.one_of:
                conditions.append(any_of([sql("(:v) = :t", v=text, t=word) for word in each.one_of]))
            for limit, bound in each.limits.items():
                conditions.append(sql(_LIMITS[limit], n=number(text), b=bound))
            if each.limits:
                lost = sql("(:v) IS NOT NULL AND (:n) IS NULL", v=text, n=number(text))
                checks.append((lost, f"{each.column} is not {WANTED['float']}"))
        return conditions, checks


def hashed(text: Node) -> Node:
    """60 bits of a text's SHA-256, for ids that are no numbers; :mod:`vitrail.ingest.csv_files` looks for clashes."""
    return sql("CAST(('0x' || left(sha256(:v), 15)) AS BIGINT)", v=text)


_LIMITS = {"at_least": "(:n) >= :b", "above": "(:n) > :b", "at_most": "(:n) <= :b", "below": "(:n) < :b"}


def _constant(value: int | None) -> Value:
    return Value(sql(":v", v=value))


def _absent(kind: str) -> Value:
    return Value(sql(f"CAST(NULL AS {kind})"))


def _needed(value: Value) -> Value:
    """The record is not given where the text of the value is missing."""
    if value.applies is not None or value.text is None:
        return value
    return replace(value, applies=sql("(:t) IS NOT NULL", t=value.text))


def _optional(bound: Field, widened: dict[str, bool]) -> Field:
    """A bound of an observation period that the person's events may give needs none of its own."""
    return replace(bound, column=replace(bound.column, required=not widened.get(bound.column.name, False)))
