"""JSON as FHIR has it, strictly: no key twice, no NaN, no number without end, no half of a character.

The standard library's parser is used: it refuses what is nested deeper than Python calls go, and a faulty object does
not hide where it ends, so that the next one of a bundle can still be read.
"""

import json
import math
import re
from collections.abc import Generator, Iterator
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")

BROKEN = "is no JSON"
TWICE = "has a key twice"
NO_NUMBER = "has a number that is none"
NO_TEXT = "has half of a character, or one that is none"
TOO_DEEP = "is nested too deep"
MODIFIED = "has a modifierExtension, which must not be overlooked"
"""https://hl7.org/fhir/R4/extensibility.html#modifierExtension: who does not know it must not read on."""


class BrokenJson(Exception):
    """The text cannot be read any further; ``reason`` is constant."""

    def __init__(self, reason: str = BROKEN) -> None:
        super().__init__(reason)
        self.reason = reason


class StrictJson:
    """A parser that remembers the first fault of a value whose end it found."""

    def __init__(self) -> None:
        self._fault: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._float
        )

    def value_at(self, text: str, start: int) -> tuple[Any, int, str | None]:
        """The value that begins at ``start``, where it ends, and what is wrong with it. Raises BrokenJson."""
        self._fault = None
        try:
            value, end = self._decoder.raw_decode(text, _after_space(text, start))
        except RecursionError as error:
            raise BrokenJson(TOO_DEEP) from error
        except ValueError as error:
            raise BrokenJson from error
        if self._fault is None and text.find("\\u", start, end) >= 0:
            self._fault = _judged(value)
        return value, end, self._fault

    def value(self, text: str) -> tuple[Any, str | None]:
        """The only value of a text, and what is wrong with it. Raises BrokenJson."""
        value, end, fault = self.value_at(text, 0)
        if _after_space(text, end) != len(text):
            raise BrokenJson
        return value, fault

    def members(self, text: str) -> Iterator[tuple[str, Any, str | None]]:
        """The members of the one object that ``text`` is, with what is wrong with each.

        Those of an array come one by one, each under the array's name. Raises BrokenJson where the text breaks off,
        after what stands before that.
        """
        names: set[str] = set()
        place = _expected(text, 0, "{")
        while not _stands(text, place, "}"):
            name, place, _ = self.value_at(text, _expected(text, place, ",") if names else place)
            if not isinstance(name, str) or name in names:
                raise BrokenJson(TWICE if name in names else BROKEN)
            names.add(name)
            place = _expected(text, place, ":")
            if _stands(text, place, "["):
                place = yield from self._elements(text, place, name)
            else:
                value, place, fault = self.value_at(text, place)
                yield name, value, fault
        if _after_space(text, _expected(text, place, "}")) != len(text):
            raise BrokenJson

    def _elements(self, text: str, place: int, name: str) -> Generator[tuple[str, Any, str | None], None, int]:
        place, first = _expected(text, place, "["), True
        while not _stands(text, place, "]"):
            value, place, fault = self.value_at(text, place if first else _expected(text, place, ","))
            first = False
            yield name, value, fault
        return _expected(text, place, "]")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            self._fault = self._fault or TWICE
        if "modifierExtension" in members:
            self._fault = self._fault or MODIFIED
        return members

    def _constant(self, _: str) -> None:
        self._fault = self._fault or NO_NUMBER

    def _float(self, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            self._fault = self._fault or NO_NUMBER
        return number


def _judged(value: Any) -> str | None:
    """What is wrong with texts that were written with escapes: only those can hold what UTF-8 cannot, or a NUL."""
    try:
        written = json.dumps(value, ensure_ascii=False)
        written.encode()
    except UnicodeEncodeError:
        return NO_TEXT
    except RecursionError:
        return TOO_DEEP
    return NO_TEXT if "\\u0000" in written else None


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _stands(text: str, place: int, sign: str) -> bool:
    return text.startswith(sign, _after_space(text, place))


def _expected(text: str, place: int, sign: str) -> int:
    if not _stands(text, place, sign):
        raise BrokenJson
    return _after_space(text, place) + 1
