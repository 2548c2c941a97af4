"""OHDSI's cohort definitions with the rows that its reference implementation (circe-be) finds, from the test data.

Three kinds, told in the README.md there: `attributes` (one feature each, small tables of their own), `library` (97 of
the PhenotypeLibrary on three data sets) and `cases` (circe-be's own tests).
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vitrail.omop.attributes import COLUMNS, TABLE
from vitrail.omop.engines import Answer
from vitrail.omop.tables import TABLES, Table
from vitrail.study.attributes import Domain
from vitrail.study.circe import read_circe
from vitrail.study.cohort import Cohort, EntryEvent, Exit
from vitrail.study.concepts import ConceptItem, ConceptSet
from vitrail.study.definition import Definition

Json = dict[str, Any]
Rows = list[tuple[int, date, date]]
"""A cohort's rows, sorted: person, start, end."""
Tables = Mapping[str, list[Json]]

_ALSO_READ = {
    "person": ("gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id"),
    "provider": ("specialty_concept_id",),
    "care_site": ("place_of_service_concept_id",),
    "concept": ("invalid_reason",),
    "concept_ancestor": ("descendant_concept_id",),
    "concept_relationship": ("concept_id_2", "relationship_id", "invalid_reason"),
}
"""The columns, besides the key, of tables without events that cohorts look at."""
_ARROW = {"id": pa.int64(), "int": pa.int64(), "date": pa.date32(), "float": pa.float64()}


def columns_read(table: Table) -> set[str]:
    """The columns of a table that some cohort may look at."""
    domains = [domain for domain, name in TABLE.items() if name == table.name]
    attributes = {column for domain in domains for column in COLUMNS[domain].values()}
    when = {table.concept, table.start, table.end} if domains else set()
    return {table.key, "person_id", *attributes, *_ALSO_READ.get(table.name, ()), *(name for name in when if name)}


def read_cdm(directory: Path, persons: Callable[[int], bool] | None = None) -> dict[str, list[Json]]:
    """The OMOP tables in a directory (Parquet or CSV, in any letter case), of some persons."""
    tables = {path.stem.lower(): path for path in directory.iterdir() if path.suffix in (".parquet", ".csv")}
    return {name: read_table(tables[name], TABLES[name], persons) for name in sorted(tables.keys() & TABLES.keys())}


def read_table(path: Path, table: Table, persons: Callable[[int], bool] | None = None) -> list[Json]:
    """The rows of one table, its columns in OMOP's types."""
    wanted = {
        each.name: _ARROW.get(each.type, pa.string())
        for each in (*table.columns, *table.earlier)
        if each.name in columns_read(table)
    }
    found = _read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    found = found.rename_columns([name.lower() for name in found.column_names])
    found = pa.table({name: _cast(found[name], kind) for name, kind in wanted.items() if name in found.column_names})
    rows: list[Json] = found.to_pylist()
    return (
        rows
        if persons is None or "person_id" not in found.column_names
        else [row for row in rows if persons(row["person_id"])]
    )


def _read_csv(path: Path) -> pa.Table:
    """A CSV file, all of it text; nothing where there is nothing."""
    names = path.open(encoding="utf-8").readline().strip().split(",")
    text = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    return pa_csv.read_csv(path, convert_options=text)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in another type; of a date with a time, the date."""
    if kind == pa.date32() and column.type == pa.string():
        column = pc.utf8_slice_codeunits(column, 0, 10)
    return pc.cast(column, kind, safe=False)


def definitions(directory: Path) -> list[Definition]:
    """The definitions of a directory, by the numbers in their files' names."""
    paths = sorted(directory.glob("*.json"), key=lambda path: int(path.stem))
    return [read_circe(json.loads(path.read_text()), str(int(path.stem))) for path in paths]


def expected_rows(path: Path) -> dict[str, Rows]:
    """The reference's rows by definition; one without rows is not there."""
    found: dict[str, Rows] = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            dates = (date.fromisoformat(row[f"cohort_{side}_date"][:10]) for side in ("start", "end"))
            found[row["cohort_definition_id"]].append((int(row["subject_id"]), *dates))
    return {id: sorted(rows) for id, rows in found.items()}


def rows_of(answer: Answer) -> Rows:
    """The rows of an answer."""
    found = answer.rows
    return sorted(zip(found.person.tolist(), found.start.tolist(), found.end.tolist(), strict=True))


