"""The in-memory engine's records: rows of OMOP tables as events, observation periods, persons and concepts.

What the words leave open is settled here, the same for every engine:

* A record without a person or a start date is no event. A number that is not finite is a missing number.
* An event ends on its recorded end. Where none is recorded, a condition, device, procedure, measurement, observation,
  specimen or death ends on the day after its start; a drug after its ``days_supply``, where there is none on the day
  after; all others on the day they start. (circe-be's default ends. It does not look at ``procedure_end_date``.)
* A death's id is its person's id, and its concept is the cause of death. The concept of an observation period is its
  type.
* Where observation periods of one person overlap, an event belongs to the one that contains its start and itself
  starts earliest; of those that start alike, to the one that ends last.
* Of two ``person`` rows of one person, the earlier year of birth counts, and each sex, race and ethnicity that one of
  them has. The same holds of two rows of one provider, care site or visit.
* Concept id 0 ("no matching concept") is in a concept set only where that names it. A concept is its own descendant,
  whether or not ``concept_ancestor`` says so. Where a site has a vocabulary (rows of ``concept``), a concept that is
  not in it is in no concept set, and an invalid one only where it is named itself. (circe-be's concept sets.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from vitrail.omop.attributes import TABLE
from vitrail.omop.tables import TABLES
from vitrail.study.attributes import DOMAINS, Domain
from vitrail.study.concepts import ConceptItem, ConceptSet

Records = Sequence[Mapping[str, object]]
"""The rows of one OMOP table, by column; a column may be missing."""

_NEXT_DAY = ("condition", "drug", "device", "procedure", "measurement", "observation", "specimen", "death")
"""The domains whose events end on the day after their start, where the record says nothing else."""
_UNENDED = ("procedure", "measurement", "observation", "specimen", "death")
"""The domains whose records do not say when an event ended."""


@dataclass(frozen=True)
class Occurrence:
    """One event of one person. Days are ordinals: day 1 is 0001-01-01."""

    person: int
    start: int
    end: int
    domain: Domain
    id: int
    concept: int | None = None
    visit: int | None = None
    record: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Which of one person's events comes first."""
        return self.start, *self.tie

    @property
    def tie(self) -> tuple[int, int, int]:
        """Which of one person's events of one day comes first."""
        return self.id, DOMAINS.index(self.domain), self.end


@dataclass(frozen=True)
class Period:
    """An observation period; both ends are days of it."""

    start: int
    end: int

    def contains(self, day: int) -> bool:
        """Whether ``day`` is a day of the period."""
        return self.start <= day <= self.end


