"""`vitrail site`: everything that a data engineer and a data steward do."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrail.cli import erase, proofs
from vitrail.cli.expiry import last_day, today
from vitrail.cli.load import load
from vitrail.cli.quality import quality, waive
from vitrail.errors import NodeError

if TYPE_CHECKING:
    from vitrail.site.node import Node
    from vitrail.wire import SigningKey

APPROVED_DAYS = 365
"""How long a yes holds where nobody says."""

app = typer.Typer(no_args_is_help=True)
for commands in (proofs, erase):
    commands.register(app)
app.command()(load)
app.command()(quality)
app.command()(waive)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The site's directory.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


@app.command()
def init(
    directory: Directory,
    name: Annotated[str, typer.Option(help="Lower case letters, digits and hyphens.", show_default=False)],
    policy: Annotated[str, typer.Option(help="default, or public-data where the data are public.")] = "default",
) -> None:
    """Make a site: its keys, its signed policy, its ledger."""
    from vitrail.site.node import make

    node = make(directory, name, policy)
    typer.echo(f"Site {name} is ready in {directory}.")
    typer.echo(f"Its public key, for the alliance manager: {node.directory.agent_public}")
    typer.echo(f"The steward's key, to be kept where only the steward reads it: {node.directory.steward_key}")


@app.command()
def join(
    kit: Annotated[Path, typer.Argument(metavar="KIT", help="The folder from the alliance manager.")],
    directory: Directory,
) -> None:
    """Take the alliance manager's kit."""
    from vitrail.site.node import Node
    from vitrail.site.node import join as take

    joined = take(Node.open(directory), kit)
    typer.echo(f"Site {joined.site} speaks to the hub at {joined.hub}.")


@app.command()
def verify(directory: Directory, as_json: AsJson = False) -> None:
    """Check every byte of the snapshot against its manifest, and the ledger against its signed head."""
    from vitrail.cli.nodes import opened
    from vitrail.omop.snapshot import verified
    from vitrail.site.node import Node

    node = Node.open(directory)
    size, root = opened(directory).verify()
    node.policy()
    snapshot = verified(node.directory.current_snapshot())
    node.check_loaded(snapshot.id)
    said = {"snapshot": snapshot.id, "files": len(snapshot.files), "entries": size, "root": root}
    if as_json:
        typer.echo(json.dumps(said))
    else:
        typer.echo(f"Snapshot {snapshot.id}: all {len(snapshot.files)} files are as loaded.")
        typer.echo(f"Ledger: {size} entries fit the signed head {root}.")


@app.command()
def review(
    directory: Directory,
    approve: Annotated[str | None, typer.Option(metavar="HASH", help="Say yes to a study.")] = None,
    refuse: Annotated[str | None, typer.Option(metavar="HASH", help="Say no, or take a yes back.")] = None,
    preview: Annotated[str | None, typer.Option(metavar="HASH", help="Compute what would leave; nothing does.")] = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason of a no; it stays here.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The steward's key.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day of a yes; a year by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """See what is asked, in words, and what would leave; approve or refuse it."""
    from vitrail.site.node import Node

    node = Node.open(directory)
    if sum(each is not None for each in (approve, refuse, preview)) > 1:
        raise NodeError("Only one of --approve, --refuse and --preview can be done at once.", "Choose one.")
    _only_with("--why", why is not None, "--refuse", refuse is not None)
    _only_with("--expires", expires is not None, "--approve", approve is not None)
    deciding = approve is not None or refuse is not None
    _only_with("--key", key is not None, "--approve and --refuse", deciding)
    _only_with("--json", as_json, "--preview and without a decision", not deciding)
    if approve is not None:
        _approve(node, approve, key, expires)
    elif refuse is not None:
        _refuse(node, refuse, key, why)
    elif preview is not None:
        _preview(node, preview, as_json)
    else:
        _list(node, as_json)


def _only_with(option: str, given: bool, others: str, there: bool) -> None:
    """An option that would do nothing is a mistake that somebody should hear of."""
    if given and not there:
        raise NodeError(f"{option} does nothing here: it goes with {others}.", "Leave it out.")


def _approve(node: "Node", prefix: str, key: Path | None, expires: str | None) -> None:
    from vitrail.site import review
    from vitrail.site.fitness import check_fit

    study = review.find(node, prefix)
    check_fit(node, review.proposed(node, study).study, today())
    approval = review.approve(node, study, _key(key), last_day(expires, APPROVED_DAYS))
    typer.echo(f"Approved until {approval.expires}: {study}")


def _refuse(node: "Node", prefix: str, key: Path | None, why: str | None) -> None:
    from vitrail.site import review

    if not why:
        raise NodeError("A refusal needs a reason.", "Give it with --why; it stays at this site.")
    study = review.find(node, prefix)
    review.refuse(node, study, _key(key), why)
    typer.echo(f"Refused: {study}")


def _key(path: Path | None) -> "SigningKey":
    from vitrail.wire import SigningKey

    if path is None:
        raise NodeError("A decision is signed by the steward.", "Name the steward's key file with --key.")
    return SigningKey.read(path)


def _preview(node: "Node", prefix: str, as_json: bool) -> None:
    from vitrail.errors import Refusal
    from vitrail.site import review
    from vitrail.study.signed import body

    previewed = review.preview(node, review.find(node, prefix))
    for analysis, number, found in previewed:
        if isinstance(found, Refusal):
            said: dict[str, Any] = {"refused": found.code, "what": found.what, "do": found.do}
        else:
            said = {"release": body(found)}
        said = {"analysis": analysis, "round": number, **said}
        typer.echo(json.dumps(said, indent=None if as_json else 2))
    if any(isinstance(found, Refusal) for _, _, found in previewed):
        raise typer.Exit(1)


def _list(node: "Node", as_json: bool) -> None:
    from vitrail.site import review

    studies = review.reviewed(node)
    if as_json:
        typer.echo(json.dumps([review.as_data(each) for each in studies]))
        return
    for each in studies:
        typer.echo(review.as_text(each) + "\n")
    if not studies:
        typer.echo("Nothing has been proposed to this site.")


@app.command()
def run(directory: Directory) -> None:
    """Poll the hub and answer what is approved, until stopped."""
    from vitrail.site.agent import Agent
    from vitrail.site.node import Node
    from vitrail.store.alone import alone
    from vitrail.transport.http import HttpHub, HttpMailbox
    from vitrail.wire import PublicKey

    node = Node.open(directory)
    kit = node.alliance()
    mailbox = HttpMailbox(HttpHub(kit.hub), node.name, node.key, PublicKey(kit.hub_key))
    with alone(directory):
        Agent(node, mailbox, _say).run()


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()


@app.command()
def left(directory: Directory, as_json: AsJson = False) -> None:
    """Everything that ever left this site."""
    from vitrail.site import review
    from vitrail.site.node import Node

    everything = review.left(Node.open(directory))
    if as_json:
        typer.echo(json.dumps(everything))
        return
    for each in everything:
        release = each["release"]
        what = f"refused: {release['refused']}" if "refused" in release else f"{len(release['estimates'])} estimates"
        arrived = "" if each["delivered"] else " (not yet delivered)"
        typer.echo(f"{each['at']}  {release['analysis']}, round {release['round']}: {what}{arrived}  {each['id']}")
    typer.echo(f"{len(everything)} Releases left this site.")
