"""Circe's JSON, from a file or as data: a definition, or every problem with its place."""

from collections.abc import Callable, Sequence
from functools import cache

from pydantic import BaseModel, ValidationError

from vitrail.errors import Problem
from vitrail.study.circe import model
from vitrail.study.circe.meaning import Notes, definition, unheard
from vitrail.study.circe.refusals import Refused, at, problem_of, tree_of
from vitrail.study.circe.text import JsonError, bounded, decoded, parsed, tree
from vitrail.study.definition import Definition
from vitrail.study.explain import Schema, explained, refusal
from vitrail.study.strict_yaml import MOST_PROBLEMS, Node
from vitrail.study.word import Part


def parse_circe(content: bytes, id: str, notes: Notes = unheard) -> Definition:
    """The definition in the bytes of a file, called ``id``. StudyError where it is wrong or cannot be answered."""
    try:
        text = decoded(content)
        data = parsed(text)
    except JsonError as error:
        problem = error.problem
    else:
        found = _read(data, id, lambda ways: tree(text, ways), notes)
        if isinstance(found, Definition):
            return found
        raise refusal(tuple(found), "definition")
    raise refusal((problem,), "definition")


def read_circe(data: object, id: str, notes: Notes = unheard) -> Definition:
    """The definition in JSON data, called ``id``: as ATLAS exports it, or as WebAPI gives it.

    StudyError where it is wrong or asks what cannot be answered; places count as if all stood in one line.
    """
    try:
        bounded(data)
    except JsonError as error:
        raise refusal((error.problem,), "definition") from None
    found = _read(data, id, lambda _: tree_of(data), notes)
    if isinstance(found, Definition):
        return found
    raise refusal(tuple(found), "definition")


def _read(data: object, id: str, places: Callable[[Sequence[Part]], Node], notes: Notes) -> Definition | list[Problem]:
    saved = isinstance(data, dict) and "expression" in data and "PrimaryCriteria" not in data
    root: type[BaseModel] = model.Saved if saved else model.Expression
    try:
        said = root.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MOST_PROBLEMS]
        ways = [_plain(detail["loc"]) for detail in details]
        return explained(error, _schema(root), places(ways), MOST_PROBLEMS, naming=True)
    try:
        with at(*(("expression",) if saved else ())):
            expression = said.expression if isinstance(said, model.Saved) else said
            return definition(expression, id, notes)  # type: ignore[arg-type]
    except Refused as refused:
        return [problem_of(refused, places([refused.way]))]


@cache
def _schema(root: type[BaseModel]) -> Schema:
    return root.model_json_schema(by_alias=True)


def _plain(loc: Sequence[str | int]) -> Part:
    """A way of pydantic's without its own marks."""
    return tuple(step for step in loc if isinstance(step, int) or not step.startswith(("function-", "[")))
