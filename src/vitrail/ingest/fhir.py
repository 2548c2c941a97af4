"""Sources in FHIR R4: read one resource at a time into source records, and counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from vitrail.ingest.extract import Columns
from vitrail.ingest.fhir_drugs import product
from vitrail.ingest.fhir_elements import Element, Unfit, identified, own_id, parts, text
from vitrail.ingest.fhir_files import OTHER, Entry, entries
from vitrail.ingest.fhir_identity import known_identifiers, merges
from vitrail.ingest.fhir_notes import RESULTS
from vitrail.ingest.fhir_observations import GROUPS
from vitrail.ingest.fhir_reading import Reading, Row, judge_status
from vitrail.ingest.fhir_resources import READ
from vitrail.ingest.fhir_types import STATUSES
from vitrail.ingest.records import Account
from vitrail.ingest.source_records import KINDS, Counts, open_records
from vitrail.ingest.standard import load_source_records
from vitrail.omop.sql import run, table

NOT_HELD = "no snapshot holds resources of its type"
GUARDS = "no snapshot holds resources of its type; its names guard the notes"
REFERRED = ("Patient", "Encounter", "Practitioner", "Organization", "Medication", "Device")
"""Types of resources that others refer to, by id, by the address of a bundle's entry or by an identifier."""

READ_EXTENSIONS = ("us-core-race", "us-core-ethnicity", "us-core-birthsex", "patient-mothersMaidenName",
                   "patient-birthPlace")  # fmt: skip

MEANT = (
    NOT_HELD, GUARDS, GROUPS, RESULTS, OTHER,
    *sorted({f"its status is {status}" for _, not_happened in STATUSES.values() for status in not_happened}),
)  # fmt: skip
"""The reasons for which a resource is not loaded though nothing is wrong with it."""

FLUSH_ROWS = 20_000
FLUSH_CHARACTERS = 32 * 1024 * 1024


def load_fhir(
    db: duckdb.DuckDBPyConnection, source: Path, columns: Columns, tell: Callable[[str], None]
) -> tuple[tuple[Account, ...], Mapping[str, tuple[str, ...]]]:
    """Load a source; its accounts, and what was passed over in each file. Raises SourceError."""
    open_records(db)
    reader = _Reader(db)
    for number, entry in enumerate(entries(source), 1):
        reader.take(entry)
        if number % 100_000 == 0:
            tell(f"reading FHIR: {number:,} resources")
    reader.flush()
    tell("mapping codes")
    load_source_records(db, columns)
    ignored = {file: (f"{count} extensions",) for file, count in sorted(reader.extensions.items()) if count}
    return reader.counts.accounts(db), ignored


class _Reader:
    """Collects records, and brings them into the database some at a time."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        self.counts = Counts()
        self.reading = Reading()
        self.extensions: Counter[str] = Counter()
        self._waiting: dict[tuple[str, str], list[tuple[str | None, ...]]] = {}
        self._rows = self._characters = 0

    def take(self, entry: Entry) -> None:
        """Make an entry's records, or count why it has none."""
        file = self.counts.row(entry.file)
        if entry.resource is None:
            self.counts.fault(entry.file, entry.row, entry.fault or "")
            return
        try:
            kind, rows = self._made(entry, entry.resource)
        except Unfit as unfit:
            self.counts.fault(entry.file, entry.row, unfit.reason)
            return
        for row in rows:
            placed = {**row, "file": str(file), "line": str(entry.row)}
            self._put(("staged", kind), [tuple(placed.get(name) for name in KINDS[kind].texts)])

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
            self._put(("given", "alias"), list(_aliases(resource, type_, key, address)))
        if type_ == "Patient":
            self._person(resource, key)
        self.extensions[entry.file] += sum(1 for _ in _passed_over(resource))
        return kind, [row | version for row in rows]

    def _person(self, resource: Element, key: str) -> None:
        self._put(("staged", "identifier"), [(key, kind, each) for kind, each in known_identifiers(resource)])
        self._put(("staged", "merge"), list(merges(resource, key, self.reading.references)))

    def _left_out(self, type_: str, resource: Element) -> str:
        if type_ != "RelatedPerson":
            return NOT_HELD
        person = self.reading.person(resource, "patient")
        self._put(("staged", "identifier"), [(person, kind, each) for kind, each in known_identifiers(resource)])
        return GUARDS

    def _put(self, into: tuple[str, str], rows: list[tuple[str | None, ...]]) -> None:
        self._waiting.setdefault(into, []).extend(rows)
        self._rows += len(rows)
        self._characters += sum(len(each) for row in rows for each in row if each)
        if self._rows >= FLUSH_ROWS or self._characters >= FLUSH_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Bring what waits into the database."""
        for (schema, name), rows in self._waiting.items():
            if rows:
                given = pa.table(
                    {str(i): pa.array(each, pa.string()) for i, each in enumerate(zip(*rows, strict=True))}
                )
                self.db.register("waiting", given)
                run(self.db, "INSERT INTO :t SELECT * FROM waiting", t=table(name, schema))
                self.db.unregister("waiting")
        self._waiting.clear()
        self._rows = self._characters = 0


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
