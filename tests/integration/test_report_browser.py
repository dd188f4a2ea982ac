"""A report in a real Chromium, from a file: what it draws, in both themes, at any width, on paper."""

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from artefacts.browser import SCREENSHOTS, Browser, open_browser, show_at
from artefacts.invented_result import as_text, comparison, load_test, rich_result
from artefacts.report_page import COLOURS, LEAST_PATHS, asked, hindrances, pictures, wait_until_drawn
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from polyrank.reporting import write_report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, toy_run: Path, toy_bundle: Path) -> Path:
    """The report of a real run and bundle, and of what commands would find of them."""
    folder = tmp_path_factory.mktemp("report")
    run_id = json.loads((toy_run / "metrics.json").read_text())["run_id"]
    rich_result(run_id).save(folder / "evaluation.json")
    (folder / "load.json").write_text(as_text(load_test(run_id)))
    (folder / "comparison.json").write_text(as_text(comparison()))
    files = [folder / f"{name}.json" for name in ("evaluation", "load", "comparison")]
    return write_report([toy_run, toy_bundle, *files], folder / "report.html")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def drawn(chromium: Browser, page: Path) -> Browser:
    """The page, drawn once for all tests that leave it as it is."""
    show_at(chromium, 1280, scheme="light")
    chromium.get(page.as_uri())
    wait_until_drawn(chromium)
    return chromium


@pytest.fixture
def browser(drawn: Browser) -> Browser:
    """The page, as somebody with a light desktop finds it."""
    drawn.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
    show_at(drawn, 1280, scheme="light")
    return drawn


@pytest.fixture
def switched(browser: Browser) -> Iterator[Browser]:
    """The page, whose theme is switched back after the test."""
    yield browser
    show_at(browser, 1280, scheme="light")
    if asked(browser, "return document.documentElement.dataset.theme") == "dark":
        browser.find_element(By.ID, "theme").click()
    asked(browser, "delete document.documentElement.dataset.theme; localStorage.clear()")


def test_console_is_silent_and_nothing_is_fetched(browser: Browser) -> None:
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert asked(browser, "return performance.getEntriesByType('resource').map(each => each.name)") == []


def test_every_picture_is_drawn_in_its_place(browser: Browser) -> None:
    found = pictures(browser)
    assert len(found) == 29 + 9 + 1
    assert min(paths for paths, *_ in found) > LEAST_PATHS
    assert min(height for _, _, height, _ in found) > 60
    assert all(0.6 * place < width <= place for _, width, _, place in found)


def test_marks_have_a_place(browser: Browser) -> None:
    script = (
        "return [...document.querySelectorAll('.picture svg path')].filter(each => /NaN/.test(each.outerHTML)).length"
    )
    assert asked(browser, script) == 0


def test_switch_changes_page_and_pictures(switched: Browser) -> None:
    light = asked(switched, COLOURS)
    switch = switched.find_element(By.ID, "theme")
    assert switch.text == "Dark theme"
    switch.send_keys(Keys.ENTER)
    dark = asked(switched, COLOURS)
    assert switch.text == "Light theme"
    assert all(before != after for before, after in zip(light, dark, strict=True))
    assert asked(switched, "return Object.values(localStorage)") == ["dark"]


def test_chosen_theme_is_there_after_a_reload(switched: Browser) -> None:
    switched.find_element(By.ID, "theme").click()
    switched.refresh()
    wait_until_drawn(switched)
    assert asked(switched, "return document.documentElement.dataset.theme") == "dark"


def test_theme_follows_the_system(browser: Browser) -> None:
    light = asked(browser, COLOURS)
    show_at(browser, 1280, scheme="dark")
    assert all(before != after for before, after in zip(light, asked(browser, COLOURS), strict=True))
    assert browser.find_element(By.ID, "theme").text == "Light theme"


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (768, "dark"), (1280, "light")])
def test_page_fits_its_width(browser: Browser, width: int, scheme: str) -> None:
    show_at(browser, width, scheme=scheme)
    drawn = "return Math.max(...[...document.querySelectorAll('.picture svg')].map(each => each.clientWidth))"
    WebDriverWait(browser, 20, poll_frequency=0.1).until(lambda _: asked(browser, drawn) <= width)
    keep_screenshot(browser, f"report-{width}-{scheme}.png", width)
    assert asked(browser, "return document.documentElement.scrollWidth") <= width


