"""The quality page: what failed first, every table, from load to load; whole by itself, and safe to open."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest

from vitrail.governance.waiver import Waiver
from vitrail.omop.snapshot import Check, File, Manifest, Origin, Quarantined
from vitrail.quality.check import judged
from vitrail.quality.history import Loaded, changes
from vitrail.quality.meaning import MEANINGS
from vitrail.quality.page import Report, render
from vitrail.quality.views import failures, gaps, glass, not_applicable, outcomes, percent, quarantine, trends

SHA = "sha256:" + "0" * 64
HOSTILE = "<script>alert(1)</script>"

CHECKS = (
    judged("rowsQuarantined", "labs", 1000, 60, 0.05),
    judged("isRequired", "person", 400, 0, 0.0, field="year_of_birth", hard=True),
    judged("isForeignKey", "drug_exposure", 900, 9, 0.0, field="visit_occurrence_id"),
    judged("measureValueCompleteness", "drug_exposure", 900, 300, 1.0, field="refills"),
    judged("measureObservationPeriodOverlap", "observation_period", 400, 3, 0.0, hard=True),
    judged("plausibleValueLow", "drug_exposure", 900, 450, 0.01, field="quantity"),
    judged("plausibleValueLow", "drug_exposure", 900, 90, 0.01, field="days_supply"),
    judged("plausibleValueLow", "note", 0, 0, 0.01, field="note_date"),
    judged("plausibleGender", "condition_occurrence", 40, 4, 0.05, field="condition_concept_id", concept=26662),
)


def manifest(checks: Sequence[Check] = CHECKS, name: str = "A hospital") -> Manifest:
    rows = {"person": 400, "observation_period": 400, "drug_exposure": 900, "condition_occurrence": 40, "note": 0}
    return Manifest(
        vitrail="snapshot/1", cdm_version="5.4",
        origin=Origin(name=name, format="csv", public=False), profile="already-deidentified", calendar="true",
        vocabulary=SHA,
        files=tuple(File(table=each, file=f"{each}.parquet", sha256=SHA, bytes=1, rows=n) for each, n in rows.items()),
        rows_in={"labs": 1000, "people": 400}, rows_loaded={"labs": 940, "people": 400},
        quarantined=(Quarantined(source="labs", reason="value is not a number", rows=60, first_row=7),),
        checks=tuple(checks),
    )  # fmt: skip


def load(number: int, **changes: Any) -> Loaded:
    given = {"at": f"2026-01-0{number}T10:00:00.000+00:00", "snapshot": f"sha256:{number}" + "0" * 63,
             "rows": {"person": 400, "note": 0, "concept": 9, "drug_exposure": 900 - 50 * number}, "quarantined": 60,
             "rows_in": 1400, "failed": 5 + number, "hard": 1}  # fmt: skip
    return Loaded(**{**given, **changes})


REPORT = Report(site="north", manifest=manifest(), before=None, loads=(load(1),), bars=(), waivers=())


class Tags(HTMLParser):
    """Every tag of a page with its attributes, the open ones, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style>.*?</style>", "", page)))


def test_the_page_is_whole_by_itself() -> None:
    """No script, nothing to load, and a policy that allows none; the same report makes the same bytes."""
    report = replace(REPORT, loads=(load(1), load(2)), before=())
    page = render(report)
    assert page == render(report)
    tags = Tags(page).tags
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in tags}
    assert not [attrs for _, attrs in tags if any(name in attrs for name in ("src", "srcset", "style", "onclick"))]
    assert all(str(attrs["href"]).startswith("#") for tag, attrs in tags if tag == "a")
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "http" not in text(page)


def test_names_that_somebody_gave_are_no_markup() -> None:
    report = replace(REPORT, manifest=manifest(name=HOSTILE), waivers=(waiver(why=HOSTILE),))
    assert HOSTILE not in render(report)
    assert render(report).count("&lt;script&gt;") == 2


def waiver(**changes: Any) -> Waiver:
    given = {"site": "north", "snapshot": SHA, "check": "measureObservationPeriodOverlap",
             "table": "observation_period", "why": "Three people.", "expires": date(2026, 3, 1)}  # fmt: skip
    return Waiver(**{**given, **changes})


def test_the_verdict() -> None:
    assert "This snapshot may answer studies" in render(REPORT)
    barred = render(replace(REPORT, bars=(("measureObservationPeriodOverlap", "observation_period"),)))
    assert "This snapshot answers no study" in barred
    assert "--check measureObservationPeriodOverlap --table observation_period" in barred
    waived = render(replace(REPORT, waivers=(waiver(),)))
    assert "by the steward's waiver" in waived
    assert "Waived until 2026-03-01" in waived
    assert "No check failed" in render(replace(REPORT, manifest=manifest(CHECKS[1:2])))


