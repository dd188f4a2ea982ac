"""Quotes of CSV files that never close: found wherever they are, and nothing else refused."""

import gzip
import logging
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from polyrank.batch import fingerprint_file, parse_column
from polyrank.errors import DataError
from polyrank.files import Wanted, csv_pieces
from polyrank.files.quotes import OpenQuote, QuoteScanner
from polyrank.train import read_rows

COLUMNS = [parse_column("user_id:int64"), parse_column("city:text")]
NUM_ROWS = 40_000  # several blocks of Arrow's


def read_by_batch(path: Path) -> list[dict[str, Any]]:
    fingerprint_file(path, path.parent / "out.parquet", COLUMNS)
    table = pq.read_table(path.parent / "out.parquet").select(["user_id", "city"])
    return [{**row, "user_id": int(row["user_id"])} for row in table.to_pylist()]


def read_by_training(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_rows(path).to_pylist()
    return rows


READERS: list[Callable[[Path], list[dict[str, Any]]]] = [read_by_batch, read_by_training]


def write(path: Path, text: str) -> Path:
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.write(text.encode())
    return path


def many_rows(count: int) -> str:
    return "".join(f"{number},{'x' * 120}\n" for number in range(count))


HEADER = "user_id,city\n"
NEVER_CLOSED = {
    "in the middle": (f'{HEADER}1,"Paris\n2,Rome\n3,Oslo\n', 2),
    "in the last row": (f'{HEADER}1,Paris\n2,"Rome\n', 3),
    "at the very end": (f'{HEADER}1,Paris\n2,"', 3),
    "without a last line break": (f'{HEADER}1,Paris\n2,"Rome', 3),
    "behind a doubled quote": (f'{HEADER}1,"a ""b""\n2,Rome\n', 2),
    "ending in a doubled quote": (f'{HEADER}1,Paris\n2,"Rome""', 3),
    "in a number": (f'{HEADER}1,Paris\n"2,Rome\n', 3),
    "in the header": ('user_id,"city\n1,Paris\n2,Rome\n', 1),
    "behind a byte order mark": ('\ufeff"user_id,city\n1,Paris\n', 1),
    "after values of several lines": (f'{HEADER}1,"a\nb"\n2,"c\nd"\n3,"e\n', 6),
    "after quotes inside text": (f'{HEADER}1,5" pipe\n2,"Rome\n', 3),
    "with carriage returns": ('user_id,city\r1,Paris\r2,"Rome\r', 3),
    "with both line breaks": ('user_id,city\r\n1,Paris\r\n2,"Rome\r\n', 3),
    "near the start of a large file": (f'{HEADER}1,"Paris\n{many_rows(NUM_ROWS)}', 2),
    "near the end of a large file": (f'{HEADER}{many_rows(NUM_ROWS)}1,"Paris\n2,Rome\n', NUM_ROWS + 2),
}
CLOSED_TOO_LATE = {
    "by the next quoted value": (f'{HEADER}1,"Paris\n2,Rome\n3,"Oslo"\n4,Bonn\n', 2, 4),
    "in a large file": (f'{HEADER}1,"Paris\n2,Rome\n3,"Oslo"\n{many_rows(NUM_ROWS)}', 2, 4),
    "by a quote inside text": (f'{HEADER}1,"Paris\n2,5" pipe\n', 2, 3),
}
WHOLE = {
    "values of several lines": (f'{HEADER}1,"a\nb"\n2,"\n\n"\n', ["a\nb", "\n\n"]),
    "a value of several lines at the end": (f'{HEADER}1,"a\n"', ["a\n"]),
    "doubled quotes": (f'{HEADER}1,"a ""b"""\n2,"""c"""\n', ['a "b"', '"c"']),
    "quotes inside text": (f'{HEADER}1,5" pipe\n2,3"\n', ['5" pipe', '3"']),
    "quotes of both kinds": (f'{HEADER}1,5" pipe\n2,"Rome"\n3,"a\n""b"\n', ['5" pipe', "Rome", 'a\n"b']),
    "text after a quoted value of one line": (f'{HEADER}1,"a"b\n2,"c" \n', ["ab", "c "]),
    "a byte order mark": ('\ufeff"user_id",city\n1,"a"\n', ["a"]),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize(("text", "line"), NEVER_CLOSED.values(), ids=NEVER_CLOSED)
def test_quote_that_never_closes_is_refused_with_its_line(
    tmp_path: Path, read: Callable[[Path], object], name: str, text: str, line: int
) -> None:
    path = write(tmp_path / name, text)
    message = f"{path}: the quote that opens in line {line:,} is never closed; close it, or write the value in quotes"
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        read(path)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("text", "opened", "closed"), CLOSED_TOO_LATE.values(), ids=CLOSED_TOO_LATE)
def test_quote_that_closes_inside_a_later_value_is_refused_with_both_lines(
    tmp_path: Path, read: Callable[[Path], object], text: str, opened: int, closed: int
) -> None:
    path = write(tmp_path / "rows.csv", text)
    message = f"{path}: the quote that opens in line {opened} closes inside a value in line {closed}; close it before"
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        read(path)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize(("text", "cities"), WHOLE.values(), ids=WHOLE)
def test_closed_quotes_are_read(
    tmp_path: Path, read: Callable[[Path], list[dict[str, Any]]], name: str, text: str, cities: list[str]
) -> None:
    assert [row["city"] for row in read(write(tmp_path / name, text))] == cities


@pytest.mark.parametrize("read", READERS)
def test_damaged_compression_is_not_taken_for_a_quote(tmp_path: Path, read: Callable[[Path], object]) -> None:
    numbers = random.Random(0).choices(range(10**9), k=300_000)
    whole = write(tmp_path / "rows.csv.gz", HEADER + "".join(f'{number},"{number}\n"\n' for number in numbers))
    damaged = bytearray(whole.read_bytes())
    damaged[-20_000:-10_000] = b"\xff" * 10_000
    whole.write_bytes(damaged)
    with pytest.raises(DataError, match=r"rows\.csv\.gz cannot be read as CSV: zlib inflate failed"):
        read(whole)


@pytest.mark.parametrize("read", READERS)
def test_values_of_several_lines_are_read_across_blocks(
    tmp_path: Path, read: Callable[[Path], list[dict[str, Any]]]
) -> None:
    value = "line, of text\n" * 9
    text = HEADER + "".join(f'{number},"{value}"\n' for number in range(NUM_ROWS))
    read_back = read(write(tmp_path / "rows.csv", text))
    assert read_back == [{"user_id": number, "city": value} for number in range(NUM_ROWS)]


def scan(text: bytes, chance: random.Random) -> OpenQuote | None:
    scanner, position = QuoteScanner(), 0
    while position < len(text):
        size = chance.randrange(1, 9)
        if found := scanner.scan(text[position : position + size]):
            return found
        position += size
    return scanner.finish()


def scan_byte_by_byte(text: bytes) -> OpenQuote | None:
    start, position, before = None, 0, b"\n"
    while position < len(text):
        byte, after = text[position : position + 1], text[position + 1 : position + 2]
        if start is None:
            start = position if byte == b'"' and before in b",\r\n" else None
        elif byte == after == b'"':
            position += 1
        elif byte == b'"':
            if after not in b",\r\n" and re.search(rb"[\r\n]", text[start:position]):
                return OpenQuote(start, position)
            start = None
        before, position = byte, position + 1
    return None if start is None else OpenQuote(start, None)


@pytest.mark.parametrize("seed", range(20))
def test_scanner_agrees_with_reading_byte_by_byte(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1000):
        weights = [chance.random() * 3, 1, 1, 1, 0.2]
        text = bytes(chance.choices(b'",\na\r', weights, k=chance.randrange(24)))
        assert scan(text, chance) == scan_byte_by_byte(text), text


def test_first_look_at_a_large_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = write(tmp_path / "rows.csv", HEADER + "1,Rome\n")
    for _ in range(2):
        assert sum(map(len, csv_pieces.csv_pieces(file, Wanted(), file))) == 1
        monkeypatch.setattr(csv_pieces, "LARGE_BYTES", file.stat().st_size)
    assert caplog.messages == [f"{file}: 0.0 GB of CSV are read for the types of columns first, then for rows"]
