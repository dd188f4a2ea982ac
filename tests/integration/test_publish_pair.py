"""The two models of a bundle get versions together, go back together, and stay together."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from polyrank.__main__ import main
from polyrank.errors import OutputError, RepositoryError, RequestError
from polyrank.export import (
    Bundle,
    Published,
    ServingOptions,
    export_onnx,
    list_versions,
    publish,
    publish_remote,
    rollback,
    staged_model,
)
from polyrank.export.answers import Answers
from polyrank.export.exchange import exchange
from polyrank.export.model_directory import highest_version, versions
from polyrank.triton_config import read_config

NAMES = ("toy", "toy_rank")


@pytest.fixture(scope="module")
def pair(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(toy_run, out=tmp_path_factory.mktemp("pair") / "bundle").path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


class Server:
    """Answers as the bundle does, or refuses what `faults` say."""

    url = "localhost:8001"

    def __init__(self, pair: Path, **faults: str) -> None:
        bundle = Bundle.load(pair)
        assert bundle.requests is not None
        self._sessions = {
            name: InferenceSession(each.model_file) for name, each in zip(NAMES, (bundle, bundle.requests), strict=True)
        }
        self._faults = faults
        self.calls: list[tuple[str, str]] = []

    def serves(self, model: str, version: int) -> bool:
        self.calls.append(("serves", model))
        return self._faults.get(model) == f"serves {version}"

    def load(self, model: str) -> None:
        self._called("load", model)

    def unload(self, model: str) -> None:
        self._called("unload", model)

    def answer(self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]) -> Answers:
        assert version > 0
        self._called("answer", model)
        session = self._sessions[model]
        return dict(zip([each.name for each in session.get_outputs()], session.run(None, inputs), strict=True))

    def _called(self, what: str, model: str) -> None:
        self.calls.append((what, model))
        if self._faults.get(model) == what:
            raise RequestError(f"{model} at {self.url}: refused")


def numbers(models: Path) -> list[list[int]]:
    return [versions(models / name) for name in NAMES]


def test_both_get_the_higher_number(pair: Path, models: Path) -> None:
    publish(pair, models)
    (models / "toy_rank" / ".highest_version").write_text("6\n")
    first = publish(pair, models)
    assert first.requests == Published("toy_rank", 7, models / "toy_rank" / "7")
    assert (first.model, first.version) == ("toy", 7)


def test_command_says_where_both_are(pair: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(pair), str(models)]) == 0
    places = [f"{name} version 1 in {models}/{name}/1" for name in NAMES]
    assert capsys.readouterr().out.splitlines() == places


def test_both_go_back_together(pair: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(pair, models)
    publish(pair, models)
    assert main(["rollback", str(models), "--name", "toy_rank"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["3", "3"]
    assert numbers(models) == [[1, 2, 3]] * 2


@pytest.mark.parametrize("before", [0, 1], ids=["first versions", "next versions"])
def test_both_go_live_or_none(pair: Path, models: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    for _ in range(before):
        publish(pair, models)

    def fail_at_second(new: Path, place: Path) -> None:
        if place.name == "toy_rank":
            raise RepositoryError("it stays")
        exchange(new, place)

    monkeypatch.setattr(staged_model, "exchange", fail_at_second)
    with pytest.raises(RepositoryError, match=r"^it stays$"):
        publish(pair, models)
    assert numbers(models) == [[1] * before] * 2
    assert [path.name for path in models.parent.iterdir()] == ["models"]


def test_second_that_does_not_load_takes_the_first_back(pair: Path, models: Path) -> None:
    publish(pair, models)
    server = Server(pair, toy_rank="answer")
    with pytest.raises(RepositoryError, match=r"refused; version 2 was taken back, and localhost:8001 serves what it"):
        publish(pair, models, server=server)
    assert numbers(models) == [[1], [1]]
    assert [highest_version(models / name) for name in NAMES] == [2, 2]
    assert server.calls[-2:] == [("load", "toy"), ("load", "toy_rank")]


def test_every_model_is_brought_back_though_one_fails(pair: Path, models: Path) -> None:
    server = Server(pair, toy="unload", toy_rank="load")
    message = r"^toy_rank at .* refused; version 1 was taken back, but localhost:8001 could not be brought back: toy"
    with pytest.raises(RepositoryError, match=message):
        publish(pair, models, server=server)
    assert server.calls[-2:] == [("unload", "toy"), ("unload", "toy_rank")]


def test_version_is_taken_back_without_room_on_the_disk(
    pair: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(pair, models)
    server = Server(pair, toy_rank="load")
    write = Path.write_text

    def full(path: Path, *arguments: str, **options: str) -> int:
        if ("load", "toy") in server.calls:
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RepositoryError, match="version 2 was taken back, but"):
        publish(pair, models, server=server)
    assert numbers(models) == [[1], [1]]
    assert [highest_version(models / name) for name in NAMES] == [2, 2]


def test_model_over_requests_is_not_left_behind(pair: Path, toy_bundle: Path, models: Path) -> None:
    publish(pair, models)
    message = r"^/\S*/models has model 'toy_rank', and the new version has no graph over requests, so that would go on "
    with pytest.raises(RepositoryError, match=message):
        publish(toy_bundle, models)
    assert numbers(models) == [[1], [1]]
    shutil.rmtree(models / "toy_rank")
    assert publish(toy_bundle, models).version == 2


def test_model_over_requests_is_not_left_behind_by_going_back(pair: Path, toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    publish(pair, models)
    with pytest.raises(RepositoryError, match=r"has model 'toy_rank', and the new version has no graph over requests"):
        rollback(models, name="toy")
    assert numbers(models) == [[1, 2], [2]]


def test_model_of_another_bundle_is_not_taken(pair: Path, toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models, name="toy_rank")
    with pytest.raises(RepositoryError, match=r"^model 'toy_rank' in /\S*/models is one of its own; publish under"):
        publish(pair, models)
    assert publish(pair, models, name="shop").version == 1
    with pytest.raises(RepositoryError, match=r"^model 'shop_rank' in /\S*/models belongs to 'shop'; publish under"):
        publish(toy_bundle, models, name="shop_rank")


def test_going_back_to_a_version_that_was_never_live_makes_it_live(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    publish(toy_bundle, models, options=ServingOptions(specific_versions=(1,)))
    assert rollback(models, name="toy", to=2).version == 3
    assert read_config(models / "toy").version_policy.latest.num_versions == 1


def test_repository_behind_a_link_is_published_to(toy_bundle: Path, models: Path, tmp_path: Path) -> None:
    models.mkdir()
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "models"
    link.symlink_to(models)
    assert publish(toy_bundle, link).path == models / "toy" / "1"


def test_folder_beside_the_repository_that_cannot_be_written_is_named(
    toy_bundle: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != models.parent)
    message = rf"^cannot write {models.parent}, where a version is built before it moves into the repository: no perm"
    with pytest.raises(OutputError, match=message):
        publish(toy_bundle, models)


def test_pair_in_a_store_is_taken_back_together(pair: Path) -> None:
    url = "memory://pair/models"
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(MemoryFileSystem.store.clear)
        sent = publish_remote(pair, url)
        assert sent.requests is not None
        assert (sent.requests.model, sent.requests.url) == ("toy_rank", f"{url}/toy_rank/1")
        system, root = fsspec.core.url_to_fs(url)
        before = {path: system.cat_file(path) for path in system.find(root) if not path.endswith(".highest_version")}
        with pytest.raises(RepositoryError, match="refused; version 2 was taken back, and localhost:8001 serves what"):
            publish_remote(pair, url, server=Server(pair, toy_rank="answer"))
        after = {path: system.cat_file(path) for path in system.find(root) if not path.endswith(".highest_version")}
        assert after == before
        assert publish_remote(pair, url).version == 3


def test_pair_in_a_store_stays_together(pair: Path, toy_bundle: Path) -> None:
    url = "memory://stays/models"
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(MemoryFileSystem.store.clear)
        publish_remote(pair, url)
        with pytest.raises(RepositoryError, match=r"^memory://stays/models has model 'toy_rank', and the new version"):
            publish_remote(toy_bundle, url)


def test_upload_that_died_is_neither_live_nor_kept(toy_bundle: Path) -> None:
    url = "memory://died/models"
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(MemoryFileSystem.store.clear)
        publish_remote(toy_bundle, url)
        system, root = fsspec.core.url_to_fs(url)
        system.pipe_file(f"{root}/toy/2/golden.npz", b"half")
        publish_remote(toy_bundle, url, options=ServingOptions(latest_versions=2), keep=2)
        folders = {path.split("/")[-2] for path in system.find(root) if path.endswith(".npz")}
        assert folders == {"1", "3"}
        assert b"versions: 1\n    versions: 3" in system.cat_file(f"{root}/toy/config.pbtxt")


def copied(bundle: Path, place: Path) -> Path:
    return Path(shutil.copytree(bundle, place / "copy"))


@pytest.mark.slow
def test_halves_of_two_exports_are_refused(pair: Path, toy_run: Path, models: Path, tmp_path: Path) -> None:
    other = export_onnx(toy_run, out=tmp_path / "other", triton="25.05").path
    mixed = copied(pair, tmp_path)
    shutil.rmtree(mixed / "rank")
    shutil.copytree(other / "rank", mixed / "rank")
    with pytest.raises(RepositoryError, match=r"/copy holds graphs of two exports: triton is \S+, and 25\.05 of the"):
        publish(mixed, models)
    assert not models.exists()


def test_graph_over_rows_in_the_place_of_the_other_is_refused(
    pair: Path, toy_bundle: Path, models: Path, tmp_path: Path
) -> None:
    mixed = copied(pair, tmp_path)
    shutil.rmtree(mixed / "rank")
    shutil.copytree(toy_bundle, mixed / "rank")
    with pytest.raises(RepositoryError, match=r"/copy/rank holds no graph over requests; export the run anew$"):
        publish(mixed, models)
    with pytest.raises(RepositoryError, match=r"/rank is a part of a bundle, over requests; publish the folder it is"):
        publish(pair / "rank", models)


@pytest.mark.parametrize(("name", "text"), [("parity.json", ""), ("parity.json", None), ("run.json", "[]")])
def test_bundle_without_its_evidence_is_refused(
    pair: Path, models: Path, tmp_path: Path, name: str, text: str | None
) -> None:
    copy = copied(pair, tmp_path)
    (copy / name).unlink()
    if text is not None:
        (copy / name).write_text(text)
    with pytest.raises(RepositoryError, match=rf"/copy/{name} cannot be read.*; export the run anew$"):
        publish(copy, models)


def test_empty_model_is_damage(toy_bundle: Path, models: Path, tmp_path: Path) -> None:
    copy = copied(toy_bundle, tmp_path)
    (copy / "model.onnx").write_bytes(b"")
    with pytest.raises(RepositoryError, match=r"/copy/model\.onnx is damaged: it holds no graph; export the run anew$"):
        publish(copy, models)


def test_damaged_version_does_not_hide_the_others(
    toy_bundle: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(toy_bundle, models)
    publish(toy_bundle, models)
    (models / "toy" / "1" / "version.json").write_text("")
    assert main(["versions", str(models)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "damaged: " in lines[2]
    assert "toy/1/version.json cannot be read" in lines[2]


def test_folder_without_a_model_is_no_version(toy_bundle: Path, models: Path) -> None:
    publish(toy_bundle, models)
    (models / "toy" / "7").mkdir()
    assert [(info.version, info.is_live) for info in list_versions(models)] == [(1, True)]
    assert publish(toy_bundle, models).version == 8


def test_version_that_is_not_live_is_a_warning(
    toy_bundle: Path, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(toy_bundle, models)
    publish(toy_bundle, models, options=ServingOptions(specific_versions=(1,)))
    assert "version 2 of toy is not live: specific_versions does not name it" in caplog.messages


def test_server_on_another_repository_is_refused_before_anything_is_written(pair: Path, models: Path) -> None:
    with pytest.raises(RepositoryError, match=r"^localhost:8001 serves version 1 of toy_rank already, .* reads anoth"):
        publish(pair, models, server=Server(pair, toy_rank="serves 1"))
    assert list(models.iterdir()) == []


def test_server_that_is_not_there_is_told_before_anything_is_written(
    pair: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(pair), str(models), "--to", "localhost:1"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("polyrank: toy at localhost:1: no server answers; start one with: polyrank serve")
    assert "taken back" not in message
    assert list(models.iterdir()) == []


@pytest.mark.parametrize("timeout", ["0", "-3", "nan"])
def test_timeout_is_checked_without_a_server(pair: Path, models: Path, timeout: str) -> None:
    assert main(["publish", str(pair), str(models), "--timeout-s", timeout]) == 1
    assert not models.exists()
