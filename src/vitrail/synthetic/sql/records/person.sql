SELECT
    person_id::BIGINT AS person_id,
    if(female, 8532, 8507) AS gender_concept_id,
    birth_year AS year_of_birth,
    race_concept_id,
    0 AS ethnicity_concept_id
FROM courses
ORDER BY person_id
