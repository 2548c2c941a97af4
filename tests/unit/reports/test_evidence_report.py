"""The evidence report: what it says is what the evidence says, and nothing in it can do anything."""

import base64
import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail import wire
from vitrail.errors import EvidenceError
from vitrail.reports.evidence import render
from vitrail.reports.wording import visible
from vitrail.study.analyses.predict import Validation
from vitrail.study.evidence import Evidence
from vitrail.study.release import SUPPRESSED

VOID = {"meta", "br", "img", "link", "hr", "input"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title></style></svg></text><script>1</script>",
    "{{ 7 * 7 }} {% raw %}",
    "]]><!--",
    "&lt;&amp;\u2028\u2029",
    "javascript:alert(1)",
)


class Page(HTMLParser):
    """A page as its elements with their attributes, and its text; fails where an element is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        """What a person reads, white space as one space."""
        return re.sub(r"\s+", " ", " ".join(text for tag, text in self.texts if tag != "style"))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def with_findings(evidence: Evidence, **changes: object) -> Evidence:
    """The same evidence with another finding in place of one of its own, not validated again."""
    return evidence.model_copy(update={"findings": {**evidence.findings, **changes}})


def predicted(evidence: Evidence, **changes: object) -> Evidence:
    finding = evidence.findings["a year earlier"].model_copy(update=changes)
    return with_findings(evidence, **{"a year earlier": finding})


def described(evidence: Evidence, **changes: object) -> Evidence:
    finding = evidence.findings["who they are"].model_copy(update=changes)
    return with_findings(evidence, **{"who they are": finding})


def only(evidence: Evidence, name: str) -> Evidence:
    return evidence.model_copy(update={"findings": {name: evidence.findings[name]}})


def nothing(evidence: Evidence) -> Evidence:
    """Evidence without findings."""
    return evidence.model_copy(update={"findings": {}})


# What it says


def test_the_headline_is_computed_from_the_numbers(page: str) -> None:
    text = Page(page).text
    assert (
        "models made without the site they were tested at gave the higher risk to the first in 72 to 75 % of pairs"
        in text
    )  # 0.717 and 0.748
    assert "for whom “chronic kidney disease” began 366 to 730 days after the index date" in text
    assert "For every 100 events it predicted, 126 happened (95 % CI 118 to 135): its risks are too low here." in text
    assert "33.4 per 1,000 person-years (95 % CI 32.1 to 34.8): 2,375 first events in 71,076 person-years" in text
    assert "7,400 (19.5 %) index dates, among them 46.0 % of those that the outcome follows" in text


def test_the_headline_follows_other_numbers(made: ModuleType) -> None:
    evidence = made.evidence()
    first = evidence.findings["a year earlier"].validations[2]
    chance = first.discrimination.model_copy(update={"auroc": 0.52, "low": 0.49, "high": 0.55})
    fair = first.calibration.model_copy(update={"observed_expected": 1.0})
    changed = first.model_copy(update={"discrimination": chance, "calibration": fair})
    text = Page(render(made.study(), predicted(evidence, validations=(changed,)))).text
    assert "in 52 % of pairs" in text
    assert "Its ranking cannot be told from chance here." in text
    assert "too low here" not in text
    assert "too high here" not in text


def test_different_models_are_not_told_as_one(made: ModuleType) -> None:
    """A site is judged by the model made without it where there is one; the headline says which it speaks of."""
    evidence = made.evidence()
    every = evidence.findings["a year earlier"].validations
    apart = tuple(each for each in every if each.fit == f"without {each.site}")
    main = tuple(each for each in every if each.fit == "all sites")
    assert len(apart) == len(main) == 2

    def said(*validations: Validation) -> str:
        return Page(render(made.study(), predicted(evidence, validations=validations))).text

    assert "models made without the site they were tested at gave the higher risk" in said(*apart)
    assert "a model made without the site it was tested at gave the higher risk" in said(apart[0])
    assert "a different model at each site gave the higher risk" in said(apart[0], main[1])
    assert "did not, the model gave the higher risk" in said(*main)


def test_where_nothing_was_released_it_says_so(made: ModuleType) -> None:
    text = Page(render(made.study(), predicted(only(made.evidence(), "a year earlier"), validations=()))).text
    assert "No site released how well the model foretells “chronic kidney disease”." in text
    assert (
        "No site released a number that answers this question."
        in Page(render(made.study(), nothing(made.evidence()))).text
    )


def test_where_every_site_refused_it_says_so(made: ModuleType) -> None:
    empty = dict.fromkeys(("fits", "validations"), ()) | {"index_dates": {}}
    finding = made.predicted().model_copy(update=empty)
    silent = tuple(each for each in made.evidence().sources if each.refused)
    evidence = made.evidence().model_copy(update={"findings": {"a year earlier": finding}, "sources": silent})
    text = Page(render(made.study(), evidence)).text
    assert "Every site that was asked refused, so nothing was found." in text
    assert "No site released anything." in text


def test_an_outcome_of_the_same_day_is_not_said_to_be_later(made: ModuleType) -> None:
    analyses = made.study().analyses
    same_day = analyses["a year earlier"].model_copy(update={"horizon": (0, 0)})
    study = made.study().model_copy(update={"analyses": {**analyses, "a year earlier": same_day}})
    evidence = predicted(only(made.evidence(), "a year earlier").model_copy(update={"study": study.id}), fits=())
    text = Page(render(study, evidence)).text
    assert "one for whom “chronic kidney disease” began on the index date" in text
    assert "days after the index date" not in text


def test_a_fit_that_did_not_converge_is_a_warning_and_has_no_odds(made: ModuleType) -> None:
    fit = (
        made.predicted()
        .fits[0]
        .model_copy(update={"converged": False, "stopped": "diverging", "coefficients": (), "log_likelihood": None})
    )
    text = Page(render(made.study(), predicted(made.evidence(), fits=(fit,), validations=()))).text
    assert "The fit “all sites” did not converge after 6 rounds: its likelihood has no maximum" in text
    assert "No fit has coefficients to show." in text


def test_everything_that_was_found_is_on_the_page(page: str, made: ModuleType) -> None:
    text = Page(page).text
    evidence = made.evidence()
    for source in evidence.sources:
        assert {source.release, source.snapshot, source.policy} <= set(re.findall(r"sha256:[0-9a-f]{64}", page))
    assert evidence.study in page
    assert wire.digest_of(evidence.model_dump(mode="json", exclude_none=True)) in page
    for covariate in made.NAMES:
        assert covariate in text
    assert "1.33 (1.27 to 1.38)" in text  # exp(0.284 -+ 1.96 * 0.021)
    assert "per 10 years, from age 60" in text
    assert "a missing value counts as 7" in text
    assert "lost to follow-up" in text
    assert "6,240 (13.1 %)" in text
    assert "6.3 (5.6 to 7.0)" in text  # 1,595 flagged over 255, and the ends of Wilson's interval turned over


def test_refusals_are_told_by_code_alone(page: str) -> None:
    text = Page(page).text
    assert "harbour refused at least one question." in text
    assert "not_approved" in text
    assert "harbour (gave no answer)" in text


def test_a_code_that_is_not_known_is_not_explained(made: ModuleType) -> None:
    text = Page(render(made.study(), predicted(made.evidence(), refused={"pier": "tired"}))).text
    assert "tired this page's version does not know the code" in text


# Suppressed


def test_suppressed_has_its_own_mark_wherever_it_stands(page: str) -> None:
    row = re.search(r'<tr><th scope="row"><bdi>NSAID in the last year</bdi></th>(.*?)</tr>', page, re.S)
    assert row is not None
    assert row[1].count('<span class="suppressed">suppressed</span>') == 3  # referral, all sites, the difference
    assert "2,210 (21.1 %)" in row[1].replace("\u00a0", " ")


def test_suppressed_is_never_a_number(made: ModuleType) -> None:
    """With everything suppressed that may be, no cell of Table 1, incidence or validation holds a digit."""
    evidence = described(
        made.evidence(),
        counts=_hidden(made.characterised().counts),
        moments=_hidden(made.characterised().moments),
        rates=_hidden(made.characterised().rates),
        attrition=_hidden(made.characterised().attrition),
        pooled_counts=(),
        pooled_rates=(),
        differences=(),
    )
    page = render(made.study(), only(evidence, "who they are"))
    for section in ("table-one", "incidence"):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", _section(page, section), re.S)
        assert cells
        assert not any(re.search(r"\d", cell) for cell in cells)
    people = _section(page, "people")
    assert "−" not in "".join(re.findall(r"<text[^>]*>(.*?)</text>", people))  # nothing left out is derived
    assert people.count('class="hidden"') == 9
    assert "How often “chronic kidney disease” among people in “type 2 diabetes at risk” began was not released" in page


def _hidden(by_site: dict) -> dict:
    return {site: tuple(map(_hide, estimates)) for site, estimates in by_site.items()}


def _hide(word):  # type: ignore[no-untyped-def]
    numbers = {"total", "count", "missing", "mean", "sd", "persons", "events", "person_years", "rate"}
    changes = dict.fromkeys(numbers & set(type(word).model_fields), SUPPRESSED)
    for cells in {"cells", "steps"} & set(type(word).model_fields):
        changes[cells] = tuple(each.model_copy(update={"count": SUPPRESSED}) for each in getattr(word, cells))
    return word.model_copy(update=changes)


def _section(page: str, name: str) -> str:
    return re.search(rf'<section id="{name}".*?</section>', page, re.S)[0]  # type: ignore[index]


def test_what_was_suppressed_is_counted_and_explained(page: str) -> None:
    section = Page(_section(page, "suppressed")).text
    assert re.search(r"Counts 0 of 22 4 of 22 too few people are behind a cell", section)
    assert re.search(r"Threshold tables 0 of 24 4 of 24 ", section)
    assert re.search(r"Curves 0 of 2 1 of 2 ", section)
    assert re.search(r"Merged steps 0 steps 1 step ", section)
    assert "8 of 137 numbers are suppressed" in Page(page).text


def test_a_merged_step_is_drawn_without_a_number_and_joined_to_the_next(page: str) -> None:
    drawings = re.findall(r'<figure class="flow">.*?</figure>', page, re.S)
    assert len(drawings) == 2
    assert "merged" not in re.findall(r'<g class="(\w+)"', drawings[0])
    assert re.findall(r'<g class="(\w+)"', drawings[1]) == ["shown", "shown", "merged", "shown", "shown"]
    assert "counted with the next step shown" in drawings[1]
    # 2,940 to 2,705, over both steps
    assert re.findall(r'class="out"[^>]*>−([\d,]+)<', drawings[1]) == ["1,075", "235", "580"]


def test_the_same_step_stands_at_the_same_height_at_every_site(page: str) -> None:
    drawings = re.findall(r'<figure class="flow">.*?</figure>', page, re.S)
    heights = [re.findall(r'<rect class="pane"[^>]* y="(\d+)"', each) for each in drawings]
    assert heights[0] == heights[1]


# Inert


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    parsed = Page(page)
    assert not parsed.all("script")
    loading = {"img", "iframe", "object", "embed", "link", "form", "use", "image"}
    assert not {name for name, _ in parsed.elements} & loading
    for _, attributes in parsed.elements:
        assert not any(name.startswith("on") or name in ("style", "src", "xlink:href", "action") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert set(re.findall(r"https?://[^\"'\s<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_its_policy_allows_one_style_sheet_and_nothing_else(page: str) -> None:
    css = re.search(r"<style>(.*?)</style>", page, re.S)[1]  # type: ignore[index]
    sha = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = next(each["content"] for each in Page(page).all("meta") if "http-equiv" in each)
    assert policy == f"default-src 'none'; style-src 'sha256-{sha}'; base-uri 'none'; form-action 'none'"
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_no_two_elements_have_one_id(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Page(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """A page's elements and the names of their attributes, in order."""
    return [(tag, tuple(attributes)) for tag, attributes in Page(html).elements]


