"""Every format of file gives the same rows, and says in one line what is wrong with it."""

import errno
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError, OutputError
from polyrank.files import Wanted, scan
from polyrank.files.encoding import as_utf8
from polyrank.train import read_rows as whole_rows

TABLE = pa.table({"user": [1, 2, None], "city": ["Köln", None, "NA"]})
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in TABLE.to_pylist()).encode()


def stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)


def batches(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=2)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.parquet": lambda path: pq.write_table(TABLE, path),
    "a.csv": lambda path: pa.csv.write_csv(TABLE, path),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress("user,city\n1,Köln\n2,\n,NA\n".encode())),
    "a.jsonl": lambda path: path.write_bytes(LINES),
    "a.ndjson": lambda path: path.write_bytes(b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\r\n")),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(LINES)),
    "a.ndjson.gz": lambda path: path.write_bytes(gzip.compress(LINES[:-1])),
    "a.arrow": batches,
    "b.arrow": stream,
    "a.ipc": stream,
    "a.feather": lambda path: pa.feather.write_feather(TABLE, str(path), compression="lz4"),
    "b.feather": lambda path: pa.feather.write_feather(TABLE, str(path), compression="uncompressed"),
}


def scanned_rows(path: Path, **wanted: Any) -> pa.Table:
    """Read pieces, as training does, and join them."""
    pieces = list(scan(path, Wanted(**wanted)))
    return pa.concat_tables([piece.table for piece in pieces], promote_options="permissive")


@pytest.fixture(params=["whole", "pieces", "pieces of large text"])
def read_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pa.Table]:
    if request.param == "pieces of large text":
        monkeypatch.setattr("polyrank.files.forms.WHOLE_TEXT_BYTES", -1)
    return whole_rows if request.param == "whole" else scanned_rows


