"""Publishing to an object store: at every moment the configuration names versions that are whole."""

import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import fsspec
import pytest
from artefacts.runs import make_run, make_schema
from fsspec.implementations.memory import MemoryFileSystem

from polyrank.__main__ import main
from polyrank.errors import ConfigError, MissingExtraError, OutputError, RepositoryError
from polyrank.export import Bundle, ExportOptions, ServingOptions, export_onnx, publish, publish_remote
from polyrank.export.bundle import check_golden
from polyrank.export.remote import _take_back
from polyrank.export.remote_model import RemoteModel
from polyrank.serving import ModelControl, Ranker, serve
from polyrank.triton_config import parsed_config

FILES = {"MODEL_CARD.md", "golden.npz", "model.onnx", "parity.json", "run.json", "signature.json", "version.json"}


class Watch:
    """Is called before each change of a store, and may fail it."""

    look: Callable[[], object] = staticmethod(lambda: None)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty repository of the test's own, in a store in memory that is watched."""
    for name in ("pipe_file", "put_file", "rm"):
        monkeypatch.setattr(MemoryFileSystem, name, watched(getattr(MemoryFileSystem, name)))
    yield f"memory://{secrets.token_hex(6)}/models"
    Watch.look = staticmethod(lambda: None)
    MemoryFileSystem.store.clear()


def watched(change: Any) -> Any:
    def look_and_change(*arguments: Any, **options: Any) -> Any:
        Watch.look()
        return change(*arguments, **options)

    return look_and_change


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    make_run(folder / "run", make_schema("one of each"))
    return export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None)).path


def contents(url: str) -> dict[str, bytes]:
    system, root = fsspec.core.url_to_fs(url)
    return {path.removeprefix(f"{root}/"): system.cat_file(path) for path in system.find(root)}


def versions_in(url: str) -> set[str]:
    return {name.split("/")[1] for name in contents(url) if name.count("/") == 2}


def config_of(url: str) -> Any:
    return parsed_config(contents(url)["toy/config.pbtxt"].decode(), "config")


def live_in(url: str) -> list[int]:
    return list(config_of(url).version_policy.specific.versions)


def assert_live_is_whole(url: str) -> None:
    found = contents(url)
    for version in live_in(url) if "toy/config.pbtxt" in found else []:
        assert {name.split("/")[2] for name in found if name.startswith(f"toy/{version}/")} == FILES


def test_first_version_is_whole_and_live(url: str, toy_bundle: Path, tmp_path: Path) -> None:
    published = publish_remote(toy_bundle, url)
    assert (published.model, published.version, published.url) == ("toy", 1, f"{url}/toy/1")
    found = contents(url)
    assert set(found) == {"toy/config.pbtxt", "toy/.highest_version", *(f"toy/1/{name}" for name in FILES)}
    (tmp_path / "model.onnx").write_bytes(found["toy/1/model.onnx"])
    check_golden(Bundle.load(toy_bundle), tmp_path / "model.onnx")
    assert live_in(url) == [1]


def test_configuration_is_written_after_all_files_of_the_version(url: str, toy_bundle: Path) -> None:
    seen: list[set[str]] = []
    Watch.look = staticmethod(lambda: seen.append(set(contents(url))))
    publish_remote(toy_bundle, url)
    assert seen[-1] == {"toy/.highest_version", *(f"toy/1/{name}" for name in FILES)}


def test_every_moment_has_whole_live_versions(url: str, toy_bundle: Path, other_bundle: Path) -> None:
    publish_remote(toy_bundle, url)
    seen: list[list[int]] = []

    def look() -> None:
        assert_live_is_whole(url)
        seen.append(live_in(url))

    Watch.look = staticmethod(look)
    publish_remote(other_bundle, url, name="toy", keep=1)
    assert live_in(url) == [2]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == ([1], [2])
    assert versions_in(url) == {"2"}


@pytest.mark.parametrize("step", range(1, 9))
def test_publish_that_dies_leaves_what_was_live(url: str, toy_bundle: Path, step: int) -> None:
    publish_remote(toy_bundle, url)
    left = iter(range(step))

    def look() -> None:
        if next(left, None) is None:
            raise OSError("gone")

    Watch.look = staticmethod(look)
    with pytest.raises(OutputError, match=r"^cannot write memory:.*/models: gone$"):
        publish_remote(toy_bundle, url, keep=1)
    Watch.look = staticmethod(lambda: None)
    assert_live_is_whole(url)
    assert live_in(url) in ([1], [2])
    assert publish_remote(toy_bundle, url, keep=1).version == 3
    assert versions_in(url) == {"3"}


