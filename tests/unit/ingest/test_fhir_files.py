"""Reading FHIR files: each line is a resource or a counted fault, and no message shows what stood there."""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrail.errors import SourceError
from vitrail.ingest import fhir_files
from vitrail.ingest.fhir_files import Entry, stretches

PATIENT = {"resourceType": "Patient", "id": "SECRET", "birthDate": "1950-01-02"}
LINE = json.dumps(PATIENT).encode()


def entries(directory: Path) -> Iterator[Entry]:
    for stretch in stretches(directory):
        yield from stretch.entries()


def read(directory: Path) -> list[Entry]:
    found = list(entries(directory))
    assert not any("SECRET" in f"{each.file} {each.fault}" for each in found)
    return found


def told(directory: Path) -> list[tuple[str, int, str | None]]:
    return [(each.file, each.row, each.fault) for each in read(directory)]


LINES: list[tuple[str, bytes, str | None]] = [
    ("a resource", LINE, None),
    ("truncated", LINE[:-9], "the line is no JSON"),
    ("two on a line", LINE + LINE, "the line is no JSON"),
    ("no object", b'["SECRET"]', "what stands there is no FHIR resource"),
    ("no type", b'{"id": "SECRET"}', "what stands there is no FHIR resource"),
    ("a type that FHIR does not know", b'{"resourceType": "SECRET"}', "what stands there is no FHIR resource"),
    ("a type that is a list", b'{"resourceType": ["Patient"]}', "what stands there is no FHIR resource"),
    ("a key twice", b'{"resourceType": "Patient", "id": "a", "id": "SECRET"}', "the resource has a key twice"),
    ("NaN", b'{"resourceType": "Patient", "n": NaN}', "the resource has a number that is none"),
    ("a number without end", b'{"resourceType": "Patient", "n": 1e999}', "the resource has a number that is none"),
    ("a number of 5,000 digits", b'{"resourceType": "Patient", "n": ' + b"9" * 5000 + b"}", "the line is no JSON"),
    ("half of a character", b'{"resourceType": "Patient", "id": "\\ud800"}',
     "the resource has half of a character, or one that is none"),
    ("a NUL", b'{"resourceType": "Patient", "id": "\\u0000"}',
     "the resource has half of a character, or one that is none"),
    ("a modifier", b'{"resourceType": "Patient", "contact": [{"modifierExtension": [{"url": "SECRET"}]}]}',
     "the resource has a modifierExtension, which must not be overlooked"),
    ("a modifier behind an escape", b'{"resourceType": "Patient", "\\u006dodifierExtension": [{"url": "SECRET"}]}',
     "the resource has a modifierExtension, which must not be overlooked"),
    ("Latin-1", '{"resourceType": "Patient", "id": "SECRETé"}'.encode("latin-1"), "the line is not UTF-8"),
    ("too deep", b'{"resourceType": "Patient", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     "the line is nested too deep"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "fault"), [each[1:] for each in LINES], ids=[each[0] for each in LINES])
def test_a_line_by_itself(tmp_path: Path, line: bytes, fault: str | None) -> None:
    """The lines before and after are read."""
    (tmp_path / "Patient.000.ndjson").write_bytes(b"\xef\xbb\xbf" + LINE + b"\n\n" + line + b"\r\n" + LINE)
    assert told(tmp_path) == [("Patient.000", 1, None), ("Patient.000", 3, fault), ("Patient.000", 4, None)]


def test_a_bundle_that_breaks_off_gives_what_stands_before(tmp_path: Path) -> None:
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}] * 3})
    (tmp_path / "SECRET.json").write_text(bundle[: bundle.rindex("SECRET")])
    assert told(tmp_path) == [
        ("Patient in bundles", 1, None),
        ("Patient in bundles", 2, None),
        ("bundles", 1, "the rest of the file is no JSON"),
    ]


def test_the_order_of_a_bundle_does_not_matter(tmp_path: Path) -> None:
    entry = {"fullUrl": "urn:uuid:1", "resource": PATIENT}
    (tmp_path / "a.json").write_text(json.dumps({"entry": [entry], "type": "batch", "resourceType": "Bundle"}))
    assert [each.url for each in read(tmp_path)] == ["urn:uuid:1"]


BUNDLES: list[tuple[str, dict[str, object] | list[object], str | None]] = [
    ("of history", {"resourceType": "Bundle", "type": "history", "entry": [{"resource": PATIENT}]},
     "the bundle is of no type that gives resources"),
    ("that deletes", {"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "DELETE"}, "resource": PATIENT}]}, "the entry deletes a resource"),
    ("with a modifier", {"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": PATIENT | {"modifierExtension": []}}]},
     "the resource has a modifierExtension, which must not be overlooked"),
    ("with nothing", {"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": "SECRET"}]},
     "what stands there is no FHIR resource"),
    ("with words", {"resourceType": "Bundle", "type": "batch", "entry": ["SECRET"]},
     "what stands there is no FHIR resource"),
    ("that is a list", ["SECRET"], "the rest of the file is no JSON"),
    ("that is one resource", PATIENT, None),
    ("that is nothing of FHIR", {"SECRET": 1}, "what stands there is no FHIR resource"),
]  # fmt: skip


