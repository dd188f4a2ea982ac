import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from artefacts.runs import make_run, make_schema

from polyrank.errors import MissingExtraError, ParityError
from polyrank.export.answers import open_session
from polyrank.export.parity import Difference, Parity, difference
from polyrank.export.probes import sample_rows
from polyrank.models import TrainedRanker


@pytest.fixture(scope="module")
def short_ranker(tmp_path_factory: pytest.TempPathFactory) -> TrainedRanker:
    return make_run(tmp_path_factory.mktemp("parity") / "run", make_schema(), sample_rows=3)


def evidence(*differences: float) -> Parity:
    tasks = ("click", "like", "ratio")
    return Parity(
        differences=tuple(
            Difference(task=task, rows="sample", batch_size=33, absolute=value, relative=0.0, difference=value)
            for task, value in zip(tasks, differences, strict=False)
        ),
        onnxruntime="1.27.0",
    )


def gap(answers: list[float], expected: list[float]) -> float:
    return difference(np.array(answers, np.float32), np.array(expected, np.float32))


def test_small_answers_are_compared_absolutely() -> None:
    assert gap([0.5, 0.25], [0.5, 0.125]) == 0.125


def test_large_answers_are_compared_relatively() -> None:
    assert gap([1010.0], [1000.0]) == pytest.approx(0.01)


def test_negative_answers_count_by_their_size() -> None:
    assert gap([-1010.0], [-1000.0]) == pytest.approx(0.01)


def test_worst_row_decides_the_difference() -> None:
    assert gap([0.0, 0.75, 0.0], [0.0, 0.25, 0.0]) == 0.5


@pytest.mark.parametrize(("answer", "expected"), [(np.nan, 0.5), (0.5, np.nan), (np.nan, np.nan)])
def test_nan_on_either_side_makes_no_number(answer: float, expected: float) -> None:
    assert np.isnan(gap([0.5, answer], [0.5, expected]))


def test_difference_at_the_limit_is_accepted() -> None:
    evidence(0.0, 1e-5).require()


def test_difference_above_the_limit_is_refused_with_task_and_batch() -> None:
    with pytest.raises(
        ParityError,
        match=r"^task 'like' differs from PyTorch by 1\.1e-05 at batch 33 of sample rows in ONNX Runtime 1\.27\.0 "
        r"\(limit 1e-05\)$",
    ):
        evidence(1e-6, 1.1e-5, 2e-6).require()


def test_nan_is_refused_before_any_number() -> None:
    with pytest.raises(ParityError, match=r"^task 'click' differs from PyTorch by nan at batch 33"):
        evidence(np.nan, 1.0, 2e-6).require()


def test_nan_that_comes_last_is_refused() -> None:
    with pytest.raises(ParityError, match=r"^task 'ratio' differs from PyTorch by nan"):
        evidence(0.0, 0.0, np.nan).require()


def test_evidence_with_nan_is_valid_json() -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    entries = json.loads(evidence(np.nan, 0.5).to_json(), parse_constant=refuse)["differences"]
    assert [(entry["task"], entry["difference"]) for entry in entries] == [("click", None), ("like", 0.5)]


def test_sample_is_repeated_to_the_wanted_count(short_ranker: TrainedRanker) -> None:
    rows, sample = sample_rows(short_ranker, 1000), short_ranker.sample
    assert len(rows) == 1000
    np.testing.assert_array_equal(rows.ids[[0, 2, 3, 4]], sample.ids[[0, 1, 2, 0]])
    np.testing.assert_array_equal(rows.dense[[0, 2, 3, 4]], sample.dense[[0, 1, 2, 0]])


def test_second_row_has_every_value_missing(short_ranker: TrainedRanker) -> None:
    rows = sample_rows(short_ranker, 2)
    assert (rows.ids[1] == -1).all()
    assert np.isnan(rows.dense[1]).all()


def test_missing_onnxruntime_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"^export needs onnxruntime; pip install 'polyrank\[export,cpu\]'$"):
        open_session(Path("model.onnx"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("rows", ["awkward", "awkward of user 2"])
def test_reduced_graph_must_answer_awkward_rows_with_numbers(rows: str, value: float) -> None:
    bad = Difference(task="click", rows=rows, batch_size=3, absolute=value, relative=value, difference=value)
    parity = msgspec.structs.replace(evidence(0.0), is_reduced=True)
    parity = msgspec.structs.replace(parity, differences=(*parity.differences, bad))
    with pytest.raises(ParityError, match=f"at batch 3 of {rows} rows"):
        parity.require()
