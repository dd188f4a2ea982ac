"""What answers rows is told by its form, and a run, a bundle and a server answer alike."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from artefacts.fake_triton import SIGNATURE
from artefacts.runs import EVERY_TASK, ITEM, make_rows, make_run, make_schema_of
from artefacts.scripted_http import ScriptedHttp
from numpy.testing import assert_allclose, assert_array_equal

from polyrank.answering import answerer, origin_of
from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, DataError, RepositoryError, RequestError
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict

ROWS = pa.Table.from_pylist([{"item": row["item"]} for row in make_rows(40)])


@pytest.fixture(scope="module")
def every_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answering") / "run"
    make_run(folder, make_schema_of(ITEM, tasks=EVERY_TASK))
    return folder


@pytest.fixture(scope="module")
def every_bundle(every_run: Path) -> Path:
    from polyrank.export import ExportOptions, export_onnx

    return export_onnx(every_run, out=every_run.parent / "bundle", options=ExportOptions(requests=None)).path


def test_run_answers_as_its_model_predicts(every_run: Path) -> None:
    trained = TrainedRanker.load(every_run)
    expected = predict(trained.model, Encoder(trained.schema).encode(ROWS))
    with answerer(str(every_run)) as opened:
        found = opened.answer(ROWS)
        assert (opened.kind, opened.name, opened.version, opened.run_id) == ("run", "toy", "", trained.run_id)
        assert (opened.source, opened.schema) == (str(every_run), trained.schema)
    assert {name: values.shape for name, values in found.items()} == {
        task.name: (40, 4) if task.name == "genre" else (40,) for task in trained.schema.tasks
    }
    for name, values in found.items():
        assert_array_equal(values, expected[name])


def test_bundle_answers_as_the_run_that_it_is_of(every_run: Path, every_bundle: Path) -> None:
    with answerer(str(every_run)) as run, answerer(str(every_bundle)) as bundle:
        assert (bundle.kind, bundle.name, bundle.version, bundle.run_id) == ("bundle", "toy", "", run.run_id)
        expected, found = run.answer(ROWS), bundle.answer(ROWS)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.dtype == np.float32
        assert_allclose(values, expected[name], rtol=1e-5, atol=1e-5)


def test_published_version_is_a_bundle_with_a_number(every_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "ranker").mkdir()
    (tmp_path / "ranker" / "3").symlink_to(every_bundle)
    (tmp_path / "ranker" / "config.pbtxt").touch()
    with answerer(str(tmp_path / "ranker" / "3"), name="ranker") as opened:
        assert (opened.kind, opened.version) == ("bundle", "3")


def test_server_answers_by_task() -> None:
    with ScriptedHttp().listening() as url, answerer(url) as opened:
        assert (opened.kind, opened.source, opened.name, opened.version) == ("server", url, "fake", "1")
        assert opened.run_id == SIGNATURE.run_id
        assert_array_equal(opened.answer(ROWS)["click"], np.full(40, 0.5, np.float32))


def test_other_run_that_goes_live_midway_is_refused() -> None:
    server = ScriptedHttp()
    with server.listening() as url, answerer(url) as opened:
        opened.answer(ROWS)
        server.version = "2"
        server.signature = msgspec.structs.replace(SIGNATURE, run_id="fedcba987654").to_json()
        with pytest.raises(RequestError, match=r"version 2 of another run, fedcba987654, went live meanwhile; ask"):
            opened.answer(ROWS)


EXPECTED = (
    "model must be the directory of a run (polyrank train) or a bundle (polyrank export), or host:port of a server, "
)


def test_word_that_is_no_place_is_refused() -> None:
    with pytest.raises(ConfigError) as caught, answerer("nowhere"):
        pass
    assert str(caught.value) == EXPECTED + "got 'nowhere', which is neither a directory nor an address"


def test_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.touch()
    with pytest.raises(ConfigError) as caught, answerer(str(file)):
        pass
    assert str(caught.value) == EXPECTED + f"got {str(file)!r}, which is a file"


def test_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught, answerer(str(tmp_path)):
        pass
    assert str(caught.value) == EXPECTED + (
        f"got {str(tmp_path)!r}, a directory without weights.safetensors and signature.json"
    )


def test_name_of_another_model_is_refused(every_run: Path, every_bundle: Path) -> None:
    for folder in (every_run, every_bundle):
        with pytest.raises(ConfigError) as caught, answerer(str(folder), name="other"):
            pass
        assert str(caught.value) == (
            f"name must be 'toy', the model of {folder}, got 'other'; correct it or leave it out"
        )


def test_damaged_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "signature.json").write_text("{}")
    with (
        pytest.raises(RepositoryError, match=rf"^{tmp_path}/signature\.json: the model's signature cannot be read"),
        answerer(str(tmp_path)),
    ):
        pass


def test_time_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^timeout_s must be above 0"), answerer("localhost:1", timeout_s=0.0):
        pass


def test_run_of_a_bundle_is_known_without_its_graph(every_run: Path, every_bundle: Path, tmp_path: Path) -> None:
    shutil.copy(every_bundle / "signature.json", tmp_path)
    assert origin_of(str(tmp_path))[0] == origin_of(str(every_run))[0]


def test_run_that_lacks_a_file_has_no_id(every_run: Path, tmp_path: Path) -> None:
    shutil.copy(every_run / "weights.safetensors", tmp_path)
    with pytest.raises(DataError) as caught:
        origin_of(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path} is no whole run: schema.toml cannot be read (no such file or directory); train it anew"
    )


def test_server_has_no_run_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"^model must be the directory of a run or a bundle, got 'localhost:1'$"):
        origin_of("localhost:1")
