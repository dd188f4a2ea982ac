"""What executors compute with the kernel, where SQL would not give the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from polyrank.batch.columns import Cross, Hashed
from polyrank.batch.hashing import hash_batch
from polyrank.errors import DataError, RowError
from polyrank.features import TextFeature
from polyrank.ngrams import fingerprint_ngrams


def hasher(column: Hashed) -> Callable[..., Any]:
    """Return a function from Arrow arrays, one of each part of a column, to their fingerprints."""
    import pyarrow as pa

    names = [part.name for part in column.parts] if isinstance(column, Cross) else [column.name]

    def hashed(*values: pa.Array) -> pa.Array:
        with without_row():
            return hash_batch(pa.record_batch(list(values), names), column, 0)

    return hashed


def ngram_hasher(feature: TextFeature) -> Callable[..., Any]:
    """Return a function from an Arrow array of texts to lists of the fingerprints of their n-grams."""
    import pyarrow as pa

    def hashed(texts: pa.Array) -> pa.Array:
        with without_row():
            slots = fingerprint_ngrams(
                texts,
                sizes=feature.sizes,
                max_length=feature.max_length,
                missing=feature.missing,
                column=feature.name,
            )
        is_filled = slots >= 0
        ends = np.concatenate([[0], np.cumsum(is_filled.sum(axis=1))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(slots[is_filled]), mask=texts.is_null())

    return hashed


@contextmanager
def without_row() -> Iterator[None]:
    """Leave out of an error the row that a value is in: it counts from where a batch of Spark's happens to begin.

    Raises:
        DataError: a value does not fit.
    """
    try:
        yield
    except RowError as err:
        raise DataError(f"{err.fault}{err.rest}") from err
