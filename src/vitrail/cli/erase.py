"""`vitrail site erase` and `vitrail site retain`: what leaves a site's snapshots for good."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The site's directory.", show_default=False)]
Key = Annotated[Path, typer.Option("--key", metavar="FILE", help="The steward's key.", show_default=False)]


def erase(
    directory: Directory,
    persons: Annotated[Path, typer.Argument(metavar="FILE", help="Ids in the source, one a line.", show_default=False)],
    key: Key,
) -> None:
    """Take persons who opted out out of every snapshot, now and for all later loads."""
    from vitrail.site import erase as erasing
    from vitrail.site.node import Node
    from vitrail.wire import SigningKey

    done = erasing.erase(Node.open(directory), erasing.read_ids(persons), SigningKey.read(key))
    if done.after is None:
        typer.echo("Nothing was loaded yet. Loads will leave these persons out.")
        return
    typer.echo(f"Persons who left the snapshot in use: {done.persons}. It is now {done.after}.")
    typer.echo(f"Other snapshots that were destroyed: {len(done.destroyed)}. Later loads leave these persons out.")


def retain(
    directory: Directory,
    keep: Annotated[int, typer.Option(help="How many snapshots stay, the one in use among them.", min=1)],
    key: Key,
) -> None:
    """Destroy all but the latest snapshots."""
    from vitrail.site import erase as erasing
    from vitrail.site.node import Node
    from vitrail.wire import SigningKey

    done = erasing.retain(Node.open(directory), keep, SigningKey.read(key))
    typer.echo(f"Snapshots that were destroyed: {len(done.destroyed)}.")


def register(app: typer.Typer) -> None:
    """Add the commands to `vitrail site`."""
    app.command()(erase)
    app.command()(retain)
