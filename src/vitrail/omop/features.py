"""Features in SQL: OHDSI's covariates of all index rows, each table read once for all its windows.

Each table's records near the index are found first. Of the records that end a set of windows on one day, only the
latest of each row and concept matters: a window holds it, or holds none. So windows cost a comparison each, not a scan.

======================  =============================================================================================
``index_row``           row, person, start: the rows, by place
``feature_window``      source, shape, analysis, time, low, high, starting: every window of every analysis
``feature_reach``       source, high, low: the days on which a table's windows end, with the first day of the longest
``feature_item``        analysis, category, weight, how, concept, code: scores as written
``feature_member``      concept_set, concept: the concepts of ``only`` (0) and ``without`` (1)
``feature_event``       row, concept, began, ended, number, unit, band, coded: one table's records; days from the index
======================  =============================================================================================

An answer has the columns row, analysis, time, concept, detail, value. ``time`` is the number of a study's own window, 0
where there is none. The definitions are FeatureExtraction's (3.14.0, ``inst/sql/sql_server``).
"""

import csv
from functools import cache
from importlib import resources

from sqlglot import exp

from vitrail.omop.events import col, day_number
from vitrail.omop.sql import select, sql
from vitrail.omop.tables import TABLES
from vitrail.study.features import Analysis

FILTERS = ("only", "without")
"""The concept sets that narrow what makes a covariate, by their number in ``feature_member``."""

_BAND = "CASE WHEN e.value_as_number < e.range_low THEN 1 WHEN e.value_as_number > e.range_high THEN 3 ELSE 2 END"
_HELD = {
    "measurement": {
        "number": "e.value_as_number", "unit": "e.unit_concept_id", "coded": "e.value_as_concept_id",
        "band": f"CASE WHEN e.range_low IS NULL OR e.range_high IS NULL THEN NULL ELSE {_BAND} END",
    },
    "observation": {
        "number": "e.value_as_number", "unit": "e.unit_concept_id", "coded": "e.value_as_concept_id", "band": "NULL"
    },
}  # fmt: skip
_NOTHING = dict.fromkeys(("number", "unit", "coded", "band"), "NULL")


@cache
def score_items() -> tuple[dict[str, object], ...]:
    """The scores as ``feature_scores.csv`` writes them: rows of ``feature_item``, analyses by name.

    ``below``: the concept's descendants; ``not below``: not those; ``valid``: the concept itself, where it is valid;
    ``ICD9CM``: the standard concepts to which codes map that are LIKE this. A category counts its highest weight.
    The categories, weights and concepts are those of FeatureExtraction 3.14.0: ``CharlsonIndex.sql`` (Romano's
    adaptation), ``Dcsi.sql``, ``Chads2.sql`` and ``Chads2Vasc.sql``.
    """
    with resources.files("vitrail.omop").joinpath("feature_scores.csv").open(encoding="utf-8") as file:
        return tuple(_item(row) for row in csv.DictReader(file))


def _item(row: dict[str, str]) -> dict[str, object]:
    item: dict[str, object] = {name: row[name] for name in ("analysis", "category", "how")}
    coded = row["how"] == "ICD9CM"
    what = {"code": row["what"]} if coded else {"concept": int(row["what"])}
    return {**item, "weight": int(row["weight"]), **what}


def near(source: str, low: int | None, high: int) -> exp.Select:
    """``feature_event``: a table's records that start by day ``high`` and do not end before day ``low``."""
    table = TABLES[source]
    start = day_number(col(str(table.start), "e"))
    lasts = source.endswith("_era") or source == "visit_occurrence"
    ended = day_number(col(str(table.end), "e")) if lasts else start.copy()
    columns = {name: sql(text) for name, text in _HELD.get(source, _NOTHING).items()}
    query = select(_NEAR, concept=col(str(table.concept), "e"), source=exp.to_table(source), began=start, ended=ended,
                   high=exp.Literal.number(high), **columns)  # fmt: skip
    if low is None:
        return query
    return query.where(_condition(_LATE, began=start.copy(), ended=ended.copy(), low=_number(low)))


