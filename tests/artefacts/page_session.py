"""Runs the blocks of a page as its reader does: in order, in one folder, one shell and one Python.

Blocks of `bash` and `python` run; a block of `text` behind one is what it prints. Others are only shown.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from artefacts.pages import Block, blocks

RUNS = ("bash", "python")
DONE = "--- the block is done ---"
WAIT_S = 240.0
_SERVES = re.compile(r"^polyrank serve .*&$", re.MULTILINE)
_PROGRESS = re.compile(r"rows/s$|of \d+ s\)$")
_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
_COUNT = r"[-+]?\d[\d,]*"
_UNIT = re.compile(r" ?(?:%|(?:s|ms|µs|min|[kMG]i?B|B|rows/s)(?!\w))")
_ID = r"\b[0-9a-f]{12}\b"
_MINUTE = r"\d{4}-\d\d-\d\d \d\d:\d\d"
_PARTS = re.compile(rf"{_ID}|{_MINUTE}|{_NUMBER}|\s+|\.\.\.")
_RANKS = re.compile(r"polyrank rank|\.rank\(")
TOLERANCE = 0.03
"""How far figures of four decimals or more, which are metrics and scores, may be from those on the page."""
OF_ROWS = 0.2
"""The same of scores of single rows, which moved by up to 0.1 between processors, as sums round otherwise."""

_PYTHON = f"""
import json, sys
names = {{"__name__": "page"}}
for line in sys.stdin:
    exec(compile(json.loads(line), "page", "exec"), names)
    print({DONE!r}, flush=True)
"""


class BlockError(AssertionError):
    """A block failed, or took too long."""


class _Child:
    """A process that runs blocks, and what it prints on both streams."""

    def __init__(self, command: list[str], folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def until(self, start: str) -> list[str]:
        """Return the lines up to one that begins so."""
        found: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=WAIT_S)
            except queue.Empty:
                line = None
            if line is None:
                raise BlockError("\n".join(found))
            found.append(line)
            if line.startswith(start):
                return found

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=60)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


@dataclasses.dataclass
class Session:
    """A shell and a Python that share a folder; `port` takes the place of 8000, of which a machine has one."""

    folder: Path
    port: int

    def __post_init__(self) -> None:
        self._shell = _Child(["bash", "-e"], self.folder)
        self._python = _Child([sys.executable, "-c", _PYTHON], self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.close()
        self._python.close()

    def run(self, block: Block) -> str:
        """Run a block, and return what it prints; a server that it starts is ready then."""
        text = self._here(block.text)
        if block.language == "python":
            self._python.send(json.dumps(text) + "\n")
            return "\n".join(self._python.until(DONE)[:-1])
        script = self.folder / f".block-{block.line}.sh"
        script.write_text(text)
        self._shell.send(f"source {script} < /dev/null; echo; echo '{DONE}'\n")
        printed = [line for line in self._shell.until(DONE)[:-1] if line]
        if _SERVES.search(block.text):
            printed += self._shell.until("ready:")
        return "\n".join(printed)

    def _here(self, text: str) -> str:
        ports = f"polyrank serve --http-port {self.port} --grpc-port 0 --metrics-port 0 "
        return re.sub(r"^polyrank serve ", ports, text, flags=re.MULTILINE).replace(
            "localhost:8000", f"localhost:{self.port}"
        )


def run_page(page: Path, session: Session) -> list[str]:
    """Run a page's blocks, compare what they print with what it says they print, and return that."""
    found, outputs = blocks(page), []
    for block, after in itertools.zip_longest(found, found[1:]):
        if block.language not in RUNS:
            continue
        try:
            printed = session.run(block)
        except BlockError as err:
            raise AssertionError(f"{page}: the block of line {block.line} failed:\n{err}") from None
        outputs.append(printed)
        if after is not None and after.language == "text":
            difference = mismatch(after.text, printed, is_ranked=_RANKS.search(block.text) is not None)
            assert difference is None, f"{page}: line {after.line}: {difference}"
    return outputs


def mismatch(shown: str, printed: str, *, is_ranked: bool = False) -> str | None:
    """Say how what was printed differs from what a page shows; None where it does not.

    `...` stands for any lines, or for the rest of one. Whole numbers are the same, but for times, ports, and what has a
    unit; those and other numbers are compared by their form, and figures of four decimals or more to 0.03. Ids of
    twelve digits, the days and minutes of tables, and how much space parts words, do not count.

    Args:
        shown: by the page.
        printed: by the block before.
        is_ranked: lines with scores are of a ranking, whose order, and so its whole numbers, differ between machines.
    """
    lines = [line.rstrip() for line in printed.splitlines() if line.strip() and not _PROGRESS.search(line)]
    wanted = [line.rstrip() for line in shown.splitlines() if line.strip()]
    pattern, figures = "", []
    for line in wanted:
        if line == "...":
            pattern += "(?:.*\n)*?"
            continue
        has_scores = is_ranked and re.search(r"\d\.\d", line) is not None
        numbers, of_line = _pattern(line, is_exact=not has_scores)
        pattern += numbers + "\n"
        figures += of_line
    found = re.fullmatch(pattern, "\n".join([*lines, ""]))
    if found is None:
        return f"the page shows\n{shown}\nand what was printed is\n{printed}"
    tolerance = OF_ROWS if is_ranked else TOLERANCE
    for figure, other in zip(figures, found.groups(), strict=True):
        if len(figure.partition(".")[2].partition("e")[0]) >= 4 and not _is_near(figure, other, tolerance):
            return f"the page shows {figure}, and what was printed is {other}"
    return None


def _is_near(figure: str, other: str, tolerance: float) -> bool:
    return abs(float(figure.replace(",", "")) - float(other.replace(",", ""))) <= tolerance


def _pattern(line: str, *, is_exact: bool) -> tuple[str, list[str]]:
    """Turn a line into a pattern, which has a group for each number that may be another, and these numbers."""
    pieces, figures, end = [], [], 0
    for part in _PARTS.finditer(line):
        pieces.append(re.escape(line[end : part.start()]))
        end = part.end()
        is_number = re.fullmatch(_NUMBER, part[0]) and not re.fullmatch(_ID, part[0])
        if is_number and not (is_exact and _is_count(part)):
            pieces.append(f"({_NUMBER})")
            figures.append(part[0])
        else:
            pieces.append(_part_pattern(part[0]))
    return "".join([*pieces, re.escape(line[end:])]), figures


def _is_count(number: re.Match[str]) -> bool:
    """Say whether a number is whole, and neither a measure nor a part of a time or an address."""
    before, after = number.string[: number.start()], number.string[number.end() :]
    is_beside_colon = before.endswith(":") or (after.startswith(":") and after[1:2].isdigit())
    return re.fullmatch(_COUNT, number[0]) is not None and not is_beside_colon and not _UNIT.match(after)


def _part_pattern(part: str) -> str:
    if part == "...":
        return ".*"
    if part.isspace():
        return r"[^\S\n]+"
    return next((each for each in (_ID, _MINUTE) if re.fullmatch(each, part)), re.escape(part))
