"""The resources of a FHIR R4 source, stretch by stretch: bulk NDJSON and bundles, packed or not, with bounded memory.

File names are data (exports name bundles after persons), so no message and no account holds one: a file of the layout
``<Type>.<number>.ndjson`` is called by its type and number, another by its place in the order of names, and what
stands in bundles is counted together by resource type.
"""

import gzip
import hashlib
import os
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitrail.errors import SourceError
from vitrail.ingest.fhir_json import BrokenJson, StrictJson
from vitrail.ingest.fhir_types import RESOURCE_TYPES
from vitrail.ingest.reading import lies_in

MAX_LINE = 32 * 1024 * 1024
MAX_DOCUMENT = 256 * 1024 * 1024
MOST_PACKED = 200
"""A packed file that unpacks to more than so many times its size (and to more than a document's) is not read on."""

BLOCK = 1024 * 1024
STRETCH = 16 * 1024 * 1024
"""A stretch ends where it holds so many bytes, or more by one line or file: some seconds of reading."""

BUNDLES = ("transaction", "batch", "collection", "searchset", "document", "message")
TOO_LONG = f"the line is longer than {MAX_LINE // 1024 // 1024} MB"
NO_UTF8 = "is not UTF-8"
NO_RESOURCE = "is no FHIR resource"
UNPACKED = "the rest of the file cannot be unpacked"
BOMB = f"the rest of the file unpacks to more than {MOST_PACKED} times its size"
TOO_LARGE = f"the file is larger than {MAX_DOCUMENT // 1024 // 1024} MB"
OTHER = "the file holds no FHIR resources"
REST = "the rest of the file"
DELETED = "the entry deletes a resource"
NO_BUNDLE = "the bundle is of no type that gives resources"


@dataclass(frozen=True)
class Entry:
    """One resource with where it stands: a file's name in the account, and its number there within the stretch, from 1.

    ``url`` is the full URL that a bundle gives it. Where there is a ``fault``, there is no resource to read.
    """

    file: str
    row: int
    resource: Mapping[str, Any] | None = None
    url: str | None = None
    fault: str | None = None