def differing(
    answers: Mapping[str, Answer], expected: Mapping[str, Rows], persons: Callable[[int], bool] | None = None
) -> dict[str, tuple[Rows, Rows]]:
    """The definitions answered otherwise than expected: (rows only found, rows only expected)."""
    result = {}
    for id, answer in answers.items():
        found = rows_of(answer)
        wanted = [row for row in expected.get(id, []) if persons is None or persons(row[0])]
        if found != wanted:
            result[id] = ([row for row in found if row not in wanted], [row for row in wanted if row not in found])
    return result


# circe-be's own tests


@dataclass(frozen=True)
class Step:
    """One step of a case: definitions to run and the rows that must come out; or the JSON that must be refused."""

    name: str
    definitions: Sequence[Definition]
    expected: Mapping[str, Rows]
    refused: Json | None = None


def case_tables(case: Json) -> dict[str, list[Json]]:
    """The tables that a case prepares."""
    named = {name.removeprefix("cdm."): rows for name, rows in case["prep"].items() if name.startswith("cdm.")}
    return {name: [_typed(name, row) for row in rows] for name, rows in named.items()}


def _typed(table: str, row: Json) -> Json:
    """A row with dates for the text of dates, and all columns of numbers."""
    types = {column.name: column.type for column in (*TABLES[table].columns, *TABLES[table].earlier)}
    day = {name: date.fromisoformat(value) for name, value in row.items() if value and types.get(name) == "date"}
    return {name: value for name, value in row.items() if name in types} | day


def steps(case: Json) -> Iterator[tuple[Step, Tables]]:
    """The steps of a case, each with the tables to run it on: the same for all of them."""
    read = {"cohort": _cohorts, "criteria": _criteria, "group": _around, "windowed": _around}
    yield from read[case["level"]](case)


def _cohorts(case: Json) -> Iterator[tuple[Step, Tables]]:
    wanted = {name: rows for name, rows in case["expected"].items() if name.endswith(".cohort")}
    expected: dict[str, Rows] = defaultdict(list)
    for row in (row for rows in wanted.values() for row in rows):
        dates = (date.fromisoformat(row[f"cohort_{side}_date"]) for side in ("start", "end"))
        expected[str(row["cohort_definition_id"])].append((row["subject_id"], *dates))
    for place, step in enumerate(case["steps"]):
        name, id = f"step {place}", str(step["cohort_id"])
        if step["expect_error"]:
            yield Step(name, (), {}, step["expression"]), case_tables(case)
        else:
            definition = read_circe(step["expression"], id)
            yield Step(name, [definition], {id: sorted(expected.get(id, []))}), case_tables(case)


def _codesets(case: Json) -> list[Json]:
    """The concept sets that a case gives by their concepts, in Circe's words."""
    sets: dict[int, list[Json]] = defaultdict(list)
    for name, rows in case["prep"].items():
        for row in rows if name.endswith(".codesets") else ():
            sets[row["codeset_id"]].append({"concept": {"CONCEPT_ID": row["concept_id"]}})
    return [{"id": id, "name": f"set {id}", "expression": {"items": items}} for id, items in sets.items()]


