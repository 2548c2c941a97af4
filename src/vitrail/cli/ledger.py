"""`vitrail ledger`: a node's record, for its steward and for auditors."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A site's or hub's directory.", show_default=False)]


@app.command()
def verify(
    directory: Directory, as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False
) -> None:
    """Check every entry against the signed head."""
    from vitrail.cli.nodes import opened

    size, root = opened(directory).verify()
    said = {"entries": size, "root": root}
    typer.echo(json.dumps(said) if as_json else f"{size} entries fit the signed head {root}.")


@app.command()
def show(directory: Directory) -> None:
    """Every entry, one line each: when, what happened, to what."""
    from vitrail.cli.nodes import opened
    from vitrail.store.store import read_entry

    for entry in map(read_entry, opened(directory).store.ledger()[0]):
        details = " ".join(f"{name}={value}" for name, value in entry["details"].items() if value is not None)
        typer.echo(f"{entry['seq']:>6}  {entry['at']}  {entry['event']:<12}  {entry['subject']}  {details}".rstrip())


@app.command()
def export(directory: Directory) -> None:
    """Every entry as canonical JSON, one line each, then the signed head: what is needed to verify it elsewhere."""
    from vitrail.cli.nodes import opened

    entries, seal = opened(directory).store.ledger()
    for entry in entries:
        typer.echo(entry.decode())
    typer.echo(json.dumps(json.loads(seal)["head"]) if seal else "null")
