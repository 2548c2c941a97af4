"""Canaries: made identifiers, each there once in the world, and the search that finds one in any byte, however written.

:mod:`tests.canary_sources` plants them in sources. Here is how they are made, and how every byte that a load left or
said is collected and searched: as it is, in other letter cases, layouts and encodings.
"""

import base64
import binascii
import json
import random
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

KINDS = ("name", "mrn", "date", "time", "phone", "address", "email")
FIRST_DAY, DAYS = date(1905, 1, 1), 16_000
"""Days of canaries lie before 1949; what a load moves is of this century."""

SHORTEST = 8
"""No byte string that is searched is shorter, so none is found by chance."""


@dataclass(frozen=True)
class Canary:
    """One made identifier: the kind of place where it is planted, what it is, its text, and the least of it that tells
    who is meant: each of ``cores`` alone is a leak. Where notes have their days moved, one may become another's: a day
    in a note is only a leak where it still stands ``beside`` the words that stood with it."""

    place: str
    kind: str
    text: str
    cores: tuple[str, ...]
    beside: str = ""


@dataclass
class Aviary:
    """Makes canaries, no two alike, and remembers them."""

    seed: int
    hatched: list[Canary] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._used = set[str]()
        self._days = self.dice.sample(range(DAYS), DAYS)

    def hatch(self, place: str, kind: str, beside: str = "") -> str:
        """A new canary of ``kind`` for ``place``; its text."""
        text, cores = getattr(self, f"_{kind}")()
        self.hatched.append(Canary(place, kind, text, cores, beside))
        return str(text)

    def weight(self) -> str:
        """A weight that nobody else has: a note is known by it, and it identifies nobody."""
        return "weight {}.{:04d} kg".format(*divmod(int(self._digits(401_000, 999_000)), 10_000))

    def _new(self, draw: Callable[[], str]) -> str:
        while (text := draw()) in self._used:
            pass
        self._used.add(text)
        return text

    def _word(self) -> str:
        """Eight letters that are no word of any language, and can be spoken."""
        return self._new(
            lambda: "".join(self.dice.choice("kvxzqjwb") + self.dice.choice("aeiou") for _ in range(4))
        ).title()

    def _digits(self, low: int, high: int) -> str:
        return self._new(lambda: str(self.dice.randrange(low, high)))

    def _name(self) -> tuple[str, tuple[str, ...]]:
        given, family = self._word(), self._word()
        return f"{given} {family}", (given, family)

    def _mrn(self) -> tuple[str, tuple[str, ...]]:
        number = self._digits(1_100_000_000, 1_999_999_999)  # OMOP's integers could hold it
        return number, (number,)

    def _date(self) -> tuple[str, tuple[str, ...]]:
        day = FIRST_DAY + timedelta(days=self._days.pop())
        y, m, d = f"{day.year}", f"{day.month:02d}", f"{day.day:02d}"
        iso = f"{y}-{m}-{d}"
        layouts = [f"{a}{s}{b}{s}{c}" for a, b, c in ((y, m, d), (m, d, y), (d, m, y)) for s in "-/."]
        layouts += [f"{y}{m}{d}"]
        loose = [f"{a}/{b}/{y}" for a, b in ((day.month, day.day), (day.day, day.month))]
        return iso, (iso, *layouts, *loose, day.strftime("%B %-d, %Y"), day.strftime("%-d %b %Y"))

    def _time(self) -> tuple[str, tuple[str, ...]]:
        micro = self._digits(100_000_000_000, 235_900_000_000)
        clock = f"{micro[:2]}:{int(micro[2:4]) % 60:02d}:{int(micro[4:6]) % 60:02d}.{micro[6:]}"
        return f"2016-05-04T{clock}", (clock, clock.replace(":", ""), clock.replace(":", "").replace(".", ""))

    def _phone(self) -> tuple[str, tuple[str, ...]]:
        d = self._digits(2_010_000_000, 9_899_999_999)
        parts = (d[:3], d[3:6], d[6:])
        return "-".join(parts), (d, *(s.join(parts) for s in "-. "), f"({parts[0]}) {parts[1]}-{parts[2]}")

    def _address(self) -> tuple[str, tuple[str, ...]]:
        street = self._word()
        return f"{self.dice.randrange(10, 999)} {street} Street", (street,)

    def _email(self) -> tuple[str, tuple[str, ...]]:
        who = self._word()
        return f"{who.lower()}@made.example", (who,)


def patterns(core: str) -> Iterator[tuple[bytes, bool]]:
    """Every way in which a core is searched, and whether letter case counts in it."""
    folded = core.lower()
    for text in dict.fromkeys((folded, folded[::-1], quote(folded, safe="").lower())):
        yield text.encode(), False
        yield text.encode("utf-16-le"), False
        yield text.encode("utf-16-be"), False
        yield binascii.hexlify(text.encode()), False
    yield binascii.hexlify(core.encode()), False
    yield binascii.hexlify(core.upper().encode()), False
    for written in dict.fromkeys((core, folded, core.upper())):
        for shift in range(3):
            yield _base64(written.encode(), shift), True


