from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from artefacts.runs import make_rows, make_run, make_schema_of
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from polyrank.encoder import Encoder
from polyrank.errors import ExportError
from polyrank.export import graphs
from polyrank.export.answers import Answers, open_session, run_session
from polyrank.export.exporting import sign
from polyrank.export.graph import build_graph
from polyrank.export.graphs import Graph
from polyrank.export.precision import dense_fp16, dense_int8, embeddings_fp16, embeddings_int8, quantized
from polyrank.export.pruning import pruned, shared_rows
from polyrank.export.releases import LATEST, target_of
from polyrank.export.tables import tables_of
from polyrank.models import TrainedRanker
from polyrank.models.embedding import FusedTable
from polyrank.models.trained import predict

USER = '{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 900, embedding_dim = 16 }'
BAG = '{ name = "history", kind = "bag", max_length = 4, shares = "item" }'
AGE = '{ name = "age", kind = "numeric" }'
TABLE = "embedding/item/weight"


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> TrainedRanker:
    return make_run(tmp_path_factory.mktemp("precision") / "run", make_schema_of(USER, BAG, AGE))


@pytest.fixture(scope="module")
def graph(ranker: TrainedRanker) -> Graph:
    target = target_of(LATEST)
    return build_graph(ranker, target, sign(ranker, target))


@pytest.fixture(scope="module", params=[2**20, 1000], ids=["inside", "kept beside"])
def any_graph(request: pytest.FixtureRequest, ranker: TrainedRanker) -> Graph:
    target = target_of(LATEST)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("graph", "graphs"):
            patch.setattr(f"polyrank.export.{module}.LARGE_BYTES", request.param)
        return build_graph(ranker, target, sign(ranker, target))


def answers_of(graph: Graph, ranker: TrainedRanker, folder: Path) -> Answers:
    graph.write(folder / "model.onnx")
    onnx.checker.check_model(str(folder / "model.onnx"))
    return run_session(open_session(folder / "model.onnx"), Encoder(ranker.schema).encode(make_rows(99)).named())


def table_of(ranker: TrainedRanker) -> FusedTable:
    (table,) = (module for module in ranker.model.modules() if isinstance(module, FusedTable))
    return table


def with_table(ranker: TrainedRanker, values: NDArray[np.float32]) -> Answers:
    """Answer with another table in the place of the model's."""
    weight = table_of(ranker).weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.copy_(torch.from_numpy(values))
        answers = predict(ranker.model, Encoder(ranker.schema).encode(make_rows(99)))
        weight.copy_(kept)
    return answers


def assert_close(found: Answers, expected: Answers, tolerance: float) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance)


