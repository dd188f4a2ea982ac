import ctypes
import errno
from pathlib import Path

import pytest

from polyrank.errors import RepositoryError
from polyrank.export.exchange import exchange


class FailingLibc:
    """A C library whose `renameat2` fails with an error number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def renameat2(self, *_arguments: object) -> int:
        ctypes.set_errno(self.number)
        return -1


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_text("new")
    return tmp_path / "new"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "repository" / "model").mkdir(parents=True)
    (tmp_path / "repository" / "model" / "file").write_text("old")
    return tmp_path / "repository" / "model"


def test_directories_trade_places(new: Path, place: Path) -> None:
    exchange(new, place)
    assert (place / "file").read_text() == "new"
    assert (new / "file").read_text() == "old"


def test_free_place_is_taken(new: Path, tmp_path: Path) -> None:
    exchange(new, tmp_path / "free")
    assert (tmp_path / "free" / "file").read_text() == "new"
    assert not new.exists()


def test_failed_move_keeps_both_directories(tmp_path: Path, place: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        exchange(tmp_path / "absent", place)
    assert caught.value.filename == str(place)
    assert (place / "file").read_text() == "old"


def test_place_on_another_mount_is_refused_with_a_way_out(
    new: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_kwargs: FailingLibc(errno.EXDEV))
    with pytest.raises(
        RepositoryError, match=r"/repository is a mount point, .* publish to a folder inside it, such as "
    ):
        exchange(new, place)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_file_system_without_exchange_is_refused(
    new: Path, place: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_kwargs: FailingLibc(number))
    with pytest.raises(
        RepositoryError, match=r"^the file system of .*/model cannot exchange directories \([a-z ]+\); "
    ):
        exchange(new, place)


def test_first_version_says_that_a_second_cannot_come(
    new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exchange(new, tmp_path / "model")
    assert not caplog.text
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_kwargs: FailingLibc(errno.EINVAL))
    exchange(tmp_path / "model", tmp_path / "again")
    assert "a further version, or a rollback, will be refused; publish to a local disk" in caplog.text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp")] == []


def test_library_without_renameat2_is_refused(new: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_kwargs: object())
    with pytest.raises(RepositoryError, match=r"^publishing a further version needs Linux with glibc 2\.28 or newer"):
        exchange(new, place)
