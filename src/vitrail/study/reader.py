"""The study file: from YAML for people to the one frozen Study that machines agree on.

Every error names the place, says what is wrong and what to write instead, and holds no key and no value of the
file: those may be somebody's data that strayed there.
"""

import json
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from vitrail.errors import Problem, StudyFileError
from vitrail.study import strict_yaml
from vitrail.study.explain import Schema, explained, refusal
from vitrail.study.strict_yaml import MAX_BYTES, MOST_PROBLEMS, YamlError
from vitrail.study.study import Study


def read_study(path: Path) -> Study:
    """The study in the file at ``path``. Raises StudyFileError where there is none, StudyError where it is wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise StudyFileError(f"{path} cannot be read.", "Name a study file that you may read.") from error
    return parse_study(content)


def parse_study(content: bytes) -> Study:
    """The study that ``content`` says. Raises StudyError with its first few problems."""
    study = _parsed(content)
    if isinstance(study, Study):
        return study
    raise refusal(tuple(study), "study")  # here, so that nothing of the file hangs on as the error's context


def _parsed(content: bytes) -> Study | list[Problem]:
    try:
        root = strict_yaml.read(content)
    except YamlError as error:
        return error.problems
    try:
        return Study.model_validate_json(json.dumps(root.plain))
    except ValidationError as error:
        return explained(error, _schema(), root, MOST_PROBLEMS)


@cache
def _schema() -> Schema:
    return Study.model_json_schema()
