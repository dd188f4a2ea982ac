"""The private folder of a server: its own, whoever clears up at the same time."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from polyrank.serving import launch
from polyrank.serving.launch import make_folder
from polyrank.serving.locations import server_folder
from polyrank.serving.runtime import Runtime


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """An environment without any file."""
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    return Runtime(path=tmp_path / "runtime", libpython=tmp_path, versions={})


def test_folder_that_is_cleared_away_before_its_lock_holds_is_made_anew(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_now = fcntl.flock
    cleared: list[Path] = []

    def lock_later(file: int, kind: int) -> None:
        if not cleared:
            cleared.append(Path(f"/proc/self/fd/{file}").readlink().parent)
            shutil.rmtree(cleared[0])
        lock_now(file, kind)

    monkeypatch.setattr("polyrank.serving.launch.fcntl.flock", lock_later)
    monkeypatch.setattr(launch, "_copy_backends", lambda _runtime, backends: backends.mkdir())
    folder, lock = make_folder(runtime)
    os.close(lock)
    assert folder != cleared[0]
    assert sorted(each.name for each in folder.iterdir()) == ["backends", "lock"]


def test_folder_that_cannot_be_filled_is_removed(runtime: Runtime) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        make_folder(runtime)
    assert list((server_folder() / "servers").iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
