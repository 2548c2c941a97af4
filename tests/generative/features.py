"""What a cohort may say, read off the words themselves, and what one does say: for proof that everything was tried."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from vitrail.study.attributes import ANYWHERE, ATTRIBUTES, COUNTED, DOMAINS
from vitrail.study.cohort import Cohort, EntryEvent, Event, Rule
from vitrail.study.concepts import ConceptSet
from vitrail.study.word import Word


def said(word: Word, depth: int = 0) -> Iterator[str]:
    """The features that a word, and every word in it, uses."""
    name = "Event" if isinstance(word, EntryEvent) else type(word).__name__
    for field in type(word).model_fields:
        value = getattr(word, field)
        if isinstance(value, str) and get_origin_of(type(word), field) is Literal:
            yield f"{name}.{field} = {value}"
        elif value is not None and value != () and value != type(word).model_fields[field].default:
            yield f"{name}.{field}"
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Word):
                yield from said(part, depth + isinstance(part, Rule))
    if isinstance(word, Event):
        yield from (f"{word.domain}: {field}" for field in asked(word))
    if isinstance(word, Rule):
        yield f"rules {depth} deep"
        if word.of is not None and word.distinct is not None:
            yield f"{word.of.domain}: distinct {word.distinct}"


def asked(event: Event) -> list[str]:
    """The attributes that an event limits."""
    return [name for name in type(event).model_fields if name not in DOMAINS and getattr(event, name)]


def sayable(depth: int) -> set[str]:
    """Every feature that the words have."""
    fields = {feature for word in reachable(Cohort) | reachable(ConceptSet) for feature in _of_word(word)}
    attributes = {f"{domain}: {name}" for domain in DOMAINS for name in (*ATTRIBUTES[domain], *ANYWHERE)}
    counts = {f"{domain}: distinct {name}" for domain in DOMAINS for name in COUNTED[domain]}
    return fields | attributes | counts | {f"rules {deep} deep" for deep in range(1, depth + 1)}


def _of_word(word: type[Word]) -> Iterator[str]:
    name = "Event" if word is EntryEvent else word.__name__
    for field, information in word.model_fields.items():
        kind = get_origin_of(word, field)
        values = [value for value in literals(information.annotation) if isinstance(value, str)]
        yield from (f"{name}.{field} = {value}" for value in values) if kind is Literal else (f"{name}.{field}",)


def get_origin_of(word: type[Word], field: str) -> object:
    """``Literal`` where a field takes one of some words."""
    return Literal if any(isinstance(value, str) for value in literals(word.model_fields[field].annotation)) else None


def literals(annotation: Any) -> list[object]:
    """The values that an annotation lists."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return [value for part in parts for value in literals(part)]


def reachable(word: type[Word]) -> set[type[Word]]:
    """A word and the words that stand in its fields."""
    found: set[type[Word]] = set()
    waiting: list[Any] = [word]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, Word):
            if each not in found:
                found.add(each)
                waiting += [information.annotation for information in each.model_fields.values()]
        else:
            waiting += get_args(each)
    return found
