"""YAML for people, read strictly: plain data only, and every value knows the place where it stands.

One document in UTF-8, bounded in size, depth and number of values. No anchors, aliases, tags or merge keys; no key
twice; no number that JSON cannot hold exactly. Plain scalars mean what the YAML 1.2 core schema says
(https://yaml.org/spec/1.2.2/#103-core-schema): ``yes``, ``on``, ``12:30`` and ``2024-01-31`` are text. Keys are text
whatever they look like.

libyaml's event stream is read in a loop, so that no nesting can exhaust the stack, and stops at the first bound.
"""

import math
import re
from itertools import islice
from typing import NamedTuple

import yaml

from vitrail.errors import Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 100_000
MOST_PROBLEMS = 10
"""How many problems are told at once."""
MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader holds exactly (RFC 7493, section 2.2)."""

Scalar = str | int | float | bool | None


class Place(NamedTuple):
    """Where something stands in a file; both count from 1."""

    line: int
    column: int

    def problem(self, what: str, do: str, field: str = "") -> Problem:
        """A problem here: ``what`` without a full stop, ``do`` with one."""
        return Problem(self.line, self.column, field, what, do)


class Node(NamedTuple):
    """A value and its place: a scalar, a list, or a mapping, whose keys have places of their own."""

    place: Place
    value: "Scalar | list[Node] | dict[str, Node]"
    keys: dict[str, Place]

    @property
    def plain(self) -> object:
        """The value without its places: JSON data. At most :data:`MAX_DEPTH` deep."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value


class YamlError(Exception):
    """A file that is not what this module reads; ``problems`` in the order of the file, at least one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].what)
        self.problems = problems


def read(content: bytes) -> Node:
    """The one document in ``content``. Raises YamlError with every problem up to the first that ends the reading."""
    text = _decoded(content)
    builder = _Builder()
    try:
        for event in islice(yaml.parse(text, Loader=yaml.CSafeLoader), MAX_VALUES):
            builder.take(event)
        problem = None if builder.ended else builder.place.problem("the file holds too many values", "Write less.")
    except yaml.YAMLError as error:
        problem = _syntax(error)
    except _Stop as stop:
        problem = stop.problem
    problems = builder.problems + ([problem] if problem else [])
    if problems:
        raise YamlError(problems)
    return builder.document


def _decoded(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise YamlError([Place(1, 1).problem("the file is larger than 1 MiB", "Write less.")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(content[: error.start].decode("utf-8-sig", errors="replace"))
        raise YamlError([place.problem("the file is not UTF-8", "Save it as UTF-8.")]) from None
    control = _CONTROL.search(text)
    if control:
        place = _place(text[: control.start()])
        raise YamlError([place.problem("a control character stands here", "Remove it; indent by spaces.")])
    return text


_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 (section 5.1) does not allow in a file, and the byte order mark."""


def _place(before: str) -> Place:
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


_SYNTAX = {
    "mapping values are not allowed in this context": (
        "a colon stands where none can",
        "Put text that contains a colon in quotes, and each field on a line of its own.",
    ),
    "found character that cannot start any token": (
        "a character stands here that cannot begin a value",
        "Indent by spaces, not tabs, and put text that begins with a sign in quotes.",
    ),
    "could not find expected ':'": ("a field has no colon", "Write a colon and a space after the field's name."),
    "did not find expected key": (
        "a line does not fit the lines above it",
        "Indent the fields of one part alike, and put text with special signs in quotes.",
    ),
    "did not find expected '-' indicator": ("a line of a list does not begin with a dash", "Begin it with a dash."),
    "did not find expected ',' or ']'": ("a list is not closed", "Separate by commas and close with a bracket."),
    "did not find expected ',' or '}'": ("a mapping is not closed", "Separate by commas and close with a brace."),
    "found unexpected end of stream": ("the file ends inside a quoted text", "Close the quotes."),
    "found undefined alias": ("an alias stands here", "Write the value out."),
}
"""libyaml's own words for what it met, in the words of the people who write these files."""


