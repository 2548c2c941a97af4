"""A study and its evidence, made by hand: two sites that answered, one that refused, suppressed cells, wide intervals.

The numbers are of the size that two unequal health systems would print under the default policy: a large community
system and a small referral centre. Nothing here was computed from anybody's records.
"""

import hashlib
import math

from vitrail.study.analyses.characterise import CharacteriseEvidence, PooledRate, SiteDifference
from vitrail.study.analyses.predict import (
    ALL_SITES,
    FITTED,
    INDEX_DATES,
    LOCKED,
    LOST,
    MISSING,
    Coefficient,
    Fit,
    PredictEvidence,
    Validation,
)
from vitrail.study.evidence import Basis, Evidence
from vitrail.study.release import (
    SUPPRESSED,
    Attrition,
    Calibration,
    Cell,
    Count,
    CountTable,
    Discrimination,
    Moments,
    Rate,
    RiskBin,
    RiskBins,
    ThresholdRow,
    Thresholds,
)
from vitrail.study.study import Study

SITES = ("community", "referral")
SILENT = "harbour"
AT_RISK, KIDNEY = "type 2 diabetes at risk", "chronic kidney disease"
STEPS = (
    "a diagnosis of type 2 diabetes",
    "observed for a year before",
    "aged 18 or over",
    "no dialysis or kidney transplant before",
    "no chronic kidney disease before",
)


