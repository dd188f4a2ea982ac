"""The source archive builds, installs and works with every Python that Polyrank names, but the one of the tests."""

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from artefacts import golden_installed
from artefacts.packages import CONSTRAINTS, PIP, PYTHONS, build_sdist, found_python, install, run
from artefacts.served import load_scores
from golden.make_fingerprint_v1 import PATH as GOLDEN

from polyrank.serving import Server, serve

OTHERS = [version for version in PYTHONS if not platform.python_version().startswith(f"{version}.")]
SCORE = """
import json, sys
from pyarrow import parquet
from polyrank.serving import Ranker
with Ranker(sys.argv[1], "toy") as ranker:
    print(json.dumps(ranker.score(parquet.read_table(sys.argv[2])).to_pydict()))
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", params=OTHERS)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of another version with Polyrank, built by it from the source archive, and what it requires."""
    found = found_python(request.param)
    if found is None:
        pytest.skip(f"Python {request.param} is missing: pyenv install {request.param}, or uv python install")
    folder = tmp_path_factory.mktemp("python")
    archive = build_sdist(folder / "sdist")
    run(*PIP, "--python", found, "wheel", *CONSTRAINTS, "--wheel-dir", folder / "wheels", archive)
    return install(folder / "wheels", folder / "venv", found)


@pytest.fixture(scope="module")
def server(served: Path) -> Iterator[Server]:
    with serve(served / "repository", models=["toy"]) as running:
        yield running


def test_fingerprints_are_golden(python: Path, tmp_path: Path) -> None:
    assert run(python, golden_installed.__file__, GOLDEN, cwd=tmp_path).strip() in ("scalar", "avx2", "avx512")


def test_command_line_helps(python: Path, tmp_path: Path) -> None:
    assert run(python.with_name("polyrank"), "--help", cwd=tmp_path).startswith("usage: polyrank ")


@pytest.mark.triton
def test_client_is_answered_like_pytorch(python: Path, server: Server, served: Path, tmp_path: Path) -> None:
    found = json.loads(run(python, "-c", SCORE, server.url, served / "rows.parquet", cwd=tmp_path))
    for task, expected in load_scores(served / "scores.npz").items():
        np.testing.assert_allclose(found[task], expected, rtol=1e-5, atol=1e-5)
