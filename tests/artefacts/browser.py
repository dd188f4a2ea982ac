"""A headless Chromium for tests of pages, and what its tests ask of it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

Browser = webdriver.Chrome
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; it ends with the block."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if None in programs.values():
        pytest.skip(
            f"a page needs Chromium and its driver, found {programs}; sh .ci/system-packages.sh python3 browser"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    # Root, as in containers, has no sandbox; /dev/shm may be small there.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, Service(str(programs["chromedriver"])))
    try:
        yield browser
    finally:
        browser.quit()


def console(browser: Browser) -> list[str]:
    """Return what the browser's console has had to say since the last call."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def texts(browser: Browser, selector: str) -> list[str]:
    """Return the texts of all elements of a selector, at one moment."""
    return _each(browser, selector, "innerText")


def attributes(browser: Browser, selector: str, name: str) -> list[str]:
    """Return an attribute of all elements of a selector, at one moment."""
    return _each(browser, selector, f"getAttribute('{name}')")


def _each(browser: Browser, selector: str, what: str) -> list[str]:
    script = f"return [...document.querySelectorAll(arguments[0])].map(each => each.{what})"
    found: list[str] = browser.execute_script(script, selector)
    return found


def show_at(browser: Browser, width: int, *, scheme: str) -> None:
    """Give the page this width, and a light or a dark scheme."""
    metrics = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
