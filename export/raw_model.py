"""The model `<name>_raw`: the graph over rows behind one tensor for each feature, encoded where it is served."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from polyrank.features import BagFeature
from polyrank.raw_inputs import RawEncoder, RawInput, raw_inputs
from polyrank.schema import Schema
from polyrank.signature import RAW_BACKEND, SIGNATURE_KEY, Signature

from .answers import open_session, run_session
from .bundle import Bundle, Golden
from .model_config import config_text, model_config, signature_text
from .serving_options import ServingOptions

_ROWS = 33
_LENGTH = 3


def raw_config_pbtxt(graph: onnx.ModelProto, name: str, options: ServingOptions) -> str:
    """Write the configuration of a model whose rows are encoded where it is served.

    Its signature is in the graph alone: clients that encode rows must not take this model for one that they can ask.

    Args:
        graph: over rows; see `config_pbtxt`.
        name: of the model in the repository.
        options: batching, devices, memory and what else is the server's.

    Raises:
        ExportError: as `config_pbtxt`.
        RepositoryError: the graph carries no signature.
    """
    from tritonclient.grpc import model_config_pb2 as pb

    config = model_config(graph, name, options)
    inputs = raw_inputs(Signature.from_json(signature_text(graph)).schema)
    config.backend = RAW_BACKEND
    del config.parameters[SIGNATURE_KEY]
    del config.input[:]
    for each in inputs:
        config.input.add(name=each.name, data_type=_data_type(pb, each), dims=[each.width or -1], optional=True)
    for warm_up in config.model_warmup:
        warm_up.inputs.clear()
        _add_warm_up(warm_up.inputs, inputs, pb)
    return config_text(config)


def raw_golden(bundle: Bundle) -> Golden:
    """Make rows for the model, and answer them on this machine: encoded here, with the graph as it is here.

    Texts are objects of type bytes.

    Golden rows are encoded already, and a fingerprint does not say of what it is.
    """
    schema = bundle.signature.schema
    tensors = _columns(schema)
    batch = RawEncoder(schema).encode(tensors)
    answers = run_session(open_session(bundle.model_file), batch.named())
    own = bundle.golden()
    return Golden(tensors, answers, own.digests, own.tolerance)


def _add_warm_up(entries: Any, inputs: tuple[RawInput, ...], messages: Any) -> None:
    """Ask for random ids and for texts and numbers that are empty or zero; a weighed bag is left out: it needs both."""
    weighed = {name for each in inputs if each.weighs is not None for name in (each.name, each.weighs)}
    for each in inputs:
        if each.name not in weighed and (each.rows != "list" or each.datatype != "FP32"):
            entry = entries[each.name]
            entry.data_type = _data_type(messages, each)
            entry.dims.append(each.width or 1)
            setattr(entry, "random_data" if each.datatype == "INT64" else "zero_data", True)


def _data_type(messages: Any, each: RawInput) -> int:
    kind = "STRING" if each.datatype == "BYTES" else each.datatype
    return int(messages.DataType.Value(f"TYPE_{kind}"))


def _columns(schema: Schema) -> dict[str, NDArray[Any]]:
    """Return tensors of rows that fit the schema, some of their values missing."""
    rng = np.random.default_rng(0)
    written = {each.name: each for each in schema.features if isinstance(each, BagFeature) and each.separator}
    inputs = raw_inputs(schema)
    found = {each.name: _values(each, rng) for each in inputs}
    for name, feature in written.items():
        found[name] = np.array(list(_written(feature)), np.object_).reshape(_ROWS, 1)
        if feature.weights is not None:  # as many as the text has values
            lengths = np.arange(_ROWS)[:, None] % _LENGTH + 1
            found[feature.weights] = np.where(np.arange(_LENGTH) < lengths, found[feature.weights], np.float32(np.nan))
    return found


def _values(each: RawInput, rng: np.random.Generator) -> NDArray[Any]:
    shape = (_ROWS, each.width or _LENGTH)
    if each.datatype == "FP32":
        numbers = rng.random(shape, np.float32)  # from 0 up, which log1p takes too
        return (
            numbers
            if each.rows == "list"
            else np.where(np.arange(_ROWS)[:, None] % 7 == 1, np.float32(np.nan), numbers)
        )
    integers = rng.integers(0, 1000, shape)
    if each.datatype == "INT64":
        return integers
    return np.array([str(each).encode() for each in integers.flat], np.object_).reshape(shape)


def _written(feature: BagFeature) -> Iterator[bytes]:
    """Give texts of 1 up to 3 values."""
    separator, weight = str(feature.separator), feature.weight_separator
    for row in range(_ROWS):
        values = [f"{row + place}" for place in range(row % _LENGTH + 1)]
        yield separator.join(values if weight is None else [f"{value}{weight}0.5" for value in values]).encode()
