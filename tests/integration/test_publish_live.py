"""A running server loads and proves what is published, or all is as it was; clients never see a gap."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artefacts.runs import make_run, make_schema

from polyrank.__main__ import main
from polyrank.errors import ConfigError, OutputError, RepositoryError, RequestError, ServerUnavailableError
from polyrank.export import ExportOptions, ServingOptions, export_onnx, list_versions, publish, rollback
from polyrank.export.model_directory import versions
from polyrank.export.request_graph import RequestOptions
from polyrank.export.serving_options import InstanceGroup
from polyrank.export.staged_model import StagedModel
from polyrank.serving import ModelControl, Ranker, Server, serve

pytestmark = pytest.mark.triton

ON_GPU = ServingOptions(instances=(InstanceGroup(kind="gpu"),))
EXACT = ServingOptions(tolerance=1e-30)


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    make_run(folder / "run", make_schema("one of each"))
    return export_onnx(folder / "run", out=folder / "bundle").path


@pytest.fixture(scope="module")
def served_models(tmp_path_factory: pytest.TempPathFactory, toy_bundle: Path) -> Iterator[tuple[Server, Path]]:
    models = tmp_path_factory.mktemp("live") / "models"
    publish(toy_bundle, models, name="standing")
    with serve(models) as running:
        yield running, models


@pytest.fixture
def models(served_models: tuple[Server, Path]) -> Path:
    return served_models[1]


@pytest.fixture
def control(served_models: tuple[Server, Path]) -> Iterator[ModelControl]:
    with ModelControl(served_models[0].url) as made:
        yield made


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model of the test's own."""
    return str(request.node.name).replace("[", "-").rstrip("]")


def live_version(control: ModelControl, name: str) -> str:
    with Ranker(control.url, name) as ranker:
        return ranker.version


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_published_version_is_live_and_proven(control: ModelControl, models: Path, name: str, toy_bundle: Path) -> None:
    published = publish(toy_bundle, models, name=name, server=control)
    assert live_version(control, name) == "1"
    assert published.differences is not None
    assert set(published.differences) == {"click", "like", "rating", "watch_s"}
    assert max(published.differences.values()) <= 1e-5


def test_golden_rows_are_split_into_requests(control: ModelControl, models: Path, name: str, toy_bundle: Path) -> None:
    options = ServingOptions(max_batch_size=8)
    assert publish(toy_bundle, models, name=name, options=options, server=control).differences is not None


@pytest.mark.slow
def test_old_versions_go_after_the_new_one_is_proven(
    control: ModelControl, models: Path, name: str, toy_bundle: Path, other_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name, server=control)
    publish(other_bundle, models, name=name, server=control, keep=1)
    assert versions(models / name) == [2]
    assert live_version(control, name) == "2"