_NEAR = """
SELECT i.row, :concept AS concept, :began - i.start AS began, :ended - i.start AS ended,
  CAST(:number AS DOUBLE) AS number, CAST(:unit AS BIGINT) AS unit, CAST(:band AS BIGINT) AS band,
  CAST(:coded AS BIGINT) AS coded
FROM index_row AS i JOIN :source AS e ON e.person_id = i.person
WHERE :concept <> 0 AND :began - i.start <= :high
"""
_LATE = "SELECT 1 WHERE :ended - i.start >= :low OR :began - i.start >= :low"


def _condition(template: str, **parts: exp.Expr) -> exp.Expr:
    """The condition of a template that is a SELECT with nothing else."""
    condition: exp.Expr = select(template, **parts).args["where"].this
    return condition


def _number(value: int) -> exp.Expr:
    return exp.Neg(this=exp.Literal.number(-value)) if value < 0 else exp.Literal.number(value)


def _kept(query: exp.Select, filters: tuple[str, ...], concept: str = "e.concept") -> exp.Select:
    """The query with only the concepts that the concept sets leave."""
    for name in filters:
        members = select("SELECT concept FROM feature_member WHERE concept_set = :n", n=_number(FILTERS.index(name)))
        inside: exp.Expr = exp.In(this=exp.to_column(concept), query=members.subquery())
        query = query.where(exp.not_(inside) if name == "without" else inside)
    return query


def _seen(source: str, detail: str, filters: tuple[str, ...]) -> exp.Select:
    """(row, high, concept, detail, began, ended): the latest record of each, by each day on which windows end."""
    held = exp.Literal.number(0) if detail == "none" else col(detail, "e")
    query = select(_SEEN, source=exp.Literal.string(source), detail=held).group_by(
        col("row", "e"), col("high", "r"), col("concept", "e"), *([] if detail == "none" else [held.copy()])
    )
    if detail != "none":
        query = query.where(exp.not_(held.copy().is_(exp.null())), exp.NEQ(this=held.copy(), expression=_number(0)))
    return _kept(query, filters)


_SEEN = """
SELECT e.row, r.high, e.concept, :detail AS detail, MAX(e.began) AS began, MAX(e.ended) AS ended
FROM feature_event AS e JOIN feature_reach AS r ON r.source = :source AND e.began <= r.high
  AND (r.low IS NULL OR e.began >= r.low OR e.ended >= r.low)
"""
_IN_WINDOW = """
SELECT 1 WHERE w.source = :source AND w.shape = :shape AND w.high = s.high
  AND (w.low IS NULL OR CASE WHEN w.starting THEN s.began ELSE s.ended END >= w.low)
"""
_DETAIL = {"range": "band", "coded": "coded"}


def found(source: str, shape: str, filters: tuple[str, ...]) -> exp.Select:
    """What a table's analyses of one shape find in ``feature_event``."""
    parts: dict[str, exp.Expr] = {"source": exp.Literal.string(source), "shape": exp.Literal.string(shape)}
    fits = _condition(_IN_WINDOW, **parts)
    if shape in ("visits", "visit_concepts"):
        counted = _number(0) if shape == "visits" else col("concept", "s")
        query = select(_VISITS, concept=counted, **parts)
        by = [] if shape == "visits" else [col("concept", "s")]
        return _kept(query.group_by(*(col(*name) for name in _OF_ROW), *by), filters, "s.concept")
    if shape == "value":
        return select(_VALUES, latest=_kept(select(_LATEST, **parts), filters).subquery(), fits=fits)
    if shape == "group":
        query = select(_GROUPS, seen=_seen(source, "none", filters).subquery(), fits=fits)
        return _kept(query, filters, "g.ancestor")
    seen = _seen(source, _DETAIL.get(shape, "none"), filters)
    return select(_DISTINCT if shape == "distinct" else _CONCEPTS, seen=seen.subquery(), fits=fits)


