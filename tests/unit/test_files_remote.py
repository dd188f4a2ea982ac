"""Rows at a URL are those of the same files on this machine, and never come as a whole where a format has parts."""

import argparse
import errno
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from polyrank.commands.output import rows_place
from polyrank.errors import ConfigError, DataError, MissingExtraError, OutputError
from polyrank.files import SUFFIXES, RemotePath, Wanted, list_files, location, read_table, remote, scan
from polyrank.files.remote_file import TAIL_BYTES

ROWS = pa.table({"user": list(range(40_000)), "noise": np.random.default_rng(0).bytes(40_000 * 8).hex(" ", 8).split()})


@pytest.fixture
def url() -> Iterator[str]:
    yield f"memory://{secrets.token_hex(6)}/logs"
    MemoryFileSystem.store.clear()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0))


def write(url: str, rows: pa.Table = ROWS, **options: Any) -> str:
    with fsspec.open(url, "wb") as file:
        if url.endswith(".parquet"):
            pq.write_table(rows, file, **options)
        elif url.endswith(".csv"):
            pyarrow.csv.write_csv(rows, file)
        elif url.endswith(".jsonl"):
            file.write("".join(f'{{"user": {row["user"]}}}\n' for row in rows.to_pylist()).encode())
        else:
            pyarrow.feather.write_feather(rows, file)
    return url


def found(url: str) -> list[tuple[str, dict[str, str | None]]]:
    return [(str(part.file).rpartition("logs/")[2], part.partition) for part in list_files(location(url), SUFFIXES)]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_rows_of_a_url_are_those_that_were_written(url: str, suffix: str) -> None:
    place = location(write(f"{url}/a.{suffix}", ROWS.slice(0, 500)))
    assert read_table(place, Wanted(columns=["user"])).equals(ROWS.slice(0, 500).select(["user"]))


def test_directory_holds_the_files_below_it(url: str) -> None:
    for name in ("b.csv", "day=1/a.parquet", "_SUCCESS.csv", "day=2/.hidden/c.csv", "notes.txt"):
        write(f"{url}/{name}")
    assert found(url) == [("b.csv", {}), ("day=1/a.parquet", {"day": "1"})]


@pytest.mark.parametrize("pattern", ["day=*/*.csv", "day=*", "**/*.csv"])
def test_pattern_matches_files_and_names_partitions(url: str, pattern: str) -> None:
    for name in ("day=1/a.csv", "day=2/b.csv"):
        write(f"{url}/{name}", ROWS.slice(0, 2))
    assert found(f"{url}/{pattern}") == [("day=1/a.csv", {"day": "1"}), ("day=2/b.csv", {"day": "2"})]


