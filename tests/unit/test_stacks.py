"""The threads of Triton get stacks that hold what it puts there of a request."""

import subprocess
import sys
from pathlib import Path

import pytest

from polyrank.serving.stacks import STACK_BYTES

CODE = """
import resource
from pathlib import Path
from polyrank.serving import stacks

stacks._OVERCOMMIT = Path({overcommit!r})
stacks.raise_stack_limit()
print(resource.getrlimit(resource.RLIMIT_STACK)[0])
"""
KIB = 2**10


def limit_after(limits: str, *, overcommit: str = "/dev/null") -> int:
    """Return the limit of stacks, in bytes, of a process that began with `limits` of the shell."""
    code = CODE.format(overcommit=overcommit)
    command = ["bash", "-c", f'{limits}; exec "$0" "$@"', sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.parametrize("limits", ["ulimit -S -s 8192", "ulimit -S -s unlimited"])
def test_stack_grows(limits: str) -> None:
    assert limit_after(limits) == STACK_BYTES


def test_larger_stack_stays() -> None:
    assert limit_after("ulimit -S -s 1048576") == 2**30


@pytest.mark.parametrize("limits", ["ulimit -S -s 8192; ulimit -H -s 16384", "ulimit -S -s 8192; ulimit -v 8388608"])
def test_stack_stays_where_the_machine_limits_it(limits: str) -> None:
    assert limit_after(limits) == 8192 * KIB


def test_stack_stays_where_memory_is_never_promised_twice(tmp_path: Path) -> None:
    file = tmp_path / "overcommit"
    file.write_text("2\n")
    assert limit_after("ulimit -S -s 8192", overcommit=str(file)) == 8192 * KIB


def test_stack_stays_where_nobody_says_how_memory_is_promised() -> None:
    assert limit_after("ulimit -S -s 8192", overcommit="/nowhere") == 8192 * KIB
