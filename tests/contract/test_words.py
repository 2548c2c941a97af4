"""Canonical JSON leaves out what is not given, so every word must be readable without it."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import NoneType
from typing import get_args

import vitrail
from vitrail.study.word import Word

for module in pkgutil.walk_packages(vitrail.__path__, "vitrail."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def words(word: type[Word] = Word) -> Iterator[type[Word]]:
    for each in word.__subclasses__():
        yield each
        yield from words(each)


def test_what_may_be_none_may_be_left_out() -> None:
    found = list(words())
    assert len(found) > 40
    lacking = [
        f"{word.__name__}.{name}"
        for word in found
        for name, field in word.model_fields.items()
        if NoneType in get_args(field.annotation) and field.is_required()
    ]
    assert lacking == []
