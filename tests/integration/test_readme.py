"""The code blocks of README.md run as they stand, on the newest rows of the demo's logs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.mark.triton
def test_shell_blocks_run_as_written(place: Path) -> None:
    setup, query = blocks("bash")
    ready = "from urllib.request import urlopen; urlopen('http://localhost:8000/v2/health/ready')"
    wait = f'until python -c "{ready}" 2> /dev/null; do kill -0 $!; sleep 0.2; done'
    script = f"set -e\n{setup}\n{wait}\n{query}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        ["bash", "-c", script], cwd=place, env={**os.environ, "PATH": path}, start_new_session=True
    ) as shell:
        try:
            assert shell.wait(timeout=240) == 0
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
    assert (place / "work" / "scored.parquet").is_file()


@pytest.mark.triton
def test_python_block_runs_as_written(place: Path) -> None:
    (block,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=place, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"'item': \d+, 'video_id': \d+, 'score': \d\.\d+, 'click': 0\.\d+, ", done.stdout)) == 5


def test_schema_block_is_a_valid_schema() -> None:
    from polyrank.schema import Schema

    (block,) = blocks("toml")
    assert Schema.from_toml(block).feature_columns == ("video_id",)


def test_readme_is_short_and_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
    assert len(text.splitlines()) <= 150
