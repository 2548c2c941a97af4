"""Features of a cohort's rows: the steps by which any database finds them; see :mod:`vitrail.omop.features`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrail.errors import StudyError
from vitrail.omop import events
from vitrail.omop import features as queries
from vitrail.omop.engines import CohortRows
from vitrail.omop.engines.batch import Columns, Database
from vitrail.omop.feature_table import FeatureTable, Found, tables
from vitrail.omop.sheets import Sheet
from vitrail.study.concepts import ConceptSet
from vitrail.study.features import OWN, OWN_NUMBER, Analysis, Features, Shape

_FEMALE = 8532
_NAMES = ("row", "analysis", "time", "concept", "detail", "value")


def find_features(
    database: Database,
    features: Features,
    sets: Mapping[str, ConceptSet],
    rows: CohortRows,
    own: NDArray[np.float64] | None = None,
) -> FeatureTable:
    """The features of a cohort's rows, each row by its place.

    ``sets`` has the concept sets that ``only`` and ``without`` name; ``own`` is the matrix of the study's own
    covariates, as an engine gives it. Raises StudyError where a concept set is not defined, and what the database
    raises.
    """
    filters = _prepare(database, features, sets, rows)
    asked = features.asked()
    parts = [*_of_events(database, features, asked, filters), *_of_people(database, asked, rows, features)]
    if own is not None:
        parts += list(_own(features, own))
    found = _together(parts, asked)
    return tables(features, len(rows), found, _labels(database, asked, found))


def _prepare(
    database: Database, features: Features, sets: Mapping[str, ConceptSet], rows: CohortRows
) -> tuple[str, ...]:
    """Make the small tables; gives the filters that apply."""
    start = rows.start.astype("datetime64[D]").astype(np.int64)
    database.show("index_row", {"row": np.arange(len(rows)), "person": rows.person, "start": start})
    windows = _windows(features)
    kinds: Mapping[str, Any] = {
        "source": "text", "shape": "text", "analysis": "int", "time": "int", "low": "int", "high": "int",
        "starting": "flag",
    }  # fmt: skip
    database.hold("feature_window", Sheet(kinds, windows))
    database.hold("feature_reach", Sheet({"source": "text", "high": "int", "low": "int"}, _reaches(windows)))
    named = {name: chosen for name in queries.FILTERS if (chosen := getattr(features, name)) is not None}
    database.hold("concept_item", _concept_items(named, sets))
    database.keep("feature_member", events.members)
    return tuple(named)


def _windows(features: Features) -> list[dict[str, object]]:
    """Every window of every analysis that has one, as rows of ``feature_window``."""
    rows: list[dict[str, object]] = []
    for each in features.asked():
        spans = features.windows or (features.span(each),)
        if each.table and each.shape != "score":
            rows += [
                {
                    "source": each.table, "shape": each.shape, "analysis": each.id, "low": low, "high": high,
                    "time": time if features.temporal else 0, "starting": each.starting,
                }
                for time, (low, high) in enumerate(spans, start=1)
            ]  # fmt: skip
    return rows


def _reaches(windows: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """For each table and last day, the first day of the longest window."""
    keys = dict.fromkeys((each["source"], each["high"]) for each in windows)
    lows = {key: [each["low"] for each in windows if (each["source"], each["high"]) == key] for key in keys}
    return [{"source": key[0], "high": key[1], "low": None if None in low else min(low)} for key, low in lows.items()]


def _concept_items(named: Mapping[str, str], sets: Mapping[str, ConceptSet]) -> Sheet:
    """The concept sets of the filters, as rows of ``concept_item``."""
    if not set(named.values()) <= set(sets):
        raise StudyError("The features name a concept set that is not defined.", "Define it under concept_sets.")
    rows = [
        {
            "concept_set": queries.FILTERS.index(name), "concept": item.concept, "descendants": item.descendants,
            "exclude": item.exclude, "mapped": bool(item.mapped), "listed": False,
        }
        for name, chosen in named.items() for item in sets[chosen].concepts
    ]  # fmt: skip
    flags = dict.fromkeys(("descendants", "exclude", "mapped", "listed"), "flag")
    kinds: Mapping[str, Any] = {"concept_set": "int", "concept": "int", **flags}
    return Sheet(kinds, rows)


def _of_events(
    database: Database, features: Features, asked: Sequence[Analysis], filters: tuple[str, ...]
) -> Iterator[Found]:
    """What the tables of events say: each is read once."""
    for source, analyses in queries.sources(tuple(asked)).items():
        shapes = dict.fromkeys(each.shape for each in analyses)
        database.keep("feature_event", queries.near, source, *_reach(features, analyses))
        if "group" in shapes:
            database.keep("feature_group", queries.groups, source)
        for shape in shapes:
            if shape == "score":
                yield from _scores(database, features, analyses)
            else:
                yield _found(database.arrays(queries.found, source, shape, filters))


def _reach(features: Features, analyses: Sequence[Analysis]) -> tuple[int | None, int]:
    """The first and the last day that some analysis of a table looks at."""
    fixed = [features.span(each) for each in analyses if not features.temporal]
    scored = any(each.shape == "score" for each in analyses)
    spans = [*(features.windows or fixed), *([(None, _score_end(features))] if scored else [])]
    lows = [low for low, _ in spans]
    return None if None in lows else min(low for low in lows if low is not None), max(high for _, high in spans)


def _score_end(features: Features) -> int:
    return 0 if features.temporal else features.end_day


def _scores(database: Database, features: Features, analyses: Sequence[Analysis]) -> Iterator[Found]:
    """The conditions' part of the scores."""
    ids = {each.name: each.id for each in analyses if each.shape == "score"}
    kinds: Mapping[str, Any] = {
        "analysis": "int", "category": "text", "weight": "int", "how": "text", "concept": "int", "code": "text"
    }  # fmt: skip
    items = [
        {**each, "analysis": ids[str(each["analysis"])]} for each in queries.score_items() if each["analysis"] in ids
    ]
    database.hold("feature_item", Sheet(kinds, items))
    database.keep("feature_score", queries.scored)
    answer = database.arrays(queries.scores, _score_end(features))
    nothing = np.zeros(len(answer["row"]), dtype=np.int64)
    yield _found({**answer, "time": nothing, "concept": nothing, "detail": nothing})


