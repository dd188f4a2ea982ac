"""The graph over one user and many items answers like the graph over rows, with scores that combine the tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from artefacts.runs import EVERY_TASK, FEATURES, SMALL, TASKS, make_run, make_schema, make_sided_schema
from numpy.testing import assert_allclose

from polyrank.errors import ConfigError, ExportError
from polyrank.export.answers import open_session
from polyrank.export.exporting import sign
from polyrank.export.parity import Parity, parity_of
from polyrank.export.releases import target_of
from polyrank.export.request_graph import RequestOptions, build_request_graph, request_of, request_tensors
from polyrank.export.request_parity import request_expectations
from polyrank.models import ModelConfig, TrainedRanker
from polyrank.signature import Signature, Slot

TARGET = target_of("26.07")
SIDES = {
    "all kinds and widths": ("item", "price"),
    "crosses": ("item",),
    "texts": ("title",),
    "sequences": ("item", "tags"),
    "neighbours": ("item",),
    "weights": ("written",),
    "buckets": ("item", "rank"),
    "vectors": ("item", "unit"),
    "every transform": ("depth", "rank"),
}
IN_EVERY_RUN = {"all kinds and widths", "crosses", "texts"}


def export(
    folder: Path,
    features: str = "all kinds and widths",
    *,
    config: ModelConfig = SMALL,
    tasks: tuple[str, ...] = TASKS,
    **options: Any,
) -> tuple[TrainedRanker, onnx.ModelProto, Signature]:
    schema = make_sided_schema(*FEATURES[features], items=SIDES[features], tasks=tasks)
    ranker = make_run(folder / "run", schema, config=config)
    signature = sign(ranker, TARGET, request_of(ranker.schema, RequestOptions(**options)))
    return ranker, build_request_graph(ranker, TARGET, signature).model, signature


def answer(ranker: TrainedRanker, graph: onnx.ModelProto, weights: Any = None, count: int = 5) -> dict[str, Any]:
    session = open_session(graph.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    rows = ranker.sample
    tensors = request_tensors(ranker.schema, rows[3:4], rows[:count], weights)
    return dict(zip(names, session.run(names, tensors), strict=True))


def assert_parity(ranker: TrainedRanker, graph: onnx.ModelProto, signature: Signature) -> Parity:
    assert signature.request is not None
    found = parity_of(request_expectations(ranker, signature.request), open_session(graph.SerializeToString()))
    found.require()
    return found


@pytest.mark.parametrize(
    "features",
    [pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.slow) for name in SIDES],
)
def test_every_kind_of_feature_passes_parity(features: str, tmp_path: Path) -> None:
    ranker, graph, signature = export(tmp_path, features, tasks=EVERY_TASK, combination="product")
    parity = assert_parity(ranker, graph, signature)
    assert {entry.task for entry in parity.differences} == set(signature.outputs)


@pytest.mark.parametrize(
    "architecture", ["ple", *(pytest.param(name, marks=pytest.mark.slow) for name in ("esmm", "stem"))]
)
def test_every_architecture_passes_parity(architecture: Any, tmp_path: Path) -> None:
    chain = ("click", "like") if architecture in ("esmm", "aitm") else ()
    config = ModelConfig(
        architecture=architecture, interaction="dcn_v2", hidden_dims=(16, 8), tower_dims=(4,), chain=chain
    )
    assert_parity(*export(tmp_path, config=config))


def test_tensors_of_the_halves_are_named_and_signed(tmp_path: Path) -> None:
    _, graph, signature = export(tmp_path)
    names = [value.name for value in graph.graph.input]
    assert names == ["user_ids", "user_dense", "item_ids", "item_dense", "task_weights"]
    assert [value.name for value in graph.graph.output] == ["click", "like", "ratio", "score"]
    assert signature.request is not None
    assert signature.request.item.slots == (Slot(feature="item", start=0, stop=1),)
    assert signature.request.item.dense == ("price",)
    assert signature.request.user.dense == ("age",)
    assert signature.request.weighted == ("click", "like", "ratio")
    assert Signature.from_json(signature.to_json()) == signature


def test_score_is_the_weighted_sum_of_the_answers(tmp_path: Path) -> None:
    ranker, graph, _ = export(tmp_path)
    found = answer(ranker, graph, np.array([1.0, 0.5, -0.25], np.float32))
    assert_allclose(found["score"], found["click"] + 0.5 * found["like"] - 0.25 * found["ratio"], rtol=1e-5, atol=1e-6)


def test_score_is_the_weighted_product_of_the_answers(tmp_path: Path) -> None:
    ranker, graph, _ = export(tmp_path, combination="product")
    found = answer(ranker, graph, np.array([1.0, 2.0, 0.0], np.float32))
    assert_allclose(found["score"], found["click"] * found["like"] ** 2, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(("count", "expected"), [(2, 2), (3, 3), (40, 3)])
def test_best_items_come_first(count: int, expected: int, tmp_path: Path) -> None:
    ranker, graph, _ = export(tmp_path, top_k=3)
    found = answer(ranker, graph, count=count)
    order = np.argsort(-found["score"][:, 0], kind="stable")[:expected]
    assert_allclose(found["top_scores"], found["score"][order, 0])
    assert_allclose(found["score"][found["top_items"], 0], found["top_scores"])
    assert found["top_items"].dtype == np.int64


def test_schema_of_one_side_has_no_requests() -> None:
    assert request_of(make_schema("all kinds and widths").resolved(), RequestOptions()) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"combination": "max"}, r"^combination must be 'sum' or 'product', got 'max'$"),
        ({"top_k": 0}, r"^top_k must be an integer in \[1, 2\*\*31\), got 0$"),
        ({"top_k": 2.5}, r"^top_k must be an integer in \[1, 2\*\*31\), got 2\.5$"),
        ({"top_k": "5"}, r"^top_k must be an integer in \[1, 2\*\*31\), got '5'$"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ExportError), match=message):
        RequestOptions(**options)
