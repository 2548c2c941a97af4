"""What is wrong with a file, in words of the schema: where, what, and what to write instead.

A pydantic error says where by field names and keys. Here the way is walked again, through the model's JSON schema
and through the file's tree, so that the place is a line and a column, and what to write comes from the schema itself.
No key and no value of the file is in what comes out.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vitrail.errors import Problem, StudyError
from vitrail.study.strict_yaml import MOST_PROBLEMS, Node, Place
from vitrail.study.word import Name, PartError

Schema = Mapping[str, Any]

_NAME: Schema = TypeAdapter(Name).json_schema()
_KIND = "kind"
"""The field that says which of several words is meant."""

_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)

_WHAT = {
    "missing": "this field is missing",
    "extra_forbidden": "this field is not known here",
    "too_short": "this holds too few",
    "too_long": "this holds too many",
    "union_tag_not_found": "this field is missing",
    "greater_than": "this number is too small",
    "greater_than_equal": "this number is too small",
    "less_than": "this number is too large",
    "less_than_equal": "this number is too large",
}
"""What is wrong, by pydantic's name for it; anything else is something that does not fit."""


def explained(error: ValidationError, schema: Schema, root: Node, most: int, *, naming: bool = False) -> list[Problem]:
    """At most ``most`` of the problems in ``error``, in the order of the file.

    ``schema`` is the model's JSON schema and ``root`` the tree of the file that did not fit it. ``naming`` says an
    unknown field's name where it is one that a program would write: letters alone.
    """
    start = _Spot(schema, root, root.place, definitions=schema.get("$defs", {}), naming=naming)
    details = error.errors(include_url=False, include_input=False)[:most]
    problems = [problem for detail in details for problem in _problems(detail, start, most)]
    return sorted(problems, key=lambda each: (each.line, each.column))[:most]


def refusal(problems: tuple[Problem, ...], what: str) -> StudyError:
    """The error of a file that is ``what`` it calls itself, but for these problems."""
    if len(problems) == 1:
        return StudyError(str(problems[0]), problems=problems)
    count = f"at least {MOST_PROBLEMS}" if len(problems) == MOST_PROBLEMS else len(problems)
    return StudyError(f"The {what} is wrong in {count} places.", "\n".join(["", *map(str, problems)]), problems)


def _problems(detail: Mapping[str, Any], start: "_Spot", most: int) -> list[Problem]:
    loc, kind = detail["loc"], detail["type"]
    if kind == "value_error":
        return _own(detail["ctx"]["error"], start.at(loc), most)
    if kind.startswith("union_tag"):
        loc = (*loc, _KIND)
    is_key = kind.startswith("string_") and loc[-1] == "[key]"
    if is_key:
        spot = start.at(loc[:-1]).named
        return [spot.problem("this name does not fit", spot.wanted)]
    spot = start.at(loc)
    if spot.beside or (kind == "too_short" and spot.filled):
        return []
    what = _WHAT.get(kind, "what stands here does not fit")
    if spot.naming and spot.unknown and _PLAIN_NAME.fullmatch(spot.unknown):
        what = f"the field {spot.unknown} is not known here"
    return [spot.problem(what, spot.wanted)]


def _own(error: ValueError, spot: "_Spot", most: int) -> list[Problem]:
    """What our own validators found, in constant texts: ``what; what to write instead``."""
    problems = error.problems if isinstance(error, PartError) else (((), str(error)),)
    found = []
    for part, text in problems[:most]:
        what, _, do = text.partition("; ")
        found.append(spot.at(part).problem(what, f"{do[:1].upper()}{do[1:]}."))
    return found