def keep_screenshot(browser: Browser, name: str, width: int) -> None:
    """Keep the first screens of the page, to be looked at."""
    folder = Path(os.environ.get("POLYRANK_ARTEFACTS", SCREENSHOTS))
    folder.mkdir(parents=True, exist_ok=True)
    clip = {"x": 0, "y": 0, "width": width, "height": 4_800, "scale": 1}
    options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    found = browser.execute_cdp_cmd("Page.captureScreenshot", options)
    (folder / name).write_bytes(base64.b64decode(found["data"]))


def test_print_takes_several_pages_with_every_picture(browser: Browser, tmp_path: Path) -> None:
    show_at(browser, 1280, scheme="dark")
    found = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    document = base64.b64decode(found["data"])
    (tmp_path / "report.pdf").write_bytes(document)
    assert len(re.findall(rb"/Type\s*/Page\b", document)) > 5


def on_paper(browser: Browser) -> None:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})


def test_print_is_light_in_a_dark_theme(switched: Browser) -> None:
    light = asked(switched, COLOURS)
    switched.find_element(By.ID, "theme").click()
    on_paper(switched)
    assert asked(switched, COLOURS)[1:] == light[1:]


def test_pictures_fit_their_places_on_paper(browser: Browser) -> None:
    on_paper(browser)
    script = """return [...document.querySelectorAll(".picture")].every(
        each => each.querySelector("svg").getBoundingClientRect().width <= each.clientWidth + 1)"""
    assert asked(browser, script)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_nothing_seriously_hinders_people(browser: Browser, width: int, scheme: str) -> None:
    show_at(browser, width, scheme=scheme)
    assert hindrances(browser) == []


def test_tables_of_pictures_open_by_keyboard(browser: Browser) -> None:
    summary = browser.find_element(By.CSS_SELECTOR, "figure summary")
    table = browser.find_element(By.CSS_SELECTOR, "figure table")
    assert not table.is_displayed()
    summary.send_keys(Keys.ENTER)
    assert table.is_displayed()
    assert table.text.startswith("click: loss")


def test_tables_that_scroll_alone_are_reached_by_keyboard(browser: Browser) -> None:
    script = """return [...document.querySelectorAll("section > .table")].map(
        each => [each.scrollWidth > each.clientWidth, each.tabIndex === 0])"""
    show_at(browser, 360, scheme="light")
    WebDriverWait(browser, 20).until(lambda _: all(scrolls == reached for scrolls, reached in asked(browser, script)))
    assert {scrolls for scrolls, _ in asked(browser, script)} == {True, False}


def test_pointing_at_a_mark_tells_its_numbers(browser: Browser) -> None:
    script = """
        const mark = document.querySelector("#parts .picture svg .mark-symbol path");
        mark.scrollIntoView({block: "center"});
        const box = mark.getBoundingClientRect();
        const at = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
        mark.dispatchEvent(new PointerEvent("pointermove", at));
        mark.dispatchEvent(new MouseEvent("mousemove", at));
        return document.getElementById("vg-tooltip-element")?.innerText;
    """
    told = asked(browser, script)
    assert told.split() == ["part", "phone", "auc", "0.7432", "interval", "0.7212", "to", "0.7652", "rows", "1,400"]


def test_hostile_names_are_text_in_the_pictures(browser: Browser) -> None:
    script = "return [...document.querySelectorAll('#parts .picture')].map(each => each.textContent).join(' ')"
    assert "</script><img" in asked(browser, script)
    assert asked(browser, "return document.images.length") == 0


def test_picture_that_cannot_be_drawn_says_so(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "load.json").write_text(as_text(load_test()))
    page = write_report([tmp_path / "load.json"], tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r'(<script type="application/json">).*', r'\1{"mark": 5}</script>', text), encoding="utf-8")
    chromium.get(page.as_uri())
    wait_until_drawn(chromium)
    told = chromium.find_element(By.CSS_SELECTOR, ".picture.broken").text
    assert told.startswith("This picture cannot be drawn here: ")
    assert told.endswith(" Its numbers are below.")
