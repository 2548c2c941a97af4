"""Each command, called so that it cannot succeed: two sentences on standard error, and nothing left behind."""

import re
from pathlib import Path

import pytest

from tests.commands import run
from tests.contract.test_cli import CONTRACT

NOBODY = "http://127.0.0.1:9"
HASH = "sha256:" + "0" * 64
SECRET = "Zq17Kv"

WRONG = {
    "demo": ["--dir", "FILE", "--no-open"],
    "deid text": ["--notes", "NOWHERE", "--out", "DIR"],
    "site init": ["DIR", "--name", "not a name"],
    "site join": ["NOWHERE", "NOWHERE"],
    "site load": ["NOWHERE", "NOWHERE", "--format", "omop", "--profile", "already-deidentified"],
    "site verify": ["NOWHERE"],
    "site review": ["NOWHERE"],
    "site run": ["NOWHERE"],
    "site left": ["NOWHERE"],
    "hub init": ["FILE"],
    "hub run": ["NOWHERE"],
    "hub status": ["NOWHERE"],
    "alliance add": ["NOWHERE", "--name", "a", "--site-key", "NOWHERE", "--kit", "NOWHERE"],
    "alliance show": ["NOWHERE"],
    "study check": ["FILE"],
    "study propose": ["FILE", "--hub", NOBODY],
    "study status": [HASH, "--hub", NOBODY],
    "evidence list": ["--hub", "NOWHERE"],
    "evidence show": [HASH, "--hub", "NOWHERE"],
    "evidence export": [HASH, "--format", "html", "--hub", "NOWHERE"],
    "cohort run": ["NOWHERE", "--cdm", "NOWHERE", "--out", "DIR"],
    "cohort explain": ["FILE"],
    "ledger verify": ["NOWHERE"],
    "ledger show": ["NOWHERE"],
    "ledger export": ["NOWHERE"],
}
"""FILE is a file that holds a secret, DIR does not exist yet, NOWHERE never does."""


def test_every_command_is_tried() -> None:
    assert {"demo", *(f"{group} {name}" for group, names in CONTRACT.items() for name in names)} == set(WRONG)


@pytest.mark.parametrize("command", WRONG)
def test_an_unknown_option_is_a_wrong_call(command: str) -> None:
    said = run(*command.split(), "--no-such-option")
    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", WRONG)
def test_a_call_that_cannot_succeed_is_told_in_words(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(f"{SECRET}: {SECRET}\n")
    places = {"FILE": file, "NOWHERE": tmp_path / "nowhere", "DIR": tmp_path / "new"}
    said = run(*command.split(), *(places.get(word, word) for word in WRONG[command]))
    assert said.status in (1, 2)
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "did not expect" not in said.err
    assert SECRET not in said.err
    assert len(re.findall(r"[.?!](?:\s|$)", said.err)) >= 2, said.err  # what, and what to do
    assert list(tmp_path.iterdir()) == [file], "a call that failed left something behind"
