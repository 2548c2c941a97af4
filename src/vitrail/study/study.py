"""The study: a frozen, self-validating question. Its identity is the SHA-256 of its canonical JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail import wire
from vitrail.study.aloud import cohort_aloud, concept_set_aloud
from vitrail.study.analyses import Analysis, Ask
from vitrail.study.cohort import ANY, Cohort
from vitrail.study.concepts import ConceptSet
from vitrail.study.impossible import Warned, of_cohort, of_sets
from vitrail.study.naming import cohorts_named, concept_sets_named
from vitrail.study.release import Release
from vitrail.study.word import Digest, Name, Part, PartError, SiteName, Text, Title, Word

Purpose = Literal[
    "early detection", "external validation", "treatment pathways", "comparative effectiveness", "characterisation"
]

_NO_COHORT = (
    "this names a cohort that the study does not define; write the name of one under cohorts, or define it there"
)
_NO_CONCEPT_SET = "this names no concept set of the study; write the name of one under concept_sets, or define it there"
_CIRCLE = "cohorts refer to each other in a circle; let one of them be defined without the others"


class Study(Word):
    """Cohorts, analyses, purpose and protocol text; a study is data, never code.

    Every name that is used is defined here, so a bad question cannot be built.
    """

    vitrail: Literal["study/1"]
    title: Title
    purpose: Purpose
    question: Text
    protocol: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1, max_length=50)]
    concept_sets: Annotated[dict[Name, ConceptSet], Field(max_length=500)]
    cohorts: Annotated[dict[Name, Cohort], Field(min_length=1, max_length=100)]
    analyses: Annotated[dict[Name, Analysis], Field(min_length=1, max_length=20)]

    @property
    def id(self) -> Digest:
        """The content hash of the study's canonical JSON."""
        return wire.digest_of(self.canonical())

    def canonical(self) -> wire.Json:
        """The study as JSON data, defaults written out, nothing that is not given."""
        return self.model_dump(mode="json", exclude_none=True)

    def aloud(self) -> tuple[str, ...]:
        """All that is asked, in plain English: one paragraph for each cohort, each analysis and each concept set.

        Title, purpose, question and protocol are prose already and stand beside it.
        """
        cohorts = (cohort_aloud(name, self.cohorts[name]) for name in self.cohort_order())
        analyses = (f"Analysis “{name}”: {analysis.aloud()}" for name, analysis in self.analyses.items())
        concepts = (concept_set_aloud(name, each) for name, each in self.concept_sets.items())
        return (*cohorts, *analyses, *concepts)

    def warnings(self) -> tuple[Warned, ...]:
        """Logic that nobody can satisfy, and concept sets that nothing names; chosen keys stand as their places."""
        found = [
            Warned(("cohorts", place, *each.part), each.what)
            for place, cohort in enumerate(self.cohorts.values())
            for each in of_cohort(cohort)
        ]
        features = (covariate for analysis in self.analyses.values() for _, covariate in analysis.features())
        words: tuple[Word, ...] = (*self.cohorts.values(), *features)
        used = {name for word in words for _, name in concept_sets_named(word)}
        return (*found, *of_sets(self.concept_sets, used))

    @model_validator(mode="after")
    def _names_defined(self) -> Self:
        if ANY in self.concept_sets:
            raise ValueError("a concept set is called any, the word for every concept; give it another name")
        undefined = tuple(self._undefined())
        if undefined:
            raise PartError(undefined)
        self.cohort_order()
        return self

    def _undefined(self) -> Iterator[tuple[Part, str]]:
        """The way to every name that the study uses and does not define, and what to write instead."""
        for name, cohort in self.cohorts.items():
            yield from self._undefined_in(("cohorts", name), cohort)
            for part, other in cohorts_named(cohort):
                if other not in self.cohorts:
                    yield ("cohorts", name, *part), _NO_COHORT
        for name, analysis in self.analyses.items():
            for part, used in analysis.cohort_names():
                if used not in self.cohorts:
                    yield ("analyses", name, *part), _NO_COHORT
            for part, covariate in analysis.features():
                yield from self._undefined_in(("analyses", name, *part), covariate)
                event = covariate.event
                if event is not None and event.domain == "cohort" and event.of not in self.cohorts:
                    yield ("analyses", name, *part, "has", "cohort"), _NO_COHORT

    def _undefined_in(self, way: Part, word: Word) -> Iterator[tuple[Part, str]]:
        for part, name in concept_sets_named(word):
            if name not in self.concept_sets:
                yield (*way, *part), _NO_CONCEPT_SET

    def cohort_order(self) -> tuple[str, ...]:
        """The cohorts' names, each after those it refers to. ValueError where they refer in a circle."""
        order: list[str] = []
        waiting = {
            name: {event.of for event in cohort.events() if event.domain == "cohort"}
            for name, cohort in self.cohorts.items()
        }
        while waiting:
            ready = sorted(name for name, needs in waiting.items() if needs <= set(order))
            if not ready:
                raise PartError(tuple((("cohorts", name), _CIRCLE) for name in sorted(waiting)))
            order += ready
            for name in ready:
                del waiting[name]
        return tuple(order)


class Question(Word):
    """One round of one analysis, put to ``sites``.

    ``follows`` are the content hashes of the Releases that the question was computed from, sorted; a site computes the
    question again from them and refuses if it differs.
    """

    study: Digest
    analysis: Name
    round: Annotated[int, Field(ge=0)]
    sites: tuple[SiteName, ...]
    follows: tuple[Digest, ...]
    ask: Ask

    @property
    def id(self) -> Digest:
        """The content hash of the question's canonical JSON."""
        return wire.digest_of(self.model_dump(mode="json", exclude_none=True))


@dataclass(frozen=True)
class Round:
    """A question and the Releases that answered it, by site; refusals are Releases too."""

    question: Question
    releases: Mapping[SiteName, Release]

    @property
    def complete(self) -> bool:
        """Whether every site that was asked has answered."""
        return set(self.releases) == set(self.question.sites)
