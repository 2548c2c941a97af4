"""`vitrail deid text`: a contract with scripts."""

import json
from pathlib import Path

import pytest

from tests.commands import run

NOTE = {"note_id": 1, "person_id": "p", "text": "Ana Ruiz was seen by Dr. Lee on 3/4/2020. MRN 884512."}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_notes_in_notes_out(tmp_path: Path) -> None:
    notes = written(tmp_path / "notes.jsonl", NOTE, {**NOTE, "note_id": "b", "text": "ruiz is well."})
    known = written(tmp_path / "known.jsonl", {"person_id": "p", "names": ["Ana Ruiz"]})
    said = run("deid", "text", "--notes", notes, "--out", tmp_path / "out.jsonl", "--known", known)
    assert said.status == 0
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert set(first) == {"note_id", "text", "spans"}
    assert {name for span in first["spans"] for name in span} == {"start", "end", "category", "method"}
    assert [NOTE["text"][span["start"] : span["end"]] for span in first["spans"]] == [
        "Ana Ruiz",
        "Dr. Lee",
        "3/4/2020",
        "884512",
    ]
    assert [(span["start"], span["end"], span["method"]) for span in second["spans"]] == [(0, 4, "known")]
    assert first["text"].split()[1].lower() == second["text"].split()[0].lower()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.jsonl", "notes.jsonl", "out.jsonl"]
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o077 == 0


def test_numbers_and_texts_name_the_same_person(tmp_path: Path) -> None:
    notes = written(tmp_path / "n", {**NOTE, "person_id": 7, "text": "zorblatt came"})
    known = written(tmp_path / "k", {"person_id": "7", "names": ["Zorblatt"]}, {"person_id": 7, "ids": ["1"]})
    assert run("deid", "text", "--notes", notes, "--out", tmp_path / "o", "--known", known).status == 0
    assert json.loads((tmp_path / "o").read_text())["spans"]


BAD = [
    "Zq17Kv\n",
    "[1]\n",
    '{"note_id": 1, "person_id": 2}\n',
    '{"note_id": null, "person_id": 2, "text": "Zq17Kv"}\n',
    '{"note_id": 1, "text": "Zq17Kv"}\n',
    '{"note_id": 1, "person_id": 2, "text": "x", "Zq17Kv": 1}\n',
    "[" * 100_000 + "\n",
]


@pytest.mark.parametrize("line", BAD)
def test_a_line_that_is_no_note_is_counted_and_the_rest_is_cleaned(line: str, tmp_path: Path) -> None:
    notes = written(tmp_path / "notes.jsonl", NOTE, line, NOTE)
    said = run("deid", "text", "--notes", notes, "--out", tmp_path / "out.jsonl")
    assert said.status == 1
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert "3 notes read, 2 written." in said.err
    assert "line 2" in said.err
    assert "Zq17Kv" not in said.err


def test_a_line_that_is_not_utf8_is_counted(tmp_path: Path) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_bytes(json.dumps(NOTE).encode() + b"\n\xff\xfe\n")
    assert run("deid", "text", "--notes", notes, "--out", tmp_path / "out.jsonl").status == 1


@pytest.mark.parametrize(
    "line",
    [
        "Zq17Kv\n",
        '{"names": ["Zq17Kv"]}\n',
        '{"person_id": 1, "names": "Zq17Kv"}\n',
        '{"person_id": 1, "Zq17Kv": []}\n',
    ],
)
def test_what_is_known_must_be_readable(line: str, tmp_path: Path) -> None:
    notes = written(tmp_path / "notes.jsonl", NOTE)
    known = written(tmp_path / "known.jsonl", {"person_id": 2, "names": ["x"]}, line)
    said = run("deid", "text", "--notes", notes, "--out", tmp_path / "out.jsonl", "--known", known)
    assert said.status == 2
    assert "Line 2" in said.err
    assert "Zq17Kv" not in said.err
    assert not (tmp_path / "out.jsonl").exists()


def test_the_output_may_not_be_an_input_and_must_be_writable(tmp_path: Path) -> None:
    notes = written(tmp_path / "notes.jsonl", NOTE)
    assert run("deid", "text", "--notes", notes, "--out", notes).status == 2
    assert run("deid", "text", "--notes", notes, "--out", tmp_path / "nowhere" / "out").status == 2
    assert run("deid", "text", "--notes", notes, "--out", tmp_path).status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.jsonl"]


def test_the_text_of_a_doubtful_note_is_withheld(tmp_path: Path) -> None:
    odd = {**NOTE, "text": "it said 1 2 3 4 5 6 7 8 9 0 1 2 there"}
    said = run("deid", "text", "--notes", written(tmp_path / "n", odd), "--out", tmp_path / "o")
    assert said.status == 0
    out = json.loads((tmp_path / "o").read_text())
    assert out["text"] == ""
    assert out["quarantine"] == "a long number is left"
    assert "the text of 1 is withheld" in said.err


def test_a_run_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("before")
    assert run("deid", "text", "--notes", tmp_path / "none", "--out", tmp_path / "out.jsonl").status == 2
    assert (tmp_path / "out.jsonl").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
