"""The few numbers that a report computes itself, held against independent sources."""

import math
import re
from itertools import combinations
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, lognorm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from vitrail.pages.frame import style
from vitrail.reports import incidence, plots, wording
from vitrail.reports.blocks import panes
from vitrail.reports.flow import flows
from vitrail.reports.intervals import normal, observed_expected, wilson
from vitrail.reports.validation import needed
from vitrail.study.release import SUPPRESSED, Attrition, Cell, Rate, RiskBin, ThresholdRow

COUNTS = st.integers(0, 100_000)


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_wilson_is_statsmodels_wilson(rows: int, share: float) -> None:
    events = round(rows * share)
    expected = proportion_confint(events, rows, method="wilson")
    assert wilson(events, rows) == pytest.approx(expected, abs=1e-12)  # two ways to write one formula


def test_without_rows_a_share_may_be_anything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_interval_of_observed_over_expected_covers() -> None:
    """Simulation: 20,000 draws at a true O:E of 1; the standard error of the coverage is 0.0015."""
    draw = np.random.default_rng(20)
    rows, risk = 2_000, 0.08
    found = [observed_expected(o / (rows * risk), o, rows) for o in draw.binomial(rows, risk, 20_000).tolist()]
    covered = np.mean([low <= 1 <= high for low, high in found if low])  # type: ignore[misc]
    assert 0.945 < covered < 0.957


@pytest.mark.parametrize(("events", "rows"), [(0, 10), (10, 10)])
def test_there_is_no_interval_of_observed_over_expected_without_both_outcomes(events: int, rows: int) -> None:
    assert observed_expected(1.0, events, rows) is None


def test_an_odds_ratio_has_the_interval_of_its_log() -> None:
    low, high = normal(0.284, 0.021)
    expected = lognorm.interval(0.95, s=0.021, scale=math.exp(0.284))
    assert (math.exp(low), math.exp(high)) == pytest.approx(expected, rel=1e-12)  # two ways to write one quantile


@given(st.integers(0, 5_000), st.floats(0.5, 1e6))
def test_a_rate_has_garwoods_interval(events: int, years: float) -> None:
    rate = Rate(name="a", persons=1, events=events, person_years=years, rate=1000 * events / years)
    low, high = incidence.interval(rate)  # type: ignore[misc]
    expected = (chi2.ppf(0.025, 2 * events) / 2 if events else 0, chi2.ppf(0.975, 2 * events + 2) / 2)
    assert (low, high) == pytest.approx([1000 * each / years for each in expected], rel=1e-9)


@pytest.mark.parametrize("hidden", ["events", "person_years"])
def test_a_rate_with_a_suppressed_part_has_no_interval(hidden: str) -> None:
    whole = {"name": "a", "persons": 40, "events": 20, "person_years": 100.0, "rate": 200.0}
    assert incidence.interval(Rate(**{**whole, hidden: SUPPRESSED})) is None


BINS = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=12).map(
    lambda pairs: tuple(
        RiskBin(low=n / 12, high=(n + 1) / 12, positives=p, negatives=q, mean_risk=(n + 0.5) / 12)
        for n, (p, q) in enumerate(pairs)
    )
)


@given(BINS)
def test_the_area_under_the_drawn_curve_is_the_auroc_of_the_bins(bins: tuple[RiskBin, ...]) -> None:
    points = plots.roc_points(bins)
    assert points[0] == (0.0, 0.0)
    assert points[-1] == pytest.approx((1.0, 1.0))
    x, y = zip(*points, strict=True)
    scores = [b.low for b in bins] * 2
    labels, weights = [1] * len(bins) + [0] * len(bins), [b.positives for b in bins] + [b.negatives for b in bins]
    assert np.trapezoid(y, x) == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-9)


@given(st.integers(1, 5_000), st.integers(0, 50_000))
def test_the_number_needed_to_evaluate_is_one_over_ppv(found: int, false: int) -> None:
    row = ThresholdRow(
        threshold=0.1,
        true_positives=found,
        false_positives=false,
        false_negatives=1,
        true_negatives=1,
        sensitivity=0.5,
        specificity=0.5,
        ppv=found / (found + false),
        npv=0.5,
    )
    low, high = proportion_confint(found, found + false, method="wilson")
    number, limits = needed(row)
    told = [float(each.replace(",", "")) for each in (number, *limits.split(f"{wording.GAP}to{wording.GAP}"))]
    assert told == pytest.approx([1 + false / found, 1 / high, 1 / low], abs=0.0501)  # one decimal is told


