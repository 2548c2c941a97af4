-- One row for each person: what happened to them, and when.
--
-- The order of the three questions keeps the risks exact without a loop over years: kidney disease does not depend on the
-- other two, heart failure depends on kidney disease known before, death on both known before. In the window in
-- which somebody dies neither of the others happens, so each risk is a risk given survival of its window, which is
-- what a study that leaves out incomplete windows estimates. t = 99: never; t = -1: before registration.
CREATE OR REPLACE TEMP TABLE courses AS
WITH with_ckd AS (
    SELECT person_id, if(any_value(known_ckd), -1, coalesce(min(t) FILTER (ckd_draw < ckd_risk), 99)) AS ckd_t
    FROM reviews JOIN people USING (person_id) GROUP BY person_id
), with_heart_failure AS (
    SELECT person_id, any_value(ckd_t) AS ckd_t, coalesce(min(t) FILTER (heart_failure_draw < expit(
        heart_failure_predictor + term((ckd_t < t)::INTEGER, getvariable('heart_failure').ckd))), 99) AS heart_failure_t
    FROM reviews JOIN with_ckd USING (person_id) GROUP BY person_id
), with_death AS (
    SELECT person_id, any_value(ckd_t) AS ckd_t, any_value(heart_failure_t) AS heart_failure_t,
        coalesce(min(t) FILTER (death_draw < expit(death_predictor
            + term((ckd_t < t)::INTEGER, getvariable('death').ckd)
            + term((heart_failure_t < t)::INTEGER, getvariable('death').heart_failure))), 99) AS death_t
    FROM reviews JOIN with_heart_failure USING (person_id) GROUP BY person_id
), placed AS (
    SELECT
        * REPLACE (
            if(ckd_t < death_t, ckd_t, 99) AS ckd_t,
            if(heart_failure_t < death_t, heart_failure_t, 99) AS heart_failure_t
        ),
        least(last_t, death_t) AS end_t,
        first_possible_review + 365 * heart_failure_t AS heart_failure_review,
        first_possible_review + 365 * (diabetes_year - 2008) AS diabetes_review,
        1 + one_of(uniform(state, 31), 365) AS ckd_day,
        90 + one_of(uniform(state, 32), 91) AS ckd_gap,
        -- Not the window's last day: that window would be complete.
        if(death_t < 99, first_possible_review + 365 * death_t + 1 + one_of(uniform(state, 33), 364), NULL) AS died
    FROM people JOIN with_death USING (person_id)
), dated AS (
    SELECT
        * EXCLUDE (diabetes_review, heart_failure_review),
        coalesce(died, first_possible_review + 365 * (last_t + 1)) AS observed_until,
        CASE
            WHEN diabetes_year < 2008 + first_t THEN registered
            WHEN diabetes_year <= 2008 + end_t THEN diabetes_review + 1 + one_of(uniform(state, 34),
                open_until(diabetes_review, registered) - diabetes_review)
        END AS diabetes_onset,
        if(heart_failure_t < 99, heart_failure_review + 1 + one_of(uniform(state, 35),
            open_until(heart_failure_review, registered) - heart_failure_review), NULL) AS heart_failure_onset,
        CASE
            WHEN ckd_t = -1 THEN registered
            WHEN ckd_t < 99 THEN first_possible_review + 365 * ckd_t + ckd_day
        END AS ckd_onset
    FROM placed
)
SELECT
    * REPLACE (if(diabetes_onset <= observed_until, diabetes_onset, NULL) AS diabetes_onset),
    -- The first low eGFR is never on a review's own day.
    if(ckd_t BETWEEN 0 AND 98 AND ckd_measured, ckd_onset - ckd_gap - (ckd_gap = ckd_day)::INTEGER, NULL)
        AS first_low_egfr,
    if(diabetes_by_laboratory AND diabetes_onset > registered AND diabetes_onset <= observed_until,
        diabetes_onset - 30 - one_of(uniform(state, 36), 150), NULL) AS first_high_hba1c
FROM dated;