class Site:
    """OMOP tables by name, each a sequence of rows; a missing table is empty. Nothing is changed."""

    def __init__(self, tables: Mapping[str, Records]) -> None:
        self._tables = tables
        self.occurrences = cache(self._occurrences)
        self._grouped = cache(self._group)
        self._periods = cache(self._read_periods)

    def table(self, name: str) -> Records:
        """The rows of a table."""
        return self._tables.get(name, ())

    def lacks(self, table: str, column: str) -> bool:
        """Whether a table has rows, and none with a column."""
        rows = self.table(table)
        return bool(rows) and not any(column in row for row in rows)

    def _occurrences(self, domain: Domain) -> list[Occurrence]:
        """All events of a domain."""
        read = (occurrence(domain, record) for record in self.table(TABLE[domain]))
        return [each for each in read if each is not None]

    def _group(self, table: str, column: str) -> dict[int | None, list[Mapping[str, object]]]:
        """A table's rows by the whole number in a column."""
        found: dict[int | None, list[Mapping[str, object]]] = {}
        for row in self.table(table):
            found.setdefault(integer(row, column), []).append(row)
        return found

    def period(self, person: int, day: int) -> Period | None:
        """The observation period that an event of that day belongs to."""
        containing = [period for period in self._periods(person) if period.contains(day)]
        return min(containing, key=lambda period: (period.start, -period.end), default=None)

    def _read_periods(self, person: int) -> list[Period]:
        found = [
            (ordinal(row, "observation_period_start_date"), ordinal(row, "observation_period_end_date"))
            for row in self._grouped("observation_period", "person_id").get(person, [])
        ]
        return [Period(start, end) for start, end in found if start is not None and end is not None]

    def of_person(self, person: int, column: str) -> set[int]:
        """What the person's rows in ``person`` hold in a column."""
        return self._held("person", "person_id", person, column)

    def born(self, person: int) -> int | None:
        """The person's year of birth."""
        return min(self.of_person(person, "year_of_birth"), default=None)

    def specialties(self, each: Occurrence) -> set[int]:
        """The specialty of the provider of an event."""
        return self._held("provider", "provider_id", integer(each.record, "provider_id"), "specialty_concept_id")

    def places(self, each: Occurrence) -> set[int]:
        """The place of service of the care site of an event."""
        key = integer(each.record, "care_site_id")
        return self._held("care_site", "care_site_id", key, "place_of_service_concept_id")

    def visits(self, each: Occurrence) -> set[int]:
        """The concept of the visit of an event."""
        key = integer(each.record, "visit_occurrence_id")
        return self._held("visit_occurrence", "visit_occurrence_id", key, "visit_concept_id", each.person)

    def _held(self, table: str, key: str, value: int | None, column: str, person: int | None = None) -> set[int]:
        """What rows of a table hold in ``column``: those whose key is ``value``, and of that person if one is given."""
        rows = [] if value is None else self._grouped(table, key).get(value, [])
        mine = [row for row in rows if person is None or integer(row, "person_id") == person]
        return {held for row in mine if (held := integer(row, column)) is not None}

    # Concept sets

    def members(self, concept_set: ConceptSet) -> frozenset[int]:
        """The concepts of a concept set."""
        included = {concept for item in concept_set.concepts if not item.exclude for concept in self._taken(item)}
        excluded = {concept for item in concept_set.concepts if item.exclude for concept in self._taken(item)}
        return frozenset(included - excluded)

    def _taken(self, item: ConceptItem) -> set[int]:
        """The concepts that an item takes in, or out."""
        known = self._grouped("concept", "concept_id")
        taken = {item.concept} if item.concept in known or not known else set()
        if item.descendants:
            below = self._grouped("concept_ancestor", "ancestor_concept_id").get(item.concept, [])
            found = {concept for row in below if (concept := integer(row, "descendant_concept_id")) is not None}
            taken |= {concept for concept in found if self._valid(concept)}
        if item.mapped:
            taken |= {concept for each in taken for concept in self._mapped_to(each)}
        return taken

    def _valid(self, concept: int) -> bool:
        known = self._grouped("concept", "concept_id")
        return not known or any(row.get("invalid_reason") is None for row in known.get(concept, []))

    def _mapped_to(self, concept: int) -> set[int]:
        """The concepts that map to a concept."""
        rows = self._grouped("concept_relationship", "concept_id_2").get(concept, [])
        valid = [row for row in rows if row.get("relationship_id") == "Maps to" and row.get("invalid_reason") is None]
        return {found for row in valid if (found := integer(row, "concept_id_1")) is not None}


def occurrence(domain: Domain, record: Mapping[str, object]) -> Occurrence | None:
    """The event that a record of a domain's table tells, or None where it lacks person or start."""
    table = TABLES[TABLE[domain]]
    concept = "period_type_concept_id" if domain == "observation_period" else str(table.concept)
    person, start = integer(record, "person_id"), ordinal(record, str(table.start))
    if person is None or start is None:
        return None
    end = None if domain in _UNENDED else ordinal(record, str(table.end))
    return Occurrence(
        person, start, _default_end(domain, record, start) if end is None else end, domain,
        id=integer(record, table.key) or 0,
        concept=integer(record, concept),
        visit=integer(record, "visit_occurrence_id"),
        record=record,
    )  # fmt: skip


def _default_end(domain: Domain, record: Mapping[str, object], start: int) -> int:
    supply = integer(record, "days_supply") if domain == "drug" else None
    if supply is not None:
        return start + supply
    return start + (domain in _NEXT_DAY)


def integer(record: Mapping[str, object], column: str) -> int | None:
    """The whole number in a column."""
    value = record.get(column)
    return None if value is None else int(value)  # type: ignore[call-overload]


def number(record: Mapping[str, object], column: str) -> float | None:
    """The finite number in a column."""
    value = record.get(column)
    return None if value is None or not math.isfinite(value) else float(value)  # type: ignore[arg-type]


def text(record: Mapping[str, object], column: str) -> str | None:
    """The text in a column."""
    value = record.get(column)
    return None if value is None else str(value)


def ordinal(record: Mapping[str, object], column: str) -> int | None:
    """The day in a column that holds a date."""
    value = record.get(column)
    return value.toordinal() if isinstance(value, date) else None
