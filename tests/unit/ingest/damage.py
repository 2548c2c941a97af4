"""A small source with a canary in every kind of place, and the ways in which it can be damaged."""

import gzip
import os
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv, parquet

CANARY = "Zebedee"
DAYS = [date(2010 + n % 8, 1 + n % 12, 1 + n % 28) for n in range(60)]

SOURCE = {
    "person": pa.table(
        {
            "person_id": pa.array(range(1, 21), pa.int64()),
            "gender_concept_id": pa.array([8507, 8532] * 10, pa.int32()),
            "year_of_birth": pa.array(range(1940, 1960), pa.int32()),
            "race_concept_id": pa.array([0] * 20, pa.int32()),
            "ethnicity_concept_id": pa.array([0] * 20, pa.int32()),
            "person_source_value": [f"{CANARY}{n}" for n in range(20)],
        }
    ),
    "observation_period": pa.table(
        {
            "observation_period_id": pa.array(range(1, 21), pa.int64()),
            "person_id": pa.array(range(1, 21), pa.int64()),
            "observation_period_start_date": [date(2010, 1, 1)] * 20,
            "observation_period_end_date": [date(2020, 1, 1)] * 20,
            "period_type_concept_id": pa.array([32880] * 20, pa.int32()),
        }
    ),
    "measurement": pa.table(
        {
            "measurement_id": pa.array(range(1, 61), pa.int64()),
            "person_id": pa.array([1 + n % 20 for n in range(60)], pa.int64()),
            "measurement_concept_id": pa.array([3000963] * 60, pa.int32()),
            "measurement_date": DAYS,
            "measurement_type_concept_id": pa.array([32817] * 60, pa.int32()),
            "value_as_number": [n / 7 for n in range(60)],
            "measurement_source_value": [f"{CANARY}, {n}" for n in range(60)],
        }
    ),
    "note_nlp": pa.table({"note_nlp_id": pa.array([1, 2]), "snippet": [CANARY, f'"{CANARY}"']}),
}

KINDS = ("csv", "tsv", "csv.gz", "parquet", "parts", "duckdb")


def write(directory: Path, kind: str) -> Path:
    """The source as files of one kind; the path to load."""
    directory.mkdir()
    if kind == "duckdb":
        path = directory / "cdm.duckdb"
        with duckdb.connect(str(path)) as db:
            for name, rows in SOURCE.items():
                db.register("rows", rows)
                db.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
        return path
    for name, rows in SOURCE.items():
        if kind == "parquet":
            parquet.write_table(rows, directory / f"{name}.parquet")
        elif kind == "parts":
            (directory / name).mkdir()
            for part in range(2):
                parquet.write_table(
                    rows.slice(part * 10, 10 if part == 0 else None), directory / name / f"{part}.parquet"
                )
        else:
            tab = csv.WriteOptions(delimiter="\t", quoting_style="none") if kind == "tsv" else csv.WriteOptions()
            rows = rows.drop_columns("snippet") if kind == "tsv" and "snippet" in rows.column_names else rows
            opened = (gzip.open if kind == "csv.gz" else open)(directory / f"{name}.{kind}", "wb")
            with opened as file:
                csv.write_csv(rows, file, tab)
    return directory


def one(rng: random.Random, source: Path) -> Path:
    """One file of the source; mostly one that is loaded."""
    files = sorted(path for path in ([source] if source.is_file() else source.rglob("*")) if path.is_file())
    return rng.choice([path for path in files if "nlp" not in str(path)] * 4 + files)


def content(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    """A damage to the bytes of one file; what is packed is unpacked for it half of the time."""

    def damage(rng: random.Random, source: Path) -> None:
        path = one(rng, source)
        packed = path.suffix == ".gz" and rng.random() < 0.5
        before = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        after = change(rng, before)
        path.write_bytes(gzip.compress(after) if packed else after)

    damage.__name__ = change.__name__
    return damage


def truncated(rng: random.Random, text: bytes) -> bytes:
    return text[: rng.randrange(len(text) + 1)]


def flipped(rng: random.Random, text: bytes) -> bytes:
    held = bytearray(text)
    for _ in range(rng.choice([1, 3, 30])):
        held[rng.randrange(len(held))] = rng.randrange(256)
    return bytes(held)


def zeroed(rng: random.Random, text: bytes) -> bytes:
    start, length = rng.randrange(len(text)), rng.choice([1, 16, 500])
    return text[:start] + bytes(length) + text[start + length :]


def noise(rng: random.Random, text: bytes) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 7, 1000]))


def swollen(rng: random.Random, text: bytes) -> bytes:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice([b"x", b'"', b",", b"\n", b"\r", b"\0", b"\t"]) * 3_000_000 + text[place:]


