"""What arithmetic can derive from a Release: integer programming over everything that it prints.

The attacker has the Release, knows the study and the policy, and knows which numbers are parts of which. A count that
is printed as v is some integer that rounds to v; a suppressed one is any. For every count that was not printed, for the
difference of each two that are nested, and for the sum of what each table suppresses, the least and the largest value
that fits everything are found. It shares no code with the rules that it attacks.

Of a number with few values, known to the attacker, mean and standard deviation are sums over the people with each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, lil_array

from vitrail.errors import VitrailError
from vitrail.study.release import (
    SUPPRESSED,
    Attrition,
    Calibration,
    Count,
    CountTable,
    Discrimination,
    Estimate,
    Moments,
    Rate,
    Release,
    RiskBins,
    Thresholds,
)

Name = tuple[str | float, ...]
"""Which count it is, e.g. ``("cell", "diabetes", "persons", "sex", "female")``."""

LARGEST = 10**7
"""No site has more people: where a programme needs a bound."""


@dataclass(frozen=True)
class Range:
    """The least and the largest value that fits everything that was released."""

    low: int
    high: int

    def within(self, low: int, high: int) -> bool:
        """Whether every value that fits lies between ``low`` and ``high``."""
        return low <= self.low and self.high <= high


@dataclass
class Knowledge:
    """Integers with bounds, and which of them add up to which; ``precision`` is what printed counts are rounded to."""

    precision: int
    bounds: dict[Name, tuple[int, int]] = field(default_factory=dict)
    sums: list[tuple[Name, tuple[Name, ...]]] = field(default_factory=list)

    def count(self, name: Name, printed: Count | None = None) -> Name:
        """A count, printed, suppressed or (None) not mentioned."""
        low, high = self.bounds.get(name, (0, LARGEST))
        if printed is not None and printed != SUPPRESSED:
            blur = (self.precision - 1) // 2 if printed else 0
            low, high = max(low, printed - blur), min(high, printed + blur)
        self.bounds[name] = (low, high)
        return name

    def adds_up(self, whole: Name, *parts: Name) -> None:
        """The parts add up to the whole."""
        for name in (whole, *parts):
            self.count(name)
        self.sums.append((whole, parts))

    def contains(self, whole: Name, part: Name) -> None:
        """One count is a part of another; the rest is a count too."""
        self.adds_up(whole, part, ("rest", *whole, "less", *part))

    def ranges(self, wanted: Sequence[Name] | None = None) -> dict[Name, Range]:
        """The range of each count in ``wanted``; of all where it is not given.

        Raises VitrailError where what is printed does not add up.
        """
        names = list(self.bounds)
        place = {name: column for column, name in enumerate(names)}
        matrix = lil_array((len(self.sums), len(names)))
        for row, (whole, parts) in enumerate(self.sums):
            for name, sign in ((whole, -1), *((part, 1) for part in parts)):
                matrix[row, place[name]] += sign
        rules = LinearConstraint(csr_array(matrix), 0, 0) if self.sums else ()
        low, high = np.array([self.bounds[name] for name in names], dtype=float).reshape(-1, 2).T
        least = {
            (name, sign): _least(rules, Bounds(low, high), place[name], sign)
            for name in (names if wanted is None else wanted)
            for sign in (1, -1)
        }
        return {name: Range(least[name, 1], -least[name, -1]) for name, sign in least if sign == 1}


def people_by_value(moments: Moments, values: Sequence[float], rounding: int, digits: int) -> tuple[Range, ...]:
    """How many people may have each of the ``values`` of a number, given its count, mean and SD as printed.

    With deviations from the printed mean, what the two say is linear in the numbers of people, their sum included.
    """
    count, mean, sd = moments.count, moments.mean, moments.sd
    exact = np.array(values, dtype=float)
    total = (0, LARGEST) if count == SUPPRESSED else (count - (rounding - 1) // 2, count + (rounding - 1) // 2)
    rows, low, high = [np.ones_like(exact)], [float(total[0])], [float(total[1])]
    if mean != SUPPRESSED and sd != SUPPRESSED and sd > 0:
        blur = 10.0 ** (np.floor(np.log10(sd)) - digits + 1) / 2 + 1e-9
        for row, most in _sums(exact - mean, sd, blur):
            rows, low, high = [*rows, row], [*low, -np.inf], [*high, most]
    rules, bounds = (
        LinearConstraint(np.array(rows), low, high),
        Bounds(np.zeros_like(exact), np.full(len(values), LARGEST)),
    )
    return tuple(
        Range(_least(rules, bounds, place, 1), -_least(rules, bounds, place, -1)) for place in range(len(values))
    )


def _sums(deviations: NDArray[np.float64], sd: float, blur: float) -> Sequence[tuple[NDArray[np.float64], float]]:
    """Rows whose sums over people are at most what is beside them, for a mean and an SD known up to ``blur``."""
    least, most = max(sd - blur, 0.0) ** 2, (sd + blur) ** 2
    return (
        (deviations - blur, 0.0),
        (-deviations - blur, 0.0),
        (deviations**2 - most - blur**2, -most),
        (least - deviations**2, least),
    )


def _least(rules: LinearConstraint | tuple[()], bounds: Bounds, column: int, sign: int) -> int:
    """The least value of ``sign`` times a count."""
    cost = np.zeros(len(bounds.lb))
    cost[column] = sign
    found = milp(cost, integrality=np.ones(len(cost)), bounds=bounds, constraints=rules)
    if found.x is None:
        raise VitrailError("What was released does not add up.", "Check that all of it is of one snapshot.")
    least: float = found.fun
    return round(least)


def knowledge(releases: Sequence[Release], rounding: int, at_risk: Mapping[str, str] | None = None) -> Knowledge:
    """What ``releases`` of one site and snapshot tell of counts.

    ``rounding`` is the policy's; ``at_risk`` names the cohort of each rate.
    """
    known = Knowledge(rounding)
    for release in releases:
        for estimate in release.estimates:
            _learn(known, estimate, release, at_risk or {})
    _nested(known)
    return known


def _learn(known: Knowledge, estimate: Estimate, release: Release, at_risk: Mapping[str, str]) -> None:
    """What one estimate tells; a model update is attacked by linear algebra, not here."""
    match estimate:
        case CountTable():
            _table(known, estimate)
        case Attrition():
            _attrition(known, estimate)
        case Moments():
            _moments(known, estimate, release)
        case Rate():
            _rate(known, estimate, at_risk.get(estimate.name))
        case Discrimination():
            _classes(known, estimate.group, estimate.positives, estimate.negatives)
        case Calibration():
            known.count(("positives", estimate.group), estimate.events)
            known.count(("rows", estimate.group), estimate.rows)
        case Thresholds():
            _thresholds(known, estimate)
        case RiskBins():
            _bins(known, estimate, _cuts(estimate, release))


def _moments(known: Knowledge, moments: Moments, release: Release) -> None:
    """Present and missing are the cohort, of index dates where it has a table of those."""
    units = [each.unit for each in release.estimates if isinstance(each, CountTable) and each.of == moments.of]
    unit = "index dates" if "index dates" in units else "persons"
    there = known.count(("present", moments.of, moments.name), moments.count)
    missing = known.count(("missing", moments.of, moments.name), moments.missing)
    known.adds_up(("cohort", moments.of, unit), there, missing)


def _table(known: Knowledge, table: CountTable) -> None:
    cells = [known.count(("cell", table.of, table.unit, table.name, cell.label), cell.count) for cell in table.cells]
    whole: Name = ("cohort", table.of, table.unit)
    known.adds_up(whole, *cells)
    hidden = [name for name, cell in zip(cells, table.cells, strict=True) if cell.count == SUPPRESSED]
    if 1 < len(hidden) < len(cells):
        known.adds_up(("suppressed together", table.of, table.unit, table.name), *hidden)


def _attrition(known: Knowledge, attrition: Attrition) -> None:
    steps = [known.count(("step", attrition.cohort, step.label), step.count) for step in attrition.steps]
    for before, after in pairwise(steps):
        known.contains(before, after)
    known.adds_up(("cohort", attrition.cohort, "persons"), steps[-1])


def _rate(known: Knowledge, rate: Rate, cohort: str | None) -> None:
    persons = known.count(("at risk", rate.name), rate.persons)
    events = known.count(("events", rate.name), rate.events)
    known.contains(persons, events)
    if cohort is not None:
        known.contains(("cohort", cohort, "persons"), persons)
        known.contains(("cohort", cohort, "persons"), events)


def _classes(known: Knowledge, group: str, positives: Count, negatives: Count) -> None:
    known.count(("positives", group), positives)
    known.count(("negatives", group), negatives)
    known.adds_up(("rows", group), ("positives", group), ("negatives", group))


def _thresholds(known: Knowledge, table: Thresholds) -> None:
    """Each class is cut at each threshold; what is above a higher cut is above a lower one."""
    rows = sorted(table.rows, key=lambda row: row.threshold)
    for kind in ("positives", "negatives"):
        above = []
        for row in rows:
            high, low = (
                (row.true_positives, row.false_negatives)
                if kind == "positives"
                else (row.false_positives, row.true_negatives)
            )
            name: Name = ("above", kind, table.fit, table.group, row.threshold)
            above.append(known.count(name, high))
            known.adds_up((kind, table.group), name, known.count(("below", *name[1:]), low))
        for lower, higher in pairwise(above):
            known.contains(lower, higher)


def _cuts(bins: RiskBins, release: Release) -> Sequence[float]:
    """The thresholds of the table on the same axis of risk."""
    tables = [each for each in release.estimates if isinstance(each, Thresholds)]
    return [row.threshold for each in tables if (each.fit, each.group) == (bins.fit, bins.group) for row in each.rows]


def _bins(known: Knowledge, bins: RiskBins, thresholds: Sequence[float]) -> None:
    """Bins add up to their class, cut by thresholds into what lies above and below."""
    if not bins.bins:
        return
    for kind in ("positives", "negatives"):
        pieces = []
        for bin_ in bins.bins:
            name: Name = ("bin", kind, bins.fit, bins.group, bin_.low)
            known.count(name, bin_.positives if kind == "positives" else bin_.negatives)
            cuts = [bin_.low, *sorted(at for at in thresholds if bin_.low < at < bin_.high)]
            pieces += [(("piece", kind, bins.fit, bins.group, at), at) for at in cuts]
            known.adds_up(name, *(piece for piece, at in pieces if at in cuts))
        known.adds_up((kind, bins.group), *(piece for piece, _ in pieces))
        for at in thresholds:
            known.adds_up(("above", kind, bins.fit, bins.group, at), *(piece for piece, low in pieces if low >= at))


def _nested(known: Knowledge) -> None:
    """Persons are a part of their index dates, and test persons of all."""
    names = set(known.bounds)
    for name in sorted(names, key=str):
        if name[0] == "cohort" and name[2] == "persons" and ("cohort", name[1], "index dates") in names:
            known.contains(("cohort", name[1], "index dates"), name)
        if name[0] in ("rows", "positives", "negatives") and name[1] == "test persons":
            whole = (name[0], "all persons")
            if whole in names:
                known.contains(whole, name)
