"""Bundles of smaller numbers: made, proven, published and scored."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.encoder import Encoder
from polyrank.errors import DataError, ExportError, ParityError
from polyrank.export import Bundle, ExportOptions, export_onnx, publish
from polyrank.models import TrainedRanker
from polyrank.models.trained import load_trained_rows, predict
from polyrank.schema import Schema
from polyrank.serving import Ranker
from polyrank.serving.server import serve
from polyrank.signature import Precision
from polyrank.train import TrainConfig, fit

LARGER = TOY_TOML.replace("num_buckets = 500", "num_buckets = 5000")
SMALL_TABLES = TOY_TOML.replace("num_buckets = 500", "num_buckets = 100")
"""Tables below 16 KiB, which stay as they are."""

SMALLER = Precision(embeddings="int8")
SMALLEST = Precision(embeddings="int8", dense="int8", prune_rows=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig(batch_size=128, epochs=2)
    folder = tmp_path_factory.mktemp("reduced") / "run"
    return fit(Schema.from_toml(LARGER), toy_table(2_000), out=folder, config=config, progress=False).path


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("reduced") / "bundle"
    return export_onnx(run, out=out, options=ExportOptions(precision=SMALLEST))


def test_signature_says_how_exact_it_is(bundle: Bundle) -> None:
    assert Bundle.load(bundle.path).signature.precision == SMALLEST


def test_evidence_holds_losses_and_the_exact_graph(bundle: Bundle) -> None:
    evidence = json.loads((bundle.path / "parity.json").read_text())
    assert (evidence["is_reduced"], evidence["tolerance"]) == (True, 0.1)
    assert {entry["task"] for entry in evidence["losses"]} == {"click", "like", "rating", "watch_s"}
    assert max(entry["difference"] for entry in evidence["exact"]["differences"]) <= 1e-5


def test_file_is_smaller(bundle: Bundle, run: Path, tmp_path: Path) -> None:
    exact = export_onnx(run, out=tmp_path / "exact")
    assert bundle.model_file.stat().st_size < 0.4 * exact.model_file.stat().st_size


def test_rows_that_trained_are_told_from_others(run: Path) -> None:
    ranker = TrainedRanker.load(run)
    trained = load_trained_rows(run, ranker.model)
    assert trained is not None
    (rows,) = (values for name, values in trained.items() if name.endswith("dim_8.weight"))
    counts = json.loads((run / "metrics.json").read_text())["tables"]
    assert rows.sum() == counts["user_id"]["trained"] + counts["item_id"]["trained"]


def test_rows_of_a_warm_start_are_pruned_too(run: Path, tmp_path: Path) -> None:
    schema, config = Schema.from_toml(LARGER), TrainConfig(batch_size=128, epochs=1)
    warm = fit(schema, toy_table(500), out=tmp_path / "warm", config=config, warm_start=run, progress=False).path
    options = ExportOptions(precision=Precision(prune_rows=True), requests=None)
    assert export_onnx(warm, out=tmp_path / "bundle", options=options).signature.precision.prune_rows


def test_run_that_does_not_say_which_rows_trained_is_not_pruned(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    (copy / "trained_rows.safetensors").unlink()
    with pytest.raises(
        ExportError, match=r"/run does not say which rows training changed; train it anew to prune rows$"
    ):
        export_onnx(copy, out=tmp_path / "bundle", options=ExportOptions(precision=Precision(prune_rows=True)))


def test_pruning_that_saves_nothing_leaves_the_exact_graph(tmp_path: Path) -> None:
    schema, config = Schema.from_toml(SMALL_TABLES), TrainConfig(batch_size=128, epochs=1)
    run = fit(schema, toy_table(500), out=tmp_path / "run", config=config, progress=False).path
    options = ExportOptions(precision=Precision(prune_rows=True), requests=None)
    bundle = export_onnx(run, out=tmp_path / "bundle", options=options)
    evidence = json.loads((bundle.path / "parity.json").read_text())
    assert bundle.signature.precision == Precision()
    assert (evidence["is_reduced"], evidence["exact"]) == (False, None)


def test_damaged_rows_are_refused(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    (copy / "trained_rows.safetensors").write_bytes(b"none")
    with pytest.raises(DataError, match=r"/trained_rows\.safetensors is damaged; train the run anew$"):
        export_onnx(copy, out=tmp_path / "bundle", options=ExportOptions(precision=Precision(prune_rows=True)))


def test_answers_that_move_too_far_are_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.export.reducing.TOLERANCES", {"fp32": 1e-5, "int8": 2e-5})
    with pytest.raises(
        ParityError, match=r"^export refused: task '.+' differs .+ of sample rows .+\(limit 2e-05\); evid"
    ):
        export_onnx(run, out=tmp_path / "bundle", options=ExportOptions(precision=SMALLER))
    assert not (tmp_path / "bundle").exists()
    assert json.loads((tmp_path / "bundle.failed" / "parity.json").read_text())["exact"] is not None


def test_verb_says_what_was_done(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--out", str(tmp_path / "b"), "--embeddings", "fp16", "--dense", "fp16"]) == 0
    assert capsys.readouterr().out.endswith(
        "for Triton 26.07, embeddings fp16, dense fp16; over rows, and over one user with many items\n"
    )


@pytest.mark.triton
def test_smaller_numbers_are_served(bundle: Bundle, run: Path, tmp_path: Path) -> None:
    publish(bundle, tmp_path)
    ranker = TrainedRanker.load(run)
    rows = toy_table(60, seed=3)
    with serve(tmp_path) as server, Ranker(server.url) as client:
        scores = client.score(rows)
    for name, values in predict(ranker.model, Encoder(ranker.schema).encode(rows)).items():
        np.testing.assert_allclose(scores[name].to_numpy(), values, rtol=0.1, atol=0.05)


@pytest.mark.slow
def test_exploration_names_every_choice_and_the_best(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--explore"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["precision", "bytes"]
    assert len(lines) == 2 + 16
    assert lines[1].startswith("embeddings fp32, dense fp32 ")
    assert lines[-1].startswith("recommended: embeddings ")


@pytest.mark.slow
def test_exploration_is_json_on_request(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--explore", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    exact, *others = report["choices"]
    assert exact["precision"] == {"embeddings": "fp32", "dense": "fp32", "prune_rows": False}
    assert set(exact["latency_us"]) == {"1", "100", "1000"}
    assert {entry["task"] for entry in exact["losses"]} == {"click", "like", "rating", "watch_s"}
    assert max(choice["size_bytes"] for choice in others) < exact["size_bytes"]
    assert report["recommended"] in [choice["precision"] for choice in report["choices"]]


@pytest.mark.parametrize(
    "options",
    [
        ["--explore", "--embeddings", "int8"],
        ["--explore", "--prune-rows"],
        ["--explore", "--rows-only"],
        ["--out", "bundle", "--json"],
        ["--out", "bundle", "--rows-only", "--top-k", "3"],
    ],
)
def test_options_that_decide_nothing_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "run", *options])
    assert "not allowed with argument --" in capsys.readouterr().err
