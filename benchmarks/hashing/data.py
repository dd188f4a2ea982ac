"""Columns to hash, from a seeded generator: Arrow buffers filled by numpy, the same in every run."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", np.uint8)
PADDING_BYTES = 16  # the floor reads 16 bytes at a time

# With these, 1 + floor(64 x) of a beta-distributed x has mean 20 over 1 to 64.
MIXED_BETA = (1.0, 2.282)


def strings(rng: np.random.Generator, lengths: NDArray[np.integer]) -> pa.Array:
    """Random letters and digits, one string of each length, as Arrow strings."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    data = ALPHABET[rng.integers(0, len(ALPHABET), int(offsets[-1]) + PADDING_BYTES, np.uint8)]
    return pa.StringArray.from_buffers(len(lengths), _arrow_buffer(offsets), _arrow_buffer(data))


def _arrow_buffer(values: NDArray[np.integer]) -> pa.Buffer:
    """Copy into memory of Arrow's own pool: placed and aligned as in the tables that people read from files."""
    buffer = pa.allocate_buffer(values.nbytes)
    np.frombuffer(buffer, values.dtype)[:] = values
    return buffer


def short_strings(count: int, seed: int = 0) -> pa.Array:
    """Strings of 6 to 12 bytes: most ids, codes and names."""
    rng = np.random.default_rng(seed)
    return strings(rng, rng.integers(6, 12, count, endpoint=True))


def mixed_strings(count: int) -> pa.Array:
    """Strings of 1 to 64 bytes, 20 on average."""
    rng = np.random.default_rng(1)
    return strings(rng, 1 + (64 * rng.beta(*MIXED_BETA, count)).astype(np.int32))


def text_table(rows: int, columns: int) -> pa.Table:
    """Columns c0, c1, ... of 8 characters each."""
    rng = np.random.default_rng(2)
    return pa.table({f"c{index}": strings(rng, np.full(rows, 8)) for index in range(columns)})


def user_ids(count: int) -> NDArray[np.int64]:
    """Ids below 10^9, nine of ten with nine digits."""
    return np.random.default_rng(3).integers(0, 10**9, count)


def any_ids(count: int) -> NDArray[np.int64]:
    """Integers of every width from 1 to 19 digits, half of them negative."""
    rng = np.random.default_rng(4)
    limits = np.array([10**digits for digits in range(1, 19)] + [2**63 - 1])
    return rng.integers(0, limits[rng.integers(0, len(limits), count)]) * rng.choice((-1, 1), count)


def buffers(column: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return offsets and data of a string column in one piece, as the yardsticks take them."""
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    _, offsets, data = array.buffers()
    return np.frombuffer(offsets, np.int32), np.frombuffer(data, np.uint8)


def output(*shape: int) -> NDArray[np.int64]:
    """Return a buffer whose pages are in place, so that no contender pays for them."""
    return np.full(shape, 1, np.int64)