def test_what_failed_comes_first_the_hard_ones_before_the_others() -> None:
    found = failures(CHECKS, None)
    assert [each.meaning.name for each in found] == [
        "measureObservationPeriodOverlap", "rowsQuarantined", "isForeignKey", "plausibleValueLow", "plausibleGender"
    ]  # fmt: skip
    assert [row.check.field for row in found[3].rows] == ["quantity", "days_supply"]
    page = render(REPORT)
    places = [
        page.index(f'<section id="{name}"') for name in ("verdict", "failed", "glass", "trends", "source", "gaps")
    ]
    assert places == sorted(places)
    said = text(page)
    for name in ("measureObservationPeriodOverlap", "isForeignKey"):
        assert MEANINGS[name].asks in said
    assert "visit_occurrence_id → visit_occurrence" in said
    assert "condition_concept_id, concept 26662" in said


def test_what_changed_since_the_snapshot_before() -> None:
    before = (
        judged("isForeignKey", "drug_exposure", 900, 9, 0.0, field="visit_occurrence_id"),
        judged("plausibleValueLow", "drug_exposure", 900, 400, 0.01, field="quantity"),
        judged("isForeignKey", "person", 400, 9, 0.0, field="provider_id"),
    )
    since = {(row.check.name, row.check.field): row.since for group in failures(CHECKS, before) for row in group.rows}
    assert since["isForeignKey", "visit_occurrence_id"] == "as before"
    assert since["plausibleValueLow", "quantity"] == "up from 44.4\u00a0%"
    assert since["plausibleValueLow", "days_supply"] == "new"
    found = changes(before, CHECKS)
    assert [each.field for each in found.mended] == ["provider_id"]
    assert len(found.failing) == 4
    page = text(render(replace(REPORT, before=before)))
    assert "isForeignKey fails no more for person.provider_id → provider" in page


def test_every_table_at_a_glance() -> None:
    found = glass(manifest())
    assert [line.table for line in found.lines] == [
        "person",
        "observation_period",
        "drug_exposure",
        "condition_occurrence",
    ]
    assert found.empty == ("note",)
    names = [name for _, group in found.heads for name in group]
    drugs = dict(zip(names, found.lines[2].panes, strict=True))
    low = drugs["plausibleValueLow"]
    assert low is not None
    assert (low.look, low.failed, low.applicable) == ("failed", 2, 2)
    assert drugs["isRequired"] is None
    period = dict(zip(names, found.lines[1].panes, strict=True))["measureObservationPeriodOverlap"]
    assert period is not None
    assert period.look == "hard"


def test_outcomes_add_up() -> None:
    assert outcomes(CHECKS) == {"hard": 1, "failed": 5, "passed": 1, "measured": 1, "not applicable": 1}


def test_why_there_was_nothing_to_check() -> None:
    assert not_applicable(manifest()) == (("the table has no records", 1),)
    empty = judged("fkDomain", "person", 0, 0, field="gender_concept_id")
    assert not_applicable(manifest([empty])) == (("there is no vocabulary", 1),)
    moved = judged("plausibleValueLow", "drug_exposure", 0, 0, field="drug_exposure_start_date")
    ((why, _),) = not_applicable(manifest([moved]).model_copy(update={"calendar": "none"}))
    assert "the days were moved" in why


def test_the_source_and_what_is_missing() -> None:
    labs, people = quarantine(manifest())
    assert (labs.name, labs.loaded, labs.reasons) == ("labs", 940, (("value is not a number", 60, 7),))
    assert people.reasons == ()
    ((table, ((field, filled, rows),)),) = gaps(CHECKS)
    assert (table, field, round(filled, 3), rows) == ("drug_exposure", "refills", 0.667, 900)


def test_from_load_to_load() -> None:
    """Pictures from the second load on; what an earlier version did not enter is left out of them."""
    assert "This is the first load" in render(REPORT)
    loads = (load(1, rows_in=None, failed=None, hard=None), load(2), load(3))
    page = render(replace(REPORT, loads=loads, before=()))
    assert page.count("<figure>") == page.count("<figcaption>") == 3
    assert "7 checks failed at load 2, 8 at load 3" in page
    latest, middle, first = trends(loads)
    assert (latest.records, latest.change, first.change, first.quarantined) == (1150, -50, None, None)
    assert middle.quarantined == pytest.approx(60 / 1400)
    assert "−50" in page


def test_a_check_of_an_earlier_version_is_shown_by_its_name() -> None:
    old = Check(name="conformance: keys are unique", table="person", outcome="failed", violations=1, rows=9, hard=True)
    page = render(replace(REPORT, manifest=manifest([old])))
    assert "conformance: keys are unique" in page
    assert "of an earlier version" in page


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (0.00001, "< 0.01 %"), (0.0123, "1.23 %"), (0.5, "50 %"), (0.99999, "> 99.9 %"), (1.0, "100 %")],
)
def test_little_is_not_nothing_and_much_is_not_all(share: float, said: str) -> None:
    assert percent(share).replace("\u00a0", " ") == said
