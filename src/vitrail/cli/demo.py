"""`vitrail demo`: two synthetic health systems answer the flagship question through real processes.

The demo only makes the people and calls the commands that anybody would call; each node is a process of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vitrail.errors import NodeError, VitrailError
from vitrail.study.analyses.predict import PredictEvidence
from vitrail.study.evidence import Evidence

PERSONS = 32_000
SHARES = {"referral": 0.25, "community": 0.75}
PATIENCE = 900.0
"""Seconds that the study may take before the demo gives up."""


@dataclass(frozen=True)
class Place:
    """Where the demo keeps its things."""

    root: Path

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
    directory: Annotated[Path, typer.Option("--dir", help="A new or empty directory; all goes there.")] = Path("demo"),
    persons: Annotated[int, typer.Option(min=8_000, help="People in the two systems together.")] = PERSONS,
    open_report: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in a browser.")] = True,
) -> None:
    """Make two health systems, let them answer one question together, and say where the report lies."""
    started, place = time.monotonic(), Place(directory)
    if directory.exists() and any(directory.iterdir()):
        raise NodeError(f"{directory} is not empty.", "Name a new directory with --dir, or remove this one.")
    for folder in (place.root, place.root / "logs", place.root / "sources"):
        folder.mkdir(parents=True, exist_ok=True)
    place.study.write_bytes(resources.files("vitrail.synthetic").joinpath("early-ckd.yaml").read_bytes())
    console = Console()
    with _shown(console) as progress:
        evidence = _run(place, persons, progress)
    _say(console, place, evidence, time.monotonic() - started)
    if open_report and sys.stdout.isatty():
        typer.launch(place.report.resolve().as_uri())


def _run(place: Place, persons: int, progress: Progress) -> Evidence:
    """From nothing to evidence and its report."""
    for name, share in SHARES.items():
        _make_people(place, name, round(persons * share), progress)
    for name in SHARES:
        with _step(progress, f"{name}: extract → deidentified, checked snapshot"):
            _vitrail("site", "init", place.site(name), "--name", name)
            _vitrail("site", "load", place.site(name), place.source(name), "--format", "omop",
                     "--profile", "already-deidentified")  # fmt: skip
    with _processes(place, progress) as hub_url:
        study = _ask(place, hub_url, progress)
        _wait(study, hub_url, progress)
    with _step(progress, "Writing the report"):
        _vitrail("evidence", "export", study, "--hub", place.hub, "--format", "html", "--out", place.report)
        shown = json.loads(_vitrail("evidence", "show", study, "--hub", place.hub, "--json"))
    return Evidence.model_validate_json(json.dumps(shown))


def _make_people(place: Place, name: str, persons: int, progress: Progress) -> None:
    from vitrail.synthetic.generate import generate
    from vitrail.synthetic.systems import SYSTEMS

    with _step(progress, f"{name}: making {persons:,} people and fifteen years of their care"):
        generate(place.source(name), SYSTEMS[name], persons=persons, seed=1)


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
    with _step(progress, "Proposing the study; each steward reads it and approves its hash"):
        study = str(json.loads(_vitrail("study", "propose", place.study, "--hub", hub_url, "--json"))["study"])
        for name in SHARES:
            _until(lambda name=name: study in _vitrail("site", "review", place.site(name)))  # type: ignore[misc]
            _vitrail("site", "review", place.site(name), "--approve", study,
                     "--key", place.site(name) / "keys" / "steward.key")  # fmt: skip
    return study


def _wait(study: str, hub_url: str, progress: Progress) -> None:
    """Follow the rounds until there is evidence."""
    task = progress.add_task("Studies travel to the data; checked aggregates travel back", total=None)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        state = json.loads(_vitrail("study", "status", study, "--hub", hub_url, "--json"))
        rounds = ", ".join(f"{name} round {each['round']}" for name, each in state["analyses"].items())
        progress.update(task, description=f"Studies travel to the data; checked aggregates travel back ({rounds})")
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
    for name, finding in evidence.findings.items():
        if isinstance(finding, PredictEvidence):
            for each in finding.validations:
                found = each.discrimination
                if found is not None and found.auroc != "suppressed":
                    console.print(
                        f"  {name}, {each.fit} at {each.site} ({each.group}): "
                        f"AUROC {found.auroc} (95 % CI {found.low} to {found.high})"
                    )
    console.print(f"  {len(evidence.sources)} signed Releases left the sites; no record did.")
    console.print(f"\nThe report: {place.report.resolve()}   ({seconds:.0f} s in all)", soft_wrap=True)


# --- processes -------------------------------------------------------------------------------------------------------


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "vitrail.cli", *map(str, words)]


def _vitrail(*words: object) -> str:
    """Run a command to its end; what it printed. Raises NodeError with its own words."""
    done = subprocess.run(_command(*words), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise NodeError(f"`vitrail {words[0]} {words[1]}` says: {done.stderr.strip()}")
    return done.stdout


def _start(place: Place, log: str, *words: object) -> subprocess.Popen[bytes]:
    with (place.root / "logs" / f"{log}.log").open("ab") as output:
        return subprocess.Popen(_command(*words), stdout=output, stderr=output, env=os.environ)  # noqa: S603


def _address(place: Place) -> str:
    """Where the hub that was just started listens."""

    def known() -> Any:
        return json.loads(_vitrail("hub", "status", place.hub, "--json")).get("address")

    return str(_until(known))


def _until(question: Any, patience: float = 30.0) -> Any:
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
