"""What became of the site's snapshots, one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitrail.omop.snapshot import Check

Key = tuple[str, str, str | None, int | None, int | None]
"""What tells one check of a snapshot from the others: name, table, field, concept, unit."""


@dataclass(frozen=True)
class Loaded:
    """A load, as the ledger has it: when (ISO 8601, UTC), which snapshot, the rows of each table.

    ``rows_in`` and ``quarantined`` count the rows of the source's files; ``failed`` the checks that failed, ``hard``
    those of them that are hard. What an earlier version did not enter is None.
    """

    at: str
    snapshot: str
    rows: Mapping[str, int]
    quarantined: int
    rows_in: int | None = None
    failed: int | None = None
    hard: int | None = None


@dataclass(frozen=True)
class Changes:
    """What is otherwise than in the snapshot before: checks that fail since, and those that fail no more."""

    failing: tuple[Check, ...]
    mended: tuple[Check, ...]


def key(of: Check) -> Key:
    """What tells the check from the others."""
    return of.name, of.table, of.field, of.concept, of.unit


def changes(before: Sequence[Check], now: Sequence[Check]) -> Changes:
    """What changed from the checks ``before``. A check that was not there, or had nothing to check, did not fail."""
    failed_before, failed_now = _failed(before), _failed(now)
    return Changes(
        tuple(each for name, each in failed_now.items() if name not in failed_before),
        tuple(each for name, each in failed_before.items() if name not in failed_now),
    )


def _failed(checks: Sequence[Check]) -> dict[Key, Check]:
    return {key(each): each for each in checks if each.outcome == "failed"}
