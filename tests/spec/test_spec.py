"""The manual of cohorts and covariates, run on every engine: each section of the pages beside this file is a test.

A section holds a study's parts in YAML and tables. A table whose first heading is a domain or an OMOP table is data;
one whose first heading is a cohort's name, ``attrition of <cohort>``, ``masks of <cohort>``, ``clipped from <cohort>``
or ``covariates`` is what must come out. Columns of data are named as events name them, or as OMOP does. What stands
before the first section holds for all, unless a section says otherwise.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.engines import ENGINES, Opener, plain
from vitrail.omop.attributes import COLUMNS, SEX_CONCEPT, TABLE
from vitrail.omop.engines import Engine
from vitrail.omop.tables import TABLES
from vitrail.study.attributes import DOMAINS
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

Table = list[dict[str, str]]
"""Rows of a printed table: text by heading."""

PAGES = sorted(Path(__file__).parent.glob("*.md"))
COHORT = "asked"
SHOWN = {"start": 1, "end": 2, "observed until": 3}


@dataclass(frozen=True)
class Section:
    """One behaviour: its title, the study's parts, and its tables by first heading."""

    title: str
    parts: dict[str, Any]
    tables: dict[str, Table]


def read_section(text: str) -> Section:
    title = text.partition("\n")[0].strip()
    parts = yaml.safe_load("".join(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))) or {}
    blocks = re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE)
    tables = [read_table(block.strip().split("\n")) for block in blocks]
    return Section(title, parts, dict(tables))


def read_table(lines: list[str]) -> tuple[str, Table]:
    headings, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return headings[0], [dict(zip(headings, row, strict=True)) for row in rows]


def read_page(page: Path) -> list[Section]:
    first, *rest = (read_section(text) for text in page.read_text().split("\n## "))
    return [Section(each.title, first.parts | each.parts, first.tables | each.tables) for each in rest]


SECTIONS = {f"{page.stem}: {section.title}": section for page in PAGES for section in read_page(page)}


def data(tables: dict[str, Table]) -> dict[str, list[dict[str, Any]]]:
    """The tables that are data, as OMOP rows."""
    names = {heading: TABLE.get(heading, heading) for heading in tables}
    return {
        name: [omop_row(name, heading, row) for row in tables[heading]]
        for heading, name in names.items()
        if name in TABLES
    }


def omop_row(name: str, heading: str, row: dict[str, str]) -> dict[str, Any]:
    table = TABLES[name]
    columns = {
        "person": "person_id", "start": table.start, "end": table.end, "concept": table.concept,
        "number": "value_as_number", "value": "value_as_concept_id", "born": "year_of_birth",
        "sex": "gender_concept_id", "descendant": "descendant_concept_id", heading: table.key,
    }  # fmt: skip
    attributes = COLUMNS.get(heading, {})
    known = {column.name: column.type for column in (*table.columns, *table.earlier)}
    names = {key: str(columns.get(key) or attributes.get(key, key)) for key in row}
    found = {names[key]: value_of(value, known[names[key]]) for key, value in row.items()}
    return {column.name: None for column in table.columns if column.type == "float"} | found


def value_of(text: str, kind: str) -> Any:
    if kind == "str":
        return text or None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return date.fromisoformat(text)
    if text in SEX_CONCEPT:
        return SEX_CONCEPT[text]
    return (float(text) if "." in text or text == "nan" else int(text)) if text else None


def study_of(parts: dict[str, Any]) -> Study:
    return Study.model_validate_json(json.dumps({
        "vitrail": "study/1", "title": "Manual", "purpose": "characterisation", "question": "What does it mean?",
        "protocol": "As written.", "authors": ["Vitrail"],
        "concept_sets": parts["concept_sets"], "cohorts": parts["cohorts"],
        "analyses": {"who": {"kind": "characterise", "cohorts": [COHORT]}},
    }, default=str))  # fmt: skip


def check(section: Section, engine: Engine) -> int:
    """Compare everything that a section says must come out; gives the number of things compared."""
    checks = 0
    for heading, table in section.tables.items():
        if heading in section.parts["cohorts"]:
            check_rows(table, heading, engine)
        elif heading.startswith("attrition of "):
            steps = engine.attrition(heading.removeprefix("attrition of "))
            assert [(step.label, step.persons) for step in steps] == [
                (row[heading], int(row["persons"])) for row in table
            ]
        elif heading.startswith("masks of "):
            check_masks(table, heading, engine)
        elif heading.startswith("clipped from "):
            assert [engine.answer(heading.removeprefix("clipped from ")).clipped] == [
                int(row[heading]) for row in table
            ]
        elif heading == "covariates":
            check_covariates(table, section.parts["covariates"], engine)
        else:
            continue
        checks += 1
    return checks


def check_rows(table: Table, cohort: str, engine: Engine) -> None:
    shown = [name for name in SHOWN if not table or name in table[0]]
    found = [(row[0], *(row[SHOWN[name]] for name in shown)) for row in plain(engine.cohort(cohort))]
    assert found == [(int(row[cohort]), *(date.fromisoformat(row[name]) for name in shown)) for row in table]
    if table and "began with" in table[0]:
        origins = engine.answer(cohort).origins
        events = zip(origins.domain.tolist(), origins.event.tolist(), origins.concept.tolist(), strict=True)
        began = [f"{DOMAINS[domain]} {event}, concept {concept}" for domain, event, concept in events]
        assert began == [row["began with"] for row in table]


def check_masks(table: Table, heading: str, engine: Engine) -> None:
    """The rules that hold, by name, and how many events, and best events of persons, they hold for."""
    answer = engine.answer(heading.removeprefix("masks of "))
    masks = {int(row[heading], 2): (int(row["events"] or 0), int(row["persons"] or 0)) for row in table}
    assert {mask: events for mask, (events, _) in masks.items() if events} == dict(answer.events_by_mask)
    assert {mask: persons for mask, (_, persons) in masks.items() if persons} == dict(answer.persons_by_mask)


def check_covariates(table: Table, written: list[dict[str, Any]], engine: Engine) -> None:
    covariates = [Covariate.model_validate_json(json.dumps({"name": "unnamed"} | each)) for each in written]
    rows = engine.cohort(COHORT)
    assert [(row["covariates"], row["start"]) for row in table] == [(str(row[0]), str(row[1])) for row in plain(rows)]
    names = list(table[0])[2:]
    assert names == [each.name for each in covariates]
    expected = [[float(row[name]) if row[name] else math.nan for name in names] for row in table]
    np.testing.assert_array_equal(engine.covariates(rows, covariates), expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("title", SECTIONS)
def test_manual(title: str, engine: str) -> None:
    section = SECTIONS[title]
    open_engine: Opener = ENGINES[engine]
    with open_engine(study_of(section.parts), data(section.tables)) as opened:
        assert check(section, opened) > 0, "the section says nothing that must come out"


def test_every_table_of_the_manual_is_understood() -> None:
    """A misspelt heading would be skipped silently, and its section would test less than it says."""
    for title, section in SECTIONS.items():
        for heading in section.tables:
            cohorts = set(section.parts["cohorts"])
            told = {f"{what} {name}" for what in ("attrition of", "masks of", "clipped from") for name in cohorts}
            known = {"covariates", *TABLE, *TABLES, *cohorts, *told}
            assert heading in known, title
