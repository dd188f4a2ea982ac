"""docs/troubleshooting.md quotes messages that the sources still say."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from artefacts.pages import DOCS, ROOT

PAGE = DOCS / "troubleshooting.md"
QUOTED = re.findall(r"^\| `(.+?)` \| .+ \| .+ \|$", PAGE.read_text(), flags=re.MULTILINE)
BLANK = "\0"


@functools.cache
def said() -> list[str]:
    """Return every text of the sources; what is put into it when it is said is `BLANK`."""
    folders = [ROOT / "src" / "polyrank", ROOT / "train", ROOT / "export", ROOT / "serving"]
    files = {file.resolve() for folder in folders for file in folder.rglob("*.py")}
    return [text for file in sorted(files) for text in texts(file)]


def texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else BLANK for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(?:r|s|d|\.\d+f)", BLANK, node.value)


def pieces(quoted: str) -> list[str]:
    """Return the words of a message between what differs; some are put together of several texts."""
    return [part for part in re.split(r" ?… ?(?:at row …; )?| at row …; ", quoted) if re.search(r"\w{3}", part)]


@pytest.mark.parametrize("quoted", QUOTED)
def test_quoted_message_is_one_of_the_sources(quoted: str) -> None:
    lacking = [part for part in pieces(quoted) if not any(part in text for text in said())]
    assert lacking == []


@pytest.mark.parametrize("quoted", QUOTED)
def test_quoted_message_says_enough_to_be_found(quoted: str) -> None:
    assert max(map(len, pieces(quoted))) >= 8


def test_every_row_of_the_tables_quotes_a_message() -> None:
    rows = [
        line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| message")
    ]
    assert len(rows) == len(QUOTED)


def test_every_step_has_its_messages() -> None:
    steps = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert [step.partition("\n")[0] for step in steps if "| `" not in step] == []


def test_message_that_nobody_says_would_be_told() -> None:
    assert not any("words that no source holds" in text for text in said())
