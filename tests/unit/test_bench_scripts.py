"""Scripts of benchmarks: that each measures what its table says, and that what fails ends the run."""

import contextlib
import importlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def part(name: str) -> ModuleType:
    return importlib.import_module(name)


def called(monkeypatch: pytest.MonkeyPatch, script: str, *options: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", [script, *map(str, options)])
    part(script).main()


FEW = ["--gigabytes", "0.0001", "--file-rows", "100", "--folder"]


def test_first_run_finds_nothing_that_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = tmp_path / "encoded"
    found: list[bool] = []

    def measured(*_: object) -> list[str]:
        found.append(encoded.exists())
        encoded.mkdir(exist_ok=True)
        return [""] * 4

    monkeypatch.setattr(part("streaming"), "_measured", measured)
    for _ in range(2):
        called(monkeypatch, "streaming", *FEW, tmp_path)
    assert found == [False, True] * 2


def test_drawn_logs_lie_apart_from_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def make(folder: Path, _: object) -> int:
        folders.append(folder)
        return 0

    monkeypatch.setattr(part("streaming"), "_make", make)
    monkeypatch.setattr(part("streaming"), "_measured", lambda *_: [""] * 4)
    called(monkeypatch, "streaming", "--folder", tmp_path)
    called(monkeypatch, "streaming", "--folder", tmp_path, "--logs", "10")
    assert folders == [tmp_path, tmp_path / "drawn"]


def test_streaming_trains_for_one_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streaming = part("streaming")
    configs: list[Any] = []

    def fit(*_: object, config: object, **__: object) -> None:
        configs.append(config)

    (tmp_path / "schema.toml").write_text(streaming.SCHEMA)
    monkeypatch.setattr(streaming, "fit", fit)
    called(monkeypatch, "streaming", "--train", "--folder", tmp_path)
    assert [config.max_epochs for config in configs] == [1]


def test_verb_that_fails_ends_the_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        part("contests.verbs").verb("export", str(tmp_path / "absent"), "--out", str(tmp_path / "bundle"))
    assert ended.value.code == 1
    assert "absent" in capsys.readouterr().err


def test_peak_memory_is_that_of_the_process_alone() -> None:
    asked = "from contests.processes import peak_bytes; print(peak_bytes())"
    held = np.ones(20_000_000)  # 160 MB, which `getrusage` would count to the child
    done = subprocess.run([sys.executable, "-c", asked], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    assert 1_000_000 < int(done.stdout) < held.nbytes / 2


def test_error_of_a_thread_ends_the_measurement_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = part("traffic.memory")

    def score(_: object) -> None:
        raise TimeoutError("of the third thread")

    for name in ("make_bundle", "publish_bundle"):
        monkeypatch.setattr(memory.model, name, lambda *_: None)
    server = SimpleNamespace(url="", pid=os.getpid())
    monkeypatch.setattr(memory, "serve", lambda *_: contextlib.nullcontext(server))
    monkeypatch.setattr(memory, "Ranker", lambda *_: contextlib.nullcontext(SimpleNamespace(score=score)))
    with pytest.raises(TimeoutError, match="of the third thread"):
        memory.measure(tmp_path, 40, lambda _: None)


def served(monkeypatch: pytest.MonkeyPatch, job: str, found: object) -> list[list[str]]:
    """Return the table that a job prints of what was found."""
    serve = part("serve")
    monkeypatch.setattr(getattr(serve, job), "measure", lambda *_: found)
    arguments = SimpleNamespace(peers=[], seconds=1.0, rate=None)
    lines: list[list[str]] = serve.JOBS[job](Path(), arguments)
    return lines


def test_nobody_reaches_a_target_beside_a_rate_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    load = SimpleNamespace(rate=50.0, p50_ms=12.0, p99_ms=34.0)
    found = [SimpleNamespace(name=name, rate=0.0, load=load) for name in ("polyrank, HTTP", "fastapi")]
    assert [line[-1] for line in served(monkeypatch, "throughput", found)[1:]] == ["-", "-"]


def soaked(**fields: Any) -> object:
    found = part("traffic.soak").Found(100.0, requests=20, latencies=[0.1], events=["server killed"])
    for name, value in fields.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latencies": []}, "none of 20 requests was answered"),
        ({"wrong": 3}, "3 of 20 answers were wrong; server killed"),
    ],
)
def test_soak_of_wrong_or_no_answers_fails(
    fields: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=message):
        served(monkeypatch, "soak", soaked(**fields))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give the port of a server that reads a request and hangs up."""

    def hang_up() -> None:
        with listener.accept()[0] as connection:
            connection.recv(1 << 16)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=hang_up)
        server.start()
        yield listener.getsockname()[1]
        server.join()


@pytest.mark.timeout(20)
def test_server_that_hangs_up_ends_the_benchmark(silent_port: int) -> None:
    with (
        part("raw").Connection(f"http://127.0.0.1:{silent_port}") as connection,
        pytest.raises(SystemExit, match="the server hung up within an answer"),
    ):
        connection.ask(b"GET / HTTP/1.1\r\n\r\n")


def test_server_that_holds_no_rate_is_no_rate_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = part("demand.measured")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    row = "| polyrank, HTTP | "
    (tmp_path / "benchmarks.md").write_text(page.replace(row, f"{row}none; at 50: | "))
    monkeypatch.setattr(measured, "DOCS", tmp_path)
    with pytest.raises(SystemExit, match="a page of measurements has 'none; at 50:' where a number should be"):
        measured.measured()


def test_loop_that_fails_before_its_kill_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    turning = part("closed_loop.turning")
    monkeypatch.setattr(turning.Turns, "_command", lambda _: [sys.executable, "-c", "raise SystemExit(3)"])
    turns = turning.Turns(Path("loop.toml"), 1, SimpleNamespace(uniform=lambda *_: 60.0))
    with pytest.raises(SystemExit) as ended:
        turns.turn()
    assert (ended.value.code, turns.killed) == (3, 0)


def test_first_windows_are_as_long_for_all() -> None:
    task = part("training.workers.worker").Task
    assert task(folder="", architecture="mmoe", batch_size=4096).first_rows == 40 * 4096
    assert task(folder="", architecture="mmoe", batch_size=1024).first_rows == 65_536


def test_fingerprints_that_differ_say_from_what() -> None:
    with pytest.raises(SystemExit, match="ids: the fingerprints differ from those of the same ids as strings"):
        part("contests.measure").check_same(np.zeros(2), np.ones(2), "ids", "those of the same ids as strings")


def test_machine_without_a_compiler_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-compiler-of-anybody")
    assert part("contests.report").machine(())["compiler"] == "no C++ compiler"