_OF_ROW = (("row", "s"), ("analysis", "w"), ("time", "w"))
_CONCEPTS = """
SELECT s.row, w.analysis, w.time, s.concept, s.detail, CAST(1 AS DOUBLE) AS value
FROM :seen AS s JOIN feature_window AS w ON :fits
"""
_DISTINCT = """
SELECT s.row, w.analysis, w.time, 0 AS concept, 0 AS detail, CAST(COUNT(*) AS DOUBLE) AS value
FROM :seen AS s JOIN feature_window AS w ON :fits
GROUP BY s.row, w.analysis, w.time
"""
_GROUPS = """
SELECT DISTINCT s.row, w.analysis, w.time, g.ancestor AS concept, 0 AS detail, CAST(1 AS DOUBLE) AS value
FROM :seen AS s JOIN feature_window AS w ON :fits JOIN feature_group AS g ON g.concept = s.concept
"""
_VISITS = """
SELECT s.row, w.analysis, w.time, :concept AS concept, 0 AS detail, CAST(COUNT(*) AS DOUBLE) AS value
FROM feature_event AS s JOIN feature_window AS w ON w.source = :source AND w.shape = :shape
  AND s.began <= w.high AND s.ended >= w.low
"""
_LATEST = """
SELECT e.row, r.high, e.concept, e.unit, e.began, e.ended, e.number, ROW_NUMBER() OVER (
  PARTITION BY e.row, r.high, e.concept, e.unit ORDER BY e.began DESC, e.number) AS place
FROM feature_event AS e JOIN feature_reach AS r ON r.source = :source AND e.began <= r.high
  AND (r.low IS NULL OR e.began >= r.low)
WHERE e.number BETWEEN -1.7e308 AND 1.7e308 AND e.unit IS NOT NULL
"""
_VALUES = """
SELECT s.row, w.analysis, w.time, s.concept, s.unit AS detail, s.number AS value
FROM :latest AS s JOIN feature_window AS w ON :fits
WHERE s.place = 1
"""


def groups(source: str) -> exp.Select:
    """``feature_group``: (concept, ancestor) of the groups that conditions or drugs fall into.

    Drugs: ATC classes of 1, 3, 4 and 5 characters, and ingredients (of exposures, every standard drug). Conditions:
    what lies more than two levels below SNOMED's clinical finding, and the twenty broad groups that FeatureExtraction
    names, less those called after a place, a mechanism or nothing more than a finding or disorder of something.
    """
    return select(_DRUG_GROUPS if source == "drug_era" else _CONDITION_GROUPS)


_DRUG_GROUPS = """
SELECT DISTINCT a.descendant_concept_id AS concept, a.ancestor_concept_id AS ancestor
FROM concept_ancestor AS a JOIN concept AS c ON c.concept_id = a.ancestor_concept_id
WHERE c.concept_id <> 0 AND ((c.vocabulary_id = 'ATC' AND LENGTH(c.concept_code) IN (1, 3, 4, 5))
  OR (c.standard_concept = 'S' AND c.domain_id = 'Drug' AND c.concept_class_id = 'Ingredient'))
"""
_CONDITION_GROUPS = """
SELECT DISTINCT a.descendant_concept_id AS concept, a.ancestor_concept_id AS ancestor
FROM concept_ancestor AS a JOIN concept AS c ON c.concept_id = a.ancestor_concept_id
JOIN concept_ancestor AS f ON f.descendant_concept_id = c.concept_id AND f.ancestor_concept_id = 441840
WHERE c.domain_id = 'Condition' AND (f.min_levels_of_separation > 2 OR c.concept_id IN (
    433736, 433595, 441408, 72404, 192671, 137977, 434621, 437312, 439847, 4171917, 438555, 4299449, 375258, 76784,
    40483532, 4145627, 434157, 433778, 258449, 313878))
  AND c.concept_name NOT LIKE '%finding' AND c.concept_name NOT LIKE 'Disorder of%'
  AND c.concept_name NOT LIKE 'Finding of%' AND c.concept_name NOT LIKE 'Disease of%'
  AND c.concept_name NOT LIKE 'Injury of%' AND c.concept_name NOT LIKE '%by site'
  AND c.concept_name NOT LIKE '%by body site' AND c.concept_name NOT LIKE '%by mechanism'
  AND c.concept_name NOT LIKE '%of body region' AND c.concept_name NOT LIKE '%of anatomical site'
  AND c.concept_name NOT LIKE '%of specific body structure%'
"""


