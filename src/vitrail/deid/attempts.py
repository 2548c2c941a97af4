"""Attacks on one snapshot, each with its control: the same attack on the same people with the defence off.

The attacks are those of :mod:`vitrail.deid.attacks`; here they meet the truth, which only a load has.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from vitrail.deid import attacks
from vitrail.deid.attacks import NO_GUESS, Days, Score, score
from vitrail.deid.days import CUT, REACH, WEEKS
from vitrail.deid.persons import PERSONS
from vitrail.deid.profile import Profile
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.study.word import Word

PEOPLE = 20_000
"""So many people are attacked, by chance; of fewer, all."""

SNAPSHOTS = 12


class Attempt(Word):
    """One attack and its control.

    ``right`` of the ``guesses`` were right, where chance alone gives ``by_chance``. The attack ``failed`` where it did
    no better than chance and its control did; it ``succeeded`` where it did better; where the control did not, the
    attempt proves ``nothing``.
    """

    attack: str
    what: str
    people: int
    guesses: int
    right: int
    by_chance: float
    control_guesses: int
    control_right: int
    outcome: Literal["failed", "succeeded", "nothing"]


@dataclass(frozen=True)
class Truth:
    """The people attacked, in the order of their new ids. ``moved`` is by how many days theirs were moved.

    ``ended`` and ``ends`` are the last days of observation, true and shown; ``known`` and ``shown`` rows of what a
    register could know: sex, and the first and last day of a visit.
    """

    source: NDArray[np.int64]
    person: NDArray[np.int64]
    moved: Days
    ended: Days
    ends: Days
    known: NDArray[np.int64]
    shown: NDArray[np.int64]


def attempted(db: duckdb.DuckDBPyConnection, profile: Profile, snapshot: Path) -> tuple[Attempt, ...]:
    """Every attack that means something under ``profile``, on the files in the directory ``snapshot``."""
    truth = _truth(db, snapshot)
    attempts = [_sequence(truth)]
    if profile.days != "keep" and len(truth.person) > 2:
        attempts += [*_on_days(profile, truth), _weekdays(db, profile, snapshot, truth)]
    return tuple(attempts)


def _truth(db: duckdb.DuckDBPyConnection, snapshot: Path) -> Truth:
    shown = {name: sql("read_parquet(:p)", p=str(snapshot / f"{name}.parquet")) for name in _SPANS}
    query = sql(
        "SELECT s.source, s.person, s.shift, o.last AS ended, oo.last AS ends, p.gender_concept_id AS sex,"
        " v.first AS v_first, v.last AS v_last, vv.first AS w_first, vv.last AS w_last"
        " FROM (SELECT source, person, shift FROM :persons ORDER BY person LIMIT :n) AS s"
        " LEFT JOIN extract.person AS p ON p.person_id = s.source"
        " LEFT JOIN :o AS o ON o.person_id = s.source LEFT JOIN :oo AS oo ON oo.person_id = s.person"
        " LEFT JOIN :v AS v ON v.person_id = s.source LEFT JOIN :vv AS vv ON vv.person_id = s.person"
        " ORDER BY s.person",
        persons=PERSONS,
        n=PEOPLE,
        o=_span("observation_period", table("observation_period", "extract")),
        oo=_span("observation_period", shown["observation_period"]),
        v=_span("visit_occurrence", table("visit_occurrence", "extract")),
        vv=_span("visit_occurrence", shown["visit_occurrence"]),
    )
    columns = db.execute(query.sql("duckdb")).fetchnumpy()
    held = {name: np.ma.filled(np.ma.asarray(values).astype(np.int64), NO_GUESS) for name, values in columns.items()}
    known, seen = (np.stack([held[each] for each in ("sex", *names)], axis=1) for names in _VISITS)
    return Truth(held["source"], held["person"], held["shift"], held["ended"], held["ends"], known, seen)


def _span(name: str, of: Node) -> Node:
    """The first and last day of each person in a table: the last of observation, the last on which a visit began."""
    start, end = _SPANS[name]
    query = (
        "(SELECT person_id, min(:start) - DATE '1970-01-01' AS first, max(:end) - DATE '1970-01-01' AS last"
        " FROM :of GROUP BY person_id)"
    )
    return sql(query, start=column(start), end=column(end), of=of)


_SPANS = {
    "observation_period": ("observation_period_start_date", "observation_period_end_date"),
    "visit_occurrence": ("visit_start_date", "visit_start_date"),
}

_VISITS = (("v_first", "v_last"), ("w_first", "w_last"))


def _attempt(attack: str, what: str, people: int, tried: Score, control: Score) -> Attempt:
    outcome: Literal["failed", "succeeded", "nothing"] = "failed" if control.succeeds else "nothing"
    return Attempt(
        attack=attack,
        what=what,
        people=people,
        guesses=tried.persons,
        right=tried.right,
        by_chance=round(tried.by_chance, 2),
        control_guesses=control.persons,
        control_right=control.right,
        outcome="succeeded" if tried.succeeds else outcome,
    )


def _on_days(profile: Profile, truth: Truth) -> list[Attempt]:
    """The attacks that guess by how far somebody's days were moved."""
    choices, step = (2 * WEEKS, 7) if profile.days == "shift" else (CUT, 1)
    drawn = np.random.default_rng(len(truth.person))
    return [
        _two_known(truth, choices, step),
        _attempt(
            "edge of the extract",
            "Whoever is seen last is believed to be observed until the extract ends.",
            len(truth.person),
            score(attacks.edge(truth.ends, int(truth.ended.max())), truth.moved, choices),
            score(attacks.edge(truth.ended + truth.moved, int(truth.ended.max())), truth.moved, choices),
        ),
        _twelve(truth, choices, drawn),
        _linkage(truth),
    ]