def _of_people(database: Database, asked: Sequence[Analysis], rows: CohortRows, features: Features) -> Iterator[Found]:
    """What the persons themselves and their index dates say."""
    people = database.arrays(queries.people)
    known = np.unique(people["row"]).astype(np.int64)
    born = _smallest(len(rows), people["row"], people["born"])
    dates = rows.start[known]
    year = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    month = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    age = year - born[known]
    female = np.isin(known, people["row"][people["gender"] == _FEMALE])
    numbers = {"year": year, "month": month, "year_month": year * 100 + month, "age_group": np.floor(age / 5)}
    points = {"Chads2": age >= 75, "Chads2Vasc": 2 * (age >= 75) + ((age >= 65) & (age < 75)) + female}
    by_shape = {each.shape: each.id for each in asked}
    for shape, number in numbers.items():
        if shape in by_shape:
            yield _cells(by_shape[shape], known, np.ones(len(known)), number)
    if "age" in by_shape:
        yield _cells(by_shape["age"], known, age)
    for each in asked:
        if each.name in points:
            yield _cells(each.id, known, points[each.name])
    yield from _coded_people(database, by_shape, people, features)
    yield from _times(database, by_shape, rows)


def _smallest(rows: int, row: NDArray[Any], value: NDArray[Any]) -> NDArray[np.float64]:
    """The smallest value of each row, NaN where there is none."""
    found = np.full(rows, np.nan)
    np.fmin.at(found, row.astype(np.int64), value.astype(np.float64))
    return found


def _coded_people(
    database: Database,
    by_shape: Mapping[Shape, int],
    people: Columns,
    features: Features,
) -> Iterator[Found]:
    """Gender, race and ethnicity; the latter two where the vocabulary says that they are."""
    classes: Mapping[Shape, str | None] = {"gender": None, "race": "race", "ethnicity": "ethnicity"}
    members = database.arrays(queries.filtered)
    for shape, of_class in classes.items():
        if shape not in by_shape:
            continue
        concept = np.nan_to_num(people[shape].astype(np.float64)).astype(np.int64)
        usable = concept != 0
        if of_class is not None:
            usable &= np.isin(concept, _of_class(database, concept, of_class))
        for number, name in enumerate(queries.FILTERS):
            if getattr(features, name) is not None:
                inside = np.isin(concept, members["concept"][members["concept_set"] == number])
                usable &= inside if name == "only" else ~inside
        pairs = np.unique(np.stack([people["row"][usable], concept[usable]], axis=1).reshape(-1, 2), axis=0)
        yield _cells(by_shape[shape], pairs[:, 0], np.ones(len(pairs)), pairs[:, 1])