@pytest.mark.parametrize(("bundle", "fault"), [each[1:] for each in BUNDLES], ids=[each[0] for each in BUNDLES])
def test_a_file_of_json(tmp_path: Path, bundle: object, fault: str | None) -> None:
    (tmp_path / "SECRET.json").write_text(json.dumps(bundle))
    assert [each.fault for each in read(tmp_path)] == [fault]


def test_packed_files_that_are_damaged(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(LINE + b"%d\n" % n for n in range(10_000)))
    (tmp_path / "Patient.000.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "Patient.001.ndjson.gz").write_bytes(b"SECRET")
    found = told(tmp_path)
    assert found[-2][0::2] == ("Patient.000", "the rest of the file cannot be unpacked")
    assert found[-1] == ("Patient.001", 1, "the rest of the file cannot be unpacked")


def test_a_packed_bomb_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_files, "MAX_DOCUMENT", 2**20)
    monkeypatch.setattr(fhir_files, "MAX_LINE", 2**16)
    bomb = gzip.compress(b"0" * 2**26)
    (tmp_path / "Patient.000.ndjson.gz").write_bytes(bomb)
    (tmp_path / "x.json.gz").write_bytes(bomb)
    assert told(tmp_path) == [
        ("Patient.000", 1, "the line is longer than 32 MB"),
        ("Patient.000", 2, "the rest of the file unpacks to more than 200 times its size"),
        ("bundles", 1, "the file is larger than 256 MB"),
    ]


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_files, "MAX_LINE", 1000)
    monkeypatch.setattr(fhir_files, "BLOCK", 64)
    (tmp_path / "Patient.000.ndjson").write_bytes(LINE + b"\n" + b"x" * 5000 + b"\n" + LINE)
    assert [fault for _, _, fault in told(tmp_path)] == [None, "the line is longer than 32 MB", None]


def test_file_names_are_data(tmp_path: Path) -> None:
    """Names with line breaks, quotes and markup; those of no type; those that only look like one."""
    for name in ("SECRET\n.ndjson", "'; DROP TABLE SECRET--.ndjson", "<b>SECRET.txt", "SECRET.000.ndjson"):
        (tmp_path / name.replace("/", "")).write_bytes(LINE)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "Patient.7.ndjson").write_bytes(LINE)
    assert {each.file for each in read(tmp_path)} == {"file 1", "file 3", "file 4", "other files", "Patient.7"}


def test_what_leads_out_of_the_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.ndjson").write_bytes(LINE)
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe.ndjson")
    (source / "SECRET.ndjson").symlink_to(tmp_path / "elsewhere.ndjson")
    with pytest.raises(SourceError, match="file 1 in the order of names leads out of the source") as caught:
        list(entries(source))
    assert "SECRET" not in str(caught.value)


def test_a_source_without_resources(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("SECRET")
    with pytest.raises(SourceError, match="has no FHIR resources"):
        list(entries(tmp_path))


def flip(data: bytes, draw: Callable[[int], int]) -> bytes:
    place = draw(len(data))
    return data[:place] + bytes([draw(256)]) + data[place + 1 :]


def cut(data: bytes, draw: Callable[[int], int]) -> bytes:
    return data[: draw(len(data))]


def swap(data: bytes, draw: Callable[[int], int]) -> bytes:
    a, b = sorted((draw(len(data)), draw(len(data))))
    return data[b:] + data[a:b] + data[:a]


def wide(data: bytes, _: Callable[[int], int]) -> bytes:
    return data.decode(errors="replace").encode("utf-16")


def repeat(data: bytes, draw: Callable[[int], int]) -> bytes:
    place = draw(len(data))
    return data[:place] + data[place : place + 3] * draw(2000) + data[place:]


DAMAGE = (flip, cut, swap, wide, repeat)


def damaged(directory: Path, draws: list[int], kinds: list[int], name: str) -> None:
    """One line for each resource, or a bundle of them, damaged once or more, packed or not; whole files are read."""
    rest = list(draws)

    def draw(limit: int) -> int:
        return rest.pop() % limit if rest and limit else 0

    held = [PATIENT | {"n": n, "contained": [{"id": [n] * 3}]} for n in range(5)]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": each} for each in held]}
    data = b"\n".join(json.dumps(each).encode() for each in held) if "ndjson" in name else json.dumps(bundle).encode()
    if name.endswith(".gz") and draw(2):
        data = gzip.compress(data)
    for kind in kinds:
        data = DAMAGE[kind % len(DAMAGE)](data, draw)
    (directory / name).write_bytes(zlib.compress(data) if name.endswith(".gz") and draw(9) == 0 else data)


@pytest.mark.parametrize("examples", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_damage_is_a_counted_fault_and_never_a_crash(tmp_path: Path, examples: int) -> None:
    names = st.sampled_from(["Patient.000.ndjson", "a.json", "Patient.000.ndjson.gz", "a.json.gz"])
    numbers = st.lists(st.integers(0, 2**31), min_size=12, max_size=12)

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(numbers, st.lists(st.integers(0, 9), min_size=1, max_size=3), names)
    def check(draws: list[int], kinds: list[int], name: str) -> None:
        for path in tmp_path.iterdir():
            path.unlink()
        damaged(tmp_path, draws, kinds, name)
        for each in read(tmp_path):
            assert (each.resource is None) == (each.fault is not None)

    check()