def test_answers_that_go_are_a_warning(
    url: str, toy_bundle: Path, other_bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_remote(other_bundle, url)
    publish_remote(other_bundle, url)
    assert caplog.messages == []
    publish_remote(toy_bundle, url)
    before, now = (Bundle.load(each).signature.outputs for each in (other_bundle, toy_bundle))
    lost = ", ".join(sorted(set(before) - set(now)))
    assert caplog.messages == [f"toy no longer answers {lost}, which the version before did: callers miss it"]


def test_number_of_a_removed_version_is_not_given_again(url: str, toy_bundle: Path) -> None:
    publish_remote(toy_bundle, url)
    system, root = fsspec.core.url_to_fs(url)
    system.rm(f"{root}/toy/1", recursive=True)
    assert publish_remote(toy_bundle, url).version == 2


def test_copied_repository_is_pinned_before_a_version_is_sent(url: str, toy_bundle: Path, tmp_path: Path) -> None:
    publish(toy_bundle, tmp_path / "models")
    system, root = fsspec.core.url_to_fs(url)
    system.put(f"{tmp_path}/models/", f"{root}/", recursive=True)
    seen: list[list[int]] = []
    Watch.look = staticmethod(lambda: seen.append(live_in(url)))
    publish_remote(toy_bundle, url)
    assert seen[:2] == [[], [1]]
    assert live_in(url) == [2]


def test_several_newest_versions_can_be_live(url: str, toy_bundle: Path) -> None:
    for _ in range(3):
        publish_remote(toy_bundle, url, options=ServingOptions(latest_versions=2))
    assert live_in(url) == [2, 3]


def test_live_versions_with_other_tensors_are_refused(url: str, toy_bundle: Path, other_bundle: Path) -> None:
    publish_remote(other_bundle, url, name="toy")
    before = contents(url)
    with pytest.raises(
        RepositoryError, match=r"^version 1 of toy takes other features or gives other answers than version 2"
    ):
        publish_remote(toy_bundle, url, options=ServingOptions(latest_versions=2))
    assert contents(url) == before


@pytest.mark.parametrize("live", [(1,), (2, 7)])
def test_live_versions_must_exist_and_hold_the_new_one(url: str, toy_bundle: Path, live: tuple[int, ...]) -> None:
    publish_remote(toy_bundle, url)
    with pytest.raises(ConfigError, match=r"^specific_versions must name version 2, which is published, and versions "):
        publish_remote(toy_bundle, url, options=ServingOptions(specific_versions=live))
    assert versions_in(url) == {"1"}


def test_damaged_bundle_sends_nothing(url: str, toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes()[:5_000])
    with pytest.raises(RepositoryError, match=r"/model\.onnx is damaged: not an ONNX file"):
        publish_remote(bundle, url)
    assert contents(url) == {}


def test_half_an_upload_is_told(url: str, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_half(self: Any, lpath: str, rpath: str) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes()[:100])

    publish_remote(toy_bundle, url)
    monkeypatch.setattr(MemoryFileSystem, "put_file", put_half)
    with pytest.raises(
        RepositoryError, match=r"/toy/2/MODEL_CARD\.md has 100 bytes after its upload, \d+ were sent; ret"
    ):
        publish_remote(toy_bundle, url)
    assert live_in(url) == [1]
    assert versions_in(url) == {"1"}


def test_version_is_live_where_older_ones_are_not_removed(
    url: str, toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop(*_: object) -> NoReturn:
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(RemoteModel, "drop", drop)
    message = r"^toy version 1 is live, but older ones were not removed: reset by peer$"
    with pytest.raises(OutputError, match=message):
        publish_remote(toy_bundle, url, keep=1)
    assert live_in(url) == [1]


def test_password_of_a_repository_is_not_shown(toy_bundle: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.export.remote.open_store", lambda *_: fsspec.core.url_to_fs(url))
    published = publish_remote(toy_bundle, "ftp://me:secret@host/models")
    assert published.url == "ftp://me:***@host/models/toy/1"


def test_every_model_is_taken_back_though_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    class Model(RemoteModel):
        def take_back(self, version: int, config: str | None) -> None:
            if config == "broken":
                raise ConnectionError("reset by peer")
            done.append((self.path, version))

    models = [Model(None, "toy"), Model(None, "toy_rank")]
    assert not _take_back(models, ["broken", None], 3)
    assert done == [("toy_rank", 3)]
    assert caplog.messages == ["toy: version 3 could not be taken back: reset by peer"]


def test_unknown_kind_of_store_is_refused(toy_bundle: Path) -> None:
    with pytest.raises(ConfigError, match=r"^nowhere://bucket/models is no URL that fsspec knows: "):
        publish_remote(toy_bundle, "nowhere://bucket/models")


def test_store_whose_package_is_absent_is_told(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"^publishing to s3://bucket/models needs another package: Install"):
        publish_remote(toy_bundle, "s3://bucket/models")


def test_missing_fsspec_names_the_extra(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"needs fsspec; pip install 'polyrank\[remote\]'$"):
        publish_remote(toy_bundle, "memory://models")


def test_verb_takes_a_url(url: str, toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(toy_bundle), url, "--keep", "2"]) == 0
    assert capsys.readouterr().out == f"toy version 1 in {url}/toy/1\n"
    assert live_in(url) == [1]


def test_file_url_is_a_local_repository(toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(toy_bundle), f"file://{tmp_path}/models"]) == 0
    assert capsys.readouterr().out == f"toy version 1 in {tmp_path}/models/toy/1\n"


@pytest.mark.triton
def test_server_proves_what_was_sent_or_the_old_one_is_back(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder of this machine, written as a store is: object by object, without making folders.
    monkeypatch.setitem(fsspec.config.conf, "local", {"auto_mkdir": True})
    store = f"local://{tmp_path}/models"
    for _ in range(2):
        publish_remote(toy_bundle, store)
    with serve(tmp_path / "models") as server, ModelControl(server.url) as control:
        assert publish_remote(toy_bundle, store, server=control).differences is not None
        with pytest.raises(RepositoryError, match=r"version 4 was taken back, and .* serves what it did before$"):
            publish_remote(toy_bundle, store, server=control, options=ServingOptions(tolerance=1e-30))
        with Ranker(server.url) as ranker:
            assert ranker.version == "3"
    assert sorted(path.name for path in (tmp_path / "models" / "toy").iterdir() if path.is_dir()) == ["1", "2", "3"]
