"""`vitrail study`: questions before they travel."""

import json
from pathlib import Path
from typing import Annotated

import typer

from vitrail.errors import StudyError
from vitrail.study.reader import read_study
from vitrail.study.study import Study

app = typer.Typer(help="Questions before they travel.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Questions before they travel."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Check a study file: its id and what it asks, or what is wrong with it, where, and what to write instead."""
    try:
        study = read_study(file)
    except StudyError as error:
        if as_json and error.problems:
            typer.echo(json.dumps({"problems": [vars(problem) for problem in error.problems]}, indent=2))
        raise
    typer.echo(_as_json(study) if as_json else _as_text(study))


def _as_json(study: Study) -> str:
    said = {"id": study.id, "title": study.title, "purpose": study.purpose, "asks": study.aloud()}
    return json.dumps(said, indent=2, ensure_ascii=False)


def _as_text(study: Study) -> str:
    heading = f"{study.title}\n{study.id}\n\nPurpose: {study.purpose}.\nQuestion: {study.question}"
    return "\n\n".join((heading, *study.aloud()))
