"""`vitrail alliance`: who takes part."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(metavar="HUBDIR", help="The hub's directory.", show_default=False)]


@app.command()
def add(
    directory: Directory,
    site_key: Annotated[Path, typer.Option(metavar="FILE", help="The site's public key.", show_default=False)],
    name: Annotated[str, typer.Option(help="The site's name.", show_default=False)],
    kit: Annotated[Path, typer.Option(metavar="OUT", help="The folder to make for the site.", show_default=False)],
) -> None:
    """Take a site in, and make the kit with which it joins."""
    from vitrail.cli.nodes import registry
    from vitrail.hub.members import add_member

    add_member(registry(directory), directory, name, site_key, kit)
    typer.echo(f"{name} is a member. Hand {kit} to the site, by a way that both trust.")


@app.command()
def show(
    directory: Directory, as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False
) -> None:
    """The members and the fingerprints of their keys."""
    from vitrail.cli.nodes import registry
    from vitrail.wire import PublicKey

    members = {name: PublicKey(key).id for name, key in registry(directory).members().items()}
    if as_json:
        typer.echo(json.dumps(members))
        return
    for name, key in members.items():
        typer.echo(f"{name:<40} {key}")
