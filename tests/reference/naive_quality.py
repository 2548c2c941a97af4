"""What the checks of quality find, computed again without SQL: one pandas expression for each type of check.

Days are whole numbers since 1970, so that any day that OMOP knows fits.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from vitrail.omop.snapshot import Check
from vitrail.omop.tables import TABLES
from vitrail.quality.limits import limits, plausible

Tables = Mapping[str, pd.DataFrame]
Counted = tuple[int, int]

EPOCH = date(1970, 1, 1)
JUNE = 151
"""Days from the first of January to the first of June of a year of 365 days."""


def frame(table: pa.Table) -> pd.DataFrame:
    """A table with its days as whole numbers, and missing values as missing."""
    columns = {
        name: (column.cast(pa.int32()) if pa.types.is_date(column.type) else column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    kinds = {pa.int32(): pd.Int64Dtype(), pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(),
             pa.string(): pd.StringDtype()}  # fmt: skip
    return pa.table(columns).to_pandas(types_mapper=kinds.get)


def counted(tables: Tables, source: Tables, check: Check, today: date) -> Counted:
    """The rows of a check and the violations among them; ``source`` is what the load began with."""
    return TYPES[check.name](tables, source, check, today)


def _value(check: Check) -> str:
    """What the field of a check is compared with."""
    (value,) = {each.value for each in limits(check.name) if (each.table, each.field) == (check.table, check.field)}
    return value


def _of(rows: Any, bad: Any) -> Counted:
    return int(rows.fillna(False).sum()), int((rows & bad).fillna(False).sum())


def _missing(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    return len(t[c.table]), int(t[c.table][c.field].isna().sum())


def _key(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    key = t[c.table][c.field]
    return len(key), int((key.notna() & key.duplicated(keep=False)).sum())


def _foreign(t: Tables, source: Tables, c: Check, _: date) -> Counted:
    column = TABLES[c.table].column(str(c.field))
    assert column is not None
    if column.references == "concept":
        return _concept(t, c, lambda concept: pd.isna(concept))
    other = TABLES[str(column.references)]
    held = t if column.references == "person" else source
    field = held[c.table][c.field]
    return _of(field.notna(), ~field.isin(held[other.name][other.key].dropna()))


def _concept(t: Tables, c: Check, wrong: Callable[[Any], bool], what: str = "concept_id") -> Counted:
    """Of the records with a concept, those for which ``what`` the vocabulary says of it is wrong."""
    if t["concept"].empty:
        return 0, 0
    said = dict(zip(t["concept"].concept_id, t["concept"][what], strict=True))
    values = [int(each) for each in t[c.table][c.field].dropna() if each != 0]
    return len(values), sum(wrong(said.get(each, pd.NA)) for each in values)


def _domain(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    return _concept(t, c, lambda domain: not pd.isna(domain) and domain != _value(c), "domain_id")


def _class(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    return _concept(t, c, lambda of: not pd.isna(of) and of != _value(c), "concept_class_id")


def _standard(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    if t["concept"].empty:
        return 0, 0
    concepts = t["concept"]
    good = set(concepts[(concepts.standard_concept == "S").fillna(False) & concepts.invalid_reason.isna()].concept_id)
    known = set(t["concept"].concept_id)
    values = [int(each) for each in t[c.table][c.field].dropna() if each != 0]
    return len(values), sum(each in known and each not in good for each in values)


def _mapped(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    concept, table = t[c.table][c.field], t[c.table]
    of_text = str(c.field).startswith("unit_") and "unit_source_value" in table
    text = table["unit_source_value"].notna() if of_text else pd.Series(False, index=table.index)
    rows = concept.notna() | text
    return _of(rows, (concept == 0).fillna(False) | concept.isna())


def _texts(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    table = t[c.table]
    unmapped = table[table[_value(c)] == 0]
    return int(table[c.field].nunique()), int(unmapped[c.field].nunique())


def _persons(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    everyone = t["person"].person_id
    return len(everyone), int((~everyone.isin(t[c.table].person_id)).sum())


def _eras(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    occurred = t["condition_occurrence"]
    ill = set(occurred[occurred.condition_concept_id.fillna(0) != 0].person_id.dropna())
    return len(ill), len(ill - set(t["condition_era"].person_id))


def _overlaps(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    periods = t["observation_period"]
    found = 0
    for _person, own in periods.groupby("person_id"):
        rows = list(zip(own.observation_period_start_date, own.observation_period_end_date, strict=True))
        found += any(a[0] <= b[1] + 1 and b[0] <= a[1] + 1 for n, a in enumerate(rows) for b in rows[n + 1 :])
    return periods.person_id.nunique(), found


def _range(low: bool) -> Callable[[Tables, Tables, Check, date], Counted]:
    def count(t: Tables, _: Tables, c: Check, today: date) -> Counted:
        if c.concept is not None:
            return _concept_range(t, c, low)
        field = t[c.table][c.field]
        limit = _limit(_value(c), today)
        return _of(field.notna(), field < limit if low else field > limit)

    return count


def _limit(value: str, today: date) -> float:
    named = {"tomorrow": (today + timedelta(days=1) - EPOCH).days, "next year": today.year + 1}
    if value in named:
        return named[value]
    return (date.fromisoformat(value) - EPOCH).days if value.count("-") == 2 else float(value)


def _concept_range(t: Tables, c: Check, low: bool) -> Counted:
    (limit,) = [each for each in plausible() if (each.check, each.table, each.concept, each.unit)
                == (c.name, c.table, c.concept, c.unit)]  # fmt: skip
    table = t[c.table]
    own = table[(table[str(c.field)] == c.concept) & (table.unit_concept_id == c.unit)].value_as_number.dropna()
    return len(own), int(((own < float(limit.value)) if low else (own > float(limit.value))).sum())


def _year(t: Tables, c: Check) -> Any:
    """The year in which each record's person was born."""
    born = t["person"].groupby("person_id").year_of_birth.min()
    return t[c.table].person_id.map(born)


