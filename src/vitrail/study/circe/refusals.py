"""Refusals while a definition is read: what it is, what to do, and the way to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from vitrail.errors import Problem
from vitrail.study.strict_yaml import Node, Place
from vitrail.study.word import Part


class Refused(Exception):
    """Something that is not answered: the way to it, what it is, and what to do."""

    def __init__(self, what: str, do: str, way: Part = ()) -> None:
        super().__init__(what)
        self.what, self.do, self.way = what, do, way


@contextmanager
def at(*way: str | int) -> Iterator[None]:
    """Whatever is refused inside is refused at this place."""
    try:
        yield
    except Refused as refused:
        raise Refused(refused.what, refused.do, (*way, *refused.way)) from None
    except ValidationError as error:
        # the texts of our own words' rules, which hold limits but no values
        what = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        what, _, do = what.partition("; ")
        raise Refused(f"{what[:1].lower()}{what[1:]}", f"{do[:1].upper()}{do[1:]}." if do else "", way) from None


def problem_of(refused: Refused, tree: Node) -> Problem:
    """The problem at its place in a file's tree."""
    place, way, node = tree.place, "", tree
    for step in refused.way:
        value = node.value
        inside = value.get(str(step)) if isinstance(value, dict) else None
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            inside = value[step]
        way += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if way else step
        if inside is not None:
            place, node = inside.place, inside
    return place.problem(refused.what, refused.do, way)


def tree_of(data: object) -> Node:
    """A tree of data that stand in no file."""
    place = Place(1, 1)
    if isinstance(data, dict):
        return Node(place, {key: tree_of(value) for key, value in data.items()}, dict.fromkeys(data, place))
    if isinstance(data, list):
        return Node(place, [tree_of(value) for value in data], {})
    return Node(place, None, {})
