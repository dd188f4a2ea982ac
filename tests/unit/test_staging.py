import errno
import fcntl
import os
from pathlib import Path

import pytest

from polyrank.errors import OutputError
from polyrank.staging import flush_tree, partial_directory, refuse_existing, staged_directory, staged_file

DEAD = "18a0000000000000.abcdefgh.partial"


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_directory_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with staged_directory(target) as stage:
        (stage / "a").write_text("whole")
        assert not target.exists()
    assert (target / "a").read_text() == "whole"
    assert hidden(tmp_path) == []


def test_missing_parents_are_made(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "a" / "b" / "run"):
        pass
    assert (tmp_path / "a" / "b" / "run").is_dir()


def test_empty_directory_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with staged_directory(tmp_path / "run") as stage:
        (stage / "a").touch()
    assert (tmp_path / "run" / "a").exists()


def test_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), staged_directory(tmp_path / "run") as stage:  # noqa: PT012 (the block is the subject)
        (stage / "a").touch()
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_existing_content_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    with pytest.raises(OutputError, match=r"run already exists; choose another"), staged_directory(tmp_path / "run"):
        pytest.fail("the block must not run")
    assert (tmp_path / "run" / "mine").exists()


def test_existing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(OutputError, match="run already exists"):
        refuse_existing(tmp_path / "run")


def test_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="run already exists"):
        refuse_existing(tmp_path / "run")


def test_name_beyond_the_file_system_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^cannot write .*rrr: file name too long; choose another output directory"):
        refuse_existing(tmp_path / ("r" * 300))


def test_target_filled_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with pytest.raises(OutputError, match="run already exists"), staged_directory(target):  # noqa: PT012 (the subject)
        target.mkdir()
        (target / "theirs").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (target / "theirs").exists()


def test_path_below_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"^cannot write .*file/run: not a directory; choose another output"),
        staged_directory(tmp_path / "file" / "run"),
    ):
        pytest.fail("the block must not run")


def test_place_that_takes_no_directories_is_named() -> None:
    with (
        pytest.raises(OutputError, match=r"^cannot write /proc/run: no such file or directory; choose"),
        staged_directory(Path("/proc/run")),
    ):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_one_line_with_their_limit(tmp_path: Path, code: int) -> None:
    message = rf"^cannot write {tmp_path}/scores: {os.strerror(code).lower()}; raise their limit with ulimit -n$"
    with pytest.raises(OutputError, match=message), staged_file(tmp_path / "scores"):
        raise OSError(code, os.strerror(code), "a library that is imported late")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG])
def test_error_of_the_disk_names_the_target(tmp_path: Path, code: int) -> None:
    expected = f"^cannot write {tmp_path / 'run'}: {os.strerror(code).lower()}; choose"
    with pytest.raises(OutputError, match=expected), staged_directory(tmp_path / "run") as stage:
        raise OSError(code, os.strerror(code), str(stage / "weights"))


def test_other_system_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), staged_directory(tmp_path / "run") as stage:
        (stage / "absent").read_text()


def test_output_error_in_the_block_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^mine$"), staged_directory(tmp_path / "run"):
        raise OutputError("mine")


def test_failed_rename_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"^cannot write .*run: no such file or directory"),
        staged_directory(tmp_path / "run") as stage,
    ):
        stage.rename(tmp_path / "elsewhere")


def test_leftover_of_a_dead_writer_is_swept(tmp_path: Path) -> None:
    (tmp_path / f".run.{DEAD}").mkdir()
    (tmp_path / f".run.{DEAD}" / "weights").touch()
    with partial_directory(tmp_path / "run") as stage:
        assert hidden(tmp_path) == [stage.name]


def test_leftover_is_swept_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / f".run[1]*.{DEAD}").mkdir()
    with partial_directory(tmp_path / "run[1]*") as stage:
        assert hidden(tmp_path) == [stage.name]


def test_leftover_of_another_target_is_kept(tmp_path: Path) -> None:
    (tmp_path / f".other.{DEAD}").mkdir()
    with partial_directory(tmp_path / "ru*"), partial_directory(tmp_path / "*"):
        assert f".other.{DEAD}" in hidden(tmp_path)


def test_work_of_a_living_writer_is_kept(tmp_path: Path) -> None:
    with partial_directory(tmp_path / "run") as first, partial_directory(tmp_path / "run") as second:
        assert first.is_dir()
        assert second.is_dir()
        assert first != second


def test_file_with_the_name_of_a_leftover_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".run.parquet.partial").touch()
    with staged_directory(tmp_path / "run"):
        pass
    assert hidden(tmp_path) == [".run.parquet.partial"]


def test_stage_is_locked_while_the_block_runs(tmp_path: Path) -> None:
    with partial_directory(tmp_path / "run") as stage:
        descriptor = os.open(stage, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


def test_stage_swept_before_its_lock_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock
    swept: list[Path] = []

    def sweep_once(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not swept:
            swept.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            swept[0].rmdir()

    monkeypatch.setattr(fcntl, "flock", sweep_once)
    with staged_directory(tmp_path / "run") as stage:
        assert stage != swept[0]
        assert stage.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o027, 0o750), (0o002, 0o775)])
def test_directory_is_for_whom_the_umask_lets_in(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with staged_directory(tmp_path / "run"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == mode


def test_every_file_and_folder_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    flushed: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    flush_tree(tmp_path)
    assert {tmp_path / name for name in ("", "a", "a/b", "a/b/file")} == set(flushed)


def test_file_takes_the_place_of_the_old_one_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with staged_file(target) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert hidden(tmp_path) == []


def write_and_fail(target: Path) -> None:
    with staged_file(target) as partial:
        partial.write_text("new")
        raise KeyError


def test_file_stays_the_old_one_when_the_block_raises(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(KeyError):
        write_and_fail(target)
    assert target.read_text() == "old"
    assert hidden(tmp_path) == []


def test_file_that_the_block_did_not_write_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"^cannot write .*/out: no such file or directory"),
        staged_file(tmp_path / "out"),
    ):
        pass


def test_loop_of_links_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.symlink_to(target)
    with staged_file(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"


def test_second_writer_that_wants_to_be_alone_is_refused(tmp_path: Path) -> None:
    message = rf"^another process is writing {tmp_path / 'run'}; wait for it, or choose another output directory$"
    with staged_directory(tmp_path / "run", alone=True):
        with pytest.raises(OutputError, match=message), staged_directory(tmp_path / "run", alone=True):
            pass
        assert len(list(tmp_path.iterdir())) == 1
    with staged_directory(tmp_path / "other", alone=True):
        pass


def test_writer_of_a_longer_name_is_no_other_writer(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "run.1", alone=True), staged_directory(tmp_path / "run", alone=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.1"]


def test_leftovers_of_the_dead_refuse_nobody(tmp_path: Path) -> None:
    (tmp_path / f".run.{DEAD}").mkdir()
    with staged_directory(tmp_path / "run", alone=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
