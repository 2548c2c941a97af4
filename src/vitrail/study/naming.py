"""Where a cohort names concept sets."""

from collections.abc import Iterator, Mapping

from vitrail.study.attributes import DOMAINS
from vitrail.study.cohort import ANY, Cohort, Event, Exposure
from vitrail.study.concepts import Coded
from vitrail.study.word import Name, Part, Word

_NAMING: Mapping[type[Word], tuple[str, ...]] = {
    Event: (*(domain for domain in DOMAINS if domain != "cohort"), "source", "value_concepts"),
    Coded: ("within", "outside"),
    Exposure: ("drug",),
}
"""The fields of each word that name a concept set."""


def concept_sets_named(word: Word) -> Iterator[tuple[Part, Name]]:
    """Every concept set that a cohort, or a part of one, names, and the way to it; ``any`` names none."""
    naming = next((fields for kind, fields in _NAMING.items() if isinstance(word, kind)), ())
    for field in type(word).model_fields:
        value = getattr(word, field)
        if field in naming and isinstance(value, str):
            if value != ANY:
                yield (field,), value
        else:
            yield from _inside((field,), value)


def _inside(way: Part, value: object) -> Iterator[tuple[Part, Name]]:
    if isinstance(value, Word):
        yield from (((*way, *part), name) for part, name in concept_sets_named(value))
    elif isinstance(value, tuple):
        for place, each in enumerate(value):
            yield from _inside((*way, place), each)


def cohorts_named(cohort: Cohort) -> Iterator[tuple[Part, Name]]:
    """Every cohort that a cohort names as an event, and the way to it."""
    return (((*part, "cohort"), event.of) for part, event in cohort.parts() if event.domain == "cohort")
