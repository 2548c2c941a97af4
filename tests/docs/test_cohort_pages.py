"""The pages on cohorts tell the truth: the tables are those of the code, the definition runs."""

import csv
import re
from datetime import date
from pathlib import Path

from tests.commands import run
from tests.engines import write_parquet
from vitrail.cli.cohort import ATTRITION, MEMBERS
from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, REFUSED_CRITERIA, Attribute
from vitrail.study.circe.text import MAX_BYTES, MAX_DEPTH
from vitrail.study.circe.values import MAX_ITEMS


def row(attribute: Attribute) -> str:
    fields = ", ".join(f"`{name}`" for name in attribute.fields)
    ours = f"`{attribute.field}`" if attribute.field else "–"
    return f"| | {fields} | {ours} | {attribute.kind.value}{attribute.note and f'; {attribute.note}'} |"


def fields() -> str:
    """The table of every field, as the page has it."""
    lines = ["| criterion | Circe's field | ours | how Circe says it |", "|---|---|---|---|"]
    for kind in CRITERIA:
        concept = "`CodesetId` names its concept set" if kind.codeset else "of any concept"
        lines += [f"| **{kind.name}** | | `{kind.domain}` | {concept} |", *map(row, kind.attributes)]
    lines += ["| **DemographicCriteria** | | `person` | of a rule |", *map(row, DEMOGRAPHIC)]
    return "\n".join([*lines, *(f"| **{name}** | | – | refused; {why} |" for name, why in REFUSED_CRITERIA.items())])


def columns() -> str:
    """The table of what may be counted apart."""
    pairs = (f"| `{theirs}` | `{ours}` |" for theirs, ours in COUNT_COLUMNS.items())
    return "\n".join(["| Circe's column | ours |", "|---|---|", *pairs])


def test_the_tables_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs/reference/cohorts.md").read_text()
    for name, table in (("fields", fields()), ("columns", columns())):
        assert re.findall(f"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", page, re.DOTALL) == [table]


def test_the_bounds_are_those_of_the_code(root: Path) -> None:
    page = " ".join((root / "docs/reference/cohorts.md").read_text().split())
    assert f"may be {MAX_BYTES // 2**20} MiB large and {MAX_DEPTH} deep" in page
    assert f"may have {MAX_ITEMS:,} items, a list of criteria 500" in page


def test_the_definition_of_the_page_runs(root: Path, tmp_path: Path) -> None:
    page = (root / "docs/how-to/run-cohorts.md").read_text()
    (definition,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "gout.yaml").write_text(definition)
    said = run("cohort", "explain", tmp_path / "gout.yaml")
    assert said.status == 0
    assert "Warning" not in said.out
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    write_parquet(cdm, {
        "person": [{"person_id": 7, "gender_concept_id": 8507, "year_of_birth": 1950}],
        "observation_period": [{"observation_period_id": 1, "person_id": 7,
                                "observation_period_start_date": date(2009, 1, 1),
                                "observation_period_end_date": date(2012, 1, 1)}],
        "condition_occurrence": [{"condition_occurrence_id": 1, "person_id": 7, "condition_concept_id": 440674,
                                  "condition_start_date": date(2010, 1, 5), "condition_end_date": date(2010, 1, 9)}],
    })  # fmt: skip
    out, steps = tmp_path / "members.csv", tmp_path / "steps.csv"
    words = ("--cdm", cdm, "--out", out, "--attrition", steps)
    assert run("cohort", "run", tmp_path / "gout.yaml", *words).status == 0
    assert list(csv.reader(out.open())) == [list(MEMBERS), ["gout", "7", "2010-01-05", "2010-02-08"]]
    headers = re.findall(r"^```csv\n(.*?)\n```", page, re.MULTILINE | re.DOTALL)
    assert headers == [",".join(MEMBERS), ",".join(ATTRITION)]
