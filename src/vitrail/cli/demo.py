"""`vitrail demo`: two synthetic health systems answer the flagship question through real processes.

The demo only makes the people and calls the commands that anybody would call; each node is a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vitrail.errors import NodeError, VitrailError
from vitrail.study.analyses import Finding
from vitrail.study.analyses.predict import ALL_SITES, PredictEvidence
from vitrail.study.evidence import Evidence
from vitrail.study.release import SUPPRESSED
from vitrail.transport.http import HttpHub

T = TypeVar("T")

PERSONS = 32_000
SHARES = {"referral": 0.25, "community": 0.75}
PATIENCE = 900.0
"""Seconds that the study may take before the demo gives up."""


@dataclass(frozen=True)
class Place:
    """Where the demo keeps its things."""

    root: Path

    @property
    def mark(self) -> Path:
        """An empty file by which a demo knows a directory that a demo made."""
        return self.root / ".vitrail-demo"

    @property
    def hub(self) -> Path:
        """The hub's directory."""
        return self.root / "hub"

    @property
    def study(self) -> Path:
        """The study file."""
        return self.root / "study.yaml"

    @property
    def report(self) -> Path:
        """The evidence report."""
        return self.root / "report.html"

    def site(self, name: str) -> Path:
        """A site's directory."""
        return self.root / "sites" / name

    def source(self, name: str) -> Path:
        """A synthetic health system's extract, as its data engineer has it."""
        return self.root / "sources" / name

    def kit(self, name: str) -> Path:
        """What the alliance manager gives to a site."""
        return self.root / "kits" / name


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="A new or empty directory, or an earlier demo's.")] = Path(
        "demo"
    ),
    persons: Annotated[int, typer.Option(min=1_000, help="People in the two systems together.")] = PERSONS,
    open_report: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in a browser.")] = True,
) -> None:
    """Make two health systems, let them answer one question together, and say where the report lies."""
    started, place = time.monotonic(), Place(directory)
    _prepare(place)
    place.study.write_bytes(resources.files("vitrail.synthetic").joinpath("early-ckd.yaml").read_bytes())
    console = Console()
    with _shown(console) as progress:
        evidence = _run(place, persons, progress)
    _say(console, place, evidence, time.monotonic() - started)
    if open_report and sys.stdout.isatty():
        typer.launch(place.report.resolve().as_uri())


def _prepare(place: Place) -> None:
    """An empty directory with the demo's mark; what an earlier demo left in it is removed, and nothing else ever is."""
    try:
        if place.mark.exists():
            shutil.rmtree(place.root)
        elif place.root.exists() and any(place.root.iterdir()):
            raise NodeError(f"{place.root} is not empty.", "Name a new directory with --dir, or remove this one.")
        for folder in (place.root, place.root / "logs", place.root / "sources"):
            folder.mkdir(parents=True, exist_ok=True)
        place.mark.touch()
    except OSError as error:
        raise NodeError(f"{place.root} cannot be written.", "Name another directory with --dir.") from error


def _run(place: Place, persons: int, progress: Progress) -> Evidence:
    """From nothing to evidence and its report."""
    with ThreadPoolExecutor() as both:
        list(both.map(lambda name: _make_site(place, name, round(persons * SHARES[name]), progress), SHARES))
    with _processes(place, progress) as hub_url:
        study = _ask(place, hub_url, progress)
        _wait(study, hub_url, progress)
    with _step(progress, "Writing the report"):
        _vitrail("evidence", "export", study, "--hub", place.hub, "--format", "html", "--out", place.report)
        return Evidence.model_validate_json(_vitrail("evidence", "show", study, "--hub", place.hub, "--json"))


def _make_site(place: Place, name: str, persons: int, progress: Progress) -> None:
    """A synthetic health system's people, and the site that has loaded them."""
    from vitrail.synthetic.generate import generate
    from vitrail.synthetic.systems import SYSTEMS

    with _step(progress, f"{name}: {persons:,} people, fifteen years"):
        generate(place.source(name), SYSTEMS[name], persons=persons, seed=1)
    with _step(progress, f"{name}: extract → snapshot"):
        _vitrail("site", "init", place.site(name), "--name", name)
        _vitrail("site", "load", place.site(name), place.source(name), "--format", "omop",
                 "--profile", "already-deidentified")  # fmt: skip