def digest(text: str) -> str:
    """A content hash of some text, in place of a Release's."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def study() -> Study:
    """The flagship question."""
    condition = {"condition": "type 2 diabetes"}
    prior = [None, 0]
    return Study.model_validate_json(
        Study.model_validate(
            {
                "vitrail": "study/1",
                "title": "Which people with type 2 diabetes will develop chronic kidney disease, seen a year earlier?",
                "purpose": "early detection",
                "question": "Among adults with type 2 diabetes and no sign of kidney disease, who will have chronic "
                "kidney disease within one to two years, as far as can be told from records of an ordinary visit?",
                "protocol": "Chronic kidney disease follows KDIGO: two estimated glomerular filtration rates below 60 "
                "at least 90 days apart, or a recorded diagnosis.\n\nThe index date is the first visit of each "
                "calendar year among people at risk. It is never chosen by the outcome. A year lies between the index "
                "date and the window in which the outcome counts, so that a warning would leave time to act.",
                "authors": ("A. Clinician", "B. Statistician"),
                "concept_sets": {
                    name: {"concepts": ({"concept": 2_000_000_000 + number},)}
                    for number, name in enumerate(
                        ("type 2 diabetes", "kidney disease", "eGFR", "HbA1c", "hypertension", "NSAID")
                    )
                },
                "cohorts": {
                    AT_RISK: {"entry": (condition,), "observed": {"before": 365}, "keep": "first_of_each_year"},
                    KIDNEY: {"entry": ({"condition": "kidney disease"},), "keep": "first"},
                },
                "analyses": {
                    "who they are": {
                        "kind": "characterise",
                        "cohorts": (AT_RISK,),
                        "table": (
                            {"name": "hypertension", "has": {"condition": "hypertension"}, "days": tuple(prior)},
                            {"name": "HbA1c", "last": {"measurement": "HbA1c"}, "days": (-365, 0)},
                            {"name": "NSAID in the last year", "has": {"drug": "NSAID"}, "days": (-365, 0)},
                        ),
                        "incidence": (
                            {"name": "first chronic kidney disease", "population": AT_RISK, "outcome": KIDNEY},
                        ),
                    },
                    "a year earlier": {
                        "kind": "predict",
                        "target": AT_RISK,
                        "outcome": KIDNEY,
                        "horizon": (366, 730),
                        "leave_one_site_out": True,
                        "thresholds": (0.1, 0.2, 0.3),
                        "covariates": (
                            {"name": "age", "age": True, "centre": 60.0, "per": 10.0},
                            {"name": "female", "sex": "female"},
                            {
                                "name": "eGFR",
                                "last": {"measurement": "eGFR"},
                                "days": (-365, 0),
                                "centre": 90.0,
                                "per": 10.0,
                            },
                            {
                                "name": "HbA1c",
                                "last": {"measurement": "HbA1c"},
                                "days": (-365, 0),
                                "centre": 7.0,
                                "if_missing": 7.0,
                            },
                            {"name": "hypertension", "has": {"condition": "hypertension"}, "days": tuple(prior)},
                            {"name": "NSAID in the last year", "has": {"drug": "NSAID"}, "days": (-365, 0)},
                        ),
                    },
                },
            }
        ).model_dump_json()
    )


def _table(name: str, cells: dict[str, Count], unit: str = "persons") -> CountTable:
    counts = list(cells.values())
    total = SUPPRESSED if SUPPRESSED in counts else sum(counts)
    return CountTable(
        name=name, of=AT_RISK, unit=unit, total=total, cells=tuple(Cell(label=k, count=v) for k, v in cells.items())
    )


def _ages(*counts: Count) -> CountTable:
    labels = (*(f"{low}-{low + 9}" for low in range(0, 90, 10)), "90 and over", "not recorded")
    return _table("age group", dict(zip(labels, counts, strict=True)))


COUNTS = {
    "community": (
        _ages(0, 0, 60, 415, 1330, 2685, 3220, 2015, 690, 75, 0),
        _table("sex", {"female": 5170, "male": 5320, "not recorded": 0}),
        _table("hypertension", {"yes": 6405, "no": 4085}),
        _table("NSAID in the last year", {"yes": 2210, "no": 8280}),
    ),
    "referral": (
        _ages(0, 0, SUPPRESSED, 70, 240, 455, 620, 515, 190, SUPPRESSED, 0),
        _table("sex", {"female": 905, "male": 1220, "not recorded": 0}),
        _table("hypertension", {"yes": 1710, "no": 415}),
        _table("NSAID in the last year", {"yes": SUPPRESSED, "no": SUPPRESSED}),
    ),
}


def _moments(count: Count, missing: Count, mean: float, sd: float) -> Moments:
    return Moments(name="HbA1c", of=AT_RISK, count=count, missing=missing, mean=mean, sd=sd)


def characterised() -> CharacteriseEvidence:
    """Who they are: one step merged at the referral centre, two small age groups and a drug suppressed."""
    pooled = (
        _ages(0, 0, SUPPRESSED, 485, 1570, 3140, 3840, 2530, 880, SUPPRESSED, 0),
        _table("sex", {"female": 6075, "male": 6540, "not recorded": 0}),
        _table("hypertension", {"yes": 8115, "no": 4500}),
        _table("NSAID in the last year", {"yes": SUPPRESSED, "no": SUPPRESSED}),
    )
    differences = {
        "age group: 20-29": None,
        "age group: 30-39": 0.038,
        "age group: 40-49": 0.043,
        "age group: 50-59": 0.098,
        "age group: 60-69": 0.033,
        "age group: 70-79": -0.126,
        "age group: 80-89": -0.086,
        "age group: 90 and over": None,
        "sex: female": 0.135,
        "sex: male": -0.135,
        "hypertension": -0.447,
        "NSAID in the last year": None,
        "HbA1c": -0.412,
    }
    return CharacteriseEvidence(
        sites=SITES,
        attrition={
            "community": (_attrition((14_920, 12_860, 12_815, 12_690, 10_490), ()),),
            "referral": (_attrition((4_015, 2_940, 2_705, 2_125), (2,)),),
        },
        counts=COUNTS,
        moments={
            "community": (_moments(9_120, 1_370, 7.21, 1.32),),
            "referral": (_moments(2_050, 75, 7.84, 1.71),),
        },
        rates={
            "community": (_rate(10_490, 1_735, 61_204.4),),
            "referral": (_rate(2_125, 640, 9_871.2),),
        },
        pooled_counts=pooled,
        pooled_rates=(
            PooledRate(
                name="first chronic kidney disease",
                sites=SITES,
                events=2_375,
                person_years=71_075.6,
                rate=33.415,
                low=32.085,
                high=34.787,
            ),
        ),
        differences=tuple(
            SiteDifference(cohort=AT_RISK, row=row, first="community", second="referral", value=value)
            for row, value in differences.items()
        ),
        refused={SILENT: "not_approved"},
    )


def _attrition(counts: tuple[int, ...], hidden: tuple[int, ...]) -> Attrition:
    shown = [step for number, step in enumerate(STEPS) if number not in hidden]
    merged = [() for _ in shown]
    for number in hidden:
        merged[shown.index(STEPS[number + 1])] = (STEPS[number],)
    cells = tuple(Cell(label=step, count=count) for step, count in zip(shown, counts, strict=True))
    return Attrition(cohort=AT_RISK, steps=cells, merged=tuple(merged))


def _rate(persons: int, events: int, years: float) -> Rate:
    name = "first chronic kidney disease"
    return Rate(name=name, persons=persons, events=events, person_years=years, rate=1000 * events / years)


NAMES = ("intercept", "age", "female", "eGFR", "HbA1c", "hypertension", "NSAID in the last year")
FITS = {
    ALL_SITES: (
        SITES,
        (-3.112, 0.284, -0.108, -0.431, 0.166, 0.372, 0.195),
        (0.051, 0.021, 0.041, 0.019, 0.016, 0.047, 0.049),
    ),
    "without community": (
        ("referral",),
        (-2.918, 0.241, -0.021, -0.402, 0.204, 0.311, 0.402),
        (0.148, 0.058, 0.103, 0.047, 0.036, 0.139, 0.233),
    ),
    "without referral": (
        ("community",),
        (-3.154, 0.291, -0.124, -0.438, 0.158, 0.381, 0.176),
        (0.056, 0.023, 0.045, 0.021, 0.018, 0.051, 0.052),
    ),
}
FIT_ROWS = {"community": (28_450, 1_660), "referral": (5_120, 575)}


def _fit(name: str) -> Fit:
    sites, estimates, ses = FITS[name]
    return Fit(
        name=name,
        sites=sites,
        rounds=6,
        converged=True,
        log_likelihood=-1_000.5 * sum(FIT_ROWS[site][1] for site in sites) / 300,
        coefficients=tuple(
            Coefficient(covariate=n, estimate=e, se=s) for n, e, s in zip(NAMES, estimates, ses, strict=True)
        ),
        rows={site: FIT_ROWS[site][0] for site in sites},
        events={site: FIT_ROWS[site][1] for site in sites},
    )


def _index_dates(lost: Count, missing: Count, locked: Count, fitted: Count) -> CountTable:
    cells = {LOST: lost, MISSING: missing, LOCKED: locked, FITTED: fitted}
    return _table(INDEX_DATES, cells, "index dates")


EDGES = (0.0, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.18, 0.28, 1.0)
SHAPE = (0.30, 0.18, 0.13, 0.14, 0.09, 0.08, 0.05, 0.025, 0.005)
MEANS = (0.013, 0.0247, 0.0346, 0.0488, 0.0692, 0.0968, 0.1432, 0.2171, 0.351)


def _bins(rows: int, bias: float, fit: str, group: str, keep: int = len(MEANS)) -> RiskBins:
    """Bins whose observed share is ``bias`` times the predicted one; only the first ``keep``, the rest merged."""
    bins = []
    for number in range(keep):
        last = number == keep - 1
        share = sum(SHAPE[number:]) if last else SHAPE[number]
        rest = sum(s * m for s, m in zip(SHAPE[number:], MEANS[number:], strict=True))
        mean = rest / share if last else MEANS[number]
        high = 1.0 if last else EDGES[number + 1]
        positives = 5 * round(rows * share * mean * bias / 5)
        bins.append(
            RiskBin(
                low=EDGES[number],
                high=high,
                positives=positives,
                mean_risk=mean,
                negatives=5 * round((rows * share - positives) / 5),
            )
        )
    return RiskBins(fit=fit, group=group, bins=tuple(bins))


def _thresholds(fit: str, group: str, rows: tuple[tuple[float, Count, Count, Count, Count], ...]) -> Thresholds:
    return Thresholds(fit=fit, group=group, rows=tuple(_threshold(*row) for row in rows))


def _threshold(at: float, tp: Count, fp: Count, fn: Count, tn: Count) -> ThresholdRow:
    def share(part: Count, other: Count) -> float | str:
        return SUPPRESSED if SUPPRESSED in (part, other) else part / (part + other)

    return ThresholdRow(
        threshold=at,
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=tn,
        sensitivity=share(tp, fn),
        specificity=share(tn, fp),
        ppv=share(tp, fp),
        npv=share(tn, fn),
    )


def _validation(
    site: str,
    fit: str,
    group: str,
    area: tuple[float, float, float],
    fits: tuple[float, ...],
    bins: RiskBins | None,
    rows: tuple[tuple[float, Count, Count, Count, Count], ...],
) -> Validation:
    tp, fp, fn, tn = rows[0][1:]
    events, count = tp + fn, tp + fp + fn + tn
    return Validation(
        site=site,
        fit=fit,
        group=group,
        discrimination=Discrimination(
            fit=fit, group=group, positives=events, negatives=count - events, auroc=area[0], low=area[1], high=area[2]
        ),
        calibration=Calibration(
            fit=fit,
            group=group,
            rows=count,
            events=events,
            observed_expected=fits[0],
            intercept=math.log(fits[0]),
            intercept_se=fits[1],
            slope=fits[2],
            slope_se=fits[3],
        ),
        bins=bins,
        thresholds=_thresholds(fit, group, rows),
    )


def predicted() -> PredictEvidence:
    """A year earlier: the small site's intervals are wide, and its rarest threshold is suppressed."""
    s = SUPPRESSED
    test, everyone = "test persons", "all persons"
    return PredictEvidence(
        fits=tuple(_fit(name) for name in FITS),
        validations=(
            _validation(
                "community",
                ALL_SITES,
                test,
                (0.763, 0.742, 0.784),
                (0.978, 0.043, 0.961, 0.049),
                _bins(9_480, 0.98, ALL_SITES, test),
                ((0.1, 255, 1_340, 300, 7_585), (0.2, 85, 265, 470, 8_660), (0.3, 25, 45, 530, 8_880)),
            ),
            _validation(
                "referral",
                ALL_SITES,
                test,
                (0.721, 0.658, 0.784),
                (1.184, 0.082, 0.844, 0.124),
                _bins(1_700, 1.9, ALL_SITES, test, keep=5),
                ((0.1, 105, 320, 85, 1_190), (0.2, 40, 85, 150, 1_425), (0.3, s, s, s, s)),
            ),
            _validation(
                "community",
                "without community",
                everyone,
                (0.748, 0.737, 0.759),
                (0.871, 0.022, 0.902, 0.028),
                _bins(37_930, 0.88, "without community", everyone),
                ((0.1, 1_020, 6_380, 1_195, 29_335), (0.2, 340, 1_350, 1_875, 34_365), (0.3, 95, 240, 2_120, 35_475)),
            ),
            _validation(
                "referral",
                "without referral",
                everyone,
                (0.717, 0.688, 0.746),
                (1.262, 0.041, 0.871, 0.062),
                None,
                ((0.1, 410, 1_290, 355, 4_765), (0.2, 160, 330, 605, 5_725), (0.3, 50, 75, 715, 5_980)),
            ),
        ),
        refused={SILENT: "not_approved"},
        index_dates={
            "community": _index_dates(6_240, 3_415, 9_480, 28_450),
            "referral": _index_dates(1_105, 240, 1_700, 5_120),
        },
    )


def evidence() -> Evidence:
    """Both findings, with a Release for each site and round."""
    rounds = [("who they are", 0), *(("a year earlier", number) for number in range(7))]
    answered = [(name, number, site, None) for name, number in rounds for site in SITES]
    refused = [(name, 0, SILENT, "not_approved") for name in ("who they are", "a year earlier")]
    return Evidence(
        study=study().id,
        title=study().title,
        findings={"a year earlier": predicted(), "who they are": characterised()},
        sources=tuple(
            Basis(
                release=digest(f"{name}{number}{site}"),
                site=site,
                analysis=name,
                round=number,
                snapshot=digest("snapshot" + site),
                policy=digest("policy"),
                refused=code,
            )
            for name, number, site, code in sorted(answered + refused)
        ),
    )
