"""Read a mapping file. Every error names the file, the line, what is wrong and what to write instead."""

import json
from collections.abc import Mapping as Dictionary
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vitrail.errors import Problem, SourceError
from vitrail.ingest.mapping import Mapping
from vitrail.study import strict_yaml
from vitrail.study.explain import explained
from vitrail.study.strict_yaml import MAX_BYTES, Node, YamlError

MOST_PROBLEMS = 10
BASED_ON = "based_on"
"""A mapping file may name another beside it, whose fields it takes over where it has none of its own."""


def read_mapping(path: Path) -> Mapping:
    """The mapping in the file at ``path``. Raises SourceError."""
    root = _tree(path)
    if isinstance(root.value, dict) and BASED_ON in root.value:
        root = _merged(path, root.value.pop(BASED_ON), root)
    return _validated(path, root)


def _tree(path: Path) -> Node:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read.", "Name a mapping file that you may read.") from error
    try:
        return strict_yaml.read(content)
    except YamlError as error:
        problems = error.problems
    raise _error(path, problems)


def _merged(path: Path, named: Node, root: Node) -> Node:
    """The tree with the fields of the file that it is based on; that one is a whole mapping by itself."""
    name = named.value
    if not isinstance(name, str) or "/" in name or "\\" in name or name in ("", ".", ".."):
        problem = named.place.problem("this is no file beside this one", "Write a file's name.", BASED_ON)
        raise _error(path, [problem])
    beside = path.parent / name
    base = _tree(beside)
    _validated(beside, base)
    if not isinstance(base.value, dict) or not isinstance(root.value, dict):
        raise _error(path, [root.place.problem("this is no mapping", "Write fields and their values.")])
    return Node(root.place, {**base.value, **root.value}, {**base.keys, **root.keys})


def _validated(path: Path, root: Node) -> Mapping:
    try:
        return Mapping.model_validate_json(json.dumps(root.plain))
    except ValidationError as error:
        problems = explained(error, _schema(), root, MOST_PROBLEMS)
    raise _error(path, problems)


@cache
def _schema() -> Dictionary[str, Any]:
    return Mapping.model_json_schema()


def _error(path: Path, problems: list[Problem]) -> SourceError:
    """The problems as one error; raised outside the handler, so that nothing of the file hangs on as its context."""
    if len(problems) == 1:
        return SourceError(f"{path}: {problems[0]}")
    return SourceError(f"{path} is wrong in {len(problems)} places.", "\n".join(["", *map(str, problems)]))
