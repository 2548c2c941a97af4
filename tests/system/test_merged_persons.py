"""Two records of a FHIR source turn out to be one person: the survivor's pseudonym stays, and gets the other's rows."""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.clinical_sources import Resource, coded, refer, write_ndjson
from tests.commands import run
from vitrail.deid.crosswalk import read_crosswalk
from vitrail.deid.persons import Keys
from vitrail.omop.snapshot import Snapshot, verified
from vitrail.site.directory import SiteDirectory

DAYS = {"A": "2016-03-01", "B": "2015-02-03", "C": "2017-08-09"}
"""Of each of three persons the day of a diagnosis; others make up the numbers."""


def patient(name: str, *survivors: str) -> Resource:
    link = [{"type": "replaced-by", "other": refer("Patient", each)} for each in survivors]
    return {"resourceType": "Patient", "id": name, "birthDate": "1950-01-02", "gender": "female", "link": link}


def of(kind: str, name: str, **more: Any) -> Resource:
    return {"resourceType": kind, "id": f"{kind}-{name}", "subject": refer("Patient", name.split("-")[0])} | more


def visit(name: str, day: str) -> Resource:
    span = {"period": {"start": day, "end": day}, "class": {"code": "AMB"}, "status": "finished"}
    return of("Encounter", name, **span)


def write(where: Path, *links: tuple[str, str]) -> Path:
    """Thirty people seen from 2010 to 2020, and what is said of who replaces whom."""
    names = [*DAYS, *(f"other{n}" for n in range(27))]
    held = [patient(each, *(new for old, new in links if old == each)) for each in names]
    for each in names:
        held += [visit(f"{each}-first", "2010-01-01"), visit(f"{each}-last", "2020-12-31")]
        day = DAYS.get(each, "2014-05-06")
        held.append(of("Condition", each, code=coded("SNOMED", "c-one"), onsetDateTime=day))
    return write_ndjson(held, where)


def loaded(site: Path, source: Path, *more: object) -> Snapshot:
    said = run("site", "load", site, source, "--format", "fhir", "--profile", "expert-determination", *more)
    assert said.status == 0, said.err
    return verified(SiteDirectory.open(site).current_snapshot())


def number(site: Path, name: str) -> int:
    """The pseudonym of a Patient."""
    directory = SiteDirectory.open(site)
    keys = Keys.of(directory.secret)
    source = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
    crosswalk = read_crosswalk(directory.crosswalk, keys.crosswalk)
    return int(crosswalk.numbers(keys.numbers, np.array([source]))[0])


def conditions(snapshot: Snapshot) -> dict[int, list[Any]]:
    """The days of each person's diagnoses."""
    query = f"SELECT person_id, list(condition_start_date ORDER BY 1) FROM '{snapshot.files['condition_occurrence']}'"
    return dict(duckdb.execute(f"{query} GROUP BY 1").fetchall())


def days(*names: str) -> list[Any]:
    return sorted(np.array([DAYS[each] for each in names], dtype="datetime64[D]").tolist())


def shifted(found: list[Any], names: str) -> set[int]:
    """By how many days they were moved; one, if each is of the same person."""
    return {(a - b).days for a, b in zip(found, days(*names), strict=True)}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert run("site", "init", tmp_path / "north", "--name", "north").status == 0
    return tmp_path / "north"


def merge_list(path: Path, *pairs: tuple[str, str]) -> Path:
    path.write_text("\n".join(["old_person_id,person_id", *(",".join(each) for each in pairs)]) + "\n")
    return path


def test_the_survivor_keeps_pseudonym_and_shift_and_gets_the_rows(site: Path, tmp_path: Path) -> None:
    """The source says that B stands for A, and a list that C stands for B."""
    before = conditions(loaded(site, write(tmp_path / "before")))
    a, b, c = (number(site, each) for each in "ABC")
    (shift_b,), (shift_c,) = shifted(before[b], "B"), shifted(before[c], "C")
    once = conditions(loaded(site, write(tmp_path / "once", ("A", "B"))))
    assert (number(site, "B"), a in once) == (b, False)
    assert shifted(once[b], "AB") == {shift_b}
    assert {each: found for each, found in once.items() if each != b} == {
        each: found for each, found in before.items() if each not in (a, b)
    }
    listed = merge_list(tmp_path / "merges.csv", ("B", "C"))
    twice = conditions(loaded(site, tmp_path / "once", "--merges", listed))
    assert shifted(twice[c], "ABC") == {shift_c}
    assert not {a, b} & set(twice)


def test_a_circle_over_both_is_refused(site: Path, tmp_path: Path) -> None:
    listed = merge_list(tmp_path / "merges.csv", ("B", "A"))
    source = write(tmp_path / "source", ("A", "B"))
    said = run("site", "load", site, source, "--format", "fhir", "--profile", "safe-harbor", "--merges", listed)
    assert said.status == 2
    assert "merges persons in a circle" in said.err
    assert "Traceback" not in said.err


def test_who_opted_out_stays_out_when_merged(site: Path, tmp_path: Path) -> None:
    loaded(site, write(tmp_path / "before"))
    (tmp_path / "out.txt").write_text("A\n")
    said = run("site", "erase", site, tmp_path / "out.txt", "--key", site / "keys" / "steward.key")
    assert said.status == 0, said.err
    after = conditions(loaded(site, write(tmp_path / "after", ("A", "B"))))
    assert len(after) == 28
    assert not {number(site, "A"), number(site, "B")} & set(after)