def saying(made: ModuleType, text: str) -> str:
    """The page of a study whose every prose says ``text``, without findings: quick, for there is nothing to draw."""
    prose = {"title": text, "question": text, "protocol": text, "authors": (text,)}
    study = made.study().model_copy(update=prose)
    return render(study, made.evidence().model_copy(update={"study": study.id, "title": text, "findings": {}}))


@pytest.fixture(scope="module")
def harmless(made: ModuleType) -> list[tuple[str, tuple[str, ...]]]:
    return shape(saying(made, "harmless"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_study_text_changes_no_element(made: ModuleType, harmless: list, text: str) -> None:
    page = saying(made, text)
    assert shape(page) == harmless
    assert visible(text) in "".join(data for _, data in Page(page).texts)


@settings(max_examples=60)
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_study_text_changes_no_element(made: ModuleType, harmless: list, text: str) -> None:
    assert shape(saying(made, text)) == harmless


def test_hostile_labels_from_a_site_stay_text(made: ModuleType) -> None:
    """Labels of a Release are any text: they go into tables, into the flow and into pictures."""
    label = "</text></svg><script>alert(1)</script>\u202eevil\" onload='1'"
    finding = made.characterised()
    steps = tuple(
        each.model_copy(update={"steps": (each.steps[0].model_copy(update={"label": label}), *each.steps[1:])})
        for each in finding.attrition["community"]
    )
    rate = tuple(each.model_copy(update={"name": label}) for each in finding.rates["community"])
    tables = tuple(each.model_copy(update={"name": label, "of": label}) for each in finding.counts["community"])
    fit = made.predicted().fits[0]
    renamed = tuple(each.model_copy(update={"covariate": label}) for each in fit.coefficients[1:2])
    evidence = described(
        made.evidence(),
        attrition={"community": steps},
        rates={"community": rate},
        counts={"community": tables},
    )
    evidence = predicted(evidence, fits=(fit.model_copy(update={"name": label, "coefficients": renamed}),))
    page = render(made.study(), evidence)
    parsed = Page(page)
    assert not parsed.all("script")
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert "\u202e" not in page
    assert "⟨U+202E⟩evil" in parsed.text


# The same each time, quickly, and only when asked


CHILD = """
import runpy, sys, time
sys.stdout.reconfigure(encoding="utf-8")
from vitrail.reports.evidence import render
assert not {"altair", "vl_convert", "pandas"} & set(sys.modules)
made = runpy.run_path(sys.argv[1])
study, evidence = made["study"](), made["evidence"]()
start = time.process_time()
page = render(study, evidence)
print(time.process_time() - start, file=sys.stderr)
print(page, end="")
"""


def test_another_process_makes_the_same_bytes_in_less_than_five_seconds(page: str) -> None:
    command = [sys.executable, "-c", CHILD, str(Path(__file__).with_name("made.py"))]
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == page
    assert float(done.stderr.split()[-1]) < 5
    assert len(done.stdout) < 1_500_000


def test_evidence_of_another_study_is_refused(made: ModuleType) -> None:
    with pytest.raises(EvidenceError, match="answers another study"):
        render(made.study(), made.evidence().model_copy(update={"study": made.digest("another")}))


def test_a_finding_that_was_not_asked_is_refused(made: ModuleType) -> None:
    swapped = with_findings(made.evidence(), **{"a year earlier": made.characterised()})
    with pytest.raises(EvidenceError, match="did not ask for"):
        render(made.study(), swapped)


# For everybody


def test_every_table_and_picture_has_a_name_and_every_head_a_scope(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.all("table")) == len(parsed.all("caption")) > 10
    assert all(each.get("scope") in ("col", "row", "rowgroup") for each in parsed.all("th"))
    pictures = [each for _, each in parsed.elements if each.get("role") == "img"]
    assert len(pictures) == 2 + 1 + 1 + 3 + 2 * 3  # flows, incidence, odds, three summaries, ROC and calibration
    assert all(len(each["aria-label"]) > 40 for each in pictures)
    drawn = [each for tag, each in parsed.elements if tag == "svg" and "marks" not in each.get("class", "")]
    assert all(each.get("role") == "img" or each.get("aria-hidden") == "true" for each in drawn)


def test_headings_go_down_one_level_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(page).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
