"""What a client must know of an exported model. It travels inside the ONNX file and in the server's configuration."""

from pathlib import Path
from typing import Literal, Self

import msgspec

from polyrank import arguments
from polyrank.decoding import decode_json
from polyrank.encoder import slot_layout
from polyrank.errors import RepositoryError
from polyrank.fingerprint import DEFAULT_SEED, HASH_NAME, HASH_VERSION
from polyrank.halves import Half
from polyrank.reasons import system_reason
from polyrank.schema import Schema

SIGNATURE_KEY = "polyrank.signature"
"""Key of the signature in ONNX metadata and in the parameters of config.pbtxt."""

FORMAT_VERSION = 1

Combination = Literal["sum", "product"]

REQUEST_SUFFIX = "_rank"
"""A graph over requests is served beside that over rows, under its name with this at the end."""

RAW_SUFFIX = "_raw"
"""The graph over rows is served under its name with this at the end too, where that is asked for: behind a tensor for
each feature."""

RAW_BACKEND = "polyrank"
"""The backend that answers it; Triton has none of that name."""

SCORE, TOP_ITEMS, TOP_SCORES, TASK_WEIGHTS = "score", "top_items", "top_scores", "task_weights"
"""Outputs and input of a graph over requests, beside those of tasks and halves."""


class Hashing(msgspec.Struct, frozen=True, kw_only=True):
    """Which fingerprint format the model was trained on."""

    name: str = HASH_NAME
    version: int = HASH_VERSION
    seed: int = DEFAULT_SEED


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Columns `start` up to `stop` of `ids` hold the fingerprints of `feature`, or of `weights` its weights."""

    feature: str
    start: int
    stop: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Layout of the tensors of one half of a request, such as `user_ids`: as a `Signature` has it of whole rows."""

    slots: tuple[Slot, ...]
    weights: tuple[Slot, ...]
    dense: tuple[str, ...]


