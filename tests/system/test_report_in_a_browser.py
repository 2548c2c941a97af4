"""The evidence report in a real browser: offline, silent, unable to run anything, and legible on any screen."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.unit.reports import made
from vitrail.reports.evidence import render

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

PLANT = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))"

WORST_CONTRAST = """() => {
  const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.querySelector('body'), NodeFilter.SHOW_TEXT);
  let worst = [99, ''];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), ink = element.closest('svg') ? style.fill : style.color;
    const [light, dark] = [luminance(numbers(ink)), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < worst[0]) worst = [contrast, text];
  }
  return worst;
}"""

CUT_OFF = """() => [...document.querySelectorAll('.picture text, .flow text')].filter(text => {
  const box = text.getBoundingClientRect();
  return text.textContent && (box.left < 0 || box.right > document.documentElement.clientWidth);
}).map(text => text.textContent)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(made.study(), made.evidence()), encoding="utf-8")
    return path


def opened(browser: Browser, path: Path, width: int = 1200, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page without a network, and a list that grows with every request, error and console line."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page, heard = context.new_page(), []
    page.on("request", lambda request: heard.append(request.url))
    page.on("console", lambda line: heard.append(line.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(path.as_uri())
    return page, heard


def test_it_opens_offline_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    page, heard = opened(browser, report)
    assert page.title().startswith("Which people with type 2 diabetes")
    assert page.locator("figure svg").count() >= 12
    assert heard == [report.as_uri()]


def test_a_planted_script_does_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    bare, html = tmp_path / "bare.html", report.read_text(encoding="utf-8")
    bare.write_text(html.replace("Content-Security-Policy", "X-Nothing"), encoding="utf-8")
    for path, ran in ((report, None), (bare, True)):  # the control: without the policy it runs
        page, _ = opened(browser, path)
        page.evaluate(PLANT)
        assert page.evaluate("window.ran") is ran


@pytest.mark.parametrize("width", [320, 375, 800, 1200])
def test_no_screen_is_too_narrow(browser: Browser, report: Path, width: int) -> None:
    page, _ = opened(browser, report, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(browser: Browser, report: Path, scheme: str) -> None:
    page, _ = opened(browser, report, scheme=scheme)
    contrast, text = page.evaluate(WORST_CONTRAST)
    assert contrast >= 4.5, text
    grounds = {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 23, 28)"}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == grounds[scheme]


def test_it_prints_in_light_colours_on_few_pages(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(34, 38, 43)"
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert 5 < pages <= 16