def test_graph_answers_alike_however_it_is_kept(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    own = with_table(ranker, table_of(ranker).weight.detach().numpy().copy())
    assert_close(answers_of(any_graph, ranker, tmp_path), own, 1e-5)


def test_fp16_table_answers_like_its_rounded_rows(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    rounded = table_of(ranker).weight.detach().numpy().astype(np.float16).astype(np.float32)
    assert_close(answers_of(embeddings_fp16(any_graph), ranker, tmp_path), with_table(ranker, rounded), 1e-5)


def test_int8_table_answers_like_its_rounded_rows(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    rounded = quantized(table_of(ranker).weight.detach().numpy()).restored()
    assert_close(answers_of(embeddings_int8(any_graph), ranker, tmp_path), with_table(ranker, rounded), 1e-5)


@pytest.mark.parametrize(("smaller", "factor"), [(embeddings_fp16, 2.0), (embeddings_int8, 64 / 17)])
def test_table_takes_so_many_times_less(graph: Graph, smaller: Callable[[Graph], Graph], factor: float) -> None:
    found = smaller(graph)
    other = graph.num_bytes - 901 * 64
    assert (graph.num_bytes - other) / (found.num_bytes - other) == pytest.approx(factor, rel=1e-2)


@pytest.mark.parametrize("smaller", [embeddings_fp16, embeddings_int8, dense_fp16, dense_int8])
def test_graph_that_was_given_is_left_as_it_was(graph: Graph, smaller: Callable[[Graph], Graph]) -> None:
    before = graph.model.SerializeToString(deterministic=True)
    smaller(graph)
    assert graph.model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("smaller", [embeddings_fp16, embeddings_int8, dense_fp16, dense_int8])
def test_inputs_outputs_and_metadata_stay(graph: Graph, smaller: Callable[[Graph], Graph]) -> None:
    found = smaller(graph)
    assert found.model.graph.input == graph.model.graph.input
    assert found.model.graph.output == graph.model.graph.output
    assert found.model.metadata_props == graph.model.metadata_props
    assert (found.model.ir_version, found.model.opset_import) == (graph.model.ir_version, graph.model.opset_import)


def test_int8_error_is_half_a_step_of_its_row() -> None:
    values = np.random.default_rng(0).normal(0, [[0.01], [1.0], [30.0]], (3, 500)).astype(np.float32)
    found = quantized(values)
    own = np.abs(values).max(1, keepdims=True) / 127
    assert (np.abs(found.restored() - values) <= 0.50001 * found.scales).all()
    assert ((found.scales >= 0.99999 * own) & (found.scales <= 1.038 * own)).all()


def test_rows_of_one_size_have_their_own_scale() -> None:
    found = quantized(np.full((3, 4), -2.0, np.float32))
    np.testing.assert_allclose(found.restored(), -2.0, rtol=1e-6)


def test_rows_of_zeros_stay_zeros() -> None:
    assert (quantized(np.zeros((2, 4), np.float32)).restored() == 0.0).all()
    assert (quantized(np.array([[0.0, 0.0], [1.0, -1.0]], np.float32)).restored()[0] == 0.0).all()


def test_tiny_rows_are_off_by_little_of_the_largest() -> None:
    values = np.array([[1e-7, -2e-7], [1.0, 0.5]], np.float32)
    np.testing.assert_allclose(quantized(values).restored()[0], values[0], atol=1e-4 / 127)


def test_huge_rows_are_quantized_too() -> None:
    values = np.full((1, 4), 1e30, np.float32)
    np.testing.assert_allclose(quantized(values).restored(), values, rtol=1e-5)


def test_table_beyond_float16_is_refused(graph: Graph) -> None:
    changed = graph.copy()
    (entry,) = (entry for entry in changed.model.graph.initializer if entry.name == TABLE)
    entry.CopyFrom(numpy_helper.from_array(np.full(entry.dims, 1e6, np.float32), TABLE))
    with pytest.raises(ExportError, match=r"^embedding/item/weight has numbers beyond 65,504; choose embeddings int8$"):
        embeddings_fp16(changed)


def test_fp16_layers_answer_within_their_rounding(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    found = dense_fp16(any_graph)
    halves = [entry for entry in found.model.graph.initializer if entry.data_type == TensorProto.FLOAT16]
    assert halves
    assert_close(answers_of(found, ranker, tmp_path), answers_of(any_graph, ranker, tmp_path), 0.05)


def test_int8_layers_multiply_integers(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    found = dense_int8(any_graph)
    assert "MatMulInteger" in {node.op_type for node in found.model.graph.node}
    click = answers_of(found, ranker, tmp_path)["click"], answers_of(any_graph, ranker, tmp_path)["click"]
    assert 0.0 < float(np.abs(click[0] - click[1]).max()) < 0.1


def test_int8_layers_leave_no_large_layer_as_it_was(ranker: TrainedRanker, tmp_path: Path) -> None:
    target = target_of(LATEST)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("graph", "graphs"):
            patch.setattr(f"polyrank.export.{module}.LARGE_BYTES", 100)
        beside = build_graph(ranker, target, sign(ranker, target))
        found = dense_int8(beside)
        click = answers_of(found, ranker, tmp_path)["click"], answers_of(beside, ranker, tmp_path)["click"]
    inside = dense_int8(build_graph(ranker, target, sign(ranker, target)))
    kinds = [sorted(node.op_type for node in each.model.graph.node) for each in (found, inside)]
    assert kinds[0] == kinds[1]
    assert 0.0 < float(np.abs(click[0] - click[1]).max()) < 0.1


def test_small_tables_stay_as_they_are(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.export.tables.MIN_TABLE_BYTES", 901 * 64 + 1)
    assert embeddings_int8(graph).model == graph.model
    assert tables_of(graph) == []


def test_table_of_unknown_lookups_stays_as_it_is(graph: Graph) -> None:
    bare = graph.copy()
    del bare.model.graph.value_info[:]
    assert embeddings_int8(bare).model == bare.model


def some_trained() -> dict[str, NDArray[np.bool_]]:
    trained = np.zeros(901, bool)
    trained[::4] = True
    return {"inputs.0.embeddings.tables.dim_16.weight": trained}


def test_untrained_rows_share_one_of_zeros(any_graph: Graph, ranker: TrainedRanker, tmp_path: Path) -> None:
    trained = some_trained()
    (rows,) = trained.values()
    values = np.where(rows[:, None], table_of(ranker).weight.detach().numpy(), 0.0).astype(np.float32)
    found = pruned(any_graph, ranker.model, trained)
    assert_close(answers_of(found, ranker, tmp_path), with_table(ranker, values), 1e-5)
    assert any_graph.num_bytes - found.num_bytes == (901 - 227) * 64 - 901 * 4


def test_untrained_row_like_missing_shares_its_row(ranker: TrainedRanker) -> None:
    table = table_of(ranker)
    with torch.no_grad():
        kept = table.weight[5].clone()
        table.weight[5] = table.weight[0]
        places, rows = shared_rows(table, np.arange(901) == 7)
        table.weight[5] = kept
    assert (places[[0, 5, 7, 8]].tolist(), rows.shape) == ([0, 0, 1, 2], (3, 16))


def test_rows_are_not_pruned_where_it_saves_nothing(graph: Graph, ranker: TrainedRanker) -> None:
    name = "inputs.0.embeddings.tables.dim_16.weight"
    assert pruned(graph, ranker.model, {name: np.ones(901, bool)}).model == graph.model


def test_pruned_rows_are_made_smaller_too(
    graph: Graph, ranker: TrainedRanker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyrank.export.tables.MIN_TABLE_BYTES", 1000)
    found = pruned(graph, ranker.model, some_trained(), 1.0)
    smaller = embeddings_int8(found)
    assert smaller.num_bytes < 0.6 * found.num_bytes
    assert_close(answers_of(smaller, ranker, tmp_path), answers_of(found, ranker, tmp_path), 0.2)


def test_weights_beyond_one_file_lie_beside_it(
    any_graph: Graph, ranker: TrainedRanker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = answers_of(any_graph, ranker, tmp_path)
    monkeypatch.setattr(graphs, "MAX_SIZE_BYTES", 1000)
    monkeypatch.chdir(tmp_path)
    found = answers_of(any_graph, ranker, tmp_path)
    has_data = (tmp_path / "model.onnx.data").exists()
    assert has_data == bool(any_graph.kept)
    assert_close(found, inside, 0.0)