_ENCODED = {
    *("name", "kind", "dtype", "missing", "max_length", "order", "weights", "separator", "weight_separator", "sizes"),
    *("features", "dim", "identity"),
}
"""Fields of a feature that decide how its values become tensors; all else is inside the graph."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the inputs and outputs of a graph are that answers one user with many items.

    Attributes:
        user: layout of the tensors of the user, [1, ·].
        item: layout of those of the items, [N, ·].
        weighted: tasks that `task_weights`, float32 [K], weighs, in its order.
        combination: how `score`, float32 [N, 1], combines their answers: their sum, each times its weight, or their
            product, each to the power of its weight.
        top_k: how many items `top_items`, int64, and `top_scores`, float32, name, the best first; None where the graph
            has no such outputs.
    """

    user: Side
    item: Side
    weighted: tuple[str, ...]
    combination: Combination
    top_k: int | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs beside those of tasks."""
        return (SCORE,) if self.top_k is None else (SCORE, TOP_ITEMS, TOP_SCORES)


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """How exactly a graph holds its weights.

    Attributes:
        embeddings: numbers of embedding tables; `int8` has a scale for each row.
        dense: numbers of the layers; `int8` also multiplies in 8 bits, and is for CPUs.
        prune_rows: whether rows that training never changed share one.
    """

    embeddings: Literal["fp32", "fp16", "int8"] = "fp32"
    dense: Literal["fp32", "fp16", "int8"] = "fp32"
    prune_rows: bool = False

    def __str__(self) -> str:
        """Say it in words, as in `embeddings int8, dense fp32`."""
        return f"embeddings {self.embeddings}, dense {self.dense}" + (", pruned rows" if self.prune_rows else "")


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Schema, layout of inputs and outputs, and where the model came from.

    Attributes:
        slots: layout of `ids`, int64 [B, S].
        weights: layout of `weights`, float32 [B, W].
        dense: columns of `dense`, float32 [B, D].
        outputs: one float32 output per task, [B, 1]; [B, C] of a multiclass one; and the probabilities of the levels of
            an ordinal one, [B, K].
        opset: ONNX operator set of the graph.
        ir_version: ONNX file format of the graph.
        triton: Triton release that the graph was exported for; None where an ONNX Runtime was named instead.
        onnxruntime: version that the graph was exported for: named, or that of the release; None in graphs of versions
            that did not say.
        precision: how exactly the graph holds its weights.
        run_id: content hash of the training run.
        request: of a graph over one user and many items; None of a graph over rows.
    """

    schema: Schema
    slots: tuple[Slot, ...]
    dense: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    ir_version: int
    triton: str | None
    run_id: str
    polyrank: str
    hashing: Hashing = Hashing()
    format_version: int = FORMAT_VERSION
    weights: tuple[Slot, ...] = ()
    request: Request | None = None
    onnxruntime: str | None = None
    precision: Precision = Precision()

    def wire(self) -> tuple[object, ...]:
        """Return all that a client goes by, equal for versions that one configuration can speak for."""
        features = [msgspec.to_builtins(feature) for feature in self.schema.features]
        encoded = [{key: value for key, value in each.items() if key in _ENCODED} for each in features]
        widths = [task.outputs for task in self.schema.tasks]
        return encoded, widths, self.outputs, self.slots, self.weights, self.dense, self.request, self.hashing

    def to_json(self) -> str:
        """Write the signature as JSON; `from_json` gives it back."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a signature.

        Raises:
            ConfigError: `text` is none.
            RepositoryError: the text is no signature, or a format or hash that this version does not know.
        """
        arguments.instance("text", text, str | bytes, "JSON text")
        try:
            signature = decode_json(text, cls)
        except msgspec.DecodeError as err:
            raise RepositoryError(f"the model's signature cannot be read: {err}; export the model anew") from err
        expected = (FORMAT_VERSION, Hashing())
        if (signature.format_version, signature.hashing) != expected:
            raise RepositoryError(
                f"the model's signature has format {signature.format_version} and hashing "
                f"{signature.hashing.name} version {signature.hashing.version} seed {signature.hashing.seed}; "
                f"this Polyrank knows format {FORMAT_VERSION} and {HASH_NAME} version {HASH_VERSION} "
                f"seed {DEFAULT_SEED}: upgrade polyrank"
            )
        return signature

    @classmethod
    def load(cls, bundle: str | Path) -> Self:
        """Read the signature of a bundle, or of a published version.

        Raises:
            ConfigError: `bundle` is no path.
            RepositoryError: it cannot be read, or as `from_json`.
        """
        bundle = arguments.path("bundle", bundle)
        try:
            text = (bundle / "signature.json").read_bytes()
        except OSError as err:
            names = (each.parent.name for each in bundle.glob("*/signature.json"))
            newest = max((int(name) for name in names if name.isdecimal()), default=None)
            if newest is not None:
                raise RepositoryError(f"{bundle} has versions; name one of them, as {bundle / str(newest)}") from err
            raise RepositoryError(
                f"{bundle} is not a bundle: signature.json cannot be read ({system_reason(err)}); make "
                "one with: polyrank export"
            ) from err
        try:
            return cls.from_json(text)
        except RepositoryError as err:
            raise RepositoryError(f"{bundle / 'signature.json'}: {err}") from err


def side_of(half: Half) -> Side:
    """Describe the layout of one half by feature name."""
    return Side(
        slots=tuple(Slot(feature=each.feature.name, start=each.start, stop=each.stop) for each in half.slots),
        weights=tuple(
            Slot(feature=each.feature.name, start=each.first_weight, stop=each.first_weight + each.feature.num_weights)
            for each in half.slots
            if each.first_weight is not None
        ),
        dense=tuple(name for columns in half.dense for name in columns.names),
    )


def slots_of(schema: Schema) -> tuple[Slot, ...]:
    """Describe the slot layout of a schema by feature name."""
    return tuple(Slot(feature=slots.feature.name, start=slots.start, stop=slots.stop) for slots in slot_layout(schema))


def weights_of(schema: Schema) -> tuple[Slot, ...]:
    """Describe the layout of weights by feature name."""
    return tuple(
        Slot(feature=slots.feature.name, start=slots.first_weight, stop=slots.first_weight + slots.feature.num_weights)
        for slots in slot_layout(schema)
        if slots.first_weight is not None
    )