@dataclass
class Stretch:
    """A part of a source that is read in one go: lines of one file, or whole files of JSON one after the other.

    ``name`` is that of the file of lines in the account, None for files of JSON, and ``first`` the number of the first
    line. ``held`` is what stands there; a text among it is the fault of a line or file that is not held.
    """

    name: str | None = None
    first: int = 1
    held: deque[bytes | str] = field(default_factory=deque)
    size: int = 0

    def add(self, line_or_file: bytes | str) -> None:
        """Hold one more."""
        self.held.append(line_or_file)
        self.size += len(line_or_file)

    @property
    def full(self) -> bool:
        """Whether it is long enough."""
        return self.size >= STRETCH

    def digest(self) -> str:
        """The SHA-256 of everything that the entries hang on, in hexadecimal; to be asked before they are."""
        found = hashlib.sha256(repr((self.name, self.first)).encode())
        for each in self.held:
            found.update(f"{type(each).__name__} {len(each)} ".encode())
            found.update(each if isinstance(each, bytes) else each.encode())
        return found.hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Everything that stands there, once: what was read is held no longer."""
        return self._lines(self.name) if self.name is not None else self._documents()

    def _lines(self, name: str) -> Iterator[Entry]:
        parser, number = StrictJson(), 0
        while self.held:
            line, number = self.held.popleft(), number + 1
            if isinstance(line, str):
                yield Entry(name, number, fault=line)
            elif line.strip():
                yield from _line(parser, line, name, number, begins=self.first == number == 1)

    def _documents(self) -> Iterator[Entry]:
        numbers: Counter[str] = Counter()
        while self.held:
            for entry in _document(self.held.popleft()):
                numbers[entry.file] += 1
                yield replace(entry, row=numbers[entry.file])


def stretches(source: Path) -> Iterator[Stretch]:
    """Everything that stands in ``source``, a file or a directory with any below it, in the order of names.

    Raises SourceError where there is no file of FHIR resources, or where one leads out of the source.
    """
    documents, read = Stretch(), 0
    for ordinal, path in enumerate(_files(source), 1):
        kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
        read += kind in ("ndjson", "json")
        if documents.held and (documents.full or kind == "ndjson"):
            yield documents
            documents = Stretch()
        try:
            if kind == "ndjson":
                yield from _of_lines(path, _called(path, ordinal))
            else:
                documents.add(_whole(path) if kind == "json" else OTHER)
        except OSError as error:
            raise SourceError(
                f"{source}: file {ordinal} in the order of names cannot be read.", "Let the site's user read it."
            ) from error
    if not read:
        raise SourceError(f"{source} has no FHIR resources.", "Name a directory with .ndjson or .json files.")
    if documents.held:
        yield documents


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = [Path(where, name) for where, _, names in os.walk(source) for name in names]
    found = sorted(path for path in found if path.is_file())
    for ordinal, path in enumerate(found, 1):
        if not lies_in(path, source):
            raise SourceError(
                f"{source}: file {ordinal} in the order of names leads out of the source.", "Put the file itself there."
            )
    return found


def _called(path: Path, ordinal: int) -> str:
    found = re.fullmatch(r"([A-Za-z]{1,40})(\.[0-9]{1,9})?\.ndjson(\.gz)?", path.name)
    return f"{found[1]}{found[2] or ''}" if found and found[1] in RESOURCE_TYPES else f"file {ordinal}"


class _Opened:
    """A file as it reads, unpacked where its name ends in ``.gz``; ``fault`` says why reading stopped early."""

    def __init__(self, path: Path) -> None:
        self.packed = path.name.lower().endswith(".gz")
        self.most = max(MAX_DOCUMENT, MOST_PACKED * path.stat().st_size) if self.packed else None
        raw = path.open("rb")
        self.file = gzip.GzipFile(fileobj=raw) if self.packed else raw
        self.taken = 0
        self.fault: str | None = None

    def line(self, limit: int) -> bytes:
        """The next line, or as much of it as ``limit``; nothing at the end."""
        try:
            found = self.file.readline(limit)
        except (OSError, EOFError, zlib.error):
            found, self.fault = b"", UNPACKED
        self.taken += len(found)
        if self.most is not None and self.taken > self.most:
            found, self.fault = b"", BOMB
        return found


def _of_lines(path: Path, name: str) -> Iterator[Stretch]:
    """The lines of a file, a fault in place of each that is too long and of the rest that cannot be read."""
    opened, stretch = _Opened(path), Stretch(name)
    with opened.file:
        while line := opened.line(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = opened.line(BLOCK)
                stretch.add(TOO_LONG)
            else:
                stretch.add(line)
            if stretch.full:
                following = stretch.first + len(stretch.held)
                yield stretch
                stretch = Stretch(name, following)
    if opened.fault:
        stretch.add(opened.fault)
    if stretch.held:
        yield stretch


def _line(parser: StrictJson, line: bytes, name: str, number: int, begins: bool) -> Iterator[Entry]:
    """One line; ``begins`` says that it is the first of its file, where a mark of the encoding may stand."""
    try:
        value, fault = parser.value(line.decode("utf-8-sig" if begins else "utf-8"))
    except UnicodeDecodeError:
        yield Entry(name, number, fault=f"the line {NO_UTF8}")
        return
    except BrokenJson as error:
        yield Entry(name, number, fault=f"the line {error.reason}")
        return
    yield _entry(name, number, value, fault and f"the resource {fault}")


def _entry(name: str, number: int, value: object, fault: str | None, url: object = None) -> Entry:
    if fault is None and isinstance(value, dict) and str(value.get("resourceType")) in RESOURCE_TYPES:
        return Entry(name, number, value, url if isinstance(url, str) else None)
    return Entry(name, number, fault=fault or f"what stands there {NO_RESOURCE}")


def _whole(path: Path) -> bytes | str:
    """A file, or the fault for which it is not read."""
    opened = _Opened(path)
    with opened.file:
        blocks, taken = [], 0
        while (block := opened.line(BLOCK)) and taken <= MAX_DOCUMENT:
            blocks.append(block)
            taken += len(block)
    return opened.fault or (TOO_LARGE if taken > MAX_DOCUMENT else b"".join(blocks))


def _document(held: bytes | str) -> Iterator[Entry]:
    """The resources of a bundle, or the one resource that a file is; or its fault."""
    if isinstance(held, str):
        yield Entry("other files" if held == OTHER else "bundles", 0, fault=held)
        return
    try:
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield Entry("bundles", 0, fault=f"the file {NO_UTF8}")
        return
    del held
    yield from _bundle(text)


def _bundle(text: str) -> Iterator[Entry]:
    """The entries of a bundle as they are met; where they stand before its type, they wait for it."""
    parser, head, waiting = StrictJson(), dict[str, Any](), list[Entry]()
    try:
        for name, value, fault in parser.members(text):
            if name != "entry":
                head[name] = value if fault is None else head.get(name)
                continue
            found = _of_bundle(value, fault)
            if head.get("resourceType") == "Bundle" and head.get("type") in BUNDLES:
                yield from waiting
                waiting = []
                yield found
            else:
                waiting.append(found)
    except BrokenJson as error:
        yield Entry("bundles", 0, fault=f"{REST} {error.reason}")
        return
    if head.get("resourceType") == "Bundle":
        yield from waiting if head.get("type") in BUNDLES else [Entry("bundles", 0, fault=NO_BUNDLE)]
    else:
        yield _single(parser, text)


def _single(parser: StrictJson, text: str) -> Entry:
    """The one resource that a file is."""
    value, fault = parser.value(text)
    entry = _entry("bundles", 0, value, fault and f"the resource {fault}")
    return entry if entry.resource is None else Entry(_of_type(entry.resource), 0, entry.resource)


def _of_bundle(value: object, fault: str | None) -> Entry:
    given = value if isinstance(value, dict) else {}
    resource, request = given.get("resource"), given.get("request")
    entry = _entry("bundles", 0, resource, fault and f"the resource {fault}", given.get("fullUrl"))
    if isinstance(request, dict) and request.get("method") == "DELETE":
        return Entry("bundles", 0, fault=DELETED)
    return entry if entry.resource is None else Entry(_of_type(entry.resource), 0, entry.resource, entry.url)


def _of_type(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']} in bundles"
