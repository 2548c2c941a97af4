-- What the flagship study must find: the complete windows of people at risk, with all that their risk is made of.
CREATE OR REPLACE TEMP TABLE windows AS
SELECT
    person_id::BIGINT AS person_id, t, review AS index_date, age, female, hypertensive AS hypertension, hba1c, egfr, nefrovian, veltimol,
    cardivane, ckd_risk, ckd_t = t AS ckd
FROM reviews
JOIN courses USING (person_id)
WHERE diabetic AND ckd_t >= t AND t <= end_t AND t < death_t AND review - courses.registered >= 365
