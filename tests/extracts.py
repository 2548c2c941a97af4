"""An OMOP source of many people, made by SQL, for loads that must hide them: its truth is the source itself."""

from pathlib import Path

import duckdb

FIRST, LAST = "2008-01-01", "2023-12-31"

_PEOPLE = """
CREATE TABLE person AS
SELECT n AS person_id, CASE WHEN hash(n, 1) % 2 = 0 THEN 8507 ELSE 8532 END AS gender_concept_id,
    CAST(1918 + hash(n, 2) % 90 AS INTEGER) AS year_of_birth, 8527 AS race_concept_id, 0 AS ethnicity_concept_id,
    n % 997 + 1 AS location_id, 'MRN-' || n AS person_source_value
FROM range(1, $people + 1) AS t(n)
"""

_PERIODS = """
CREATE TABLE observation_period AS
SELECT person_id AS observation_period_id, person_id,
    CASE WHEN hash(person_id, 3) % 10 < 4 THEN DATE '2008-01-01'
        ELSE DATE '2008-01-01' + CAST(hash(person_id, 4) % 2500 AS INTEGER) END AS observation_period_start_date,
    CASE WHEN hash(person_id, 5) % 10 < 7 THEN DATE '2023-12-31'
        ELSE DATE '2017-01-01' + CAST(hash(person_id, 6) % 2500 AS INTEGER) END AS observation_period_end_date,
    32817 AS period_type_concept_id
FROM person
"""

_VISITS = """
CREATE TABLE visit_occurrence AS
WITH days AS (
    SELECT p.person_id, n, o.observation_period_start_date + CAST(hash(p.person_id, n, 7)
        % (o.observation_period_end_date - o.observation_period_start_date + 1) AS INTEGER) AS day
    FROM person AS p JOIN observation_period AS o USING (person_id), range($visits) AS t(n)
)
SELECT person_id * 1000 + n AS visit_occurrence_id, person_id, 9202 AS visit_concept_id, moved AS visit_start_date,
    moved AS visit_end_date, 32817 AS visit_type_concept_id
FROM (SELECT *, CASE WHEN isodow(day) >= 6 AND hash(person_id, n, 8) % 10 < 9 THEN greatest(
    day - CAST(isodow(day) - 5 AS INTEGER) - CAST(hash(person_id, n, 9) % 3 AS INTEGER), DATE '2008-01-01')
    ELSE day END AS moved FROM days)
"""

_MEASUREMENTS = """
CREATE TABLE measurement AS
SELECT visit_occurrence_id AS measurement_id, person_id, 3004249 AS measurement_concept_id,
    visit_start_date AS measurement_date, 32817 AS measurement_type_concept_id,
    CAST(90 + hash(visit_occurrence_id, 10) % 80 + CASE WHEN person_id = 5 THEN 500 ELSE 0 END AS DOUBLE)
        AS value_as_number, 8876 AS unit_concept_id, visit_occurrence_id
FROM visit_occurrence
"""

_LOCATIONS = """
CREATE TABLE location AS
SELECT n AS location_id, n || ' Elm Street' AS address_1, 'Springfield' AS city, 'MA' AS state,
    CASE WHEN n <= 40 THEN '03601' WHEN n = 41 THEN '94110' ELSE '02139' END AS zip
FROM range(1, 998) AS t(n)
"""


def extract(directory: Path, people: int, visits: int = 12) -> Path:
    """Write the source as Parquet into a new ``directory``: four in ten are observed from the first day of the extract
    on, seven in ten to its last; visits seldom fall on weekends."""
    directory.mkdir(parents=True)
    with duckdb.connect() as db:
        db.execute(_PEOPLE, {"people": people})
        db.execute(_PERIODS)
        db.execute(_VISITS, {"visits": visits})
        for statement in (_MEASUREMENTS, _LOCATIONS):
            db.execute(statement)
        for name in ("person", "observation_period", "visit_occurrence", "measurement", "location"):
            db.execute(f"COPY {name} TO '{directory / name}.parquet' (FORMAT parquet)")
    return directory
