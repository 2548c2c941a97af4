-- Heart failure begins in hospital; one further contact in ten is an emergency.
SELECT
    visit_occurrence_id,
    person_id::BIGINT AS person_id,
    CASE
        WHEN kind = 'heart failure' THEN 9201
        WHEN kind = 'further' AND uniform(contacts.draws, 1) < 0.1 THEN 9203
        ELSE 9202
    END AS visit_concept_id,
    date AS visit_start_date,
    if(kind = 'heart failure', least(observed_until, date + 2 + one_of(uniform(contacts.draws, 1), 9)), date)
        AS visit_end_date,
    32817 AS visit_type_concept_id
FROM contacts
JOIN courses USING (person_id)
ORDER BY person_id, date, visit_occurrence_id
