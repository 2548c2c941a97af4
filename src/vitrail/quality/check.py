"""What a check is, and how it is judged.

The checks are types of OHDSI's Data Quality Dashboard (https://ohdsi.github.io/DataQualityDashboard), in the categories
of Kahn et al. (eGEMs 2016;4:1244): conformance, completeness, plausibility.
"""

from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from vitrail.omop.snapshot import Check
from vitrail.omop.sql import sql

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Inspection:
    """One check of one table: a query that counts the rows to check and the violations among them.

    It fails where more than ``tolerated`` of the rows violate it; ``hard`` says that a snapshot which fails it cannot
    be trusted. Both are recorded in the manifest; neither stops an answer yet. Where there are no rows to check it
    is not applicable.
    """

    name: str
    table: str
    query: str
    tolerated: float = 0.0
    hard: bool = False
    parts: tuple[tuple[str, Any], ...] = ()

    def made(self, db: duckdb.DuckDBPyConnection) -> Check:
        """The check with its figures."""
        found = db.execute(sql(self.query, **dict(self.parts)).sql(dialect="duckdb")).fetchone()
        rows, violations = (int(each or 0) for each in found or (0, 0))
        passed = violations <= self.tolerated * rows
        outcome: Outcome = "not applicable" if rows == 0 else "passed" if passed else "failed"
        return Check(
            name=self.name, table=self.table, outcome=outcome, violations=violations, rows=rows, hard=self.hard
        )