def _first_day(year: Any, of_june: bool = False) -> Any:
    def day(each: Any) -> Any:
        return pd.NA if pd.isna(each) else (date(int(each), 6 if of_june else 1, 1) - EPOCH).days

    return year.map(day).astype("Int64")


def _after(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    field, value = t[c.table][c.field], _value(c)
    if value == "birth":
        born = _first_day(_year(t, c), of_june=True)
        return _of(field.notna() & born.notna(), field < born)
    other = t[c.table][value]
    return _of(field.notna() & other.notna(), field < other)


def _born(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    field, born = t[c.table][c.field], _first_day(_year(t, c))
    return _of(field.notna() & born.notna(), field < born)


def _died(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    field = t[c.table][c.field]
    died = t[c.table].person_id.map(t["death"].groupby("person_id").death_date.min()).astype("Int64")
    known = t[c.table].person_id.isin(t["person"].person_id)
    return _of(field.notna() & died.notna() & known, field - died > 60)


def _ends(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    start, end = t[c.table][c.field], t[c.table][_value(c)]
    return _of(start.notna() & end.notna(), start > end)


def _visits(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    visits = t["visit_occurrence"].set_index("visit_occurrence_id")
    table = t[c.table]
    start, end = (
        table.visit_occurrence_id.map(visits[name]).astype("Int64") for name in ("visit_start_date", "visit_end_date")
    )
    field = table[c.field]
    return _of(field.notna() & start.notna(), (field < start - 7) | (field > end + 7))


def _observed(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    periods: dict[Any, list[tuple[Any, Any]]] = {}
    for row in t["observation_period"].itertuples():
        periods.setdefault(row.person_id, []).append(
            (row.observation_period_start_date, row.observation_period_end_date)
        )
    known = set(t["person"].person_id)
    pairs = [(p, d) for p, d in zip(t[c.table].person_id, t[c.table][c.field], strict=True) if not pd.isna(d)]
    inside = [p in known and any(a <= d <= b for a, b in periods.get(p, ())) for p, d in pairs]
    return len(pairs), inside.count(False)


def _gender(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    (limit,) = [each for each in plausible() if (each.check, each.table, each.concept) == (c.name, c.table, c.concept)]
    concepts = {c.concept}
    if c.name == "plausibleGenderUseDescendants":
        above = t["concept_ancestor"]
        concepts = set(above[above.ancestor_concept_id == c.concept].descendant_concept_id)
    own = t[c.table][t[c.table][str(c.field)].isin(concepts)]
    own = own[own.person_id.isin(t["person"].person_id)]
    gender = own.person_id.map(t["person"].set_index("person_id").gender_concept_id).fillna(0)
    return len(gender), int((gender != int(limit.value)).sum())


def _units(t: Tables, _: Tables, c: Check, __: date) -> Counted:
    (limit,) = [each for each in plausible() if (each.check, each.table, each.concept) == (c.name, c.table, c.concept)]
    own = t[c.table][t[c.table][str(c.field)] == c.concept].unit_concept_id
    own = own[(own != 0).fillna(True)]
    return len(own), int((~own.dropna().isin([int(each) for each in limit.value.split()])).sum())


TYPES: Mapping[str, Callable[[Tables, Tables, Check, date], Counted]] = {
    "isRequired": _missing, "measureValueCompleteness": _missing, "isPrimaryKey": _key, "isForeignKey": _foreign,
    "fkDomain": _domain, "fkClass": _class, "isStandardValidConcept": _standard,
    "standardConceptRecordCompleteness": _mapped, "sourceConceptRecordCompleteness": _mapped,
    "sourceValueCompleteness": _texts, "measurePersonCompleteness": _persons,
    "measureConditionEraCompleteness": _eras, "measureObservationPeriodOverlap": _overlaps,
    "plausibleValueLow": _range(low=True), "plausibleValueHigh": _range(low=False), "plausibleTemporalAfter": _after,
    "plausibleDuringLife": _died, "plausibleAfterBirth": _born, "plausibleBeforeDeath": _died,
    "plausibleStartBeforeEnd": _ends, "withinVisitDates": _visits, "withinObservationPeriod": _observed,
    "plausibleGender": _gender, "plausibleGenderUseDescendants": _gender, "plausibleUnitConceptIds": _units,
}  # fmt: skip
"""Each type of check that counts records."""
