"""`python -m bench.load MILLIONS [DIRECTORY]`: a load of so many million OMOP rows, by stage, beside a plain copy.

The rows are made by :mod:`bench.omop_source`, as Parquet. Each side runs in a process of its own: the load as
``vitrail site load --profile expert-determination`` does it, and DuckDB copying the same tables, sorted by person and
date, to Parquet without changing anything, which is as fast as a load could ever be. Prints a Markdown table; ``peak``
is the most memory that the process held, or the largest of its children. ``DIRECTORY`` is where all of it lies, made by
``tempfile`` where none is named; rows that lie there already are used again.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bench.omop_source import QUERIES, generate

ROWS_OF_A_PERSON = 122

DAYS = {"person": "person_id", "observation_period": "observation_period_start_date",
        "visit_occurrence": "visit_start_date", "condition_occurrence": "condition_start_date",
        "drug_exposure": "drug_exposure_start_date", "measurement": "measurement_date"}  # fmt: skip

Stages = dict[str, tuple[float, float]]
"""Wall and CPU seconds by stage."""


def main() -> None:
    """Make the rows, and run each side once."""
    if sys.argv[1] in SIDES:
        print(json.dumps(measured(SIDES[sys.argv[1]], Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else made)
        if not (folder / "omop").exists():
            folder.mkdir(parents=True, exist_ok=True)
            generate(folder / "omop", round(float(sys.argv[1]) * 1e6 / ROWS_OF_A_PERSON))
        print(table({side: alone(side, folder) for side in SIDES}, rows(folder)))


def rows(folder: Path) -> int:
    """How many rows the source has."""
    from pyarrow import parquet

    return sum(int(parquet.read_metadata(path).num_rows) for path in (folder / "omop").glob("*.parquet"))


def load(folder: Path, tell: Callable[[str], None]) -> None:
    """The load of a new site."""
    from vitrail.site.directory import SiteDirectory
    from vitrail.site.load import load

    with tempfile.TemporaryDirectory(dir=folder) as place:
        site = Path(place) / "site"
        subprocess.run(["vitrail", "site", "init", str(site), "--name", "bench"], check=True, capture_output=True)
        tell("start")
        load(SiteDirectory.open(site), folder / "omop", format="omop", profile="expert-determination", progress=tell)


def copy(folder: Path, tell: Callable[[str], None]) -> None:
    """The same tables, sorted and compressed as those of a snapshot, with the same memory."""
    import duckdb

    from vitrail.deid.deidentify import AS_PARQUET
    from vitrail.site.staging import MEMORY

    with (
        tempfile.TemporaryDirectory(dir=folder) as place,
        duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": f"{place}/spill"}) as db,
    ):
        for name in QUERIES:
            tell(f"copying {name}")
            source = f"SELECT * FROM '{folder}/omop/{name}.parquet' ORDER BY person_id, {DAYS[name]}"
            db.execute(f"COPY ({source}) TO '{place}/{name}.parquet' {AS_PARQUET}")


SIDES = {"load": load, "copy": copy}


def measured(side: Callable[[Path, Callable[[str], None]], None], folder: Path) -> dict[str, object]:
    """One run of a side: its stages, and the peak memory of the process and of its largest child, in MB."""
    marks: list[tuple[str, float, float]] = []

    def tell(stage: str) -> None:
        marks.append((stage.split(":")[0], time.perf_counter(), _cpu()))

    side(folder, tell)
    tell("end")
    stages: Stages = {}
    for (name, wall, cpu), (_, wall_after, cpu_after) in pairwise(marks):
        before = stages.get(name, (0.0, 0.0))
        stages[name] = (before[0] + wall_after - wall, before[1] + cpu_after - cpu)
    own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return {"stages": stages, "peak": max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024}


def _cpu() -> float:
    used = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def alone(side: str, folder: Path) -> dict[str, object]:
    """A run in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "bench.load", side, str(folder)], capture_output=True, check=True)
    return dict(json.loads(done.stdout))


def table(runs: dict[str, dict[str, object]], count: int) -> str:
    """The stages of each side, its sum, and how many times as long as the copy the load takes."""
    lines = [
        f"{count:,} rows",
        "",
        "| side | stage | wall s | CPU s | million rows per CPU s |",
        "|---|---|---|---|---|",
    ]
    totals: dict[str, tuple[float, float]] = {}
    for side, run in runs.items():
        stages: Stages = run["stages"]  # type: ignore[assignment]
        for name, (wall, cpu) in stages.items():
            lines.append(f"| {side} | {name} | {wall:.2f} | {cpu:.2f} | |")
        wall, cpu = (sum(each[at] for each in stages.values()) for at in (0, 1))
        totals[side] = wall, cpu
        lines.append(f"| {side} | all, peak {run['peak']:.0f} MB | {wall:.2f} | {cpu:.2f} | {count / cpu / 1e6:.2f} |")
        deid = [each for name, each in stages.items() if name.startswith("deidentifying")]
        if deid:
            wall, cpu = (sum(each[at] for each in deid) for at in (0, 1))
            lines.append(f"| {side} | all of deidentifying | {wall:.2f} | {cpu:.2f} | {count / cpu / 1e6:.2f} |")
    ratio = [totals["load"][at] / totals["copy"][at] for at in (0, 1)]
    return "\n".join(
        [*lines, "", f"A load takes {ratio[0]:.1f} times the wall time of a copy, {ratio[1]:.1f} its CPU."]
    )


if __name__ == "__main__":
    main()
