"""Results are files that are read again as they were written."""

import json
from pathlib import Path

import pytest
from artefacts.evaluated import EVERY_TASK, evaluated, schema_of, table_of

from polyrank.errors import DataError, OutputError
from polyrank.evaluation.findings import MetricValue
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
    with pytest.raises(DataError, match=r"found\.json is of format 2, 1 expected; evaluate anew with this Polyrank$"):
        Result.load(tmp_path / "found.json")


def test_file_that_cannot_be_written_is_told(result: Result, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*: is a directory; choose another output file$"):
        result.save(tmp_path)


WHOLE = MetricValue(name="auc", best="high", value=0.7)
WORSE = {
    "low area": (MetricValue(name="auc", best="high", value=0.6, interval=(0.5, 0.69)), WHOLE),
    "large error": (
        MetricValue(name="rmse", best="low", value=2.0, interval=(1.5, 2.5)),
        MetricValue(name="rmse", best="low", value=1.0),
    ),
}
NOT_WORSE = {
    "interval around the whole": (MetricValue(name="auc", best="high", value=0.6, interval=(0.5, 0.71)), WHOLE),
    "high area": (MetricValue(name="auc", best="high", value=0.9, interval=(0.8, 1.0)), WHOLE),
    "no interval": (MetricValue(name="auc", best="high", value=0.1), WHOLE),
    "undefined whole": (
        MetricValue(name="auc", best="high", value=0.1, interval=(0.0, 0.2)),
        MetricValue(name="auc", best="high", value=None),
    ),
    "small error": (
        MetricValue(name="rmse", best="low", value=0.5, interval=(0.4, 0.6)),
        MetricValue(name="rmse", best="low", value=1.0),
    ),
}


@pytest.mark.parametrize("case", WORSE)
def test_part_beyond_the_whole_is_worse(case: str) -> None:
    part, whole = WORSE[case]
    assert part.is_worse_than(whole)


@pytest.mark.parametrize("case", NOT_WORSE)
def test_other_parts_are_not_worse(case: str) -> None:
    part, whole = NOT_WORSE[case]
    assert not part.is_worse_than(whole)