@pytest.mark.parametrize("name", WRITERS)
def test_formats_give_the_same_rows(read_rows: Callable[..., pa.Table], tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    rows = read_rows(tmp_path / name, columns=["city", "user"], text=["city"])
    assert rows.to_pydict() == {"city": ["Köln", None, "NA"], "user": [1, 2, None]}
    assert read_rows(tmp_path / name).column_names == ["user", "city"]


def test_files_of_all_formats_are_one_table(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name)
    assert read_rows(tmp_path, text=["city"]).to_pydict() == {
        "user": [1, 2, None] * len(WRITERS),
        "city": ["Köln", None, "NA"] * len(WRITERS),
    }


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
def test_declared_encoding_is_read(read_rows: Callable[..., pa.Table], tmp_path: Path, name: str) -> None:
    text = "user,city\n1,Köln\n" if "csv" in name else '{"user": 1, "city": "Köln"}\n'
    raw = text.encode("latin-1")
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert read_rows(tmp_path / name, encoding="latin-1").to_pydict() == {"user": [1], "city": ["Köln"]}
    with pytest.raises(DataError, match=rf"{name} .*line \d is not UTF-8 text; declare its encoding, as in --encoding"):
        read_rows(tmp_path / name)


def test_errors_of_text_in_another_encoding_name_the_file(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('user,city\n1,"Köln\n'.encode("latin-1"))
    with pytest.raises(DataError, match=rf"^{tmp_path}/a.csv: the quote that opens in line 2 is never closed"):
        read_rows(tmp_path / "a.csv", encoding="latin-1")
    with pytest.raises(DataError, match=rf"^{tmp_path}/a.csv: line 2 is not ascii text; declare another encoding$"):
        read_rows(tmp_path / "a.csv", encoding="ascii")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_damaged_file_of_a_declared_encoding_is_named(
    read_rows: Callable[..., pa.Table], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(gzip.compress(LINES)[:30])
    with pytest.raises(DataError, match=rf"^{tmp_path}/{name} cannot be read: [^\n]+$"):
        read_rows(tmp_path / name, encoding="latin-1")


def test_text_without_the_mark_of_its_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("user\n1\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=rf"^{tmp_path}/a.csv: line 1 is not utf-16 text; declare another encoding$"):
        scanned_rows(tmp_path / "a.csv", encoding="utf-16")


def test_no_room_for_a_copy_in_utf8_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(b"user\n1\n")

    def opened(path: Path, mode: str) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", str(path), mode)

    monkeypatch.setattr("polyrank.files.encoding.Path.open", opened)
    message = r"^cannot write .*polyrank-.*: no space left on device; set TMPDIR to a folder with room$"
    with pytest.raises(OutputError, match=message), as_utf8(tmp_path / "a.csv", "latin-1", tmp_path / "a.csv"):
        pass


def test_byte_order_mark_is_no_part_of_a_name(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfuser,age\n1,2\n")
    assert read_rows(tmp_path / "a.csv", columns=["user"]).to_pydict() == {"user": [1]}


def test_empty_values_of_csv_are_null(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('user,city\n1,\n2,""\n,NA\n')
    rows = read_rows(tmp_path / "a.csv", text=["city"])
    assert rows.to_pydict() == {"user": [1, 2, None], "city": [None, None, "NA"]}


def test_commas_at_line_ends_make_no_column(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,age,\n1,2,\n3,4,\n")
    assert read_rows(tmp_path / "a.csv").to_pydict() == {"user": [1, 3], "age": [2, 4]}


def test_keys_may_be_missing_and_appear_late(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    lines = ['{"user": 1, "noise": "' + "x" * 90 + '"}\n'] * 100_000 + ['{"user": 2, "late": [1, null]}\n']
    (tmp_path / "a.jsonl").write_text("".join(lines))
    rows = read_rows(tmp_path / "a.jsonl", columns=["late", "user"])
    assert rows.num_rows == 100_001
    assert rows["late"].null_count == 100_000
    assert rows.slice(100_000).to_pylist() == [{"late": [1, None], "user": 2}]


def test_a_key_may_be_absent_from_one_of_the_files(read_rows: Callable[..., pa.Table], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"user": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"user": 2, "age": 3}\n')
    (tmp_path / "c.jsonl").touch()
    assert read_rows(tmp_path, columns=["user", "age"]).to_pydict() == {"user": [1, 2], "age": [None, 3]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("46 null 46.0", [46, None, 46]),
        ('46 "46" 46.0 true', ["46", "46", "46", "true"]),
        ("9007199254740993 1.0", ["9007199254740993", "1"]),
        ("18446744073709551616", ["18446744073709551616"]),
        ('[1] ["1",null] null []', [["1"], ["1", None], None, []]),
        ("NaN 1", [None, 1]),
        ("1152921504606846977 null 0.5", [2.0**60, None, 0.5]),
        ('"2026-07-01" "x"', ["2026-07-01", "x"]),
    ],
)
@pytest.mark.parametrize("distance", [0, 5_000_000])
def test_mixed_values_of_json_keep_what_they_say(
    read_rows: Callable[..., pa.Table], tmp_path: Path, values: str, expected: list[object], distance: int
) -> None:
    lines = [f'{{"v": {value}}}{" " * distance}\n' for value in values.split(" ")]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    assert read_rows(tmp_path / "a.jsonl").to_pydict() == {"v": expected}


REFUSALS: dict[str, tuple[str, bytes, str]] = {
    "broken JSON": ("a.jsonl", b'{"user": 1}\n\n{"user": 2\n', "line 3 is no JSON: expecting ',' delimiter at char"),
    "JSON over lines": ("a.jsonl", b'{"user":\n1}\n', "line 1 is no JSON: expecting value at character 9"),
    "two in a line": ("a.jsonl", b'{"user": 1} {"user": 2}\n', "line 1 is no JSON: extra data at character 13"),
    "no object": ("a.ndjson", b'{"user": 1}\n[1]\n', "line 2 holds list; one object a line expected"),
    "UTF-16": (
        "a.jsonl",
        '{"user": 1}\n'.encode("utf-16"),
        "a.jsonl is UTF-16 text; declare it, as in --encoding utf-16",
    ),
    "deep JSON": ("a.jsonl", b'{"user": ' + b"[" * 200_000, "line 1 is no JSON that can be read: "),
    "no gzip": (
        "a.jsonl.gz",
        b'{"user": 1}\n',
        "a.jsonl.gz is not compressed with gzip, by its first bytes; take .gz off its name",
    ),
    "cut gzip": ("a.jsonl.gz", gzip.compress(LINES)[:30], "a.jsonl.gz cannot be read as JSON Lines: "),
    "empty JSON": ("a.jsonl", b"", "a.jsonl holds no row"),
    "key that is nowhere": ("a.jsonl", b'{"users": 1}\n', "column 'user' is missing; did you mean 'users'?"),
    "scalar beside lists": (
        "a.jsonl",
        b'{"user": [1]}\n{"user": "a"}\n',
        "column 'user' holds 'a' at row 2, beside lists",
    ),
    "fraction in text": (
        "a.jsonl",
        b'{"user": "a"}\n{"user": 1.5}\n',
        "column 'user' holds 1.5 at row 2; whole numbers",
    ),
    "lone surrogate": ("a.jsonl", b'{"user": "\\ud800"}\n', "column 'user' holds '\\ud800' at row 1; text must have"),
    "no Arrow": ("a.arrow", b"user\n1\n", "a.arrow cannot be read as Arrow: "),
    "empty Arrow": ("a.feather", b"", "a.feather cannot be read as Arrow: "),
    "nameless column": ("a.csv", b"user,\n1,\n2,x\n", "the last column has no name, and holds 'x' at row 2; name it"),
    "commas but in the header": ("a.csv", b"user,age\n1,2,\n", "row 1 has 3 values where the header has 2: '1,2,'"),
}


@pytest.mark.parametrize(("name", "content", "message"), REFUSALS.values(), ids=REFUSALS)
def test_dirt_is_refused_in_one_line(
    read_rows: Callable[..., pa.Table], tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read_rows(tmp_path / name, columns=["user"])
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["a.arrow", "a.ipc", "a.feather"])
def test_damaged_arrow_files_are_refused_or_read(read_rows: Callable[..., pa.Table], tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    whole, refused = (tmp_path / name).read_bytes(), 0
    for size in range(0, len(whole), 16):
        (tmp_path / name).write_bytes(whole[:size])
        try:
            read_rows(tmp_path / name)
        except DataError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("last", ["12x", "99999999999999999999"])
def test_late_text_among_integers_of_large_csv_is_left_to_who_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr("polyrank.files.forms.WHOLE_TEXT_BYTES", -1)
    (tmp_path / "a.csv").write_text("user,click\n" + "46.0,1\n" * 300_000 + f"{last},1\n")
    pieces = list(scan(tmp_path / "a.csv", Wanted(columns=["user"], integers=["user"])))
    assert len(pieces) > 1
    assert {piece.table.schema.field("user").type for piece in pieces} == {pa.string()}
    assert pieces[0].table["user"][0].as_py() == "46.0"
    assert pieces[-1].table["user"][-1].as_py() == last


@pytest.mark.parametrize(("mark", "words"), {"\t": "tabs", ";": "semicolons", "|": "bars"}.items())
@pytest.mark.parametrize("read", [lambda path: list(scan(path, Wanted())), whole_rows])
def test_header_without_commas_is_refused(tmp_path: Path, mark: str, words: str, read: Callable[[Path], Any]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user{mark}city\n1{mark}Rome\n")
    shown = re.escape(repr(f"user{mark}city"))
    with pytest.raises(DataError, match=rf"a\.csv: the header has {words} where commas are expected: {shown}; write "):
        read(path)


def test_only_column_that_is_wanted_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a;b\n1\n")
    (piece,) = scan(path, Wanted(columns=("a;b",)))
    assert piece.table.to_pydict() == {"a;b": [1]}
