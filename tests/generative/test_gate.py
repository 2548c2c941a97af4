"""Generated results through the gate: people are drawn, counted, released, checked and attacked."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from vitrail.disclosure import attacks, gate
from vitrail.disclosure.partitions import Decision, Partition, decide
from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy
from vitrail.disclosure.result import (
    Raw,
    RawAttrition,
    RawCalibration,
    RawCount,
    RawDiscrimination,
    RawMoments,
    RawRate,
    RawRiskBins,
    RawTable,
    RawThresholds,
    Result,
)
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

EDGES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
THRESHOLDS = (0.05, 0.08, 0.1, 0.12, 0.25, 0.5)
DIGEST = "sha256:" + "0" * 64


def head(policy: Policy) -> gate.Head:
    return gate.Head(DIGEST, "generated", 0, "somewhere", DIGEST, policy.id, DIGEST)


@dataclass(frozen=True)
class Rows:
    """Index dates: whose, with which outcome and which predicted risk."""

    person: NDArray[np.int64]
    y: NDArray[np.bool_]
    risk: NDArray[np.float64]

    def count(self, mask: NDArray[np.bool_]) -> RawCount:
        return RawCount(len(np.unique(self.person[mask])), int(mask.sum()))

    def where(self, mask: NDArray[np.bool_]) -> "Rows":
        return Rows(self.person[mask], self.y[mask], self.risk[mask])


@dataclass(frozen=True)
class World:
    """One generated result, and the index dates behind its validations, by group."""

    result: Result
    groups: dict[str, Rows]


def generated(seed: int) -> World:
    """A result with many small cells: few people, skewed categories, rare outcomes, nearly empty differences."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([rng.integers(0, 40), rng.integers(40, 200), rng.integers(200, 1500)]))
    repeats = rng.choice([1, 1, 2, 4])
    person = np.repeat(np.arange(n), rng.integers(1, repeats + 1, n))
    estimates: list[Raw] = [_attrition(rng, n)]
    estimates += [_table(rng, f"table {each}", np.arange(n), "persons") for each in range(rng.integers(1, 4))]
    if repeats > 1:
        estimates += [_table(rng, f"dates {each}", person, "index dates") for each in range(rng.integers(1, 3))]
    estimates.append(_moments(rng, person))
    estimates += [_rate(rng, f"rate {each}", n) for each in range(rng.integers(0, 3))]
    if rng.random() < 0.4:
        part = n - min(n, int(rng.integers(0, 40)))
        estimates += [
            RawAttrition("part", (("step", part),)),
            _table(rng, "of part", np.arange(part), "persons", "part"),
        ]
    groups = _groups(rng, person)
    estimates += [each for name, rows in groups.items() for each in _validation(name, rows, rng)]
    return World(Result(tuple(estimates)), groups)


def _attrition(rng: np.random.Generator, last: int) -> RawAttrition:
    steps = [last]
    for _ in range(rng.integers(0, 5)):
        steps.append(steps[-1] + int(rng.choice([0, rng.integers(1, 15), rng.integers(1, 400)])))
    return RawAttrition("cohort", tuple((f"step {place}", each) for place, each in enumerate(reversed(steps))))


def _table(rng: np.random.Generator, name: str, person: NDArray[np.int64], unit: str, of: str = "cohort") -> RawTable:
    cells = int(rng.integers(2, 7))
    label = rng.choice(cells, len(person), p=rng.dirichlet(np.full(cells, rng.choice([0.05, 0.3, 2.0]))))
    counts = tuple(
        (f"cell {each}", RawCount(len(np.unique(person[label == each])), int(np.sum(label == each))))
        for each in range(cells)
    )
    return RawTable(name, of, unit, counts)  # type: ignore[arg-type]


