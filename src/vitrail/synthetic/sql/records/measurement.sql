-- A review of somebody with diabetes always has eGFR and HbA1c; everything else may be missing. Before kidney disease is
-- confirmed every eGFR is at least 60 except the first low one, 90 to 181 days before; before the onset of diabetes
-- every HbA1c is below 6.5 except the first high one. Those two are drawn outside the clinic: no visit.
CREATE OR REPLACE TEMP MACRO low_egfr(years, z) AS round(greatest(8, least(59.9, 56 - 2.5 * years + 3 * z)), 1);

WITH labs AS (
    SELECT *, coalesce(review >= ckd_onset, false) AS after_ckd,
        diabetic OR uniform(draws, 10) < getvariable('site').labs_without_diabetes AS tested
    FROM care
), further AS (
    SELECT contacts.*, egfr_usual, hba1c_usual, diabetic, ckd_t, ckd_onset
    FROM contacts
    JOIN care USING (person_id, t)
    WHERE kind = 'further' AND (diabetic OR hypertensive)
        AND uniform(contacts.draws, 6) < getvariable('site').further_labs
), unconfirmed AS (
    -- A low eGFR in somebody's last year of observation, which nobody lived or stayed to confirm.
    SELECT *, review + 1 + one_of(uniform(draws, 33), observed_until - review - 1) AS date
    FROM care
    WHERE t = end_t AND ckd_t = 99 AND uniform(draws, 34) < 0.05
), measured AS (
    SELECT person_id, 10 * visit_occurrence_id + 1 AS measurement_id, visit_occurrence_id, review AS date,
        2000002001 AS concept_id, if(after_ckd, low_egfr(t - ckd_t, normal(draws, 11)), egfr) AS value,
        2000004001 AS unit
    FROM labs WHERE tested
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 2, visit_occurrence_id, review, 2000002002, hba1c, 2000004002
    FROM labs WHERE tested
    UNION ALL
    -- The early signal: albumin doubles in the year before kidney disease is confirmed.
    SELECT person_id, 10 * visit_occurrence_id + 3, visit_occurrence_id, review, 2000002003,
        round(2 ** (getvariable('albumin').log2_mean + getvariable('albumin').log2_sd * normal(draws, 13)
            + getvariable('albumin').log2_rise * if(ckd_t = t, 1, 0) + 2 * after_ckd::INTEGER), 1),
        2000004003
    FROM labs WHERE tested AND uniform(draws, 15) < getvariable('site').albumin_recorded
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 4, visit_occurrence_id, review, 2000002011,
        round(greatest(15, bmi_usual + 0.6 * normal(draws, 35)), 1), 2000004004
    FROM labs WHERE uniform(draws, 16) < getvariable('site').bmi_recorded
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 5, visit_occurrence_id, review, 2000002012,
        round(greatest(80, 112 + 14 * hypertensive::INTEGER + 0.2 * (age - 40) + 9 * normal(draws, 37))), 2000004005
    FROM labs WHERE uniform(draws, 17) < getvariable('site').pressure_recorded
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 1, visit_occurrence_id, date, 2000002001,
        if(date >= ckd_onset, low_egfr(t - ckd_t, normal(draws, 7)),
            round(least(125, above_60(egfr_usual + 4 * normal(draws, 7))), 1)), 2000004001
    FROM further
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 2, visit_occurrence_id, date, 2000002002,
        round(greatest(5.2, least(13.0, hba1c_usual + 0.35 * normal(draws, 9))), 1), 2000004002
    FROM further WHERE diabetic
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 1, visit_occurrence_id, date, 2000002001,
        low_egfr(0, normal(contacts.draws, 7)), 2000004001
    FROM contacts JOIN courses USING (person_id) WHERE kind = 'kidney disease' AND ckd_measured
    UNION ALL
    SELECT person_id, 10 * visit_occurrence_id + 2, visit_occurrence_id, date, 2000002002,
        round(6.5 + 2 * uniform(contacts.draws, 9), 1), 2000004002
    FROM contacts JOIN courses USING (person_id) WHERE kind = 'diabetes' AND diabetes_by_laboratory
    UNION ALL
    SELECT person_id, 10000 * person_id::BIGINT + 9001, NULL, first_low_egfr, 2000002001,
        low_egfr(0, normal(state, 40)), 2000004001
    FROM courses WHERE first_low_egfr IS NOT NULL
    UNION ALL
    SELECT person_id, 10000 * person_id::BIGINT + 9002, NULL, first_high_hba1c, 2000002002,
        round(6.5 + 1.5 * uniform(state, 42), 1), 2000004002
    FROM courses WHERE first_high_hba1c IS NOT NULL
    UNION ALL
    SELECT person_id, 10000 * person_id::BIGINT + 9003, NULL, date, 2000002001,
        low_egfr(0, normal(draws, 48)), 2000004001
    FROM unconfirmed
)
SELECT
    measurement_id,
    person_id::BIGINT AS person_id,
    concept_id AS measurement_concept_id,
    date AS measurement_date,
    32817 AS measurement_type_concept_id,
    value::DOUBLE AS value_as_number,
    unit AS unit_concept_id,
    visit_occurrence_id
FROM measured
ORDER BY person_id, date, measurement_id