def test_new_version_is_live_when_old_ones_cannot_be_removed(
    control: ModelControl, models: Path, name: str, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    publish(toy_bundle, models, name=name, server=control)
    monkeypatch.setattr(StagedModel, "build_without_old", fail)
    with pytest.raises(OutputError, match=rf"^{name} version 2 is live, but older ones were not removed: .*no space"):
        publish(toy_bundle, models, name=name, server=control, keep=1)
    assert live_version(control, name) == "2"
    assert versions(models / name) == [1, 2]


def test_version_that_does_not_load_is_taken_back(
    control: ModelControl, models: Path, name: str, toy_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name, server=control)
    before = contents(models / name)
    with pytest.raises(RepositoryError, match=r"request refused: .*; version 2 was taken back, and .* serves what it "):
        publish(toy_bundle, models, name=name, options=ON_GPU, server=control, keep=1)
    assert live_version(control, name) == "1"
    assert contents(models / name) == before | {".highest_version": b"2\n"}


def test_number_of_a_version_that_was_taken_back_is_spent(
    control: ModelControl, models: Path, name: str, toy_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name)
    with pytest.raises(RepositoryError, match="taken back"):
        publish(toy_bundle, models, name=name, options=ON_GPU, server=control)
    assert publish(toy_bundle, models, name=name, server=control).version == 3


def test_version_that_answers_otherwise_is_taken_back(
    control: ModelControl, models: Path, name: str, toy_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name, server=control)
    with pytest.raises(
        RepositoryError, match=rf"^{name} version 2 at .* answers golden rows of task '\w+' with a difference of "
    ):
        publish(toy_bundle, models, name=name, options=EXACT, server=control)
    assert live_version(control, name) == "1"
    assert versions(models / name) == [1]


def test_first_version_that_fails_leaves_nothing(
    control: ModelControl, models: Path, name: str, toy_bundle: Path
) -> None:
    with pytest.raises(RepositoryError, match=r"version 1 was taken back, and .* serves what it did before"):
        publish(toy_bundle, models, name=name, options=EXACT, server=control)
    assert not (models / name).exists()
    with pytest.raises(ServerUnavailableError, match="does not serve this model"):
        live_version(control, name)


def test_repository_of_another_server_is_taken_back(control: ModelControl, tmp_path: Path, toy_bundle: Path) -> None:
    elsewhere = tmp_path / "models"
    publish(toy_bundle, elsewhere, name="standing")
    with pytest.raises(RepositoryError, match=r"^standing version 2 at .*; version 2 was taken back, and .* serves "):
        publish(toy_bundle, elsewhere, name="standing", server=control)
    assert versions(elsewhere / "standing") == [1]
    assert live_version(control, "standing") == "1"


def test_server_that_is_away_is_told_before_anything_is_written(tmp_path: Path, toy_bundle: Path) -> None:
    publish(toy_bundle, tmp_path / "models")
    with (
        ModelControl("127.0.0.1:9", timeout_s=2.0) as away,
        pytest.raises(
            ServerUnavailableError, match=r"^toy at 127\.0\.0\.1:9: no server answers; start one with: polyrank serve"
        ),
    ):
        publish(toy_bundle, tmp_path / "models", server=away)
    assert versions(tmp_path / "models" / "toy") == [1]


def test_version_that_would_not_be_live_is_not_tried(
    control: ModelControl, models: Path, name: str, toy_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name)
    with pytest.raises(ConfigError, match=rf"^version 2 of {name} would not be live under specific_versions, so no s"):
        publish(toy_bundle, models, name=name, options=ServingOptions(specific_versions=(1,)), server=control)


def test_rollback_is_live_and_proven(
    control: ModelControl, models: Path, name: str, toy_bundle: Path, other_bundle: Path
) -> None:
    publish(toy_bundle, models, name=name, server=control)
    publish(other_bundle, models, name=name, server=control)
    published = rollback(models, name=name, server=control)
    assert published.differences is not None
    assert live_version(control, name) == "3"
    with Ranker(control.url, name) as ranker:
        assert ranker.signature.schema.name == "toy"


@pytest.mark.slow
def test_both_graphs_of_a_bundle_go_live_and_back_together(
    control: ModelControl, models: Path, name: str, toy_run: Path, tmp_path: Path
) -> None:
    bundle = export_onnx(toy_run, out=tmp_path / "bundle", options=ExportOptions(requests=RequestOptions(top_k=5)))
    for _ in range(2):
        assert publish(bundle, models, name=name, server=control).differences is not None
    assert rollback(models, name=name, server=control).version == 3
    with pytest.raises(RepositoryError, match=r"version 4 was taken back, and .* serves what it did before$"):
        publish(bundle, models, name=name, options=EXACT, server=control)
    found = {info.model: info for info in list_versions(models) if info.model.startswith(name) and info.is_live}
    assert {each: (info.version, info.origin) for each, info in found.items()} == {name: (3, 1), f"{name}_rank": (3, 1)}


def test_clients_see_no_gap_while_versions_change(
    control: ModelControl, models: Path, name: str, toy_bundle: Path, toy_rows: Any
) -> None:
    publish(toy_bundle, models, name=name, server=control)
    rows, stop = toy_rows(20, 1), threading.Event()

    def ask() -> set[str]:
        seen = set()
        with Ranker(control.url, name) as ranker:
            expected = ranker.score(rows)
            while not stop.is_set():
                for task in expected.column_names:
                    np.testing.assert_allclose(ranker.score(rows)[task], expected[task], rtol=1e-5, atol=1e-5)
                seen.add(ranker.version)
        return seen

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            publish(toy_bundle, models, name=name, server=control, keep=1)
            with pytest.raises(RepositoryError, match="taken back"):
                publish(toy_bundle, models, name=name, options=ON_GPU, server=control)
            rollback(models, name=name, to=2, server=control)
        finally:
            stop.set()
        seen = {version for each in asking for version in each.result()}
    assert {"1", "2"} <= seen <= {"1", "2", "4"}


def test_verbs_have_the_server_load(
    control: ModelControl, models: Path, name: str, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(toy_bundle), str(models), "--name", name, "--to", control.url]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{name} version 1 in {models}/{name}/1"
    assert second.startswith(f"live at {control.url}; golden rows differ by click ")
    publish(toy_bundle, models, name=name)
    assert main(["rollback", str(models), "--name", name, "--url", control.url]) == 0
    assert live_version(control, name) == "3"


@pytest.mark.parametrize(
    ("url", "timeout_s", "message"),
    [
        ("http:/localhost:8001", 1.0, "url must be host:port of the server, as in localhost:8000"),
        ("localhost:8001", 0.0, "timeout_s must be above 0 and at most 1,000,000 seconds, got 0.0"),
    ],
)
def test_wrong_address_is_refused(url: str, timeout_s: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelControl(url, timeout_s=timeout_s)


def test_unknown_model_cannot_be_loaded(control: ModelControl) -> None:
    with pytest.raises(RequestError, match=r"^nowhere at .*: request refused: failed to load 'nowhere'"):
        control.load("nowhere")
