"""What tests ask of a report that is open in a browser."""

import importlib.util
from pathlib import Path
from typing import Any

from selenium.webdriver.support.ui import WebDriverWait

from .browser import Browser

LEAST_PATHS = 3
"""Of a picture: an axis has a few."""

COLOURS = """
    const colour = (element, name) => getComputedStyle(element)[name];
    const svg = document.querySelector(".picture svg");
    return [colour(document.body, "backgroundColor"), colour(svg.querySelector("text"), "fill"),
            colour(svg.querySelector(".mark-line path, .mark-symbol path"), "stroke")];
"""


def asked(browser: Browser, script: str, *arguments: Any) -> Any:
    """Return what a script finds."""
    return browser.execute_script(script, *arguments)


def wait_until_drawn(browser: Browser) -> None:
    """Wait until every picture was drawn."""
    script = "return document.documentElement.dataset.pictures === 'drawn'"
    WebDriverWait(browser, 60, poll_frequency=0.1).until(lambda _: asked(browser, script))


def pictures(browser: Browser) -> list[tuple[int, float, float, float]]:
    """Return of each figure: paths, width and height of its picture, and the width of its place, in pixels."""
    script = """return [...document.querySelectorAll("figure")].map(figure => {
        const svg = figure.querySelector(".picture svg");
        const box = svg?.getBoundingClientRect();
        return [svg?.querySelectorAll("path").length ?? 0, box?.width ?? 0, box?.height ?? 0, figure.clientWidth];
    })"""
    return [(paths, width, height, place) for paths, width, height, place in asked(browser, script)]


def hindrances(browser: Browser) -> list[tuple[str, list[Any]]]:
    """Return what axe finds that seriously hinders people, with the first places of each."""
    browser.execute_script(_axe())
    browser.set_script_timeout(120)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 20  # it looked
    grave = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    return [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in grave]


def _axe() -> str:
    spec = importlib.util.find_spec("selenium_axe_python")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("axe-core").joinpath("axe.min.js").read_text(encoding="utf-8")