def test_pieces_of_parquet_come_by_row_group(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.parquet", row_group_size=10_000))
    asked: list[int] = []
    whole = MemoryFileSystem.cat_file

    def watched(self: MemoryFileSystem, path: str, start: int, end: int, **options: Any) -> bytes:
        asked.append(end - start)
        return bytes(whole(self, path, start=start, end=end, **options))

    monkeypatch.setattr(MemoryFileSystem, "cat_file", watched)
    pieces = scan(place, Wanted())
    next(pieces)
    total = MemoryFileSystem().size(RemotePath.of(str(place)).path)
    assert sum(asked) < TAIL_BYTES + 0.3 * total
    assert sum(len(piece.table) for piece in pieces) == 30_000
    assert max(asked) < 0.3 * total


def test_columns_that_are_not_wanted_are_not_fetched(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.parquet", row_group_size=10_000))
    asked: list[int] = []
    whole = MemoryFileSystem.cat_file

    def watched(self: MemoryFileSystem, path: str, start: int, end: int, **options: Any) -> bytes:
        asked.append(end - start)
        return bytes(whole(self, path, start=start, end=end, **options))

    monkeypatch.setattr(MemoryFileSystem, "cat_file", watched)
    assert sum(len(piece.table) for piece in scan(place, Wanted(columns=["user"]))) == len(ROWS)
    chunks = pq.read_metadata(fsspec.open(str(place)).open())
    users = sum(chunks.row_group(group).column(0).total_compressed_size for group in range(4))
    assert sum(asked) == TAIL_BYTES + users


def failing(monkeypatch: pytest.MonkeyPatch, method: str, *failures: Exception) -> None:
    """Let a method of the store fail so often before it does what it is to."""
    work, left = getattr(MemoryFileSystem, method), list(failures)

    def instead(*given: Any, **options: Any) -> Any:
        if left:
            raise left.pop(0)
        return work(*given, **options)

    monkeypatch.setattr(MemoryFileSystem, method, instead)


def test_read_that_fails_for_a_moment_is_tried_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.parquet"))
    failing(monkeypatch, "cat_file", ConnectionError("reset"), TimeoutError())
    assert read_table(place, Wanted()).equals(ROWS)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_connection_that_stays_cut_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place = location(write(f"{url}/{name}"))
    failing(monkeypatch, "cat_file" if name == "a.parquet" else "get_file", *[ConnectionError("reset by peer")] * 3)
    with pytest.raises(DataError) as caught:
        read_table(place, Wanted())
    assert str(caught.value) == f"{place} cannot be read: reset by peer; check the address and the network"


def test_file_that_ends_early_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.csv"))
    size = MemoryFileSystem().size(RemotePath.of(str(place)).path)
    monkeypatch.setattr(MemoryFileSystem, "get_file", lambda _self, _path, copy: Path(copy).write_bytes(b"half"))
    with pytest.raises(DataError, match=rf"cannot be read: it ended after 4 of {size:,} bytes; check the address"):
        read_table(place, Wanted())


def test_store_that_gives_fewer_bytes_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.parquet"))
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: b"few")
    with pytest.raises(DataError, match=r"cannot be read: it gave fewer bytes than it has, or more; check the address"):
        read_table(place, Wanted())


def test_refused_credentials_are_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.parquet"))
    failing(monkeypatch, "info", *[PermissionError("access denied")] * 3)
    with pytest.raises(DataError, match=r"a\.parquet may not be read: access denied; check the credentials$"):
        list_files(place, SUFFIXES)


def test_file_that_vanishes_is_named(url: str) -> None:
    place = location(write(f"{url}/a.parquet"))
    pieces = scan(place, Wanted())
    part = list_files(place, SUFFIXES)[0].file
    MemoryFileSystem.store.clear()
    with pytest.raises(DataError, match=r"a\.parquet does not exist; "):
        next(pieces)
    assert isinstance(part, RemotePath)
    with pytest.raises(DataError, match=r"a\.parquet does not exist; check its name, and that of the bucket or host$"):
        part.state()


def test_no_room_for_a_copy_names_the_folder(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = location(write(f"{url}/a.csv"))

    def full(_self: MemoryFileSystem, _path: str, copy: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", copy)

    monkeypatch.setattr(MemoryFileSystem, "get_file", full)
    with pytest.raises(OutputError, match=r"^cannot write .*: no space left on device; set TMPDIR to a folder with "):
        read_table(place, Wanted())


def test_url_of_nothing_is_refused(url: str) -> None:
    write(f"{url}/a.csv")
    with pytest.raises(DataError, match=r"/logs/b\.csv does not exist; give the URL of a file, of a directory"):
        list_files(location(f"{url}/b.csv"), SUFFIXES)
    with pytest.raises(DataError, match=r"/logs/\*\.parquet matches no file that ends in \.parquet, \.csv"):
        list_files(location(f"{url}/*.parquet"), SUFFIXES)


def test_url_of_another_kind_is_refused(url: str) -> None:
    with fsspec.open(f"{url}/notes.txt", "wb") as file:
        file.write(b"no rows")
    with pytest.raises(DataError, match=r"/logs/notes\.txt must end in \.parquet, \.csv"):
        list_files(location(f"{url}/notes.txt"), SUFFIXES)
    with pytest.raises(DataError, match=r"/logs holds no file that ends in \.parquet, \.csv"):
        list_files(location(url), SUFFIXES)


def test_damaged_file_is_named_by_its_url(url: str) -> None:
    with fsspec.open(f"{url}/a.parquet", "wb") as file:
        file.write(b"no Parquet at all, and longer than a footer")
    with pytest.raises(DataError, match=rf"^{url}/a\.parquet cannot be read as Parquet: "):
        read_table(location(f"{url}/a.parquet"), Wanted())


def test_state_changes_with_the_content(url: str) -> None:
    first = RemotePath.of(write(f"{url}/a.csv", ROWS.slice(0, 3))).state()
    assert RemotePath.of(f"{url}/a.csv").state() == first
    assert RemotePath.of(write(f"{url}/a.csv", ROWS.slice(3, 3))).state() != first


def test_store_without_times_and_tags_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_: {"size": 3, "type": "file"})
    RemotePath.of(f"{url}/a.csv").state()
    assert "its store tells no time and no tag, so a change that keeps its size is not noticed" in caplog.text


def test_stamp_changes_with_the_content(url: str) -> None:
    first = RemotePath.of(write(f"{url}/a.csv", ROWS.slice(0, 3))).stamp()
    again = RemotePath.of(write(f"{url}/a.csv", ROWS.slice(3, 3))).stamp()
    assert (first[0], first != again) == (MemoryFileSystem().size(RemotePath.of(f"{url}/a.csv").path), True)


class Web(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """A web server without parts of files, which fsspec tells as it does of `python -m http.server`."""

    protocol = ("http", "https")

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "cache_type" in options:  # as what asks for parts opens a file
            raise ValueError("The HTTP server doesn't appear to support range requests.")
        return super().open(path, mode, **options)

    def cat_file(self, *_: Any, **__: Any) -> bytes:
        raise AssertionError("no parts are asked for")


def test_parquet_of_a_server_without_parts_is_copied(url: str) -> None:
    place = RemotePath.of(write(f"{url}/a.parquet"))
    assert read_table(RemotePath(place.url, Web(), place.path), Wanted()).equals(ROWS)


def failed(cause: Exception) -> RemotePath:
    """Return a file of a web server that fails, which fsspec tells as that there is none."""

    class Failing(MemoryFileSystem):  # type: ignore[misc]  # fsspec ships no types
        def info(self, path: str, **_: Any) -> dict[str, Any]:
            raise FileNotFoundError(path) from cause

    return RemotePath("https://host/a.csv", Failing(), "https://host/a.csv")


class Status(Exception):  # noqa: N818 (as aiohttp has it)
    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@pytest.mark.parametrize(
    ("cause", "reason"), [(ConnectionRefusedError("refused"), "refused"), (Status(403), "status 403")]
)
def test_web_server_that_refuses_is_not_an_absent_file(cause: Exception, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^https://host/a\.csv cannot be read: {reason}; check the address"):
        list_files(failed(cause), SUFFIXES)


@pytest.mark.parametrize("cause", [FileNotFoundError("a.csv"), Status(404)])
def test_web_server_without_the_file_says_so(cause: Exception) -> None:
    with pytest.raises(DataError, match=r"^https://host/a\.csv does not exist; give the URL of a file"):
        list_files(failed(cause), SUFFIXES)


def test_query_of_a_web_address_is_no_pattern() -> None:
    place = RemotePath("https://host/a.csv?part=1", Web(), "https://host/a.csv?part=1")
    assert place.name == "a.csv"
    with pytest.raises(DataError, match=r"^https://host/a\.csv\?part=1 does not exist; "):
        list_files(place, SUFFIXES)


def test_columns_of_a_large_row_group_come_as_they_are_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrank.files.parquet.MAX_GROUP_BYTES", 1000)
    assert read_table(location(write(f"{url}/a.parquet")), Wanted()).equals(ROWS)


def test_password_is_never_shown() -> None:
    place = RemotePath("ftp://me:secret@host/logs", None, "/logs")
    assert str(place) == "ftp://me:***@host/logs"
    assert "secret" not in repr(place)


@pytest.mark.parametrize("name", ["X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Credential", "sig", "token"])
def test_what_opens_a_signed_address_is_never_shown(name: str) -> None:
    url = f"https://host/a.csv?part=1&{name}=secret%2F1&b=2"
    assert str(RemotePath(url, None, url)) == f"https://host/a.csv?part=1&{name}=***&b=2"


def test_secrets_are_not_kept_with_encoded_rows(url: str) -> None:
    path = RemotePath.of(write(f"{url}/a.parquet")).path
    assert "secret" not in repr(RemotePath("https://me:secret@host/a.parquet?sig=secret", Web(), path).state())


def test_secrets_are_left_out_of_what_a_store_says() -> None:
    place = failed(ConnectionRefusedError("no https://host/a.csv?sig=secret"))
    with pytest.raises(DataError, match=r"no https://host/a\.csv\?sig=\*\*\*"):
        list_files(place, SUFFIXES)


def test_file_url_is_a_path_of_this_machine() -> None:
    assert location("file:///logs/a%20b.csv") == Path("/logs/a b.csv")


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere://logs is no URL that fsspec knows: "):
        location("nowhere://logs")


def test_store_that_cannot_be_connected_to_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_url: str) -> NoReturn:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    message = r"^ftp://me:\*\*\*@host/logs cannot be reached: .*refused; check the address and the network$"
    with pytest.raises(DataError, match=message):
        location("ftp://me:secret@host/logs")


def test_option_shows_no_secret_of_a_url_that_it_refuses() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"^nowhere://me:\*\*\*@logs is no URL that fsspec knows: "):
        rows_place("nowhere://me:secret@logs")


def test_missing_fsspec_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"^reading s3://logs needs fsspec; pip install 'polyrank\[remote\]'$"):
        location("s3://logs")


def test_missing_package_of_a_store_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"^reading s3://logs needs another package: "):
        location("s3://logs")
