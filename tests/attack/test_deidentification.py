"""Attacks on deidentified days and ids, each with a control in which the defence is off and the attack succeeds."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.commands import bare_site
from tests.extracts import LAST, extract
from vitrail.deid import attacks
from vitrail.deid.attacks import NO_GUESS, score
from vitrail.deid.crosswalk import read_crosswalk
from vitrail.deid.days import REACH, WEEKS, shifts
from vitrail.deid.persons import Keys
from vitrail.omop.snapshot import Snapshot
from vitrail.site.directory import SiteDirectory
from vitrail.site.load import load

PEOPLE, VISITS = 20_000, 12
ENDS = (date.fromisoformat(LAST) - date(1970, 1, 1)).days
_DAY = "CAST({} - DATE '1970-01-01' AS BIGINT)"


@dataclass(frozen=True)
class Loaded:
    """A site with a snapshot, its source, and the truth: ``source`` and ``ids`` of the same persons."""

    site: SiteDirectory
    origin: Path
    snapshot: Snapshot

    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        keys = Keys.of(self.site.secret)
        crosswalk = read_crosswalk(self.site.crosswalk, keys.crosswalk)
        source = np.sort(crosswalk.entries["source"])
        ids = crosswalk.numbers(keys.numbers, source).astype(np.int64)
        held = {row for (row,) in duckdb.execute(f"SELECT person_id FROM '{self.snapshot.files['person']}'").fetchall()}
        kept = np.array([each in held for each in ids.tolist()])
        return source[kept], ids[kept]

    def array(self, query: str, **columns: str) -> dict[str, np.ndarray]:
        """The answer to a query over ``{raw_<table>}`` and ``{<table>}``."""
        files = {name: f"'{path}'" for name, path in self.snapshot.files.items()}
        raw = {f"raw_{path.stem}": f"'{path}'" for path in self.origin.iterdir()}
        found = duckdb.execute(query.format(**files, **raw, **columns)).fetchnumpy()
        return {name: np.asarray(values) for name, values in found.items()}


@pytest.fixture(scope="module", params=["expert-determination", "safe-harbor"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    path = tmp_path_factory.mktemp("deid")
    origin, where = extract(path / "source", PEOPLE, VISITS), bare_site(path / "site")
    return Loaded(where, origin, load(where, origin, format="omop", profile=request.param))


def aligned(loaded: Loaded, name: str, day: str) -> tuple[np.ndarray, np.ndarray]:
    """First day per person: in the source and in the snapshot, of the same persons in the same order."""
    source, ids = loaded.truth()
    query = "SELECT person_id AS who, min(" + _DAY.format(day) + ") AS day FROM {} GROUP BY person_id"
    raw = loaded.array(query.replace("{}", "{raw_" + name + "}"))
    held = loaded.array(query.replace("{}", "{" + name + "}"))
    true, shown = dict(zip(raw["who"], raw["day"], strict=True)), dict(zip(held["who"], held["day"], strict=True))
    both = [(true[s], shown[i]) for s, i in zip(source.tolist(), ids.tolist(), strict=True) if s in true and i in shown]
    return np.array([each[0] for each in both]), np.array([each[1] for each in both])


def lasts(loaded: Loaded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each person: the last day of observation in the source and in the snapshot, and the true shift."""
    keys = Keys.of(loaded.site.secret)
    source, ids = loaded.truth()
    query = "SELECT person_id AS who, max(" + _DAY.format("observation_period_end_date") + ") AS day FROM {} GROUP BY 1"
    raw = loaded.array(query.replace("{}", "{raw_observation_period}"))
    held = loaded.array(query.replace("{}", "{observation_period}"))
    true, shown = dict(zip(raw["who"], raw["day"], strict=True)), dict(zip(held["who"], held["day"], strict=True))
    if loaded.snapshot.manifest.profile == "expert-determination":
        moved = shifts(keys.shifts, source)
    else:
        crosswalk = read_crosswalk(loaded.site.crosswalk, keys.crosswalk)
        anchors = crosswalk.entries["anchor"][crosswalk.places(source)].astype(np.int64)
        moved = (date(2000, 1, 1) - date(1970, 1, 1)).days - anchors
    return np.array([true[s] for s in source.tolist()]), np.array([shown[i] for i in ids.tolist()]), moved


def test_the_truth_is_the_truth(loaded: Loaded) -> None:
    """The control of all controls: undone by the true shift, the snapshot's visits are those of the source."""
    source, ids = loaded.truth()
    _, _, moved = lasts(loaded)
    assert len(source) > 0.95 * PEOPLE
    raw = loaded.array(
        "SELECT person_id AS who, visit_start_date - DATE '1970-01-01' AS day FROM {raw_visit_occurrence}"
    )
    true = set(zip(raw["who"].tolist(), raw["day"].tolist(), strict=True))
    held = loaded.array("SELECT person_id AS who, visit_start_date - DATE '1970-01-01' AS day FROM {visit_occurrence}")
    back = dict(zip(ids.tolist(), zip(source.tolist(), moved.tolist(), strict=True), strict=True))
    undone = {(back[w][0], d - back[w][1]) for w, d in zip(held["who"].tolist(), held["day"].tolist(), strict=True)}
    assert undone <= true
    assert len(undone) > 0.8 * len(true)


