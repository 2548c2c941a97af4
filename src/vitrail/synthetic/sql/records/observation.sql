SELECT
    10 * visit_occurrence_id AS observation_id,
    person_id::BIGINT AS person_id,
    2000003001 AS observation_concept_id,
    review AS observation_date,
    32817 AS observation_type_concept_id,
    CASE smoking WHEN 'never' THEN 2000003002 WHEN 'former' THEN 2000003003 ELSE 2000003004 END AS value_as_concept_id,
    visit_occurrence_id
FROM care
WHERE uniform(draws, 18) < getvariable('site').smoking_recorded
ORDER BY person_id, t
