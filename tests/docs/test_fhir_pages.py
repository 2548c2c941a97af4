"""The pages on FHIR tell the truth: what they list is what is read, and the way they show leads to mapped codes."""

import csv
import re
from pathlib import Path

from tests.clinical_sources import fhir, population, write_ndjson, write_vocabulary
from tests.commands import run
from vitrail.ingest.fhir_resources import READ
from vitrail.ingest.fhir_types import STATUSES
from vitrail.ingest.standard import ALLERGY_TO
from vitrail.ingest.synthea import FILES, LEFT_OUT
from vitrail.vocabulary.mapping_files import conventional_concepts


def table_rows(page: str, heading: str) -> list[list[str]]:
    """The rows of the tables under a heading, cell by cell."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_resource_and_status_is_on_the_page(root: Path) -> None:
    rows = table_rows((root / "docs/reference/fhir.md").read_text(), "Resources")
    resources = {row[0] for row in rows if len(row) == 4} - {"resource"}
    assert resources == {*READ, "RelatedPerson"}
    statuses = {row[0]: row[1:] for row in rows if len(row) == 3 and row[0] != "resource"}
    assert {
        name: tuple(frozenset(re.findall(r"[a-z-]{4,}", cell)) for cell in cells) for name, cells in statuses.items()
    } == {
        name: (happened | ({"none"} if name == "SupplyDelivery" else set()), rest)
        for name, (happened, rest) in STATUSES.items()
    }


def test_every_file_of_synthea_is_on_the_page(root: Path) -> None:
    rows = table_rows((root / "docs/reference/fhir.md").read_text(), "Synthea")
    assert {name for row in rows[1:] for name in row[0].split(", ")} == {*FILES, *LEFT_OUT}


def test_the_concepts_of_the_page_are_those_of_the_lists(root: Path) -> None:
    page = (root / "docs/reference/fhir.md").read_text()
    operators = re.findall(r"`([<>]=?)` ([0-9]{7})", page)
    assert {sign: int(concept) for sign, concept in operators} == {
        sign: concept for sign, concept in conventional_concepts("operator").items() if sign != "="
    }
    visits = re.findall(r"\b(AMB|EMER|IMP) ([0-9]{4})", page)
    assert len(visits) == 3
    assert all(conventional_concepts("visit")[code.lower()] == int(concept) for code, concept in visits)
    assert all(coded.split("\t")[1] in page for coded in ALLERGY_TO.values())


def test_the_way_leads_to_mapped_codes(root: Path, tmp_path: Path) -> None:
    """The page's list of meanings is added after the first load; its codes are gone from the list after the second."""
    source = write_ndjson(fhir(population(1, persons=250)), tmp_path / "export")
    words, site = write_vocabulary(tmp_path / "vocabulary"), tmp_path / "mercy"
    assert run("site", "init", site, "--name", "mercy").status == 0
    (listed,) = re.findall(r"```csv\n(.*?)```", (root / "docs/how-to/bring-fhir.md").read_text(), re.DOTALL)
    codes = {row["source_code"] for row in csv.DictReader(listed.splitlines())}
    load = ("site", "load", site, source, "--format", "fhir", "--profile", "safe-harbor", "--vocabulary", words)
    assert run(*load).status == 0
    assert codes <= unmapped(site)
    (site / "source_to_concept_map.csv").write_text(listed)
    assert run(*load).status == 0
    assert not codes & unmapped(site)


def unmapped(site: Path) -> set[str]:
    with (site / "unmapped.csv").open(newline="") as file:
        return {row["source_code"] for row in csv.DictReader(file)}
