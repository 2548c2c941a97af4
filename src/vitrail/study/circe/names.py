"""Names that people gave in ATLAS, made to fit ours: at most 80 plain characters, each name once."""

import re
import unicodedata
from collections.abc import Container

from pydantic import TypeAdapter, ValidationError

from vitrail.study.cohort import ANY
from vitrail.study.word import Name

MAX_LENGTH = 80

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_UNFIT = re.compile(r"[^A-Za-z0-9 _.,:()/+%<>=≥≤'-]+")
_START = re.compile(r"^[^A-Za-z0-9]+")


def fitted(name: str | None, otherwise: str, taken: Container[str]) -> Name:
    """``name`` where it fits; else as much of it as does, or ``otherwise``, with a number where that is taken.

    Letters lose their accents; a run of other characters becomes a blank; what stands before the first letter or
    digit, and after 80 characters, is cut.
    """
    name = name or otherwise
    if _fits(name) and name not in taken:
        return name
    plain = unicodedata.normalize("NFKD", name[:1000])
    plain = _UNFIT.sub(" ", "".join(sign for sign in plain if not unicodedata.combining(sign)))
    plain = " ".join(_START.sub("", plain).split())[:MAX_LENGTH].strip() or otherwise
    return _numbered(plain, taken)


def _numbered(name: str, taken: Container[str]) -> str:
    """``name``, or the first of ``name (2)``, ``name (3)``, … that is not taken."""
    found, number = name, 1
    while found in taken or found == ANY:
        number += 1
        ending = f" ({number})"
        found = name[: MAX_LENGTH - len(ending)] + ending
    return found


def _fits(name: str) -> bool:
    try:
        return bool(_NAME.validate_python(name)) and name != ANY
    except ValidationError:
        return False
