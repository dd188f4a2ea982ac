"""Triton dies, hangs, or loses a worker, and answers again; dead clients leave no shared memory."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from artefacts.client_load import scoring
from artefacts.processes import SHARED_MEMORY, private_folder, remains, wait_until, workers
from artefacts.served import load_scores
from integration.server_repository import add_model, ask, rows
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.export import publish
from polyrank.serving.server import Server, ServerConfig, serve

pytestmark = pytest.mark.triton

RESTARTING = ServerConfig(restarts=3)
TWO = {"instance_group": [{"kind": "KIND_CPU", "count": 2}]}
REGION = """
import sys, time
from multiprocessing import resource_tracker, shared_memory

from tritonclient import grpc
from polyrank.serving.regions import region_name
name = region_name()
memory = shared_memory.SharedMemory(name, create=True, size=64)
resource_tracker.unregister(memory._name, "shared_memory")
with grpc.InferenceServerClient(sys.argv[1]) as client:
    client.register_system_shared_memory(name, f"/{name}", 64)
print(name, flush=True)
time.sleep(600)
"""

RANKER = """
import sys, time
import pyarrow as pa, pyarrow.parquet as pq
from polyrank.serving import ClientOptions, Ranker
client = Ranker(sys.argv[1], options=ClientOptions(shared_memory=True))
client.score(pa.concat_tables([pq.read_table(sys.argv[2])] * 20))
print("scored", flush=True)
time.sleep(600)
"""


def answers(server: Server, model: str = "ranker") -> bool:
    try:
        return bool(ask(server.grpc_url, rows(1, 1), model)["click"].item() == 1.5)
    except InferenceServerException:
        return False


def regions(server: Server) -> set[str]:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        return set(client.get_system_shared_memory_status().regions)


@contextmanager
def load(server: Server) -> Iterator[list[str]]:
    """Ask the server without a pause, and give what the failures say."""
    failures: list[str] = []
    is_over = threading.Event()

    def work() -> None:
        with grpc.InferenceServerClient(server.grpc_url) as client:
            while not is_over.is_set():
                try:
                    client.infer("ranker", rows(1, 1))
                except InferenceServerException as err:
                    failures.append(str(err))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield failures
    is_over.set()
    for thread in threads:
        thread.join()


def kill(server: Server) -> None:
    """Kill Triton and wait until another one answers."""
    before = server.pid
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: server.pid != before)
    assert wait_until(lambda: answers(server))


def test_killed_triton_answers_again_at_its_ports_under_load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    caplog.set_level(logging.INFO)
    with serve(tmp_path, config=RESTARTING) as server:
        folder, before = private_folder(server.pid), (server.grpc_url, server.url, server.metrics_url)
        with load(server) as failures:
            kill(server)
            failures.clear()
            time.sleep(1.0)
        assert failures == []
        assert (server.grpc_url, server.url, server.metrics_url) == before
        assert server.is_alive
        assert wait_until(lambda: "Triton is ready again, with ranker" in caplog.text)
    assert "Triton was ended by SIGKILL; starting it again with ranker" in caplog.text
    assert remains(folder) == []


def test_restarted_triton_has_the_newest_version_and_what_was_loaded_since(tmp_path: Path) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=RESTARTING) as server:
        add_model(tmp_path, "later")
        (tmp_path / "ranker" / "2").mkdir()
        (tmp_path / "ranker" / "2" / "model.onnx").write_bytes((tmp_path / "ranker" / "1" / "model.onnx").read_bytes())
        with grpc.InferenceServerClient(server.grpc_url) as client:
            client.load_model("later", headers=server.control_headers)
        time.sleep(1.5)
        kill(server)
        with grpc.InferenceServerClient(server.grpc_url) as client:
            assert client.is_model_ready("later")
            assert client.is_model_ready("ranker", "2")
            assert not client.is_model_ready("ranker", "1")


@pytest.mark.slow
def test_model_that_was_unloaded_stays_so_after_a_restart(tmp_path: Path) -> None:
    add_model(tmp_path)
    add_model(tmp_path, "gone")
    with serve(tmp_path, config=RESTARTING) as server, grpc.InferenceServerClient(server.grpc_url) as client:
        client.unload_model("gone", headers=server.control_headers)
        time.sleep(2.5)
        kill(server)
        assert not answers(server, "gone")


def test_hanging_triton_is_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(restarts=3, hang_s=2.0)) as server:
        time.sleep(1.5)
        os.kill(server.pid, signal.SIGSTOP)
        assert wait_until(lambda: "Triton did not answer for 2 s; starting it again with ranker" in caplog.text)
        assert wait_until(lambda: answers(server))


def test_triton_that_cannot_live_is_given_up(tmp_path: Path) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(restarts=2)) as server:
        folder = private_folder(server.pid)
        (tmp_path / "ranker" / "1" / "model.onnx").write_bytes(b"no graph")
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(60)
        assert server.failure().startswith("Triton ended with status 1, and was started again 2 times within 10 min; ")
        assert "model 'ranker' version 1 does not load" in server.failure()
    assert remains(folder) == []


@pytest.mark.slow
def test_stop_between_two_tries_is_quick_and_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(restarts=9)) as server:
        folder = private_folder(server.pid)
        (tmp_path / "ranker" / "1" / "model.onnx").write_bytes(b"no graph")
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: "starting it again in 4 s" in caplog.text)
        begin = time.monotonic()
    assert time.monotonic() - begin < 2.0
    assert remains(folder) == []


def test_client_with_patience_sees_no_error_while_triton_is_down(served: Path, tmp_path: Path) -> None:
    shutil.copytree(served / "repository" / "toy", tmp_path / "toy")
    expected = load_scores(served / "scores.npz")["click"]
    table = pyarrow.parquet.read_table(served / "rows.parquet")
    with serve(tmp_path, config=RESTARTING) as server, scoring(server.url, table, clients=4) as seen:
        before = server.pid
        time.sleep(0.5)
        os.kill(before, signal.SIGKILL)
        assert wait_until(lambda: server.pid != before)
        time.sleep(3.0)
    assert seen.refusals == []
    assert len(seen.scores) > 20
    np.testing.assert_allclose(seen.answers, np.tile(expected, (len(seen.scores), 1)), atol=1e-5)


@pytest.mark.slow
def test_worker_killed_at_once_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    with serve(tmp_path) as server:
        os.kill(workers(server)[0], signal.SIGKILL)
        assert wait_until(lambda: "ranker was loaded again" in caplog.text)
        assert answers(server)


@pytest.mark.slow
def test_worker_that_dies_while_another_is_made_anew_is_made_too(tmp_path: Path) -> None:
    add_model(tmp_path, config={"instance_group": [{"kind": "KIND_CPU", "count": 3}]})
    with serve(tmp_path) as server:
        for _ in range(2):
            before = workers(server)
            os.kill(before[0], signal.SIGKILL)
            assert wait_until(lambda before=before: set(workers(server)) != set(before[1:]))  # type: ignore[misc]
        assert wait_until(lambda: len(workers(server)) == 3)
        time.sleep(3.0)
        assert [answers(server) for _ in range(4)] == [True] * 4


@pytest.mark.slow
def test_model_whose_worker_died_at_its_start_answers_again(tmp_path: Path) -> None:
    """By the moment of its death the load fails, and is tried again, or never ends, and Triton is started again."""
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(restarts=3, ready_timeout_s=8.0)) as server:
        (first,) = workers(server)
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: bool(set(workers(server)) - {first}))
        os.kill(next(iter(set(workers(server)) - {first})), signal.SIGKILL)
        assert wait_until(lambda: answers(server), 60.0)


@pytest.mark.parametrize("config", [None, pytest.param(TWO, marks=pytest.mark.slow)], ids=["one", "two"])
def test_killed_worker_is_made_anew(
    tmp_path: Path, config: dict[str, object] | None, caplog: pytest.LogCaptureFixture
) -> None:
    add_model(tmp_path, config=config)
    with serve(tmp_path) as server:
        time.sleep(1.5)
        before = set(workers(server))
        os.kill(min(before), signal.SIGKILL)
        assert wait_until(lambda: "ranker was loaded again" in caplog.text)
        assert len(set(workers(server)) - before) == len(before)
        with load(server) as failures:
            time.sleep(1.0)
        assert failures == []
        assert server.is_alive


@pytest.mark.slow
def test_worker_of_a_model_that_does_not_load_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    graph = add_model(tmp_path) / "1" / "model.onnx"
    whole = graph.read_bytes()
    with serve(tmp_path) as server:
        time.sleep(1.5)
        graph.write_bytes(b"no graph")
        os.kill(workers(server)[0], signal.SIGKILL)
        assert wait_until(lambda: "ranker could not be loaded again: " in caplog.text)
        graph.write_bytes(whole)
        assert wait_until(lambda: "ranker was loaded again" in caplog.text, 40.0)
        assert answers(server)


@pytest.mark.slow
def test_model_loaded_anew_by_others_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = add_model(tmp_path, config=TWO)
    with serve(tmp_path) as server:
        time.sleep(1.5)
        before = set(workers(server))
        os.utime(model / "1" / "model.onnx")
        with grpc.InferenceServerClient(server.grpc_url) as client:
            client.load_model("ranker", headers=server.control_headers)
        time.sleep(6.0)
        assert not before & set(workers(server))
        assert "ended" not in caplog.text


@pytest.mark.slow
def test_model_that_is_unloaded_is_not_loaded_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path)
    add_model(tmp_path, "gone", config=TWO)
    with serve(tmp_path) as server, grpc.InferenceServerClient(server.grpc_url) as client:
        time.sleep(1.5)
        client.unload_model("gone", headers=server.control_headers)
        assert wait_until(lambda: not workers(server, "gone"))
        time.sleep(4.0)
        assert workers(server, "gone") == []
    assert caplog.text == ""


@pytest.mark.slow
def test_region_of_a_dead_client_is_freed_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    add_model(tmp_path)
    with serve(tmp_path) as server:
        command = [sys.executable, "-c", REGION, server.grpc_url]
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            dead, living = [str(each.stdout and each.stdout.readline()).strip() for each in clients]
            assert {dead, living} <= regions(server)
            clients[0].kill()
            clients[0].wait()
            assert wait_until(lambda: dead not in regions(server))
            assert wait_until(lambda: not (SHARED_MEMORY / dead).exists())
            assert living in regions(server)
        finally:
            for each in clients:
                each.kill()
                each.communicate()
            (SHARED_MEMORY / living).unlink(missing_ok=True)


def test_shared_memory_of_a_killed_ranker_is_freed(toy_bundle: Path, served: Path, tmp_path: Path) -> None:
    publish(toy_bundle, tmp_path / "models")
    with serve(tmp_path / "models") as server:
        command = [sys.executable, "-c", RANKER, server.url, str(served / "rows.parquet")]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "scored\n"
            assert len(regions(server)) > 0
        finally:
            client.kill()
            client.communicate()
        assert wait_until(lambda: not regions(server))


@pytest.mark.slow
def test_region_of_another_name_is_left_alone(tmp_path: Path) -> None:
    add_model(tmp_path)
    memory = SharedMemory("someone-else", create=True, size=64)
    try:
        with serve(tmp_path) as server, grpc.InferenceServerClient(server.grpc_url) as client:
            client.register_system_shared_memory("someone-else", "/someone-else", 64)
            time.sleep(7.0)
            assert "someone-else" in regions(server)
    finally:
        memory.close()
        memory.unlink()
