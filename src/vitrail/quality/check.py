"""How a check is judged, once its rows and violations are counted.

The checks are those of OHDSI's Data Quality Dashboard (https://ohdsi.github.io/DataQualityDashboard), under its names,
in the categories of Kahn et al. (eGEMs 2016;4:1244): conformance, completeness, plausibility.
"""

from collections.abc import Sequence

from vitrail.omop.snapshot import Check, Outcome


def judged(
    name: str,
    table: str,
    rows: int,
    violations: int,
    threshold: float = 0.0,
    *,
    field: str | None = None,
    concept: int | None = None,
    unit: int | None = None,
    hard: bool = False,
) -> Check:
    """The check: it fails where more than the share ``threshold`` of its ``rows`` are ``violations``.

    Without rows it is not applicable. A threshold of 1 can never be crossed, so there the figures are only measured.
    """
    return Check(
        name=name, table=table, field=field, concept=concept, unit=unit, violations=violations, rows=rows,
        threshold=threshold, hard=hard, outcome=_outcome(rows, violations, threshold),
    )  # fmt: skip


def _outcome(rows: int, violations: int, threshold: float) -> Outcome:
    if rows == 0:
        return "not applicable"
    if threshold >= 1:
        return "measured"
    return "passed" if violations <= threshold * rows else "failed"


def failed(checks: Sequence[Check], hard: bool = False) -> tuple[Check, ...]:
    """The checks that failed; only the hard ones where ``hard``."""
    return tuple(each for each in checks if each.outcome == "failed" and (each.hard or not hard))
