from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from polyrank.errors import RepositoryError
from polyrank.export import ServingOptions
from polyrank.export.answers import Answers
from polyrank.export.bundle import Golden
from polyrank.export.live_server import require_live
from polyrank.export.model_directory import VersionRecord
from polyrank.export.servable import Servable

TENTHS: NDArray[np.float32] = np.array([0.0, 0.1, 0.2, 0.3, 0.4], np.float32)


class Recorder:
    """Answers with what it was made with, and keeps how long the tensors of each request were."""

    url = "here"

    def __init__(self, *answers: Answers) -> None:
        self.answers = list(answers)
        self.lengths: list[dict[str, int]] = []

    def serves(self, model: str, version: int) -> bool:
        raise NotImplementedError((model, version))

    def load(self, model: str) -> None:
        assert model == "m"

    def unload(self, model: str) -> None:
        raise NotImplementedError(model)

    def answer(self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]) -> Answers:
        assert (model, version) == ("m", 7)
        self.lengths.append({name: len(each) for name, each in inputs.items()})
        return self.answers.pop(0)


def servable(outputs: Answers, **lengths: int) -> Servable:
    inputs: dict[str, Any] = {name: np.zeros((length, 2), np.float32) for name, length in lengths.items()}
    options = ServingOptions(max_batch_size=3, warm_up=(), tolerance=1e-3)
    record = VersionRecord(published=datetime.now(UTC), options=options, models=("m",))
    return Servable("m", {}, onnx.ModelProto(), Golden(inputs, outputs, {}), "", record)


def test_rows_above_the_largest_batch_are_split() -> None:
    server = Recorder({"click": TENTHS[:3, None]}, {"click": TENTHS[3:, None]})
    assert require_live(server, servable({"click": TENTHS}, ids=5, dense=5), 7) == {"click": 0.0}
    assert server.lengths == [{"ids": 3, "dense": 3}, {"ids": 2, "dense": 2}]


def test_tensors_of_different_lengths_are_one_request() -> None:
    server = Recorder({"score": TENTHS[:, None]})
    assert require_live(server, servable({"score": TENTHS}, user_ids=1, item_ids=5), 7) == {"score": 0.0}
    assert server.lengths == [{"user_ids": 1, "item_ids": 5}]


def test_answers_of_classes_are_compared_as_they_are() -> None:
    genres = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    found = require_live(Recorder({"genre": genres + np.float32(2**-11)}), servable({"genre": genres}, ids=2), 7)
    assert found == {"genre": 2**-11}


@pytest.mark.parametrize(
    ("answers", "gap"),
    [({"click": TENTHS[:3, None] + 0.25}, "2.5e-01"), ({}, "inf"), ({"click": TENTHS[:3, None] * np.nan}, "nan")],
)
def test_answer_outside_the_tolerance_is_refused_with_its_task(answers: Answers, gap: str) -> None:
    with pytest.raises(
        RepositoryError,
        match=rf"^m version 7 at here answers golden rows of task 'click' with a difference of {gap} "
        rf"\(tolerance 1e-03\)$".replace("+", r"\+"),
    ):
        require_live(Recorder(answers), servable({"click": TENTHS[:3]}, ids=3), 7)
