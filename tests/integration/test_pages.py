"""The code of the documentation runs as it stands: see CONTRIBUTING.md for which blocks do."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from artefacts.page_session import RUNS, Session, run_page
from artefacts.pages import DOCS, ROOT, blocks, pages

README = ROOT / "README.md"
ALONE = [DOCS / "tutorial.md", DOCS / "your-data.md"]
"""Pages that need nothing but an empty folder with the examples, and promise an end within ten minutes."""

LIMIT_S = 600.0

AFTER_README = [DOCS / "evaluation.md", ROOT / "examples" / "README.md"]
"""Pages that go on where the README ends."""

ELSEWHERE = [DOCS / f"{name}.md" for name in ("client", "impressions", "export", "loop")]
"""Pages that need more, and run in test_client_docs, test_export_module and test_loop_command."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.fixture
def session(place: Path) -> Iterator[Session]:
    with Session(place, free_port()) as found:
        yield found


@pytest.mark.triton
@pytest.mark.timeout(900)
def test_readme_runs_as_written(session: Session) -> None:
    run_page(README, session)
    assert (session.folder / "work" / "scored.parquet").is_file()
    for page in AFTER_README:
        run_page(page, session)


@pytest.mark.slow
@pytest.mark.triton
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ALONE, ids=lambda page: page.name)
def test_page_runs_as_written_in_ten_minutes(session: Session, page: Path) -> None:
    began = time.monotonic()
    run_page(page, session)
    assert time.monotonic() - began < LIMIT_S


def test_every_page_with_code_that_runs_is_run() -> None:
    with_code = {page for page in pages() if any(block.language in RUNS for block in blocks(page))}
    translated = {page for page in with_code if page.parent.name == "zh"}  # compared with the English by test_chinese
    assert with_code - translated == {README, *ALONE, *AFTER_README, *ELSEWHERE}
