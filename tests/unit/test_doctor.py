"""What the doctor finds on a machine, under conditions that are made real where they can be."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from polyrank.__main__ import main
from polyrank.serving.doctor import Finding, gpu, machine, packages, ports, remote, server_runtime
from polyrank.serving.installer import MARKER
from polyrank.serving.libpython import LIBRARY
from polyrank.serving.runtime import runtime_folder

MEMINFO = "MemTotal:       4194304 kB\nMemFree:          1000 kB\nMemAvailable:   {kib} kB\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that is all there is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def cache_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_dependency_that_is_there_is_well() -> None:
    assert packages.dependency("numpy>=1.26").status == "ok"
    assert packages.dependency("tritonclient[grpc]>=2.50").name == "tritonclient"


def test_dependency_that_is_absent_fails() -> None:
    expected = Finding.fail("no-such-thing", "absent", "pip install 'no-such-thing>=1.0'")
    assert packages.dependency("no-such-thing>=1.0") == expected


def test_dependency_that_is_too_old_fails() -> None:
    found = packages.dependency("pytest>=999.1")
    assert (found.status, found.advice) == ("fail", "pip install 'pytest>=999.1'")
    assert found.found.endswith(", which is older than 999.1")


def test_extension_tells_its_level_and_that_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYRANK_ISA", raising=False)
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2 avx512f\n")
    found = packages.extension(tmp_path / "cpuinfo")
    assert found.status == "ok"
    assert found.found.endswith("; the processor has avx512")
    assert packages.extension(tmp_path / "absent").found.endswith("; the processor has scalar")


def test_forced_level_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_ISA", "scalar")
    assert packages.extension(Path("/proc/cpuinfo")).advice == "unset POLYRANK_ISA"


def test_extension_that_does_not_load_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polyrank.fingerprint", None)
    found = packages.extension(Path("/proc/cpuinfo"))
    assert (found.status, found.advice) == ("fail", "pip install --force-reinstall polyrank")


@pytest.mark.parametrize(
    ("name", "processor", "status"),
    [("Linux", "x86_64", "ok"), ("Linux", "aarch64", "ok"), ("Linux", "armv7l", "fail"), ("Darwin", "x86_64", "fail")],
)
def test_machine_that_triton_does_not_run_on_fails(name: str, processor: str, status: str) -> None:
    assert machine.system(name, processor).status == status


@pytest.mark.parametrize(("kib", "status"), [(2 * 2**20, "ok"), (2 * 2**20 - 1, "warn")])
def test_little_free_memory_is_a_warning(tmp_path: Path, kib: int, status: str) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO.format(kib=kib))
    found = machine.memory(tmp_path / "meminfo")
    assert (found.status, found.found) == (status, "2.0 GiB free of 4.0 GiB")


@pytest.mark.parametrize(("small_disk", "status"), [("64m", "warn"), ("300m", "ok")], indirect=["small_disk"])
def test_little_shared_memory_is_a_warning(small_disk: Path, status: str) -> None:
    assert machine.shared_memory(small_disk).status == status


def test_shared_memory_that_is_not_there_fails(tmp_path: Path) -> None:
    found = machine.shared_memory(tmp_path / "absent")
    assert (found.status, found.found) == ("fail", f"{tmp_path / 'absent'} cannot be written")


def test_cache_that_is_a_file_fails(cache_of_the_test: Path) -> None:
    cache_of_the_test.touch()
    found = machine.cache()
    assert (found.status, found.advice) == ("fail", "set POLYRANK_CACHE_DIR")
    assert found.found == f"{cache_of_the_test} cannot be written: file exists"


def test_cache_that_cannot_be_written_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", "/proc/polyrank")
    assert machine.cache().found == "/proc/polyrank cannot be written: no such file or directory"


def test_cache_with_a_path_that_triton_does_not_take_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "a cache"))
    assert "holds a character that Triton's worker start cannot take" in machine.cache().found
    assert not (tmp_path / "a cache").exists()


@pytest.mark.parametrize("small_disk", ["64m"], indirect=True)
def test_cache_on_a_small_disk_is_a_warning(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(small_disk / "cache"))
    assert machine.cache().status == "warn"


@pytest.mark.parametrize(("limit", "status"), [(1023, "warn"), (1024, "ok"), (-1, "ok")])
def test_few_open_files_are_a_warning(limit: int, status: str) -> None:
    assert machine.open_files(limit).status == status


@pytest.mark.usefixtures("path")
def test_machine_without_docker_is_well() -> None:
    assert machine.docker() == Finding.ok("docker", "absent; only the official container needs it")


def test_docker_without_its_daemon_is_a_warning(path: Path) -> None:
    write_program(path / "docker", "exit 1")
    assert machine.docker().found == "its daemon does not answer"


def test_docker_that_runs_tells_its_version(path: Path) -> None:
    write_program(path / "docker", "echo 28.2.2")
    assert machine.docker() == Finding.ok("docker", "28.2.2")


def test_docker_that_hangs_is_a_warning(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_TIMEOUT_S", 0.2)
    write_program(path / "docker", f"exec {shutil.which('sleep', path='/usr/bin:/bin')} 5")
    assert machine.docker().found == "did not answer in 0.2 s"


def test_missing_libpython_fails_with_the_remedy(tmp_path: Path) -> None:
    (found,) = server_runtime.findings("cpu", search=[tmp_path])
    assert found.status == "fail"
    assert found.found == f"{LIBRARY} is missing (looked in {tmp_path})"
    assert "apt-get install libpython" in found.advice


@pytest.fixture
def libpython(tmp_path: Path) -> list[Path]:
    (tmp_path / LIBRARY).touch()
    return [tmp_path]


@pytest.mark.usefixtures("cache_of_the_test")
def test_runtime_that_is_not_installed_is_a_warning(libpython: list[Path]) -> None:
    library, server = server_runtime.findings("cpu", search=libpython)
    assert (library.status, server.status) == ("ok", "warn")
    assert server.advice == "`polyrank serve` installs it, or `polyrank server install`"


@pytest.mark.usefixtures("cache_of_the_test")
def test_broken_runtime_fails(libpython: list[Path]) -> None:
    runtime_folder().mkdir(parents=True)
    (runtime_folder() / MARKER).write_text("{")
    _, server = server_runtime.findings("cpu", search=libpython)
    assert (server.status, server.advice) == ("fail", "run `polyrank server install`")


@pytest.mark.usefixtures("path")
def test_machine_without_a_gpu_is_well_unless_one_is_wanted() -> None:
    assert [found.status for found in gpu.findings("cpu")] == ["ok"]
    (found,) = gpu.findings("gpu")
    assert (found.status, found.found) == ("fail", "none; nvidia-smi is absent")


def test_driver_without_a_gpu_is_told(path: Path) -> None:
    write_program(path / "nvidia-smi", "echo 'No devices were found'; exit 6")
    (found,) = gpu.findings("cpu")
    assert found.found == "none; nvidia-smi says: No devices were found; models run on the CPU"


def test_driver_that_hangs_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_TIMEOUT_S", 0.2)
    write_program(path / "nvidia-smi", f"exec {shutil.which('sleep', path='/usr/bin:/bin')} 5")
    (found,) = gpu.findings("cpu")
    assert (found.status, found.found) == ("fail", "nvidia-smi did not answer in 0.2 s")


@pytest.mark.usefixtures("cache_of_the_test")
def test_gpu_that_no_environment_uses_is_told(path: Path) -> None:
    write_program(path / "nvidia-smi", "echo 'NVIDIA L4, 580.1, 23034 MiB'")
    card, unused = gpu.findings("cpu")
    assert card == Finding.ok("gpu", "NVIDIA L4, 580.1, 23034 MiB")
    assert (unused.status, unused.name) == ("warn", "onnxruntime-gpu")
    assert [found.status for found in gpu.findings("gpu")] == ["ok", "fail"]
    runtime_folder("gpu").mkdir(parents=True)
    (runtime_folder("gpu") / MARKER).touch()
    assert [found.status for found in gpu.findings("gpu")] == ["ok", "ok"]


def test_taken_port_is_told_with_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (found,) = ports.findings({"http": port})
    assert found.status == "warn"
    assert found.found == f"{port} is used by {Path(own_program()).name} (process {os.getpid()})"
    assert found.advice == "stop it, or take a free port with --http-port 0"
    (found,) = ports.findings({"http": port})
    assert found == Finding.ok("http port", f"{port} is free")


def own_program() -> str:
    return Path("/proc/self/cmdline").read_text().split("\0")[0]


def test_clock_that_is_ahead_is_a_warning() -> None:
    (found,) = remote.clock("ranker", 1_000.0, 900.0)
    assert (found.status, found.found) == ("warn", "the last answer of ranker lies 100 s in the future")
    assert list(remote.clock("ranker", 900.0, 900.0)) == []
    assert list(remote.clock("ranker", 0.0, 900.0)) == []


class _Answers(BaseHTTPRequestHandler):
    """Answers as a Triton with one raw model, or as its port of metrics, which takes no path of ours."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, object]] = {}

    def do_GET(self) -> None:
        self._answer(400)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(405)

    def _answer(self, refusal: int) -> None:
        body = json.dumps(self.answers[self.path]).encode() if self.path in self.answers else b""
        self.send_response(200 if self.path in self.answers else refusal)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listening() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_raw_model_needs_no_signature(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = "/v2/models/toy_raw"
    answers = {
        "/v2": {"name": "triton", "version": "2.51.0"},
        "/v2/health/ready": {},
        "/v2/repository/index": [{"name": "toy_raw", "version": "1", "state": "READY"}],
        f"{model}/config": {"name": "toy_raw", "backend": "polyrank"},
        f"{model}/stats": {"model_stats": []},
    }
    monkeypatch.setattr(_Answers, "answers", answers)
    found = list(remote.findings(listening))
    assert [each.status for each in found] == ["ok"] * 4
    assert found[-1].found == "none is needed: it takes a tensor for each feature, and encodes rows itself"


@pytest.mark.parametrize("answers", [{}, {"/v2": {}, "/v2/health/ready": {}}], ids=["refuses", "says nothing"])
def test_port_that_is_of_no_server_of_models_is_told(
    listening: str, monkeypatch: pytest.MonkeyPatch, answers: dict[str, object]
) -> None:
    monkeypatch.setattr(_Answers, "answers", answers)
    (found,) = remote.findings(listening)
    assert (found.status, found.name) == ("fail", f"server {listening}")
    assert found.advice == "check the port: 8000 is that for HTTP, 8001 for gRPC and 8002 for metrics by default"


def test_command_fails_where_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["doctor", f"127.0.0.1:{port}"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"fail  server 127.0.0.1:{port}  server at 127.0.0.1:{port}: no server answers; ")
    assert last.endswith(" -> start it, or check address, port and TLS")


def test_command_refuses_what_is_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "127.0.0.1"]) == 1
    assert capsys.readouterr().err.startswith("polyrank: url must be ")


def test_command_gives_json(capsys: pytest.CaptureFixture[str], cache_of_the_test: Path) -> None:
    cache_of_the_test.touch()
    assert main(["doctor", "--json"]) == 1
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["polyrank"] == {"name": "polyrank", "status": "ok", "found": "0.1.0", "advice": ""}
    assert found["cache"]["status"] == "fail"


def test_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m polyrank doctor | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout[:2], done.stderr) == ("ok", "")


def test_doctor_writes_nothing_but_the_cache_folder(tmp_path: Path, cache_of_the_test: Path) -> None:
    machine.cache()
    assert list(tmp_path.iterdir()) == [cache_of_the_test]
    assert list(cache_of_the_test.iterdir()) == []
    assert stat.S_ISDIR(cache_of_the_test.stat().st_mode)
