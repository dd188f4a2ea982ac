"""Write fingerprint_v1.json, the golden vectors of fingerprint format version 1, from the plain Python reference.

Run from the root of the repository: PYTHONPATH=tests python tests/golden/make_fingerprint_v1.py
The format is frozen: a run must leave the file as it is.
"""

import datetime as dt
import decimal
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference import fingerprint_v1 as reference

PATH = Path(__file__).with_name("fingerprint_v1.json")
MAX_LENGTH = 300
SEEDS = (0, 42, 2**64 - 1)

TEXTS = [
    "", " ", "a", "A", "abc", "46", "007", "-1", "null", "NaN", "true", "\0", "a\0b", "line\nbreak", "tab\t",
    "user_1234567", "exactly 16 bytes", "a text that is longer than one stripe of thirty-two bytes",
    "é", "e\u0301", "ß", "İ", "naïve café", "Ελληνικά", "Здравствуй", "你好\uff0c世界", "こんにちは", "안녕하세요",
    "שלום", "😀", "👩‍👩‍👧‍👦", "\ufeffbom", "\u200b", "\U0010ffff",
]  # fmt: skip
INTEGERS = [
    0, 1, -1, 2, 7, 42, 46, 123, 127, 128, -128, 255, 256, 32767, -32768, 65535, 65536, 2**31 - 1, -(2**31), 2**32 - 1,
    2**32, 2**53, 2**53 + 1, -(2**53), 10**18, -(10**18), 2**63 - 2, 2**63 - 1, -(2**63), -(2**63) + 1,
]  # fmt: skip
UNSIGNED = [2**63, 2**64 - 1]
CANONICAL: list[tuple[dict[str, str], list[str]]] = [
    ({"text": "46"}, []),
    ({"text": "-46"}, []),
    ({"text": "007"}, []),
    ({"text": "-0"}, []),
    ({"text": "9223372036854775807"}, []),
    ({"text": "-9223372036854775808"}, []),
    ({"text": "9223372036854775808"}, []),
    ({"text": "-9223372036854775809"}, []),
    ({"text": "99999999999999999999999999"}, []),
    ({"text": ""}, []),
    ({"text": "-"}, []),
    ({"text": "+5"}, []),
    ({"text": " 5"}, []),
    ({"text": "5 "}, []),
    ({"text": "5\n"}, []),
    ({"text": "5.0"}, []),
    ({"text": "5e3"}, []),
    ({"text": "0x5"}, []),
    ({"text": "1_000"}, []),
    ({"text": "\u0665"}, []),
    ({"text": "Straße"}, []),
    ({"bytes": ""}, []),
    ({"bytes": "3436"}, []),
    ({"bytes": "00ff"}, []),
    ({"integer": "46"}, []),
    ({"integer": "-46"}, []),
    ({"integer": "0"}, []),
    ({"integer": "9223372036854775807"}, []),
    ({"integer": "-9223372036854775808"}, []),
    ({"integer": "9223372036854775808"}, []),
    ({"integer": "18446744073709551615"}, []),
    ({"boolean": "true"}, []),
    ({"boolean": "false"}, []),
    ({"float": "46.0"}, []),
    ({"float": "-46.0"}, []),
    ({"float": "0.0"}, []),
    ({"float": "-0.0"}, []),
    ({"float": "9007199254740992.0"}, []),
    ({"float": "-9007199254740992.0"}, []),
    ({"float": "9007199254740994.0"}, []),
    ({"float": "1e300"}, []),
    ({"float": "12.5"}, []),
    ({"float": "5e-324"}, []),
    ({"float": "inf"}, []),
    ({"float": "-inf"}, []),
    ({"float": "nan"}, []),
    ({"null": ""}, []),
    ({"date": "2026-07-01"}, []),
    ({"timestamp": "2026-07-01T12:00:00"}, []),
    ({"decimal": "46"}, []),
    ({"struct": "{}"}, []),
    ({"text": ""}, [""]),
    ({"text": "NA"}, ["NA", "-1"]),
    ({"text": "na"}, ["na", "NA"]),
    ({"text": "-1"}, ["NA", "-1"]),
    ({"text": "-01"}, ["NA", "-1"]),
    ({"integer": "-1"}, ["NA", "-1"]),
    ({"integer": "7"}, ["007"]),
    ({"float": "-1.0"}, ["NA", "-1"]),
    ({"boolean": "true"}, ["true"]),
    ({"boolean": "true"}, ["1"]),
    ({"bytes": "4e41"}, ["NA"]),
]
CROSSES: list[list[list[str]]] = [
    [["text", "Spark"]],
    [["text", "a"], ["text", "b"]],
    [["text", "b"], ["text", "a"]],
    [["text", "a"], ["text", "a"]],
    [["text", "ab"], ["text", ""]],
    [["text", ""], ["text", "ab"]],
    [["int64", "46"], ["text", "de"]],
    [["text", "46"], ["text", "de"]],
    [["int64", "-9223372036854775808"], ["int64", "9223372036854775807"], ["text", "你好"]],
    [
        ["text", "a"],
        ["int64", "1"],
        ["text", "c"],
        ["int64", "-1"],
        ["text", "a text of more than thirty-two bytes, e"],
    ],
]
NGRAMS: list[tuple[str, list[int]]] = [
    ("", [1, 2]),
    ("  \t\u3000.,!", [1]),
    ("one", [1, 2]),
    ("The quick brown Fox", [1, 2, 3]),
    ("The quick brown Fox", [3, 1]),
    ("don't stop-me_now 4K", [1]),
    ("naïve CAFÉ Ünïcode", [1, 2]),
    ("C++20 vs. C#", [1]),
    ("你好\uff0cworld こんにちは", [1, 2]),
    ("서울에서 42km", [1]),
    ("no\u00a0break\u2003space\u200bzero", [1]),
    ("emoji 😀😀 👍", [1, 2]),
    ("𠀀𠀁x", [1]),
]


