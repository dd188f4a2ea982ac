"""Which folders are versions of a published model, and which are bundles with a number for a name."""

import os
from pathlib import Path

import pytest

from polyrank.triton_config import CONFIG_FILE, published_version


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / CONFIG_FILE).touch()
    return tmp_path


def test_number_beside_a_configuration_is_a_version(model: Path) -> None:
    assert published_version(model / "12") == 12


def test_version_is_told_from_inside(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model / "3").mkdir()
    monkeypatch.chdir(model / "3")
    assert published_version(Path(os.curdir)) == 3


def test_bundle_named_by_a_date_is_no_version(tmp_path: Path) -> None:
    assert published_version(tmp_path / "20260701") is None


@pytest.mark.parametrize("name", ["0", "007", "²", "3a", "bundle"])
def test_other_names_are_no_version(model: Path, name: str) -> None:
    assert published_version(model / name) is None
