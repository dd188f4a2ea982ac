"""A damaged bundle is refused, and nothing changes."""

import io
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from artefacts.runs import make_run, make_schema
from onnx import numpy_helper

from polyrank.errors import PolyrankError, RepositoryError
from polyrank.export import Bundle, export_onnx, publish
from polyrank.export.bundle import check_golden
from polyrank.signature import Signature


@pytest.fixture
def bundle(tmp_path: Path, toy_bundle: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file with its bytes and every directory, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def cut_off(bundle: Path) -> None:
    content = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(content[: len(content) // 2])


def cut_at_a_field(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(onnx.ModelProto(ir_version=10).SerializeToString())


def empty_model(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"")


def no_model(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()


def no_golden(bundle: Path) -> None:
    (bundle / "golden.npz").unlink()


def damaged_golden(bundle: Path) -> None:
    (bundle / "golden.npz").write_bytes((bundle / "golden.npz").read_bytes()[:-200])


def change_graph(bundle: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    graph = onnx.load(bundle / "model.onnx")
    change(graph)
    (bundle / "model.onnx").write_bytes(graph.SerializeToString())


def change_tower(bundle: Path) -> None:
    def change(graph: onnx.ModelProto) -> None:
        entry = next(each for each in graph.graph.initializer if each.name == "towers/output/bias")
        shifted = numpy_helper.to_array(entry) + np.array([0.0, 0.5, 0.0, 0.0], np.float32)  # of click, like, ...
        entry.CopyFrom(numpy_helper.from_array(shifted, entry.name))

    change_graph(bundle, change)


def change_one_embedding(bundle: Path) -> None:
    """Change an embedding that no golden row reads."""

    def change(graph: onnx.ModelProto) -> None:
        entry = next(each for each in graph.graph.initializer if each.name == "embedding/dim_8/weight")
        weights = numpy_helper.to_array(entry).copy()
        weights[unread] += 1.0
        entry.CopyFrom(numpy_helper.from_array(weights, entry.name))

    users = Bundle.load(bundle).golden().inputs["ids"][:, 0]
    unread = min(set(range(1, 501)) - {1 + int(user) % 500 for user in users})
    change_graph(bundle, change)


def unknown_operator(bundle: Path) -> None:
    change_graph(bundle, lambda graph: setattr(graph.graph.node[0], "op_type", "NoSuchOperator"))


def no_metadata(bundle: Path) -> None:
    change_graph(bundle, lambda graph: graph.ClearField("metadata_props"))


def other_signature(bundle: Path) -> None:
    signature = json.loads((bundle / "signature.json").read_text())
    (bundle / "signature.json").write_text(json.dumps(signature | {"run_id": "0" * 12}))


def no_signature(bundle: Path) -> None:
    (bundle / "signature.json").unlink()


def broken_signature(bundle: Path) -> None:
    (bundle / "signature.json").write_text("{")


def link_out(bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()
    (bundle / "MODEL_CARD.md").symlink_to("/etc/passwd")


def link_of_model(bundle: Path) -> None:
    link = bundle / "model.onnx"
    link.replace(bundle / "kept.onnx")
    link.symlink_to(Path(__file__))


def link_of_folder(bundle: Path) -> None:
    (bundle / "rank").symlink_to("/etc")


def link_to_itself(bundle: Path) -> None:
    (bundle / "run.json").unlink()
    (bundle / "run.json").symlink_to("run.json")


def pipe(bundle: Path) -> None:
    (bundle / "run.json").unlink()
    os.mkfifo(bundle / "run.json")


def keep_weights_at(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(graph: onnx.ModelProto) -> None:
        entry = graph.graph.initializer[0]
        entry.ClearField("raw_data")
        entry.data_location = onnx.TensorProto.EXTERNAL
        entry.external_data.add(key="location", value=location)

    return change


def weights_of_others(bundle: Path) -> None:
    change_graph(bundle, keep_weights_at("/etc/passwd"))


def weights_above(bundle: Path) -> None:
    change_graph(bundle, keep_weights_at("../elsewhere"))


def weights_of_a_node(bundle: Path) -> None:
    def change(graph: onnx.ModelProto) -> None:
        constant = graph.graph.node.add(op_type="Constant", output=["unused"]).attribute.add(name="value")
        constant.type = onnx.AttributeProto.TENSOR
        constant.t.data_location = onnx.TensorProto.EXTERNAL
        constant.t.external_data.add(key="location", value="/etc/passwd")

    change_graph(bundle, change)


def huge_weight(bundle: Path) -> None:
    change_graph(bundle, lambda graph: graph.graph.initializer[0].dims.__setitem__(slice(None), [2**62, 2**62]))


def golden_of(write: Callable[..., None], **more: Any) -> Callable[[Path], None]:
    def damage(bundle: Path) -> None:
        with np.load(bundle / "golden.npz") as arrays:
            write(bundle / "golden.npz", **dict(arrays), **more)

    damage.__name__ = f"golden_{write.__name__}_{len(more)}"
    return damage


def endless_golden(bundle: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(bundle / "golden.npz", "w") as archive:
        archive.writestr("sha256/model.onnx.npy", header.getvalue())


def deep_signature(bundle: Path) -> None:
    (bundle / "signature.json").write_text('{"schema":' + "[" * 100_000)


def deep_record(bundle: Path) -> None:
    (bundle / "run.json").write_text('{"a":' + "[" * 100_000)


def no_text_in_record(bundle: Path) -> None:
    (bundle / "run.json").write_bytes(b'{"run_id":"\xff"}')


DAMAGE: dict[Callable[[Path], None], str] = {
    link_out: "/bundle/MODEL_CARD.md is a link that leads out of the bundle; put the file itself there",
    link_of_model: "/bundle/model.onnx is a link that leads out of the bundle; put the file itself there",
    link_of_folder: "/bundle/rank is a link that leads out of the bundle; put the file itself there",
    link_to_itself: "/bundle/run.json is no file; export the run anew",
    pipe: "/bundle/run.json is no file; export the run anew",
    weights_of_others: "/bundle/model.onnx keeps weights outside of model.onnx.data; export the run anew",
    weights_above: "/bundle/model.onnx keeps weights outside of model.onnx.data; export the run anew",
    weights_of_a_node: "/bundle/model.onnx keeps weights outside of model.onnx.data; export the run anew",
    huge_weight: "/bundle/model.onnx does not load: ",
    golden_of(np.savez, code=np.array([{}], object)): "/bundle/golden.npz is damaged; export the run anew",
    golden_of(np.savez_compressed): "/bundle/golden.npz is damaged; export the run anew",
    endless_golden: "/bundle/golden.npz is damaged; export the run anew",
    deep_signature: "/bundle/signature.json: the model's signature cannot be read: ",
    deep_record: "/bundle/run.json cannot be read: it is nested too deep; export the run anew",
    no_text_in_record: "/bundle/run.json cannot be read: ",
    cut_off: "/bundle/model.onnx is damaged: not an ONNX file; export the run anew",
    cut_at_a_field: "/model.onnx is damaged: it holds no graph; export the run anew",
    empty_model: "/model.onnx is damaged: it holds no graph; export the run anew",
    no_model: "is not a bundle: model.onnx is missing",
    no_golden: "is not a bundle: golden.npz is missing",
    damaged_golden: "/bundle/golden.npz is damaged; export the run anew",
    change_tower: "/bundle/model.onnx answers golden rows of task 'like' with a difference of ",
    change_one_embedding: "/bundle/model.onnx was changed after its export; export the run anew",
    unknown_operator: "/bundle/model.onnx does not load: ",
    no_metadata: "the graph has no metadata 'polyrank.signature'",
    other_signature: "/bundle: signature.json is not that of model.onnx; export the run anew",
    no_signature: "is not a bundle: signature.json is missing",
    broken_signature: "the model's signature cannot be read: ",
}


def test_signature_without_keys_of_this_release_is_the_same(bundle: Path, models: Path) -> None:
    signature = json.loads((bundle / "signature.json").read_text())
    del signature["weights"]
    for feature in signature["schema"]["features"]:
        feature.pop("identity", None)
    (bundle / "signature.json").write_text(json.dumps(signature))
    assert publish(bundle, models).version == 1


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("is_first", [True, False], ids=["first version", "next version"])
def test_damaged_bundle_is_refused_and_nothing_changes(
    bundle: Path,
    models: Path,
    damage: Callable[[Path], None],
    is_first: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    models.mkdir()
    if not is_first:
        publish(bundle, models)
    damage(bundle)
    before = contents(models)
    with pytest.raises(RepositoryError) as caught:
        publish(bundle, models)
    assert DAMAGE[damage] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(models) == before
    assert sorted(path.name for path in models.parent.iterdir()) == ["bundle", "models"]


def test_bundle_whose_signature_lacks_later_keys_is_published(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_later_keys(signature: Signature) -> str:
        written = msgspec.to_builtins(signature)
        for feature in written["schema"]["features"]:
            for key in [key for key, value in feature.items() if value is None]:
                del feature[key]
        return json.dumps(written)

    make_run(tmp_path / "run", make_schema("only numeric"))
    with monkeypatch.context() as patch:
        patch.setattr(Signature, "to_json", without_later_keys)
        bundle = export_onnx(tmp_path / "run", out=tmp_path / "bundle")
    assert bundle.signature.to_json() + "\n" != (bundle.path / "signature.json").read_text()
    assert publish(bundle.path, models).version == 1


def test_golden_answers_of_another_shape_are_refused(bundle: Path) -> None:
    with np.load(bundle / "golden.npz") as arrays:
        stored: dict[str, Any] = dict(arrays)
    np.savez(bundle / "golden.npz", **stored | {"output/click": stored["output/click"][:5]})
    with pytest.raises(RepositoryError, match=r"answers golden rows of task 'click' with a difference of inf"):
        check_golden(Bundle.load(bundle), bundle / "model.onnx")


def test_missing_onnxruntime_is_no_damage(bundle: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PolyrankError, match=r"^export needs onnxruntime; pip install 'polyrank\[export,cpu\]'$"):
        publish(bundle, models)
