import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from artefacts.processes import SHARED_MEMORY, private_folder, remains, wait_until
from integration.server_repository import add_model, ask, rows
from tritonclient.utils import InferenceServerException

from polyrank.errors import ServerStartError
from polyrank.serving.locations import server_folder
from polyrank.serving.server import serve

pytestmark = pytest.mark.triton

# Under nohup the tests inherit an ignored SIGHUP; the parent of these tests shall die of it.
PARENT = """
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from polyrank.errors import ServerStartError
from polyrank.serving.locations import server_folder
from polyrank.serving.server import serve
server = serve(sys.argv[1])
print(server.pid, flush=True)
time.sleep(600)
"""
# A worker forked without exec inherits the pipe to the supervisor and holds it open. It prints nothing: where Python's
# output is unbuffered, print writes the line and its end apart, and two processes would mix theirs.
FORKING_PARENT = PARENT.replace(
    "time.sleep(600)", "import os; worker = os.fork(); worker and print(worker, flush=True); time.sleep(600)"
)
# What the command line's `main` does around the verb.
COMMAND = """
import argparse, sys
from polyrank.commands import serve
from polyrank.errors import PolyrankError
parser = argparse.ArgumentParser()
serve.add_parser(parser.add_subparsers())
args = parser.parse_args(["serve", *sys.argv[1:]])
try:
    sys.exit(args.run(args))
except PolyrankError as err:
    print(f"polyrank: {err}", file=sys.stderr)
    sys.exit(1)
"""
FREE_PORTS = ("--http-port", "0", "--grpc-port", "0", "--metrics-port", "0")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    add_model(folder)
    return folder


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[str]"]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(started: list["subprocess.Popen[str]"], script: str, *args: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started.append(process)
    return process


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def supervisor_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command_server(process: "subprocess.Popen[str]") -> int:
    """Return Triton's process id under a `polyrank serve` that has said it is ready."""
    supervisor = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    return int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])


def test_running_server_holds_what_the_other_tests_look_for(repository: Path) -> None:
    with serve(repository) as server:
        folder = private_folder(server.pid)
        left = remains(folder)
    assert any("triton_python_backend_stub" in each for each in left)
    assert any(each.startswith(str(SHARED_MEMORY)) for each in left)
    assert str(folder) in left


def answers(url: str) -> bool:
    try:
        return bool(ask(url, rows(1, 1))["click"].item() == 1.5)
    except InferenceServerException:
        return False


def test_end_of_the_with_block_leaves_nothing(repository: Path) -> None:
    with serve(repository) as server:
        folder = private_folder(server.pid)
    assert not server.is_alive
    assert remains(folder) == []


def test_stop_is_quick_and_may_be_repeated(repository: Path) -> None:
    server = serve(repository)
    folder = private_folder(server.pid)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 2.0
    server.stop()
    assert server.wait(0)
    assert remains(folder) == []


def test_stop_lets_a_request_in_flight_end(tmp_path: Path) -> None:
    add_model(tmp_path, config={"dynamic_batching": {"max_queue_delay_microseconds": 700_000}})
    with ThreadPoolExecutor(1) as pool, serve(tmp_path) as server:
        answer = pool.submit(ask, server.grpc_url, rows(1, 1))
        time.sleep(0.3)
        server.stop()
        assert answer.result()["click"].item() == 1.5


def test_stop_without_grace_leaves_nothing(repository: Path) -> None:
    server = serve(repository)
    folder = private_folder(server.pid)
    server.stop(grace_s=0)
    assert remains(folder) == []


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    (add_model(tmp_path, "bad") / "1" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ServerStartError, match="model 'bad'"):
        serve(tmp_path)
    assert remains(Path(f"{os.getpid()}-")) == []
    assert list((server_folder() / "servers").glob(f"{os.getpid()}-*")) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_death_of_the_parent_ends_the_server(
    repository: Path, started: list["subprocess.Popen[str]"], number: signal.Signals
) -> None:
    parent = start(started, PARENT, str(repository))
    folder = private_folder(int(read_line(parent)))
    parent.send_signal(number)
    assert wait_until(lambda: remains(folder) == []), remains(folder)


