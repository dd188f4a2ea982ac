"""A trained ranker on disk: the part of a run directory that every later step reads."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from polyrank.arguments import path
from polyrank.decoding import decode_toml
from polyrank.encoder import Batch, Encoder
from polyrank.errors import DataError
from polyrank.run_record import CONFIG_FILE
from polyrank.schema import Schema
from polyrank.staging import PARTIAL_SUFFIX

from .answering_module import AnsweringModule
from .config import ModelConfig
from .ranker import MultiTaskRanker

SCHEMA_FILE = "schema.toml"
WEIGHTS_FILE = "weights.safetensors"
SAMPLE_FILE = "sample.safetensors"
TRAINED_ROWS_FILE = "trained_rows.safetensors"
LABELS = "labels"
"""In the file of the sample."""

_BLOCK_BYTES = 2**24

PREDICTED_ROWS = 8192
"""So many rows are answered at once. The last bits of an answer depend on it."""


class _ModelSection(msgspec.Struct):
    """The part of a run's config.toml that says the model's shape; the rest is the trainer's."""

    model: ModelConfig


@dataclasses.dataclass(frozen=True)
class TrainedRanker:
    """Schema with fitted statistics, model with its weights, and encoded validation rows to check copies against.

    Attributes:
        schema: what the model eats and answers.
        config: its shape.
        model: in evaluation mode, on the CPU.
        sample: encoded validation rows, kept so that an export can be compared on real input.
        labels: of the sample, float32 [n, T] in the order of tasks, NaN where unobserved; None in runs of versions
            that kept none.
        run_id: content hash of schema, configuration and weights.
    """

    schema: Schema
    config: ModelConfig
    model: MultiTaskRanker
    sample: Batch
    run_id: str
    labels: NDArray[np.float32] | None = None

    @classmethod
    def load(cls, run: str | Path) -> "TrainedRanker":
        """Read a run directory.

        Raises:
            ConfigError: `run` is no path.
            DataError: `run` is no complete run directory, or its files do not fit one another.
        """
        run = path("run", run)
        require_run(run)
        schema = Schema.load(run / SCHEMA_FILE)
        try:
            config = decode_toml((run / CONFIG_FILE).read_bytes(), _ModelSection).model
            model = MultiTaskRanker(schema, config).eval()
            model.load_state_dict(load_file(run / WEIGHTS_FILE))
            sample = load_file(run / SAMPLE_FILE)
        except (msgspec.DecodeError, SafetensorError, RuntimeError) as err:
            reason = str(err).splitlines()[-1].strip()
            raise DataError(f"run directory {run} is damaged: {reason}; train it anew") from err
        labels = sample.pop(LABELS, None)
        batch = _sample_batch(run, schema, sample)
        return cls(schema, config, model, batch, content_hash(run), _sample_labels(run, schema, len(batch), labels))

    @staticmethod
    def save(
        run: Path,
        schema: Schema,
        config_toml: str,
        model: MultiTaskRanker,
        sample: Batch,
        labels: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the files that `load` reads into the existing directory `run`; `config_toml` has a table `model`."""
        (run / SCHEMA_FILE).write_text(schema.to_toml(), encoding="utf-8")
        (run / CONFIG_FILE).write_text(config_toml, encoding="utf-8")
        _save(run / WEIGHTS_FILE, _apart(model.state_dict()))
        arrays = {"ids": sample.ids, "dense": sample.dense, "weights": sample.weights, LABELS: labels}
        stored = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
        _save(run / SAMPLE_FILE, stored)


def _apart(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copy what shares memory, such as tables of neighbours that several embeddings read; a file refuses it."""
    owners: dict[int, str] = {}
    return {
        name: tensor.contiguous() if owners.setdefault(tensor.data_ptr(), name) == name else tensor.clone()
        for name, tensor in state.items()
    }


def _save(path: Path, stored: dict[str, torch.Tensor]) -> None:
    try:
        save_file(stored, path)
        path.chmod(path.parent.stat().st_mode & 0o666)  # safetensors makes it for the owner alone, whatever the umask
    except SafetensorError as err:
        # The system's error, such as a full disk, is only in its text.
        code = re.search(r"os error (\d+)", str(err))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from err


def require_run(run: Path) -> None:
    """Refuse a directory that lacks a file of a run, without reading any.

    Raises:
        DataError: it does; names the file.
    """
    if run.name.endswith(PARTIAL_SUFFIX):
        raise DataError(f"{run} is what an interrupted training left; train it anew: polyrank train")
    for name in (SCHEMA_FILE, CONFIG_FILE, WEIGHTS_FILE, SAMPLE_FILE):
        if not (run / name).is_file():
            raise DataError(f"{run} is not a run directory: {name} is missing; train one with: polyrank train")


def save_trained_rows(run: Path, rows: Mapping[str, torch.Tensor]) -> None:
    """Write which rows of embedding tables training changed: a bit for each, uint8 (ceil(R / 8),), by parameter."""
    _save(run / TRAINED_ROWS_FILE, dict(rows))


def load_trained_rows(run: Path, model: MultiTaskRanker) -> dict[str, NDArray[np.bool_]] | None:
    """Read which rows of embedding tables training changed, bool (R,) by parameter; None where a run does not say.

    Raises:
        DataError: the file is damaged.
    """
    if not (run / TRAINED_ROWS_FILE).is_file():
        return None
    sizes = {name: len(value) for name, value in model.named_parameters()}
    try:
        stored = load_file(run / TRAINED_ROWS_FILE)
        return {name: np.unpackbits(bits.numpy(), count=sizes[name]).view(bool) for name, bits in stored.items()}
    except (SafetensorError, KeyError, ValueError, TypeError) as err:
        raise DataError(f"{run / TRAINED_ROWS_FILE} is damaged; train the run anew") from err


def content_hash(run: Path) -> str:
    """Return the first 12 hexadecimal digits of SHA-256 over schema, configuration and weights."""
    digest = hashlib.sha256()
    for name in (SCHEMA_FILE, CONFIG_FILE, WEIGHTS_FILE):
        with (run / name).open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()[:12]


def _sample_batch(run: Path, schema: Schema, stored: dict[str, torch.Tensor]) -> Batch:
    """Check that the sample fits the schema.

    Raises:
        DataError: it is empty, or its tensors have another dtype or shape.
    """
    count, encoder = len(stored["ids"]) if "ids" in stored else 0, Encoder(schema)
    expected = {
        "ids": (torch.int64, (count, encoder.num_slots)),
        "dense": (torch.float32, (count, encoder.num_dense)),
    }
    if encoder.num_weights > 0:
        expected["weights"] = (torch.float32, (count, encoder.num_weights))
    found = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in stored.items()}
    if count == 0 or found != expected:
        raise DataError(f"run directory {run} is damaged: {SAMPLE_FILE} does not fit {SCHEMA_FILE}; train it anew")
    arrays = {name: tensor.numpy() for name, tensor in stored.items()}
    return Batch(arrays["ids"], arrays["dense"], arrays.get("weights"))


