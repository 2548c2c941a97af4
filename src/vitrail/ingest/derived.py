"""What follows from an extract: periods and eras where a source has none, and counts that tell of its conventions.

The same for every kind of source; the rules are in :mod:`vitrail.ingest.periods` and :mod:`vitrail.ingest.eras`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import duckdb

from vitrail.ingest.eras import derive_condition_eras, derive_drug_eras
from vitrail.ingest.extract import Columns, Extract
from vitrail.ingest.periods import count_outside, derive_periods, merge_periods
from vitrail.omop.sql import run, table


def completed(
    db: duckdb.DuckDBPyConnection, extract: Extract, columns: Columns, tell: Callable[[str], None]
) -> Extract:
    """The extract with its derived tables made; ``derived`` counts what was done, under constant names."""
    tell("deriving periods and eras")
    counts: dict[str, int] = dict(extract.derived)
    periods = extract.periods
    if _empty(db, "observation_period"):
        counts["observation periods made from events"] = derive_periods(db, columns["observation_period"])
        periods = "events/1"
    counts["observation periods merged into others"] = merge_periods(db, columns["observation_period"])
    if _empty(db, "condition_era"):
        counts["condition eras made"] = derive_condition_eras(db, columns["condition_era"])
    if _empty(db, "drug_era"):
        counts["drug eras made"] = derive_drug_eras(db, columns["drug_era"])
    outside = {f"{name}: rows outside observation periods": rows for name, rows in count_outside(db).items()}
    return replace(extract, periods=periods, derived=_told({**counts, **outside}))


def _empty(db: duckdb.DuckDBPyConnection, name: str) -> bool:
    return not run(db, "SELECT EXISTS (SELECT 1 FROM :t)", t=table(name, "extract"))[0][0]


def _told(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
