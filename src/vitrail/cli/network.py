"""`vitrail study propose` and `status`: studies on their way. They join the group of ``vitrail.cli.study``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vitrail import settings, wire
from vitrail.cli.study import app

__all__ = ["app"]

Hub = Annotated[str | None, typer.Option("--hub", metavar="URL", help="The hub's address; else VITRAIL_HUB.")]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file.", show_default=False)],
    hub: Hub = None,
    as_json: AsJson = False,
) -> None:
    """Put a study to all members; each steward decides."""
    from vitrail.study.reader import read_study
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
    typer.echo(json.dumps(found) if as_json else _as_text(found))


def _as_text(found: wire.Json) -> str:
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