def scored() -> exp.Query:
    """``feature_score``: (analysis, category, weight, concept) of every concept that counts for a score."""
    return select(_SCORED)


_SCORED = """
SELECT DISTINCT h.analysis, h.category, h.weight, h.concept FROM (
  SELECT i.analysis, i.category, i.weight, a.descendant_concept_id AS concept
  FROM feature_item AS i JOIN concept_ancestor AS a ON a.ancestor_concept_id = i.concept
  WHERE i.how = 'below'
  UNION ALL
  SELECT i.analysis, i.category, i.weight, c.concept_id
  FROM feature_item AS i JOIN concept AS c ON c.concept_id = i.concept
  WHERE i.how = 'valid' AND c.invalid_reason IS NULL
  UNION ALL
  SELECT i.analysis, i.category, i.weight, t.concept_id
  FROM feature_item AS i JOIN concept AS c ON c.concept_code LIKE i.code AND c.vocabulary_id = 'ICD9CM'
  JOIN concept_relationship AS r ON r.concept_id_1 = c.concept_id AND r.relationship_id = 'Maps to'
  JOIN concept AS t ON t.concept_id = r.concept_id_2 AND t.vocabulary_id = 'SNOMED'
  WHERE i.how = 'ICD9CM'
) AS h LEFT JOIN (
  SELECT DISTINCT i.analysis, i.category, a.descendant_concept_id AS concept
  FROM feature_item AS i JOIN concept_ancestor AS a ON a.ancestor_concept_id = i.concept
  WHERE i.how = 'not below'
) AS x ON x.analysis = h.analysis AND x.category = h.category AND x.concept = h.concept
WHERE x.concept IS NULL
"""


def scores(end: int) -> exp.Select:
    """(row, analysis, value): the weights of the categories that a row's conditions up to day ``end`` fall into."""
    return select(_SCORES, end=_number(end))


_SCORES = """
SELECT c.row, c.analysis, SUM(c.weight) AS value FROM (
  SELECT e.row, k.analysis, k.category, MAX(k.weight) AS weight
  FROM feature_event AS e JOIN feature_score AS k ON k.concept = e.concept
  WHERE e.began <= :end
  GROUP BY e.row, k.analysis, k.category
) AS c GROUP BY c.row, c.analysis
"""


def people() -> exp.Select:
    """(row, gender, born, race, ethnicity) of each row whose person is known."""
    return select(_PEOPLE)


_PEOPLE = """
SELECT DISTINCT i.row, p.gender_concept_id AS gender, p.year_of_birth AS born, p.race_concept_id AS race,
  p.ethnicity_concept_id AS ethnicity
FROM index_row AS i JOIN person AS p ON p.person_id = i.person
"""


def observed() -> exp.Select:
    """(row, before, after): days of observation before and after the index; of several periods, the longest."""
    opens, closes = (day_number(col(f"observation_period_{end}_date", "o")) for end in ("start", "end"))
    return select(_OBSERVED, opens=opens, closes=closes)


_OBSERVED = """
SELECT i.row, MAX(i.start - :opens) AS before, MAX(:closes - i.start) AS after
FROM index_row AS i JOIN observation_period AS o ON o.person_id = i.person
WHERE :opens <= i.start AND :closes >= i.start
GROUP BY i.row
"""


def filtered() -> exp.Select:
    """(concept_set, concept): the concepts of ``only`` and ``without``."""
    return exp.select(col("concept_set"), col("concept")).from_("feature_member")


def named() -> exp.Select:
    """(concept, name, class) of the concepts in ``feature_concept`` that the vocabulary knows."""
    return select(_NAMED)


_NAMED = """
SELECT c.concept_id AS concept, MIN(c.concept_name) AS name, LOWER(MIN(c.concept_class_id)) AS class
FROM concept AS c JOIN feature_concept AS f ON f.concept = c.concept_id GROUP BY c.concept_id
"""


def sources(asked: tuple[Analysis, ...]) -> dict[str, list[Analysis]]:
    """The analyses that read a table of events, by table."""
    tables = dict.fromkeys(each.table for each in asked if each.table)
    return {table: [each for each in asked if each.table == table] for table in tables}
