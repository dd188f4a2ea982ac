"""The demo from end to end, as a user starts it."""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from artefacts.browser import Browser, console, open_browser, show_at
from artefacts.report_page import COLOURS, LEAST_PATHS, asked, hindrances, pictures, wait_until_drawn
from selenium.webdriver.common.by import By

from polyrank.serving.servable import servable_models

pytestmark = pytest.mark.triton

DEMO = Path(__file__).parents[2] / "examples" / "kuairand" / "demo.py"
ROWS = "23000"  # the last day, which validates, has 21,147
METRICS = [
    *((task, metric) for task in ("click", "long_view") for metric in ("auc", "gauc")),
    *(("watch_ratio", metric) for metric in ("rmse", "rmsle")),
]
LEAST_PICTURES = 30
"""Of three tasks, their parts, groups, columns and two bundles: each of them has some."""


@dataclasses.dataclass
class Done:
    """An ended demo."""

    code: int
    out: str
    err: str


@dataclasses.dataclass
class Rivals:
    """Two demos that were started at once with the same output directory."""

    place: Path
    winner: Done
    loser: Done


def start(out: Path, *, folder: Path | None = None) -> "subprocess.Popen[str]":
    """Start a demo in a folder."""
    command = [sys.executable, str(DEMO), "--rows", ROWS, "--out", str(out)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("POLYRANK_TEST")}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: "subprocess.Popen[str]") -> Done:
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> Rivals:
    place = tmp_path_factory.mktemp("demo") / "out"
    place.mkdir()
    (place / "mine.txt").write_text("kept")
    (place / "run").mkdir()
    (place / "run" / "old").write_text("replaced")
    both = [start(place, folder=place.parent) for _ in range(2)]
    winner, loser = sorted(map(finish, both), key=lambda done: done.code)
    return Rivals(place, winner, loser)


def test_demo_succeeds(rivals: Rivals) -> None:
    assert rivals.winner.code == 0, rivals.winner.err


def test_demo_names_every_step(rivals: Rivals) -> None:
    steps = re.findall(r"^(\w+) +\d+\.\d s$", rivals.winner.out, flags=re.MULTILINE)
    assert steps == ["load", "train", "export", "int8", "publish", "serve", "score", "evaluate", "report"]


def test_demo_prints_equal_metrics_offline_and_served(rivals: Rivals) -> None:
    line = r"^(\w+) +(\w+) +(\d+\.\d{6}) +(\d+\.\d{6}) +(\d\.\de[+-]\d\d)$"
    found = re.findall(line, rivals.winner.out, flags=re.MULTILINE)
    assert [(task, metric) for task, metric, *_ in found] == METRICS
    assert all(float(offline) == pytest.approx(float(served), abs=1e-5) for _, _, offline, served, _ in found)
    assert all(float(gap) < 1e-5 for *_, gap in found)


def test_demo_tells_latency(rivals: Rivals) -> None:
    assert re.search(
        r"^500 requests of 100 rows, encoding included: p50 \d+\.\d\d ms, p99 \d+\.\d\d ms$",
        rivals.winner.out,
        flags=re.MULTILINE,
    )


def test_demo_tells_what_the_export_proves_and_saves(rivals: Rivals) -> None:
    parity = r"^PyTorch against ONNX Runtime \S+, \d+ batches: largest difference \d\.\de-\d\d \(limit 1e-05\)$"
    speed = r"^one user with 1,000 items, one thread: \S+ ms as rows, \S+ ms as a request, (\S+) times as fast$"
    size = r"^embeddings in 8 bits: \S+ MB to \S+ MB, (\S+) times smaller; on the run's sample of validation "
    assert re.search(parity, rivals.winner.out, flags=re.MULTILINE)
    found = [re.search(line, rivals.winner.out, flags=re.MULTILINE) for line in (speed, size)]
    assert all(match is not None and float(match[1]) > 1.5 for match in found)


def test_demo_ends_by_naming_its_report(rivals: Rivals) -> None:
    report = rivals.place / "report.html"
    assert rivals.winner.out.splitlines()[-1].endswith(f": {report}")
    assert "kuairand" in report.read_text()


def test_demo_names_commands_that_can_be_called(rivals: Rivals) -> None:
    named = re.findall(r": (\S+) (?:serve|demo --web) ", rivals.winner.out)
    assert len(named) == 2
    assert all((rivals.place.parent / each).is_file() for each in named)


@pytest.fixture(scope="module")
def report(rivals: Rivals) -> Iterator[Browser]:
    """The demo's page in Chromium, drawn."""
    with open_browser() as browser:
        show_at(browser, 1280, scheme="light")
        browser.get((rivals.place / "report.html").as_uri())
        wait_until_drawn(browser)
        yield browser


def test_report_draws_every_picture_in_silence(report: Browser) -> None:
    assert console(report) == []
    found = pictures(report)
    assert len(found) >= LEAST_PICTURES
    assert min(paths for paths, *_ in found) > LEAST_PATHS
    assert all(width > 0.6 * place and height > 60 for _, width, height, place in found)
    assert asked(report, "return performance.getEntriesByType('resource').map(each => each.name)") == []


def test_report_is_small_enough_to_send(rivals: Rivals) -> None:
    assert (rivals.place / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_report_does_not_hinder_people(report: Browser, scheme: str) -> None:
    show_at(report, 1280, scheme=scheme)
    assert hindrances(report) == []


def test_report_switches_its_theme(report: Browser) -> None:
    show_at(report, 1280, scheme="light")
    light = asked(report, COLOURS)
    report.find_element(By.ID, "theme").click()
    assert all(before != after for before, after in zip(light, asked(report, COLOURS), strict=True))


def test_demo_leaves_a_servable_repository(rivals: Rivals) -> None:
    assert servable_models(rivals.place / "model_repository") == ("kuairand", "kuairand_rank")


def test_demo_replaces_its_results_and_keeps_other_files(rivals: Rivals) -> None:
    files = ["evaluation.json", "logs.parquet", "mine.txt", "report.html"]
    expected = sorted(["bundle", "bundle-int8", "model_repository", "run", *files])
    assert sorted(path.name for path in rivals.place.iterdir()) == expected
    assert not (rivals.place / "run" / "old").exists()


def test_demo_leaves_no_process(rivals: Rivals) -> None:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_text())
        except OSError:  # ended meanwhile
            continue
    assert len(lines) > 1
    assert [line for line in lines if str(rivals.place) in line] == []


def test_second_demo_in_the_same_place_is_refused_in_one_line(rivals: Rivals) -> None:
    assert rivals.loser == Done(
        1, "", f"polyrank: another demo is writing to {rivals.place}; wait for it, or choose another --out\n"
    )


def test_place_under_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = finish(start(tmp_path / "file" / "out"))
    assert done == Done(1, "", f"polyrank: cannot write {tmp_path}/file/out: not a directory\n")