def _two_known(truth: Truth, choices: int, step: int) -> Attempt:
    """The control's days are moved by a hash of the id, without a key."""
    at, sizes = (0, len(truth.person) // 2), (choices, choices + 1)
    rest = np.delete(np.arange(len(truth.person)), at)
    unkeyed = step * (attacks.schemes(choices)[-1](truth.person) - choices // 2)
    tried, control = (
        score(attacks.two_known_patients(truth.person, _known(moved, at), step, sizes)[rest], moved[rest], choices)
        for moved in (truth.moved, unkeyed)
    )
    what = "Two people's true days are known; everybody else's shift is to follow from theirs."
    return _attempt("two known patients", what, len(truth.person), tried, control)


def _known(moved: Days, at: tuple[int, int]) -> list[tuple[int, int]]:
    return [(place, int(moved[place])) for place in at]


def _twelve(truth: Truth, choices: int, drawn: np.random.Generator) -> Attempt:
    """The snapshot's days stay from one to the next; the control's are moved anew each time."""
    seen = truth.known[:, 1] != NO_GUESS
    true = truth.known[seen, 1]
    stable = np.repeat((true + truth.moved[seen])[None, :], SNAPSHOTS, axis=0)
    anew = true + 7 * drawn.integers(-WEEKS, WEEKS + 1, (SNAPSHOTS, len(true)))
    what = f"The first visit's true day is to follow from {SNAPSHOTS} snapshots."
    tried, control = (score(attacks.redraw(observed), true, choices) for observed in (stable, anew))
    return _attempt("twelve snapshots", what, len(true), tried, control)


def _linkage(truth: Truth) -> Attempt:
    seen = truth.known[:, 1] != NO_GUESS
    register, rows = truth.known[seen], np.arange(int(seen.sum()))
    what = "A register knows sex and the first and last day of each person's visits."
    tried, control = (
        score(attacks.linked(register, held), rows, max(len(rows), 1)) for held in (truth.shown[seen], register)
    )
    return _attempt("linkage by days", what, len(rows), tried, control)


def _sequence(truth: Truth) -> Attempt:
    """Guess each person's place in the source by their place in the snapshot; the control is numbered in order."""
    places = np.argsort(np.argsort(truth.source)).astype(np.int64)
    limit = attacks.sequence_limit(len(places))
    follows = attacks.sequence(places, truth.person) > limit
    count = len(places)
    tried = Score(count, int((places == np.arange(count)).sum()) if not follows else count, 1.0)
    control = Score(count, count, 1.0)
    what = "The order of the source is to follow from the order of ids."
    return _attempt("order of ids", what, count, tried, control)


def _weekdays(db: duckdb.DuckDBPyConnection, profile: Profile, snapshot: Path, truth: Truth) -> Attempt:
    """The control's days are moved by any number of days."""
    query = "SELECT isodow(visit_start_date) - 1 AS day, count(*) AS n FROM extract.visit_occurrence GROUP BY 1"
    often = np.zeros(7)
    for day, count in run(db, query):
        often[int(day)] = count
    visits = db.execute(
        sql(
            "SELECT person_id AS who, visit_start_date - DATE '1970-01-01' AS day FROM read_parquet(:v)"
            " WHERE person_id <= :last",
            v=str(snapshot / "visit_occurrence.parquet"),
            last=int(truth.person[-1]),
        ).sql("duckdb")
    ).fetchnumpy()
    who, days = (np.asarray(visits[name], dtype=np.int64) for name in ("who", "day"))
    of = np.searchsorted(truth.person, who)
    anew = np.random.default_rng(len(who)).integers(1, 2 * REACH, len(truth.person))
    tried = _weekday_score(truth.person, who, days, often, truth.moved, by_weeks=profile.days == "shift")
    control = _weekday_score(truth.person, who, days - truth.moved[of] + anew[of], often, anew, by_weeks=False)
    what = "The day of the week is to follow from the days on which people are seen."
    return _attempt("days of the week", what, len(truth.person), tried, control)


def _weekday_score(
    persons: NDArray[np.int64],
    who: NDArray[np.int64],
    days: Days,
    often: NDArray[np.float64],
    moved: Days,
    by_weeks: bool,
) -> Score:
    """Whole weeks are part of the design: what is guessed then must tell which weeks, not that they are whole."""
    if not often.sum():
        return Score(0, 0, 0.0)
    judged, guesses = attacks.weekday(who, days, often / often.sum())
    true = moved[np.searchsorted(persons, judged)]
    return score(guesses, true, 2 * WEEKS) if by_weeks else score(guesses, true % 7, 7)
