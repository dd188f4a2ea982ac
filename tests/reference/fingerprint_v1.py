"""Fingerprint format version 1 in plain Python: what docs/fingerprint.md says, as slowly and literally as it says it.

It shares no code with the package, so that both can be wrong only separately.
"""

import datetime as dt
import decimal
import math
import re
from collections.abc import Collection, Iterable, Sequence

MASK = 2**64 - 1
SEED = 42
MISSING = -1

P1 = 0x9E3779B185EBCA87
P2 = 0xC2B2AE3D27D4EB4F
P3 = 0x165667B19E3779F9
P4 = 0x85EBCA77C2B2AE63
P5 = 0x27D4EB2F165667C5


def _rotl(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & MASK


def _round(lane: int, word: int) -> int:
    return _rotl((lane + word * P2) & MASK, 31) * P1 & MASK


def _word(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def xxh64(data: bytes, seed: int) -> int:
    """XXH64 as the xxHash specification describes it, step by step."""
    at = 0
    if len(data) < 32:
        acc = (seed + P5) & MASK
    else:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while at + 32 <= len(data):
            lanes = [_round(lane, _word(data, at + 8 * i, 8)) for i, lane in enumerate(lanes)]
            at += 32
        acc = sum(_rotl(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            acc = ((acc ^ _round(0, lane)) * P1 + P4) & MASK
    acc = (acc + len(data)) & MASK
    while at + 8 <= len(data):
        acc = (_rotl(acc ^ _round(0, _word(data, at, 8)), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= len(data):
        acc = (_rotl(acc ^ (_word(data, at, 4) * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        acc = _rotl(acc ^ (byte * P5 & MASK), 11) * P1 & MASK
    acc = (acc ^ (acc >> 33)) * P2 & MASK
    acc = (acc ^ (acc >> 29)) * P3 & MASK
    return acc ^ (acc >> 32)


def canonical_bytes(value: object, dtype: str, missing: Collection[str] = ()) -> bytes | None:
    """Return the bytes that stand for one value, None if it is missing; ValueError where the format has none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (dt.date, decimal.Decimal, dict)):
        raise ValueError(f"cast {type(value).__name__}")  # noqa: TRY004 (all refusals of the format are alike)
    if isinstance(value, float):
        if not (math.isfinite(value) and value == math.floor(value) and abs(value) <= 2**53):
            raise ValueError("whole numbers expected")
        value = int(value)
    return _text_bytes(value, missing) if dtype == "text" else _int64_bytes(value, missing)


def _text_bytes(value: object, missing: Collection[str]) -> bytes | None:
    if isinstance(value, bool):
        value = "true" if value else "false"
    data = value if isinstance(value, bytes) else str(value).encode("utf-8")
    return None if data in [token.encode("utf-8") for token in missing] else data


def _int64_bytes(value: object, missing: Collection[str]) -> bytes | None:
    if isinstance(value, bytes):
        raise ValueError("bytes are no integer")  # noqa: TRY004
    if isinstance(value, str):
        if value in missing:
            return None
        if re.fullmatch("-?[0-9]+", value) is None:
            raise ValueError("decimal integer expected")
    integer = int(value)  # type: ignore[call-overload]
    if integer in [int(token) for token in missing if re.fullmatch("-?[0-9]+", token)]:
        return None
    if not -(2**63) <= integer < 2**63:
        raise ValueError("out of range")
    return integer.to_bytes(8, "little", signed=True)  # type: ignore[no-any-return]


def fingerprint(value: object, dtype: str, seed: int = SEED, missing: Collection[str] = ()) -> int:
    """Return the fingerprint of one value."""
    return cross([(value, dtype)], seed, missing)


def cross(parts: Sequence[tuple[object, str]], seed: int = SEED, missing: Collection[str] = ()) -> int:
    """Return the fingerprint of several values, in order, as one."""
    keys = [canonical_bytes(value, dtype, missing) for value, dtype in parts]
    return chained(keys, seed)


def chained(keys: Iterable[bytes | None], seed: int = SEED) -> int:
    """Return the masked end of a chain of hashes, each the seed of the next; -1 if a key is missing."""
    acc = seed
    for key in keys:
        if key is None:
            return MISSING
        acc = xxh64(key, acc)
    return acc & (2**63 - 1)


SPACES = frozenset(
    [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
)
ASCII_PUNCTUATION = frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
CJK = (
    range(0x3400, 0x4DC0),
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
    range(0x20000, 0x2FA20),
    range(0x3040, 0x3100),
    range(0xAC00, 0xD7B0),
)


def tokens(text: str) -> list[str]:
    """Cut text into tokens: single CJK code points, and runs of what else is no space and no ASCII punctuation."""
    found: list[str] = []
    run = ""
    for char in text:
        code = ord(char)
        alone = any(code in block for block in CJK)
        if alone or code in SPACES or code in ASCII_PUNCTUATION:
            found += [run] if run else []
            found += [char] if alone else []
            run = ""
        else:
            run += char.lower() if "A" <= char <= "Z" else char
    return [*found, run] if run else found


def ngrams(text: str, sizes: Sequence[int], seed: int = SEED) -> list[int]:
    """Return the fingerprints of all n-grams, by size as listed, then by place."""
    keys = [token.encode("utf-8") for token in tokens(text)]
    return [chained(keys[at : at + size], seed) for size in sizes for at in range(len(keys) - size + 1)]