def test_death_of_a_parent_whose_pipe_a_fork_holds_ends_the_server(
    repository: Path, started: list["subprocess.Popen[str]"]
) -> None:
    parent = start(started, FORKING_PARENT, str(repository))
    folder = private_folder(int(read_line(parent)))
    worker = int(read_line(parent))
    parent.kill()
    try:
        assert wait_until(lambda: remains(folder) == []), remains(folder)
    finally:
        os.kill(worker, signal.SIGKILL)


def test_stop_clears_up_after_a_killed_supervisor(repository: Path) -> None:
    server = serve(repository)
    folder = private_folder(server.pid)
    os.kill(supervisor_of(server.pid), signal.SIGKILL)
    assert server.wait(10)
    server.stop()
    assert wait_until(lambda: remains(folder) == [], 2), remains(folder)


def test_next_start_clears_up_after_parent_and_supervisor_were_killed(
    repository: Path, started: list["subprocess.Popen[str]"]
) -> None:
    parent = start(started, PARENT, str(repository))
    triton = int(read_line(parent))
    folder = private_folder(triton)
    supervisor = supervisor_of(triton)
    os.kill(parent.pid, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    os.kill(parent.pid, signal.SIGKILL)
    # The folder too is gone already where a server of another test has started meanwhile.
    assert wait_until(lambda: set(remains(folder)) <= {str(folder)}), remains(folder)
    serve(repository).stop()
    assert remains(folder) == []


def test_death_of_triton_is_seen_and_cleared_up(repository: Path) -> None:
    with serve(repository) as server:
        folder = private_folder(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(10)
        assert not server.is_alive
        assert remains(folder) == []


def test_two_servers_do_not_touch_each_other(repository: Path) -> None:
    with serve(repository) as first:
        with serve(repository) as second:
            assert private_folder(first.pid) != private_folder(second.pid)
        assert ask(first.grpc_url, rows(1, 1))["click"].item() == 1.5


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_command_stops_cleanly_on_a_signal(
    repository: Path, started: list["subprocess.Popen[str]"], number: signal.Signals
) -> None:
    command = start(started, COMMAND, str(repository), *FREE_PORTS)
    assert read_line(command).startswith("ready: ranker at grpc 127.0.0.1:")
    folder = private_folder(command_server(command))
    command.send_signal(number)
    assert command.wait(15) == 0
    assert remains(folder) == []


def test_command_stops_cleanly_while_it_starts(
    repository: Path, started: list["subprocess.Popen[str]"], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = start(started, COMMAND, str(repository), *FREE_PORTS, "--log-file", str(log))
    assert wait_until(lambda: log.exists() and "loading: ranker:1" in log.read_text())
    folder = private_folder(command_server(command))
    command.send_signal(signal.SIGINT)
    assert command.wait(15) == 0
    assert remains(folder) == []


def test_command_reports_the_death_of_triton(repository: Path, started: list["subprocess.Popen[str]"]) -> None:
    command = start(started, COMMAND, str(repository), *FREE_PORTS, "--restarts", "0")
    read_line(command)
    os.kill(command_server(command), signal.SIGKILL)
    _, errors = command.communicate(timeout=15)
    assert command.returncode == 1
    assert errors.splitlines()[-1].startswith("polyrank: the server ended by itself: ")


def test_command_starts_a_dead_triton_again(repository: Path, started: list["subprocess.Popen[str]"]) -> None:
    command = start(started, COMMAND, str(repository), *FREE_PORTS)
    url = read_line(command).split()[4].removesuffix(",")
    os.kill(command_server(command), signal.SIGKILL)
    assert wait_until(lambda: answers(url))
    command.send_signal(signal.SIGTERM)
    _, errors = command.communicate(timeout=15)
    assert command.returncode == 0
    assert "Triton was ended by SIGKILL; starting it again with ranker\n" in errors


def test_command_reports_a_refusal_in_one_line(tmp_path: Path, started: list["subprocess.Popen[str]"]) -> None:
    command = start(started, COMMAND, str(tmp_path))
    _, errors = command.communicate(timeout=15)
    assert command.returncode == 1
    assert (
        errors == f"polyrank: model repository {tmp_path} holds no finished model; `polyrank publish` a bundle first\n"
    )


def test_interrupt_stops_a_background_job_that_inherits_it_ignored(
    repository: Path, started: list["subprocess.Popen[str]"]
) -> None:
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{COMMAND}"
    command = start(started, ignoring, str(repository), *FREE_PORTS)
    read_line(command)
    command.send_signal(signal.SIGINT)
    assert command.wait(timeout=20) == 0
