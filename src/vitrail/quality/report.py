"""The quality report of a snapshot: every check, in order."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from vitrail.omop.snapshot import Calendar, Check, File, Quarantined
from vitrail.omop.tables import Column
from vitrail.quality import completeness, concepts, conformance, plausibility, source
from vitrail.quality.cut import Cut, cut, measured


def checked(
    db: duckdb.DuckDBPyConnection,
    directory: Path,
    files: Sequence[File],
    columns: Mapping[str, Sequence[Column]],
    calendar: Calendar,
    rows_in: Mapping[str, int],
    quarantined: Sequence[Quarantined],
    today: date,
    meant: Collection[str] = (),
) -> tuple[Check, ...]:
    """All checks of the tables in ``directory``; the schema ``extract`` of ``db`` says what the source had.

    ``rows_in`` are the rows of each file of the source, ``quarantined`` those that were not loaded; ``meant`` are the
    reasons for which a row is left out because somebody said so. ``today`` is the day after which a date is in the
    future.
    """
    of = cut(db, directory, files, columns, calendar, today)
    return (
        *source.checks(rows_in, quarantined, meant),
        *conformance.tables(of),
        *conformance.types(of, quarantined),
        *conformance.keys(of),
        *conformance.references(of),
        *conformance.concepts(of),
        *_of_tables(of),
        *completeness.source_values(of),
        *completeness.persons(of),
        *completeness.eras(of),
        *plausibility.overlaps(of),
        *concepts.checks(of),
    )


def _of_tables(of: Cut) -> list[Check]:
    """The checks that one query per table answers."""
    rooms = (conformance.measures, completeness.measures, plausibility.measures, plausibility.observed)
    return [
        check for name in of.tables for check in measured(of, name, [each for room in rooms for each in room(of, name)])
    ]
