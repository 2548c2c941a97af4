"""Features: many covariates at once, by the analyses of OHDSI FeatureExtraction.

``features.csv`` beside this file lists the analyses with their ids, names, tables and windows; the facts are those of
FeatureExtraction 3.14.0 (``inst/csv/PrespecAnalyses.csv`` and ``PrespecTemporalAnalyses.csv``, Apache-2.0). Three
families are left out: ``CareSiteId``, the ``Inpatient`` conditions and ``Hfrs``. To name one of them is an error.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vitrail.study.covariates import Covariate
from vitrail.study.word import Name, Word

Shape = Literal[
    "gender", "age", "age_group", "race", "ethnicity", "year", "month", "year_month", "before", "after", "inside",
    "concept", "group", "value", "range", "coded", "score", "distinct", "visits", "visit_concepts", "own",
]  # fmt: skip
"""What an analysis makes of what it finds."""

CALENDAR: tuple[Shape, ...] = ("year", "month", "year_month")
"""The shapes that speak of the calendar itself: they mean nothing where days were moved."""

NUMBERS: tuple[Shape, ...] = (
    "age", "before", "after", "inside", "value", "score", "distinct", "visits", "visit_concepts"
)  # fmt: skip
"""The shapes whose covariates are numbers; all others are 1 where they hold."""

OWN, OWN_NUMBER = 999, 998
"""The analyses of a study's own covariates: those that are 0 or 1, and those that are numbers."""

Day = Annotated[int, Field(ge=-36_525, le=36_525)]
"""Days from the index date; up to a hundred years."""

Start = Literal["", "any", "long", "medium", "short", "end"]


@dataclass(frozen=True)
class Analysis:
    """One analysis: its FeatureExtraction id and name, and what it is about.

    ``window`` says where its window starts; it is empty where there is none. ``starting`` counts eras that start in the
    window, not those that reach into it.
    """

    id: int
    name: str
    shape: Shape
    domain: str
    table: str
    window: Start
    starting: bool
    default: bool

    @property
    def binary(self) -> bool:
        """Whether its covariates are 0 or 1."""
        return self.shape not in NUMBERS and self.id != OWN_NUMBER

    @property
    def missing_is_zero(self) -> bool | None:
        """Whether a number that is not there is 0 (a count, a score) or unknown (a measurement); None where binary."""
        return None if self.binary else self.shape not in ("value", "own")

    @property
    def calendar(self) -> bool:
        """Whether it speaks of the calendar itself."""
        return self.shape in CALENDAR


@cache
def analyses(temporal: bool) -> Mapping[str, Analysis]:
    """The analyses that can be asked for, by name: those with fixed windows, or those with windows of one's own."""
    with resources.files("vitrail.study").joinpath("features.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.pop("temporal") == "yes") == temporal]
    return {row["name"]: _analysis(row) for row in rows}


def _analysis(row: dict[str, str]) -> Analysis:
    return Analysis(
        int(row["id"]), row["name"], row["shape"], row["domain"], row["table"], row["window"],  # type: ignore[arg-type]
        row["starting"] == "yes", row["default"] == "yes",
    )  # fmt: skip


class Features(Word):
    """Which covariates are computed at each index date.

    * ``analyses``: names of FeatureExtraction's analyses; left out, its defaults (29, or 19 with ``windows``).
    * ``long_days``, ``medium_days``, ``short_days``, ``end_day``: where the fixed windows start, and where all end.
      Both days count.
    * ``windows``: windows of one's own, first and last day, in place of the fixed ones: FeatureExtraction's temporal
      covariates. The first window has the time id 1.
    * ``only``, ``without``: concept sets. Concepts not in ``only``, or in ``without``, make no covariate, neither by
      themselves nor as groups. Scores and demographics do not heed them (but gender, race and ethnicity do).
    * ``own``: the study's own covariates beside these.
    """

    analyses: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)] | None = None
    long_days: Day = -365
    medium_days: Day = -180
    short_days: Day = -30
    end_day: Day = 0
    windows: Annotated[tuple[tuple[Day, Day], ...], Field(min_length=1, max_length=1_000)] | None = None
    only: Name | None = None
    without: Name | None = None
    own: Annotated[tuple[Covariate, ...], Field(max_length=1_000)] = ()

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        known = analyses(self.temporal)
        if any(name not in known for name in self.analyses or ()):
            raise ValueError(
                "this is no analysis that can be asked for; see docs/reference/covariates.md for their names"
            )
        if len(set(self.analyses or ())) < len(self.analyses or ()):
            raise ValueError("an analysis is named twice; name it once")
        starts = (self.long_days, self.medium_days, self.short_days)
        if any(low > high for low, high in self.windows or [(start, self.end_day) for start in starts]):
            raise ValueError("a window ends before it starts; write the earlier day first")
        names = [covariate.name for covariate in self.own]
        if len(set(names)) < len(names):
            raise ValueError("two covariates have one name; give each its own")
        return self

    @property
    def temporal(self) -> bool:
        """Whether the windows are the study's own."""
        return self.windows is not None

    def asked(self) -> tuple[Analysis, ...]:
        """The analyses asked for, by id."""
        known = analyses(self.temporal).values()
        named = self.analyses
        chosen = [each for each in known if (each.default if named is None else each.name in named)]
        return tuple(sorted(chosen, key=lambda each: each.id))

    def span(self, analysis: Analysis) -> tuple[int | None, int]:
        """First and last day of an analysis's fixed window; the first is None where all that came before counts."""
        starts = {
            "long": self.long_days, "medium": self.medium_days, "short": self.short_days, "end": self.end_day
        }  # fmt: skip
        return starts.get(analysis.window), self.end_day

    def calendar_analyses(self) -> tuple[str, ...]:
        """The analyses asked for that need true dates."""
        return tuple(each.name for each in self.asked() if each.calendar)
