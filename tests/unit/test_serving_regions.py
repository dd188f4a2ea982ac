"""Names of clients' shared memory, and whose they are."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyrank.serving.processes import children, command_line, process
from polyrank.serving.regions import is_orphan, region_name, remove_orphan

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
NAMING = (
    "import time; from polyrank.serving.regions import region_name; print(region_name(), flush=True); time.sleep(60)"
)


@pytest.fixture
def client() -> Iterator["subprocess.Popen[str]"]:
    """Give a process that has printed a name of its own."""
    with subprocess.Popen([sys.executable, "-c", NAMING], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def printed(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def field_22(pid: int) -> int:
    """Return what proc(5) calls starttime, counted as it counts."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text[text.rindex(")") + 2 :].split()[22 - 3])


def test_name_tells_process_and_start() -> None:
    expected = rf"polyrank-client-{os.getpid()}-{field_22(os.getpid())}-[0-9a-f]{{16}}"
    assert re.fullmatch(expected, region_name())


def test_no_two_names_are_equal() -> None:
    assert region_name() != region_name()


def test_region_of_a_living_process_is_no_orphan(client: "subprocess.Popen[str]") -> None:
    assert not is_orphan(region_name())
    assert not is_orphan(printed(client))


def test_region_of_a_dead_process_is_an_orphan(client: "subprocess.Popen[str]") -> None:
    name = printed(client)
    client.kill()
    client.wait()
    assert is_orphan(name)


def test_region_of_a_process_that_nobody_waited_for_is_an_orphan(client: "subprocess.Popen[str]") -> None:
    name = printed(client)
    client.kill()
    os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
    assert is_orphan(name)


def test_number_that_another_process_has_now_is_an_orphan() -> None:
    assert is_orphan(f"polyrank-client-{os.getpid()}-{field_22(os.getpid()) - 1}-00")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ranker",
        "polyrank-client-",
        "polyrank-client-999999999",
        "polyrank-client-0-1-ab",
        "xpolyrank-client-9-1-ab",
    ],
)
def test_name_of_somebody_else_is_no_orphan(name: str) -> None:
    assert not is_orphan(name)


def test_only_the_memory_of_a_dead_process_is_removed(client: "subprocess.Popen[str]") -> None:
    dead, living = printed(client), region_name()
    client.kill()
    client.wait()
    try:
        for name in (dead, living):
            (SHARED_MEMORY / name).touch()
            remove_orphan(f"/{name}")
        assert not (SHARED_MEMORY / dead).exists()
        assert (SHARED_MEMORY / living).exists()
    finally:
        (SHARED_MEMORY / living).unlink()


def test_memory_that_is_gone_is_no_error() -> None:
    remove_orphan(f"/polyrank-client-{os.getpid()}-{field_22(os.getpid()) - 1}-00")


def test_process_tells_parent_and_words(client: "subprocess.Popen[str]") -> None:
    printed(client)
    found = process(client.pid)
    assert found is not None
    assert found.parent == os.getpid()
    assert client.pid in children(os.getpid())
    assert command_line(client.pid) == [sys.executable, "-c", NAMING]


def test_process_that_is_gone_has_no_words() -> None:
    assert process(2**22 + 1) is None
    assert command_line(2**22 + 1) == []
