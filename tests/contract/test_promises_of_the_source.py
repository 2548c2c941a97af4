"""What the source promises as a whole, read from the source itself."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import vitrail
from vitrail.errors import VitrailError

HOSTS = ("pypi" + ".org", "python" + "hosted", "conda" + ".io", "ana" + "conda.org", "npm" + "js")
PATHS = ("/wo" + "rk/", "/t" + "mp/", "/ro" + "ot/", "/ho" + "me/", "/U" + "sers/")
OTHERS = ("sub" + "agent", "helper " + "session", "lang" + "uage model", "chat" + "bot")
LEFT = ("TO" + "DO", "FIX" + "ME", "HA" + "CK")


def modules() -> list[str]:
    named = (each.name for each in pkgutil.walk_packages(vitrail.__path__, "vitrail."))
    return [name for name in named if not name.endswith("__main__")]


def sources(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((root / "src").rglob("*.py")):
        yield path.relative_to(root / "src" / "vitrail"), ast.parse(path.read_text())


def called(node: ast.AST) -> str:
    """The last name of what a call calls; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def test_every_error_is_a_vitrail_error_or_stays_in_its_module() -> None:
    strays = []
    for name in modules():
        for found in vars(importlib.import_module(name)).values():
            is_error = inspect.isclass(found) and issubclass(found, Exception) and found.__module__ == name
            if is_error and not issubclass(found, VitrailError) and not found.__name__.startswith("_"):
                strays.append(f"{name}.{found.__name__}")
    assert strays == [
        "vitrail.ingest.fhir_elements.Unfit",  # its reader quarantines the resource
        "vitrail.ingest.fhir_json.BrokenJson",  # its reader quarantines the line
        "vitrail.study.circe.limits.Unsaid",  # its writer turns it into a StudyError
        "vitrail.study.circe.refusals.Refused",  # its reader and its writer turn it into a StudyError
        "vitrail.study.circe.text.JsonError",  # its reader turns it into a StudyError
        "vitrail.study.strict_yaml.YamlError",  # the readers turn it into their own
        "vitrail.study.word.PartError",  # pydantic takes only ValueError from a validator
    ]


def test_only_the_gate_makes_a_release(root: Path) -> None:
    makers = {str(path) for path, tree in sources(root) for node in ast.walk(tree) if called(node) == "Release"}
    assert makers == {"disclosure/gate.py"}


def test_no_word_is_made_without_validation(root: Path) -> None:
    assert not [path for path, tree in sources(root) for node in ast.walk(tree) if called(node) == "model_construct"]


def test_no_assert_guards_anything(root: Path) -> None:
    assert not [path for path, tree in sources(root) for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_nothing_unpickles_or_evaluates(root: Path) -> None:
    assert not [path for path, tree in sources(root) for node in ast.walk(tree)
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("eval", "exec")]  # fmt: skip
    imported = {alias.name for _, tree in sources(root) for node in ast.walk(tree) if isinstance(node, ast.Import)
                for alias in node.names}  # fmt: skip
    assert not imported & {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


def test_what_a_study_says_of_itself_is_constant(root: Path) -> None:
    """A validator's text reaches people as it is, so no text of a file may be in it."""
    for path, tree in sources(root):
        for node in ast.walk(tree):
            if path.parts[0] == "study" and called(node) == "ValueError":
                (text,) = node.args
                names = {each.id for each in ast.walk(text) if isinstance(each, ast.Name)}
                told = {"reason"} if path.name == "values.py" else set()  # it stands in study/circe/table.py
                assert all(name.isupper() for name in names - told), f"{path}:{node.lineno} {names}"
                assert "; " in ast.unparse(text), f"{path}:{node.lineno} does not say what to write instead"


def tracked(root: Path) -> list[Path]:
    """The files of the project: what git knows, or where there is no git, what is not made by `make`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]
    made = {"demo", "var", "build", "dist", "__pycache__"}
    paths = (path for path in root.rglob("*") if path.is_file())
    parts = ((path, set(path.relative_to(root).parts)) for path in paths)
    return [path for path, names in parts if not names & made and not any(each.startswith(".") for each in names)]


def test_the_project_speaks_of_itself_alone(root: Path) -> None:
    pattern = re.compile("|".join(map(re.escape, (*HOSTS, *PATHS, *OTHERS))) + rf"|\b(?:{'|'.join(LEFT)})\b", re.I)
    found = []
    for path in tracked(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(root)}:{number}")
    assert not found


def test_no_data_set_is_in_the_project(root: Path) -> None:
    large = {
        str(path.relative_to(root)): path.stat().st_size for path in tracked(root) if path.stat().st_size > 300_000
    }
    assert not large


def test_every_error_says_what_to_do(root: Path) -> None:
    """A VitrailError that is raised has both sentences; one of them alone leaves people stuck."""
    kinds = {name for name, kind in vars(importlib.import_module("vitrail.errors")).items()
             if inspect.isclass(kind) and issubclass(kind, VitrailError)} - set(vars(builtins))  # fmt: skip
    lonely = []
    for path, tree in sources(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc and called(node.exc) in kinds:
                needed = 3 if called(node.exc) == "Refusal" else 2
                given = len(node.exc.args) + len(node.exc.keywords)
                starred = any(isinstance(each, ast.Starred) for each in node.exc.args)
                if given < needed and not starred:
                    lonely.append(f"{path}:{node.lineno}")
    assert not lonely
