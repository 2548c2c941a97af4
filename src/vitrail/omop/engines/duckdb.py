"""The DuckDB engine: the default. Reads a snapshot's Parquet files where they lie, a set of rows at a time.

Its answers do not depend on the number of threads, nor on the order of rows in the files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vitrail.errors import SnapshotError, StudyError
from vitrail.omop import cohorts, events
from vitrail.omop.covariates import Feature, features, histories, matrix, people
from vitrail.omop.engines import CohortRows, Dates, Step
from vitrail.omop.engines.locked import LockedDuckDB
from vitrail.omop.snapshot import Snapshot
from vitrail.study.cohort import DOMAINS, Cohort, Domain, Event
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study


class DuckDBEngine:
    """An engine over Parquet files. ``files`` maps an OMOP table's name to its file; a missing table is empty.

    ``threads`` and ``memory_limit`` (as DuckDB writes sizes) bound what it takes of the machine. Close it, or use it as
    a context manager. Raises SnapshotError where a file cannot be read or lacks a column, EngineError where values do
    not fit their column or the memory does not suffice, and StudyError where it is asked for what the study lacks.
    """

    def __init__(self, study: Study, files: Mapping[str, Path], *, threads: int = 2, memory_limit: str = "4GB") -> None:
        self._study = study
        self._numbers: dict[Event, int] = {}
        self._built: dict[str, tuple[CohortRows, tuple[Step, ...]]] = {}
        self._database = _opened(files, threads, memory_limit)
        self._database.give("concept_item", events.Item, events.concept_items(study.concept_sets))
        self._database.keep("member", events.members)
        self._database.keep("period", events.periods)
        self._database.keep("occurrence", events.no_occurrences)

    @classmethod
    def of_snapshot(cls, study: Study, snapshot: Snapshot, *, threads: int = 2, memory_limit: str = "4GB") -> Self:
        """An engine over a verified snapshot."""
        return cls(study, snapshot.files, threads=threads, memory_limit=memory_limit)

    def close(self) -> None:
        """Give back the memory; the engine answers no more."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        return self._cohort(name)[0]

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        return self._cohort(name)[1]

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing."""
        self._find(each.event for each in covariates if each.event is not None)
        index = {"row": np.arange(len(rows)), "person": rows.person, "start": _day_numbers(rows.start)}
        self._database.show("index_row", index)
        self._database.give("feature", Feature, features(covariates, self._number))
        years = rows.start.astype("datetime64[Y]").astype(np.int64) + 1970
        return matrix(covariates, years, self._database.arrays(people), self._database.arrays(histories))

    # Cohorts: each step is a table under the name of the step

    def _cohort(self, name: str) -> tuple[CohortRows, tuple[Step, ...]]:
        """Rows and attrition of a cohort, computed when first asked for."""
        if name not in self._study.cohorts:
            raise StudyError("The study defines no cohort of that name.", "Ask for one that it defines.")
        if name not in self._built:
            self._find(self._records_spoken_of())
            self._built[name] = self._build(self._study.cohorts[name])
        return self._built[name]

    def _build(self, cohort: Cohort) -> tuple[CohortRows, tuple[Step, ...]]:
        self._find(cohort.events())
        steps, index = self._enter(cohort), "observed"
        if cohort.keep != "every":
            self._database.keep("kept", cohorts.first_of_each, index, year=cohort.keep == "first_of_each_year")
            steps, index = [*steps, self._step(cohorts.KEPT[cohort.keep], "kept")], "kept"
        if cohort.rules:
            steps, index = [*steps, *self._judge(cohort, index)], "ruled"
        if cohort.limit == "first":
            self._database.keep("limited", cohorts.first_of_each, index, year=False)
            steps, index = [*steps, self._step(cohorts.LIMITED, "limited")], "limited"
        return self._rows(index, cohort.exit.days_after_start), tuple(steps)

    def _enter(self, cohort: Cohort) -> list[Step]:
        entries, rules = cohorts.entries(cohort, self._number)
        self._database.give("entry", cohorts.Entry, entries)
        self._database.give("rule", cohorts.RuleRow, rules)
        self._database.keep("entered", cohorts.candidates, distinct=bool(rules))
        if rules:
            self._database.keep("judged", cohorts.judged, "entered")
            self._database.keep("entered", cohorts.passing, "judged")
        every = cohort.keep == "every"
        self._database.keep("observed", cohorts.observed, "entered", cohort.observed, distinct=every)
        return [self._step(cohorts.ENTERED, "entered"), self._step(cohorts.OBSERVED, "observed")]

    def _judge(self, cohort: Cohort, index: str) -> list[Step]:
        self._database.give("rule", cohorts.RuleRow, cohorts.rule_rows(cohort.rules, self._number))
        self._database.keep("judged", cohorts.judged, index)
        self._database.keep("ruled", cohorts.passing, "judged")
        left = cohorts.left_after(len(cohort.rules), dict(self._database.rows(cohorts.furthest, "judged")))
        return [Step(rule.name, persons) for rule, persons in zip(cohort.rules, left, strict=True)]

    def _step(self, label: str, table: str) -> Step:
        [(persons,)] = self._database.rows(cohorts.persons, table)
        return Step(label, persons)

    def _rows(self, index: str, days_after_start: int | None) -> CohortRows:
        found = self._database.arrays(cohorts.rows, index, days_after_start)
        return CohortRows(found["person"], *(_dates(found[name]) for name in ("start", "finish", "observed_until")))

    # Events

    def _records_spoken_of(self) -> Iterator[Event]:
        """The events in tables of which any cohort speaks: found together, so that each table is read once."""
        for cohort in self._study.cohorts.values():
            yield from (event for event in cohort.events() if event.cohort is None)

    def _number(self, event: Event) -> int:
        return self._numbers[events.bare(event)]

    def _find(self, spoken_of: Iterable[Event]) -> None:
        """See that ``occurrence`` holds these events."""
        bare = dict.fromkeys(map(events.bare, spoken_of))
        for event in bare:
            if event.cohort is not None:
                self._find_cohort(event)
        for domain in DOMAINS:
            new = [event for event in bare if event.domain == domain and event not in self._numbers]
            if new:
                self._find_records(domain, new)

    def _find_cohort(self, event: Event) -> None:
        rows = self.cohort(event.of)
        if event not in self._numbers:
            number = len(self._numbers)
            numbers = np.full(len(rows), number)
            columns = {"event": numbers, "person": rows.person, "start": _day_numbers(rows.start)}
            self._database.show("cohort_row", columns)
            self._database.add("occurrence", events.of_cohort)
            self._numbers[event] = number

    def _find_records(self, domain: Domain, new: Sequence[Event]) -> None:
        """Read a domain's table once for all the events; they count as found only when that went well."""
        numbers = {event: len(self._numbers) + place for place, event in enumerate(new)}
        wanted = [self._wanted(number, event) for event, number in numbers.items()]
        self._database.give("wanted", events.Wanted, wanted)
        sets, of_any = (any((each.concept_set is None) == takes for each in wanted) for takes in (False, True))
        self._database.add("occurrence", events.occurrences, domain, of_sets=sets, of_any=of_any)
        self._numbers |= numbers

    def _wanted(self, number: int, event: Event) -> events.Wanted:
        try:
            return events.wanted(number, event, tuple(self._study.concept_sets))
        except ValueError as error:
            raise StudyError(
                "The study defines no concept set of that name.", "Ask for one that it defines."
            ) from error


def _opened(files: Mapping[str, Path], threads: int, memory_limit: str) -> LockedDuckDB:
    """A locked database with a view of each table that is read."""
    read = {name: path.resolve() for name, path in files.items() if name in events.TABLES_READ}
    present = {name: _columns(name, path) for name, path in read.items()}
    database = LockedDuckDB(read.values(), threads, memory_limit)
    for name in events.TABLES_READ:
        path = str(read[name]) if name in read else None
        database.view(name, events.typed, name, path, present.get(name, ()))
    return database


def _columns(table: str, path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file that should hold an OMOP table."""
    try:
        present = tuple(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{path} is no Parquet file.", "Load the source again or restore the file.") from error
    for column in events.columns_read(table):
        if column.required and column.name not in present:
            raise SnapshotError(f"{path} has no column {column.name}.", "Load the source again with that column.")
    return present


def _day_numbers(dates: Dates) -> NDArray[np.int64]:
    return dates.astype("datetime64[D]").astype(np.int64)


def _dates(days: NDArray[np.int64]) -> Dates:
    return days.astype(np.int64).astype("datetime64[D]")
