"""What the engines over databases share: many definitions at once, and one study's cohorts and covariates.

A database brings its tables (:class:`vitrail.omop.engines.batch.Database`) and lets its views show a range of persons.
All else is here, so that answers do not depend on the database, nor on the order of its rows, nor on the ranges.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitrail.errors import StudyError, TooLittleMemory
from vitrail.omop import events, occurrences
from vitrail.omop.attributes import TABLE, earlier, not_held
from vitrail.omop.covariates import features, histories, matrix, people
from vitrail.omop.engines import Answer, CohortRows, Dates, Step, batch
from vitrail.omop.engines.features import find_features
from vitrail.omop.engines.means import MOST_RANGES
from vitrail.omop.feature_table import FeatureTable
from vitrail.omop.limits import attributes
from vitrail.omop.plan import Bare, CohortNode, Plan, plan_of
from vitrail.omop.sheets import Kind, Sheet
from vitrail.study.cohort import Event
from vitrail.study.concepts import ConceptSet
from vitrail.study.covariates import Covariate
from vitrail.study.definition import Definition
from vitrail.study.features import Features
from vitrail.study.study import Study

Persons = tuple[int, int] | None
"""The first and the last person of a range; None is everybody."""

_EVERYBODY = (-(2**63), 2**63 - 1)
_FEATURE: Mapping[str, Kind] = {**dict.fromkeys(("feature", "event", "low", "high"), "int"), "numbered": "flag"}


class DatabaseBatch(ABC):
    """Answers batches of definitions in a database, in so many ``ranges`` of persons, one after another.

    Close it, or use it as a context manager. Raises EngineError where values do not fit their column or the means do
    not suffice, and StudyError where a definition names what is not there.
    """

    def __init__(self, database: batch.Database, ranges: int = 1) -> None:
        self.database: batch.Database = database
        self._ranges = ranges
        self._shown: object = ()
        self._show(None)

    @abstractmethod
    def read(self, persons: Persons) -> None:
        """Let the views that are named after OMOP tables show a range of persons."""

    @abstractmethod
    def lacks(self, table: str, column: str) -> bool:
        """Whether an OMOP table is there, and without a column."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds; the engine answers no more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, definitions: Sequence[Definition]) -> Mapping[str, Answer]:
        """The answer to each definition, by its id."""
        return self.answers(plan_of(definitions)) if definitions else {}

    def answers(self, plan: Plan) -> dict[str, Answer]:
        """The answer to each definition of a plan, by its id; in more ranges where the memory is too little."""
        self._check(plan)
        while True:
            try:
                return self._answers(plan)
            except TooLittleMemory:
                if self._ranges >= MOST_RANGES:
                    raise
                self._ranges *= 2
                batch.forget(self.database)

    def _answers(self, plan: Plan) -> dict[str, Answer]:
        batch.prepare(self.database, plan)
        found: list[batch.Found] = []
        before = np.zeros(len(plan.cohorts), dtype=np.int64)
        for persons in self._persons():
            self._show(persons)
            found.append(batch.build_cohorts(self.database, plan, before))
            before = before + found[-1].of_each()
        return batch.answers(plan, found)

    def find_events(self, plan: Plan, rows: Mapping[str, CohortRows]) -> None:
        """Fill ``occurrence`` with the events of a plan, for everybody; ``rows`` are those of cohorts, by id."""
        self._check(plan)
        self._show(None)
        batch.prepare(self.database, plan)
        self.database.show("given_row", _as_events(plan, rows))
        self.database.keep("cohort_row", occurrences.given_rows)
        batch.find_events(self.database, plan)

    def _check(self, plan: Plan) -> None:
        """Raise EngineError where an event is limited by a column of an earlier version that its records lack."""
        bare = [each for each in plan.events if isinstance(each, Bare)]
        asked = {(each.domain, name) for each in bare for name in attributes([column for column, _ in each.cells])}
        for domain, name in sorted(asked):
            column = earlier(domain).get(name)
            if column is not None and self.lacks(TABLE[domain], column):
                self._show(None)
                if self.database.rows(occurrences.some_record, TABLE[domain]):
                    raise not_held(domain, column)

    def features(
        self,
        asked: Features,
        sets: Mapping[str, ConceptSet],
        rows: CohortRows,
        own: NDArray[np.float64] | None = None,
    ) -> FeatureTable:
        """The features of a cohort's rows; see :func:`vitrail.omop.engines.features.find_features`."""
        self._show(None)
        return find_features(self.database, asked, sets, rows, own)

    def _persons(self) -> list[Persons]:
        """The ranges."""
        if self._ranges == 1:
            return [None]
        self._show(None)
        firsts = sorted(person for (person,) in self.database.rows(events.first_persons, self._ranges))
        cuts = (_EVERYBODY[0], *firsts[1:], _EVERYBODY[1])
        return [(low, high - 1) for low, high in pairwise(cuts)]

    def _show(self, persons: Persons) -> None:
        if self._shown != persons:
            self._shown = persons
            self.read(persons)


