"""`python -m bench.omop_source DIR PERSONS [csv]`: OMOP tables of made-up people, to time a load on.

Each person has 20 visits, 20 conditions, 20 drug exposures and 60 measurements: 122 rows. Types and columns are those
of an export of CDM 5.4; every tenth concept id is shared by many, as in real data.
"""

import sys
from pathlib import Path

import duckdb

DAY = "DATE '2010-01-01' + CAST(hash(i, 1) % 4000 AS INTEGER)"
OF = "CAST(i % {persons} + 1 AS BIGINT) AS person_id"
VISIT = "CAST(hash(i, 9) % ({persons} * 20) + 1 AS BIGINT) AS visit_occurrence_id"
CONCEPT = "CAST(4000000 + pow(hash(i, 2) % 10000, 2) / 20000 AS INTEGER)"

QUERIES = {
    "person": "SELECT CAST(i + 1 AS BIGINT) AS person_id, CASE WHEN i % 2 = 0 THEN 8507 ELSE 8532 END AS"
    " gender_concept_id, CAST(1930 + hash(i) % 80 AS INTEGER) AS year_of_birth, CAST(1 + hash(i, 5) % 12 AS INTEGER) AS"
    " month_of_birth, 8527 AS race_concept_id, 38003564 AS ethnicity_concept_id, 'MRN' || i AS person_source_value"
    " FROM range({persons}) AS t(i)",
    "observation_period": "SELECT CAST(i + 1 AS BIGINT) AS observation_period_id, CAST(i + 1 AS BIGINT) AS person_id,"
    " DATE '2010-01-01' AS observation_period_start_date, DATE '2020-12-31' AS observation_period_end_date,"
    " 32880 AS period_type_concept_id FROM range({persons}) AS t(i)",
    "visit_occurrence": f"SELECT CAST(i + 1 AS BIGINT) AS visit_occurrence_id, {OF}, 9202 AS visit_concept_id,"
    f" {DAY} AS visit_start_date, {DAY} + 1 AS visit_end_date, 32817 AS visit_type_concept_id,"
    " 'OP' AS visit_source_value FROM range({persons} * 20) AS t(i)",
    "condition_occurrence": f"SELECT CAST(i + 1 AS BIGINT) AS condition_occurrence_id, {OF},"
    f" {CONCEPT} AS condition_concept_id, {DAY} AS condition_start_date, CAST({DAY} AS TIMESTAMP) AS"
    f" condition_start_datetime, 32817 AS condition_type_concept_id, {VISIT},"
    " 'E' || hash(i, 2) % 1000 AS condition_source_value, 0 AS condition_source_concept_id"
    " FROM range({persons} * 20) AS t(i)",
    "drug_exposure": f"SELECT CAST(i + 1 AS BIGINT) AS drug_exposure_id, {OF}, {CONCEPT} + 1000000 AS drug_concept_id,"
    f" {DAY} AS drug_exposure_start_date, {DAY} + 30 AS drug_exposure_end_date, 32838 AS drug_type_concept_id,"
    f" CAST(hash(i, 4) % 90 AS DOUBLE) AS quantity, 30 AS days_supply, {VISIT},"
    " 'N' || hash(i, 2) % 1000 AS drug_source_value FROM range({persons} * 20) AS t(i)",
    "measurement": f"SELECT CAST(i + 1 AS BIGINT) AS measurement_id, {OF}, {CONCEPT} - 1000000 AS"
    f" measurement_concept_id, {DAY} AS measurement_date, 32817 AS measurement_type_concept_id,"
    f" (hash(i, 3) % 10000) / 10.0 AS value_as_number, 8840 AS unit_concept_id, {VISIT},"
    " 'L' || hash(i, 2) % 1000 AS measurement_source_value, 'mg/dL' AS unit_source_value"
    " FROM range({persons} * 60) AS t(i)",
}


def generate(directory: Path, persons: int, kind: str = "parquet") -> None:
    """Write the tables as ``kind`` (``parquet`` or ``csv``) files into a new directory."""
    directory.mkdir(parents=True)
    options = "FORMAT parquet, COMPRESSION zstd" if kind == "parquet" else "FORMAT csv, HEADER"
    with duckdb.connect(config={"memory_limit": "3GB", "temp_directory": str(directory / ".spill")}) as db:
        for name, query in QUERIES.items():
            db.execute(f"COPY ({query.format(persons=persons)}) TO '{directory / name}.{kind}' ({options})")


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
