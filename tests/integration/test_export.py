"""A run directory becomes a bundle that is proven, or nothing and the reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from artefacts.runs import make_run, make_schema
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

from polyrank.__main__ import main
from polyrank.errors import DataError, ExportError, OutputError, ParityError, PolyrankError
from polyrank.export import Bundle, ExportOptions, export_onnx, exporting, proving
from polyrank.export.answers import open_session
from polyrank.export.graphs import Graph
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.signature import SIGNATURE_KEY

TASKS = ("click", "like", "rating", "watch_s")
Perturb = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_bundle_names_the_files_of_its_model(toy_bundle: Path) -> None:
    assert Bundle.load(toy_bundle).model_files == (toy_bundle / "model.onnx",)


def test_bundle_holds_six_files_and_no_external_data(toy_bundle: Path) -> None:
    assert files(toy_bundle) == [
        "MODEL_CARD.md",
        "golden.npz",
        "model.onnx",
        "parity.json",
        "run.json",
        "signature.json",
    ]
    graph = onnx.load(toy_bundle / "model.onnx", load_external_data=False)
    assert all(entry.data_location == onnx.TensorProto.DEFAULT for entry in graph.graph.initializer)


def test_nothing_is_left_beside_the_bundle(toy_bundle: Path) -> None:
    assert [path.name for path in toy_bundle.parent.iterdir()] == ["bundle"]


def test_model_alone_loads_from_another_directory(toy_bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copy(toy_bundle / "model.onnx", tmp_path)
    session = onnxruntime.InferenceSession(copy, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == list(TASKS)


def test_signature_file_is_the_metadata_of_the_graph(toy_bundle: Path) -> None:
    metadata = {entry.key: entry.value for entry in onnx.load(toy_bundle / "model.onnx").metadata_props}
    assert (toy_bundle / "signature.json").read_text() == metadata[SIGNATURE_KEY] + "\n"


def test_signature_says_what_the_graph_is(toy_bundle: Path) -> None:
    graph, signature = onnx.load(toy_bundle / "model.onnx"), Bundle.load(toy_bundle).signature
    assert (signature.opset, signature.ir_version) == (graph.opset_import[0].version, graph.ir_version)
    assert signature.outputs == tuple(value.name for value in graph.graph.output)


def test_signature_names_run_and_release(toy_run: Path, toy_bundle: Path) -> None:
    signature = Bundle.load(toy_bundle).signature
    assert signature.run_id == json.loads((toy_run / "metrics.json").read_text())["run_id"]
    assert (signature.triton, signature.onnxruntime) == ("26.07", "1.27.0")


def test_golden_rows_hold_what_pytorch_answers(toy_run: Path, toy_bundle: Path) -> None:
    golden, ranker = Bundle.load(toy_bundle).golden(), TrainedRanker.load(toy_run)
    np.testing.assert_array_equal(golden.inputs["ids"][0], ranker.sample.ids[0])
    batch = ranker.sample[np.array([0])]
    for name, values in predict(ranker.model, batch).items():
        np.testing.assert_allclose(golden.outputs[name][:1], values, rtol=1e-6, atol=1e-6)


def test_golden_file_needs_no_pickle(toy_bundle: Path) -> None:
    with np.load(toy_bundle / "golden.npz", allow_pickle=False) as arrays:
        shapes = {name: (arrays[name].dtype.name, arrays[name].shape) for name in arrays.files}
    answers = {f"output/{task}": ("float32", (33,)) for task in TASKS}
    inputs = {"ids": ("int64", (33, 11)), "dense": ("float32", (33, 4))}
    assert shapes == {**inputs, **answers, "sha256/model.onnx": ("uint8", (32,))}


def test_evidence_covers_every_task_and_batch_size(toy_bundle: Path) -> None:
    evidence = json.loads((toy_bundle / "parity.json").read_text())
    found = {(entry["task"], entry["rows"], entry["batch_size"]) for entry in evidence["differences"]}
    kinds = ("sample", "awkward", "extreme")
    assert found == {(task, rows, size) for task in TASKS for rows in kinds for size in (1, 2, 33, 1000, 4096)}
    assert (evidence["tolerance"], evidence["onnxruntime"]) == (1e-5, onnxruntime.__version__)
    assert all(entry["difference"] <= 1e-5 for entry in evidence["differences"])


def test_bundle_is_the_same_when_exported_twice(tmp_path: Path) -> None:
    make_run(tmp_path / "run", make_schema("one of each"))
    first, second = (export_onnx(tmp_path / "run", out=tmp_path / name) for name in ("a", "b"))
    assert first.model_file.read_bytes() == second.model_file.read_bytes()


def test_shortest_sample_is_enough(tmp_path: Path) -> None:
    make_run(tmp_path / "run", make_schema("one of each"), sample_rows=1)
    made = export_onnx(tmp_path / "run", out=tmp_path / "bundle")
    assert len(made.golden().outputs["click"]) == 33


@pytest.mark.slow
def test_older_release_is_kept_in_the_signature(tmp_path: Path) -> None:
    make_run(tmp_path / "run", make_schema("one of each"))
    assert export_onnx(tmp_path / "run", out=tmp_path / "bundle", triton="24.09").signature.triton == "24.09"


def test_onnxruntime_is_a_target_in_place_of_a_release(tmp_path: Path) -> None:
    make_run(tmp_path / "run", make_schema("one of each"))
    signature = export_onnx(
        tmp_path / "run", out=tmp_path / "bundle", options=ExportOptions(onnxruntime="1.24")
    ).signature
    assert (signature.triton, signature.onnxruntime) == (None, "1.24")


def with_fault(exported: Path, task: str, change: Perturb) -> Callable[..., Graph]:
    """Return a `build_graph` that gives an exported graph with a fault in the bias of one task."""

    def build(*_arguments: object) -> Graph:
        graph = onnx.load(exported / "model.onnx")
        (entry,) = (entry for entry in graph.graph.initializer if entry.name == "towers/output/bias")
        bias = numpy_helper.to_array(entry).copy()
        place = TASKS.index(task)
        bias[place] = change(bias[place])
        entry.CopyFrom(numpy_helper.from_array(bias, entry.name))
        return Graph(graph)

    return build


@pytest.mark.parametrize("task", TASKS)
def test_fault_in_one_task_is_refused_with_its_name(
    toy_run: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setattr(exporting, "build_graph", with_fault(toy_bundle, task, lambda bias: bias + np.float32(1e-3)))
    with pytest.raises(
        ParityError,
        match=rf"^export refused: task '{task}' differs from PyTorch by [1-9]\.\de-0[345] at batch \d+ of \w+ rows in "
        rf"ONNX Runtime \S+ \(limit 1e-05\); evidence in .*/bundle\.failed/parity\.json$",
    ):
        export_onnx(toy_run, out=tmp_path / "bundle")
    assert files(tmp_path) == ["bundle.failed", "bundle.failed/parity.json"]
    evidence = json.loads((tmp_path / "bundle.failed" / "parity.json").read_text())
    assert {entry["task"] for entry in evidence["differences"] if entry["difference"] > 1e-5} == {task}


def test_task_that_answers_nan_is_refused(
    toy_run: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        exporting, "build_graph", with_fault(toy_bundle, "rating", lambda bias: bias * np.float32(np.nan))
    )
    with pytest.raises(ParityError, match=r"^export refused: task 'rating' differs from PyTorch by nan at batch 1 "):
        export_onnx(toy_run, out=tmp_path / "bundle")
    evidence = json.loads((tmp_path / "bundle.failed" / "parity.json").read_text())
    assert {entry["task"] for entry in evidence["differences"] if entry["difference"] is None} == {"rating"}


def test_fault_below_the_limit_is_accepted(
    toy_run: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "build_graph", with_fault(toy_bundle, "click", lambda bias: bias + np.float32(1e-6)))
    assert export_onnx(toy_run, out=tmp_path / "bundle").path.is_dir()


def test_fault_that_only_a_large_batch_shows_is_refused(
    toy_run: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Session:
        def __init__(self, model: Path) -> None:
            self._session = open_session(model)
            self.get_outputs = self._session.get_outputs

        def run(self, names: list[str], inputs: dict[str, NDArray[Any]]) -> object:
            values = self._session.run(names, inputs)
            return [value + (name == "like" and len(value) == 1000) for name, value in zip(names, values, strict=True)]

    monkeypatch.setattr(proving, "open_session", Session)
    monkeypatch.setattr(exporting, "build_graph", lambda *_: Graph(onnx.load(toy_bundle / "model.onnx")))
    with pytest.raises(ParityError, match=r"^export refused: task 'like' differs from PyTorch by .* at batch 1000 "):
        export_onnx(toy_run, out=tmp_path / "bundle")


def test_evidence_of_an_earlier_refusal_is_replaced(
    toy_run: Path, toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.failed").mkdir()
    (tmp_path / "bundle.failed" / "parity.json").write_text("old")
    monkeypatch.setattr(exporting, "build_graph", with_fault(toy_bundle, "click", lambda bias: bias + np.float32(1.0)))
    with pytest.raises(ParityError):
        export_onnx(toy_run, out=tmp_path / "bundle")
    assert json.loads((tmp_path / "bundle.failed" / "parity.json").read_text())["tolerance"] == 1e-5


def test_unknown_release_is_refused_before_the_run_is_read(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^triton release '27\.01' is unknown; known are 26\.07, 26\.06, .*24\.09$"):
        export_onnx(tmp_path / "none", out=tmp_path / "bundle", triton="27.01")


def test_existing_bundle_is_kept(toy_run: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine").write_text("precious")
    with pytest.raises(OutputError, match=r"/bundle already exists; choose another output directory or remove it$"):
        export_onnx(toy_run, out=tmp_path / "bundle")
    assert files(tmp_path) == ["bundle", "bundle/mine"]


def test_place_under_a_file_is_refused(toy_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^cannot write .*/file/bundle: "):
        export_onnx(toy_run, out=tmp_path / "file" / "bundle")


def truncate(name: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:100])


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes(content)


def widen(run: Path) -> None:
    text = (run / "config.toml").read_text()
    assert text.count("    8,\n") == 1
    (run / "config.toml").write_text(text.replace("    8,\n", "    9,\n"))


def change_tensor(
    file: str, name: str, change: Callable[[torch.Tensor], torch.Tensor] | None
) -> Callable[[Path], None]:
    def apply(run: Path) -> None:
        stored = load_file(run / file)
        value = stored.pop(name)
        if change is not None:
            stored[name] = change(value).contiguous()
        save_file(stored, run / file)

    return apply


SAMPLE, WEIGHTS = "sample.safetensors", "weights.safetensors"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "schema is absent": (lambda run: (run / "schema.toml").unlink(), "is not a run directory: schema.toml is missing"),
    "config is absent": (lambda run: (run / "config.toml").unlink(), "is not a run directory: config.toml is missing"),
    "weights are absent": (lambda run: (run / WEIGHTS).unlink(), "is not a run directory: weights.safetensors is miss"),
    "sample is absent": (lambda run: (run / SAMPLE).unlink(), "is not a run directory: sample.safetensors is missing"),
    "weights are cut off": (truncate(WEIGHTS), "is damaged: "),
    "weights are empty": (write(WEIGHTS, b""), "is damaged: "),
    "sample is cut off": (truncate(SAMPLE), "is damaged: "),
    "config is not TOML": (write("config.toml", b"[model"), "is damaged: "),
    "config is not text": (write("config.toml", b"\xff\xfe"), "is damaged: "),
    "config has no model": (write("config.toml", b"epochs = 1\n"), "is damaged: "),
    "config holds a wrong width": (write("config.toml", b"[model]\nhidden_dims = [0]\n"), "is damaged: "),
    "weights have other shapes": (widen, "is damaged: "),
    "a weight is absent": (change_tensor(WEIGHTS, "network.towers.output.weight", None), "is damaged: "),
    "sample has no ids": (change_tensor(SAMPLE, "ids", None), "sample.safetensors does not fit schema.toml"),
    "sample has no dense": (change_tensor(SAMPLE, "dense", None), "sample.safetensors does not fit schema.toml"),
    "sample has no row": (change_tensor(SAMPLE, "ids", lambda ids: ids[:0]), "sample.safetensors does not fit schema."),
    "sample lacks a slot": (
        change_tensor(SAMPLE, "ids", lambda ids: ids[:, 1:]),
        "sample.safetensors does not fit sch",
    ),
    "sample is of another type": (
        change_tensor(SAMPLE, "ids", lambda ids: ids.int()),
        "sample.safetensors does not fit",
    ),
    "sample has fewer numbers": (
        change_tensor(SAMPLE, "dense", lambda rows: rows[1:]),
        "sample.safetensors does not f",
    ),
    "schema is not TOML": (write("schema.toml", b"name ="), "schema.toml: not valid TOML"),
}


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("small") / "run"
    make_run(run, make_schema("one of each"))
    return run


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_run_is_refused_in_one_line(small_run: Path, tmp_path: Path, damage: str) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    harm, message = DAMAGE[damage]
    harm(run)
    with pytest.raises(PolyrankError) as caught:
        export_onnx(run, out=tmp_path / "bundle")
    assert message in str(caught.value)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == ["run", *(f"run/{name}" for name in files(run))]


def test_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"/none is not a run directory: schema\.toml is missing; train one with: polyr"
    ):
        export_onnx(tmp_path / "none", out=tmp_path / "bundle")


def test_verb_exports_and_says_what_for(small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(small_run), "--out", str(tmp_path / "bundle"), "--triton", "25.05"]) == 0
    signature = Bundle.load(tmp_path / "bundle").signature
    assert capsys.readouterr().out == (
        f"bundle of run {signature.run_id} in {tmp_path}/bundle: opset 20, IR version 10, for Triton 25.05\n"
    )


@pytest.mark.slow
def test_verb_takes_the_newest_release(small_run: Path, tmp_path: Path) -> None:
    assert main(["export", str(small_run), "--out", str(tmp_path / "bundle")]) == 0
    assert Bundle.load(tmp_path / "bundle").signature.triton == "26.07"


def test_verb_reports_a_refusal_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "bundle")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"polyrank: {tmp_path} is not a run directory: schema.toml is missing")
    assert captured.err.count("\n") == 1


@pytest.mark.slow
def test_verb_says_the_onnxruntime_it_is_for(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(small_run), "--out", str(tmp_path / "bundle"), "--onnxruntime", "1.24"]) == 0
    assert capsys.readouterr().out.endswith(": opset 20, IR version 10, for ONNX Runtime 1.24\n")


WRONG_USAGE: tuple[list[str], ...] = (
    [],
    ["run"],
    ["run", "--out"],
    ["run", "--out", "b", "--opset", "9"],
    ["run", "--out", "b", "--triton", "26.07", "--onnxruntime", "1.27"],
)


@pytest.mark.parametrize("arguments", WRONG_USAGE)
def test_wrong_usage_of_the_verb_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", *arguments])
    assert caught.value.code == 2
    assert "usage: polyrank" in capsys.readouterr().err
