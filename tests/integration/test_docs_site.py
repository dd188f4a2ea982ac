"""`make docs`: the site builds without a warning, and asks no other host for anything."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts.pages import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mkdocs") is None, reason="MkDocs is not installed; make docs and make test-all do"
    ),
]


def build(config: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [*command, "--site-dir", str(folder)], env=quiet, capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_asks_this_site_alone(site: Path) -> None:
    loads = r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?([^\"\s>]+)|<link[^>]*\shref=\"?([^\"\s>]+)"
    for page in site.rglob("*.html"):
        found = {one or other for one, other in re.findall(loads, page.read_text())}
        assert [link for link in found if link.startswith(("http:", "https:", "//"))] == []


def test_reference_shows_docstrings(site: Path) -> None:
    text = (site / "api" / "train.html").read_text()
    assert 'id="polyrank.fit"' in text
    assert "rare_ids.min_count" in text


def test_front_page_has_what_the_readme_says(site: Path) -> None:
    assert "make demo" in (site / "index.html").read_text()


def test_broken_link_fails_the_build(tmp_path: Path) -> None:
    for name in ("docs", "src", "train", "export", "serving", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("*.so", "*.parquet"))
    for name in ("mkdocs.yml", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs" / "data.md").open("a") as page:
        page.write("\n[lost](no-such-page.md)\n")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert "no-such-page.md" in done.stderr
