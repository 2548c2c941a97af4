"""`vitrail hub`: the meeting point."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vitrail import settings

app = typer.Typer(no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The hub's directory.", show_default=False)]


@app.command()
def init(
    directory: Directory,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it will listen.")] = settings.DEFAULT_PORT,
) -> None:
    """Make a hub: its key and its ledger."""
    from vitrail.hub.directory import HubDirectory

    typer.echo(f"The hub is ready in {directory}; it will listen at {HubDirectory.make(directory, port).card.address}.")


@app.command()
def run(
    directory: Directory,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Another port, remembered for later kits; 0 takes a free one.")
    ] = None,
) -> None:
    """Serve the mailbox, and learn from what arrives, until stopped."""
    from vitrail.hub.directory import HubDirectory
    from vitrail.hub.run import run as serve
    from vitrail.store.alone import alone

    hub = HubDirectory.open(directory)
    with alone(directory):
        serve(hub, port, lambda address: typer.echo(f"The hub listens at {address}."))


@app.command()
def status(
    directory: Directory, as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False
) -> None:
    """The hub's address where it is running, its members, and how far its studies are."""
    from vitrail.cli.nodes import address_where_running, registry
    from vitrail.hub.status import status as how_far

    hub = registry(directory)
    studies = [how_far(hub, study) for study in hub.studies()]
    address = address_where_running(directory)
    if as_json:
        typer.echo(json.dumps({"address": address, "members": sorted(hub.members()), "studies": studies}))
        return
    typer.echo(f"Running at {address}." if address else "Not running.")
    typer.echo(f"Members: {', '.join(sorted(hub.members())) or 'none yet'}.")
    for each in studies:
        typer.echo(f"{each['state']:<8} {each['study']}  {each['title']}")