def pattern(length: int) -> bytes:
    """Return the key of `length` bytes: byte i is (31 i + 7) mod 256."""
    return bytes((31 * i + 7) % 256 for i in range(length))


_VALUES: dict[str, Callable[[str], Any]] = {
    "text": str,
    "bytes": bytes.fromhex,
    "integer": int,
    "boolean": lambda written: written == "true",
    "float": float,
    "null": lambda _: None,
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
    "decimal": decimal.Decimal,
    "struct": json.loads,
}


def value_of(arrives: dict[str, str]) -> Any:
    """Return the Python value that a vector's `arrives` describes."""
    ((kind, written),) = arrives.items()
    return _VALUES[kind](written)


def cross_value(dtype: str, written: str) -> str | int:
    """Return the value of one part of a cross vector."""
    return int(written) if dtype == "int64" else written


def canonical_vector(arrives: dict[str, str], missing: list[str], dtype: str) -> dict[str, Any]:
    """Return one row of the canonical table as a vector."""
    vector: dict[str, Any] = {"arrives": arrives, "dtype": dtype} | ({"missing": missing} if missing else {})
    try:
        key = reference.canonical_bytes(value_of(arrives), dtype, missing)
    except ValueError:
        return vector | {"error": True}
    return vector | {"bytes": None if key is None else key.hex(), "fingerprint": str(reference.chained([key]))}


def vectors() -> dict[str, Any]:
    """Return the content of the golden file; 64-bit numbers are text, for JSON readers that know only doubles."""
    return {
        "about": [
            "Golden vectors of Polyrank fingerprint format version 1 (docs/fingerprint.md).",
            "lengths: XXH64 in hex, by seed, of keys of 0 to 300 bytes where byte i is (31 i + 7) mod 256.",
            "All other fingerprints are decimal, seed 42. bytes are hex; null means missing.",
        ],
        "hash": "xxh64",
        "version": 1,
        "seed": "42",
        "lengths": {
            str(seed): [f"{reference.xxh64(pattern(length), seed):016x}" for length in range(MAX_LENGTH + 1)]
            for seed in SEEDS
        },
        "text": [[text, str(reference.fingerprint(text, "text"))] for text in TEXTS],
        "int64": [[str(value), str(reference.fingerprint(value, "int64"))] for value in INTEGERS],
        "decimal": [[str(value), str(reference.fingerprint(value, "text"))] for value in INTEGERS + UNSIGNED],
        "canonical": [
            canonical_vector(arrives, missing, dtype) for arrives, missing in CANONICAL for dtype in ("text", "int64")
        ],
        "crosses": [
            {
                "parts": parts,
                "fingerprint": str(reference.cross([(cross_value(*part), part[0]) for part in parts])),
            }
            for parts in CROSSES
        ],
        "ngrams": [
            {
                "text": text,
                "sizes": sizes,
                "tokens": reference.tokens(text),
                "fingerprints": [str(value) for value in reference.ngrams(text, sizes)],
            }
            for text, sizes in NGRAMS
        ],
    }


def rendered() -> str:
    """Return the golden file's text: one vector a line, hashes of one seed eight a line."""
    content = vectors()
    lines = []
    for name, section in content.items():
        if name == "lengths":
            seeds = [f"    {json.dumps(seed)}: [\n{_eight_a_line(hashes)}\n    ]" for seed, hashes in section.items()]
            lines.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(seeds) + "\n  }")
        elif isinstance(section, list):
            rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in section)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(name)}: {json.dumps(section)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _eight_a_line(hashes: list[str]) -> str:
    rows = [hashes[8 * row : 8 * row + 8] for row in range(math.ceil(len(hashes) / 8))]
    return ",\n".join("      " + ", ".join(json.dumps(text) for text in row) for row in rows)


if __name__ == "__main__":
    PATH.write_text(rendered(), encoding="utf-8")