class DatabaseEngine:
    """An engine for one study over a database; closing it closes the ``batch``."""

    def __init__(self, study: Study, batch: DatabaseBatch) -> None:
        self._study = study
        self._answers: Mapping[str, Answer] | None = None
        self._asked, self._held = _given(tuple(study.cohorts), study), -1
        self._batch = batch

    def close(self) -> None:
        """Give back the memory; the engine answers no more."""
        self._batch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, name: str) -> Answer:
        """All that is known of one of the study's cohorts; all are computed when one is first asked for."""
        if name not in self._study.cohorts:
            raise StudyError("The study defines no cohort of that name.", "Ask for one that it defines.")
        if self._answers is None:
            study = self._study
            self._held = -1
            self._answers = self._batch.run(
                [Definition(name, cohort, study.concept_sets) for name, cohort in study.cohorts.items()]
            )
        return self._answers[name]

    def cohort(self, name: str) -> CohortRows:
        """The rows of one of the study's cohorts."""
        return self.answer(name).rows

    def attrition(self, name: str) -> tuple[Step, ...]:
        """The attrition of one of the study's cohorts."""
        return self.answer(name).attrition

    def covariates(self, rows: CohortRows, covariates: Sequence[Covariate]) -> NDArray[np.float64]:
        """The (rows, covariates) matrix at each row's start, NaN where missing."""
        database = self._batch.database
        numbers = self._find([each.event for each in covariates if each.event is not None])
        index = {"row": np.arange(len(rows)), "person": rows.person, "start": _day_numbers(rows.start)}
        database.show("index_row", index)
        asked = features(covariates, numbers.__getitem__)
        database.hold("feature", Sheet(_FEATURE, [asdict(each) for each in asked]))
        years = rows.start.astype("datetime64[Y]").astype(np.int64) + 1970
        return matrix(covariates, years, database.arrays(people), database.arrays(histories))

    def features(self, rows: CohortRows, asked: Features) -> FeatureTable:
        """OHDSI's covariates at each row's start, and the study's own, as sparse tables; rows are told by their place.

        Of the study's own, ``centre``, ``per`` and ``if_missing`` are not applied.
        """
        own = self.covariates(rows, asked.own) if asked.own else None
        return self._batch.features(asked, self._study.concept_sets, rows, own)

    def _find(self, spoken_of: Sequence[Event]) -> dict[Event, int]:
        """See that ``occurrence`` holds these events, beside those of earlier questions; gives their numbers."""
        plan = self._asked
        numbers = {event: plan.event(event, self._study.concept_sets) for event in spoken_of}
        rows = {name: self.cohort(name) for name, node in plan.cohorts.items() if node.number in plan.referred}
        if len(plan.events) > self._held:
            self._held = -1
            self._batch.find_events(plan, rows)
            self._held = len(plan.events)
        return numbers


def _given(names: Sequence[str], study: Study) -> Plan:
    """A plan in which the study's cohorts are there already."""
    plan = Plan(valued=True)
    for number, name in enumerate(names):
        plan.cohorts[name] = CohortNode(name, number, study.cohorts[name], (), None, (), (), None, -1)
    return plan


def _as_events(plan: Plan, rows: Mapping[str, CohortRows]) -> Mapping[str, NDArray[np.int64]]:
    """Cohorts' rows as ``cohort_row``."""
    parts = [(plan.cohorts[name].number, each) for name, each in rows.items()]
    empty = np.empty(0, dtype=np.int64)
    columns = {
        "cohort": [np.full(len(each), number) for number, each in parts],
        "person": [each.person for _, each in parts],
        "start": [_day_numbers(each.start) for _, each in parts],
        "finish": [_day_numbers(each.end) for _, each in parts],
        "id": [np.arange(len(each)) for _, each in parts],
    }
    return {name: np.concatenate([empty, *arrays]) for name, arrays in columns.items()}


def _day_numbers(dates: Dates) -> NDArray[np.int64]:
    return dates.astype("datetime64[D]").astype(np.int64)
