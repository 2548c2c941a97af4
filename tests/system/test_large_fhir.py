"""Memory does not grow with the source: 300 MB of FHIR need little more than 30 MB of it."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clinical_sources import attachment, fhir, population

LOAD = """
import sys
from pathlib import Path
import duckdb
from vitrail.deid.columns import wanted
from vitrail.ingest.source import ingest
with duckdb.connect(config={"memory_limit": "300MB", "temp_directory": sys.argv[2], "threads": 1}) as db:
    extract = ingest(db, Path(sys.argv[1]), "fhir", None, None, wanted(), lambda _: None)
    assert sum(extract.rows_in.values()) == sum(extract.rows_loaded.values()) > 1000
"""


def write(directory: Path, megabytes: int) -> Path:
    """Populations one after the other, each patient with a long note, until there is enough."""
    directory.mkdir()
    size, seed = 0, 0
    while size < megabytes * 1_000_000:
        seed += 1
        held = fhir(population(seed, persons=300))
        for number, each in enumerate([each for each in held if each["resourceType"] == "Patient"]):
            note = attachment(f"made words {seed} {number} " * 300)
            document = {
                "resourceType": "DocumentReference",
                "id": f"note-{number}",
                "status": "current",
                "date": "2020",
            }
            of_whom = {"subject": {"reference": f"Patient/{each['id']}"}, "content": [{"attachment": note}]}
            held.append(document | of_whom)
        for each in held:
            each["id"] = f"{each['id']}-{seed}" if "-" in each["id"] and len(each["id"]) < 30 else each["id"]
        size += _append(directory, held)
    return directory


def _append(directory: Path, held: list[dict[str, object]]) -> int:
    lines: dict[str, list[str]] = {}
    for each in held:
        kind = str(each["resourceType"])
        if kind not in ("Device", "DeviceUseStatement"):  # their references would need the seed too
            lines.setdefault(kind, []).append(json.dumps(each) + "\n")
    for kind, texts in lines.items():
        with (directory / f"{kind}.000.ndjson").open("a") as file:
            file.writelines(texts)
    return sum(len(text) for texts in lines.values() for text in texts)


def peak(source: Path, spill: Path) -> int:
    """The most memory, in MB, of a process that loads the source; children before it needed less."""
    subprocess.run([sys.executable, "-c", LOAD, str(source), str(spill)], check=True, timeout=1200)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_is_bounded(tmp_path: Path) -> None:
    small = peak(write(tmp_path / "small", 30), tmp_path / "spill")
    large = peak(write(tmp_path / "large", 300), tmp_path / "spill")
    assert large < small + 400
    assert large < 900
