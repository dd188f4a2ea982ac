"""Each architecture and kind of task from random weights, or training, to ONNX Runtime and a server."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from artefacts.runs import (
    AGE,
    BUCKET,
    EVERY_TASK,
    HISTORY,
    ITEM,
    extreme_batch,
    labelled,
    make_rows,
    make_run,
    make_schema_of,
)

from polyrank.encoder import Encoder
from polyrank.errors import RepositoryError
from polyrank.export import Bundle, export_onnx, publish
from polyrank.export.answers import open_session, run_session
from polyrank.export.bundle import check_golden
from polyrank.models import ModelConfig, TrainedRanker
from polyrank.models.calibration import Calibration
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.serving import Ranker
from polyrank.serving.server import serve
from polyrank.train import OptimizerConfig, TrainConfig, ValidationConfig, fit

FEATURES = (ITEM, HISTORY, AGE, BUCKET)
SHAPES: dict[str, dict[str, Any]] = {
    "shared_bottom": {},
    "shared_bottom without towers": {"tower_dims": ()},
    "mmoe": {"architecture": "mmoe", "normalization": "layer"},
    "ple": {"architecture": "ple", "num_extraction_layers": 2, "tower_dims": ()},
    "esmm": {"architecture": "esmm"},
    "aitm": {"architecture": "aitm", "normalization": "none"},
    "stem": {"architecture": "stem", "num_experts": 2},
    "single_task": {"architecture": "single_task"},
    "dcn_v2": {"interaction": "dcn_v2", "cross_rank": 2},
    "deepfm": {"interaction": "deepfm"},
    "fm": {"interaction": "fm"},
    "deepfm of single_task": {"architecture": "single_task", "interaction": "deepfm"},
}
OUTPUTS = {
    "click": 1,
    "like": 1,
    "ratio": 1,
    "seconds": 1,
    "stars": 1,
    "stars_probabilities": 4,
    "genre": 4,
    "plays": 1,
}
IN_EVERY_RUN = ("shared_bottom", "ple", "esmm")
OPERATORS_WITH_BODIES = {"Loop", "Scan", "If"}


def shape_of(options: dict[str, Any]) -> ModelConfig:
    return ModelConfig(**({"hidden_dims": (16, 8), "tower_dims": (4,)} | options))


def every_task() -> Schema:
    return make_schema_of(*FEATURES, tasks=EVERY_TASK)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("kinds")
    make_run(folder / "run", every_task(), config=shape_of({"architecture": "esmm"}))
    return export_onnx(folder / "run", out=folder / "bundle")


@pytest.mark.parametrize(
    "options",
    [pytest.param(SHAPES[name], id=name, marks=() if name in IN_EVERY_RUN else pytest.mark.slow) for name in SHAPES],
)
def test_graph_of_a_shape_answers_like_pytorch(options: dict[str, Any], tmp_path: Path) -> None:
    schema = every_task()
    ranker = make_run(tmp_path / "run", schema, config=shape_of(options))
    bundle = export_onnx(tmp_path / "run", out=tmp_path / "bundle")
    session = open_session(bundle.model_file)
    for batch in (Encoder(schema).encode(make_rows(40, seed=1)), extreme_batch(schema)):
        answers = run_session(session, batch.named())
        for name, values in predict(ranker.model, batch, as_served=True).items():
            # An expected number of 1e13 is e to a logit of 30, of which the last bits are 2e-6 each.
            np.testing.assert_allclose(answers[name], values, rtol=1e-4, atol=1e-5)
            assert np.isfinite(values).all()
    graph = onnx.load(bundle.model_file).graph
    assert not OPERATORS_WITH_BODIES & {node.op_type for node in graph.node}
    dims = [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.output]
    assert dims == [["batch", width] for task in schema.tasks for width in task.outputs.values()]


@pytest.mark.parametrize(
    ("architecture", "method"),
    [
        ("shared_bottom", "temperature"),
        ("esmm", "isotonic"),
        *(pytest.param("shared_bottom", method, marks=pytest.mark.slow) for method in ("platt", "isotonic")),
        *(pytest.param("esmm", method, marks=pytest.mark.slow) for method in ("temperature", "platt")),
    ],
)
def test_calibration_is_part_of_the_run_and_of_the_graph(architecture: Any, method: Any, tmp_path: Path) -> None:
    rows = labelled(make_rows(600))
    shape = shape_of({"architecture": architecture, "calibration": method})
    config = TrainConfig(
        epochs=4,
        batch_size=32,
        model=shape,
        optimizer=OptimizerConfig(lr=0.02),
        validation=ValidationConfig(share=0.4),
    )
    run = fit(every_task(), rows, out=tmp_path / "run", config=config, progress=False)
    bundle = export_onnx(run.path, out=tmp_path / "bundle")
    model = TrainedRanker.load(run.path).model
    batch = Encoder(bundle.signature.schema).encode(rows[:50])
    answers = run_session(open_session(bundle.model_file), batch.named())
    for name, values in predict(model, batch).items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-5, atol=1e-5)
    model.calibration = Calibration(model.tasks, "none")
    raw = predict(model, batch)
    moved = {name for name, values in raw.items() if np.abs(values - answers[name]).max() > 1e-3}
    assert moved == {"click", "like", "genre"}


def test_parity_compares_every_class(bundle: Bundle) -> None:
    entries = json.loads((bundle.path / "parity.json").read_text())["differences"]
    assert {entry["task"] for entry in entries} == set(OUTPUTS)
    assert max(entry["difference"] for entry in entries) <= 1e-5


def test_golden_answers_hold_every_class(bundle: Bundle) -> None:
    outputs = bundle.golden().outputs
    shapes = {name: values.shape for name, values in outputs.items()}
    assert shapes == {name: (33,) if width == 1 else (33, width) for name, width in OUTPUTS.items()}
    np.testing.assert_allclose(outputs["genre"].sum(axis=1), 1.0, rtol=1e-5)


def test_expected_level_is_that_of_its_probabilities(bundle: Bundle) -> None:
    outputs = bundle.golden().outputs
    np.testing.assert_allclose(outputs["stars_probabilities"].sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(outputs["stars_probabilities"] @ [1, 2, 3.5, 5], outputs["stars"], rtol=1e-6)


def test_signature_names_every_output(bundle: Bundle) -> None:
    assert bundle.signature.outputs == tuple(OUTPUTS)


def test_one_wrong_class_is_seen(bundle: Bundle, tmp_path: Path) -> None:
    with np.load(bundle.path / "golden.npz") as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["output/genre"][7, 2] += 1e-3
    changed = Bundle(tmp_path, bundle.signature)
    np.savez(tmp_path / "golden.npz", **arrays)
    with pytest.raises(RepositoryError, match=r"answers golden rows of task 'genre' with a difference of 1\.0e-03"):
        check_golden(changed, bundle.model_file)


def test_configuration_says_how_many_classes(bundle: Bundle, tmp_path: Path) -> None:
    publish(bundle, tmp_path)
    text = (tmp_path / "toy" / "config.pbtxt").read_text()
    outputs = re.findall(r'output \{\s+name: "(\w+)"\s+data_type: TYPE_FP32\s+dims: (\d+)\s+\}', text)
    assert outputs == [(name, str(width)) for name, width in OUTPUTS.items()]


@pytest.mark.triton
@pytest.mark.parametrize("architecture", ["ple", pytest.param("esmm", marks=pytest.mark.slow)])
def test_every_kind_is_trained_and_served_alike(architecture: Any, tmp_path: Path) -> None:
    rows = labelled(make_rows(400))
    config = TrainConfig(epochs=2, batch_size=64, model=shape_of({"architecture": architecture}))
    run = fit(every_task(), rows, out=tmp_path / "run", config=config, progress=False)
    publish(export_onnx(run.path, out=tmp_path / "bundle"), tmp_path / "repository")
    ranker = TrainedRanker.load(run.path)
    with serve(tmp_path / "repository") as server, Ranker(server.url) as client:
        scores = client.score(rows[:70])
    expected = predict(ranker.model, Encoder(ranker.schema).encode(rows[:70]), as_served=True)
    assert scores.column_names == list(OUTPUTS)
    assert scores.schema.field("genre").type == pa.list_(pa.float32(), 4)
    assert scores.schema.field("stars_probabilities").type == pa.list_(pa.float32(), 4)
    for name, values in expected.items():
        found = np.array(scores[name].to_pylist(), np.float32)
        assert values.std() > 0.0
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-5)