def test_two_known_patients(loaded: Loaded) -> None:
    _, ids = loaded.truth()
    _, _, moved = lasts(loaded)
    sizes, step = ((2 * WEEKS, 2 * WEEKS + 1), 7) if loaded.snapshot.manifest.calendar == "shifted" else ((365, 366), 1)
    known = [(17, int(moved[17])), (4_711, int(moved[4_711]))]
    guesses = attacks.two_known_patients(ids, known, step, sizes)
    rest = np.delete(np.arange(len(ids)), [17, 4_711])
    assert score(guesses[rest], moved[rest], sizes[0]).right == 0
    for off in (_unkeyed(ids, step, sizes[0]), np.full(len(ids), 91), step * (ids % sizes[0] + 1)):
        known = [(17, int(off[17])), (4_711, int(off[4_711]))]
        assert score(attacks.two_known_patients(ids, known, step, sizes), off, sizes[0]).right >= len(ids) - 2


def _unkeyed(ids: np.ndarray, step: int, size: int) -> np.ndarray:
    """Shifts that hang on a hash of the id alone."""
    import hashlib

    digests = (hashlib.sha256(str(each).encode()).digest() for each in ids.tolist())
    return step * np.array([int.from_bytes(each, "big") % size - size // 2 for each in digests], dtype=np.int64)


def test_the_edge_of_the_extract(loaded: Loaded) -> None:
    true, shown, moved = lasts(loaded)
    choices = 2 * WEEKS if loaded.snapshot.manifest.calendar == "shifted" else 365
    assert not score(attacks.edge(shown, ENDS), moved, choices).succeeds
    untrimmed = score(attacks.edge(true + moved, ENDS), moved, choices)
    assert untrimmed.succeeds
    assert untrimmed.right > 0.9 * untrimmed.persons


def test_weekdays(loaded: Loaded) -> None:
    """Under whole weeks weekdays tell what the design says and no more; under days from an epoch they tell the weekday
    of the epoch, which the proof states."""
    profile = (
        np.bincount(loaded.array("SELECT isodow(visit_start_date) - 1 AS d FROM {raw_visit_occurrence}")["d"]) / 1.0
    )
    profile /= profile.sum()
    held = loaded.array("SELECT person_id AS who, visit_start_date - DATE '1970-01-01' AS day FROM {visit_occurrence}")
    _, ids = loaded.truth()
    _, _, moved = lasts(loaded)
    shift_of = dict(zip(ids.tolist(), moved.tolist(), strict=True))
    who, guess = attacks.weekday(held["who"], held["day"], profile)
    true = np.array([shift_of[each] for each in who.tolist()])
    if loaded.snapshot.manifest.calendar == "shifted":
        assert not (true % 7).any()  # whatever is guessed, 52 shifts are as likely as before
        assert not score(guess, true, 2 * WEEKS).succeeds
    by_days = np.random.default_rng(3).integers(1, 365, len(ids))
    extra = dict(zip(ids.tolist(), by_days.tolist(), strict=True))
    moved_by_days = held["day"] - true_of(held["who"], shift_of) + true_of(held["who"], extra)
    who, guess = attacks.weekday(held["who"], moved_by_days, profile)
    assert score(guess, np.array([extra[each] % 7 for each in who.tolist()]), 7).succeeds


def true_of(who: np.ndarray, of: dict[int, int]) -> np.ndarray:
    return np.array([of[each] for each in who.tolist()])


def test_ids_follow_no_order(loaded: Loaded) -> None:
    source, ids = loaded.truth()
    assert attacks.sequence(source, ids) < attacks.sequence_limit(len(ids))
    assert attacks.sequence(source, np.arange(len(source))) > 0.99


def test_linkage_by_days(loaded: Loaded) -> None:
    """A register that knows sex and two true days of visits finds nearly everybody, once days are true."""
    source, ids = loaded.truth()
    query = (
        "SELECT p.person_id AS who, any_value(gender_concept_id) AS sex, min(" + _DAY.format("visit_start_date")
        + ") AS first, max(" + _DAY.format("visit_start_date") + ") AS last FROM {} AS p JOIN {v} AS v"
        " USING (person_id) GROUP BY 1"
    )  # fmt: skip
    raw = loaded.array(query.replace("{v}", "{raw_visit_occurrence}").replace("{}", "{raw_person}"))
    held = loaded.array(query.replace("{v}", "{visit_occurrence}").replace("{}", "{person}"))
    register, shown = (
        np.stack([each[c] for c in ("sex", "first", "last")], 1).astype(np.int64) for each in (raw, held)
    )
    id_of = dict(zip(source.tolist(), ids.tolist(), strict=True))
    found = attacks.linked(register, shown)
    right = sum(at != NO_GUESS and held["who"][at] == id_of.get(who) for who, at in zip(raw["who"], found, strict=True))
    assert right <= 5  # of 20,000: what chance gives
    unmoved = attacks.linked(register, register)
    assert (unmoved == np.arange(len(register))).sum() > 0.98 * len(register)


def test_who_lives_together(loaded: Loaded) -> None:
    """Whoever knows one person's family by their sexes and years of birth finds them all where they share a location.

    997 addresses of some 20 people each; the control asks the source what it asks the snapshot.
    """
    query = "SELECT location_id AS home, list_sort(list(year_of_birth * 2 + gender_concept_id % 2)) AS family"
    shares = {}
    for name in ("{person}", "{raw_person}"):
        found = loaded.array(f"{query} FROM {name} GROUP BY 1")
        shares[name] = len(found["home"]), len({tuple(each) for each in found["family"]})
    said = loaded.array("SELECT DISTINCT zip, state FROM {location}")
    assert shares["{person}"][0] == len(said["zip"]) == len(loaded.array("SELECT * FROM {location}")["zip"])
    assert shares["{raw_person}"] == (997, 997)


def test_nobody_is_older_than_ninety(loaded: Loaded) -> None:
    query = (
        "SELECT max(year(visit_start_date) - year_of_birth) AS oldest, count(DISTINCT person_id) FILTER"
        " (year(visit_start_date) - year_of_birth > 90) AS old FROM {} JOIN {v} USING (person_id)"
    )
    raw = loaded.array(query.replace("{v}", "{raw_visit_occurrence}").replace("{}", "{raw_person}"))
    held = loaded.array(query.replace("{v}", "{visit_occurrence}").replace("{}", "{person}"))
    assert raw["old"][0] > 500
    assert held["oldest"][0] == 90


def test_intervals_are_not_hidden(loaded: Loaded) -> None:
    """No defence, and the proof says so: two gaps between visits are nearly everybody's own."""
    held = loaded.array(
        "SELECT list_sort(list(visit_start_date - DATE '1970-01-01'))[1:3] AS days FROM {visit_occurrence}"
        " GROUP BY person_id HAVING count(*) >= 3"
    )
    days = np.stack(held["days"].tolist())
    assert attacks.unique_gaps(np.diff(days, axis=1)) > 0.9


def test_seasons_are_not_hidden() -> None:
    """No defence, and the reference says so: what all have in one season tells how far days were moved."""
    people, autumns, middle, days = 20_000, 5, 288, 21
    people_moved = shifts(bytes(32), np.arange(people))
    true = middle + 365.25 * np.arange(autumns) + np.random.default_rng(1).normal(0, days, (people, autumns))
    shown = true + people_moved[:, None]
    guesses = np.array([7 * week for week in range(-WEEKS, WEEKS + 1) if week])
    off = (shown - middle + 365.25 / 2)[:, :, None] - guesses
    likeliest = guesses[np.square(off % 365.25 - 365.25 / 2).sum(axis=1).argmin(axis=1)]
    assert 0.27 < score(likeliest, people_moved, 2 * WEEKS).right / people < 0.31
    assert score(likeliest, people_moved[::-1], 2 * WEEKS).right / people < 0.03  # what chance gives


def test_twelve_snapshots_tell_no_more_than_one(tmp_path: Path) -> None:
    """The extract grows by a year each time; the days of who is in all of them stay where they were."""
    where = bare_site(tmp_path / "site")
    origin = extract(tmp_path / "source", 400)
    first_days = []
    for number in range(12):
        ends = f"DATE '{2012 + number}-12-31'"
        part = tmp_path / f"source{number}"
        part.mkdir()
        for path in origin.iterdir():
            query = f"SELECT * FROM '{path}'"
            if path.stem == "observation_period":
                query = (
                    f"SELECT * REPLACE (least(observation_period_end_date, {ends}) AS observation_period_end_date)"
                    f" FROM '{path}' WHERE observation_period_start_date <= {ends}"
                )
            elif path.stem in ("visit_occurrence", "measurement"):
                query += (
                    f" WHERE {'visit_start_date' if path.stem == 'visit_occurrence' else 'measurement_date'} <= {ends}"
                )
            duckdb.execute(f"COPY ({query}) TO '{part / path.name}' (FORMAT parquet)")
        snapshot = load(where, part, format="omop", profile="expert-determination")
        found = Loaded(where, part, snapshot).array(
            "SELECT person_id AS who, min(visit_start_date) - DATE '1970-01-01' AS day FROM {visit_occurrence}"
            " GROUP BY 1"
        )
        first_days.append(dict(zip(found["who"].tolist(), found["day"].tolist(), strict=True)))
    everywhere = sorted(set.intersection(*(set(each) for each in first_days)))
    assert len(everywhere) > 200
    observed = np.array([[each[who] for who in everywhere] for each in first_days])
    assert (attacks.redraw(observed) == attacks.redraw(observed[:1])).all()
    true = observed[0]  # any true days will do for the control
    drawn = true + 7 * np.random.default_rng(5).integers(-WEEKS, WEEKS + 1, (12, len(true)))
    one, twelve = (np.abs(attacks.redraw(each) - true).mean() for each in (drawn[:1], drawn))
    assert twelve < one / 3
    assert one < REACH
