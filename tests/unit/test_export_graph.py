import dataclasses
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from artefacts.runs import FEATURES, extreme_batch, make_model, make_rows, make_run, make_schema, make_schema_of
from numpy.typing import NDArray
from onnx import TensorProto, helper

from polyrank.encoder import Batch, Encoder
from polyrank.errors import ExportError, MissingExtraError
from polyrank.export.answers import open_session, run_session
from polyrank.export.exporting import sign
from polyrank.export.graph import build_graph, check_graph
from polyrank.export.releases import LATEST, target_of
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.models.trained import predict
from polyrank.signature import SIGNATURE_KEY
from polyrank.tasks import BinaryTask

LATEST_TARGET = target_of(LATEST)
IN_EVERY_RUN = {"all kinds and widths", "one of each", "neighbours of identities", "only bags", "crosses", "texts"}
Exported = tuple[TrainedRanker, onnx.ModelProto]


def export(ranker: TrainedRanker, release: str = LATEST) -> onnx.ModelProto:
    target = target_of(release)
    return build_graph(ranker, target, sign(ranker, target)).model


def answers_of(graph: onnx.ModelProto, batch: Batch) -> dict[str, NDArray[np.float32]]:
    return run_session(open_session(graph.SerializeToString()), batch.named())


def assert_equal_answers(exported: Exported, batch: Batch) -> None:
    ranker, graph = exported
    expected, answers = predict(ranker.model, batch), answers_of(graph, batch)
    assert set(answers) == {"click", "like", "ratio"}
    for name, values in expected.items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-5, atol=1e-5)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.slow) for name in FEATURES],
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    ranker = make_run(tmp_path_factory.mktemp("graph") / "run", make_schema(request.param))
    return ranker, export(ranker)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    ranker = make_run(tmp_path_factory.mktemp("graph") / "run", make_schema(), sample_rows=2)
    return ranker, export(ranker)


def test_every_schema_answers_like_pytorch(exported: Exported) -> None:
    assert_equal_answers(exported, Encoder(exported[0].schema).encode(make_rows(257, seed=7)))


def test_every_schema_answers_extreme_values_like_pytorch(exported: Exported) -> None:
    assert_equal_answers(exported, extreme_batch(exported[0].schema))


def test_graph_has_no_loops_or_branches(exported: Exported) -> None:
    assert not {node.op_type for node in exported[1].graph.node} & {"Loop", "Scan", "If", "SequenceMap"}


def test_empty_bags_answer_like_pytorch(full: Exported) -> None:
    rows = [{**row, "history": [], "tags": []} for row in make_rows(9)]
    assert_equal_answers(full, Encoder(full[0].schema).encode(rows))


@pytest.mark.parametrize("batch_size", [1, 2, 33, 1000])
def test_batch_dimension_is_dynamic(full: Exported, batch_size: int) -> None:
    assert_equal_answers(full, Encoder(full[0].schema).encode(make_rows(batch_size, seed=batch_size)))


def test_answers_vary_with_rows_and_tasks(full: Exported) -> None:
    ranker, graph = full
    answers = answers_of(graph, Encoder(ranker.schema).encode(make_rows(100)))
    assert all(values.std() > 0.01 for values in answers.values())
    assert np.abs(answers["click"] - answers["like"]).max() > 0.01


def test_rows_are_one_plus_fingerprint_modulo_buckets(tmp_path: Path) -> None:
    schema = make_schema_of('{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 5 }')
    graph = export(make_run(tmp_path / "run", schema))
    session = open_session(graph.SerializeToString())
    fingerprints = [0, 1, 4, 2**63 - 1, 2**62 + 3]
    same_rows = [fingerprint % 5 + 5 for fingerprint in fingerprints]
    first = run_session(session, {"ids": np.array(fingerprints, np.int64)[:, None]})["click"]
    second = run_session(session, {"ids": np.array(same_rows, np.int64)[:, None]})["click"]
    np.testing.assert_array_equal(first, second)
    assert len(set(run_session(session, {"ids": np.arange(5)[:, None]})["click"].tolist())) == 5


def test_every_negative_fingerprint_is_missing(tmp_path: Path) -> None:
    schema = make_schema_of('{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 5 }')
    session = open_session(export(make_run(tmp_path / "run", schema)).SerializeToString())
    ids = np.array([[-1], [-2], [-5], [-(2**31)], [-(2**63)]])
    assert len(set(run_session(session, {"ids": ids})["click"].tolist())) == 1
    assert (
        run_session(session, {"ids": ids[:1]})["click"][0]
        not in run_session(session, {"ids": np.arange(5)[:, None]})["click"]
    )


def test_each_task_is_one_named_output_of_one_column(full: Exported) -> None:
    outputs = full[1].graph.output
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in outputs
    }
    assert shapes == {"click": ["batch", 1], "like": ["batch", 1], "ratio": ["batch", 1]}
    assert {value.type.tensor_type.elem_type for value in outputs} == {TensorProto.FLOAT}


@pytest.mark.parametrize(
    "name", ["type", *(pytest.param(name, marks=pytest.mark.slow) for name in ("forward", "training"))]
)
def test_task_may_have_a_name_that_torch_uses(name: str, tmp_path: Path) -> None:
    schema = msgspec.structs.replace(make_schema(), tasks=(BinaryTask(name=name, label="is_click"),))
    graph = export(make_run(tmp_path / "run", schema))
    assert [output.name for output in graph.graph.output] == [name]


