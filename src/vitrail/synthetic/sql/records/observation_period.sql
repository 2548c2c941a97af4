SELECT
    person_id::BIGINT AS observation_period_id,
    person_id::BIGINT AS person_id,
    registered AS observation_period_start_date,
    observed_until AS observation_period_end_date,
    32817 AS period_type_concept_id
FROM courses
ORDER BY person_id
