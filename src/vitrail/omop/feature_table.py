"""Features as sparse tables: cells, a reference of covariates and one of analyses, and the matrix that they make.

Covariate ids and names are FeatureExtraction's (3.14.0, ``inst/sql/sql_server``; see docs/reference/covariates.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vitrail.study.features import Analysis, Features, Shape

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Ints = NDArray[np.int64]
Labels = Mapping[int, str]
"""Names of concepts."""

_BANDS = {1: "below normal range", 2: "within normal range", 3: "above normal range"}
_PLAIN: dict[Shape, str] = {
    "age": "age in years",
    "before": "observation time (days) prior to index",
    "after": "observation time (days) after index",
    "inside": "time (days) between cohort start and end",
}
_SCORES = {
    "CharlsonIndex": "Charlson index - Romano adaptation",
    "Dcsi": "Diabetes Comorbidity Severity Index (DCSI)",
    "Chads2": "CHADS2",
    "Chads2Vasc": "CHADS2VASc",
}
_NUMBERED: dict[Shape, str] = {"year": "index year: ", "month": "index month: ", "year_month": "index year and month: "}
_SHARED: tuple[Shape, ...] = ("value", "coded")
"""The shapes in which two concepts may meet in one covariate id."""
_PERSONS: tuple[Shape, ...] = ("gender", "race", "ethnicity")


@dataclass(frozen=True)
class Found:
    """Cells before they have ids: arrays of one length. ``detail`` is a unit, a value's concept or a range's number."""

    row: Ints
    analysis: Ints
    time: Ints
    concept: Ints
    detail: Ints
    value: NDArray[np.float64]


@dataclass(frozen=True)
class FeatureTable:
    """Covariates of so many ``rows``, as Arrow tables.

    ``cells``: row, covariate_id, time_id, value; sorted, each (row, covariate_id, time_id) once. ``time_id`` is the
    number of the study's own window, from 1; 0 where a covariate has none. A score may have the value 0.
    ``covariates``: covariate_id, name, analysis_id, concept_id, value_as_concept_id, unit_concept_id, collisions; by
    id.
    ``analyses``: analysis_id, name, domain, start_day, end_day, is_binary, missing_means_zero, calendar; by id.
    """

    rows: int
    cells: pa.Table
    covariates: pa.Table
    analyses: pa.Table

    def column(self, name: str) -> NDArray[Any]:
        """A column of the cells as an array."""
        found: NDArray[Any] = self.cells.column(name).to_numpy()
        return found

    def matrix(self) -> "tuple[csr_matrix, Ints, Ints]":
        """The (rows, columns) CSR matrix, and each column's covariate id and time id; zeros are not stored."""
        from scipy.sparse import csr_matrix  # a third of a second, for those alone who ask for it

        ids, of_id = np.unique(self.column("covariate_id"), return_inverse=True)
        times = int(max(self.column("time_id"), default=0)) + 1
        keys, place = np.unique(of_id * times + self.column("time_id"), return_inverse=True)
        found = csr_matrix((self.column("value"), (self.column("row"), place)), shape=(self.rows, len(keys)))
        found.eliminate_zeros()
        return found, ids[keys // times], keys % times


def tables(features: Features, rows: int, found: Found, names: Labels) -> FeatureTable:
    """The tables of what was found; ``names`` are those of the concepts in it."""
    asked = {each.id: each for each in all_asked(features)}
    ids = covariate_ids(asked, found)
    collisions, lost = _collisions(asked, ids, found)
    kept = np.flatnonzero(~lost)
    known, first, place = np.unique(ids[kept], return_index=True, return_inverse=True)
    times = max(len(features.windows or ()), 1) + 1
    kept = kept[np.argsort((found.row[kept] * len(known) + place) * times + found.time[kept])]
    cells = {"row": found.row, "covariate_id": ids, "time_id": found.time, "value": found.value}
    examples = np.flatnonzero(~lost)[first]
    return FeatureTable(
        rows,
        pa.table({name: array[kept] for name, array in cells.items()}),
        _covariates(features, asked, ids, found, examples, names, collisions),
        _analyses(features, list(asked.values())),
    )


def _collisions(asked: Mapping[int, Analysis], ids: Ints, found: Found) -> tuple[dict[int, int], NDArray[np.bool_]]:
    """How many other meanings an id has, where it could have some, and the cells that are given up for it.

    Of several meanings, the one with the smallest concepts is kept.
    """
    lost = np.zeros(len(ids), dtype=bool)
    shared = np.flatnonzero(np.isin(found.analysis, [key for key, of in asked.items() if of.shape in _SHARED]))
    if not len(shared):
        return {}, lost
    pairs = np.stack([ids[shared], found.concept[shared], found.detail[shared]], axis=1)
    kinds, place = np.unique(pairs, axis=0, return_inverse=True)
    known, first, meanings = np.unique(kinds[:, 0], return_index=True, return_counts=True)
    lost[shared] = ~np.isin(place.reshape(-1), first)
    return dict(zip(known.tolist(), (meanings - 1).tolist(), strict=True)), lost


def all_asked(features: Features) -> tuple[Analysis, ...]:
    """The analyses asked for, and those of the study's own covariates."""
    own = {998: "UserDefinedNumber", 999: "UserDefined"}
    used = {999 if each.binary else 998 for each in features.own}
    return (
        *features.asked(),
        *(Analysis(key, own[key], "own", "Cohort", "", "", False, False) for key in sorted(used)),
    )


def covariate_ids(asked: Mapping[int, Analysis], found: Found) -> Ints:
    """The covariate id of each cell."""
    ids = found.concept * 1_000 + found.analysis
    for key, analysis in asked.items():
        here = found.analysis == key
        concept, detail = found.concept[here], found.detail[here]
        if analysis.shape == "value":
            ids[here] = concept * 1_000_000 + detail % 1_000 * 1_000 + key
        elif analysis.shape == "range":
            ids[here] = concept * 10_000 + detail * 1_000 + key
        elif analysis.shape == "coded":
            ids[here] = value_concept_id(concept, detail, key)
        elif analysis.shape in (*_PLAIN, "score", "distinct", "visits"):
            ids[here] = 1_000 + key
    return ids


def value_concept_id(concept: Ints, value: Ints, analysis: int) -> Ints:
    """The id of a concept with a value: twenty bits of one's hash, twenty-two of the other's, and the analysis.

    The hash multiplies by 2654435769 (Knuth's golden ratio). Different pairs may meet in one id.
    """
    high = (concept * 2_654_435_769 // 4_096) & 1_048_575
    low = (value * 2_654_435_769 // 1_024) & 4_194_303
    return high * 4_194_304_000 + low * 1_000 + analysis


def _covariates(
    features: Features,
    asked: Mapping[int, Analysis],
    ids: Ints,
    found: Found,
    examples: Ints,
    names: Labels,
    collisions: Mapping[int, int],
) -> pa.Table:
    """The reference of covariates, from one cell of each."""
    columns = (ids, found.analysis, found.concept, found.detail)
    rows = []
    for key, analysis, concept, detail in zip(*(column[examples].tolist() for column in columns), strict=True):
        of = asked[analysis]
        rows.append({
            "covariate_id": key, "name": covariate_name(features, of, concept, detail, names), "analysis_id": analysis,
            "concept_id": 0 if of.shape in (*_NUMBERED, "age_group", "own", "visit_concepts") else concept,
            "value_as_concept_id": detail if of.shape == "coded" else None,
            "unit_concept_id": detail if of.shape == "value" else None, "collisions": collisions.get(key),
        })  # fmt: skip
    return pa.Table.from_pylist(rows, _COVARIATES)


_COVARIATES = pa.schema([
    ("covariate_id", pa.int64()), ("name", pa.string()), ("analysis_id", pa.int64()), ("concept_id", pa.int64()),
    ("value_as_concept_id", pa.int64()), ("unit_concept_id", pa.int64()), ("collisions", pa.int64()),
])  # fmt: skip


def covariate_name(features: Features, of: Analysis, concept: int, detail: int, names: Labels) -> str:
    """The name of a covariate."""
    name = names.get(concept, "Unknown concept")
    if of.shape in _PERSONS:
        return f"{of.shape} = {name}"
    if of.shape == "age_group":
        return f"age group: {5 * concept:>3} - {5 * concept + 4:>3}"
    if of.shape in _NUMBERED:
        return f"{_NUMBERED[of.shape]}{concept}"
    if of.shape == "own":
        return features.own[concept - 1].name
    return _PLAIN.get(of.shape) or _SCORES.get(of.name) or _event_name(features, of, name, detail, names)


def _event_name(features: Features, of: Analysis, name: str, detail: int, names: Labels) -> str:
    """The name of a covariate that comes from a table of events."""
    low, high = features.span(of)
    since = "any time prior" if low is None else f"during day {low}"
    when = "" if features.temporal else f" {since} through {high} days relative to index"
    during = when.replace(" any", " during any")
    counted = "" if features.temporal else f" during day {low} through {high} concept_count relative to index"
    unit = names.get(detail, "Unknown unit") if detail else "Unknown unit"
    called = f" ({of.name})" if not features.temporal else ""
    found: dict[Shape, str] = {
        "concept": f"{of.table}{when}: {name}",
        "group": f"{of.table} group{called}{when}: {name}",
        "value": f"{of.table} value{'' if features.temporal else during}: {name} ({unit})",
        "range": f"measurement {_BANDS.get(detail)}{during}: {name}",
        "coded": f"{of.table}{when}: {name} = {names.get(detail, 'Unknown concept')}",
        "distinct": f"{of.table} distinct concept count{counted}",
        "visits": f"{of.table} concept count{counted}",
        "visit_concepts": f"{of.table} concept count{counted}: {name}",
    }
    return found[of.shape]


def _analyses(features: Features, asked: Sequence[Analysis]) -> pa.Table:
    rows = []
    for each in asked:
        fixed = each.shape in ("concept", "group", "range", "coded") and not features.temporal
        low, high = features.span(each) if fixed else (None, None)
        end = features.end_day if each.shape == "score" and not features.temporal else high
        rows.append({
            "analysis_id": each.id, "name": each.name, "domain": each.domain, "start_day": low, "end_day": end,
            "is_binary": each.binary, "missing_means_zero": each.missing_is_zero, "calendar": each.calendar,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, _ANALYSES)


_ANALYSES = pa.schema([
    ("analysis_id", pa.int64()), ("name", pa.string()), ("domain", pa.string()), ("start_day", pa.int64()),
    ("end_day", pa.int64()), ("is_binary", pa.bool_()), ("missing_means_zero", pa.bool_()), ("calendar", pa.bool_()),
])  # fmt: skip
