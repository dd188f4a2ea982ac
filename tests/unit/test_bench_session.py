"""Runs of many benchmarks: what is kept of them, what is told of those that fail, and that pages are written whole."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SCRIPT = """
import json, sys
with open({counter!r}, "a") as file:
    file.write("x")
rows = [{{"workload": "a", "spread": 0.25}}, {{"workload": "b", "spread": None}}]
json.dump({{"rows": rows}}, open(sys.argv[1], "w"))
print("| what | ours |")
print("| --- | --- |")
print("| a | 10 ms |")
"""


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the modules by name; they are imported as benchmarks import them."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    names = ("catalogue", "comparing", "pages", "running", "session", "wanting")
    modules: dict[str, ModuleType] = {name: importlib.import_module(f"suite.{name}") for name in names}
    return SimpleNamespace(**modules)


class Given:
    """A script in place of a benchmark, that counts its runs."""

    def __init__(self, suite: Any, folder: Path, name: str = "one", **fields: Any) -> None:
        self.counter = folder / f"{name}.runs"
        script = folder / f"{name}.py"
        script.write_text(SCRIPT.format(counter=str(self.counter)))
        self.listed = suite.catalogue.Benchmark(name=name, command=f"{script} {{json}}", minutes=1, **fields)

    @property
    def runs(self) -> int:
        return len(self.counter.read_text()) if self.counter.exists() else 0


@pytest.fixture
def given(suite: Any, tmp_path: Path) -> Given:
    return Given(suite, tmp_path)


def session(suite: Any, folder: Path) -> Any:
    return suite.session.Session(folder=folder / "found", given={})


def test_what_is_printed_and_written_is_found(suite: Any, given: Given, tmp_path: Path) -> None:
    ((_, found),), failed = session(suite, tmp_path).run([given.listed])
    assert (found.tables, found.spreads, failed) == ([[["what", "ours"], ["a", "10 ms"]]], {"a": 0.25}, 0)


def test_what_has_ended_is_not_run_again(suite: Any, given: Given, tmp_path: Path) -> None:
    once, _ = session(suite, tmp_path).run([given.listed])
    again, _ = session(suite, tmp_path).run([given.listed])
    assert given.runs == 1
    assert [outcome for _, outcome in again] == [outcome for _, outcome in once]


def test_changed_code_is_measured_anew(
    suite: Any, given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(suite, tmp_path).run([given.listed])
    monkeypatch.setattr(suite.running, "sources", lambda: "of other code")
    session(suite, tmp_path).run([given.listed])
    assert given.runs == 2


def test_code_that_is_edited_meanwhile_fails(
    suite: Any, given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suite.running, "sources", lambda: f"after {given.runs} runs")
    found, failed = session(suite, tmp_path).run([given.listed])
    assert (found, failed) == ([], 1)
    assert "one: code was edited while it ran; run it again, and edit when it has ended" in capsys.readouterr().out


def committed_in(folder: Path, *files: str) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "--quiet"], ["add", *files], ["commit", "--quiet", "--message", "files"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


def test_digest_of_code_is_of_files_and_not_of_commits(
    suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite.running, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "a.py").write_text("one")
    committed_in(tmp_path, "a.py")
    (tmp_path / "docs" / "page.md").write_text("measured")
    first = suite.running.sources()
    committed_in(tmp_path, "docs")
    assert suite.running.sources() == first
    (tmp_path / "a.py").write_text("two")
    assert suite.running.sources() != first


def test_digest_of_code_has_files_that_git_does_not_know(
    suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite.running, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text("one")
    committed_in(tmp_path, "a.py")
    first = suite.running.sources()
    (tmp_path / "b.py").write_text("one")
    assert suite.running.sources() != first


def test_demo_of_other_code_is_made_anew(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "examples" / "kuairand" / "demo.py"
    script.parent.mkdir(parents=True)
    script.write_text("import pathlib, sys; open(pathlib.Path(sys.argv[2]) / 'report.html', 'a').write('x')")
    (tmp_path / "demo").mkdir()
    monkeypatch.setattr(suite.wanting, "ROOT", tmp_path)
    for code in ("one", "one", "two"):
        monkeypatch.setattr(suite.wanting, "sources", lambda code=code: code)
        suite.wanting.demo(tmp_path / "demo")
    assert (tmp_path / "demo" / "report.html").read_text() == "xx"


def test_what_the_pages_hold_is_forgotten(suite: Any, given: Given, tmp_path: Path) -> None:
    run = session(suite, tmp_path)
    found, _ = run.run([given.listed])
    run.forget(found)
    run.run([given.listed])
    assert given.runs == 2


def test_interrupted_run_keeps_what_had_ended(
    suite: Any, given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, run = Given(suite, tmp_path, "two"), suite.running.run

    def interrupted(benchmark: Any, *rest: Any) -> Any:
        if benchmark.name == "two":
            raise KeyboardInterrupt
        return run(benchmark, *rest)

    monkeypatch.setattr(suite.running, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session(suite, tmp_path).run([given.listed, second.listed])
    monkeypatch.setattr(suite.running, "run", run)
    session(suite, tmp_path).run([given.listed, second.listed])
    assert (given.runs, second.runs) == (1, 1)


def test_failure_is_told_and_the_others_run(
    suite: Any, given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Given(suite, tmp_path, "broken")
    (tmp_path / "broken.py").write_text("raise SystemExit('no such model')")
    found, failed = session(suite, tmp_path).run([broken.listed, given.listed])
    assert (len(found), failed, given.runs) == (1, 1, 1)
    log = tmp_path / "found" / "broken.log"
    assert f"broken failed: no such model; {log} has what it told before" in capsys.readouterr().out


def test_variables_of_the_list_reach_the_process(suite: Any, tmp_path: Path) -> None:
    asking = Given(suite, tmp_path, "asking", environment={"OMP_NUM_THREADS": "7"})
    asked = "import os; print('| threads |'); print('| --- |'); print('|', os.environ['OMP_NUM_THREADS'], '|')"
    (tmp_path / "asking.py").write_text(asked)
    ((_, found),), _ = session(suite, tmp_path).run([asking.listed])
    assert found.tables == [[["threads"], ["7"]]]


def test_pages_get_the_table_and_the_machine(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given(suite, tmp_path, places=(suite.catalogue.Place(name="speed", page="page.md"),))
    monkeypatch.setattr(suite.pages, "ROOT", tmp_path)
    script = given.listed.script
    (tmp_path / "page.md").write_text(f"Before.\n\n<!-- speed: {script} -->\n<!-- end of speed -->\n\nAfter.\n")
    found, _ = session(suite, tmp_path).run([given.listed])
    text = suite.comparing.renewed(found)["page.md"]
    expected = f"| what | ours |\n| --- | --- |\n| a | 10 ms |\n\n{found[0][1].machine.said()}"
    assert suite.pages.held(text, "speed", script, "page.md") == expected
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")


def test_page_is_put_in_place_whole(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.pages, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("old")
    suite.pages.write("page.md", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("page.md", "new")]


def test_committed_page_is_that_of_the_last_commit(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.pages, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("committed")
    committed_in(tmp_path, "page.md")
    page.write_text("changed since")
    assert suite.pages.committed("page.md") == "committed"


def test_page_without_git_is_as_it_is(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.pages, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "page.md").write_text("as it is")
    assert suite.pages.committed("page.md") == "as it is"


def test_quick_run_writes_nothing() -> None:
    command: list[str | Path] = [
        sys.executable,
        BENCHMARKS / "bench.py",
        "--quick",
        "--only",
        "metrics",
        "table-sizing",
    ]
    before = (ROOT / "docs" / "training.md").read_text()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 run, 0 failed; nothing is written"
    assert (ROOT / "docs" / "training.md").read_text() == before


def test_list_has_what_each_needs() -> None:
    command: list[str | Path] = [sys.executable, BENCHMARKS / "bench.py", "--list", "--only", "spark", "train-scarce"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["train-scarce", "3", "--ml-1m", "docs/benchmarks.md"],
        ["spark", "4", "pyspark,", "java", "docs/spark.md"],
    ]
