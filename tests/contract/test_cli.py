"""The command line as scripts rely on it: commands, exit statuses, errors in one line, and a quick start."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run
from vitrail.cli import COMMANDS

CONTRACT = {
    "cohort": ["run", "explain"],
    "deid": ["text"],
    "site": ["init", "join", "load", "verify", "review", "run", "left"],
    "hub": ["init", "run", "status"],
    "alliance": ["add", "show"],
    "ledger": ["verify", "show", "export"],
    "study": ["check", "propose", "status"],
    "evidence": ["list", "show", "export"],
}


def test_every_command_explains_itself() -> None:
    said = run("--help")
    assert said.status == 0
    assert all(name in said.out for name in COMMANDS)
    assert set(CONTRACT) | {"demo"} <= set(COMMANDS)
    for group, commands in CONTRACT.items():
        listed = run(group, "--help")
        assert listed.status == 0
        for command in commands:
            assert re.search(rf"\b{command}\b", listed.out)
            assert run(group, command, "--help").status == 0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert run("site", "init", tmp_path / "north", "--name", "north").status == 0
    return tmp_path / "north"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    assert run("hub", "init", tmp_path / "hub", "--port", "8499").status == 0
    return tmp_path / "hub"


def test_a_site_joins(site: Path, hub: Path, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    added = run("alliance", "add", hub, "--site-key", site / "keys" / "agent.pub", "--name", "north", "--kit", kit)
    assert (added.status, added.err) == (0, "")
    assert run("site", "join", kit, site).status == 0
    assert list(json.loads(run("alliance", "show", hub, "--json").out)) == ["north"]
    state = json.loads(run("hub", "status", hub, "--json").out)
    assert state == {"address": None, "members": ["north"], "studies": []}


def test_keys_are_for_their_owner_alone(site: Path, hub: Path) -> None:
    for key in (*site.glob("keys/*.key"), site / "keys" / "secret", *hub.glob("keys/*.key")):
        assert key.stat().st_mode & 0o077 == 0


def no(said: object, status: int, *words: str) -> None:
    """The answer is an error in one line, to standard error alone, that says so."""
    from tests.commands import Said

    assert isinstance(said, Said)
    assert said.status == status
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def test_what_is_not_there(tmp_path: Path) -> None:
    for words in (
        ("site", "verify"), ("site", "review"), ("site", "left"), ("site", "run"), ("hub", "run"), ("hub", "status"),
        ("alliance", "show"), ("ledger", "verify"), ("ledger", "show"), ("ledger", "export"),
    ):  # fmt: skip
        no(run(*words, tmp_path), 2, str(tmp_path))


def test_a_second_init_changes_nothing(site: Path, hub: Path) -> None:
    keys = {path: path.read_bytes() for path in (*site.glob("keys/*"), *hub.glob("keys/*"))}
    no(run("site", "init", site, "--name", "south"), 2, "already")
    no(run("hub", "init", hub), 2, "already")
    assert keys == {path: path.read_bytes() for path in keys}


@pytest.mark.parametrize("words", [("--name", "North Hospital"), ("--name", "n", "--policy", "lax")])
def test_a_wrong_init_leaves_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    no(run("site", "init", tmp_path / "new", *words), 2)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("kind", "words"), [("site", ("--name", "north")), ("hub", ())])
def test_an_init_that_was_interrupted_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: tuple[str, ...]
) -> None:
    from vitrail.store.store import Store

    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run(kind, "init", tmp_path / "new", *words).status == 130
    no(run(kind, "init", tmp_path / "new", *words), 2, "never finished", "remove the directory")
    shutil.rmtree(tmp_path / "new")
    assert run(kind, "init", tmp_path / "new", *words).status == 0


@pytest.mark.parametrize(("kind", "words"), [("site", ("--name", "north")), ("hub", ())])
def test_an_init_where_nothing_can_be_written(tmp_path: Path, kind: str, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "new"):
        no(run(kind, "init", place, *words), 2, "cannot be written")


def test_a_kit_is_for_one_site(site: Path, hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "south"
    run("site", "init", other, "--name", "south")
    kit = tmp_path / "kit"
    run("alliance", "add", hub, "--site-key", other / "keys" / "agent.pub", "--name", "south", "--kit", kit)
    no(run("site", "join", kit, site), 2, "another site")
    no(run("alliance", "add", hub, "--site-key", site / "keys" / "agent.pub", "--name", "south", "--kit", kit), 2)
    no(run("alliance", "add", hub, "--site-key", site / "site.json", "--name", "x", "--kit", kit), 2, "no public key")
    no(run("site", "run", site), 2, "site join")


def test_reviews_that_cannot_be(site: Path) -> None:
    hash_ = "sha256:" + "0" * 64
    no(run("site", "review", site, "--approve", hash_, "--key", site / "keys" / "steward.key"), 2, "no such study")
    no(run("site", "review", site, "--approve", hash_, "--refuse", hash_), 2, "Choose one")
    no(run("site", "review", site, "--refuse", hash_, "--key", site / "keys" / "steward.key"), 2, "--why")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--approve", "H", "--json"), "--json"),
        (("--refuse", "H", "--why", "x", "--json"), "--json"),
        (("--approve", "H", "--why", "x"), "--why"),
        (("--refuse", "H", "--why", "x", "--expires", "2099-01-01"), "--expires"),
        (("--preview", "H", "--key", "K"), "--key"),
        (("--why", "x"), "--why"),
    ],
)
def test_an_option_that_would_do_nothing_is_a_wrong_call(site: Path, words: tuple[str, ...], option: str) -> None:
    no(run("site", "review", site, *words), 2, f"{option} does nothing here")


def test_an_https_address_is_not_there_yet(site: Path, tmp_path: Path) -> None:
    for words in (("evidence", "list"), ("study", "status", "sha256:" + "0" * 64)):
        no(run(*words, "--hub", "https://hub.example"), 2, "TLS is not there yet")
    key = (site / "keys" / "agent.pub").read_text().strip()
    kit = {"vitrail": "kit/1", "hub": "https://hub.example", "hub_key": key, "site": "north", "members": {"north": key}}
    (tmp_path / "kit.json").write_text(json.dumps(kit))
    no(run("site", "join", tmp_path, site), 2, "TLS is not there yet")
    assert not (site / "alliance.json").exists()


def test_a_hub_that_is_down(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    no(run("evidence", "list", "--hub", nowhere), 2, "cannot be reached")
    no(run("study", "status", "sha256:" + "0" * 64, "--hub", nowhere), 2, "cannot be reached")


def test_evidence_that_is_not_there(hub: Path) -> None:
    no(run("evidence", "show", "sha256:" + "0" * 64, "--hub", hub), 2, "no evidence")
    assert run("evidence", "list", "--hub", hub, "--json").out == "[]\n"


def test_a_damaged_ledger_is_a_no(site: Path) -> None:
    import sqlite3

    with sqlite3.connect(site / "site.db") as raw:
        raw.execute("DELETE FROM seal")
    no(run("ledger", "verify", site), 1, "signed head")


@pytest.mark.parametrize(
    "words", [("nothing",), ("site", "nothing"), ("site", "init"), ("hub", "init", "x", "--port", "z")]
)
def test_a_wrong_call(words: tuple[str, ...]) -> None:
    said = run(*words)
    assert said.status == 2
    assert "Traceback" not in said.err


def test_an_unexpected_error_shows_neither_traceback_nor_value(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ValueError("Mrs Smith, born 1950")

    monkeypatch.setattr("vitrail.cli.nodes.opened", broken)
    no(run("ledger", "verify", site), 2, "ValueError", "VITRAIL_DEBUG")
    assert "Smith" not in run("ledger", "verify", site).err


def imported(statement: str) -> set[str]:
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_starts_without_the_heavy_libraries() -> None:
    found = imported("sys.argv = ['vitrail', '--help']; from vitrail.cli import main; main()")
    assert "typer" in found
    assert not found & {"numpy", "pydantic", "sqlalchemy", "duckdb", "fastapi", "httpx", "cryptography"}


@pytest.mark.parametrize("module", ["vitrail.hub.run", "vitrail.site.agent"])
def test_nodes_start_without_what_they_do_not_need(module: str) -> None:
    found = imported(f"import {module}")
    assert module in found
    assert not found & {"pandas", "altair", "statsmodels", "lifelines", "sklearn", "scipy.stats", "vl_convert", "typer"}
    assert ("duckdb" in found) == (module == "vitrail.site.agent")