def _syntax(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    fallback = ("this is not YAML", "Indent by spaces and put text with special signs in quotes.")
    what, do = _SYNTAX.get(str(getattr(error, "problem", "")), fallback)
    return place.problem(what, do)


class _Stop(Exception):
    """A problem after which reading on makes no sense."""

    def __init__(self, place: Place, what: str, do: str) -> None:
        super().__init__(what)
        self.problem = place.problem(what, do)


class _Builder:
    """Makes one tree of nodes from a stream of events; ``open`` are the collections not yet closed."""

    def __init__(self) -> None:
        self.place = Place(1, 1)
        self.problems: list[Problem] = []
        self.ended = False
        self._open: list[Node] = []
        self._key: list[str | None] = []
        self._documents: list[Node] = []

    @property
    def document(self) -> Node:
        """The tree."""
        return self._documents[0]

    def take(self, event: yaml.Event) -> None:
        """Add what ``event`` says."""
        mark = event.start_mark
        self.place = Place(mark.line + 1, mark.column + 1) if mark else self.place
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias()
        elif isinstance(event, yaml.DocumentStartEvent) and self._documents:
            raise _Stop(self.place, "a second document begins here", "Write one document in one file.")
        elif isinstance(event, yaml.StreamEndEvent):
            self._finish()

    def _finish(self) -> None:
        if not self._documents:
            raise _Stop(Place(1, 1), "the file is empty", "Write what it should say.")
        self.ended = True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._plain_only(event)
        if self._awaits_key:
            self._take_key(event)
        else:
            self._add(Node(self.place, self._resolved(event), {}))

    @property
    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._key[-1] is None

    def _plain_only(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._problem("an anchor stands here", "Remove it, and write the value out wherever it is wanted.")
        if event.tag is not None:
            self._problem("a tag stands here", "Remove it; put text that begins with an exclamation mark in quotes.")

    def _problem(self, what: str, do: str) -> None:
        if len(self.problems) + 1 == MOST_PROBLEMS:
            raise _Stop(self.place, what, do)
        self.problems.append(self.place.problem(what, do))

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        mapping, key = self._open[-1], event.value
        if key == "<<" and event.implicit[0]:
            self._problem("a merge key stands here", "Write the fields out.")
        if key in mapping.keys:
            first = mapping.keys[key].line
            self._problem(f"this field stands here twice, first on line {first}", "Keep one of the two.")
        mapping.keys.setdefault(key, self.place)
        self._key[-1] = key

    def _resolved(self, event: yaml.ScalarEvent) -> Scalar:
        if not event.implicit[0]:
            return str(event.value)
        try:
            return _core(event.value)
        except _NoNumberError:
            self._problem(
                "this number is not finite, or an integer of more than 15 digits",
                "Write a smaller one, or put it in quotes where it is text.",
            )
            return None

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._plain_only(event)
        if self._awaits_key:
            raise _Stop(self.place, "a list or mapping stands in the place of a field's name", "Write a name.")
        if len(self._open) == MAX_DEPTH:
            raise _Stop(self.place, f"this is nested more than {MAX_DEPTH} deep", "Write it flatter.")
        self._open.append(Node(self.place, {} if isinstance(event, yaml.MappingStartEvent) else [], {}))
        self._key.append(None)

    def _end(self) -> None:
        self._key.pop()
        self._add(self._open.pop())

    def _alias(self) -> None:
        self._problem("an alias stands here", "Write the value out.")
        if self._awaits_key:
            raise _Stop(self.place, "an alias stands in the place of a field's name", "Write a name.")
        self._add(Node(self.place, None, {}))

    def _add(self, node: Node) -> None:
        if not self._open:
            self._documents.append(node)
            return
        parent, key = self._open[-1].value, self._key[-1]
        if isinstance(parent, list):
            parent.append(node)
        elif isinstance(parent, dict) and key is not None:
            parent.setdefault(key, node)
            self._key[-1] = None


class _NoNumberError(Exception):
    """A plain scalar that is a number, but none that canonical JSON can hold."""


_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def _core(text: str) -> Scalar:
    """What a plain scalar means. Raises _NoNumberError."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        raise _NoNumberError
    return text


def _integer(text: str) -> int:
    if len(text) > 20:  # long before it costs anything to read
        raise _NoNumberError
    number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if abs(number) > MAX_INTEGER:
        raise _NoNumberError
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NoNumberError
    return number
