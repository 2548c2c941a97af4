"""JSON text, read strictly: bounded in size and depth, no key twice, no NaN; and where in it something stands."""

import json
import re
from collections.abc import Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from vitrail.errors import Problem
from vitrail.study.strict_yaml import Node, Place
from vitrail.study.word import Part

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
"""How deep objects and lists may lie in each other."""

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


_START = Place(1, 1)


class JsonError(Exception):
    """Bytes that this module does not read; ``problem`` says why."""

    def __init__(self, what: str, do: str, place: Place = _START) -> None:
        super().__init__(what)
        self.problem: Problem = place.problem(what, do)


def decoded(content: bytes) -> str:
    """The text in ``content``. JsonError where it is too long or not UTF-8."""
    if len(content) > MAX_BYTES:
        raise JsonError("the file is larger than 16 MiB", "Write less.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JsonError("the file is not UTF-8", "Save it as UTF-8.") from None


def parsed(text: str) -> Any:
    """The data in ``text``. JsonError where it is no JSON, repeats a key, or is nested too deep."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise JsonError("this is not JSON", "Write RFC 8259 JSON, as ATLAS exports it.", place) from None
    except RecursionError:
        raise JsonError("objects lie too deep in each other", f"Nest at most {MAX_DEPTH} deep.") from None
    except ValueError:
        raise JsonError("a number is too long to be one", "Write a shorter number.") from None
    bounded(data)
    return data


def bounded(data: Any) -> None:
    """JsonError where ``data`` is nested deeper than :data:`MAX_DEPTH`."""
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise JsonError("objects lie too deep in each other", f"Nest at most {MAX_DEPTH} deep.")
        inside = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [part for each in inside for part in each if isinstance(part, dict | list)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonError("a field stands twice in one object", "Write each field once.")
    return result


def _no_constant(_: str) -> float:
    raise JsonError("a number is not finite", "Write finite numbers.")


def tree(text: str, ways: Sequence[Part]) -> Node:
    """The values in ``text`` along ``ways`` with their places; whatever lies beside the ways is left as null."""
    start = _after_blank(text, 0)
    return _node(text, start, ways)[0]


def _node(text: str, at: int, ways: Sequence[Part]) -> tuple[Node, int]:
    """The value that begins at ``at``, and where it ends."""
    opening = text[at]
    if not ways or opening not in "{[":
        return Node(_place(text, at), None, {}), _DECODER.raw_decode(text, at)[1]
    return (_mapping if opening == "{" else _list)(text, at, ways)


def _mapping(text: str, at: int, ways: Sequence[Part]) -> tuple[Node, int]:
    value: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    place, at = _place(text, at), _after_blank(text, at + 1)
    while text[at] == '"':
        key, end = scanstring(text, at + 1, True)
        keys[key] = _place(text, at)
        start = _after_blank(text, _after_blank(text, end) + 1)
        value[key], end = _node(text, start, [way[1:] for way in ways if way and way[0] == key])
        at = _after_comma(text, end)
    return Node(place, value, keys), at + 1


def _list(text: str, at: int, ways: Sequence[Part]) -> tuple[Node, int]:
    place, at = _place(text, at), _after_blank(text, at + 1)
    value: list[Node] = []
    beside = Node(place, None, {})
    while text[at] != "]":
        onward = [way[1:] for way in ways if way and way[0] == len(value)]
        node, end = _node(text, at, onward) if onward else (beside, _DECODER.raw_decode(text, at)[1])
        value.append(node)
        at = _after_comma(text, end)
    return Node(place, value, {}), at + 1


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _after_comma(text: str, at: int) -> int:
    at = _after_blank(text, at)
    return _after_blank(text, at + 1) if text[at] == "," else at


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
