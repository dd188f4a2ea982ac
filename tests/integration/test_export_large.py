"""A model of 3 GB: its weights lie beside the graph, and export and serving need little more memory than it has."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from polyrank.export import Bundle
from polyrank.export.answers import open_session, run_session
from polyrank.export.bundle import check_golden
from polyrank.export.model_config import config_pbtxt
from polyrank.export.serving_options import ServingOptions
from polyrank.serving import Ranker
from polyrank.serving.server import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROWS = 47_000_000
MAX_MEMORY_GIB = 12.0
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("large")
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); from artefacts.large import main; from pathlib import Path; "
    )
    subprocess.run([sys.executable, "-c", code + f"main(Path({str(folder / 'run')!r}), {ROWS})"], check=True)
    command = [sys.executable, "-m", "polyrank", "export", str(folder / "run"), "--out", str(folder / "bundle")]
    subprocess.run(command, check=True)
    shutil.rmtree(folder / "run")
    return Bundle.load(folder / "bundle")


def test_export_takes_less_than_four_times_the_model(bundle: Bundle) -> None:
    assert bundle.path.is_dir()
    used_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    assert used_gib < MAX_MEMORY_GIB


def test_weights_lie_beside_the_graph(bundle: Bundle) -> None:
    model, data = bundle.model_files
    assert (model.name, data.name) == ("model.onnx", "model.onnx.data")
    assert model.stat().st_size < 2**20
    assert data.stat().st_size >= ROWS * 64
    graph = onnx.load(model, load_external_data=False)
    locations = {
        item.value for entry in graph.graph.initializer for item in entry.external_data if item.key == "location"
    }
    assert locations == {"model.onnx.data"}


def test_it_loads_from_any_directory(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    golden = bundle.golden()
    answers = run_session(open_session(bundle.model_file), golden.inputs)
    np.testing.assert_allclose(answers["click"], golden.outputs["click"], atol=1e-5)


def test_both_files_are_those_that_were_exported(bundle: Bundle) -> None:
    check_golden(bundle, bundle.model_file)
    assert set(bundle.golden().digests) == {"model.onnx", "model.onnx.data"}


@pytest.mark.triton
def test_it_is_served(bundle: Bundle, tmp_path: Path) -> None:
    version = tmp_path / "repository" / "large" / "1"
    version.mkdir(parents=True)
    for file in bundle.model_files:
        (version / file.name).hardlink_to(file)
    graph = onnx.load(bundle.model_file, load_external_data=False)
    (version.parent / "config.pbtxt").write_text(config_pbtxt(graph, "large", ServingOptions()))
    ids = bundle.golden().inputs["ids"][2:, 0]
    ages = bundle.golden().inputs["dense"][2:, 0]
    rows = [{"item": int(item), "age": float(age)} for item, age in zip(ids, ages, strict=True)]
    with serve(tmp_path / "repository") as server, Ranker(server.url) as client:
        scores = client.score(rows)
    np.testing.assert_allclose(scores["click"].to_numpy(), bundle.golden().outputs["click"][2:], atol=1e-5)
