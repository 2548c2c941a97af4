"""Read one file of a source into the staging database, every value as text, every line accounted for.

DuckDB reads the file and reports the lines that it rejects. It says nothing of lines that an unclosed quote swallowed
(measured with 1.5: a file with one stray quote came back empty and without an error), so the lines are
counted here as well, and a file whose lines do not add up is refused.
"""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.omop.sql import Node, column, run, sql, table

MAX_HEADER_BYTES = 1024 * 1024
MAX_COLUMNS = 5_000
BLOCK = 8 * 1024 * 1024
LARGEST_RATIO = 200
MOST_UNPACKED = 256 * 1024 * 1024
"""A packed file may grow by this much, and besides by the ratio; what grows more is taken for a bomb."""

REASONS = {
    "MISSING COLUMNS": "the line has too few fields",
    "TOO MANY COLUMNS": "the line has too many fields",
    "UNQUOTED VALUE": "the line has a quote where none can stand",
    "LINE SIZE OVER MAXIMUM": "the line is longer than 2 MB",
    "INVALID ENCODING": "the line is not in the file's encoding",
}
"""Why a line was rejected, by DuckDB's name for it."""

Malformed = Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out; ``columns`` names them where the file has no header line."""

    delimiter: str = ","
    quoted: bool = True
    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rejected:
    """Rows that DuckDB rejected for one kind of mistake: their number, their lines, and the blank lines inside them."""

    kind: str
    rows: int
    lines: int
    blank: int


@dataclass(frozen=True)
class Staged:
    """A file in the staging database: table ``staged.<name>`` with text columns, in the file's order.

    ``rows`` counts those in the table, and ``malformed`` the lines that are not, by reason.
    """

    name: str
    columns: tuple[str, ...]
    rows: int
    malformed: Malformed

    @property
    def table(self) -> Node:
        """The table."""
        return table(self.name, "staged")

    @property
    def rows_in(self) -> int:
        """All rows of the file."""
        return self.rows + sum(self.malformed.values())


def stage_csv(
    db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout, unpacked: Path | None = None
) -> Staged:
    """Read a text file. Raises SourceError where it cannot be read, or where its lines do not add up.

    ``unpacked`` is where :func:`plain` put it; messages name ``path``.
    """
    file = unpacked or path
    try:
        columns = layout.columns or _header(path, file, layout)
        check_columns(str(path), columns)
        lines = _count_lines(file) - (0 if layout.columns else 1)
        rows, rejected = _read_carefully(db, name, file, layout, columns, lines)
    except (OSError, duckdb.Error) as error:
        raise SourceError(f"{path} cannot be read as text with columns.", "Export it again as CSV.") from error
    staged = Staged(name, columns, rows, _reasons(rejected))
    if rows != lines and rows + _other_lines(db, file, staged, rejected) != lines:
        raise SourceError(
            f"{path}: {lines:,} lines do not add up to rows; a quote may be open.",
            "Close every quote; where quotes mean nothing in the file, a mapping file can say so.",
        )
    return staged


@contextmanager
def plain(db: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Path]:
    """``path``, or, where its name ends in ``.gz``, a copy of what is in it, in the directory for temporary files.

    Raises SourceError where it cannot be unpacked, or grows out of all proportion.
    """
    if path.suffix.lower() != ".gz":
        yield path
        return
    copy = scratch(db) / path.name[: -len(".gz")]
    try:
        try:
            _unpack(path, copy)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{path} cannot be unpacked.", "Pack it again with gzip.") from error
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _unpack(path: Path, copy: Path) -> None:
    most = MOST_UNPACKED + LARGEST_RATIO * path.stat().st_size
    with gzip.open(path) as source, copy.open("wb") as target:
        while block := source.read(BLOCK):
            target.write(block)
            if target.tell() > most:
                what = f"{path} unpacks to more than {LARGEST_RATIO} times its size."
                raise SourceError(what, "Export it again; give what packs that well as Parquet.")


def count_rows(path: Path, file: Path, quoted: bool) -> int:
    """The rows below the header of a file that is not loaded: lines that end outside quotes and are not blank.

    ``file`` is where :func:`plain` put ``path``. Raises SourceError where it cannot be read.
    """
    lines, inside, last = 0, 0, b"\n"
    try:
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                text = np.frombuffer(last + block.replace(b"\r", b""), np.uint8)
                quotes = inside + np.cumsum(text[1:] == ord('"')) if quoted else np.zeros(len(text) - 1, np.int64)
                ends = text == ord("\n")
                lines += int(np.count_nonzero(ends[1:] & ~ends[:-1] & (quotes % 2 == 0)))
                inside, last = int(quotes[-1]) % 2 if len(quotes) else inside, text[-1:].tobytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read.", "Name a source that you may read.") from error
    return max(0, lines + (last != b"\n") - 1)


def first_line(path: Path) -> bytes:
    """The first line of a file, as far as :data:`MAX_HEADER_BYTES`. Raises SourceError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.readline(MAX_HEADER_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read.", "Name a source that you may read.") from error


def _header(path: Path, file: Path, layout: Layout) -> tuple[str, ...]:
    line = first_line(file)
    encoding = "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
    try:
        reader = csv.reader([line.decode(encoding)], delimiter=layout.delimiter, quoting=quoting, strict=True)
        names = tuple(each.strip() for each in next(reader, []))
        named = tuple(each or f"column {number}" for number, each in enumerate(names, 1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_header(path) from error
    if len(line) > MAX_HEADER_BYTES or not any(names) or any("\0" in each for each in names):
        raise _no_header(path)
    return named


def _no_header(path: Path) -> SourceError:
    return SourceError(f"{path}, line 1, is no header line.", "Write the columns' names there, as UTF-8 text.")


def lies_in(path: Path, directory: Path) -> bool:
    """Whether ``path``, wherever links in it lead, is inside ``directory``; not so where links lead in a circle."""
    try:
        return path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError):
        return False


def exact(path: Path) -> str:
    """A path for DuckDB, which takes ``*``, ``?`` and ``[`` for patterns that may match other files."""
    return re.sub(r"([*?[])", r"[\1]", str(path))


def check_columns(where: str, columns: tuple[str, ...], kept: tuple[str, ...] = ("rowid",)) -> None:
    """Raise SourceError where two columns share a name, or one has a name that the database keeps for itself."""
    lowered = [each.lower() for each in columns]
    first = {name: number for number, name in reversed([*enumerate(lowered, 1)])}
    for number, name in enumerate(lowered, 1):
        if name in kept:
            raise SourceError(f"{where}: column {number} has a name that the database keeps for itself.", "Rename it.")
        if first[name] != number:
            raise SourceError(f"{where}: columns {first[name]} and {number} have the same name.", "Rename one of them.")
    if len(columns) > MAX_COLUMNS:
        raise SourceError(f"{where} has more than {MAX_COLUMNS:,} columns.", "Export fewer.")


def _read_carefully(
    db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout, columns: tuple[str, ...], lines: int
) -> tuple[int, list[Rejected]]:
    """Read a file in parallel where every line is a row, and anything else shows in the count of rows.

    Then it is read again by one thread, for which a line break may be part of a value. DuckDB refuses a file whose line
    ends are of two kinds, as appending to a file easily makes it: a copy of such a file is read.
    """
    try:
        rows, rejected = _read(db, name, path, layout, columns, parallel=True)
        return (rows, rejected) if rows == lines else _read(db, name, path, layout, columns, parallel=False)
    except duckdb.InvalidInputException:
        with _one_line_end(db, path) as copy:
            return _read(db, name, copy, layout, columns, parallel=False)


@contextmanager
def _one_line_end(db: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Path]:
    """A copy with one kind of line end, in the database's directory for temporary files."""
    copy = scratch(db) / f"{path.name}.copy"
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            held = b""
            while block := source.read(BLOCK):
                block = held + block
                held = b"\r" if block.endswith(b"\r") else b""  # its line feed may be in the next block
                target.write(block[: len(block) - len(held)].replace(b"\r\n", b"\n"))
            target.write(held)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def scratch(db: duckdb.DuckDBPyConnection) -> Path:
    """The directory for temporary files: in the staging area, and gone with it."""
    path = Path(run(db, "SELECT current_setting('temp_directory')")[0][0])
    path.mkdir(parents=True, exist_ok=True)
    return path


def _read(
    db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout, columns: tuple[str, ...], parallel: bool
) -> tuple[int, list[Rejected]]:
    """Read a file: the number of its rows, and what was rejected.

    All columns are read, for DuckDB 1.5 fails on a malformed line where some are not.
    """
    text = exp.Literal.string("VARCHAR")
    run(db, "DROP TABLE IF EXISTS rejected")
    run(db, "DROP TABLE IF EXISTS rejected_scan")
    kinds = [exp.PropertyEQ(this=exp.to_identifier(each, quoted=True), expression=text.copy()) for each in columns]
    run(
        db,
        "CREATE OR REPLACE TABLE :t AS SELECT * FROM read_csv(:path, columns = :kinds, header = :header,"
        " delim = :delimiter, quote = :quote, escape = :quote, encoding = :encoding, auto_detect = false,"
        " parallel = :parallel, store_rejects = true, rejects_limit = 0, rejects_table = 'rejected',"
        " rejects_scan = 'rejected_scan')",
        t=table(name, "staged"),
        path=exact(path),
        kinds=exp.Struct(expressions=kinds),
        header=layout.columns is None,
        delimiter=layout.delimiter,
        quote='"' if layout.quoted else "",
        encoding=layout.encoding,
        parallel=parallel,
    )
    return int(run(db, "SELECT count(*) FROM :t", t=table(name, "staged"))[0][0]), _rejected(db)


def _rejected(db: duckdb.DuckDBPyConnection) -> list[Rejected]:
    """The rejected lines by the first thing that is wrong with each."""
    first = (
        "SELECT min_by(error_type, coalesce(column_idx, 0)) AS kind, string_split(trim(any_value(csv_line),"
        " chr(13) || chr(10)), chr(10)) AS parts FROM rejected GROUP BY line"
    )
    found = run(
        db,
        "SELECT kind, count(*), sum(len(parts)), sum(len(list_filter(parts[2:-2], x -> x IN ('', chr(13)))))"
        " FROM :f AS f GROUP BY kind",
        f=exp.Subquery(this=sql(first)),
    )
    return [Rejected(str(kind), int(rows), int(lines), int(blank)) for kind, rows, lines, blank in found]


def _count_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines + (last != b"\n")


def _reasons(rejected: list[Rejected]) -> Malformed:
    reasons: Counter[str] = Counter()
    for each in rejected:
        reasons[REASONS.get(each.kind, "malformed")] += each.rows
    return reasons


def _other_lines(db: duckdb.DuckDBPyConnection, file: Path, staged: Staged, rejected: list[Rejected]) -> int:
    """Lines of a file that begin no row: parts of one, rejected, or blank."""
    breaks, blank_inside = _breaks_inside(db, staged)
    blank_inside += sum(each.blank for each in rejected)
    blank = _blank_lines(file) - blank_inside if len(staged.columns) > 1 else 0
    return breaks + sum(each.lines for each in rejected) + blank


def _breaks_inside(db: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[int, int]:
    """Line breaks inside values, and the blank lines among them."""
    texts = [sql("coalesce(:v, '')", v=column(each)) for each in staged.columns]
    breaks = [sql("length(:v) - length(replace(:v, chr(10), ''))", v=text) for text in texts]
    blanks = [
        sql("len(list_filter(string_split(:v, chr(10))[2:-2], x -> x IN ('', chr(13))))", v=text) for text in texts
    ]
    sums = [sql("coalesce(sum(:s), 0)", s=_sum(each)) for each in (breaks, blanks)]
    found = run(db, exp.select(*sums).from_(staged.table))[0]
    return int(found[0]), int(found[1])


def _sum(terms: list[Node]) -> Node:
    total = terms[0]
    for term in terms[1:]:
        total = exp.Add(this=total, expression=exp.paren(term))
    return total


def _blank_lines(path: Path) -> int:
    """Lines with nothing but their end, read in blocks: a line can be as long as the file."""
    blank, held, last = 0, b"", b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            text = held + block
            held = b"\r" if text.endswith(b"\r") else b""  # its line feed may be in the next block
            text = last + text[: len(text) - len(held)].replace(b"\r\n", b"\n")
            ends = np.frombuffer(text, np.uint8) == ord("\n")
            blank, last = blank + int(np.count_nonzero(ends[1:] & ends[:-1])), text[-1:]
    return blank
