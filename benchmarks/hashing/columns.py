"""Columns as analytics libraries hold them: Arrow strings, numpy integers."""

import numpy as np
import pyarrow as pa
from contests.measure import OURS, Contest, Scale, Target, check_same

from polyrank.fingerprint import DEFAULT_SEED, fingerprint

from .data import any_ids, buffers, mixed_strings, output, short_strings, user_ids
from .yardsticks import load_yardsticks

FLOOR = "hash-free floor"
XXH64 = "XXH64 key by key"
MEMCPY = "memcpy"
LIMIT_300M = "300 M keys/s"


def strings(scale: Scale) -> Contest:
    """Short strings against reading and writing alone, and against the C library."""
    name = f"{scale.keys:,} strings of 6-12 bytes, Arrow"
    return _text_contest(
        short_strings(scale.keys),
        Target(workload=name, text="≥ 50 % of the floor", against=FLOOR, least=0.5),
        Target(workload=name, text="≥ 10 x XXH64", against=XXH64, least=10),
    )


def mixed(scale: Scale) -> Contest:
    """Strings of very different lengths."""
    name = f"{scale.keys // 2:,} strings of 1-64 bytes, mean 20, Arrow"
    return _text_contest(
        mixed_strings(scale.keys // 2), Target(workload=name, text="≥ 5 x XXH64", against=XXH64, least=5)
    )


def integers(scale: Scale) -> Contest:
    """Integers as 8 bytes, against a copy between the same buffers."""
    ids, out = user_ids(scale.keys), output(scale.keys)
    name = f"{scale.keys:,} int64 ids, dtype int64, numpy"
    return Contest(
        keys=scale.keys,
        contenders={
            OURS: lambda: fingerprint(ids, dtype="int64", out=out),
            MEMCPY: lambda: np.copyto(out, ids),
        },
        targets=[Target(workload=name, text="≥ 80 % of memcpy", against=MEMCPY, least=0.8)],
    )


def decimal_ids(scale: Scale) -> Contest:
    """Integers as decimal text: ids of mostly nine digits, against a fixed speed and the same ids as strings."""
    name = f"{scale.keys:,} int64 ids below 10^9, dtype text, numpy"
    fixed = Target(workload=name, text="300 M keys/s on the reference machine", against=LIMIT_300M, least=1)
    return _decimal_contest(name, user_ids(scale.keys), fixed)


def decimal_any(scale: Scale) -> Contest:
    """Integers as decimal text: every width and sign, against the same integers as strings."""
    return _decimal_contest(
        f"{scale.keys // 2:,} int64 of 1-19 digits and any sign, dtype text, numpy", any_ids(scale.keys // 2)
    )


def _text_contest(keys: pa.Array, *targets: Target) -> Contest:
    native, (offsets, data) = load_yardsticks(), buffers(keys)
    ours, theirs = output(len(keys)), output(len(keys))
    native.xxh64(offsets, data, DEFAULT_SEED, theirs)
    check_same(fingerprint(keys, dtype="text", out=ours), theirs, targets[0].workload, "the xxHash library's XXH64")
    yardsticks = {
        FLOOR: lambda: native.hash_free(offsets, data, ours),
        XXH64: lambda: native.xxh64(offsets, data, DEFAULT_SEED, ours),
    }
    # All write to one buffer: another's pages may lie better in memory.
    wanted = {target.against: yardsticks[target.against] for target in targets}
    contenders = {OURS: lambda: fingerprint(keys, dtype="text", out=ours), **wanted}
    return Contest(keys=len(keys), contenders=contenders, targets=targets)


def _decimal_contest(name: str, ids: np.ndarray, *targets: Target) -> Contest:
    as_strings, out = pa.array(ids).cast(pa.string()), output(len(ids))
    expected = fingerprint(as_strings, dtype="text")
    check_same(fingerprint(ids, dtype="text", out=out), expected, name, "those of the same ids as strings")
    same = Target(workload=name, text="never slower than as strings", against="the same ids as strings", least=1)
    return Contest(
        keys=len(ids),
        contenders={
            OURS: lambda: fingerprint(ids, dtype="text", out=out),
            same.against: lambda: fingerprint(as_strings, dtype="text", out=out),
        },
        targets=[*targets, same],
        limits_s={LIMIT_300M: len(ids) / 300e6},
    )