def _moments(rng: np.random.Generator, person: NDArray[np.int64]) -> RawMoments:
    there = rng.random(len(person)) < rng.choice([0.03, 0.5, 0.97, 1.0])
    value = np.round(rng.normal(140, 3, len(person)), int(rng.integers(0, 4)))[there]
    _, place = np.unique(value, return_inverse=True)
    having = [len(np.unique(person[there][place == each])) for each in range(place.max(initial=-1) + 1)]
    deviation = np.abs(value - value.mean()) if len(value) else value
    shares = np.bincount(person[there], deviation) if len(value) else np.zeros(1)
    return RawMoments(
        name="sodium",
        of="cohort",
        present=RawCount(len(np.unique(person[there])), int(there.sum())),
        missing=RawCount(len(np.unique(person[~there])), int((~there).sum())),
        mean=float(value.mean()) if len(value) else math.nan,
        sd=float(value.std(ddof=1)) if len(value) > 1 else math.nan,
        largest_share=float(shares.max() / shares.sum()) if shares.sum() else 0.0,
        minority=max(len(np.unique(person[there])) - max(having, default=0), 0),
        distinct=len(having),
        rarest=min(having, default=0),
    )


def _rate(rng: np.random.Generator, name: str, n: int) -> RawRate:
    persons = int(rng.choice([n, max(0, n - rng.integers(0, 20)), rng.integers(0, n + 1)]))
    events = int(rng.choice([0, persons, min(persons, rng.integers(0, 25)), rng.binomial(persons, 0.3)]))
    return RawRate(name, persons, events, int(persons * rng.integers(1, 2000)), "cohort")


def _groups(rng: np.random.Generator, person: NDArray[np.int64]) -> dict[str, Rows]:
    risk = rng.beta(0.6, 4, len(person))
    everyone = Rows(person, rng.random(len(person)) < risk * rng.choice([0.1, 1.0]), risk)
    if rng.random() < 0.4:
        return {"all persons": everyone}
    test = np.isin(person, np.flatnonzero(rng.random(person.max(initial=0) + 1) < rng.choice([0.1, 0.5, 0.95])))
    groups = {"test persons": everyone.where(test)}
    return groups if rng.random() < 0.5 else {**groups, "all persons": everyone}


def _validation(group: str, rows: Rows, rng: np.random.Generator) -> list[Raw]:
    positives, negatives = rows.count(rows.y), rows.count(~rows.y)
    both = positives.count > 0 and negatives.count > 0
    value = float(rng.uniform(0.4, 0.95)) if both else math.nan
    bins = [(low <= rows.risk) & (rows.risk < high) for low, high in pairwise(EDGES)]
    most, most_events = (int(np.bincount(each).max(initial=0)) for each in (rows.person, rows.person[rows.y]))
    if rng.random() < 0.3:
        most = most_events = 0
    table = []
    for at in THRESHOLDS:
        called = rows.risk >= at
        cells = (called & rows.y, called & ~rows.y, ~called & rows.y, ~called & ~rows.y)
        tp, fp, fn, tn = (rows.count(cell) for cell in cells)
        table.append((at, tp, fp, fn, tn))
    return [
        RawDiscrimination("fit", group, positives, negatives, value, value - 0.05, value + 0.05),
        RawCalibration("fit", group, rows.count(rows.y | ~rows.y), positives, value, value, value, value, value),
        RawRiskBins(
            "fit",
            group,
            EDGES,
            tuple(rows.count(each & rows.y) for each in bins),
            tuple(rows.count(each & ~rows.y) for each in bins),
            tuple(float(rows.risk[each].sum()) for each in bins),
            most,
            most_events,
        ),
        RawThresholds("fit", group, tuple(table), most, most_events),
    ]


def printed_counts(world: World, release: Release) -> Iterator[tuple[RawCount, Count, bool]]:
    """Each count of a Release beside the true one, and whether it is of a whole group (a bin must not be empty)."""
    for raw, estimate in zip(world.result.estimates, release.estimates, strict=True):
        for true, printed in _pairs(raw, estimate, world):
            yield true, printed, isinstance(estimate, RiskBins)


