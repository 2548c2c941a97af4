"""What the pages say is so: commands exist and take these options, links lead somewhere, named tests are there."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tests.commands import run
from vitrail.errors import VitrailError
from vitrail.study.analyses.predict import Predict
from vitrail.study.reader import parse_study
from vitrail.study.release import RefusalCode

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, without comments."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def named(words: list[str]) -> list[str]:
    """The names of the command and its group."""
    return words[1:2] if words[1] == "demo" else words[1:3]


@cache
def usage(*names: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.setenv("NO_COLOR", "1")
        said = run(*names, "--help")
    assert said.status == 0, f"vitrail {' '.join(names)}: {said.err}"
    return said.out


def said_commands() -> list[tuple[str, list[str]]]:
    return [(page.name, words) for page in PAGES for words in commands(page)]


def test_there_are_pages_and_they_say_commands() -> None:
    assert {"README.md", "GLOSSARY.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} <= {
        page.name for page in PAGES
    }
    assert len(said_commands()) > 20


@pytest.mark.parametrize(
    ("page", "words"), said_commands(), ids=lambda value: value if isinstance(value, str) else None
)
def test_a_command_is_as_the_page_says(page: str, words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
    elif words[0] == "vitrail":
        names = named(words)
        help_text = usage(*names)
        options = {word for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", help_text)), words
        needed = re.findall(r"\*\s+(--[a-z-]+)", help_text)
        assert set(needed) <= options, f"{words} lacks {needed}"
        arguments = [word for word in words[1 + len(names) :] if not word.startswith("--")]
        assert len(arguments) >= len(re.findall(r"\{[A-Z]+\}", help_text.split("\n")[1])), words
    else:
        assert words[0] in (".", "git", "cd"), f"{page} says a command that nobody tries: {words[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_are_named_exist(page: Path) -> None:
    """`tests/…` and `src/…`, with `::test_name` where a test is meant; `<kind>` stands for anything."""
    for path, test in re.findall(r"`((?:src/vitrail|tests)/[\w./-]+\w)(?:::(\w+))?`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name}: {path}"
        if test:
            names = [node.name for node in ast.walk(ast.parse((ROOT / path).read_text()))
                     if isinstance(node, ast.FunctionDef)]  # fmt: skip
            assert test in names, f"{page.name}: {path}::{test}"


def rooms_in(text: str) -> set[str]:
    return set(re.findall(r"`(\w+/\w+\.py)`", text))


def test_places_that_security_names_exist() -> None:
    places = rooms_in((ROOT / "SECURITY.md").read_text())
    assert len(places) > 10
    assert not [place for place in places if not (ROOT / "src" / "vitrail" / place).exists()]


def test_every_promise_of_security_names_a_test() -> None:
    """A row is promise, place, test; what the tests are is checked above."""
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "SECURITY.md").read_text().splitlines()
            if line.startswith("| ") and not line.startswith("| promise")]  # fmt: skip
    assert len(rows) > 25
    assert [row[0] for row in rows if len(row) != 3 or "`tests/" not in row[2]] == []


def test_packages_are_installed_by_hash() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "install" in line and " -r " in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    for lock in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text())
        pins = [entry for entry in entries if re.match(r"[\w.-]+==", entry)]
        assert len(pins) > 5
        assert all("--hash=sha256:" in pin for pin in pins)


def test_every_page_is_in_the_index() -> None:
    folder = ROOT / "docs"
    index = (folder / "README.md").read_text()
    pages = [path for path in folder.glob("**/*.md") if path.parent.name != "decisions" and path.name != "README.md"]
    assert [path.name for path in pages if f"]({path.relative_to(folder)})" not in index] == []


def test_every_field_of_a_prediction_is_explained() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-study.md").read_text()
    fields = (Predict.model_fields.keys() - {"kind"}) | {"centre", "per", "if_missing"}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []


def test_studies_on_pages_are_good() -> None:
    found = [text for page in PAGES for text in blocks(page, "yaml") if text.startswith("vitrail: study/1")]
    assert found
    for text in found:
        parse_study(text.encode())


def test_other_yaml_on_pages_is_yaml() -> None:
    for page in PAGES:
        for text in blocks(page, "yaml"):
            yaml.safe_load(text)


def test_the_changelog_has_the_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()


def test_each_direct_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "decisions" / "0002-libraries.md").read_text()
    text = (ROOT / "pyproject.toml").read_text()
    core = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert core
    names = re.findall(r'"([a-z0-9-]+)[><=]', core[1])
    table = " ".join(line for line in page.splitlines() if line.startswith("|"))
    assert [name for name in names if name not in table] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_glossary_has_every_room_word() -> None:
    text = (ROOT / "GLOSSARY.md").read_text()
    for word in ("Snapshot", "Study", "Result", "Gate", "Policy", "Release", "Evidence", "Ledger", "Approval"):
        assert f"**{word}**" in text


def test_every_error_of_the_tree_is_raised_somewhere() -> None:
    """An error that nothing raises is a word without a meaning."""
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    kinds = [name for name, kind in vars(import_module("vitrail.errors")).items()
             if isinstance(kind, type) and issubclass(kind, VitrailError) and kind is not VitrailError]  # fmt: skip
    assert [name for name in kinds if not re.search(rf"{name}\(", source.replace(f"class {name}(", ""))] == []


def test_every_refusal_code_is_used() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py") if path.name != "release.py")
    assert [code for code in get_args(RefusalCode) if f'"{code}"' not in source] == []
