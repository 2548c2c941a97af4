-- One row for each person and yearly review in care: what is recorded on that day, and the draws that decide what
-- happens in the window of 365 days after it. Nothing in this table depends on kidney disease, heart failure or death, so
-- that all reviews can be made at once; courses.sql finds what comes first.
CREATE OR REPLACE TEMP MACRO above_60(x) AS 60 + 5 * ln(1 + exp(((x) - 60) / 5));  -- smooth: no heap of people at 60

-- The last day of a review's year on which another visit may lie. In the first year of people with less than a
-- year of history it ends before they have one: else such a visit, and not the next review, would be their first index.
CREATE OR REPLACE TEMP MACRO open_until(review, registered) AS
    if(review - registered < 365, least(registered + 364, make_date(year(review), 12, 31)),
        make_date(year(review), 12, 31));

CREATE OR REPLACE TEMP TABLE reviews AS
WITH days AS (
    SELECT
        *,
        first_possible_review + 365 * t AS review,
        2008 + t - birth_year AS age,
        diabetes_year < 2008 + t AS diabetic,
        hypertension_year <= 2008 + t AS hypertensive,
        egfr_joined - egfr_decline * (t - first_t) AS egfr_usual,
        branch(state, 100 + t) AS draws
    FROM (SELECT *, unnest(range(first_t, last_t + 1))::INTEGER AS t FROM people)
), recorded AS (
    SELECT
        *,
        open_until(review, registered) AS open_until,
        round(least(125, above_60(egfr_usual + 4 * normal(draws, 1))), 1) AS egfr,
        round(if(diabetic, greatest(5.2, least(13.0, hba1c_usual + 0.35 * normal(draws, 3))),
            greatest(4.6, least(6.4, hba1c_healthy + 0.1 * normal(draws, 3)))), 1) AS hba1c,
        -- Each indication only grows, so a drug once given is given every year.
        (hypertensive OR diabetic) AND nefrovian_reluctance < expit(getvariable('site').nefrovian
            + 1.3 * hypertensive::INTEGER + 0.9 * diabetic::INTEGER + 0.7 * (90 - egfr_usual) / 10) AS nefrovian,
        (hypertensive OR diabetic) AND veltimol_reluctance < expit(getvariable('site').veltimol
            + 1.2 * hypertensive::INTEGER) AS veltimol,
        (hypertensive OR diabetic) AND cardivane_reluctance < expit(getvariable('site').cardivane
            + 0.6 * hypertensive::INTEGER + 0.3 * (age - 60) / 10) AS cardivane,
        uniform(draws, 5) AS ckd_draw,
        uniform(draws, 6) AS heart_failure_draw,
        uniform(draws, 7) AS death_draw
    FROM days
)
SELECT
    person_id, t, review, open_until, draws, age, diabetic, hypertensive, egfr_usual, egfr, hba1c,
    nefrovian, veltimol, cardivane, ckd_draw, heart_failure_draw, death_draw,
    expit(getvariable('ckd').intercept
        + term(age, getvariable('ckd').age)
        + term(female::INTEGER, getvariable('ckd').female)
        + term(hypertensive::INTEGER, getvariable('ckd').hypertension)
        + if(diabetic, term(hba1c, getvariable('ckd').hba1c), getvariable('ckd_without_diabetes'))
        + term(egfr, getvariable('ckd').egfr)
        + term(nefrovian::INTEGER, getvariable('ckd').nefrovian)
        + term(veltimol::INTEGER, getvariable('ckd').veltimol)) AS ckd_risk,
    getvariable('heart_failure').intercept
        + term(age, getvariable('heart_failure').age)
        + term(hypertensive::INTEGER, getvariable('heart_failure').hypertension)
        + term(diabetic::INTEGER, getvariable('heart_failure').diabetes)
        + term((cardivane AND hypertensive)::INTEGER, getvariable('heart_failure').cardivane_with_hypertension)
        + term((cardivane AND NOT hypertensive)::INTEGER, getvariable('heart_failure').cardivane_without_hypertension)
        AS heart_failure_predictor,
    getvariable('death').intercept
        + term(age, getvariable('death').age)
        + term((smoking = 'current')::INTEGER, getvariable('death').smoking) AS death_predictor
FROM recorded;
