"""Read one file of a source into the staging database, every value as text, every line accounted for.

DuckDB reads the file and reports the lines that it rejects. It says nothing of lines that an unclosed quote swallowed
(measured with 1.5: a file with one stray quote came back empty and without an error), so the lines are
counted here as well, and a file whose lines do not add up is refused.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.omop.sql import Node, column, run, sql, table

MAX_HEADER_BYTES = 1024 * 1024
MAX_COLUMNS = 5_000
BLOCK = 8 * 1024 * 1024

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


def stage_csv(db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout) -> Staged:
    """Read a text file. Raises SourceError where it cannot be read, or where its lines do not add up."""
    try:
        columns = layout.columns or _header(path, layout)
        _check_columns(path, columns)
        lines = _count_lines(path) - (0 if layout.columns else 1)
        rows, rejected = _read_carefully(db, name, path, layout, columns, lines)
    except (OSError, duckdb.Error) as error:
        raise SourceError(f"{path} cannot be read as text with columns.", "Export it again as CSV.") from error
    staged = Staged(name, columns, rows, Counter(REASONS.get(kind, "malformed") for kind, _ in rejected))
    if rows != lines:
        _check_lines(db, path, staged, [text for _, text in rejected], lines)
    return staged


def stage_parquet(db: duckdb.DuckDBPyConnection, name: str, path: Path) -> Staged:
    """Read a Parquet file. Raises SourceError where it cannot be read."""
    try:
        found = run(db, "SELECT DISTINCT name FROM parquet_schema(:p) WHERE num_children IS NULL", p=str(path))
        columns = tuple(sorted(str(each[0]) for each in found))
        _check_columns(path, columns)
        texts = [exp.alias_(sql("CAST(:v AS VARCHAR)", v=column(each)), each, quoted=True) for each in columns]
        query = exp.select(*texts).from_(exp.Subquery(this=sql("SELECT * FROM read_parquet(:p)", p=str(path))))
        run(db, "CREATE TABLE :t AS :q", t=table(name, "staged"), q=query)
    except duckdb.Error as error:
        raise SourceError(f"{path} cannot be read as Parquet.", "Export it again.") from error
    return Staged(name, columns, int(run(db, "SELECT count(*) FROM :t", t=table(name, "staged"))[0][0]), {})


def first_line(path: Path) -> bytes:
    """The first line of a file, as far as :data:`MAX_HEADER_BYTES`. Raises SourceError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.readline(MAX_HEADER_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read.", "Name a source that you may read.") from error


def _header(path: Path, layout: Layout) -> tuple[str, ...]:
    line = first_line(path)
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


def _check_columns(path: Path, columns: tuple[str, ...]) -> None:
    lowered = [each.lower() for each in columns]
    for number, name in enumerate(lowered, 1):
        if name == "rowid":
            raise SourceError(f"{path}: column {number} has a name that the database keeps for itself.", "Rename it.")
        if lowered.index(name) != number - 1:
            first = lowered.index(name) + 1
            raise SourceError(f"{path}: columns {first} and {number} have the same name.", "Rename one of them.")
    if len(columns) > MAX_COLUMNS:
        raise SourceError(f"{path} has more than {MAX_COLUMNS:,} columns.", "Export fewer.")


def _read_carefully(
    db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout, columns: tuple[str, ...], lines: int
) -> tuple[int, list[tuple[str, bytes]]]:
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
    scratch = Path(run(db, "SELECT current_setting('temp_directory')")[0][0])
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{path.name}.copy"
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            target.writelines(line[:-2] + b"\n" if line.endswith(b"\r\n") else line for line in source)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _read(
    db: duckdb.DuckDBPyConnection, name: str, path: Path, layout: Layout, columns: tuple[str, ...], parallel: bool
) -> tuple[int, list[tuple[str, bytes]]]:
    """Read a file: the number of its rows, and each rejected line with what is wrong with it.

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
        path=str(path),
        kinds=exp.Struct(expressions=kinds),
        header=layout.columns is None,
        delimiter=layout.delimiter,
        quote='"' if layout.quoted else "",
        encoding=layout.encoding,
        parallel=parallel,
    )
    return int(run(db, "SELECT count(*) FROM :t", t=table(name, "staged"))[0][0]), _rejected(db)


def _rejected(db: duckdb.DuckDBPyConnection) -> list[tuple[str, bytes]]:
    """Each line that was rejected: the first thing that is wrong with it, and its text."""
    found = run(
        db,
        "SELECT min_by(error_type, coalesce(column_idx, 0)), any_value(csv_line) FROM rejected GROUP BY line",
    )
    return [(str(kind), str(line).encode()) for kind, line in found]


def _count_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines + (last != b"\n")


def _check_lines(db: duckdb.DuckDBPyConnection, path: Path, staged: Staged, rejected: list[bytes], lines: int) -> None:
    """Every line of the file is a row, a part of one, rejected, or blank; else SourceError."""
    breaks, blank_inside = _breaks_inside(db, staged)
    parts = [text.strip(b"\r\n").split(b"\n") for text in rejected]
    blank_inside += sum(part in (b"", b"\r") for each in parts for part in each[1:-1])
    blank = _blank_lines(path) - blank_inside if len(staged.columns) > 1 else 0
    if staged.rows + breaks + sum(map(len, parts)) + blank != lines:
        raise SourceError(
            f"{path}: {lines:,} lines do not add up to rows; a quote may be open.",
            "Close every quote; where quotes mean nothing in the file, a mapping file can say so.",
        )


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
    with path.open("rb") as file:
        return sum(line in (b"\n", b"\r\n") for line in file)
