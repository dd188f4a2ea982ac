import re

import numpy as np
import onnx
import pytest
from artefacts.runs import AGE, EVERY_TASK, HISTORY, ITEM, SEEN, WORD, extreme_batch, make_run, make_schema_of
from onnx import TensorProto, helper

from polyrank.encoder import Batch
from polyrank.export.answers import open_session, run_session
from polyrank.export.exporting import sign
from polyrank.export.graph import build_graph
from polyrank.export.naming import SCOPES_KEY, readable
from polyrank.export.releases import LATEST, target_of
from polyrank.models import ModelConfig, TrainedRanker
from polyrank.models.trained import predict

Exported = tuple[TrainedRanker, onnx.ModelProto]
AITM = ModelConfig(hidden_dims=(16, 8), tower_dims=(4,), architecture="aitm")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    schema = make_schema_of(ITEM, HISTORY, WORD, AGE, SEEN.replace('"history"', '"tags"'), tasks=EVERY_TASK)
    run = tmp_path_factory.mktemp("naming") / "run"
    ids = np.arange(10 * 10).reshape(10, 10)
    ranker = make_run(run, schema, config=AITM, sample=Batch(ids, np.ones((10, 1), np.float32)))
    target = target_of(LATEST)
    return ranker, build_graph(ranker, target, sign(ranker, target)).model


def test_tables_are_named_after_features(exported: Exported) -> None:
    names = {entry.name for entry in exported[1].graph.initializer}
    assert {"embedding/item/weight", "embedding/word/weight", "baseline/bias"} <= names


def test_layers_are_named_after_their_place(exported: Exported) -> None:
    nodes = {node.name for node in exported[1].graph.node}
    assert {"embedding/item/gather_1", "embedding/item/attention_0/unit_0/matmul", "baseline/add"} <= nodes


def test_every_name_is_its_own(exported: Exported) -> None:
    graph = exported[1].graph
    nodes = [node.name for node in graph.node]
    values = [name for node in graph.node for name in node.output] + [entry.name for entry in graph.initializer]
    assert len(set(nodes)) == len(nodes)
    assert len(set(values)) == len(values)


def test_graph_says_nothing_of_the_machine(exported: Exported) -> None:
    content = exported[1].SerializeToString()
    assert b".py" not in content
    assert not re.search(rb"/(home|tmp|root|work|usr)/", content)


def test_renamed_graph_answers_extreme_values_of_a_chain(exported: Exported) -> None:
    ranker, graph = exported
    batch = extreme_batch(ranker.schema)
    batch.dense[:] *= 1e6
    answers = run_session(open_session(graph.SerializeToString()), batch.named())
    expected = predict(ranker.model, batch, as_served=True)
    np.testing.assert_allclose(answers["like"], expected["like"], atol=1e-4)
    assert np.isfinite(answers["like"]).all()


def graph_of(scopes: str | None) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 2]) for name in ("dense", "click")]
    nodes = [
        helper.make_node("Add", ["dense", "val_1"], ["add_7"], name="node_add"),
        helper.make_node("Relu", ["add_7"], ["click"], name="node_relu"),
    ]
    if scopes is not None:
        entry = nodes[0].metadata_props.add()
        entry.key, entry.value = SCOPES_KEY, scopes
    ones = helper.make_tensor("val_1", TensorProto.FLOAT, [2], [1.0, 0.5])
    return helper.make_model(helper.make_graph(nodes, "hand", values[:1], values[1:], [ones]))


def test_path_of_a_module_is_the_name() -> None:
    graph = readable(graph_of("['', 'model', 'model.network.layers.experts.2.linear.0', 'add']")).graph
    assert [node.name for node in graph.node] == ["expert_2/linear_0/add", "expert_2/linear_0/relu"]
    assert [list(node.output) for node in graph.node] == [["expert_2/linear_0/add"], ["click"]]


def test_label_stands_for_a_part_of_the_path() -> None:
    scopes = "['', 'model.inputs.0.embeddings.tables.dim_8', 'add']"
    assert readable(graph_of(scopes), {"dim_8": "user_id"}).graph.node[0].name == "embedding/user_id/add"


def test_constant_is_named_by_its_numbers() -> None:
    graph = readable(graph_of(None)).graph
    assert graph.initializer[0].name == graph.node[0].input[1] == "constant/1_0.5"
    assert graph.node[0].name == "answers/add"
