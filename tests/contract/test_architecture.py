"""The import contracts hold, and each of them catches what it is for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLANTED = [
    ("floors", "study/planted.py", "from vitrail import stats\n"),  # up
    ("floors", "omop/planted.py", "from vitrail import stats\n"),  # sideways
    ("floors", "planted/__init__.py", '"""A room without a floor."""\n'),
    ("glass", "hub/planted.py", "from vitrail.omop import tables\n"),
    ("glass", "analyses/predict/pool.py", "from vitrail.omop import tables\n"),  # the hub imports pool: indirectly
    ("glass", "hub/planted.py", "from vitrail.analyses.predict import run\n"),
    ("words", "study/planted.py", "import duckdb\n"),
    ("words", "disclosure/planted.py", "def late() -> None:\n    import httpx\n"),
    ("words", "governance/planted.py", "import sqlalchemy\n"),
    ("cycles", "stats/rates.py", "from vitrail.stats import planted\n"),
]


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to plant things in."""
    shutil.copytree(root / "src" / "vitrail", tmp_path / "vitrail", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def broken(directory: Path, contract: str) -> bool:
    """Whether import-linter finds ``contract`` broken by the package in ``directory``."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--contract", contract],
        cwd=directory, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    verdict = {"Contracts: 1 kept, 0 broken.": False, "Contracts: 0 kept, 1 broken.": True}
    said = [verdict[line] for line in run.stdout.splitlines() if line in verdict]
    assert said == [run.returncode != 0], run.stdout + run.stderr
    return said[0]


@pytest.mark.parametrize("contract", ["floors", "glass", "words", "cycles"])
def test_the_package_keeps_the_contract(copy: Path, contract: str) -> None:
    assert not broken(copy, contract)


@pytest.mark.parametrize(("contract", "file", "text"), PLANTED)
def test_a_planted_violation_is_caught(copy: Path, contract: str, file: str, text: str) -> None:
    path = copy / "vitrail" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as handle:
        handle.write("\n" + text)
    if contract == "cycles":
        (path.parent / "planted.py").write_text("from vitrail.stats import rates\n")
    assert broken(copy, contract)
