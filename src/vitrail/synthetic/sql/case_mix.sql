-- What `CaseMix` says of one chunk of persons, as sums that can be added over chunks.
SELECT
    (SELECT count(*) FROM courses) AS persons,
    (SELECT count(diabetes_onset) FROM courses) AS with_diabetes,
    (SELECT count(ckd_onset) FROM courses) AS with_ckd,
    (SELECT count(heart_failure_onset) FROM courses) AS with_heart_failure,
    (SELECT count(died) FROM courses) AS died,
    count(*) AS windows,
    count(DISTINCT person_id) AS windows_persons,
    count(*) FILTER (event) AS events,
    count(*) FILTER (nefrovian AND event) AS given_events,
    count(*) FILTER (nefrovian) AS given,
    coalesce(sum(age), 0)::DOUBLE AS age,
    count(*) FILTER (female)::DOUBLE AS female,
    count(*) FILTER (hypertension)::DOUBLE AS hypertension,
    coalesce(sum(hba1c), 0)::DOUBLE AS hba1c,
    coalesce(sum(egfr), 0)::DOUBLE AS egfr,
    count(*) FILTER (nefrovian)::DOUBLE AS nefrovian,
    count(*) FILTER (veltimol)::DOUBLE AS veltimol
FROM ckd_windows
