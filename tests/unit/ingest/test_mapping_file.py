"""A mapping file is read strictly; each error names the file, the line and what to write, and shows no value."""

from pathlib import Path

import pytest

from vitrail.errors import SourceError
from vitrail.ingest.mapping_file import read_mapping

GOOD = """\
vitrail: mapping/1
origin: {name: A hospital, public: false, calendar: "true"}
epoch: "2000-01-01"
record_type: 32817
files:
  people:
    file: people.csv
    person_id: {column: id}
    date: {epoch: true}
    person:
      sex: {column: sex, codes: {f: 8532, m: 8507}}
      birth_year: {column: born}
    observation_period: {first_event: true, last_event: true}
  labs:
    file: sub/labs.csv
    person_id: {column: id}
    date: {column: day, layout: "%d.%m.%Y"}
    measurements:
      - {concept: 2000000001, value: hb}
"""


def written(tmp_path: Path, text: str, name: str = "mapping.yaml") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_good_one_is_read(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, GOOD))
    assert list(mapping.files) == ["people", "labs"]
    assert mapping.files["labs"].measurements[0].concept == 2_000_000_001


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("vitrail: mapping/1", "vitrail: mapping/2", 1, "does not fit"),
        ("public: false", "public: secret-value", 2, "does not fit"),
        ("record_type: 32817", "record_typ: 32817", 4, "not known here. Is it record_type?"),
        ("sub/labs.csv", "../secret-value.csv", 15, "leads elsewhere"),
        ("sub/labs.csv", "/etc/secret-value", 15, "leads elsewhere"),
        ("sub/labs.csv", "C:\\secret-value", 15, "leads elsewhere"),
        ("{first_event: true, last_event: true}", "{first_event: true}", 13, "the period has no end"),
        ("{column: born}", "{column: born, age: secret-value}", 12, "age and on belong together"),
        ("{column: born}", "{age: a, on: {column: d, epoch: true}}", 12, "exactly one of column"),
        ("{concept: 2000000001, value: hb}", "{value: hb}", 19, "exactly one of concept"),
        ("{concept: 2000000001, value: hb}", "{concept: 2000000001, end: {epoch: true}}", 19, "have no end"),
        ("measurements:", "conditions:", 19, "belong to measurements"),
        ("{f: 8532, m: 8507}", "{f: 8532, m: 8507}, as_numbers: true", 11, "no number"),
        ("{f: 8532, m: 8507}", '{"1": 8532, "1.0": 8507}, as_numbers: true', 11, "the same number"),
        ('epoch: "2000-01-01"\n', "", 1, "an epoch that is not given"),
        ('"2000-01-01"', '"2000-13-01"', 3, "no date"),
        ("  labs:\n    file: sub/labs.csv", "  PEOPLE:\n    file: labs.csv", 6, "have the same name"),
        ("  labs:\n    file: sub/labs.csv", "  concept:\n    file: labs.csv", 6, "have the same name"),
        ("    file: sub/labs.csv\n", "", 6, "has no path"),
        ("    file: people.csv", "    file: people.csv\n    file: secret-value", 8, "twice"),
        ("record_type: 32817", "record_type: 32817\nonly: {column: id, modulo: 2, remainder: 2}", 5, "never occurs"),
        ("person_id: {column: id}\n    date: {column", "person_id: {}\n    date: {column", 16, "exactly one of column"),
        ("      - {concept: 2000000001, value: hb}\n", "", 18, "does not fit"),
    ],
)
def test_each_error_names_its_line(tmp_path: Path, old: str, new: str, line: int, told: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SourceError) as caught:
        read_mapping(path)
    text = str(caught.value)
    assert str(path) in text
    assert f"Line {line}," in text
    assert told in text
    assert "secret-value" not in text


def test_several_errors_come_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("public: false", "public: 7").replace("value: hb", "vale: hb"))
    with pytest.raises(SourceError, match="wrong in 2 places"):
        read_mapping(path)


def test_absurd_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        read_mapping(written(tmp_path, GOOD + "#" * 2**20))
    with pytest.raises(SourceError, match="cannot be read"):
        read_mapping(tmp_path / "none.yaml")


def test_one_file_may_be_based_on_another(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    own = 'based_on: mapping.yaml\nonly: {column: id, modulo: 2, remainder: 0}\nmissing: ["?"]\n'
    mapping = read_mapping(written(tmp_path, own, "half.yaml"))
    assert mapping.only is not None
    assert mapping.missing == ("?",)
    assert list(mapping.files) == ["people", "labs"]


@pytest.mark.parametrize("name", ["../mapping.yaml", "/etc/passwd", "", "..", "7"])
def test_what_it_is_based_on_lies_beside_it(tmp_path: Path, name: str) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(SourceError):
        read_mapping(written(tmp_path, f"based_on: {name}\n", "half.yaml"))


def test_a_circle_of_files_ends(tmp_path: Path) -> None:
    written(tmp_path, "based_on: two.yaml\n", "one.yaml")
    written(tmp_path, "based_on: one.yaml\n", "two.yaml")
    with pytest.raises(SourceError, match=r"two\.yaml"):
        read_mapping(tmp_path / "one.yaml")
