"""`vitrail site quality` and `vitrail site waive`: what the checks found, and what a steward lets pass."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vitrail.cli.expiry import last_day, today
from vitrail.errors import NodeError

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The site's directory.", show_default=False)]

WAIVED_DAYS = 90
"""How long a waiver lasts where nothing else is said: until the next refresh, and no habit."""


def quality(
    directory: Directory, as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False
) -> None:
    """What the checks of the snapshot in use found, and whether it may answer studies."""
    from vitrail.site.node import Node
    from vitrail.site.quality_page import as_data, as_text, report

    node = Node.open(directory)
    found = report(node, today())
    if as_json:
        typer.echo(json.dumps(as_data(found)))
    else:
        typer.echo(as_text(found))
        if node.directory.quality_page.exists():
            typer.echo(f"\nThe page: {node.directory.quality_page}")
    if found.bars:
        raise typer.Exit(1)


def waive(
    directory: Directory,
    check: Annotated[str, typer.Option(metavar="NAME", help="A hard check that fails.", show_default=False)],
    table: Annotated[str, typer.Option(metavar="TABLE", help="The table that it fails for.", show_default=False)],
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason; it stays here.", show_default=False)],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The steward's key.", show_default=False)],
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="The last day; 90 days by default.")] = None,
) -> None:
    """Let the snapshot in use answer studies although a hard check fails; the next snapshot needs its own waiver."""
    from vitrail.site.fitness import waive as sign
    from vitrail.site.node import Node
    from vitrail.site.quality_page import write_page
    from vitrail.wire import SigningKey

    node, now = Node.open(directory), today()
    if not why.strip():
        raise NodeError("A waiver needs a reason.", "Give it with --why; it stays at this site.")
    waiver = sign(node, SigningKey.read(key), check, table, why, last_day(expires, WAIVED_DAYS), now)
    write_page(node, now)
    typer.echo(f"Waived until {waiver.expires} for {waiver.snapshot}: {check} of {table}")
