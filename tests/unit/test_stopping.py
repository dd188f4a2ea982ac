"""A signal stops a command, whatever the code does that it interrupts."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, time
from polyrank.commands.stopping import StopRequested, stoppable

def stop():
    os.kill(os.getpid(), signal.{signal})
    time.sleep(5)

try:
    with stoppable():
{block}
    print("went on")
except StopRequested as stopped:
    print(stopped, type(stopped.__cause__).__name__)
"""


def outcome(block: str, signal: str) -> str:
    """Run a block in a process of its own, since signals and timers are of the whole process."""
    indented = "\n".join(f"        {line}" for line in block.splitlines())
    command = [sys.executable, "-c", PROGRAM.format(block=indented, signal=signal)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


SWALLOWED = """
try:
    stop()
except BaseException:
    pass
for _ in range(300):
    time.sleep(0.01)
"""
CONVERTED = """
try:
    stop()
except BaseException:
    raise AttributeError("partially initialized module")
"""
CLEANED_UP = """
try:
    stop()
finally:
    try:
        time.sleep(2.5)
        dict()["absent"]
    except KeyError:
        time.sleep(1.5)
    print("cleaned up")
"""
REPEATED = """
try:
    stop()
finally:
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(0.1)
    print("cleaned up")
"""


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("stop()", "{} NoneType"),
        (SWALLOWED, "{} NoneType"),
        (CONVERTED, "{} AttributeError"),
        (CLEANED_UP, "cleaned up\n{} NoneType"),
        (REPEATED, "cleaned up\n{} NoneType"),
        ("pass", "went on"),
    ],
    ids=["plain", "swallowed", "converted", "long cleaning up", "second signal", "none"],
)
@pytest.mark.parametrize(("signal", "told"), [("SIGTERM", "stopped by SIGTERM"), ("SIGINT", "interrupted")])
def test_stop_ends_a_block(block: str, expected: str, signal: str, told: str) -> None:
    assert outcome(block, signal) == expected.format(told)
