"""Every line of a file is a row, part of a row, counted as malformed, or the file is refused."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.ingest.extract import open_schemas
from vitrail.ingest.reading import Layout, Staged, stage_csv
from vitrail.ingest.relations import parquet_relation

SETTINGS = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def db(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2, "temp_directory": str(tmp_path / "spill")}) as connection:
        open_schemas(connection)
        yield connection


def read(db: duckdb.DuckDBPyConnection, path: Path, content: bytes, layout: Layout | None = None) -> Staged:
    path.write_bytes(content)
    return stage_csv(db, "file", path, layout or Layout())


def rows(db: duckdb.DuckDBPyConnection) -> list[tuple[str | None, ...]]:
    return db.execute("SELECT * FROM staged.file ORDER BY rowid").fetchall()


@pytest.mark.parametrize(
    ("content", "good", "malformed"),
    [
        (b"a,b,c\n1,2,3\n4,5\n10,11,12\n", 2, {"the line has too few fields": 1}),
        (b"a,b,c\n1,2,3\n6,7,8,9\n10,11,12\n", 2, {"the line has too many fields": 1}),
        (b'a,b,c\n1,"x"y,2\n1,2,3\n', 1, {"the line has a quote where none can stand": 1}),
        (b"a,b,c\n1,2,\xff\n1,2,3\n", 1, {"the line is not in the file's encoding": 1}),
        (b"a,b,c\n1," + b"x" * 3_000_000 + b",3\n4,5,6\n", 1, {"the line is longer than 2 MB": 1}),
        (b"a,b,c\n1,2,3\n\n\n4,5,6\n\n", 2, {}),
        (b'a,b,c\r\n1,"2\r\n\r\nx",3\r\n\r\n4,5,6\r\n7,8,9', 3, {}),
        (b'a,b,c\n1,"2\n\n\n\n",3\n\n4,5,6\n7,8,9\n', 3, {}),
        (b"\xef\xbb\xbfa,b,c\n1,2,3\n", 1, {}),
        (b"a,b,c\r\n1,2,3\n4,5,6\r\n7,8\n", 2, {"the line has too few fields": 1}),
        (b'a,b,c\n1,2,3\r\n4,"5\r\n\n6",7\n', 2, {}),
        (b'"",row,select\n1,2,3\n', 1, {}),
        (b"a,b,c", 0, {}),
        (b"a\n1\n\n3", 3, {}),
    ],
)  # fmt: skip
def test_lines_are_rows_or_counted(
    db: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes, good: int, malformed: dict[str, int]
) -> None:
    staged = read(db, tmp_path / "file.csv", content)
    assert (staged.rows, dict(staged.malformed)) == (good, malformed)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n1,2\n",
        b'a,b,c\n1,"2,3\n4,5,6\n7,8,9\n',
        b'a,b,c\n1,"2\n\n\n\n",3\n\n4,5,6\n7,"8,9\n\n',
        b'a,b,c\n1,"' + b"x,y\n" * 600_000 + b",3\n4,5,6\n",
        b"a,b,c\r1,2,3\r4,5,6\r",
        b"a,b,A\n1,2,3\n",
        b"a,ROWID,c\n1,2,3\n",
        "a,b,c\n1,2,3\n".encode("utf-16"),
        b"a,b\0,c\n1,2,3\n",
        b"\xff\xfe\xff,b\n1,2\n",
    ],
)
def test_a_file_whose_lines_do_not_add_up_is_refused(
    db: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(SourceError, match=r"file\.csv") as caught:
        read(db, tmp_path / "file.csv", content)
    assert caught.value.do


def test_a_file_that_is_not_there_is_refused(db: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv cannot be read"):
        stage_csv(db, "file", tmp_path / "none.csv", Layout())
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        parquet_relation(db, "file", tmp_path / "bad.parquet")


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=("Cs",)), max_size=8)
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), max_size=30)
)  # a file of one column is ambiguous: an empty value is a blank line


@SETTINGS
@given(TABLES, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans())
def test_what_the_standard_library_writes_is_read_back(
    db: duckdb.DuckDBPyConnection, tmp_path: Path, table: list[list[str]], end: str, quoting: int, named: bool
) -> None:
    """The oracle is Python's csv module; empty text and null are one, as nothing can tell them apart later."""
    width = len(table[0]) if table else 3
    names = [f"c{number}" for number in range(width)]
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([names, *table] if named else table)
    layout = Layout(columns=None if named else tuple(names))
    staged = read(db, tmp_path / "file.csv", text.getvalue().encode(), layout)
    found = [[value or "" for value in row] for row in rows(db)]
    assert found == table
    assert not staged.malformed


BAD = st.sampled_from(['1,"2"x,3', "1,2", "1,2,3,4", "1", '"1"2,3,4'])


@SETTINGS
@given(st.lists(st.one_of(st.just("good,good,good"), BAD), max_size=40))
def test_rows_in_are_good_and_malformed_lines(db: duckdb.DuckDBPyConnection, tmp_path: Path, lines: list[str]) -> None:
    staged = read(db, tmp_path / "file.csv", "\n".join(["a,b,c", *lines, ""]).encode())
    good = lines.count("good,good,good")
    assert (staged.rows, staged.rows_in) == (good, len(lines))


@SETTINGS
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """No bytes make anything but a staged file or a SourceError."""
    with duckdb.connect(config={"temp_directory": str(tmp_path / "spill")}) as db:
        open_schemas(db)
        with suppress(SourceError):
            assert read(db, tmp_path / "file.csv", b"a,b,c\n" + content).rows_in <= content.count(b"\n") + 1
