"""`vitrail study`: questions before they travel, and on their way."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vitrail import settings, wire
from vitrail.errors import StudyError
from vitrail.study.calendar import calendar_aloud, needs
from vitrail.study.reader import read_study
from vitrail.study.study import Study

app = typer.Typer(no_args_is_help=True)

Hub = Annotated[str | None, typer.Option("--hub", metavar="URL", help="The hub's address; else VITRAIL_HUB.")]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Check a study file: its id and what it asks, or what is wrong with it, where, and what to write instead."""
    try:
        study = read_study(file)
    except StudyError as error:
        if as_json and error.problems:
            typer.echo(json.dumps({"problems": [vars(problem) for problem in error.problems]}, indent=2))
        raise
    typer.echo(_as_json(study) if as_json else _as_text(study))


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file.", show_default=False)],
    hub: Hub = None,
    as_json: AsJson = False,
) -> None:
    """Put a study to all members; each steward decides."""
    from vitrail.transport.http import HttpHub

    study = read_study(file)
    identity = HttpHub(hub or settings.hub()).send("/studies", study.canonical())["study"]
    typer.echo(json.dumps({"study": identity}) if as_json else f"Proposed: {identity}")


@app.command()
def status(
    study: Annotated[str, typer.Argument(metavar="ID", help="The study's id.", show_default=False)],
    hub: Hub = None,
    as_json: AsJson = False,
) -> None:
    """How far a study is, and who is still to answer."""
    from vitrail.transport.http import HttpHub

    found = HttpHub(hub or settings.hub()).get(f"/studies/{study}")
    typer.echo(json.dumps(found) if as_json else _progress(found))


def _as_json(study: Study) -> str:
    said: dict[str, object] = {"id": study.id, "title": study.title, "purpose": study.purpose, "asks": study.aloud()}
    said["calendar"] = "true" if needs(study) else "none"
    said["warnings"] = tuple(map(str, study.warnings()))
    return json.dumps(said, indent=2, ensure_ascii=False)


def _as_text(study: Study) -> str:
    heading = f"{study.title}\n{study.id}\n\nPurpose: {study.purpose}.\nQuestion: {study.question}"
    warnings = (f"Warning: {each}" for each in study.warnings())
    return "\n\n".join((heading, *study.aloud(), calendar_aloud(study), *warnings))


def _progress(found: wire.Json) -> str:
    lines = [found["title"], found["study"], f"State: {found['state']}"]
    for name, each in found["analyses"].items():
        waiting = f", waiting for {', '.join(each['waiting_for'])}" if each["waiting_for"] else ""
        lines.append(f"  {name}: round {each['round']}{waiting}")
        lines += [f"    {site} refused: {code}" for site, code in each["refused"].items()]
    if found["evidence"]:
        lines.append(f"Evidence: {found['evidence']}")
    if found["failure"]:
        lines.append(f"Failed: {found['failure']}")
    return "\n".join(lines)
