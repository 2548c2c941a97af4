"""Plausibility of single concepts: is the person of the gender, the value in the unit and range, that go with it?

A concept that no record has is not listed; a type of check none of whose concepts are there is not applicable.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vitrail.omop.snapshot import Check
from vitrail.omop.sql import column, run, sql, table
from vitrail.omop.tables import TABLES
from vitrail.quality.check import judged
from vitrail.quality.cut import Cut
from vitrail.quality.limits import Plausible, plausible

NO_UNIT = -1
"""Stands among plausible units for none (DQD plausibleUnitConceptIds)."""

Checks = Sequence[Check]


def checks(of: Cut) -> Iterator[Check]:
    """plausibleGender, plausibleGenderUseDescendants, plausibleUnitConceptIds, and ranges in a unit."""
    asked: dict[tuple[str, str], list[Plausible]] = defaultdict(list)
    for each in plausible():
        asked[each.check, each.table].append(each)
    for (check, name), wanted in asked.items():
        found = [each for each in _TYPES[check](of, name, wanted) if each.rows]
        yield from found or [judged(check, name, 0, 0, field=TABLES[name].concept)]


def _genders(of: Cut, name: str, asked: Sequence[Plausible]) -> Iterator[Check]:
    """Of the records of a concept, or of one below it, those of persons of another gender."""
    concept = str(TABLES[name].concept)
    if not of.filled(name, concept, "person_id") or not of.filled("person", "person_id", "gender_concept_id"):
        return
    below = asked[0].check == "plausibleGenderUseDescendants"
    found = _by_gender(of, name, concept, _members(of, asked, below))
    for each in asked:
        counts = found[each.concept]
        right = counts.get(int(each.value), 0)
        yield _judged(each, sum(counts.values()), sum(counts.values()) - right)


def _members(of: Cut, asked: Sequence[Plausible], below: bool) -> list[tuple[int, int]]:
    """Each concept asked for, with itself; with all concepts below it where ``below``."""
    if not below:
        return [(each.concept, each.concept) for each in asked]
    if not of.filled("concept_ancestor", "ancestor_concept_id", "descendant_concept_id"):
        return []
    return _only(of, [(each.concept, each.concept) for each in asked],
        "SELECT DISTINCT m.asked, a.descendant_concept_id FROM snapshot.concept_ancestor AS a"
        " JOIN quality.members AS m ON m.concept = a.ancestor_concept_id")  # fmt: skip


def _by_gender(of: Cut, name: str, concept: str, members: Sequence[tuple[int, int]]) -> Mapping[int, Mapping[int, int]]:
    """By the concept asked for and the gender of the person, the number of records."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    rows = _only(of, members,
        "SELECT m.asked, coalesce(p.gender_concept_id, 0), count(*) FROM :t AS t"
        " JOIN quality.members AS m ON m.concept = :c"
        " JOIN snapshot.person AS p ON p.person_id = t.person_id GROUP BY 1, 2",
        t=table(name, "snapshot"), c=column(concept, "t"))  # fmt: skip
    for asked, gender, count in rows:
        found[int(asked)][int(gender)] = int(count)
    return found


def _only(of: Cut, members: Sequence[tuple[int, int]], query: str, **parts: Any) -> list[tuple[Any, ...]]:
    """The rows of a query that joins ``quality.members``."""
    run(of.db, "CREATE OR REPLACE TABLE quality.members (asked BIGINT, concept BIGINT)")
    of.db.execute(
        "INSERT INTO quality.members SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])",
        [[asked for asked, _ in members], [concept for _, concept in members]],
    )
    return run(of.db, query, **parts)


def _units(of: Cut, name: str, asked: Sequence[Plausible]) -> Iterator[Check]:
    """Of the records of a concept, those with a unit that it cannot have; none, and concept 0, are not judged."""
    concept = str(TABLES[name].concept)
    if not of.filled(name, concept, "unit_concept_id"):
        return
    found: dict[int, dict[int | None, int]] = defaultdict(dict)
    rows = _only(of, [(each.concept, each.concept) for each in asked],
        "SELECT m.asked, t.unit_concept_id, count(*) FROM :t AS t JOIN quality.members AS m ON m.concept = :c"
        " WHERE t.unit_concept_id IS DISTINCT FROM 0 GROUP BY 1, 2",
        t=table(name, "snapshot"), c=column(concept, "t"))  # fmt: skip
    for concept_id, unit, count in rows:
        found[concept_id][unit] = count
    for each in asked:
        counts, units = found[each.concept], {int(unit) for unit in each.value.split()} - {NO_UNIT}
        wrong = sum(count for unit, count in counts.items() if unit is not None and unit not in units)
        yield _judged(each, sum(counts.values()), wrong)


def _ranges(of: Cut, name: str, asked: Sequence[Plausible]) -> Iterator[Check]:
    """Of the values of a concept in a unit, those beyond an end of its plausible range."""
    concept = str(TABLES[name].concept)
    if not of.filled(name, concept, "unit_concept_id", "value_as_number"):
        return
    beyond = "t.value_as_number < r.value" if asked[0].check == "plausibleValueLow" else "t.value_as_number > r.value"
    run(of.db, "CREATE OR REPLACE TABLE quality.ranges (concept BIGINT, unit BIGINT, value DOUBLE)")
    of.db.executemany(
        "INSERT INTO quality.ranges VALUES (?, ?, ?)", [(each.concept, each.unit, float(each.value)) for each in asked]
    )
    rows = run(of.db,
        "SELECT r.concept, r.unit, count(t.value_as_number), count_if(:beyond) FROM :t AS t"
        " JOIN quality.ranges AS r ON r.concept = :c AND r.unit = t.unit_concept_id GROUP BY 1, 2",
        beyond=sql(beyond), t=table(name, "snapshot"), c=column(concept, "t"))  # fmt: skip
    found = {(int(concept), int(unit)): (int(count), int(bad)) for concept, unit, count, bad in rows}
    for each in asked:
        yield _judged(each, *found.get((each.concept, each.unit or 0), (0, 0)))


def _judged(of: Plausible, rows: int, violations: int) -> Check:
    field = TABLES[of.table].concept
    return judged(of.check, of.table, rows, violations, of.share, field=field, concept=of.concept, unit=of.unit)


_TYPES = {
    "plausibleGender": _genders,
    "plausibleGenderUseDescendants": _genders,
    "plausibleUnitConceptIds": _units,
    "plausibleValueLow": _ranges,
    "plausibleValueHigh": _ranges,
}