def test_inputs_are_those_that_the_schema_needs(exported: Exported) -> None:
    ranker, graph = exported
    encoder = Encoder(ranker.schema)
    widths = {"ids": encoder.num_slots, "weights": encoder.num_weights, "dense": encoder.num_dense}
    found = {value.name: value.type.tensor_type.shape.dim[1].dim_value for value in graph.graph.input}
    assert found == {name: width for name, width in widths.items() if width > 0}


@pytest.mark.parametrize("release", ["26.07", "24.09"])
def test_opset_and_format_are_those_of_the_release(full: Exported, release: str) -> None:
    graph, target = export(full[0], release), target_of(release)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", target.opset)]
    assert graph.ir_version == target.ir_version


def test_signature_in_the_metadata_is_that_of_the_run(full: Exported) -> None:
    ranker, graph = full
    entries = {entry.key: entry.value for entry in graph.metadata_props}
    assert entries[SIGNATURE_KEY] == sign(ranker, LATEST_TARGET).to_json()


def test_signature_lays_slots_out_in_schema_order(full: Exported) -> None:
    signature = sign(full[0], LATEST_TARGET)
    slots = [(slot.feature, slot.start, slot.stop) for slot in signature.slots]
    assert slots == [("item", 0, 1), ("history", 1, 5), ("word", 5, 6), ("tags", 6, 9)]
    assert signature.dense == ("price", "age")
    assert signature.outputs == ("click", "like", "ratio")


def test_failure_of_the_exporter_is_one_line(full: Exported) -> None:
    class Unexportable(MultiTaskRanker):
        def answers_of(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
            answers = super().answers_of(logits)
            if answers["click"].sum() > 0:  # depends on values: no graph can say this
                answers["click"] = answers["click"] + 1.0
            return answers

    ranker = full[0]
    model = Unexportable(ranker.schema, ModelConfig(hidden_dims=(16, 8), tower_dims=(4,))).eval()
    with pytest.raises(ExportError, match=r"^PyTorch cannot export the model: [^\n]+$"):
        export(dataclasses.replace(ranker, model=model))


def test_exporter_that_gives_nothing_is_refused(full: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.onnx, "export", lambda *_args, **_kwargs: None)
    with pytest.raises(ExportError, match=r"^PyTorch exported no graph$"):
        export(full[0])


def test_missing_onnxscript_is_named_with_its_extra(full: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("onnxscript", "onnx_ir")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("torch.onnx._internal")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"^export needs onnxscript; pip install 'polyrank\[export,cpu\]'$"):
        export(full[0])


def graph_of(
    *,
    opset: int = LATEST_TARGET.opset,
    ir_version: int = LATEST_TARGET.ir_version,
    batch: str | int = "batch",
    scalar: bool = False,
) -> onnx.ModelProto:
    """Write `click = ids as float` by hand, or the sum of them."""
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, 1])
    click = helper.make_tensor_value_info("click", TensorProto.FLOAT, [] if scalar else [batch, 1])
    cast = helper.make_node("Cast", ["ids"], ["row"], to=TensorProto.FLOAT)
    total = helper.make_node("ReduceSum", ["row"], ["click"], keepdims=0)
    same = helper.make_node("Identity", ["row"], ["click"])
    graph = helper.make_graph([cast, total if scalar else same], "hand", [ids], [click])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def test_graph_as_promised_is_accepted() -> None:
    check_graph(graph_of(), LATEST_TARGET, ["ids"], ["click"])


@pytest.mark.parametrize("opset", [LATEST_TARGET.opset + 1, LATEST_TARGET.opset - 1])
def test_graph_of_another_opset_is_refused(opset: int) -> None:
    with pytest.raises(
        ExportError,
        match=rf"^the graph has opset {opset} and IR version 10, expected 20 and 10; Triton 26\.07 \(",
    ):
        check_graph(graph_of(opset=opset), LATEST_TARGET, ["ids"], ["click"])


def test_graph_of_another_format_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^the graph has opset 20 and IR version 11, expected 20 and 10; "):
        check_graph(graph_of(ir_version=11), LATEST_TARGET, ["ids"], ["click"])


@pytest.mark.parametrize(
    ("inputs", "outputs"), [(["dense"], ["click"]), (["ids"], ["like"]), (["ids"], ["click", "like"])]
)
def test_graph_with_other_names_is_refused(inputs: list[str], outputs: list[str]) -> None:
    with pytest.raises(ExportError, match=r"^the graph has inputs and outputs \(\['ids'\], \['click'\]\), expected "):
        check_graph(graph_of(), LATEST_TARGET, inputs, outputs)


def test_graph_with_a_fixed_batch_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^the batch dimension of 'ids' is fixed to 3$"):
        check_graph(graph_of(batch=3), LATEST_TARGET, ["ids"], ["click"])


def test_graph_with_a_scalar_output_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^the batch dimension of 'click' is missing$"):
        check_graph(graph_of(scalar=True), LATEST_TARGET, ["ids"], ["click"])


def test_model_of_the_tests_is_deterministic() -> None:
    first, second = (make_model(make_schema()).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
