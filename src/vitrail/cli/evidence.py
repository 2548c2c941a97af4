"""`vitrail evidence`: what studies found."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from vitrail import settings, wire
from vitrail.errors import NodeError

app = typer.Typer(no_args_is_help=True)

Hub = Annotated[
    str | None, typer.Option("--hub", metavar="URL|DIR", help="The hub's address or directory; else VITRAIL_HUB.")
]
Name = Annotated[str, typer.Argument(metavar="ID", help="The id of the evidence or of its study.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]


@app.command("list")
def list_all(hub: Hub = None, as_json: AsJson = False) -> None:
    """All evidence of a hub."""
    found = _listed(hub or settings.hub())
    if as_json:
        typer.echo(json.dumps(found))
        return
    for each in found:
        typer.echo(f"{each['evidence']}  {each['title']}")


@app.command()
def show(name: Name, hub: Hub = None, as_json: AsJson = False) -> None:
    """One evidence: the very bytes that the hub signed with --json, else set out for reading."""
    body = _body(_found(hub or settings.hub(), name)["evidence"])
    typer.echo(body.decode() if as_json else json.dumps(json.loads(body), indent=2, ensure_ascii=False))


@app.command()
def export(
    name: Name,
    form: Annotated[Literal["html"], typer.Option("--format", help="html: one page that opens without a network.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Standard output where not given.")] = None,
    hub: Hub = None,
) -> None:
    """One evidence as a report."""
    from vitrail.reports.evidence import render
    from vitrail.study.evidence import Evidence
    from vitrail.study.signed import read
    from vitrail.study.study import Study

    found = _found(hub or settings.hub(), name)
    study, evidence = (
        read(json.dumps(found["study"]), "study", Study),
        read(_body(found["evidence"]), "evidence", Evidence),
    )
    page = {"html": render}[form](study, evidence)
    if out is None:
        typer.echo(page)
        return
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise NodeError(f"{out} cannot be written.", "Name another file with --out.") from error
    typer.echo(f"The report is in {out}.")


def _listed(hub: str) -> wire.Json:
    if _is_address(hub):
        from vitrail.transport.http import HttpHub

        return HttpHub(hub).get("/evidence")
    from vitrail.cli.nodes import registry
    from vitrail.hub.status import evidence_list

    return evidence_list(registry(Path(hub)))


def _found(hub: str, name: str) -> wire.Json:
    """The signed evidence and its study."""
    if _is_address(hub):
        from vitrail.transport.http import HttpHub

        return HttpHub(hub).get(f"/evidence/{name}")
    from vitrail.cli.nodes import registry
    from vitrail.hub.status import evidence

    return evidence(registry(Path(hub)), name)


def _is_address(hub: str) -> bool:
    return hub.startswith(("http://", "https://"))


def _body(envelope: wire.Json) -> bytes:
    """What the envelope holds. Whoever keeps a copy verifies it with the hub's key."""
    return wire.opened(envelope)[1]
