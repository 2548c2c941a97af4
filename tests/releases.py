"""Results by hand, and their Releases."""

from collections.abc import Sequence

from vitrail.disclosure import gate
from vitrail.disclosure.policy import DEFAULT, Policy
from vitrail.disclosure.result import Raw, RawCount, RawTable, Result
from vitrail.study.release import CountTable, Release

DIGEST = "sha256:" + "0" * 64

UNROUNDED = DEFAULT.model_copy(update={"rounding": 1})
"""The gate's decisions lean on no rounding: under this policy every printed count is the true one."""


def head(policy: Policy = DEFAULT, number: int = 0) -> gate.Head:
    return gate.Head(DIGEST, "by hand", number, "somewhere", DIGEST, policy.id, DIGEST)


def released(*estimates: Raw, policy: Policy = DEFAULT, earlier: Sequence[Release] = (), number: int = 0) -> Release:
    return gate.release(head(policy, number), Result(estimates), policy, earlier)


def people(number: int) -> RawCount:
    """So many persons, each counted once."""
    return RawCount(number, number)


def table(name: str, *cells: int, of: str = "cohort") -> RawTable:
    """Persons by category, called a, b, c, …"""
    return RawTable(name, of, "persons", tuple((chr(97 + place), people(each)) for place, each in enumerate(cells)))


def cells(estimate: object) -> list[object]:
    """The counts that a table prints."""
    assert isinstance(estimate, CountTable)
    return [cell.count for cell in estimate.cells]