def repeated(rng: random.Random, text: bytes) -> bytes:
    start = rng.randrange(len(text))
    return text[: start + rng.randrange(2000)] + text[start:]


def utf_16(rng: random.Random, text: bytes) -> bytes:
    return text.decode("latin-1").encode(rng.choice(["utf-16", "utf-16-le", "utf-32"]))


def latin_1(rng: random.Random, text: bytes) -> bytes:
    return text.replace(CANARY.encode(), "Zébédée".encode("latin-1"))


def other_line_ends(rng: random.Random, text: bytes) -> bytes:
    lines = text.split(b"\n")
    return b"".join(line + rng.choice([b"\n", b"\r\n", b"\r", b"\n\n"]) for line in lines)


def marked(rng: random.Random, text: bytes) -> bytes:
    return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\n"]) + text


def open_quote(rng: random.Random, text: bytes) -> bytes:
    place = rng.randrange(len(text))
    return text[:place] + b'"' + text[place:]


def swapped(rng: random.Random, text: bytes) -> bytes:
    header, _, rows = text.partition(b"\n")
    mark = b"\t" if b"\t" in header else b","
    names = header.split(mark)
    rng.shuffle(names)
    return mark.join(names) + b"\n" + rows


def header_of_names(rng: random.Random, text: bytes) -> bytes:
    header, _, rows = text.partition(b"\n")
    extra = rng.choice(
        [b"%b Quux", b'"%b"', b'"%b\nQuux"', b"=cmd|'%b'", b"<script>%b", b"'; DROP TABLE %b; --", b"rowid"]
    )
    return header + b"," + (extra % CANARY.encode() if b"%b" in extra else extra) + b"\n" + rows.replace(b"\n", b",1\n")


def doubled_header(rng: random.Random, text: bytes) -> bytes:
    header, _, rows = text.partition(b"\n")
    return header + b"," + header + b"\n" + rows


def no_header(rng: random.Random, text: bytes) -> bytes:
    return text.partition(b"\n")[2]


def too_many_columns(rng: random.Random, text: bytes) -> bytes:
    header, _, rows = text.partition(b"\n")
    more = b",".join(b"%b%d" % (CANARY.encode(), n) for n in range(rng.choice([10, 6000, 200_000])))
    return header + b"," + more + b"\n" + rows


def odd_values(rng: random.Random, text: bytes) -> bytes:
    lines = text.split(b"\n")
    odd = [b"1e999", b"-1", b"9" * 40, b"NaN", b"infinity", b"0001-01-01", b"9999-12-31", b"\xe2\x80\x8b1", b"1_000",
           b"0x10", b"1;2", b"Zebedee Quux", b"2020-02-30", b"", b"\\N", b"NULL", "١٢".encode()]  # fmt: skip
    for _ in range(5):
        row = rng.randrange(1, len(lines))
        cells = lines[row].split(b",")
        cells[rng.randrange(len(cells))] = rng.choice(odd)
        lines[row] = b",".join(cells)
    return b"\n".join(lines)


def other_types(rng: random.Random, source: Path) -> None:
    """One column of a Parquet file in a type that it should not have."""
    path = one(rng, source)
    rows = parquet.read_table(path)
    number = rng.randrange(rows.num_columns)
    values = [CANARY.encode()] * rows.num_rows
    made = rng.choice(
        [
            pa.array(values, pa.binary()),
            pa.array([[CANARY]] * rows.num_rows),
            pa.array([{"a": CANARY}] * rows.num_rows),
            pa.array([[(CANARY, 1)]] * rows.num_rows, pa.map_(pa.string(), pa.int32())),
            pa.array([True] * rows.num_rows),
            pa.array([None] * rows.num_rows, pa.null()),
            pa.array([1.5] * rows.num_rows),
            pa.array([float("nan")] * rows.num_rows),
            pa.array([2**63] * rows.num_rows, pa.uint64()),
            pa.array([-(2**63)] * rows.num_rows, pa.int64()),
            pa.array([CANARY] * rows.num_rows),
            pa.array([2**62] * rows.num_rows, pa.timestamp("us")),
            pa.array([-(2**31)] * rows.num_rows, pa.date32()),
            pa.array([10**30] * rows.num_rows, pa.decimal128(38, 0)),
            pa.array([b"\xff" * 16] * rows.num_rows, pa.binary(16)),
        ]
    )
    parquet.write_table(rows.set_column(number, rows.column_names[number], made), path)


