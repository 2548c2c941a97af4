"""Files in YAML for people: a study, or a cohort with its concept sets, to the frozen words that machines agree on.

Every error names the place, says what is wrong and what to write instead, and holds no key and no value of the
file: those may be somebody's data that strayed there.
"""

import json
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from vitrail.errors import Problem, StudyFileError
from vitrail.study import strict_yaml
from vitrail.study.explain import Schema, explained, refusal
from vitrail.study.strict_yaml import MAX_BYTES, MOST_PROBLEMS, YamlError
from vitrail.study.study import Study
from vitrail.study.word import Word

W = TypeVar("W", bound=Word)


def read_study(path: Path) -> Study:
    """The study in the file at ``path``. Raises StudyFileError where there is none, StudyError where it is wrong."""
    return parse_study(content_of(path, MAX_BYTES, "study"))


def parse_study(content: bytes) -> Study:
    """The study that ``content`` says. Raises StudyError with its first few problems."""
    return parse_word(content, Study, "study")


def content_of(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file, no more than one beyond ``most``. Raises StudyFileError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        raise StudyFileError(f"{path} cannot be read.", f"Name a {what} file that you may read.") from error


def parse_word(content: bytes, word: type[W], what: str) -> W:
    """The word that ``content`` says in YAML, which the errors call ``what``. Raises StudyError."""
    parsed = _parsed(content, word)
    if isinstance(parsed, Word):
        return parsed
    raise refusal(tuple(parsed), what)  # here, so that nothing of the file hangs on as the error's context


def _parsed(content: bytes, word: type[W]) -> W | list[Problem]:
    try:
        root = strict_yaml.read(content)
    except YamlError as error:
        return error.problems
    try:
        return word.model_validate_json(json.dumps(root.plain))
    except ValidationError as error:
        return explained(error, _schema(word), root, MOST_PROBLEMS)


@cache
def _schema(word: type[Word]) -> Schema:
    return word.model_json_schema()
