"""The tutorial, followed to the letter (with fewer people)."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_pages import ROOT, commands

PAGE = ROOT / "docs" / "tutorials" / "after-the-demo.md"


def vitrail(directory: Path, *words: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "vitrail.cli", *words],
        cwd=directory, capture_output=True, text=True, timeout=900, check=False, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert run.returncode == 0, f"{shlex.join(words)}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    vitrail(tmp_path, "demo", "--dir", "demo", "--persons", "8000", "--no-open")
    followed = [words[1:] for words in commands(PAGE) if words[0] == "vitrail"]
    assert len(followed) > 8
    for words in followed:
        assert vitrail(tmp_path, *words).strip()
    assert "suppressed" in (tmp_path / "demo" / "report.html").read_text()
    assert list((tmp_path / "demo" / "sources").rglob("truth.json"))
