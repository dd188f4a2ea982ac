"""version.json: what a rollback goes by, so that it leads nowhere else."""

from pathlib import Path

import pytest

from polyrank.errors import RepositoryError
from polyrank.export.model_directory import VersionRecord


def written(models: str) -> bytes:
    return f'{{"published":"2026-01-01T00:00:00Z","options":{{}},"models":{models}}}'.encode()


def test_record_names_its_models() -> None:
    assert VersionRecord.parse(written('["toy","toy_rank"]'), "version.json").models == ("toy", "toy_rank")


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "a/b", "", ".."])
def test_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RepositoryError, match=r"^model name must be letters, digits, '_' or '-'"):
        VersionRecord.parse(written(f'["toy","{name}"]'), "version.json")


def test_record_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "version.json").mkdir()
    with pytest.raises(RepositoryError, match=rf"^{tmp_path}/version\.json cannot be read: is a directory$"):
        VersionRecord.load(tmp_path)


def test_record_without_a_model_is_refused() -> None:
    with pytest.raises(RepositoryError, match=r"^version\.json names no model; publish its bundle again$"):
        VersionRecord.parse(written("[]"), "version.json")


def test_record_that_is_too_deep_is_refused() -> None:
    with pytest.raises(RepositoryError, match=r"^version\.json cannot be read: it is nested too deep; publish its"):
        VersionRecord.parse(b'{"a":' + b"[" * 100_000, "version.json")
