"""Eras, where a source has none: spans of one condition or one ingredient, by the conventions of OHDSI.

Occurrences of the same concept that begin at most 30 days (the persistence window) after all before have ended make one
era (https://ohdsi.github.io/CommonDataModel/cdm54.html#condition_era and #drug_era; as scripts at
https://ohdsi.github.io/CommonDataModel/sqlScripts.html).

* A condition without an end ends a day after it began, as in those scripts.
* A drug counts under each ingredient that it descends from: a standard concept of the class ``Ingredient`` of RxNorm or
  its extension. ``gap_days`` are the days of an era on which no exposure lay. The published script is known to get them
  wrong; this counts days, the first and the last included.
* Concept 0 makes no era: unmapped codes are not one illness.

Dose eras need doses, which OMOP's tables of exposures do not hold: they are empty where a source has none.
"""

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from vitrail.ingest.periods import replace_table
from vitrail.omop.sql import run, sql, table
from vitrail.omop.tables import Column

PERSISTENCE = 30
"""Days that may pass between two occurrences of one era."""

_CONDITIONS = (
    "SELECT person_id, condition_concept_id AS concept, condition_start_date AS first,"
    " coalesce(condition_end_date, condition_start_date + 1) AS last FROM extract.condition_occurrence"
    " WHERE condition_concept_id <> 0"
)
_DRUGS = (
    "SELECT e.person_id, i.concept_id AS concept, drug_exposure_start_date AS first, drug_exposure_end_date AS last"
    " FROM extract.drug_exposure AS e JOIN extract.concept_ancestor AS a ON a.descendant_concept_id = e.drug_concept_id"
    " JOIN extract.concept AS i ON i.concept_id = a.ancestor_concept_id AND i.concept_class_id = 'Ingredient'"
    " AND i.vocabulary_id IN ('RxNorm', 'RxNorm Extension') AND i.standard_concept = 'S'"
)
_ERAS = (
    "SELECT row_number() OVER (ORDER BY person_id, concept, first) AS id, *, last - first + 1 - days AS gap FROM"
    " (SELECT person_id, concept, min(first) AS first, max(last) AS last, CAST(count(*) AS INTEGER) AS rows,"
    " CAST(sum(greatest(0, last - greatest(first - 1, coalesce(before, first - 1)))) AS INTEGER) AS days FROM (SELECT"
    " *, sum(CASE WHEN first <= before + :window THEN 0 ELSE 1 END) OVER (PARTITION BY person_id, concept ORDER BY"
    " first, last, before NULLS FIRST) AS era FROM (SELECT *, max(last) OVER (PARTITION BY person_id, concept ORDER BY"
    " first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM :rows AS r) AS w) AS s"
    " GROUP BY person_id, concept, era) AS e"
)
"""Gaps and islands. ``before`` is the last day of all that began earlier; too long after it a new era begins."""


def derive_condition_eras(db: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> int:
    """Make ``extract.condition_era`` anew from conditions; the number of eras."""
    return _derive(
        db,
        "condition_era",
        columns,
        "SELECT id AS condition_era_id, person_id, concept AS condition_concept_id, first AS condition_era_start_date,"
        " last AS condition_era_end_date, rows AS condition_occurrence_count FROM :eras AS e",
        _CONDITIONS,
    )


def derive_drug_eras(db: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> int:
    """Make ``extract.drug_era`` anew from exposures to drugs with a known ingredient; the number of eras."""
    return _derive(
        db,
        "drug_era",
        columns,
        "SELECT id AS drug_era_id, person_id, concept AS drug_concept_id, first AS drug_era_start_date,"
        " last AS drug_era_end_date, rows AS drug_exposure_count, gap AS gap_days FROM :eras AS e",
        _DRUGS,
    )


def _derive(db: duckdb.DuckDBPyConnection, name: str, columns: Sequence[Column], query: str, rows: str) -> int:
    eras = exp.Subquery(this=sql(_ERAS, window=PERSISTENCE, rows=exp.Subquery(this=sql(rows))))
    replace_table(db, name, columns, query, eras=eras)
    return int(run(db, "SELECT count(*) FROM :t", t=table(name, "extract"))[0][0])
