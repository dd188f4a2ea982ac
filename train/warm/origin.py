"""What a training takes over from an older run, and what starts fresh."""

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyrank.features import BucketizedFeature, Feature, NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.models.embedding import FusedTable
from polyrank.models.ranker import Inputs
from polyrank.schema import Schema
from polyrank.train.statistics import FITTED

from .labels import SHARED, Part, input_names, labelled_parts
from .tables import own_tables, take_rows

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where the first weights of a training come from.

    Attributes:
        run: the older run.
        run_id: of it.
        fresh: what starts from random weights, in whole or in part, and why: one line each.
    """

    run: str
    run_id: str
    fresh: tuple[str, ...]


def kept_statistics(schema: Schema, older: Schema) -> Schema:
    """Give numbers that are transformed as in an older run its statistics, so that its weights keep their sense.

    Args:
        schema: with statistics fitted on new rows.
        older: that of the older run.
    """
    known = {feature.name: feature for feature in older.features}
    features = tuple(_kept(feature, known.get(feature.name)) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


def take_over(model: MultiTaskRanker, schema: Schema, config: ModelConfig, older: TrainedRanker, run: str) -> Origin:
    """Copy what an older run has learned of the same features, tasks and layers into a model.

    Args:
        model: of `schema` and `config`.
        schema: of the model.
        config: of the model.
        older: the run that was loaded.
        run: where it was.
    """
    fresh = [*_take_tables(model, schema, config, older), *_take_layers(model, schema, config, older)]
    logger.info("training starts from %s (run %s)", run, older.run_id)
    for line in fresh:
        logger.warning("fresh: %s", line)
    return Origin(run, older.run_id, tuple(fresh))


def trained_before(
    model: MultiTaskRanker,
    schema: Schema,
    config: ModelConfig,
    older: TrainedRanker,
    trained: Mapping[str, NDArray[np.bool_]],
) -> dict[str, Tensor]:
    """Say which rows of a model's tables an older run has trained, of those that `take_over` copies.

    Args:
        model: of `schema` and `config`.
        schema: of the model.
        config: of the model.
        older: the run that was loaded.
        trained: of its tables, bool (R,) by parameter.

    Returns:
        bool (R,) by parameter of the model.
    """
    found = {f"{name}.weight": torch.zeros(len(table.weight), 1, dtype=torch.bool) for name, table in _fused(model)}
    here = {id(table.weight): found[f"{name}.weight"] for name, table in _fused(model)}
    known = {
        id(table.weight): torch.from_numpy(trained[f"{name}.weight"]).unsqueeze(1)
        for name, table in _fused(older.model)
    }
    for _, inputs, source in _paired_inputs(model, schema, config, older):
        sizes = {} if source is None else {name: table.rows.shape[1] for name, table in own_tables(source).items()}
        for feature, table in own_tables(inputs).items():
            if source is not None and sizes.get(feature) == table.rows.shape[1]:
                take_rows(own_tables(inputs, here)[feature], own_tables(source, known)[feature])
    return {name: marks.squeeze(1) for name, marks in found.items()}


def _kept(feature: Feature, older: Feature | None) -> Feature:
    if type(feature) is not type(older):
        return feature
    if isinstance(feature, NumericFeature):
        fitted = {name: getattr(older, name) for name in FITTED}
        same = all(getattr(feature, name) == getattr(older, name) for name in ("transform", "clip", "quantiles"))
        return msgspec.structs.replace(feature, **fitted) if same else feature
    if isinstance(feature, BucketizedFeature) and feature.quantiles is not None:
        old = cast("BucketizedFeature", older)
        is_same = feature.quantiles == old.quantiles
        return msgspec.structs.replace(feature, boundaries=old.boundaries) if is_same else feature
    return feature


def _take_tables(model: MultiTaskRanker, schema: Schema, config: ModelConfig, older: TrainedRanker) -> Iterator[str]:
    for name, inputs, source in _paired_inputs(model, schema, config, older):
        tables = {} if source is None else own_tables(source)
        where = "" if name == SHARED else f" of {name}"
        for feature, table in own_tables(inputs).items():
            reason = take_rows(table, tables.get(feature))
            if reason is not None:
                yield f"embedding table of {feature!r}{where}: {reason}"


def _paired_inputs(
    model: MultiTaskRanker, schema: Schema, config: ModelConfig, older: TrainedRanker
) -> Iterator[tuple[str, Inputs, Inputs | None]]:
    """Yield the inputs of a model by name, each with those of the older run that it starts from."""
    known = dict(zip(input_names(older.schema, older.config), _inputs(older.model), strict=True))
    for name, inputs in zip(input_names(schema, config), _inputs(model), strict=True):
        yield name, inputs, known.get(name, known.get(SHARED))


def _take_layers(model: MultiTaskRanker, schema: Schema, config: ModelConfig, older: TrainedRanker) -> Iterator[str]:
    known = labelled_parts(older.model, older.schema, older.config)
    for name, part in labelled_parts(model, schema, config).items():
        reason = "the older run has no such layer" if name not in known else _take_part(part, known[name])
        if reason is not None and "num_batches" not in name:
            yield f"{name}: {reason}"


def _take_part(new: Part, old: Part) -> str | None:
    """Copy the numbers whose labels are the same along every axis; return what is not copied, None for nothing."""
    if new.tensor.dim() != old.tensor.dim():
        return f"its shape is {_shape(new)}, and was {_shape(old)}"
    chosen: list[torch.Tensor] = []
    sources: list[torch.Tensor] = []
    for axis, (here, there) in enumerate(zip(new.axes, old.axes, strict=True)):
        found = _matching(here, there, new.tensor.shape[axis], old.tensor.shape[axis])
        if not found:
            return f"its shape is {_shape(new)}, and was {_shape(old)}" if here is None else "nothing of it is known"
        chosen.append(torch.tensor([to for to, _ in found]))
        sources.append(torch.tensor([at for _, at in found]))
    if not chosen:
        new.tensor.detach().copy_(old.tensor)
        return None
    new.tensor.detach()[torch.meshgrid(*chosen, indexing="ij")] = old.tensor[torch.meshgrid(*sources, indexing="ij")]
    total, taken = new.tensor.numel(), math.prod(len(places) for places in chosen)
    return None if taken == total else f"{total - taken} of its {total} numbers are new"


def _matching(here: Any, there: Any, new_size: int, old_size: int) -> list[tuple[int, int]]:
    """Return places along an axis, and where they are in the older one."""
    if here is None or there is None:
        return [(at, at) for at in range(new_size)] if new_size == old_size else []
    places = {label: at for at, label in enumerate(there)}
    return [(at, places[label]) for at, label in enumerate(here) if label in places]


def _fused(model: MultiTaskRanker) -> list[tuple[str, FusedTable]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, FusedTable)]


def _inputs(model: MultiTaskRanker) -> list[Inputs]:
    return [part for part in model.inputs if isinstance(part, Inputs)]


def _shape(part: Part) -> str:
    return " x ".join(str(size) for size in part.tensor.shape)
