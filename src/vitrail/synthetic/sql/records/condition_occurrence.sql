-- Codes follow the coder's habit: specific or general. No diagnosis is coded before its onset; after it, most
-- reviews repeat it. Onsets known from the laboratory alone are coded later (diabetes) or never (kidney disease).
WITH coded AS (
    SELECT person_id, visit_occurrence_id, date, 1 AS number,
        if(specific, 2000000011 + one_of(which_code, 4), 2000000010) AS concept_id
    FROM contacts
    JOIN courses USING (person_id)
    WHERE kind = 'registration' AND diabetes_onset = registered OR kind = 'diabetes' AND NOT diabetes_by_laboratory
    UNION ALL
    SELECT person_id, visit_occurrence_id, review, 1,
        if(specific, 2000000011 + one_of(which_code, 4), 2000000010)
    FROM care
    WHERE diabetic AND uniform(draws, 40) < 0.8
    UNION ALL
    SELECT person_id, visit_occurrence_id, review, 2,
        if(specific, 2000000022 + (which_code < 0.1)::INTEGER, 2000000021)
    FROM care
    WHERE hypertensive AND (t = greatest(first_t, hypertension_year - 2008) OR uniform(draws, 41) < 0.6)
    UNION ALL
    SELECT person_id, visit_occurrence_id, date, 3,
        if(specific, 2000000032 + (which_code < 0.2)::INTEGER, 2000000031)
    FROM contacts
    JOIN courses USING (person_id)
    WHERE ckd_coded AND (kind = 'registration' AND ckd_onset = registered OR kind = 'kidney disease')
    UNION ALL
    SELECT person_id, visit_occurrence_id, review, 3,
        if(specific, 2000000032 + (which_code < 0.2)::INTEGER, 2000000031)
    FROM care
    WHERE ckd_coded AND review >= ckd_onset AND uniform(draws, 42) < 0.7
    UNION ALL
    SELECT person_id, visit_occurrence_id, date, 4,
        if(specific, 2000000025 + (which_code < 0.5)::INTEGER, 2000000024)
    FROM contacts
    JOIN courses USING (person_id)
    WHERE kind = 'heart failure'
    UNION ALL
    SELECT person_id, visit_occurrence_id, review, 4,
        if(specific, 2000000025 + (which_code < 0.5)::INTEGER, 2000000024)
    FROM care
    WHERE review > heart_failure_onset AND uniform(draws, 43) < 0.5
    UNION ALL
    SELECT person_id, visit_occurrence_id, review, 5, if(uniform(draws, 44) < 0.5, 2000000002, 2000000003)
    FROM care
    WHERE bmi_usual >= 30 AND uniform(draws, 45) < 0.3
    UNION ALL
    SELECT person_id, contacts.visit_occurrence_id, date, 6, CASE
        WHEN female AND NOT diabetic AND age < 43 AND uniform(contacts.draws, 3) < 0.05 THEN 2000000016
        WHEN uniform(contacts.draws, 3) > 0.99 THEN 2000000035
        ELSE 2000000041 + one_of(uniform(contacts.draws, 4), 6)
    END
    FROM contacts
    JOIN care USING (person_id, t)
    WHERE kind = 'further'
)
SELECT
    10 * visit_occurrence_id + number AS condition_occurrence_id,
    person_id::BIGINT AS person_id,
    concept_id::INTEGER AS condition_concept_id,
    date AS condition_start_date,
    32817 AS condition_type_concept_id,
    visit_occurrence_id
FROM coded
ORDER BY person_id, date, condition_occurrence_id
