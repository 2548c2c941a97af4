"""Sources in FHIR R4: read one resource at a time into source records, and counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb

from vitrail.ingest.extract import Columns
from vitrail.ingest.fhir_drugs import NO_ORDER, NOT_TO_DO, product
from vitrail.ingest.fhir_elements import Element, Unfit, identified, own_id, parts, text
from vitrail.ingest.fhir_events import UNTRUE
from vitrail.ingest.fhir_files import DELETED, OTHER, Entry, Stretch, stretches
from vitrail.ingest.fhir_identity import known_identifiers, merges
from vitrail.ingest.fhir_notes import RESULTS
from vitrail.ingest.fhir_observations import GROUPS
from vitrail.ingest.fhir_pieces import Piece, Pieces, bring_in
from vitrail.ingest.fhir_reading import Reading, Row, judge_status
from vitrail.ingest.fhir_resources import READ
from vitrail.ingest.fhir_types import STATUSES
from vitrail.ingest.records import Account
from vitrail.ingest.source_records import KINDS, Counts, open_records
from vitrail.ingest.standard import UNUSED, load_source_records

NOT_HELD = "no snapshot holds resources of its type"
GUARDS = "no snapshot holds resources of its type; its names guard the notes"
REFERRED = ("Patient", "Encounter", "Practitioner", "Organization", "Medication", "Device")
"""Types of resources that others refer to, by id, by the address of a bundle's entry or by an identifier."""

READ_EXTENSIONS = ("us-core-race", "us-core-ethnicity", "us-core-birthsex", "patient-mothersMaidenName",
                   "patient-birthPlace")  # fmt: skip

MEANT = (
    NOT_HELD, GUARDS, GROUPS, RESULTS, OTHER, DELETED, NO_ORDER, NOT_TO_DO, UNUSED,
    *sorted({f"its status is {each}" for each in {*UNTRUE, *(s for _, no in STATUSES.values() for s in no)}}),
)  # fmt: skip
"""The reasons for which a resource is not loaded though nothing is wrong with it."""

TOLD = 100_000
"""After so many resources the progress is told."""


def load_fhir(
    db: duckdb.DuckDBPyConnection, source: Path, columns: Columns, tell: Callable[[str], None], kept: Path
) -> tuple[tuple[Account, ...], Mapping[str, tuple[str, ...]]]:
    """Load a source; its accounts, and what was passed over in each file. Raises SourceError.

    ``kept`` is the directory of the pieces in which it is read; those that are there already are not read again.
    """
    open_records(db)
    pieces, counts, extensions, told = Pieces(kept), Counts(), Counter[str](), 0
    for stretch in stretches(source):
        before = None if stretch.name is None else stretch.first - 1
        path, record = pieces.of(stretch, _read)
        bring_in(db, path, record, before, counts)
        extensions.update(record.extensions)
        if counts.rows.total() // TOLD > told:
            told = counts.rows.total() // TOLD
            tell(f"reading FHIR: {counts.rows.total():,} resources")
    if pieces.again:
        tell(f"resumed: {pieces.again} of {pieces.total} pieces of the source had been read before")
    tell("mapping codes")
    load_source_records(db, columns)
    ignored = {file: (f"{count} extensions",) for file, count in sorted(extensions.items()) if count}
    return counts.accounts(db), ignored


def _read(stretch: Stretch, piece: Piece, server: str | None) -> str | None:
    """Read a stretch into a piece; ``server`` is the one met before, and what is given the one known after it."""
    reader = _Reader(piece)
    reader.reading.references.server = server
    for entry in stretch.entries():
        reader.take(entry)
    return reader.reading.references.server


class _Reader:
    """Makes the records of each entry."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.reading = Reading()

    def take(self, entry: Entry) -> None:
        """Make an entry's records, or count why it has none."""
        file = self.piece.counts.row(entry.file)
        if entry.resource is None:
            self.piece.counts.fault(entry.file, entry.row, entry.fault or "")
            return
        try:
            kind, rows = self._made(entry, entry.resource)
        except Unfit as unfit:
            self.piece.counts.fault(entry.file, entry.row, unfit.reason)
            return
        for row in rows:
            placed = {**row, "file": str(file), "line": str(entry.row)}
            self.piece.put(("staged", kind), [tuple(placed.get(name) for name in KINDS[kind].texts)])

    def _made(self, entry: Entry, resource: Element) -> tuple[str, list[Row]]:
        type_ = str(resource["resourceType"])
        address = self.reading.references.of_url(entry.url)
        if type_ not in READ:
            raise Unfit(self._left_out(type_, resource))
        judge_status(resource)
        if address is not None and text(resource, "id") is None:
            resource = {**resource, "id": address.rpartition(":")[2]}
        key = own_id(resource)
        kind, rows = READ[type_](resource, self.reading)
        version = {"key": f"{type_}/{key}", "updated": text(_meta(resource), "lastUpdated")}
        if type_ in REFERRED:
            self.piece.put(("given", "alias"), list(_aliases(resource, type_, key, address)))
        if type_ == "Patient":
            self._person(resource, key)
        self.piece.extensions[entry.file] += sum(1 for _ in _passed_over(resource))
        return kind, [row | version for row in rows]

    def _person(self, resource: Element, key: str) -> None:
        self.piece.put(("staged", "identifier"), [(key, kind, each) for kind, each in known_identifiers(resource)])
        self.piece.put(("staged", "merge"), list(merges(resource, key, self.reading.references)))

    def _left_out(self, type_: str, resource: Element) -> str:
        if type_ != "RelatedPerson":
            return NOT_HELD
        person = self.reading.person(resource, "patient")
        self.piece.put(("staged", "identifier"), [(person, kind, each) for kind, each in known_identifiers(resource)])
        return GUARDS


def _meta(resource: Element) -> Element:
    found = resource.get("meta")
    return found if isinstance(found, dict) else {}


def _aliases(resource: Element, type_: str, key: str, address: str | None) -> Iterator[tuple[str, str]]:
    key = product(key, type_) if type_ in ("Medication", "Device") else key
    if address is not None:
        yield address, key
    for each in parts(resource, "identifier"):
        value = text(each, "value")
        if value is not None:
            yield identified(type_, text(each, "system"), value), key


def _passed_over(resource: Element) -> Iterator[object]:
    """The extensions of a resource that are not read."""
    for each in parts(resource, "extension"):
        if str(each.get("url")).rpartition("/")[2] not in READ_EXTENSIONS:
            yield each
