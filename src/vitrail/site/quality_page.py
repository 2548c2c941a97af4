"""The quality page of a site, and what `vitrail site quality` says, from the manifests and the ledger."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from vitrail import wire
from vitrail.errors import NodeError
from vitrail.omop.snapshot import MANIFEST, Check, Manifest, directory_name, read_manifest
from vitrail.quality.check import failed
from vitrail.quality.history import Loaded
from vitrail.quality.page import Report, render
from vitrail.quality.views import Failure, failures, outcomes, percent, place
from vitrail.site.fitness import barring, waivers
from vitrail.site.node import Node
from vitrail.store.store import read_entry


def report(node: Node, today: date) -> Report:
    """What is to be said of the snapshot in use. Raises NodeError where there is none, SnapshotError, LedgerError."""
    manifest = read_manifest(node.directory.current_snapshot())
    loads = history(node)
    return Report(
        site=node.name,
        manifest=manifest,
        before=_before(node, manifest, loads),
        loads=loads,
        bars=barring(node, manifest.id, manifest.checks, today),
        waivers=waivers(node, manifest.id, today),
    )


def history(node: Node) -> tuple[Loaded, ...]:
    """Every load that the ledger knows, in order; of loads in a row that gave one snapshot, the first."""
    found: list[Loaded] = []
    for entry in map(read_entry, node.store.ledger()[0]):
        if entry["event"] == "loaded" and not (found and found[-1].snapshot == entry["subject"]):
            found.append(_loaded(entry["at"], entry["subject"], entry["details"]))
    return tuple(found)


def _loaded(at: str, snapshot: str, details: Mapping[str, Any]) -> Loaded:
    known = {name: details.get(name) for name in ("rows_in", "failed", "hard")}
    return Loaded(at=at, snapshot=snapshot, rows=details["rows"], quarantined=details["quarantined"], **known)


def _before(node: Node, manifest: Manifest, loads: Sequence[Loaded]) -> Sequence[Check] | None:
    """The checks of the snapshot before, where it is still there."""
    for each in reversed(loads):
        path = node.directory.snapshots / directory_name(each.snapshot)
        if each.snapshot != manifest.id and (path / MANIFEST).exists():
            return read_manifest(path).checks
    return None


def write_page(node: Node, today: date) -> Path:
    """Write the quality page of the snapshot in use, whole or not at all, and say where. Raises NodeError."""
    page = render(report(node, today))
    path = node.directory.quality_page
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        new = path.with_name(f".{path.name}")
        new.write_text(page, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise NodeError(f"{path} cannot be written.", "Make room, or let the directory be written to.") from error
    return path


def as_data(of: Report) -> wire.Json:
    """The report for scripts: whether the snapshot may answer, how the checks came out, and each that failed."""
    return {
        "snapshot": of.manifest.id,
        "answers": not of.bars,
        "barred_by": [{"check": check, "table": table} for check, table in of.bars],
        "waived": [
            {"check": each.check, "table": each.table, "expires": each.expires.isoformat()} for each in of.waivers
        ],
        "checks": outcomes(of.manifest.checks),
        "failed": [each.model_dump(mode="json", exclude_none=True) for each in failed(of.manifest.checks)],
    }


def as_text(of: Report) -> str:
    """The report on one screen: the verdict, and what failed, the hard checks first."""
    counts = outcomes(of.manifest.checks)
    lines = [f"Snapshot {of.manifest.id}", _verdict(of)]
    lines += [f"  waived until {each.expires}: {each.check} of {each.table}" for each in of.waivers]
    lines.append(
        f"  {counts['hard'] + counts['failed']} checks failed ({counts['hard']} hard), {counts['passed']} passed,"
        f" {counts['measured']} were only measured, {counts['not applicable']} had nothing to check"
    )
    for group in failures(of.manifest.checks, of.before):
        lines += ["", f"{group.meaning.name}{' (hard)' if group.hard else ''}: {group.meaning.study}"]
        lines += [_line(each) for each in group.rows]
    return "\n".join(lines)


def _verdict(of: Report) -> str:
    if of.bars:
        return f"It answers no study: it fails {', '.join(f'{check} of {table}' for check, table in of.bars)}."
    return "It answers studies by the steward's waiver." if of.waivers else "It may answer studies."


def _line(of: Failure) -> str:
    since = f"  ({of.since})" if of.since else ""
    where = f"{of.check.table}: {place(of.check)}"
    return f"  {where:<64}{of.check.violations:>13,} of {of.check.rows:>13,}  {percent(of.share):>8}{since}"
