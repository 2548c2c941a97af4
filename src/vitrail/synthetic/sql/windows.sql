-- What a study must find, if its cohorts are right: the complete windows of people at risk, with all that their risk is
-- made of. Complete: observed for a year before the review and for the 365 days after it.
CREATE OR REPLACE TEMP VIEW complete_windows AS
SELECT * FROM reviews JOIN courses USING (person_id)
WHERE t <= end_t AND t < death_t AND review - registered >= 365;

CREATE OR REPLACE TEMP VIEW ckd_windows AS
SELECT
    person_id::BIGINT AS person_id, t, review AS index_date, age, female, hypertensive AS hypertension, hba1c, egfr,
    nefrovian, veltimol, ckd_risk AS risk, ckd_t = t AS event
FROM complete_windows
WHERE diabetic AND ckd_t >= t;

CREATE OR REPLACE TEMP VIEW heart_failure_windows AS
SELECT
    person_id::BIGINT AS person_id, t, review AS index_date, age, hypertensive AS hypertension, diabetic AS diabetes,
    ckd_t < t AS ckd, cardivane AND hypertensive AS cardivane_with_hypertension,
    cardivane AND NOT hypertensive AS cardivane_without_hypertension,
    expit(heart_failure_predictor + term((ckd_t < t)::INTEGER, getvariable('heart_failure').ckd)) AS risk,
    heart_failure_t = t AS event
FROM complete_windows
WHERE heart_failure_t >= t;
