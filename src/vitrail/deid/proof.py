"""The proof pack of a snapshot: that deidentification worked on *these* data, in figures, and what it does not do.

It is made inside the load, the only place where the truth and the snapshot are side by side, and holds figures alone.
"""

from pathlib import Path
from typing import Annotated, Literal

import duckdb
import numpy as np
from pydantic import Field

from vitrail.deid import attacks, risk, snapshot_search
from vitrail.deid.attempts import Attempt, attempted
from vitrail.deid.profile import Profile
from vitrail.omop.snapshot import Removed, Ruled
from vitrail.omop.sql import run, sql
from vitrail.study.word import Digest, Word


class Likeness(Word):
    """Classes of people with the same sex, year of birth, race, ethnicity and ZIP3; see :class:`risk.Classes`."""

    people: int
    classes: int
    alone: int
    few: int
    highest_risk: float
    mean_risk: float


class Population(Word):
    """The same against a population; see :class:`risk.Map`."""

    least: int
    few: int
    mean_risk: float
    unknown: int


class Search(Word):
    """Identifiers of the source that were looked for in all texts of the snapshot, and the texts in which one stood.

    ``control`` is how many of as many texts that hold one were found: all, or the search is worth nothing.
    """

    sought: int
    texts: int
    found: int
    planted: int
    control: int


class Proof(Word):
    """The figures of a proof pack. ``intervals`` is the share of people whose first two gaps between visits nobody else
    has: moving days does not hide them. ``population`` is None where no population was given.
    """

    vitrail: Literal["proof/1"]
    profile: str
    ruled: tuple[Ruled, ...]
    removed: tuple[Removed, ...]
    attempts: tuple[Attempt, ...]
    likeness: Likeness
    search: Search
    intervals: float
    population: Population | None = None
    oldest: int | None = None


class Statement(Word):
    """What a privacy officer signs: that they have read this proof of this snapshot. ``key`` is their public key."""

    vitrail: Literal["proof-statement/1"]
    snapshot: Digest
    proof: Digest
    name: Annotated[str, Field(min_length=1, max_length=200)]
    key: str
    says: str


SAYS = (
    "I have read the proof pack of this snapshot: its rules, its attacks and their controls, its figures of risk, and"
    " what it says of intervals and of notes. In my judgement the risk is very small that the data could be used, alone"
    " or with other reasonably available information, by an anticipated recipient to identify a person."
)
"""The statement, in the words of 45 CFR 164.514(b)(1)(i)."""


def prove(
    db: duckdb.DuckDBPyConnection,
    profile: Profile,
    snapshot: Path,
    ruled: tuple[Ruled, ...],
    removed: tuple[Removed, ...],
    population: Path | None,
) -> Proof:
    """The proof pack of the files in the directory ``snapshot``, beside the extract that they were made of."""
    risk.open_people(db, snapshot)
    mapped = risk.k_map(db, population) if population else None
    return Proof(
        vitrail="proof/1",
        profile=profile.name,
        ruled=ruled,
        removed=removed,
        attempts=attempted(db, profile, snapshot),
        likeness=_likeness(db),
        population=None if mapped is None else Population(
            least=mapped.least, few=mapped.few, mean_risk=mapped.mean, unknown=mapped.unknown
        ),
        search=_search(db, snapshot),
        intervals=_intervals(db, snapshot),
        oldest=_oldest(db, snapshot),
    )  # fmt: skip


def _likeness(db: duckdb.DuckDBPyConnection) -> Likeness:
    found = risk.classes(db)
    return Likeness(
        people=found.people,
        classes=found.classes,
        alone=found.alone,
        few=found.few,
        highest_risk=found.highest,
        mean_risk=found.mean,
    )


def _search(db: duckdb.DuckDBPyConnection, snapshot: Path) -> Search:
    wanted = snapshot_search.sought(db)
    held = list(snapshot_search.texts(db, snapshot)) if wanted else []
    planted = [f"seen with {' '.join(each)} today" for each in sorted(wanted)[:1_000]]
    found, control = (snapshot_search.found_in(texts, wanted) for texts in (held, planted))
    return Search(sought=len(wanted), texts=len(held), found=found, planted=len(planted), control=control)


def _intervals(db: duckdb.DuckDBPyConnection, snapshot: Path) -> float:
    query = sql(
        "SELECT days[2] - days[1] AS one, days[3] - days[2] AS two FROM (SELECT list_sort(list(DISTINCT"
        " visit_start_date - DATE '1970-01-01')) AS days FROM read_parquet(:v) GROUP BY person_id) AS d"
        " WHERE len(days) >= 3",
        v=str(snapshot / "visit_occurrence.parquet"),
    )
    found = db.execute(query.sql("duckdb")).fetchnumpy()
    return attacks.unique_gaps(np.stack([np.asarray(found[name], dtype=np.int64) for name in ("one", "two")], axis=1))


def _oldest(db: duckdb.DuckDBPyConnection, snapshot: Path) -> int | None:
    """The greatest age that a year of birth and the last day of observation tell."""
    query = (
        "SELECT max(year(observation_period_end_date) - year_of_birth) FROM read_parquet(:o)"
        " JOIN read_parquet(:p) USING (person_id)"
    )
    paths = {"o": str(snapshot / "observation_period.parquet"), "p": str(snapshot / "person.parquet")}
    found = run(db, query, **paths)[0][0]
    return None if found is None else int(found)
