"""`vitrail study check`, as a script meets it."""

import json
import subprocess
import sys
from pathlib import Path

from vitrail.study.calendar import calendar_aloud
from vitrail.study.reader import read_study

SECRET = "Zq17Kv"


def check(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitrail.cli", "study", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def studies(root: Path) -> list[Path]:
    return sorted((root / "studies").glob("*/study.yaml"))


def test_the_example_studies_are_good(root: Path) -> None:
    for path in studies(root):
        run = check(path)
        assert (run.returncode, run.stderr) == (0, "")
        study = read_study(path)
        assert run.stdout.startswith(f"{study.title}\n{study.id}\n")
        for paragraph in (*study.aloud(), calendar_aloud(study)):
            assert paragraph in run.stdout


def test_json_says_the_same(root: Path) -> None:
    for path in studies(root):
        study, said = read_study(path), json.loads(check(path, "--json").stdout)
        assert said == {
            "id": study.id, "title": study.title, "purpose": study.purpose, "asks": list(study.aloud()),
            "calendar": "true" if path.parent.name == "early-ckd" else "none",
            "warnings": [],
        }  # fmt: skip


def test_a_wrong_study_is_a_no(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(f"vitrail: study/1\n{SECRET}: 1\ntitle: [{SECRET}]\n")
    run = check(file)
    assert (run.returncode, run.stdout) == (1, "")
    assert "Line 2, column 1: this field is not known here." in run.stderr
    assert SECRET not in run.stderr
    assert "Traceback" not in run.stderr
    as_json = check(file, "--json")
    assert as_json.returncode == 1
    assert {(2, 1), (3, 8)} <= {(each["line"], each["column"]) for each in json.loads(as_json.stdout)["problems"]}
    assert SECRET not in as_json.stdout


def test_a_file_that_cannot_be_read_is_a_wrong_call(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        run = check(path)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.strip().endswith("Name a study file that you may read.")
