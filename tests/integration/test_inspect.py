"""`polyrank inspect` on bundles, published versions and files of others."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from polyrank.__main__ import main
from polyrank.errors import RepositoryError
from polyrank.export import export_onnx, publish
from polyrank.export.inspecting import inspect

TASKS = ["click", "like", "rating", "watch_s"]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Give a file of no signature: `click = dense @ weight`, of a table nothing."""
    dense = helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["n", 3])
    click = helper.make_tensor_value_info("click", TensorProto.FLOAT, ["n", 1])
    weight = numpy_helper.from_array(np.ones((3, 1), np.float32), "weight")
    node = helper.make_node("MatMul", ["dense", "weight"], ["click"], name="product")
    graph = helper.make_graph([node], "foreign", [dense], [click], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "f.onnx")
    return tmp_path / "f.onnx"


def test_bundle_is_described(toy_bundle: Path) -> None:
    found = inspect(toy_bundle)
    assert [value.name for value in found.outputs] == TASKS
    assert [(value.name, value.dtype, value.shape) for value in found.inputs] == [
        ("ids", "int64", ("batch", 11)),
        ("dense", "float32", ("batch", 4)),
    ]
    assert found.files == {"model.onnx": (toy_bundle / "model.onnx").stat().st_size}
    assert found.signature is not None
    assert (found.opset, found.ir_version) == (found.signature.opset, found.signature.ir_version)


def test_tables_are_told_from_other_weights(toy_bundle: Path) -> None:
    tables = {
        weight.name: (weight.shape, weight.size_bytes) for weight in inspect(toy_bundle).weights if weight.is_table
    }
    assert tables == {
        "embedding/dim_8/weight": ((802, 8), 802 * 8 * 4),
        "embedding/dim_4/weight": ((52, 4), 52 * 4 * 4),
    }


def test_profile_adds_up(toy_bundle: Path) -> None:
    found = inspect(toy_bundle, rows=7)
    assert found.rows == 7
    assert sum(node.share for node in found.nodes) == pytest.approx(1.0)
    assert "Gather" in {node.operator for node in found.nodes}


def test_published_version_is_inspected(toy_bundle: Path, tmp_path: Path) -> None:
    version = publish(toy_bundle, tmp_path).path
    assert inspect(version).signature == inspect(toy_bundle).signature


def test_file_of_another_origin_is_inspected(foreign: Path) -> None:
    found = inspect(foreign)
    assert found.signature is None
    assert [(weight.name, weight.is_table) for weight in found.weights] == [("weight", False)]
    assert found.operators == {"MatMul": 1}


def test_verb_prints_lines(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(toy_bundle), "--rows", "3"]) == 0
    out = capsys.readouterr().out
    assert "opset 20, IR version 10, by pytorch" in out
    assert "schema 'toy': 9 features, 4 tasks; run " in out
    assert "for Triton 26.07, embeddings fp32, dense fp32\n" in out
    assert "input   ids int64 [batch, 11]\n" in out
    assert "embedding/dim_8/weight float32 [802, 8]\n" in out
    assert "3 rows take " in out


def test_verb_prints_what_it_knows_of_others(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(foreign)]) == 0
    assert "no Polyrank signature\n" in capsys.readouterr().out


def test_verb_prints_json(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(toy_bundle), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["signature"]["outputs"] == TASKS
    assert report["nodes"][0]["time_us"] >= report["nodes"][-1]["time_us"]


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        RepositoryError, match=r"/model\.onnx does not exist; name an ONNX file, a bundle, or a version o"
    ):
        inspect(tmp_path)


@pytest.mark.parametrize(("content", "fault"), [(b"\xff" * 50, "not an ONNX file"), (b"", "it holds no graph")])
def test_damaged_file_is_refused(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(RepositoryError, match=rf"/model\.onnx is damaged: {fault}; name another file$"):
        inspect(tmp_path / "model.onnx")


def test_graph_that_does_not_run_is_refused(foreign: Path) -> None:
    model = onnx.load(foreign)
    model.graph.node[0].op_type = "Nonsense"
    onnx.save(model, foreign)
    with pytest.raises(RepositoryError, match=r"/f\.onnx does not run: .*Nonsense"):
        inspect(foreign)


def test_graph_over_requests_is_inspected(toy_run: Path, tmp_path: Path) -> None:
    found = inspect(export_onnx(toy_run, out=tmp_path / "bundle").path / "rank", rows=7)
    assert [value.name for value in found.inputs if not value.name.startswith("item_")][-1] == "task_weights"
    assert found.nodes


def test_json_is_no_onnx_file(toy_bundle: Path) -> None:
    with pytest.raises(RepositoryError, match=r"signature\.json is damaged: not an ONNX file"):
        inspect(toy_bundle / "signature.json")


@pytest.mark.parametrize("rows", ["0", "100001", "100000000000"])
def test_number_of_rows_has_limits(toy_bundle: Path, rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(toy_bundle), "--rows", rows]) == 1
    assert capsys.readouterr().err == f"polyrank: --rows must be in [1, 100,000], got {rows}\n"
