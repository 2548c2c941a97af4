-- Each person's true dates: of onset as the phenotypes must find it, and of entering and leaving observation.
SELECT
    person_id::BIGINT AS person_id, registered, observed_until, diabetes_onset, ckd_onset, heart_failure_onset, died
FROM courses
ORDER BY person_id