def _sample_labels(run: Path, schema: Schema, count: int, labels: torch.Tensor | None) -> NDArray[np.float32] | None:
    """Check that labels fit sample and schema.

    Raises:
        DataError: they have another dtype or shape.
    """
    if labels is None:
        return None
    if (labels.dtype, tuple(labels.shape)) != (torch.float32, (count, len(schema.tasks))):
        raise DataError(
            f"run directory {run} is damaged: labels of {SAMPLE_FILE} do not fit {SCHEMA_FILE}; train it anew"
        )
    found: NDArray[np.float32] = labels.numpy()
    return found


def predict(
    model: AnsweringModule, batch: Batch, *, batch_size: int = PREDICTED_ROWS, as_served: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Answer rows in evaluation mode, without gradients.

    Args:
        model: what is asked.
        batch: the rows.
        batch_size: rows that are answered at once.
        as_served: with every output of an exported model, such as the probabilities of ordinal levels.

    Returns:
        float32 [B] by task name; [B, num_classes] of a multi-class task, and of what has several columns.
    """
    was_training = model.training
    model.eval()
    parts: dict[str, list[NDArray[np.float32]]] = {}
    answer = model.outputs if as_served else model.answers
    with torch.inference_mode():
        for start in range(0, len(batch), batch_size):
            for name, value in answer(*tensors(batch[start : start + batch_size])).items():
                parts.setdefault(name, []).append((value if value.shape[1] > 1 else value.squeeze(1)).numpy())
    model.train(was_training)
    return {name: np.concatenate(values) for name, values in parts.items()}


def tensors(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """View a batch as the tensors that a ranker takes, without a copy: ids, dense, and weights if there are any."""
    weights = None if batch.weights is None else torch.from_numpy(batch.weights)
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.dense), weights