@given(st.lists(COUNTS | st.just(SUPPRESSED), min_size=1, max_size=8))
def test_what_a_step_left_out_is_told_only_between_two_printed_counts(counts: list[int | str]) -> None:
    steps = tuple(Cell(label=f"step {n}", count=count) for n, count in enumerate(counts))
    attrition = Attrition(cohort="a", steps=steps, merged=((),) * len(steps))
    flow = flows({"here": (attrition,)}, panes(["here"], []))[0]
    told = [step.left_out for step in flow.drawings[0].steps]
    assert told[0] == ""
    for before, now, text in zip(counts, counts[1:], told[1:], strict=False):
        known = isinstance(before, int) and isinstance(now, int)
        assert text == (f"{before - now:,}" if known and before != now else "")  # type: ignore[operator]


def test_numbers_are_told_as_people_read_them() -> None:
    gap = wording.GAP
    assert wording.whole(1_234_567) == "1,234,567"
    assert wording.whole(SUPPRESSED) == wording.decimal(SUPPRESSED) == "suppressed"
    assert wording.decimal(-0.126) == "−0.13"
    assert wording.decimal(-0.001) == "0.00"
    assert wording.decimal(None) == "–"
    told = {0.0: "0", 0.0123456: "0.0123", 1.0: "1.00", 33.415: "33.4", 1234.5: "1,234"}
    assert {number: wording.significant(number) for number in told} == told
    assert wording.percent(0.1234) == f"12.3{gap}%"
    assert wording.level(0.1) == f"10{gap}%"
    assert wording.level(0.075) == f"7.5{gap}%"
    assert wording.listed([]) == ""
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"


@given(st.text())
def test_nothing_that_is_unseen_stays(text: str) -> None:
    shown = wording.visible(text)
    assert not any(each in shown for each in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u0000\u007f")
    assert wording.visible(shown) == shown


def test_words_of_right_to_left_scripts_stay_whole() -> None:
    persian = "می\u200cخواهم"
    assert wording.visible(persian) == persian


def _distance(first: str, second: str, see: np.ndarray) -> float:
    return float(np.linalg.norm(_lab(see @ _linear(first)) - _lab(see @ _linear(second))))


def _linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


EYES = {
    "all cones": np.eye(3),
    # Machado GM, Oliveira MM, Fernandes LAF. IEEE Trans Vis Comput Graph 2009;15:1291-8, severity 1
    "no long cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no medium cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no short cones": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


@pytest.mark.parametrize("eyes", EYES)
def test_panes_differ_to_all_eyes(eyes: str) -> None:
    for scheme in SCHEMES:
        for first, second in combinations(_panes(scheme), 2):
            assert _distance(first, second, EYES[eyes]) > 20


def test_colours_stand_out_from_paper_and_glass() -> None:
    """WCAG 2.2: 4.5 for text, 3 for what is drawn."""
    for scheme in SCHEMES:
        for ground in (scheme["paper"], scheme["glass"]):
            assert all(_contrast(scheme[text], ground) >= 4.5 for text in ("ink", "soft", "link"))
            assert all(_contrast(pane, ground) >= 3 for pane in _panes(scheme))
        assert _contrast(scheme["warn"], scheme["warn-tint"]) >= 4.5
        assert _contrast(scheme["ink"], scheme["line"]) >= 4.5  # the hatching behind the word suppressed


def test_pictures_have_the_colours_that_the_style_sheet_maps() -> None:
    assert tuple(_panes(SCHEMES[0])) == plots.COLOURS
    for colour in (*plots.COLOURS, plots.INK, plots.SOFT, plots.LINE):
        assert f'[fill="{colour}"]' in CSS
        assert f'[stroke="{colour}"]' in CSS


CSS = style("vitrail.reports", "evidence")
ROOTS = re.findall(r"^ *:root \{.*?^ *\}", CSS, re.DOTALL | re.MULTILINE)
"""In light and dark, of the frame and then of the page; what is printed comes last."""
SCHEMES = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", ROOTS[at] + ROOTS[at + 2])) for at in (0, 1)]


def _panes(scheme: dict[str, str]) -> list[str]:
    return [scheme[f"pane-{number}"] for number in range(1, 6)]


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_linear(each) @ [0.2126, 0.7152, 0.0722] for each in (first, second)), reverse=True)
    return float((light + 0.05) / (dark + 0.05))


def test_a_site_has_one_look_and_silent_sites_come_last(made: ModuleType) -> None:
    look = panes(made.SITES, [made.SILENT])
    assert [(each.site, each.number, each.silent) for each in look.values()] == [
        ("community", 0, False),
        ("referral", 1, False),
        ("harbour", 2, True),
    ]
