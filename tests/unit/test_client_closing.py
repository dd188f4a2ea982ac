"""What a ranker leaves behind: nothing, however it ends."""

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from artefacts.asking import ROWS
from artefacts.fake_triton import FakeTriton
from artefacts.scripted_http import Answer, ScriptedHttp, scores

from polyrank.errors import ConfigError, PolyrankError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker

FAKES: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "http": lambda: ScriptedHttp().listening(),
    "grpc": lambda: FakeTriton().listening(),
}


@pytest.fixture(params=FAKES)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of either protocol."""
    with FAKES[request.param]() as place:
        yield f"{request.param}://{place}"


def test_use_after_close_is_told(url: str) -> None:
    ranker = Ranker(url, "fake")
    ranker.score(ROWS)
    ranker.close()
    ranker.close()
    with pytest.raises(ConfigError, match=r"^the client is closed; make a new one$"):
        ranker.score(ROWS)


def test_use_of_several_parts_after_close_is_told(url: str) -> None:
    ranker = Ranker(url, "fake")
    ranker.close()
    with pytest.raises(ConfigError, match=r"^the client is closed; make a new one$"):
        ranker.score(ROWS * 10)


def test_use_after_close_is_told_in_asyncio(url: str) -> None:
    async def ask() -> None:
        async with AsyncRanker(url, "fake") as ranker:
            await ranker.score(ROWS)
        await ranker.close()
        with pytest.raises(ConfigError, match=r"^the client is closed; make a new one$"):
            await ranker.score(ROWS)

    asyncio.run(ask(), debug=True)


def test_close_while_threads_call_is_told(url: str) -> None:
    outcomes: list[PolyrankError] = []

    def ask(ranker: Ranker) -> None:
        try:
            while True:
                ranker.score(ROWS * 4)
        except PolyrankError as err:
            outcomes.append(err)

    ranker = Ranker(url, "fake")
    threads = [threading.Thread(target=ask, args=(ranker,), daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    ranker.close()
    for thread in threads:
        thread.join(5.0)
    assert [str(error) for error in outcomes] == ["the client is closed; make a new one"] * 8


def test_close_while_tasks_call_is_told_or_answered() -> None:
    """HTTP ends what is under way; a closed gRPC channel cannot."""

    async def ask(url: str) -> list[object]:
        ranker = AsyncRanker(url, "fake")
        await ranker.score(ROWS)
        tasks = [asyncio.create_task(ranker.score(ROWS)) for _ in range(8)]
        await asyncio.sleep(0.1)
        await ranker.close()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    slow = ScriptedHttp(infer=lambda request: Answer([scores(request.rows)], delay_s=0.3))
    with slow.listening() as place:
        assert [len(found) for found in asyncio.run(ask(f"http://{place}"), debug=True)] == [3] * 8  # type: ignore[arg-type]
    with FakeTriton(delay_s=0.3).listening() as place:
        found = asyncio.run(ask(f"grpc://{place}"))
    assert {str(error) for error in found} == {"the client is closed; make a new one"}


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", [Ranker, AsyncRanker])
def test_pickling_and_copying_are_refused(act: Callable[[object], object], kind: type) -> None:
    with ScriptedHttp().listening() as url:
        ranker = kind(url, "fake")
        with pytest.raises(ConfigError, match=r"^a ranker holds connections, and is neither pickled nor copied; make "):
            act(ranker)


def test_two_event_loops_in_turn_share_a_ranker(url: str) -> None:
    ranker = AsyncRanker(url, "fake")

    async def ask() -> int:
        return len(await ranker.score(ROWS * 3))

    assert [asyncio.run(ask(), debug=True) for _ in range(3)] == [9] * 3
    asyncio.run(ranker.close())


def test_200_tasks_share_a_ranker(url: str) -> None:
    async def ask() -> list[int]:
        async with AsyncRanker(url, "fake") as ranker:
            found = await asyncio.gather(*(ranker.score(ROWS) for _ in range(200)))
            return [len(each) for each in found]

    assert asyncio.run(ask()) == [3] * 200


def test_32_threads_share_a_ranker(url: str) -> None:
    with Ranker(url, "fake") as ranker, ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda _: len(ranker.score(ROWS * 3)), range(320))) == [9] * 320


def test_error_of_one_task_is_its_own() -> None:
    async def ask(url: str) -> list[object]:
        async with AsyncRanker(url, "fake") as ranker:
            works = [ranker.score(ROWS if number % 2 else [{"x": 1}]) for number in range(6)]
            return [type(each).__name__ for each in await asyncio.gather(*works, return_exceptions=True)]

    with ScriptedHttp().listening() as url:
        assert asyncio.run(ask(url)) == ["DataError", "Table"] * 3


SILENT = """
import asyncio, gc, sys
sys.path.insert(0, {tests!r})
from artefacts.asking import ROWS
from artefacts.fake_triton import FakeTriton
from artefacts.scripted_http import Answer, ScriptedHttp, scores
from polyrank.serving import AsyncRanker, ClientOptions, Ranker

async def ask(url):
    async with AsyncRanker(url, "fake", options=ClientOptions(hedge_after_s=0.05)) as ranker:
        await asyncio.gather(*(ranker.score(ROWS * 4) for _ in range(20)))
        task = asyncio.create_task(ranker.score(ROWS))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

slow = ScriptedHttp(infer=lambda request: Answer([scores(request.rows)], delay_s=0.2 * (request.number % 5 == 0)))
for fake, scheme in ((slow, "http"), (FakeTriton(delay_s=0.02), "grpc")):
    with fake.listening() as place:
        asyncio.run(ask(f"{{scheme}}://{{place}}"), debug=True)
        with Ranker(f"{{scheme}}://{{place}}", "fake") as ranker:
            ranker.score(ROWS * 4)
        gc.collect()
"""


def test_nothing_is_left_unclosed_or_destroyed() -> None:
    script = SILENT.format(tests=str(Path(__file__).parents[1]))
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = [
        line for line in done.stderr.splitlines() if "seconds" not in line
    ]  # asyncio's debug mode tells what is slow
    assert (done.returncode, told) == (0, [])


FORKED = """
import os, sys, threading
from polyrank.serving import Ranker
ranker = Ranker(sys.argv[1], "fake", timeout_s=5.0)
rows = [{"item": 1}] * 20
ranker.score(rows)
child = os.fork()
if child == 0:
    threading.Timer(8.0, os._exit, [3]).start()
    os._exit(0 if len(ranker.score(rows)) == 20 else 4)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert len(ranker.score(rows)) == 20
"""


def test_parent_and_child_of_a_fork_share_a_ranker(url: str) -> None:
    command = [sys.executable, "-c", FORKED, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_forgotten_ranker_leaves_no_thread_and_no_file() -> None:
    server = ScriptedHttp()
    options = ClientOptions(hedge_after_s=5.0)
    with server.listening() as url:
        Ranker(url, "fake", options=options).score(ROWS * 10)
        gc.collect()
        time.sleep(0.2)
        files = open_files()
        for _ in range(20):
            Ranker(url, "fake", options=options).score(ROWS * 10)
        gc.collect()
        time.sleep(0.3)
        assert [thread.name for thread in threading.enumerate() if "polyrank" in thread.name] == []
        assert server.num_open == 0
        assert open_files() <= files + 1


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_20000_calls_take_no_memory() -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, "fake") as ranker:

        def call(times: int) -> int:
            for _ in range(times):
                ranker.score(ROWS)
                server.requests.clear()
            gc.collect()
            return resident_bytes()

        before = call(2000)
        assert call(20_000) < 1.02 * before