@contextmanager
def _processes(place: Place, progress: Progress) -> Iterator[str]:
    """The hub and both sites as processes of their own; the hub's address. All end with the block."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        with _step(progress, "Starting the hub and the sites"):
            _vitrail("hub", "init", place.hub)
            running.append(_start(place, "hub", "hub", "run", place.hub, "--port", "0"))
            hub_url = _address(place)
            for name in SHARES:
                _vitrail("alliance", "add", place.hub, "--site-key", place.site(name) / "keys" / "agent.pub",
                         "--name", name, "--kit", place.kit(name))  # fmt: skip
                _vitrail("site", "join", place.kit(name), place.site(name))
                running.append(_start(place, name, "site", "run", place.site(name)))
        yield hub_url
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def _ask(place: Place, hub_url: str, progress: Progress) -> str:
    """Propose the study and approve it as each site's steward would; its id."""
    with _step(progress, "Each steward approves the study's hash"):
        study = str(json.loads(_vitrail("study", "propose", place.study, "--hub", hub_url, "--json"))["study"])
        for name in SHARES:
            _until(partial(_has_arrived, study, place.site(name)))
            _vitrail("site", "review", place.site(name), "--approve", study,
                     "--key", place.site(name) / "keys" / "steward.key")  # fmt: skip
    return study


def _has_arrived(study: str, site: Path) -> bool:
    return study in _vitrail("site", "review", site)


def _wait(study: str, hub_url: str, progress: Progress) -> None:
    """Follow the rounds until there is evidence."""
    hub, task = HttpHub(hub_url), progress.add_task("The study at the sites", total=None)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        state = hub.get(f"/studies/{study}")
        rounds = ", ".join(str(each["round"] + 1) for each in state["analyses"].values())
        progress.update(task, description=f"The study at the sites: round {rounds}")
        if state["state"] == "done":
            progress.update(task, total=1, completed=1)
            return
        if state["state"] == "failed":
            raise NodeError(f"The study failed: {state['failure']}", "See the logs in the demo's directory.")
        time.sleep(0.2)
    raise NodeError("The study took too long.", "See the logs in the demo's directory.")


def _say(console: Console, place: Place, evidence: Evidence, seconds: float) -> None:
    """The headline figures, and where the report lies."""
    console.print()
    lines = [line for finding in evidence.findings.values() for line in _headlines(finding)]
    for line in lines or ["No figure of a model could be released; the report says why."]:
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"  {len(evidence.sources)} signed Releases left the sites; no record did.")
    console.print(f"\nThe report: {place.report.resolve()}   ({seconds:.0f} s in all)", soft_wrap=True)


def _headlines(finding: Finding) -> Iterator[str]:
    """How well each model tells who will fall ill, where it was tested."""
    for each in finding.validations if isinstance(finding, PredictEvidence) else ():
        found = each.discrimination
        if found is not None and found.auroc != SUPPRESSED:
            model = "model of " + each.fit if each.fit == ALL_SITES else "model " + each.fit
            yield f"{model}, at {each.site} ({each.group}): AUROC {found.auroc} (95 % CI {found.low} to {found.high})"


# --- processes -------------------------------------------------------------------------------------------------------


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "vitrail.cli", *map(str, words)]


def _vitrail(*words: object) -> str:
    """Run a command to its end; what it printed. Raises NodeError with its own words."""
    done = subprocess.run(_command(*words), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise NodeError(f"`vitrail {words[0]} {words[1]}` says: {done.stderr.strip()}", "Try again in a new directory.")
    return done.stdout


def _start(place: Place, log: str, *words: object) -> subprocess.Popen[bytes]:
    with (place.root / "logs" / f"{log}.log").open("ab") as output:
        return subprocess.Popen(_command(*words), stdout=output, stderr=output, env=os.environ)  # noqa: S603


def _address(place: Place) -> str:
    """Where the hub that was just started listens."""

    return str(_until(lambda: json.loads(_vitrail("hub", "status", place.hub, "--json"))["address"]))


def _until(question: Callable[[], T], patience: float = 60.0) -> T:
    """What ``question`` says once it says something. Raises NodeError after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except VitrailError:
            pass
        time.sleep(0.1)
    raise NodeError("A process of the demo does not answer.", "See the logs in the demo's directory.")


# --- progress --------------------------------------------------------------------------------------------------------


def _shown(console: Console) -> Progress:
    return Progress(SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(bar_width=20),
                    TimeElapsedColumn(), console=console)  # fmt: skip


@contextmanager
def _step(progress: Progress, words: str) -> Iterator[None]:
    task = progress.add_task(words, total=None)
    yield
    progress.update(task, total=1, completed=1)
