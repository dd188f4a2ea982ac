"""What is done, or refused in one line: nothing else may happen to whoever asks."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from polyrank.errors import PolyrankError


def refusal(action: Callable[[], object]) -> str | None:
    """Do something, and return the one line in which it was refused; None when it was done."""
    try:
        action()
    except PolyrankError as err:
        line = str(err)
    else:
        return None
    assert "\n" not in line
    return line


def refused(command: Sequence[str], folder: Path) -> str | None:
    """Run a command in a folder, and return the one line in which it was refused; None when it was done."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode == 0:
        return None
    ours = [line for line in done.stderr.splitlines() if line.startswith("polyrank: ")]
    assert (done.returncode, len(ours), "Traceback" in done.stderr) == (1, 1, False), done.stderr
    return ours[0]