def other_columns(rng: random.Random, source: Path) -> None:
    """A Parquet file with names that are doubled, missing, the database's own, or data."""
    path = one(rng, source)
    rows = parquet.read_table(path)
    names = list(rows.column_names)
    number = rng.randrange(len(names))
    names[number] = rng.choice(["rowid", "file_row_number", "filename", "file_index", names[0], names[-1].upper(), "",
                                CANARY, f"{CANARY}'; DROP TABLE x; --", "a\nb", "x" * 100_000])  # fmt: skip
    parquet.write_table(rows.rename_columns(names), path)


def bomb(rng: random.Random, source: Path) -> None:
    """Much from little: rows that repeat one value."""
    path = one(rng, source)
    if path.suffix == ".gz":
        with gzip.open(path, "wb") as file:
            file.write(b"person_id,x\n")
            for _ in range(8):
                file.write(b"1,1\n" * 16_000_000)
        return
    rows = pa.table({name: pa.nulls(4_000_000, pa.int64()) for name in parquet.read_schema(path).names})
    with parquet.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(rows, row_group_size=4_000_000)


def place(rng: random.Random, source: Path) -> None:
    """A file that is none, or lies elsewhere."""
    path = one(rng, source)
    elsewhere = source.parent / f"{CANARY}-elsewhere"
    path.rename(elsewhere)
    kind = rng.randrange(6)
    if kind == 0:
        path.symlink_to(elsewhere)
    elif kind == 1:
        path.symlink_to(rng.choice(["/dev/zero", "/dev/urandom", "/etc/passwd", "/proc/self/mem", "none", path.name]))
    elif kind == 2:
        os.mkfifo(path)
    elif kind == 3:
        path.mkdir()
        (path / rng.choice(["0.parquet", CANARY, "x.csv"])).write_bytes(b"x")
    elif kind == 4:
        path.symlink_to(source.parent)
    else:
        path.write_bytes(b"")


def neighbour(rng: random.Random, source: Path) -> None:
    """A file with an odd name beside the others."""
    names = [f"{CANARY}.csv", f"{CANARY}.parquet", f"a\n{CANARY}.csv", f"'; DROP TABLE {CANARY}.csv", "<b>.csv",
             "*.parquet", "[p]erson.parquet", "person.csv.parquet", ".person.csv", "PERSON.CSV", "person.parquet",
             "concept.csv", "CONCEPT_ANCESTOR.csv", f"{CANARY}.csv.gz"]  # fmt: skip
    path = source.parent / rng.choice(names) if source.is_file() else source / rng.choice(names)
    path.write_bytes(
        rng.choice([b"", b"x", b"a,b\n1,2\n", CANARY.encode(), b"concept_id,parent\n1,x\n", b"\x1f\x8b\x08"])
    )


def program(rng: random.Random, source: Path) -> None:
    """A DuckDB file that would run something, or holds another shape."""
    with duckdb.connect(str(source)) as db:
        db.execute("ALTER TABLE measurement RENAME TO old_measurement")
        db.execute(
            rng.choice(
                [
                    "CREATE VIEW measurement AS SELECT * FROM read_text('/etc/passwd')",
                    "CREATE VIEW measurement AS SELECT range AS measurement_id FROM range(1000000000000)",
                    "CREATE VIEW measurement AS SELECT * FROM person JOIN person AS p ON true",
                    "CREATE TABLE measurement AS SELECT 1 AS measurement_id FROM range(3000000)",
                    f"CREATE TABLE measurement AS SELECT ['{CANARY}'] AS measurement_id",
                    "CREATE SCHEMA other; CREATE TABLE other.person AS SELECT * FROM person",
                    'CREATE TABLE measurement AS SELECT *, 1 AS "rowid" FROM old_measurement',
                    f"CREATE TABLE measurement AS SELECT * REPLACE ('{CANARY}' AS person_id) FROM old_measurement",
                ]
            )
        )


BYTES = [content(each) for each in (truncated, flipped, zeroed, noise, swollen, repeated, marked)]
ENCODINGS = [content(each) for each in (utf_16, latin_1, other_line_ends, open_quote)]
COLUMNS = [content(each) for each in (swapped, header_of_names, doubled_header, no_header, too_many_columns)]
TEXT = [*ENCODINGS, *COLUMNS, content(odd_values)]
DAMAGES: dict[str, list[Callable[[random.Random, Path], None]]] = {
    "csv": [*BYTES, *TEXT, place, neighbour],
    "tsv": [*BYTES, *TEXT, place, neighbour],
    "csv.gz": [*BYTES, *TEXT, place, neighbour],
    "parquet": [*BYTES, other_types, other_types, other_columns, place, neighbour],
    "parts": [*BYTES, other_types, other_columns, place, neighbour],
    "duckdb": [*BYTES, program, program, neighbour],
}
BOMBS = ("csv.gz", "parquet")