def _of_class(database: Database, concept: NDArray[np.int64], of_class: str) -> NDArray[Any]:
    """The concepts that are of a class."""
    known = _known(database, concept)
    found: NDArray[Any] = known["concept"][known["class"] == of_class]
    return found


def _times(database: Database, by_shape: Mapping[Shape, int], rows: CohortRows) -> Iterator[Found]:
    """Days of observation before and after the index, and in the cohort."""
    if "before" in by_shape or "after" in by_shape:
        answer = database.arrays(queries.observed)
        for side in ("before", "after"):
            if side in by_shape:
                yield _cells(by_shape[side], answer["row"], answer[side])
    if "inside" in by_shape:
        days = (rows.end - rows.start).astype("timedelta64[D]").astype(np.int64)
        yield _cells(by_shape["inside"], np.arange(len(rows)), days)


def _own(features: Features, matrix: NDArray[np.float64]) -> Iterator[Found]:
    """The study's own covariates: what holds, and numbers that are there."""
    for place, covariate in enumerate(features.own):
        values = matrix[:, place]
        here = np.flatnonzero(values if covariate.binary else ~np.isnan(values))
        number = np.full(len(here), place + 1)
        yield _cells(OWN if covariate.binary else OWN_NUMBER, here, values[here], number)


def _cells(analysis: int, row: NDArray[Any], value: NDArray[Any], concept: NDArray[Any] | None = None) -> Found:
    """Cells of one analysis; those without a number are left out."""
    concept = np.zeros(len(row)) if concept is None else concept.astype(np.float64)
    there = ~np.isnan(value.astype(np.float64)) & ~np.isnan(concept)
    return _cells_of(np.full(int(there.sum()), analysis), row[there], value[there], concept[there])


def _cells_of(
    analysis: NDArray[Any], row: NDArray[Any], value: NDArray[Any], concept: NDArray[Any] | None = None
) -> Found:
    nothing = np.zeros(len(row))
    cells = {"row": row, "analysis": analysis, "time": nothing, "detail": nothing, "value": value}
    return _found({**cells, "concept": nothing if concept is None else concept})


def _found(answer: Columns) -> Found:
    whole = {name: answer[name].astype(np.int64) for name in _NAMES[:-1]}
    return Found(**whole, value=answer["value"].astype(np.float64))


def _together(parts: Sequence[Found], asked: Sequence[Analysis]) -> Found:
    """All cells; of a score, the parts that conditions and age give are one."""
    whole = {name: np.concatenate([getattr(each, name) for each in parts]) for name in _NAMES}
    scored = np.isin(whole["analysis"], [each.id for each in asked if each.shape == "score"])
    of_row = whole["row"][scored] * 1_000 + whole["analysis"][scored]
    keys, place = np.unique(of_row, return_inverse=True)
    value = np.bincount(place, weights=whole["value"][scored], minlength=len(keys))
    sums = _cells_of(keys % 1_000, keys // 1_000, value)
    return _found({name: np.concatenate([array[~scored], getattr(sums, name)]) for name, array in whole.items()})


def _labels(database: Database, asked: Sequence[Analysis], found: Found) -> dict[int, str]:
    """The names of the concepts that covariates speak of."""
    shapes = ("gender", "race", "ethnicity", "concept", "group", "value", "range", "coded", "visit_concepts")
    spoken = np.isin(found.analysis, [each.id for each in asked if each.shape in shapes])
    pairs = (found.concept[spoken], found.detail[spoken])
    known = _known(database, np.concatenate(pairs))
    return {int(concept): str(name) for concept, name in zip(known["concept"], known["name"], strict=True) if name}


def _known(database: Database, concepts: NDArray[np.int64]) -> Columns:
    """What the vocabulary knows of concepts."""
    database.show("feature_concept", {"concept": np.unique(concepts)})
    return database.arrays(queries.named)
