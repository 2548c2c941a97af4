"""`vitrail site proof` and `vitrail site sample`: what a privacy officer reads and signs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrail.errors import NodeError

if TYPE_CHECKING:
    from vitrail.wire import SigningKey

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The site's directory.", show_default=False)]


def proof(
    directory: Directory,
    sign: Annotated[str | None, typer.Option(metavar="NAME", help="Sign the statement in this name.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The privacy officer's key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Read the proof that deidentification worked on the snapshot in use; sign its statement."""
    from vitrail.omop.snapshot import verified
    from vitrail.site import proofs
    from vitrail.site.node import Node

    site = Node.open(directory).directory
    snapshot = verified(site.current_snapshot())
    if (sign is None) != (key is None):
        raise NodeError("--sign and --key belong together.", "Give both or neither.")
    if sign is not None and key is not None:
        proofs.sign_statement(site, snapshot.manifest, sign, _key(key))
    found = proofs.read_proof(site, snapshot.manifest)
    page = proofs.write_page(site, snapshot.manifest)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json", exclude_none=True)))
        return
    if snapshot.manifest.erased:
        typer.echo(
            f"  {snapshot.manifest.erased:,} persons opted out since; all figures are of the load, before they left."
        )
    for each in found.attempts:
        typer.echo(f"  {each.attack:<20}{each.outcome:<10}{each.right:>8,} right of {each.guesses:,} guesses;"
                   f" its control {each.control_right:,} of {each.control_guesses:,}")  # fmt: skip
    typer.echo(f"  {'identifiers found':<20}{found.search.found:,} of {found.search.sought:,} looked for")
    typer.echo(f"  {'two gaps unique':<20}{100 * found.intervals:.0f} % of people with three visits: nothing hides it")
    typer.echo(f"All of it, to read and to sign: {page}")


def sample(
    directory: Directory,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the sample here.")] = None,
    notes: Annotated[int, typer.Option(help="How many notes.", min=1, max=10_000)] = 300,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="The sample, filled in by both.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Write a random sample of cleaned notes for two reviewers, or read what they say. Never leaves the site."""
    from vitrail.deid.sample import read_labels, write_sample
    from vitrail.omop.snapshot import verified
    from vitrail.site.node import Node

    if (out is None) == (labels is None):
        raise NodeError("Say what to do: --out writes a sample, --labels reads it back.", "Give one of them.")
    if out is not None:
        snapshot = verified(Node.open(directory).directory.current_snapshot())
        typer.echo(f"{write_sample(snapshot.path, notes, out)} notes, for two reviewers who write leak or clean: {out}")
    elif labels is not None:
        found = read_labels(labels)
        if as_json:
            typer.echo(json.dumps({name: None if value != value else value for name, value in asdict(found).items()}))
            return
        typer.echo(f"{found.notes:,} notes were read by both; {found.leaks:,} have a leak. Kappa {found.kappa:.2f},"
                   f" joint sensitivity {found.sensitivity:.2f}.")  # fmt: skip
        typer.echo(f"With a confidence of 95 %, at most {100 * found.bound:.2f} % of all notes have one.")


def _key(path: Path) -> "SigningKey":
    from vitrail.wire import SigningKey

    return SigningKey.read(path)


def register(app: typer.Typer) -> None:
    """Add the commands to `vitrail site`."""
    app.command()(proof)
    app.command()(sample)
