"""Results are files that are read again as they were written."""

import json
from pathlib import Path

import pytest
from artefacts.evaluated import EVERY_TASK, evaluated, schema_of, table_of

from polyrank.errors import ConfigError, DataError, OutputError
from polyrank.evaluation.results import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return evaluated(tmp_path_factory.mktemp("results"), schema_of(*EVERY_TASK, extra='group = "user"'), table_of(100))


def test_file_holds_plain_json(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "found.json")
    text = (tmp_path / "found.json").read_text()
    assert text == result.to_json()
    assert text.endswith("}\n")
    assert json.loads(text)["data"]["rows"] == 100


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json cannot be read: no such file or directory$"):
        Result.load(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": 1}', b"\xff"], ids=str)
def test_file_of_something_else_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "found.json").write_bytes(content)
    with pytest.raises(DataError, match=r"found\.json is no evaluation: .*; make one with: polyrank evaluate$"):
        Result.load(tmp_path / "found.json")


def test_file_of_another_format_is_told(result: Result, tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text(result.to_json().replace('"format": 1', '"format": 2'))
    with pytest.raises(
        DataError, match=r"found\.json is of format 2, 1 expected; make one with this Polyrank: polyrank evaluate$"
    ):
        Result.load(tmp_path / "found.json")


def test_file_that_cannot_be_written_is_told(result: Result, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*: is a directory; choose another output file$"):
        result.save(tmp_path)


def test_path_may_be_text(result: Result, tmp_path: Path) -> None:
    result.save(f"{tmp_path}/found.json")
    assert Result.load(f"{tmp_path}/found.json") == result


def test_what_is_no_path_is_refused(result: Result) -> None:
    with pytest.raises(ConfigError, match=r"^file must be a path, got 46$"):
        result.save(46)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^file must be a path, got 46$"):
        Result.load(46)  # type: ignore[arg-type]
