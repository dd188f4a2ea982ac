"""Rows that arrive as one tensor for each feature, as a client without Polyrank sends them to an inference server.

Texts are UTF-8 in BYTES, whole numbers of dtype int64 are INT64, all other numbers FP32. Values are read as `Encoder`
reads them. What is missing in some rows is the text of one NUL, the lowest integer, or NaN; the empty text, -1 or NaN
pad a list to the length of the longest.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.errors import DataError
from polyrank.features import (
    BagFeature,
    CategoricalFeature,
    Feature,
    SequenceFeature,
    SharingFeature,
    TextFeature,
    VectorFeature,
)
from polyrank.features import DenseFeature as _DenseFeature
from polyrank.schema import Schema
from polyrank.table import ArrayError, TensorLayout

DataType = Literal["BYTES", "INT64", "FP32"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RawInput:
    """One tensor, [B, width].

    Attributes:
        name: the column that it stands for.
        datatype: Triton's name of what its elements are.
        rows: what a row of it is.
        width: elements of a row; None where each request says, as of lists.
        weighs: of the weights of a bag: the tensor of the bag, where that is a list.
    """

    name: str
    datatype: DataType
    rows: Literal["value", "list", "vector"] = "value"
    width: int | None = 1
    weighs: str | None = None


class SerializedTexts(np.ndarray[Any, np.dtype[np.uint8]]):
    """A tensor of BYTES as Triton has it, uint8 [n]: each text after its length in 4 bytes, little-endian.

    Attributes:
        texts_shape: shape of the tensor, whose elements are texts.
    """

    texts_shape: Sequence[int]

    def reshape(self, shape: Sequence[int]) -> "SerializedTexts":  # type: ignore[override]
        """Note the shape of the tensor."""
        self.texts_shape = shape
        return self


def raw_inputs(schema: Schema) -> tuple[RawInput, ...]:
    """Return the tensors that rows of a schema come as, in the order of the features."""
    found = itertools.chain.from_iterable(_inputs_of(feature) for feature in schema.resolved().features)
    return tuple({each.name: each for each in reversed(list(found))}.values())[::-1]


class RawEncoder:
    """Encodes rows that came as tensors as an `Encoder` does the same rows. Safe to share between threads.

    Attributes:
        inputs: the tensors; each may be left out, and is missing in every row then.
    """

    def __init__(self, schema: Schema) -> None:
        self.inputs = raw_inputs(schema)
        self._encoder = Encoder(schema, threads=1)
        places = {each.name: index for index, each in enumerate(self.inputs)}
        weighed = [None if each.weighs is None else places[each.weighs] for each in self.inputs]
        self._layout = TensorLayout(
            [
                (each.name, each.datatype, each.rows, each.width or 1, place)
                for each, place in zip(self.inputs, weighed, strict=True)
            ]
        )

    def encode(self, tensors: dict[str, NDArray[Any]]) -> Batch:
        """Encode rows.

        Args:
            tensors: by name, [B, width]: int64, float32, objects of type bytes, or `SerializedTexts`.

        Raises:
            DataError: no tensor is there, one has another type, shape or number of rows than it must, or a value does
                not fit its feature; the message names column, value and row.
        """
        if not tensors:
            raise DataError(f"a request needs one tensor at least, of {', '.join(each.name for each in self.inputs)}")
        if any(tensor.dtype.hasobject for tensor in tensors.values()):
            tensors = {name: serialized(each) if each.dtype.hasobject else each for name, each in tensors.items()}
        try:
            table = self._layout.table(tensors)
        except ArrayError as err:
            raise DataError(str(err)) from err
        return self._encoder.encode(table)


def serialized(texts: NDArray[Any]) -> SerializedTexts:
    """Write objects of type bytes as Triton does."""
    found: list[bytes] = texts.ravel().tolist()
    parts = (part for text in found for part in (len(text).to_bytes(4, "little"), text))
    return np.frombuffer(b"".join(parts), np.uint8).view(SerializedTexts).reshape(texts.shape)


def _inputs_of(feature: Feature) -> Iterator[RawInput]:
    if isinstance(feature, VectorFeature):
        yield RawInput(name=feature.name, datatype="FP32", rows="vector", width=feature.dim)
    elif isinstance(feature, _DenseFeature):
        yield RawInput(name=feature.name, datatype="FP32")
    elif isinstance(feature, TextFeature) or _is_written(feature):
        yield RawInput(name=feature.name, datatype="BYTES")
    elif isinstance(feature, BagFeature | SequenceFeature):
        yield RawInput(name=feature.name, datatype=_datatype(feature), rows="list", width=None)
    elif isinstance(feature, CategoricalFeature):
        yield RawInput(name=feature.name, datatype=_datatype(feature))
    if isinstance(feature, BagFeature) and feature.weights is not None:
        weighs = None if _is_written(feature) else feature.name
        yield RawInput(name=feature.weights, datatype="FP32", rows="list", width=None, weighs=weighs)


def _is_written(feature: Feature) -> bool:
    return isinstance(feature, BagFeature) and feature.separator is not None


def _datatype(feature: SharingFeature) -> DataType:
    return "INT64" if feature.dtype == "int64" else "BYTES"
