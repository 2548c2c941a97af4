"""What the page of the checks says of each is what the code does."""

import re
from pathlib import Path

import pytest

from vitrail.quality.limits import limits, plausible
from vitrail.quality.meaning import MEANINGS
from vitrail.quality.plausibility import OBSERVED
from vitrail.quality.source import QUARANTINED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "quality.md").read_text()
LINES = {
    row[0]: row[1:]
    for row in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ([\d, ]+) \| (.*?) \|$", PAGE, re.MULTILINE)
}


def test_every_check_has_its_line() -> None:
    assert {name: line[0] for name, line in LINES.items()} == {name: of.category for name, of in MEANINGS.items()}
    assert {name for name, line in LINES.items() if "Vitrail's own" in line[1]} == {
        n for n, of in MEANINGS.items() if of.own
    }


OWN = {"rowsQuarantined": QUARANTINED, "withinObservationPeriod": OBSERVED, "measureValueCompleteness": 1.0}


@pytest.mark.parametrize("name", MEANINGS)
def test_what_is_tolerated(name: str) -> None:
    shares = {each.share for each in limits(name)} | {each.share for each in plausible() if each.check == name}
    assert {float(each) / 100 for each in LINES[name][2].split(",")} == (shares or {OWN.get(name, 0.0)})


def test_the_number_of_concepts() -> None:
    (said,) = re.findall(r"plausible for (\d+) single\s+concepts", PAGE)
    assert int(said) == len(plausible())
