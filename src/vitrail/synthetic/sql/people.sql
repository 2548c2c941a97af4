-- One row for each person: when they are in care, what they are like, and what they will be given or coded as.
--
-- Reviews are exactly 365 days apart, the first possible one between 8 January and 6 April 2008, so that all fifteen stay
-- in the first four months of their own calendar years (leap days move them four days back in all).
CREATE OR REPLACE TEMP TABLE people AS
WITH numbered AS (
    SELECT
        range::INTEGER AS person_id,
        branch(getvariable('seed'), range) AS state
    FROM range(getvariable('first_person'), getvariable('last_person') + 1)
), drawn AS (
    SELECT
        person_id,
        state,
        DATE '2008-01-08' + one_of(uniform(state, 1), 90) AS first_possible_review,
        if(uniform(state, 2) < getvariable('site').from_start, 0, 1 + one_of(uniform(state, 3), 12)) AS first_t,
        floor(ln(uniform(state, 4)) / ln(1 - getvariable('site').leaves))::INTEGER AS further_years,
        if(uniform(state, 5) < getvariable('site').long_history, 365 + one_of(uniform(state, 6), 300),
            200 + one_of(uniform(state, 6), 100)) AS history_days,
        uniform(state, 7) < getvariable('site').female AS female,
        greatest(20, least(88, round(getvariable('site').age_mean + getvariable('site').age_sd * normal(state, 8))))
            ::INTEGER AS age_joined,
        normal(state, 10) AS weight,
        (-ln(uniform(state, 12))) ** (1 / 3.5) AS diabetes_wait,
        (-ln(uniform(state, 13))) ** (1 / 3.0) AS hypertension_wait,
        normal(state, 14) AS kidney,
        normal(state, 16) AS decline,
        normal(state, 18) AS sugar,
        uniform(state, 20) AS smoking,
        uniform(state, 21) AS nefrovian_reluctance,
        uniform(state, 22) AS veltimol_reluctance,
        uniform(state, 23) AS cardivane_reluctance,
        uniform(state, 24) < getvariable('site').known_ckd AS known_ckd,
        uniform(state, 25) AS ckd_evidence,
        uniform(state, 26) < getvariable('site').diabetes_by_laboratory AS diabetes_by_laboratory,
        uniform(state, 27) < getvariable('site').specific_codes AS specific,
        uniform(state, 28) AS which_code,
        if(uniform(state, 29) < getvariable('site').race_recorded, uniform(state, 30), NULL) AS race
    FROM numbered
)
SELECT
    person_id,
    state,
    female,
    2008 + first_t - age_joined AS birth_year,
    first_possible_review,
    first_t,
    least(14, first_t + further_years) AS last_t,
    first_possible_review + 365 * first_t - history_days AS registered,
    -- Heavier people fall ill earlier.
    2008 + first_t - age_joined
        + floor(getvariable('site').diabetes_scale * exp(-0.12 * weight) * diabetes_wait)::INTEGER AS diabetes_year,
    2008 + first_t - age_joined
        + floor(getvariable('site').hypertension_scale * exp(-0.08 * weight) * hypertension_wait)::INTEGER
        AS hypertension_year,
    getvariable('site').egfr_mean - 0.7 * (age_joined - 60) + 11 * kidney AS egfr_joined,
    1.1 * exp(0.6 * decline) AS egfr_decline,
    getvariable('site').hba1c_mean + 0.9 * sugar AS hba1c_usual,
    5.5 + 0.25 * sugar AS hba1c_healthy,
    getvariable('site').bmi_mean + 4.5 * weight AS bmi_usual,
    CASE
        WHEN smoking < getvariable('site').smokes THEN 'current'
        WHEN smoking < getvariable('site').smokes + getvariable('site').smoked THEN 'former'
        ELSE 'never'
    END AS smoking,
    nefrovian_reluctance,
    veltimol_reluctance,
    cardivane_reluctance,
    known_ckd,
    known_ckd OR ckd_evidence >= getvariable('site').ckd_by_laboratory AS ckd_coded,
    NOT known_ckd AND (ckd_evidence < getvariable('site').ckd_by_laboratory
        OR ckd_evidence >= getvariable('site').ckd_by_laboratory + getvariable('site').ckd_by_code) AS ckd_measured,
    diabetes_by_laboratory,
    specific,
    which_code,
    CASE WHEN race IS NULL THEN 0 WHEN race < 0.7 THEN 8527 WHEN race < 0.88 THEN 8516 ELSE 8515 END AS race_concept_id
FROM drawn;
