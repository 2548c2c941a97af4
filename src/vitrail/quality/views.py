"""What the quality page shows, from a manifest and the loads so far."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vitrail.omop.snapshot import Check, Manifest
from vitrail.omop.tables import TABLES, VOCABULARY
from vitrail.quality.history import Loaded, key
from vitrail.quality.meaning import MEANINGS, Category, Meaning, meaning

GAP = "\u00a0"  # a space at which no line breaks
WORST = {"hard": 0, "failed": 1, "passed": 2, "measured": 3, "not applicable": 4}
"""How a pane looks where several checks share it: as the worst of them."""


def percent(share: float) -> str:
    """A share of 1 as a percentage; what is more than nothing never reads as nothing, nor less than all as all."""
    if 0 < share < 0.0001:
        return f"<{GAP}0.01{GAP}%"
    if 0.9995 <= share < 1:
        return f">{GAP}99.9{GAP}%"
    places = 2 if share < 0.1 else 1
    return f"{100 * share:.{places}f}".rstrip("0").rstrip(".") + f"{GAP}%"


def share(of: Check) -> float:
    """The share of a check's rows that violate it."""
    return of.violations / of.rows if of.rows else 0.0


def place(of: Check) -> str:
    """Where a check looks, below its table."""
    what = of.field or "the table"
    if of.name == "isForeignKey":
        column = TABLES[of.table].column(what) if of.table in TABLES else None
        what = f"{what} → {column.references}" if column is not None else what
    concept = "" if of.concept is None else f", concept {of.concept}"
    return what + concept + ("" if of.unit is None else f" in unit {of.unit}")


def _whole_place(of: Check) -> str:
    """Where a check looks, its table with it."""
    return of.table if of.field is None else f"{of.table}.{place(of)}"


def look(of: Check) -> str:
    """The outcome of a check, or ``hard`` where it failed and is."""
    return "hard" if of.outcome == "failed" and of.hard else of.outcome


def outcomes(checks: Sequence[Check]) -> dict[str, int]:
    """How many checks came out how."""
    found = Counter(look(each) for each in checks)
    return {name: found[name] for name in WORST}


@dataclass(frozen=True)
class Failure:
    """A check that failed, and what of it was there before: its share then, or None where it did not fail."""

    check: Check
    share: float
    since: str


@dataclass(frozen=True)
class Failures:
    """The failures of one type of check, the worst first."""

    meaning: Meaning
    hard: bool
    rows: tuple[Failure, ...]


def failures(checks: Sequence[Check], before: Sequence[Check] | None) -> tuple[Failures, ...]:
    """What failed, by type of check: hard ones first, then in the order of the categories."""
    earlier = {key(each): each for each in before or ()}
    found: dict[str, list[Failure]] = {}
    for each in sorted(
        (each for each in checks if each.outcome == "failed"), key=lambda each: (not each.hard, -share(each))
    ):
        since = "" if before is None else _since(each, earlier.get(key(each)))
        found.setdefault(each.name, []).append(Failure(each, share(each), since))
    groups = [Failures(meaning(name), any(row.check.hard for row in rows), tuple(rows)) for name, rows in found.items()]
    order = list(MEANINGS)
    return tuple(sorted(groups, key=lambda each: (not each.hard, order.index(each.meaning.name)
                                                  if each.meaning.name in order else len(order))))  # fmt: skip


def _since(now: Check, before: Check | None) -> str:
    """How a failure compares with the snapshot before."""
    if before is None or before.outcome != "failed":
        return "new"
    difference = share(now) - share(before)
    if abs(difference) < 0.0005:
        return "as before"
    return f"{'up' if difference > 0 else 'down'} from {percent(share(before))}"


