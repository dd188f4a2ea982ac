"""Rows of any form into `EncodedRows`, a piece at a time."""

from polyrank.encoder import Encoder
from polyrank.labels import groups, label_matrix, sample_weights
from polyrank.rows import Rows, columns_of
from polyrank.schema import Schema
from polyrank.train.config_sections import ValidationConfig
from polyrank.train.splits import SplitKeys

from .rows import EncodedRows


class RowEncoder:
    """Encodes pieces of one data set, in their order: what the first decides, later ones must fit.

    Attributes:
        columns: the columns that rows need.
    """

    def __init__(self, schema: Schema, validation: ValidationConfig) -> None:
        self._schema = schema.resolved()
        self._encoder = Encoder(self._schema, strict=True)
        self._split_keys = SplitKeys(self._schema, validation)
        self.columns = tuple(dict.fromkeys((*self._schema.training_columns, *self._split_keys.columns)))

    def encode(self, rows: Rows) -> EncodedRows:
        """Encode rows.

        Raises:
            DataError: they do not fit the schema, or what the split needs is missing; a `RowError` says in which row.
        """
        columns = columns_of(rows, self.columns)
        batch = self._encoder.encode_columns(columns)
        group = self._schema.group
        return EncodedRows(
            ids=batch.ids,
            dense=batch.dense,
            labels=label_matrix(self._schema, columns),
            weights=batch.weights,
            sample_weights=sample_weights(self._schema, columns),
            groups=None if group is None else groups(columns[group], group),
            split_keys=self._split_keys.read(columns),
        )
