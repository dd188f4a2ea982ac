"""A module of PyTorch that was not trained here, to a bundle like any other."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from polyrank.arguments import instance, path
from polyrank.encoder import Batch, Encoder
from polyrank.errors import ConfigError, ExportError
from polyrank.files import Wanted, location, scan
from polyrank.labels import label_matrix
from polyrank.models.module_ranker import ModuleRanker, refuse_unserved
from polyrank.rows import Rows, columns_of
from polyrank.run_record import RunRecord
from polyrank.schema import Schema
from polyrank.signature import Precision
from polyrank.staging import refuse_existing, staged_directory

from .bundle import Bundle
from .environments import python_with
from .exporting import ExportOptions, Origin, over_rows, write_bundle
from .probes import sample_rows
from .releases import resolve_target
from .room import require_room

SAMPLE_ROWS = 4096


def export_module(
    module: nn.Module,
    schema: Schema,
    rows: Rows | str | Path,
    *,
    out: str | Path,
    options: ExportOptions | None = None,
) -> Bundle:
    """Export a module that was trained elsewhere to a bundle, which is published and served like one of a run.

    The graph is over rows: `Ranker.rank` scores a user's items with it as rows.

    Args:
        module: on the CPU, called as `polyrank.models.RankerModule` says; it is put into evaluation mode.
        schema: its inputs, in the order of their features, and its tasks. A feature with `identity` hands over the
            id itself; others hand over fingerprints. Transforms of numbers are the module's own work.
        rows: real ones to prove the graph on, of which the first 4,096 are taken: a table, a frame, a list of dicts, or
            files. A smaller precision is measured on them, and needs their labels too.
        out: the bundle directory to make; must not exist or be empty.
        options: target, verification and precision; None takes the newest release and 32 bits.

    Raises:
        ConfigError: the module does not answer as it must, or the schema asks for what only training here makes.
        ExportError: the module cannot be exported, or the target is unknown.
        ParityError: the graph answers unlike the module; the evidence is in `<out>.failed/parity.json`.
        DataError: rows do not fit the schema, or there are none.
        OutputError: `out` exists or cannot be written.
    """
    options, out = ExportOptions() if options is None else options, path("out", out)
    instance("options", options, ExportOptions, "ExportOptions(...)")
    instance("schema", schema, Schema, "a Schema, such as Schema.load(path)")
    if rows is None:
        raise ConfigError("rows must be a table, a frame, a list of dicts or files, got None")
    if options.precision.prune_rows:
        raise ExportError("only a run of polyrank train says which rows training changed; leave prune_rows out")
    target = resolve_target(options.triton, options.onnxruntime)
    refuse_existing(out)
    subject = _subject(module, schema, rows, with_labels=options.precision != Precision())
    if options.verified_with is not None:
        python_with(options.verified_with)
    require_room(subject.model, out, graphs=1)
    with staged_directory(out) as stage:
        origin = Origin(RunRecord(run_id=subject.run_id, module=_class_of(module)))
        signature = write_bundle(stage, out, over_rows(subject, target), options, origin)
    return Bundle(out, signature)


@dataclasses.dataclass(frozen=True)
class _ModuleSubject:
    """A module as something to export."""

    schema: Schema
    model: ModuleRanker
    sample: Batch
    labels: NDArray[np.float32] | None
    run_id: str


def _subject(module: nn.Module, schema: Schema, rows: Rows | str | Path, *, with_labels: bool) -> _ModuleSubject:
    instance("module", module, nn.Module, "a module of PyTorch")
    for name, value in _tensors(module):
        if value.device.type != "cpu":
            raise ConfigError(f"module must be on the CPU, got {name!r} on {value.device}; call module.cpu()")
    refuse_unserved(schema)
    model = ModuleRanker(module, schema).eval()
    sample, labels = _sample(schema, rows, with_labels=with_labels)
    subject = _ModuleSubject(schema, model, sample, labels, _content_hash(schema, module))
    model.check(sample_rows(subject, min(len(sample) + 1, SAMPLE_ROWS)))
    return subject


def _sample(schema: Schema, rows: Rows | str | Path, *, with_labels: bool) -> tuple[Batch, NDArray[np.float32] | None]:
    """Encode the first rows, and read their labels where they are needed.

    Raises:
        DataError: there is no row, or one does not fit the schema.
    """
    names = schema.training_columns if with_labels else schema.feature_columns
    if not isinstance(rows, str | Path):
        return _encoded(schema, rows, names, SAMPLE_ROWS, with_labels=with_labels)
    wanted = Wanted(columns=names, text=schema.text_columns, integers=schema.integer_columns)
    parts, left = [], SAMPLE_ROWS
    for piece in scan(location(rows), wanted):
        with piece.named():
            parts.append(_encoded(schema, piece.table, names, left, with_labels=with_labels))
        left -= len(parts[-1][0])
        if left == 0:
            break
    return _joined([batch for batch, _ in parts]), _stacked([labels for _, labels in parts])


def _joined(batches: Sequence[Batch]) -> Batch:
    ids, dense = ([getattr(batch, name) for batch in batches] for name in ("ids", "dense"))
    return Batch(np.concatenate(ids), np.concatenate(dense), _stacked([batch.weights for batch in batches]))


def _stacked(arrays: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    """Join arrays of rows; all of them are None where a schema has no such."""
    found = [array for array in arrays if array is not None]
    return np.concatenate(found) if found else None


def _encoded(
    schema: Schema, rows: Rows, names: Sequence[str], most: int, *, with_labels: bool
) -> tuple[Batch, NDArray[np.float32] | None]:
    """Encode rows, of which the first `most` count."""
    columns = {name: column[:most] for name, column in columns_of(rows, names).items()}
    return Encoder(schema).encode_columns(columns), label_matrix(schema, columns) if with_labels else None


def _tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield all that a module holds, by name: of its buffers those too that its state leaves out."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _class_of(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _content_hash(schema: Schema, module: nn.Module) -> str:
    """Return the first 12 hexadecimal digits of SHA-256 over schema, class and weights, as runs have it of theirs."""
    digest = hashlib.sha256(schema.to_toml().encode())
    digest.update(_class_of(module).encode())
    for name, value in _tensors(module):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
