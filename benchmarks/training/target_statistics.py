"""What trees are given for ids: how often each value came with the label, smoothed, and how often it came at all.

Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical Attributes, SIGKDD Explorations 3(1), 2001,
equation 3, with a fixed weight of the prior. Training rows get the statistics of the other folds, so that no row sees
its own label; other rows get those of all training rows.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.features import NumericFeature
from polyrank.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

PRIOR_ROWS = 20.0
NUM_FOLDS = 5


class Tokens:
    """The values of one feature: `codes` of all of them, and the row that each is in."""

    def __init__(self, column: "pa.ChunkedArray") -> None:
        import pyarrow as pa

        joined = column.combine_chunks()
        self.num_rows = len(joined)
        self.rows = np.arange(len(joined))
        if pa.types.is_list(joined.type) or pa.types.is_large_list(joined.type):
            lengths = joined.value_lengths().fill_null(0).to_numpy().astype(np.int64)
            self.rows, joined = np.repeat(self.rows, lengths), joined.flatten()
        encoded = joined.dictionary_encode("encode")
        self.codes = encoded.indices.to_numpy().astype(np.int64)
        self.num_codes = len(encoded.dictionary)

    def mean_of(self, by_code: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the mean over the values of each row that is marked, NaN of none."""
        inside = where[self.rows]
        rows = self.rows[inside]
        sums = np.bincount(rows, by_code[self.codes[inside]], self.num_rows)[where]
        counts = np.bincount(rows, minlength=self.num_rows)[where]
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)

    def statistics(self, labels: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the smoothed mean label of each code over the rows that are marked, and the logarithm of its count."""
        inside = where[self.rows]
        codes = self.codes[inside]
        counts = np.bincount(codes, minlength=self.num_codes)
        sums = np.bincount(codes, labels[self.rows[inside]], self.num_codes)
        prior = labels[where].mean()
        return np.stack([(sums + PRIOR_ROWS * prior) / (counts + PRIOR_ROWS), np.log1p(counts)])


def tree_inputs(
    schema: Schema, rows: "pa.Table", labels: NDArray[np.float64], is_train: NDArray[np.bool_], seed: int
) -> NDArray[np.float64]:
    """Return what trees read, float64 (N, I): numbers as they are, and of all else the statistics for each task.

    Args:
        schema: names the features.
        rows: all rows.
        labels: float64 (N, T), 0 or 1.
        is_train: bool (N,), the rows whose labels may be seen.
        seed: of the folds.
    """
    folds = np.random.default_rng(seed).integers(0, NUM_FOLDS, len(rows))
    columns = []
    for feature in schema.features:
        column = rows[feature.name]
        if isinstance(feature, NumericFeature):
            columns.append(column.to_numpy().astype(np.float64))
            continue
        tokens = Tokens(column)
        for place in range(labels.shape[1]):
            columns += list(_out_of_fold(tokens, labels[:, place], is_train, folds))
    return np.stack(columns, axis=1)


def _out_of_fold(
    tokens: Tokens, labels: NDArray[np.float64], is_train: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean statistic, and the mean logarithm of the count, of each row: float64 (2, N)."""
    found = np.empty((2, tokens.num_rows))
    sides = [(is_train & (folds == fold), is_train & (folds != fold)) for fold in range(NUM_FOLDS)]
    for asked, seen in [*sides, (~is_train, is_train)]:
        for place, by_code in enumerate(tokens.statistics(labels, seen)):
            found[place, asked] = tokens.mean_of(by_code, asked)
    return found
