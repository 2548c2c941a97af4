"""`vitrail site load`: from a source to the snapshot in use, with progress and a summary of one screen."""

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from vitrail.omop.snapshot import Snapshot
    from vitrail.site.dry_run import Expected

SHOWN = 15
"""So many unmapped codes are shown."""


def load(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The site's directory.", show_default=False)],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A directory, a file, or postgresql://user@host/db?schema=cdm.", show_default=False
        ),
    ],
    form: Annotated[
        Literal["omop", "csv", "fhir", "synthea"],
        typer.Option("--format", help="csv needs --mapping.", show_default=False),
    ],
    profile: Annotated[
        str, typer.Option(help="safe-harbor, expert-determination or already-deidentified.", show_default=False)
    ],
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="What the CSV files mean.")] = None,
    vocabulary: Annotated[Path | None, typer.Option(metavar="DIR", help="The vocabulary's tables.")] = None,
    merges: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Persons who are one: old_person_id,person_id.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Anybody may have these data.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what a load would find; nothing is written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Turn a source into an immutable, checked snapshot; the one before stays in use where that fails."""
    from vitrail.deid.profile import named
    from vitrail.omop.address import is_address
    from vitrail.site.node import Node

    node = Node.open(directory)
    given: dict[str, Any] = {"format": form, "mapping": mapping, "vocabulary": vocabulary, "merges": merges}
    origin = source if is_address(source) else Path(source)
    steps = Steps()
    if dry_run:
        from vitrail.site.dry_run import expect

        named(profile)
        expected = expect(node.directory, origin, progress=steps.tell, **given)
        steps.seconds()
        _say_expected(expected, as_json)
        return
    from vitrail.site.load import load as load_source
    from vitrail.site.quality_page import write_page

    snapshot = load_source(node.directory, origin, profile=profile, public=public, progress=steps.tell, **given)
    node.loaded(snapshot)
    page = write_page(node, datetime.now(UTC).date())
    _say_loaded(snapshot, page, steps, as_json)


class Steps:
    """Says each step of a load on standard error, with the seconds that the one before took."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._open = False

    def tell(self, step: str) -> None:
        """The next step begins."""
        self._close()
        print(f"{step} … ", end="", file=sys.stderr, flush=True)
        self._open = True

    def seconds(self) -> float:
        """The seconds since the load began; the last step is done."""
        self._close()
        return time.monotonic() - self._began

    def _close(self) -> None:
        now = time.monotonic()
        if self._open:
            print(f"{now - self._last:.1f} s", file=sys.stderr, flush=True)
        self._last, self._open = now, False


def _say_expected(expected: "Expected", as_json: bool) -> None:
    if as_json:
        said = {**asdict(expected), "quarantined": [each.model_dump(mode="json") for each in expected.quarantined]}
        typer.echo(json.dumps(said))
        return
    typer.echo("What a load would find:")
    for name, rows in expected.tables.items():
        typer.echo(f"  {name:<24}{rows:>14,} records")
    for each in expected.quarantined:
        typer.echo(f"  quarantined             {each.rows:>14,} rows of {each.source}: {each.reason}")
    typer.echo(f"  unmapped                {expected.unmapped_rows:>14,} records; the commonest codes:")
    for code in expected.unmapped[:SHOWN]:
        typer.echo(f"    {code.rows:>10,}  {code.table}  {code.vocabulary}  {code.code}")
    took, size, while_it_runs = _minutes(expected.seconds), _size(expected.snapshot_bytes), _size(expected.disk_bytes)
    typer.echo(f"The load would take about {took}, and the snapshot {size} of disk; {while_it_runs} while it runs.")
    typer.echo("Nothing was written.")


def _say_loaded(snapshot: "Snapshot", page: Path, steps: Steps, as_json: bool) -> None:
    manifest, seconds = snapshot.manifest, steps.seconds()
    rows = {file.table: file.rows for file in manifest.files}
    quarantined = sum(each.rows for each in manifest.quarantined)
    removed = sum(each.rows for each in manifest.removed)
    if as_json:
        typer.echo(json.dumps({"snapshot": snapshot.id, "rows": rows, "quarantined": quarantined, "removed": removed}))
        return
    total = sum(manifest.rows_in.values())
    failed = [each for each in manifest.checks if each.outcome == "failed"]
    hard = sum(each.hard for each in failed)
    typer.echo(f"Snapshot {snapshot.id}")
    for table, count in rows.items():
        if count:
            typer.echo(f"  {table:<24}{count:>14,} records")
    typer.echo(f"  {'quarantined':<24}{quarantined:>14,} of {total:,} rows; {snapshot.path / 'manifest.json'} says why")
    typer.echo(f"  {'removed':<24}{removed:>14,} records, by deidentification")
    typer.echo(f"  {'checks that failed':<24}{len(failed):>14,}, {hard} of them hard; {page} says what they mean")
    typer.echo(f"  {'took':<24}{_minutes(seconds):>14}, {total / max(seconds, 0.001):,.0f} rows a second")
    if hard:
        typer.echo("  The snapshot answers no study until it passes the hard ones, or the steward waives them.")
    typer.echo("Next: `vitrail site proof` shows what attacks on it found, for the privacy officer to sign.")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
