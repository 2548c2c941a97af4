SELECT person_id::BIGINT AS person_id, died AS death_date, 32817 AS death_type_concept_id
FROM courses
WHERE died IS NOT NULL
ORDER BY person_id
