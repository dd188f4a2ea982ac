"""The demo's page in a real Chromium, in front of a real Triton that serves two versions."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from artefacts import two_versions
from artefacts.browser import SCREENSHOTS, Browser, attributes, console, open_browser, show_at, texts
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from polyrank.serving import ServerConfig, serve

pytestmark = pytest.mark.triton

CARDS = ".column:first-child li"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    two_versions.build(folder)
    pyarrow.parquet.write_table(two_versions.logs(), folder / "logs.parquet")
    return folder


@contextlib.contextmanager
def demo(folder: Path, *options: str) -> Iterator["tuple[str, subprocess.Popen[str]]"]:
    """Run the command; give the page's address."""
    place = ["--folder", str(folder), "--data", str(folder / "logs.parquet"), "--port", "0"]
    command = [sys.executable, "-m", "polyrank", "demo", "--web", *place, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            found = re.fullmatch(r"ready: pair, 60 users, 40 items at (http://127\.0\.0\.1:\d+)\n", line)
            assert found is not None, line
            yield found[1], process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[str]:
    with demo(folder) as (url, _):
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser, page: str) -> Browser:
    """The page, as a visitor finds it."""
    chromium.get(page)
    eventually(chromium, lambda: len(texts(chromium, CARDS)) == 10)
    return chromium


