"""JSON and TOML that are wrong in any way are one kind of error."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from polyrank.decoding import MAX_PARTS, decode_json, decode_toml

Decode = Callable[[str | bytes, type[object]], object]
DEEP = 100_000


def test_what_is_right_is_read() -> None:
    assert decode_json(b'{"a": [1]}', dict) == {"a": [1]}
    assert decode_toml('a = [1, "\N{GREEK SMALL LETTER DELTA}"]'.encode(), dict) == {"a": [1, "δ"]}


@pytest.mark.parametrize(
    ("decode", "content", "message"),
    [
        (decode_json, "[" * DEEP + "]" * DEEP, r"^it is nested too deep$"),
        (decode_toml, "a = " + "[" * DEEP + "]" * DEEP, r"^it is nested too deep$"),
        (decode_json, b'"\xff"', r"^not UTF-8 text: .*byte 0xff"),
        (decode_toml, b'a = "\xff"', r"^not UTF-8 text: .*byte 0xff"),
        (decode_toml, "a = " + "9" * 5_000, r"^Exceeds the limit \(4300 digits\)[^;]*$"),
        (decode_toml, ".".join(["a"] * DEEP) + " = 1", r"^a key has more than 100 parts$"),
        (decode_toml, "a = {" + " . ".join(['"b"'] * DEEP) + " = 1}", r"^a key has more than 100 parts$"),
        (decode_json, "{", r"truncated"),
        (decode_toml, "a", r"Expected '=' after a key"),
    ],
    ids=range(9),
)
def test_what_is_wrong_is_one_error(decode: Decode, content: str | bytes, message: str) -> None:
    with pytest.raises(msgspec.DecodeError, match=message):
        decode(content, object)


def test_key_of_the_most_parts_is_read() -> None:
    found: Any = decode_toml(".".join(["a"] * MAX_PARTS) + " = 1", dict)
    for _ in range(MAX_PARTS):
        found = found["a"]
    assert found == 1