def _pairs(raw: Raw, estimate: Estimate, world: World) -> list[tuple[RawCount, Count]]:
    match raw, estimate:
        case RawTable(), CountTable():
            return [(true, cell.count) for (_, true), cell in zip(raw.cells, estimate.cells, strict=True)]
        case RawAttrition(), Attrition():
            steps = dict(raw.steps)
            return [(RawCount(steps[cell.label], steps[cell.label]), cell.count) for cell in estimate.steps]
        case RawMoments(), Moments():
            return [(raw.present, estimate.count), (raw.missing, estimate.missing)]
        case RawRate(), Rate():
            return [
                (RawCount(raw.persons, raw.persons), estimate.persons),
                (RawCount(raw.events, raw.events), estimate.events),
            ]
        case RawDiscrimination(), Discrimination():
            return [(raw.positives, estimate.positives), (raw.negatives, estimate.negatives)]
        case RawCalibration(), Calibration():
            return [(raw.rows, estimate.rows), (raw.events, estimate.events)]
        case RawThresholds(), Thresholds():
            return [
                pair
                for true, row in zip(raw.rows, estimate.rows, strict=True)
                for pair in zip(
                    true[1:],
                    (row.true_positives, row.false_positives, row.false_negatives, row.true_negatives),
                    strict=True,
                )
            ]
        case RawRiskBins(), RiskBins():
            rows = world.groups[raw.group]
            inside = [(each, (each.low <= rows.risk) & (rows.risk < each.high)) for each in estimate.bins]
            return [(rows.count(mask & rows.y), each.positives) for each, mask in inside] + [
                (rows.count(mask & ~rows.y), each.negatives) for each, mask in inside
            ]
    raise AssertionError("an estimate is not of its raw one's family")


def check(world: World, release: Release) -> tuple[int, int]:
    """Check one Release; how many counts it printed and suppressed."""
    counted = suppressed = 0
    for true, printed, binned in printed_counts(world, release):
        if printed == SUPPRESSED:
            suppressed += 1
            continue
        counted += 1
        assert not 1 <= true.persons <= 12, "a count of few people left"
        assert printed == 0 or printed >= 15
        assert printed % 5 == 0
        assert abs(printed - true.count) <= 2
        assert (printed == 0) == (true.count == 0)
        assert not (binned and printed == 0)
    for estimate in release.estimates:
        check_derived(estimate)
    return counted, suppressed


def check_derived(estimate: Estimate) -> None:
    """Totals and rates follow from what is printed, and are suppressed where any of that is."""
    match estimate:
        case CountTable():
            cells = [cell.count for cell in estimate.cells]
            assert estimate.total == (SUPPRESSED if SUPPRESSED in cells else sum(cells))  # type: ignore[arg-type]
        case Rate():
            if SUPPRESSED in (estimate.events, estimate.person_years) or estimate.person_years == 0:
                assert estimate.rate == SUPPRESSED
            else:
                assert estimate.rate == estimate.events * 1000 / estimate.person_years  # type: ignore[operator]
        case Thresholds():
            for row in estimate.rows:
                tp, fp, fn, tn = row.true_positives, row.false_positives, row.false_negatives, row.true_negatives
                assert row.sensitivity == _share(tp, fn)
                assert row.specificity == _share(tn, fp)
                assert row.ppv == _share(tp, fp)
                assert row.npv == _share(tn, fn)


def _share(part: Count, rest: Count) -> float | str:
    if SUPPRESSED in (part, rest) or part + rest == 0:  # type: ignore[operator]
        return SUPPRESSED
    return part / (part + rest)  # type: ignore[operator, return-value]


def run(seeds: range) -> tuple[int, int]:
    counted = suppressed = 0
    for seed in seeds:
        world = generated(seed)
        release = gate.release(head(DEFAULT), world.result, DEFAULT, ())
        some, none = check(world, release)
        counted, suppressed = counted + some, suppressed + none
    return counted, suppressed


def test_no_small_count_leaves_and_all_derives_from_what_is_printed() -> None:
    counted, suppressed = run(range(2_000))
    assert counted > 10_000
    assert suppressed > 10_000


@pytest.mark.slow
def test_no_small_count_leaves_in_twenty_thousand_results() -> None:
    counted, suppressed = run(range(2_000, 22_000))
    assert counted > 100_000
    assert suppressed > 100_000


def test_the_same_result_makes_the_same_bytes_and_they_read_back() -> None:
    for seed in range(100):
        world = generated(seed)
        for policy in (DEFAULT, PUBLIC_DATA):
            first, second = (gate.release(head(policy), world.result, policy, ()) for _ in range(2))
            text = first.model_dump_json(exclude_none=True)
            assert text == second.model_dump_json(exclude_none=True)
            assert first.id == second.id
            assert Release.model_validate_json(text) == first
            assert Release.model_validate_json(json.dumps(json.loads(text))).id == first.id