@dataclass(frozen=True)
class _Spot:
    """A place in the file and what the schema wants there; ``node`` is None where the file has nothing."""

    schema: Schema
    node: Node | None
    place: Place
    way: str = ""
    key: Place | None = None
    unknown: str | None = None
    definitions: Schema = field(default_factory=dict, repr=False)
    naming: bool = False
    beside: bool = False
    """Whether this is about a branch of a choice that the file does not take."""

    def at(self, loc: Sequence[str | int]) -> "_Spot":
        """The place that ``loc`` leads to from here, as far as the schema goes."""
        spot = self
        for step in loc:
            spot = spot._step(step)
        return spot

    @property
    def named(self) -> "_Spot":
        """The key of this place instead of its value."""
        return replace(self, schema=_NAME, place=self.key or self.place)

    @property
    def filled(self) -> bool:
        """Whether the list here is long enough: pydantic calls one too short whose parts do not fit."""
        value = self.node.value if self.node else None
        least = _resolved(self.schema, self.definitions).get("minItems", 0)
        return isinstance(value, list) and len(value) >= least

    @property
    def wanted(self) -> str:
        """What to write here, in a sentence or two."""
        if self.unknown is None:
            return f"Write {_described(self.schema, self.definitions)}."
        fields = sorted(_resolved(self.schema, self.definitions)["properties"])
        near = difflib.get_close_matches(self.unknown[:80], fields, n=1)
        meant = f"Is it {near[0]}? " if near else ""
        return f"{meant}The fields here are {', '.join(fields)}."

    def problem(self, what: str, do: str) -> Problem:
        """A problem at this place."""
        return self.place.problem(what, do, self.way)

    def _step(self, step: str | int) -> "_Spot":
        branches = [each for each in self.schema.get("anyOf", ()) if each.get("type") != "null"]
        if len(branches) > 1 and isinstance(step, str):
            return self._branch(branches, step)
        schema = _resolved(self.schema, self.definitions)
        if "discriminator" in schema:
            return self._kind(schema["discriminator"]["mapping"], str(step))
        if "properties" in schema:
            return self._field(schema["properties"], str(step))
        if "patternProperties" in schema:
            (inner,) = schema["patternProperties"].values()
            return self._child(inner, str(step), f"[{self._ordinal(str(step))}]")
        if isinstance(step, int) and "prefixItems" in schema:
            return self._child(schema["prefixItems"][min(step, len(schema["prefixItems"]) - 1)], step, f"[{step + 1}]")
        return self._child(schema.get("items", {}), step, f"[{step + 1}]") if isinstance(step, int) else self

    def _branch(self, branches: Sequence[Schema], step: str) -> "_Spot":
        """The branch that the file takes: a word where it has a mapping. pydantic tells what is wrong in each."""
        words = [each["$ref"].rpartition("/")[2] for each in branches if "$ref" in each]
        mapping = isinstance(self.node.value, dict) if self.node else False
        taken = [each for each in branches if ("$ref" in each) == mapping] or list(branches)
        # a word with a validator is called "function-after[_validator(), Word]" on pydantic's way
        word = any(step.removesuffix("]").endswith(each) for each in words)
        return replace(self, schema=taken[0], beside=self.beside or word != mapping)

    def _kind(self, mapping: Mapping[str, str], step: str) -> "_Spot":
        if step == _KIND:
            return self._child({"enum": list(mapping)}, step, f".{_KIND}")
        if step in mapping:  # pydantic says on its way which kind it took
            return replace(self, schema={"$ref": mapping[step]})
        kind = _inside(self.node, _KIND)
        return replace(self, schema={"$ref": mapping[str(kind and kind.value)]})._step(step)

    def _field(self, properties: Schema, step: str) -> "_Spot":
        if step in properties:
            return self._child(properties[step], step, f".{step}" if self.way else step)
        keys = self.node.keys if self.node else {}
        return replace(self, place=keys.get(step, self.place), unknown=step)

    def _child(self, schema: Schema, step: str | int, way: str) -> "_Spot":
        node = _inside(self.node, step)
        keys = self.node.keys if self.node else {}
        key = keys.get(step) if isinstance(step, str) else None
        place = node.place if node else self.place
        return replace(self, schema=schema, node=node, place=place, way=self.way + way, key=key)

    def _ordinal(self, key: str) -> int:
        keys = list(self.node.keys) if self.node else []
        return keys.index(key) + 1 if key in keys else 0


def _inside(node: Node | None, step: str | int) -> Node | None:
    value = node.value if node else None
    found: Node | None = None
    if isinstance(value, dict):
        found = value.get(str(step))
    elif isinstance(value, list) and isinstance(step, int) and step < len(value):
        found = value[step]
    return found


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema itself, behind references and ``or null``."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
    return schema


def _described(schema: Schema, definitions: Schema) -> str:
    """What fits a schema, in words."""
    or_null = ", or null" if any(each.get("type") == "null" for each in schema.get("anyOf", ())) else ""
    schema = _resolved(schema, definitions)
    if "description" in schema and "properties" not in schema:
        return str(schema["description"]) + or_null
    if "const" in schema:
        return _word(schema["const"]) + or_null
    if "enum" in schema:
        return f"one of {', '.join(map(_word, schema['enum']))}{or_null}"
    return _DESCRIBED.get(schema.get("type", "object"), _mapping)(schema, definitions) + or_null


def _word(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(schema: Schema, _: Schema) -> str:
    bounds = [
        f"{words} {schema[name]:,}"
        for name, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if name in schema
    ]
    return " ".join(["a whole number" if schema["type"] == "integer" else "a number", " and ".join(bounds)]).strip()


def _list(schema: Schema, definitions: Schema) -> str:
    if "prefixItems" in schema:
        parts = [_described(each, definitions) for each in schema["prefixItems"]]
        return f"a list of {len(parts)}: {'; '.join(parts)}"
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    bounds = f" of {least} to {most:,}" if most else f" of at least {least}" if least else ""
    inner = _resolved(schema.get("items", {}), definitions)
    each = "a mapping" if "properties" in inner or "oneOf" in inner else _described(inner, definitions)
    return f"a list{bounds}, each {each}"


def _mapping(schema: Schema, _: Schema) -> str:
    if "properties" in schema:
        needed = [name for name in schema["properties"] if name in schema.get("required", ())]
        others = [name for name in schema["properties"] if name not in needed]
        needs = f" with {', '.join(needed)}" if needed else ""
        may = f"{'; it may have' if needed else ' with any of'} {', '.join(others)}" if others else ""
        return f"a mapping{needs}{may}"
    if "discriminator" in schema:
        return f"a mapping with {_KIND}: one of {', '.join(schema['discriminator']['mapping'])}"
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", "any number")
    return f"a mapping of {least} to {most} names to what they mean"


_DESCRIBED = {
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: "true or false",
    "string": lambda *_: "text",
    "array": _list,
    "object": _mapping,
}