def _expression(case: Json, entry: Json, **more: Any) -> Json:
    """A whole definition around a criterion: it enters, whenever it happens, and stays as long as it lasts."""
    return {
        "ConceptSets": _codesets(case),
        "PrimaryCriteria": {
            "CriteriaList": [entry],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": {"Type": "All"}, "ExpressionLimit": {"Type": "All"}, "InclusionRules": [],
        "CensoringCriteria": [], "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0}, "CensorWindow": {},
        "EndStrategy": {"DateOffset": {"DateField": "EndDate", "Offset": 0}},
    } | more  # fmt: skip


def _criteria(case: Json) -> Iterator[tuple[Step, Tables]]:
    """One criterion: the cohort of its events must be the expected events, cut to observation and made one."""
    tables = {name: rows for name, rows in case_tables(case).items() if name != "concept"}
    for place, step in enumerate(case["steps"]):
        events = case["expected"].get(step["result_table"])
        if events is not None:
            definition = read_circe(_expression(case, step["json"]), str(place))
            yield Step(step["result_table"], [definition], {str(place): observed(events, tables)}), tables


def observed(events: Sequence[Json], tables: Tables) -> Rows:
    """Events as rows of a cohort: those that start within observation, until it ends, overlapping ones made one."""
    rows: Rows = []
    for event in sorted(events, key=lambda event: (event["person_id"], event["start_date"], event["end_date"])):
        start, end = date.fromisoformat(event["start_date"]), date.fromisoformat(event["end_date"])
        for period in tables["observation_period"]:
            first, last = (period[f"observation_period_{side}_date"] for side in ("start", "end"))
            if period["person_id"] == event["person_id"] and first <= start <= last and start <= end:
                row = (event["person_id"], start, min(end, last))
                if rows and rows[-1][0] == row[0] and start <= rows[-1][2]:
                    row = (row[0], rows.pop()[1], max(row[2], end))
                rows.append(row)
    return rows


def _around(case: Json) -> Iterator[tuple[Step, Tables]]:
    """A group, or a windowed criterion, around index events: payer plan periods stand for these.

    A windowed criterion's expected rows say how many events count at each index: so many and no fewer or more.
    """
    [index] = [rows for name, rows in case["prep"].items() if name.endswith(".cohort")]
    index = sorted(index, key=lambda row: (row["subject_id"], row["cohort_start_date"]))
    tables = {name: rows for name, rows in case_tables(case).items() if name != "concept"}
    domain, rows = _index_rows(case, index)
    tables[TABLE[domain]] = rows
    name = "PayerPlanPeriod" if domain == "payer_plan_period" else "DeviceExposure"
    for place, step in enumerate(case["steps"]):
        found = case["expected"].get(step["result_table"])
        if found is not None:
            yield _around_step(case, name, (place, step), index, found), tables


def _index_rows(case: Json, index: Sequence[Json]) -> tuple[str, list[Json]]:
    """Index events as records of a domain that the case does not speak of."""
    domain = "device" if "PayerPlanPeriod" in json.dumps(case["steps"]) else "payer_plan_period"
    table = TABLES[TABLE[domain]]
    return domain, [
        {
            table.key: number, "person_id": row["subject_id"],
            str(table.start): date.fromisoformat(row["cohort_start_date"]),
            str(table.end): date.fromisoformat(row["cohort_end_date"]),
        }
        for number, row in enumerate(index)
    ]  # fmt: skip


def _around_step(
    case: Json, name: str, numbered: tuple[int, Json], index: Sequence[Json], found: Sequence[Json]
) -> Step:
    place, step = numbered
    group = step["json"] if step["kind"] == "group" else None
    counts = dict.fromkeys(_keys(index), 0)
    for row in found:
        counts[row["person_id"], row["event_id"]] += 1
    read, expected = [], {}
    for count in sorted({1} if group else set(counts.values())):
        id = f"{place} {count}"
        one = {"Type": "ALL", "CriteriaList": [step["json"] | {"Occurrence": {"Type": 0, "Count": count}}],
               "DemographicCriteriaList": [], "Groups": []}  # fmt: skip
        read.append(read_circe(_expression(case, {name: {}}, AdditionalCriteria=group or one), id))
        kept = [row for key, row in zip(_keys(index), index, strict=True) if counts[key] == count]
        events = [
            {"person_id": row["subject_id"], "start_date": row["cohort_start_date"], "end_date": row["cohort_end_date"]}
            for row in kept
        ]
        expected[id] = observed(events, case_tables(case))
    return Step(step["result_table"], read, expected)


def _keys(index: Sequence[Json]) -> list[tuple[int, int]]:
    """Person and event id of each index event: the ids count each person's events from 1."""
    persons = [row["subject_id"] for row in index]
    return [(person, persons[: place + 1].count(person)) for place, person in enumerate(persons)]


def negative_control(id: str, domain: Domain, concept: int, *, descendants: bool, first: bool) -> Definition:
    """A negative control outcome: every (or each person's first) record of a concept, for a day."""
    cohort = Cohort(
        entry=(EntryEvent.model_validate({domain: "outcome"}),),
        keep="first" if first else "every",
        exit=Exit(days_after_start=0),
    )
    outcome = ConceptSet(concepts=(ConceptItem(concept=concept, descendants=descendants),))
    return Definition(id, cohort, {"outcome": outcome})
