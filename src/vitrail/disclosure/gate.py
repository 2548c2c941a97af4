"""The gate: the only way from a Result to a Release.

Three steps. Each rule says which counts its estimate holds and how they add up; it is decided for all counts of the
Release at once which may be known; each rule turns its estimate into what is printed. There is one rule for each
family, and an estimate of any other is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from vitrail.disclosure import (
    attrition,
    calibration,
    counts,
    discrimination,
    model_update,
    moments,
    rates,
    risk_bins,
    thresholds,
)
from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.links import links
from vitrail.disclosure.partitions import Partition, decide
from vitrail.disclosure.policy import Policy
from vitrail.disclosure.result import (
    Raw,
    RawAttrition,
    RawCalibration,
    RawCount,
    RawDiscrimination,
    RawModelUpdate,
    RawMoments,
    RawRate,
    RawRiskBins,
    RawTable,
    RawThresholds,
    Result,
)
from vitrail.errors import Refusal
from vitrail.study.release import Estimate, RefusalCode, Release
from vitrail.study.word import Digest, Name, SiteName


@dataclass(frozen=True)
class Rule:
    """How one family is judged: how its counts add up, and what of it is printed."""

    partitions: Callable[[int, Any], list[Partition]]
    released: Callable[[int, Any, Bundle], Estimate]


RULES: Mapping[type[Raw], Rule] = {
    RawTable: Rule(counts.partitions, counts.released),
    RawAttrition: Rule(attrition.partitions, attrition.released),
    RawMoments: Rule(moments.partitions, moments.released),
    RawRate: Rule(rates.partitions, rates.released),
    RawModelUpdate: Rule(model_update.partitions, model_update.released),
    RawDiscrimination: Rule(discrimination.partitions, discrimination.released),
    RawCalibration: Rule(calibration.partitions, calibration.released),
    RawRiskBins: Rule(risk_bins.partitions, risk_bins.released),
    RawThresholds: Rule(thresholds.partitions, thresholds.released),
}
"""The rule of each family, by its raw shape."""


@dataclass(frozen=True)
class Head:
    """What a Release says of itself: what it answers, where, and under which policy."""

    study: Digest
    analysis: Name
    round: int
    site: SiteName
    snapshot: Digest
    policy: Digest
    question: Digest


def release(head: Head, result: Result, policy: Policy, earlier: Sequence[Release]) -> Release:
    """The Release of ``result`` under ``policy``; ``earlier`` are the Releases that the question follows from.

    The same arguments make the same bytes. Raises Refusal, whose code alone may leave the site, where the result cannot
    be made safe by suppressing counts.
    """
    if head.policy != policy.id:
        raise Refusal("policy", "The policy is not the one that the answer names.", "Read the site's policy again.")
    rules = [_rule(raw) for raw in result.estimates]
    _check_counts(result)
    partitions = [each for place, raw in enumerate(result.estimates) for each in rules[place].partitions(place, raw)]
    decision = decide([*partitions, *links(result.estimates, partitions, policy)], policy)
    bundle = Bundle(policy, result.estimates, decision, _own(head, earlier))
    estimates = tuple(rule.released(place, result.estimates[place], bundle) for place, rule in enumerate(rules))
    return Release(**_heading(head), estimates=estimates)


def refused(head: Head, code: RefusalCode) -> Release:
    """The Release that says no: a constant code, and nothing of the reason."""
    return Release(**_heading(head), refused=code)


def _heading(head: Head) -> dict[str, Any]:
    return {field.name: getattr(head, field.name) for field in fields(head)}


def _rule(raw: Raw) -> Rule:
    rule = RULES.get(type(raw))
    if rule is None:
        raise Refusal(
            "disclosure",
            "An estimate is of a family that the gate does not know.",
            "Ask for an analysis whose families have a rule.",
        )
    return rule


def _own(head: Head, earlier: Sequence[Release]) -> tuple[Release, ...]:
    """What this site released before in this analysis, of this snapshot."""
    names = ("study", "analysis", "site", "snapshot")
    same = [each for each in earlier if all(getattr(each, name) == getattr(head, name) for name in names)]
    return tuple(each for each in same if each.round < head.round)


def _check_counts(result: Result) -> None:
    """Refuse counts that cannot be: their support could not be trusted."""
    for count in _counts(result):
        if count.persons < 0 or count.count < count.persons or (count.persons == 0) != (count.count == 0):
            raise Refusal(
                "disclosure",
                "A count and the number of people behind it do not fit.",
                "Report a fault in the analysis that made it.",
            )


def _counts(value: object) -> Iterator[RawCount]:
    if isinstance(value, RawCount):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _counts(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _counts(getattr(value, field.name))