def grouped(checks: Iterable[Check]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Checks by name, each with its places."""
    found: dict[str, list[str]] = {}
    for each in checks:
        found.setdefault(each.name, []).append(_whole_place(each))
    return tuple((name, tuple(places)) for name, places in found.items())


@dataclass(frozen=True)
class Pane:
    """All checks of one type of one table: how the worst came out, and how many failed of those that could."""

    look: str
    failed: int
    applicable: int


@dataclass(frozen=True)
class Line:
    """A table of the snapshot: its rows and a pane for each type of check, None where the type does not look at it."""

    table: str
    rows: int
    panes: tuple[Pane | None, ...]


@dataclass(frozen=True)
class Glass:
    """Tables down, types of checks across, by category."""

    heads: tuple[tuple[Category, tuple[str, ...]], ...]
    lines: tuple[Line, ...]
    empty: tuple[str, ...]


def glass(manifest: Manifest) -> Glass:
    """Every check at one glance. Tables without records are only named."""
    cells: dict[tuple[str, str], list[Check]] = {}
    for each in manifest.checks:
        cells.setdefault((each.table, each.name), []).append(each)
    tables = {each.table: each.rows for each in manifest.files if each.table not in VOCABULARY}
    names = [each for each in MEANINGS.values() if any((table, each.name) in cells for table in tables)]
    heads = {each.category: tuple(other.name for other in names if other.category == each.category) for each in names}
    lines = [
        Line(table, rows, tuple(_pane(cells.get((table, name), ())) for group in heads.values() for name in group))
        for table, rows in tables.items()
        if rows
    ]
    return Glass(tuple(heads.items()), tuple(lines), tuple(table for table, rows in tables.items() if not rows))


def _pane(checks: Sequence[Check]) -> Pane | None:
    if not checks:
        return None
    applicable = sum(each.outcome != "not applicable" for each in checks)
    return Pane(min((look(each) for each in checks), key=WORST.__getitem__),
                sum(each.outcome == "failed" for each in checks), applicable)  # fmt: skip


def gaps(checks: Sequence[Check]) -> tuple[tuple[str, tuple[tuple[str, float, int], ...]], ...]:
    """How much of each field that OMOP does not require is there: by table, (field, share, rows of the table)."""
    found: dict[str, list[tuple[str, float, int]]] = {}
    for each in checks:
        if each.name == "measureValueCompleteness" and each.rows:
            found.setdefault(each.table, []).append((str(each.field), 1 - share(each), each.rows))
    return tuple((table, tuple(sorted(fields, key=lambda row: -row[1]))) for table, fields in found.items())


@dataclass(frozen=True)
class SourceFile:
    """A file of the source: its rows, those loaded, and why the others were not: (reason, rows, first row)."""

    name: str
    rows_in: int
    loaded: int
    reasons: tuple[tuple[str, int, int | None], ...]


def quarantine(manifest: Manifest) -> tuple[SourceFile, ...]:
    """What became of every row of the source, the file that lost the most first."""
    found = []
    for name, rows in manifest.rows_in.items():
        own = sorted((each for each in manifest.quarantined if each.source == name), key=lambda each: -each.rows)
        reasons = tuple((each.reason, each.rows, each.first_row) for each in own)
        found.append(SourceFile(name, rows, manifest.rows_loaded.get(name, 0), reasons))
    return tuple(sorted(found, key=lambda file: file.loaded - file.rows_in))


def not_applicable(manifest: Manifest) -> tuple[tuple[str, int], ...]:
    """Why checks were not applicable, with how many of them."""
    rows = {each.table: each.rows for each in manifest.files}
    found: Counter[str] = Counter()
    for each in manifest.checks:
        if each.outcome == "not applicable":
            found[_why(each, rows, manifest)] += 1
    return tuple(found.most_common())


def _why(of: Check, rows: dict[str, int], manifest: Manifest) -> str:
    if not rows.get(of.table, 0):
        return "the table has no records"
    vocabulary = {"fkDomain", "fkClass", "isStandardValidConcept"}
    if (of.name in vocabulary or (of.name == "isForeignKey" and "concept" in str(of.field))) and not rows.get(
        "concept"
    ):
        return "there is no vocabulary"
    if of.name in ("plausibleValueLow", "plausibleValueHigh") and manifest.calendar != "true" and of.concept is None:
        return "the days were moved, so they cannot be held against the calendar; or the field is empty"
    if of.concept is None and of.name in (
        "plausibleGender",
        "plausibleGenderUseDescendants",
        "plausibleUnitConceptIds",
    ):
        return "no record has one of the concepts that the check knows"
    return "no record has a value to check"


@dataclass(frozen=True)
class Trend:
    """One load beside the one before it."""

    load: Loaded
    records: int
    change: int | None
    quarantined: float | None


def trends(loads: Sequence[Loaded]) -> tuple[Trend, ...]:
    """Every load, the latest first."""
    found: list[Trend] = []
    for each in loads:
        records = sum(rows for table, rows in each.rows.items() if table not in VOCABULARY)
        lost = each.quarantined / each.rows_in if each.rows_in else None
        found.append(Trend(each, records, records - found[-1].records if found else None, lost))
    return tuple(reversed(found))