def eventually(browser: Browser, condition: Callable[[], bool]) -> None:
    WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def asked(url: str, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/api/{path}", timeout=20) as answer:  # noqa: S310 (our own server)
            body: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as err:
        return {"status": err.code, **json.load(err)}
    return body


def shown(browser: Browser, column: int = 1) -> list[str]:
    """Return the items of a column of the page, the best first."""
    return attributes(browser, f".column:nth-child({column}) li", "data-item")


def set_weight(browser: Browser, task: str, weight: str) -> None:
    """Move a slider as dragging does."""
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    browser.execute_script(script, browser.find_element(By.ID, f"weight-{task}"), weight)


def best(url: str, user: str, version: str, weights: str = "w.click=1&w.long_view=1") -> list[str]:
    return [item["item"] for item in asked(url, f"rank?user={user}&version={version}&{weights}")["top"]]


def test_page_opens_on_the_newest_version_and_a_user_with_history(browser: Browser, page: str) -> None:
    first = asked(page, "model")["users"][0]
    assert shown(browser) == best(page, first["id"], "2")
    assert len(texts(browser, "#history li")) == min(first["rows"], 20)
    assert console(browser) == []


def test_cards_show_the_scores_of_both_tasks(browser: Browser) -> None:
    text = " ".join(texts(browser, CARDS)[0].split())
    assert re.match(r"1\. item \d+ score \d\.\d{3} click 0\.\d{3} long view 0\.\d{3} ", text)


def test_another_user_is_picked_by_keyboard(browser: Browser, page: str) -> None:
    field = browser.find_element(By.ID, "user")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("7", Keys.ENTER)
    eventually(browser, lambda: shown(browser) == best(page, "7", "2"))
    rows = asked(page, "user?id=7")["rows"]
    assert texts(browser, "#user-note") == [f"{rows} rows in the logs"]


def test_sliders_change_the_order_through_the_server(browser: Browser, page: str) -> None:
    user = asked(page, "model")["users"][0]["id"]
    before = shown(browser)
    set_weight(browser, "click", "0")
    after = best(page, user, "2", "w.click=0&w.long_view=1")
    assert after != before
    eventually(browser, lambda: shown(browser) == after)
    assert "places up or down since the last change" in browser.find_element(By.ID, "status").text
    assert console(browser) == []


def test_sliders_move_by_keyboard_and_say_their_weight(browser: Browser) -> None:
    slider = browser.find_element(By.CSS_SELECTOR, "#weights input")
    slider.send_keys(Keys.HOME)
    eventually(browser, lambda: texts(browser, "#weights output") == ["0.00", "1.00"])
    browser.find_element(By.CSS_SELECTOR, "#weights button").send_keys(Keys.ENTER)
    eventually(browser, lambda: texts(browser, "#weights output") == ["1.00", "1.00"])


def test_version_is_switched(browser: Browser, page: str) -> None:
    user = asked(page, "model")["users"][0]["id"]
    Select(browser.find_element(By.ID, "version")).select_by_value("1")
    eventually(browser, lambda: shown(browser) == best(page, user, "1"))
    assert texts(browser, ".column h3") == ["Version 1"]


def test_two_versions_stand_side_by_side_with_moves_marked(browser: Browser, page: str) -> None:
    user = asked(page, "model")["users"][0]["id"]
    Select(browser.find_element(By.ID, "other")).select_by_value("1")
    eventually(browser, lambda: texts(browser, ".column h3") == ["Version 2", "Version 1"])
    assert [shown(browser, 1), shown(browser, 2)] == [best(page, user, "2"), best(page, user, "1")]
    marks = texts(browser, ".column:nth-child(2) .head .move")
    places = {item: place for place, item in enumerate(shown(browser, 1))}
    expected = [_mark(places.get(item), place) for place, item in enumerate(shown(browser, 2))]
    assert marks == expected
    assert texts(browser, "#version-note")[0].count("embeddings fp32, dense fp32; run ") == 2
    assert console(browser) == []


def _mark(before: int | None, now: int) -> str:
    if before is None:
        return "new"
    return "=" if before == now else f"{'▲' if before > now else '▼'}{abs(before - now)}"


def test_weights_of_nothing_are_told_on_the_page_and_pass(browser: Browser) -> None:
    for task in two_versions.TASKS:
        set_weight(browser, task, "0")
    line = "weights must hold a number other than 0, or every item scores the same"
    eventually(browser, lambda: texts(browser, "#fault") == [line])
    set_weight(browser, "click", "1")
    eventually(browser, lambda: not browser.find_element(By.ID, "fault").is_displayed())


def test_unknown_user_is_told_on_the_page(browser: Browser) -> None:
    browser.find_element(By.ID, "user").send_keys(Keys.CONTROL, "a")
    browser.find_element(By.ID, "user").send_keys("nobody", Keys.ENTER)
    line = "user must have rows in the logs, got 'nobody'; pick one of the list"
    eventually(browser, lambda: texts(browser, "#fault") == [line])


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1280, "light")])
def test_page_fits_its_width(browser: Browser, width: int, scheme: str) -> None:
    show_at(browser, width, scheme=scheme)
    Select(browser.find_element(By.ID, "other")).select_by_value("1")
    eventually(browser, lambda: len(texts(browser, ".column h3")) == 2)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(SCREENSHOTS / f"demo-{width}.png"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_and_the_page_asks_nobody_else(browser: Browser, page: str) -> None:
    controls = browser.find_elements(By.CSS_SELECTOR, "input, select, button, meter")
    assert [each.accessible_name for each in controls].count("") == 0
    script = "return performance.getEntriesByType('resource').map(each => each.name)"
    loaded = browser.execute_script(script)
    assert {name[: len(page)] for name in loaded} == {page}


@pytest.mark.slow
def test_server_that_is_down_is_told_on_the_page_which_recovers(folder: Path, chromium: Browser) -> None:
    with serve(folder / "model_repository") as server:
        port = int(server.url.rpartition(":")[2])
        with demo(folder, "--url", server.url) as (url, _):
            chromium.get(url)
            eventually(chromium, lambda: len(texts(chromium, CARDS)) == 10)
            server.stop(grace_s=0.0)
            set_weight(chromium, "click", "0.5")
            pattern = r"pair\S* .*at 127\.0\.0\.1:\d+: no server answers after \d+ attempts; .* \(trying again\)"
            eventually(chromium, lambda: re.fullmatch(pattern, texts(chromium, "#fault")[0]) is not None)
            again = serve(folder / "model_repository", config=ServerConfig(http_port=port))
            try:
                eventually(chromium, lambda: not chromium.find_element(By.ID, "fault").is_displayed())
                assert len(texts(chromium, CARDS)) == 10
            finally:
                again.stop(grace_s=0.0)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("rank", "user must be given, as in ?user=46"),
        ("rank?user=7&k=0", "k must be in [1, 100], got '0'"),
        ("rank?user=7&w.click=much", "w.click must be a number, got 'much'"),
        ("user?id=nobody", "user must have rows in the logs, got 'nobody'; pick one of the list"),
    ],
)
def test_wrong_question_is_answered_with_one_line(page: str, path: str, error: str) -> None:
    assert asked(page, path) == {"status": 400, "error": error}


def test_version_that_is_not_live_is_told(page: str) -> None:
    found = asked(page, "rank?user=7&version=9")
    assert found == {"status": 404, "error": "version must be one that is live, which are 1, 2, got '9'"}


def test_answer_says_version_latency_and_items(page: str) -> None:
    found = asked(page, "rank?user=7&version=1&k=3")
    assert (found["version"], found["items"], len(found["top"])) == ("1", 40, 3)
    assert 0 < found["latency_ms"] < 5_000


def test_page_under_another_name_is_refused(page: str) -> None:
    request = urllib.request.Request(f"{page}/api/model", headers={"Host": "elsewhere.example"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=20)  # noqa: S310


def test_interrupt_ends_page_and_server(folder: Path) -> None:
    with demo(folder) as (_, process):
        started = _children(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert len(started) > 0
    time.sleep(0.1)
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
