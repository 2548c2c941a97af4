"""The study: a frozen, self-validating question. Its identity is the SHA-256 of its canonical JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail import wire
from vitrail.study.analyses import Analysis, Ask
from vitrail.study.analyses.characterise import Characterise
from vitrail.study.analyses.predict import Predict
from vitrail.study.cohort import ANY, Cohort, Event
from vitrail.study.concepts import ConceptSet
from vitrail.study.release import Release
from vitrail.study.word import Digest, Name, SiteName, Text, Word

Purpose = Literal[
    "early detection", "external validation", "treatment pathways", "comparative effectiveness", "characterisation"
]


class Study(Word):
    """Cohorts, analyses, purpose and protocol text; a study is data, never code.

    Every name that is used is defined here, so a bad question cannot be built.
    """

    vitrail: Literal["study/1"]
    title: Annotated[str, Field(min_length=1, max_length=200)]
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

    @model_validator(mode="after")
    def _names_defined(self) -> Self:
        for cohort in self.cohorts.values():
            self._check_events(cohort.events())
        for analysis in self.analyses.values():
            self._check_analysis(analysis)
        self.cohort_order()
        return self

    def _check_events(self, events: tuple[Event, ...]) -> None:
        for event in events:
            known = self.cohorts if event.domain == "cohort" else self.concept_sets
            if event.of not in known and (event.of != ANY or event.domain == "cohort"):
                raise ValueError("an event names a concept set or cohort that the study does not define")
            if event.value_concepts is not None and event.value_concepts not in self.concept_sets:
                raise ValueError("value_concepts names a concept set that the study does not define")

    def _check_analysis(self, analysis: Characterise | Predict) -> None:
        if isinstance(analysis, Characterise):
            cohorts = [*analysis.cohorts, *(n for i in analysis.incidence for n in (i.population, i.outcome))]
            covariates = analysis.table
        else:
            cohorts, covariates = [analysis.target, analysis.outcome], analysis.covariates
        if any(cohort not in self.cohorts for cohort in cohorts):
            raise ValueError("an analysis names a cohort that the study does not define")
        self._check_events(tuple(each.event for each in covariates if each.event is not None))

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
                raise ValueError("cohorts refer to each other in a circle")
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