def test_public_data_print_exactly() -> None:
    for seed in range(200):
        world = generated(seed)
        release = gate.release(head(PUBLIC_DATA), world.result, PUBLIC_DATA, ())
        assert all(printed == true.count for true, printed, _ in printed_counts(world, release))


def test_a_large_result_is_judged_within_a_second() -> None:
    rng = np.random.default_rng(5)
    person = np.arange(20_000)
    tables = [_table(rng, f"table {each}", person, "persons") for each in range(150)]
    result = Result((RawAttrition("cohort", (("all", 20_000),)), *tables))
    start = time.perf_counter()
    gate.release(head(DEFAULT), result, DEFAULT, ())
    assert time.perf_counter() - start < 1


def truth(known: attacks.Knowledge, release: Release, world: World) -> dict[attacks.Name, int]:
    """The true value of everything that the attacker names: what the exact Release prints, and what follows."""
    exact = attacks.knowledge([gate.release(head(PUBLIC_DATA), world.result, PUBLIC_DATA, ())], 1)
    values = {
        name: low for name, (low, high) in exact.bounds.items() if low == high and name[0] not in ("bin", "piece")
    }
    for estimate in release.estimates:
        if isinstance(estimate, RiskBins):
            rows = world.groups[estimate.group]
            for each in estimate.bins:
                inside = (each.low <= rows.risk) & (rows.risk < each.high)
                for kind, of in (("positives", rows.y), ("negatives", ~rows.y)):
                    values["bin", kind, estimate.fit, estimate.group, each.low] = int(np.sum(inside & of))
    while True:
        unknown = [(each, [name for name in (each[0], *each[1]) if name not in values]) for each in known.sums]
        solvable = {names[0]: each for each, names in unknown if len(names) == 1}
        for name, (whole, parts) in solvable.items():
            others = sum(values[part] for part in parts if part != name)
            values[name] = others if name == whole else values[whole] - others
        if not solvable:
            return values


def attack(policy: Policy, seeds: range) -> tuple[int, int]:
    """How many counts of 1 to 10 there are, and how many of them the attacker finds to be so, or finds exactly."""
    protected = found = 0
    rates = {f"rate {each}": "cohort" for each in range(3)}
    for seed in seeds:
        world = generated(seed)
        release = gate.release(head(policy), world.result, policy, ())
        known = attacks.knowledge([release], policy.rounding, rates)
        if ("cohort", "part", "persons") in known.bounds:
            known.contains(("cohort", "cohort", "persons"), ("cohort", "part", "persons"))
        values = truth(known, release, world)
        assert known.bounds.keys() <= values.keys()
        small = [name for name in known.bounds if 1 <= values[name] <= 10]
        ranges = known.ranges(small)
        assert all(each.low <= values[name] <= each.high for name, each in ranges.items())
        protected += len(small)
        found += sum(each.within(1, 10) or each.low == each.high for each in ranges.values())
    return protected, found


UNROUNDED = DEFAULT.model_copy(update={"rounding": 1})
"""The gate's decisions lean on no rounding: here the attacker knows the true value of whatever is printed."""


@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_integer_programming_finds_no_small_count(policy: Policy) -> None:
    protected, found = attack(policy, range(12))
    assert protected > 100
    assert found == 0


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("policy", [DEFAULT, UNROUNDED], ids=["rounded", "unrounded"])
def test_integer_programming_finds_no_small_count_in_many_results(policy: Policy) -> None:
    protected, found = attack(policy, range(20, 520))
    assert protected > 5_000
    assert found == 0


def test_integer_programming_finds_small_counts_that_are_suppressed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control: each small count is suppressed and each other rounded, but none is withheld for another."""

    def one_by_one(parts: list[Partition], policy: Policy) -> Decision:
        persons = decide(parts, PUBLIC_DATA).persons
        return Decision(frozenset(key for key, each in persons.items() if 1 <= each < policy.threshold), persons)

    monkeypatch.setattr(gate, "decide", one_by_one)
    protected, found = attack(DEFAULT, range(8))
    assert protected > 50
    assert found >= 3
    _, unrounded = attack(UNROUNDED, range(8))
    assert unrounded > found
