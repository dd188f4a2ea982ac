"""`<name>_raw` is published beside `<name>` where it is asked for, and goes with it from there on."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from numpy.typing import NDArray

from polyrank.__main__ import main
from polyrank.errors import RepositoryError, RequestError
from polyrank.export import Bundle, Published, ServingOptions, list_versions, publish, publish_remote, rollback
from polyrank.export.answers import Answers, open_session, run_session
from polyrank.export.model_directory import versions
from polyrank.raw_inputs import RawEncoder
from polyrank.signature import SIGNATURE_KEY
from polyrank.triton_config import read_config

NAMES = ("toy", "toy_raw")
RAW = ServingOptions(raw=True)
SMALL = ServingOptions(raw=True, max_batch_size=8)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


class Server:
    """Answers as the bundle does, or `toy_raw` by `factor` times as much."""

    url = "localhost:8001"

    def __init__(self, bundle: Path, *, factor: float = 1.0) -> None:
        found = Bundle.load(bundle)
        self._session, self._encoder = open_session(found.model_file), RawEncoder(found.signature.schema)
        self._factor = factor
        self.largest = 0

    def serves(self, _model: str, _version: int) -> bool:
        return False

    def load(self, model: str) -> None:
        if self._factor == 0.0 and model == "toy_raw":
            raise RequestError("toy_raw does not load")

    def unload(self, model: str) -> None:
        pass

    def answer(self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]) -> Answers:
        assert version > 0
        self.largest = max(self.largest, *(len(each) for each in inputs.values()))
        if model == "toy_raw":
            answers = run_session(self._session, self._encoder.encode(dict(inputs)).named())
            return {name: value[:, None] * np.float32(self._factor) for name, value in answers.items()}
        return {name: value[:, None] for name, value in run_session(self._session, inputs).items()}


def numbers(models: Path) -> list[list[int]]:
    return [versions(models / name) for name in NAMES]


def test_raw_model_is_published_only_where_it_is_asked_for(toy_bundle: Path, models: Path) -> None:
    assert publish(toy_bundle, models).raw is None
    assert not (models / "toy_raw").exists()


def test_both_get_the_same_number(toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(toy_bundle, models)
    published = publish(toy_bundle, models, options=RAW)
    assert published.raw == Published("toy_raw", 2, models / "toy_raw" / "2")
    assert published.requests is None
    assert main(["publish", str(toy_bundle), str(models), "--raw"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name} version 3 in {models}/{name}/3" for name in NAMES]


def test_all_three_models_of_a_bundle_are_named(toy_run: Path, models: Path, tmp_path: Path) -> None:
    from polyrank.export import export_onnx

    published = publish(export_onnx(toy_run, out=tmp_path / "bundle"), models, options=RAW)
    assert published.requests is not None
    assert published.raw is not None
    assert (published.requests.model, published.raw.model) == ("toy_rank", "toy_raw")


def test_configuration_has_an_optional_tensor_for_each_feature(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, options=RAW)
    config, rows = read_config(models / "toy_raw"), read_config(models / "toy")
    found = {each.name: (each.data_type, list(each.dims), each.optional) for each in config.input}
    text, int64, fp32 = 13, 9, 11  # numbers of Triton's own message
    assert found == {
        **dict.fromkeys(("user_id", "item_id"), (int64, [1], True)),
        "history": (int64, [-1], True),
        "tags": (text, [-1], True),
        "device": (text, [1], True),
        **dict.fromkeys(("score", "age", "plays", "duration_ms"), (fp32, [1], True)),
    }
    assert (config.backend, config.max_batch_size) == ("polyrank", rows.max_batch_size)
    assert config.output == rows.output
    assert [each.batch_size for each in config.model_warmup] == [each.batch_size for each in rows.model_warmup]
    assert SIGNATURE_KEY not in config.parameters


def test_raw_model_is_not_left_behind(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, options=RAW)
    message = r"has model 'toy_raw', and the new version is published without it, so .* publish with --raw, publish un"
    with pytest.raises(RepositoryError, match=message):
        publish(toy_bundle, models)
    assert numbers(models) == [[1], [1]]


def test_raw_model_goes_back_to_a_version_without_one(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    publish(toy_bundle, models, options=RAW)
    published = rollback(models, name="toy", server=Server(toy_bundle))
    assert published.raw is not None
    assert (published.raw.model, published.raw.version) == ("toy_raw", 3)
    assert published.raw.differences is not None
    assert numbers(models) == [[1, 2, 3], [2, 3]]
    assert read_config(models / "toy_raw").backend == "polyrank"
    assert [info.origin for info in list_versions(models)] == [1, None, None, 1, None]
    assert rollback(models, name="toy", to=3).raw is not None


def test_model_of_that_name_is_not_taken(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, name="toy_raw")
    with pytest.raises(RepositoryError, match=r"^model 'toy_raw' in /\S*/models is one of its own; publish under"):
        publish(toy_bundle, models, options=RAW)


def test_both_go_back_together(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, options=RAW)
    publish(toy_bundle, models, options=RAW, keep=1)
    publish(toy_bundle, models, options=RAW)
    published = rollback(models, name="toy_raw", to=2)
    assert published.raw is not None
    assert (published.model, published.raw.model) == NAMES
    assert numbers(models) == [[2, 3, 4]] * 2
    assert read_config(models / "toy_raw").backend == "polyrank"
    assert [info.origin for info in list_versions(models, name="toy_raw")] == [2, None, None]


def test_server_proves_the_raw_model_with_rows_of_its_own(toy_bundle: Path, models: Path) -> None:
    server = Server(toy_bundle)
    published = publish(toy_bundle, models, options=SMALL, server=server)
    assert published.raw is not None
    assert published.raw.differences is not None
    assert set(published.raw.differences) == {"click", "like", "rating", "watch_s"}
    assert server.largest == 8


@pytest.mark.parametrize("factor", [1.1, 0.0], ids=["answers otherwise", "does not load"])
def test_both_are_taken_back_where_the_raw_one_fails(toy_bundle: Path, models: Path, factor: float) -> None:
    publish(toy_bundle, models, options=RAW)
    with pytest.raises(RepositoryError, match=r"^toy_raw .*; version 2 was taken back, "):
        publish(toy_bundle, models, options=RAW, server=Server(toy_bundle, factor=factor))
    assert numbers(models) == [[1], [1]]


def test_raw_model_goes_to_a_store_and_back_with_its_pair(toy_bundle: Path) -> None:
    url = "memory://raw/models"
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(MemoryFileSystem.store.clear)
        sent = publish_remote(toy_bundle, url, options=RAW)
        assert sent.raw is not None
        assert sent.raw.url == f"{url}/toy_raw/1"
        with pytest.raises(RepositoryError, match=r"^memory://raw/models has model 'toy_raw', and the new version is"):
            publish_remote(toy_bundle, url)
        system, root = fsspec.core.url_to_fs(url)
        before = {path: system.cat_file(path) for path in system.find(root) if not path.endswith(".highest_version")}
        with pytest.raises(RepositoryError, match="version 2 was taken back"):
            publish_remote(toy_bundle, url, options=RAW, server=Server(toy_bundle, factor=2.0))
        after = {path: system.cat_file(path) for path in system.find(root) if not path.endswith(".highest_version")}
        assert after == before
