-- What is taken all year is given at each review for a year; glucose-lowering drugs are added one by one.
WITH given AS (
    SELECT *, 1 AS number, 2000001002 + (which_code < 0.4)::INTEGER AS concept_id FROM care WHERE nefrovian
    UNION ALL
    SELECT *, 2, 2000001012 + (which_code < 0.5)::INTEGER FROM care WHERE veltimol
    UNION ALL
    SELECT *, 3, 2000001022 FROM care WHERE cardivane
    UNION ALL
    SELECT *, 4, 2000001032 FROM care WHERE diabetic AND which_code < 0.9
    UNION ALL
    SELECT *, 5, 2000001034 FROM care WHERE diabetic AND hba1c_usual > 7 AND 2008 + t - diabetes_year > 2
    UNION ALL
    SELECT *, 6, 2000001036 FROM care WHERE diabetic AND hba1c_usual > 8 AND 2008 + t - diabetes_year > 5
), exposures AS (
    SELECT person_id, visit_occurrence_id, number, concept_id, review AS date,
        least(review + 364, observed_until) AS until
    FROM given
    UNION ALL
    SELECT person_id, visit_occurrence_id, 7, 2000001042, date, least(date + 13, observed_until)
    FROM contacts
    JOIN courses USING (person_id)
    WHERE kind = 'further' AND uniform(draws, 5) < 0.25
)
SELECT
    10 * visit_occurrence_id + number AS drug_exposure_id,
    person_id::BIGINT AS person_id,
    concept_id::INTEGER AS drug_concept_id,
    date AS drug_exposure_start_date,
    until AS drug_exposure_end_date,
    32817 AS drug_type_concept_id,
    (until - date + 1)::INTEGER AS days_supply,
    visit_occurrence_id
FROM exposures
ORDER BY person_id, date, drug_exposure_id
