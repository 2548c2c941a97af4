"""`vitrail cohort`: definitions of cohorts, run on a Common Data Model inside the glass."""

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from vitrail.errors import SourceError, StudyError, StudyFileError, VitrailError
from vitrail.omop.address import Address, is_address
from vitrail.omop.engines import Answer, BatchEngine
from vitrail.study.aloud import definition_aloud
from vitrail.study.definition import Definition
from vitrail.study.definition_file import read_definition
from vitrail.study.impossible import impossible

app = typer.Typer(no_args_is_help=True)

MEMBERS = ("cohort_definition_id", "subject_id", "cohort_start_date", "cohort_end_date")
ATTRITION = ("cohort_definition_id", "step", "label", "persons")
_CDM = (
    "A directory of Parquet or CSV, a DuckDB file, postgresql://user@host/db?schema=cdm, or"
    " spark://host:port/path-or-catalog.schema."
)

Files = Annotated[
    list[Path],
    typer.Argument(metavar="DEFINITION...", help="Definitions: JSON from ATLAS, or YAML.", show_default=False),
]


@app.command()
def run(
    definitions: Files,
    cdm: Annotated[
        str,
        typer.Option(metavar="PATH", help=f"OMOP tables. {_CDM}", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the members go, as CSV.", show_default=False)],
    attrition: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the steps of each cohort go.", show_default=False)
    ] = None,
) -> None:
    """Compute who is in each cohort, from when until when. Nothing leaves the machine.

    A definition that cannot be answered is told and left out; the others are computed, and the exit status is 1.
    """
    read, refused = _read(definitions)
    if not read:
        raise StudyError("No definition can be answered.", "Correct them.")
    answers = _answers(read, cdm, out)
    _write(out, MEMBERS, _members(answers))
    if attrition is not None:
        _write(attrition, ATTRITION, _steps(answers))
    rows = sum(len(answer.rows) for answer in answers.values())
    typer.echo(f"{len(answers):,} cohorts, {rows:,} rows: {out}")
    if refused:
        raise typer.Exit(1)


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A definition.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Say a definition in English, and what in it nobody can satisfy."""
    notes: list[str] = []
    definition = read_definition(file, notes.append)
    warnings = [str(each) for each in impossible(definition)]
    asks = definition_aloud(definition)
    if as_json:
        said = {"id": definition.id, "asks": asks, "warnings": warnings, "notes": notes}
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    told = (*asks, *(f"Warning: {each}" for each in warnings), *(f"Note: {each}" for each in notes))
    typer.echo("\n\n".join(told))


def _read(paths: Sequence[Path]) -> tuple[list[Definition], int]:
    """The definitions that can be answered, and how many cannot; what is to be said of each is said."""
    read: dict[str, Definition] = {}
    refused = 0
    for path in paths:
        try:
            definition = read_definition(path, lambda note, path=path: _tell(f"{path}: {note}"))  # type: ignore[misc]
        except StudyFileError:
            raise
        except StudyError as error:
            _tell(f"{path}: {error}")
            refused += 1
            continue
        if definition.id in read:
            raise VitrailError(f"{path} has the id of another definition.", "Give each file a number of its own.")
        read[definition.id] = definition
    return list(read.values()), refused


def _tell(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _engine(cdm: str, out: Path) -> Iterator[BatchEngine]:
    """The engine for a place. What must be copied lies beside ``out`` meanwhile, and nowhere else."""
    if is_address(cdm):
        from vitrail.omop.engines.postgres import PostgresBatch

        with PostgresBatch(Address.of(cdm)) as postgres:
            yield postgres
        return
    if cdm.startswith("spark://"):
        from vitrail.omop.engines.spark import SparkAddress, SparkBatch

        with SparkBatch(SparkAddress.of(cdm)) as spark:
            yield spark
        return
    if "://" in cdm:
        raise SourceError("--cdm names an address of a kind that cannot be read.", _CDM)
    from vitrail.ingest.cdm_files import cdm_files
    from vitrail.omop.engines.duckdb import DuckDBBatch

    with _beside(out) as into, DuckDBBatch(cdm_files(Path(cdm), into)) as duckdb:
        yield duckdb


def _answers(definitions: Sequence[Definition], cdm: str, out: Path) -> Mapping[str, Answer]:
    """The answers in the order of the call."""
    with _engine(cdm, out) as engine:
        answers = engine.run(definitions)
    return {each.id: answers[each.id] for each in definitions}


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    try:
        directory = tempfile.TemporaryDirectory(prefix=".vitrail-", dir=out.parent)
    except OSError as error:
        raise _unwritable(out) from error
    with directory as into:
        yield Path(into)


def _unwritable(path: Path) -> VitrailError:
    return VitrailError(f"{path} cannot be written.", "Name a file in a directory that you may write to.")


def _members(answers: Mapping[str, Answer]) -> Iterable[Sequence[Any]]:
    for id, answer in answers.items():
        starts, ends = (np.datetime_as_string(days, unit="D") for days in (answer.rows.start, answer.rows.end))
        persons = answer.rows.person.tolist()
        yield from zip([id] * len(persons), persons, starts.tolist(), ends.tolist(), strict=True)


def _steps(answers: Mapping[str, Answer]) -> Iterable[Sequence[Any]]:
    for id, answer in answers.items():
        for number, step in enumerate(answer.attrition, 1):
            yield id, number, step.label, step.persons


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _unwritable(path) from error
