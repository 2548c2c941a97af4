-- One row for each contact with care. Every contact is a visit. Apart from registration (in a year before the first
-- review's) and the confirmation of kidney disease, all of a year's contacts come after its review.
--
-- slot: 0 registration; 10 + 20 t the review of year t, then + 1 to + 12 further contacts, + 16 the onset of diabetes,
-- + 17 of kidney disease, + 18 of heart failure. A visit's id is 1000 * person_id + slot.
CREATE OR REPLACE TEMP VIEW care AS
SELECT reviews.*, courses.* EXCLUDE (person_id), 1000 * person_id::BIGINT + 10 + 20 * t AS visit_occurrence_id
FROM reviews JOIN courses USING (person_id) WHERE t <= end_t;

CREATE OR REPLACE TEMP TABLE contacts AS
WITH further AS (
    -- A geometric number of further contacts, uniform over the rest of the review's year.
    SELECT person_id, t, review, draws, open_until, observed_until, unnest(range(1, 1 + least(12, floor(ln(uniform(draws, 8))
        / ln(getvariable('site').visits / (1 + getvariable('site').visits)))::INTEGER)))::INTEGER AS number
    FROM care
), placed AS (
    SELECT person_id, 0 AS slot, 'registration' AS kind, registered AS date, branch(state, 200) AS draws,
        observed_until
    FROM courses
    UNION ALL
    SELECT person_id, 10 + 20 * t, 'review', review, draws, observed_until FROM care
    UNION ALL
    SELECT person_id, 10 + 20 * t + number, 'further', review + 1 + one_of(uniform(draws, 20 + number),
        open_until - review), branch(draws, 100 + number), observed_until
    FROM further
    UNION ALL
    SELECT person_id, 10 + 20 * (diabetes_year - 2008) + 16, 'diabetes', diabetes_onset, branch(state, 201),
        observed_until
    FROM courses WHERE diabetes_onset > registered
    UNION ALL
    SELECT person_id, 10 + 20 * ckd_t + 17, 'kidney disease', ckd_onset, branch(state, 202), observed_until
    FROM courses WHERE ckd_onset > registered
    UNION ALL
    SELECT person_id, 10 + 20 * heart_failure_t + 18, 'heart failure', heart_failure_onset, branch(state, 203),
        observed_until
    FROM courses WHERE heart_failure_onset IS NOT NULL
)
SELECT
    person_id,
    slot,
    (slot - 10) // 20 AS t,
    kind,
    date,
    draws,
    1000 * person_id::BIGINT + slot AS visit_occurrence_id
FROM placed
WHERE date <= observed_until;
