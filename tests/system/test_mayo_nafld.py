"""A real cohort of the Mayo Clinic (17,549 people), as two sites of half the people each.

The sites keep the default policy, so what comes back is rounded to 5: it is held against the exact numbers that pandas
reads from the original files, within 2 for each site.
"""

import json
from pathlib import Path

import pandas as pd

from tests.networks import evidence_of
from vitrail.omop.snapshot import read_manifest
from vitrail.study.analyses.characterise import CharacteriseEvidence

STUDY = Path(__file__).parents[2] / "studies" / "mayo-nafld"
HALVES = {"even": 0, "odd": 1}
ROWS_IN = {"people": 17_549, "labs": 400_123, "events": 34_340}


def exact(nafld: Path, remainder: int) -> tuple[int, int]:
    """People with NAFLD of one half, and of those without diabetes until then how many get it later."""
    people = pd.read_csv(nafld / "nafld1.csv").set_index("id")
    events = pd.read_csv(nafld / "nafld3.csv")
    events = events[(events.id % 2 == remainder) & (events.days <= events.id.map(people.futime))]
    first = {name: events[events.event == name].groupby("id").days.min() for name in ("nafld", "diabetes")}
    both = first["nafld"].to_frame("start").join(first["diabetes"].rename("diabetes"))
    return len(both), int((both.diabetes > both.start).sum())


def test_two_halves_of_one_cohort_are_characterised(tmp_path: Path, test_data: Path) -> None:
    nafld = test_data / "real" / "mayo_nafld"
    means = ("--vocabulary", STUDY / "vocabulary", "--mapping")
    sources = {half: (nafld, *means, STUDY / f"{half}.yaml") for half in HALVES}
    found = evidence_of(tmp_path, STUDY / "study.yaml", "default", sources).findings["people and outcomes"]
    assert isinstance(found, CharacteriseEvidence)
    assert found.refused == {}
    for half, remainder in HALVES.items():
        accounted(tmp_path / half)
        with_nafld, with_diabetes = exact(nafld, remainder)
        entered = next(each for each in found.attrition[half] if each.cohort == "people with NAFLD").steps[-1].count
        rate = next(each for each in found.rates[half] if each.name == "diabetes with NAFLD")
        print(half, with_nafld, entered, with_diabetes, rate.model_dump())
        assert entered != "suppressed"
        assert abs(entered - with_nafld) <= 2
        assert rate.events != "suppressed"
        assert abs(rate.events - with_diabetes) <= 2


def accounted(site: Path) -> None:
    """Every row that came in was loaded, or is quarantined with a reason."""
    (path,) = (each for each in (site / "snapshots").iterdir() if each.is_dir())
    manifest = read_manifest(path)
    print(json.dumps(manifest.rows_in), json.dumps([each.model_dump() for each in manifest.quarantined]))
    assert {name: manifest.rows_in[name] for name in ROWS_IN} == ROWS_IN
    quarantined = sum(each.rows for each in manifest.quarantined)
    assert sum(manifest.rows_in.values()) == sum(manifest.rows_loaded.values()) + quarantined
    assert all(each.reason for each in manifest.quarantined)