def _base64(raw: bytes, shift: int) -> bytes:
    """What is certain of base64 that has ``raw`` inside, ``shift`` bytes after a group of three begins."""
    whole = base64.b64encode(b"\0" * shift + raw)
    return whole[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


class Search:
    """Looks for all canaries at once in any bytes.

    The first eight bytes of every pattern are numbers in a sorted table; so are the eight bytes at every place of what
    is searched. Where they meet, the whole pattern is compared.
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._tables = (_Table(), _Table())
        self.cores: dict[str, list[Canary]] = defaultdict(list)
        for each in canaries:
            for core in each.cores:
                if core not in self.cores:
                    for pattern, exact in patterns(core):
                        if len(pattern) >= SHORTEST:
                            self._tables[exact].add(pattern, core)
                self.cores[core].append(each)

    def __call__(self, raw: bytes) -> set[Canary]:
        """The canaries that stand in ``raw``."""
        found = self._tables[False].found(raw.lower()) | self._tables[True].found(raw)
        return {each for core in found for each in self.cores[core]}


class _Table:
    def __init__(self) -> None:
        self._held: dict[int, list[tuple[bytes, str]]] = defaultdict(list)
        self._sorted: NDArray[np.uint64] | None = None

    def add(self, pattern: bytes, core: str) -> None:
        self._held[int.from_bytes(pattern[:8], "little")].append((pattern, core))

    def found(self, raw: bytes) -> set[str]:
        if self._sorted is None:
            self._sorted = np.array(sorted(self._held), np.uint64)
        cores = set[str]()
        for start in range(0, max(len(raw) - 7, 0), 1 << 24):  # what crosses a border is compared in ``raw`` itself
            for at in self._candidates(raw[start : start + (1 << 24) + 7]):
                for pattern, core in self._held[int.from_bytes(raw[start + at : start + at + 8], "little")]:
                    if raw.startswith(pattern, start + at) and _alone(pattern, raw, start + at):
                        cores.add(core)
        return cores

    def _candidates(self, raw: bytes) -> list[int]:
        held = self._sorted
        assert held is not None
        out: list[int] = []
        for shift in range(8):
            count = (len(raw) - shift) // 8
            words = np.frombuffer(raw, np.dtype("<u8"), count, shift) if count > 0 else np.empty(0, np.uint64)
            near = np.minimum(np.searchsorted(held, words), len(held) - 1)
            out += (np.flatnonzero(held[near] == words) * 8 + shift).tolist()
        return out


def _alone(pattern: bytes, raw: bytes, at: int) -> bool:
    """Digits of a day are one only where no others stand beside them: a hash has every eight digits somewhere."""
    around = raw[max(at - 1, 0) : at] + raw[at + len(pattern) : at + len(pattern) + 1]
    return not (len(pattern) == SHORTEST and pattern.isdigit() and any(chr(each).isalnum() for each in around))


def everything(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte below a directory: the names, the files as they are, and what is in them once unpacked and decoded."""
    for path in sorted(directory.rglob("*")):
        where = str(path.relative_to(directory))
        yield f"the name {where}", where.encode()
        if path.is_file():
            for how, content in _decoded(path):
                yield f"{where} {how}".strip(), content


def _decoded(path: Path) -> Iterator[tuple[str, bytes]]:
    raw = path.read_bytes()
    yield "", raw
    if raw[:2] == b"\x1f\x8b":
        raw = zlib.decompressobj(31).decompress(raw)  # as far as it goes
        yield "unpacked", raw
    if path.suffix == ".duckdb" and raw[8:12] == b"DUCK":
        yield "as text", _duckdb(path)
    elif raw[:4] == raw[-4:] == b"PAR1":
        yield "as text", _parquet(path)
    elif raw[:15] == b"SQLite format 3":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            yield "as text", "\n".join(db.iterdump()).encode()
    elif path.suffix == ".json" or path.name.endswith((".ndjson", ".ndjson.gz")):
        yield "with its attachments decoded", b"\n".join(_attachments(raw))


def _parquet(path: Path) -> bytes:
    """Every value of every column as text, the metadata, and the statistics."""
    file = parquet.ParquetFile(path)
    held = [str(file.metadata), str(file.schema_arrow), repr(file.schema_arrow.metadata)]
    held += [repr(file.schema_arrow.field(at).metadata) for at in range(len(file.schema_arrow.names))]
    groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
    held += [str(group.column(at).statistics) for group in groups for at in range(group.num_columns)]
    texts = duckdb.execute("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet($1)", [str(path)])
    while rows := texts.fetchmany(10_000):
        held += ["\t".join(value or "" for value in row) for row in rows]
    return "\n".join(held).encode()


def _duckdb(path: Path) -> bytes:
    """Every value of every table as text, and what the catalogue says."""
    with duckdb.connect(path, read_only=True) as db:
        names = [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        held: list[object] = [db.execute(f"FROM duckdb_{each}()").fetchall() for each in ("tables", "views", "columns")]
        held += [db.execute(f'SELECT CAST(COLUMNS(*) AS VARCHAR) FROM "{name}"').fetchall() for name in names]
    return repr(held).encode()


def _attachments(raw: bytes) -> Iterator[bytes]:
    """What stands base64-encoded in the ``data`` elements of JSON, whole or line by line."""
    for line in (raw, *raw.splitlines()):
        try:
            waiting: list[Any] = [json.loads(line)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            each = waiting.pop()
            if isinstance(each, dict):
                waiting += each.values()
                if isinstance(each.get("data"), str):
                    yield base64.b64decode(each["data"], validate=False)
            elif isinstance(each, list):
                waiting += each
